//! The table of keys as they are by default: the only place where keys and actions meet. What holds, with the settings file's
//! changes, is a [`Keymap`]; help, context line and command palette are made from it.

mod effective;
mod names;

pub use effective::{Bound, Choice, Keymap};
pub use names::{is_key, key_name, kind_name};

use super::action::Action;
use super::screen::Kind;

/// Keys that mean an action, where they do, and what to call it.
pub struct Binding {
    pub keys: &'static [&'static str],
    pub action: Action,
    /// Screens on which it holds; empty: all.
    pub on: &'static [Kind],
    pub help: &'static str,
    /// A word for the context line; empty: not shown there.
    pub short: &'static str,
}

const fn key(
    keys: &'static [&'static str],
    action: Action,
    on: &'static [Kind],
    help: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, action, on, help, short }
}

use Kind::{Compare, Data, Figure1, Hub, Launch, Layers, Queue, Run, Runs, Table1};

/// The screens with curves.
const CURVES: &[Kind] = &[Run, Compare];

/// Every key. A screen's own meaning stands before the general one.
pub static KEYS: &[Binding] = &[
    key(&["enter"], Action::Open, &[Runs, Queue], "open the run; unfold or fold the group", "open"),
    key(&["space"], Action::Mark, &[Runs], "mark or unmark: keys act on all that is marked", "mark"),
    key(&["ctrl-a"], Action::MarkAll, &[Runs], "mark or unmark all runs shown", ""),
    key(&["esc"], Action::Back, &[Runs], "take the marks away; without marks, show all again", ""),
    key(&["d"], Action::Demo, &[Runs], "launch the demo", ""),
    key(&["/"], Action::Filter, &[Runs], "filter: task:cola lr>=1e-3 -word | is:archived", "filter"),
    key(&["c"], Action::Compare, &[Runs], "compare the marked runs", "compare"),
    key(&["x"], Action::Stop, &[Runs, Run, Queue], "stop and save the run (resumable)", "stop"),
    key(&["p"], Action::Pause, &[Runs, Run, Queue], "pause", "pause"),
    key(&["r"], Action::Resume, &[Runs, Run, Queue], "resume what is paused, stopped, interrupted or failed", "resume"),
    key(&["z"], Action::Group, &[Runs], "group by task and method, also by lr and batch, not", "group"),
    key(&["l", "right"], Action::Right, &[Runs], "unfold the group", ""),
    key(&["h", "left"], Action::Left, &[Runs], "fold the group", ""),
    key(&["v"], Action::Columns, &[Runs], "choose columns; hide those that are constant", "columns"),
    key(&["J"], Action::MoveDown, &[Runs], "in the chooser of columns: move the column down", ""),
    key(&["K"], Action::MoveUp, &[Runs], "in the chooser of columns: move the column up", ""),
    key(&["s", ">"], Action::SortRight, &[Runs], "sort by the next column", "sort"),
    key(&["<"], Action::SortLeft, &[Runs], "sort by the column before", ""),
    key(&["S"], Action::ReverseSort, &[Runs], "reverse the sorting", ""),
    key(&["J", "shift-down"], Action::Later, &[Queue], "move the queued run down: it trains later", "later"),
    key(&["K", "shift-up"], Action::Earlier, &[Queue], "move the queued run up: it trains earlier", "earlier"),
    key(&["t"], Action::EditTags, &[Runs], "edit the tags", "tag"),
    key(&["N"], Action::EditNote, &[Runs], "edit the note", ""),
    key(&["R"], Action::Rename, &[Runs], "rename", ""),
    key(&["A"], Action::Archive, &[Runs], "archive (is:archived shows it) or take back", ""),
    key(&["C"], Action::Clone, &[Runs], "clone: the launch form with the run's settings", "clone"),
    key(&["X"], Action::Cancel, &[Runs, Queue], "cancel (asks)", ""),
    key(&["D"], Action::Delete, &[Runs], "delete with all files (asks; tells what that frees)", "delete"),
    key(&["enter"], Action::Open, &[Hub], "the launch form with this model or these rows", "use"),
    key(&["f"], Action::Fetch, &[Hub], "fetch a model by its id, or glue [TASK...]", "fetch"),
    key(&["x"], Action::Stop, &[Hub], "stop what is being fetched; what came is kept", "stop"),
    key(&["r"], Action::Resume, &[Hub], "fetch again all that failed or was stopped: it goes on", "again"),
    key(&["h", "left", "["], Action::Left, &[Data], "the split before: train, validation, test", ""),
    key(&["l", "right", "]"], Action::Right, &[Data], "the next split", "split"),
    key(&["/"], Action::Search, &[Data], "only rows that hold a text (esc: all)", "search"),
    key(&["tab"], Action::NextPane, &[Data], "splits, labels, lengths, examples", "pane"),
    key(&["backtab"], Action::PreviousPane, &[Data], "the pane before", ""),
    key(&["y"], Action::Copy, &[Data], "copy the texts of the selected example", ""),
    key(&["tab"], Action::NextPane, CURVES, "next pane", "pane"),
    key(&["backtab"], Action::PreviousPane, CURVES, "previous pane", ""),
    key(&["tab"], Action::NextPane, &[Layers], "spectra, deletion, rank, symmetry", "view"),
    key(&["backtab"], Action::PreviousPane, &[Layers], "the view before", ""),
    key(&["enter"], Action::Open, &[Layers], "analyse the run for this view", "analyse"),
    key(&["h", "left"], Action::Left, CURVES, "cursor to the left: reads the values there", ""),
    key(&["l", "right"], Action::Right, CURVES, "cursor to the right", "cursor"),
    key(&["+"], Action::ZoomIn, CURVES, "zoom in about the cursor (mouse: wheel, or drag a range)", "zoom"),
    key(&["-"], Action::ZoomOut, CURVES, "zoom out", ""),
    key(&["="], Action::ZoomReset, CURVES, "the whole axis again, without a cursor", ""),
    key(&["<", "shift-left"], Action::PanLeft, CURVES, "move the zoomed view to the left", ""),
    key(&[">", "shift-right"], Action::PanRight, CURVES, "move the zoomed view to the right", ""),
    key(&["X"], Action::Horizontal, CURVES, "horizontal axis: step, epoch, seconds of training", "x axis"),
    key(&["L"], Action::LogScale, CURVES, "axes: linear, log y, log x, both", "log"),
    key(&["S"], Action::Smoothing, CURVES, "smoothing of the loss: 0, 0.5, 0.9, 0.97, 0.99", "smooth"),
    key(&["t"], Action::AllFields, &[Compare], "table of settings: only what differs, or all", "all"),
    key(&["["], Action::EarlierStep, &[Run, Layers], "layer norms at the record before", "scrub"),
    key(&["]"], Action::LaterStep, &[Run, Layers], "layer norms at the record after", ""),
    key(&["{"], Action::MuchEarlierStep, &[Run, Layers], "layer norms ten records before", ""),
    key(&["}"], Action::MuchLaterStep, &[Run, Layers], "layer norms ten records after", ""),
    key(&["/"], Action::Search, &[Run], "search the log", ""),
    key(&["n"], Action::NextMatch, &[Run], "next match in the log", ""),
    key(&["N"], Action::PreviousMatch, &[Run], "previous match in the log", ""),
    key(&["t"], Action::Target, &[Figure1], "adapted matrix: mean of all, query, value, ...", "target"),
    key(&["m"], Action::Norm, &[Figure1], "norm of W0: Frobenius or entrywise L1", "norm"),
    key(&["R"], Action::Reverse, &[Figure1], "reverse the difference", ""),
    key(&["b"], Action::Pick, &[Figure1], "runs shown: best, last, mean", "runs"),
    key(&["s"], Action::Absolute, &[Figure1], "lambda with its sign, or |lambda|", ""),
    key(&["L"], Action::Lambda, &[Figure1], "the heatmap of lambda, or Figure 1", "lambda"),
    key(&["enter"], Action::Open, &[Table1], "the runs of the cell; of an empty one the launch form", "open"),
    key(&["m"], Action::Source, &[Table1], "next model, where runs have several", "model"),
    key(&["y"], Action::Copy, &[Runs, Queue], "copy the run's id", ""),
    key(&["y"], Action::Copy, &[Run, Compare, Figure1, Table1, Layers], "copy the value under the cursor", ""),
    key(&["y"], Action::Copy, &[Hub], "copy the flag that takes it", ""),
    key(&["Y"], Action::CopySpec, &[Runs, Queue, Run], "copy the run's spec as TOML, for eigenscope train", ""),
    key(&["e"], Action::Export, &[Run, Compare, Figure1, Layers], "export what is shown as PNG", "export"),
    key(&["P"], Action::Preview, &[Run, Compare, Figure1, Layers], "the picture that an export would write", "picture"),
    key(&["enter", "ctrl-s"], Action::Submit, &[Launch], "launch", "launch"),
    key(&["ctrl-p"], Action::Preset, &[Launch], "next preset: demo, paper, loralib", "preset"),
    key(&["ctrl-b"], Action::BestSeeds, &[Launch], "then seeds of the grid's best: none, 2, 3, 5, 10", "seeds"),
    key(&["tab", "down"], Action::Down, &[Launch], "next field", ""),
    key(&["backtab", "up"], Action::Up, &[Launch], "previous field", ""),
    key(&["home", "pageup"], Action::Top, &[Launch], "first field", ""),
    key(&["end", "pagedown", "ctrl-d"], Action::Bottom, &[Launch], "last field", ""),
    key(&["left"], Action::Left, &[Launch], "the choice before; where a field offers none, the cursor", ""),
    key(&["right"], Action::Right, &[Launch], "the next choice, or the cursor", ""),
    key(&["ctrl-r", "ctrl-up"], Action::Older, &[Launch], "recall the launch before", "recall"),
    key(&["ctrl-down"], Action::Newer, &[Launch], "recall the launch after, at last what was typed", ""),
    key(&["ctrl-o"], Action::Save, &[Launch], "save as TOML for `eigenscope train FILE`", "save"),
    key(&["ctrl-f"], Action::Fetch, &[Launch], "fetch the model that the form names from the hub", ""),
    key(&["ctrl-t"], Action::Rows, &[Launch], "the rows of this task: counts, labels, lengths", "rows"),
    key(&["ctrl-a"], Action::LineStart, &[Launch], "cursor to the start of the field", ""),
    key(&["ctrl-e"], Action::LineEnd, &[Launch], "cursor to the end of the field", ""),
    key(&["alt-b", "ctrl-left"], Action::WordLeft, &[Launch], "cursor a word back", ""),
    key(&["alt-f", "ctrl-right"], Action::WordRight, &[Launch], "cursor a word on", ""),
    key(&["ctrl-u"], Action::Clear, &[Launch], "clear the field before the cursor", "clear"),
    key(&["ctrl-w"], Action::CutWord, &[Launch], "remove the word before the cursor", ""),
    key(&["a"], Action::NewRun, &[], "launch a new run", "new"),
    key(&["k", "up"], Action::Up, &[], "up", ""),
    key(&["j", "down"], Action::Down, &[], "down", ""),
    key(&["h", "left"], Action::Left, &[], "left", ""),
    key(&["l", "right"], Action::Right, &[], "right", ""),
    key(&["g", "home"], Action::Top, &[], "first", ""),
    key(&["G", "end"], Action::Bottom, &[], "last", ""),
    key(&["ctrl-u", "pageup"], Action::HalfUp, &[], "half a page up", ""),
    key(&["ctrl-d", "pagedown"], Action::HalfDown, &[], "half a page down", ""),
    key(&["1"], Action::Screen('1'), &[], "table of runs", ""),
    key(&["2"], Action::Screen('2'), &[], "one run", ""),
    key(&["3"], Action::Screen('3'), &[], "marked runs compared", ""),
    key(&["4"], Action::Screen('4'), &[], "Figure 1", ""),
    key(&["5"], Action::Screen('5'), &[], "Table 1", ""),
    key(&["6"], Action::Screen('6'), &[], "launch form", ""),
    key(&["7"], Action::Screen('7'), &[], "spectra of one run's layers", ""),
    key(&["8"], Action::Screen('8'), &[], "models and data of the Hugging Face hub", ""),
    key(&["9"], Action::Screen('9'), &[], "the rows of a run: counts, labels, lengths, examples", ""),
    key(&["0"], Action::Screen('0'), &[], "queue and devices", ""),
    key(&["esc"], Action::Back, &[], "back", ""),
    key(&[":", "ctrl-k"], Action::Palette, &[], "command palette: every action by its name", ""),
    key(&["T"], Action::Theme, &[], "next theme: dark, light, colour-blind, mono", ""),
    key(&["ctrl-z"], Action::Suspend, &[], "to the shell; fg comes back (training here stands still)", ""),
    key(&["?", "f1"], Action::Help, &[], "this help", "help"),
    key(&["q", "ctrl-c"], Action::Quit, &[], "quit (asks while runs are active)", "quit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_means_something_and_help_tells_it() {
        let keymap = Keymap::default();
        let all: Vec<Kind> =
            super::super::screen::all(&Default::default(), &Default::default()).iter().map(|s| s.kind()).collect();
        for b in KEYS {
            assert!(!b.help.is_empty(), "{:?} has no help", b.action);
            for key in b.keys {
                assert!(is_key(key), "{key:?} is no name of a key");
                let told = |kind: &Kind| keymap.on(*kind).any(|(keys, o)| o.action == b.action && keys.contains(key));
                let hidden: Vec<&Kind> = b.on.iter().filter(|kind| !told(kind)).collect();
                assert!(hidden.is_empty(), "{key} ({:?}) means something else on {hidden:?}", b.action);
                assert!(all.iter().any(told), "{key} ({:?}) is never reached", b.action);
            }
        }
    }

    #[test]
    fn help_is_not_cut() {
        // The box of keys is 76 wide: borders, 16 for the keys, two spaces.
        for binding in KEYS {
            assert!(binding.help.chars().count() <= 56, "{}", binding.help);
        }
    }
}
