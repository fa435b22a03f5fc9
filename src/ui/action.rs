//! Everything a key can mean. Knows no keys and no screens.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    HalfUp,
    HalfDown,
    NextPane,
    PreviousPane,
    Open,
    Mark,
    Back,
    Screen(char),
    NewRun,
    Demo,
    Filter,
    MarkAll,
    EditTags,
    EditNote,
    Rename,
    Archive,
    Clone,
    Columns,
    Group,
    MoveUp,
    MoveDown,
    SortLeft,
    SortRight,
    ReverseSort,
    Stop,
    Pause,
    Resume,
    Cancel,
    Delete,
    Export,
    Preview,
    Copy,
    CopySpec,
    Earlier,
    Later,
    LogScale,
    Smoothing,
    Horizontal,
    EarlierStep,
    LaterStep,
    MuchEarlierStep,
    MuchLaterStep,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    PanLeft,
    PanRight,
    Search,
    NextMatch,
    PreviousMatch,
    Compare,
    AllFields,
    Target,
    Norm,
    Reverse,
    Pick,
    Absolute,
    Lambda,
    Source,
    Preset,
    BestSeeds,
    Submit,
    LineStart,
    LineEnd,
    WordLeft,
    WordRight,
    Clear,
    CutWord,
    Older,
    Newer,
    Save,
    Fetch,
    Rows,
    Palette,
    Theme,
    Suspend,
    Help,
    Quit,
}

impl Action {
    /// What the settings file calls it: `next-pane`, `screen-1`.
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            match c {
                c if c.is_ascii_uppercase() && !name.is_empty() => name.extend(['-', c.to_ascii_lowercase()]),
                '(' => name.push('-'),
                ')' | '\'' => {}
                c => name.push(c.to_ascii_lowercase()),
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_settings_file() {
        let names = [Action::Stop, Action::NextPane, Action::Screen('4'), Action::LogScale].map(Action::name);
        assert_eq!(names, ["stop", "next-pane", "screen-4", "log-scale"]);
    }
}
