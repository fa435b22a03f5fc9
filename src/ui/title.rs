//! The title line: the screens as tabs, the devices and the queue; and which tab was clicked.

use super::text::fit;
use super::theme::Theme;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

const BRAND: &str = " eigenscope ";

/// A screen's tab.
pub(super) struct Tab {
    pub digit: char,
    pub name: &'static str,
    pub current: bool,
}

/// How a tab is written.
#[derive(Clone, Copy)]
enum Form {
    Named,
    /// With one space between two tabs.
    Tight,
    /// The same with a shorter word.
    Short,
    /// Only the shown screen has its name.
    Digits,
}

impl Tab {
    fn text(&self, form: Form) -> String {
        match form {
            Form::Tight => format!("{} {} ", self.digit, self.name),
            Form::Short => format!("{} {} ", self.digit, self.name.replace("Figure", "Fig")),
            Form::Digits if !self.current => format!(" {} ", self.digit),
            Form::Named | Form::Digits => format!(" {} {} ", self.digit, self.name),
        }
    }
}

/// The brand and the tabs' texts in so many columns: the brand gives way first, then room between the tabs, then the names of the
/// screens not shown.
fn texts(tabs: &[Tab], width: u16) -> (&'static str, Vec<String>) {
    let all = |form| tabs.iter().map(|t| t.text(form)).collect::<Vec<_>>();
    let wide = |brand: &str, texts: &[String]| brand.len() + texts.iter().map(|t| t.chars().count()).sum::<usize>();
    let forms = [(BRAND, Form::Named), ("", Form::Named), ("", Form::Tight), ("", Form::Short)];
    let named = forms.map(|(brand, form)| (brand, all(form)));
    let fits = named.into_iter().find(|(brand, texts)| wide(brand, texts) <= width.into());
    fits.unwrap_or_else(|| ("", all(Form::Digits)))
}

pub(super) fn draw(frame: &mut Frame, area: Rect, tabs: &[Tab], device: &str, queue: &str, theme: &Theme) {
    let (brand, texts) = texts(tabs, area.width);
    let mut spans = vec![Span::styled(brand, theme.title())];
    for (tab, text) in tabs.iter().zip(texts) {
        spans.push(Span::styled(text, if tab.current { theme.selected() } else { theme.faint() }));
    }
    let left = Line::from(spans);
    let used = (left.width() as u16).min(area.width);
    frame.render_widget(left, area);
    let room = area.width.saturating_sub(used + 1);
    let texts = [format!("{device} · {queue}   ? help "), format!("{queue} "), "? help ".into()];
    let shown = texts.into_iter().find(|t| t.chars().count() <= room as usize).unwrap_or_default();
    let right = Line::styled(fit(&shown, room as usize), theme.faint()).right_aligned();
    frame.render_widget(right, Rect { x: area.x + used, width: area.width - used, ..area });
}

/// Digit of the tab at this column of a title line of this width.
pub(super) fn tab_at(tabs: &[Tab], width: u16, column: u16) -> Option<char> {
    let (brand, texts) = texts(tabs, width);
    let mut start = brand.len();
    tabs.iter().zip(texts).find_map(|(tab, text)| {
        let end = start + text.chars().count();
        let here = (start..end).contains(&column.into());
        start = end;
        here.then_some(tab.digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_finds_the_tab_whatever_gave_way() {
        let tabs = || {
            [('1', "Runs", true), ('2', "Run", false), ('0', "Queue", false)].map(|(digit, name, current)| Tab {
                digit,
                name,
                current,
            })
        };
        assert_eq!(tab_at(&tabs(), 80, 5), None, "the brand");
        assert_eq!(tab_at(&tabs(), 80, 13), Some('1'));
        assert_eq!(tab_at(&tabs(), 80, 21), Some('2'));
        assert_eq!(tab_at(&tabs(), 24, 1), Some('1'), "without the brand");
        assert_eq!(tab_at(&tabs(), 24, 23), Some('0'));
        assert_eq!([3, 9, 16].map(|column| tab_at(&tabs(), 22, column)), [Some('1'), Some('2'), Some('0')], "tight");
        assert_eq!(tab_at(&tabs(), 16, 9), Some('2'), "without the other names");
        assert_eq!(tab_at(&tabs(), 16, 15), None);
    }
}
