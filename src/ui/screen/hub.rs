//! Models and data of the Hugging Face hub: what the cache holds, and what is on its way. Asks for both, fetches nothing itself.

use super::{Effect, Kind, Scene, Screen};
use crate::task;
use crate::ui::action::Action;
use crate::ui::clicks::{Clicks, first_shown, is_click};
use crate::ui::prompt::Prompt;
use crate::ui::text::{duration, fit};
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crate::view::{Arriving, FetchState, HubFetch, HubItem, HubView, Interest, Request, file_size};
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState, Wrap};

/// Digits of a commit that are shown.
const COMMIT: usize = 12;
/// Columns of a bar at most.
const BAR: usize = 40;

#[derive(Default)]
pub struct HubScreen {
    row: usize,
    clicks: Clicks,
}

/// A line of the list: a model, a data set, or a part of one.
struct Entry<'a> {
    item: &'a HubItem,
    part: Option<&'a (String, u64)>,
}

impl Entry<'_> {
    /// The task that it has the rows of.
    fn task(&self) -> Option<&'static dyn task::Glue> {
        let (folder, _) = self.part.filter(|_| self.item.is_data)?;
        task::ALL.iter().copied().find(|t| t.hub().folder == folder)
    }

    /// Fields of the launch form that take it.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let task = self.task().map(|t| ("task", t.id().to_string()));
        self.item.field.clone().into_iter().chain(task).collect()
    }
}

fn entries(hub: &HubView) -> Vec<Entry<'_>> {
    let mut all = Vec::new();
    for item in &hub.items {
        all.push(Entry { item, part: None });
        if item.is_data {
            all.extend(item.parts.iter().map(|part| Entry { item, part: Some(part) }));
        }
    }
    all
}

impl HubScreen {
    fn at(&self, entries: &[Entry]) -> usize {
        self.row.min(entries.len().saturating_sub(1))
    }

    fn draw_list(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let (theme, hub) = (scene.theme, &scene.view.hub);
        let entries = entries(hub);
        let total: u64 = hub.items.iter().map(HubItem::bytes).sum();
        let sum = if hub.items.is_empty() { String::new() } else { format!("{} · ", file_size(total)) };
        let title = format!(" Hugging Face cache: {sum}{} ", harmless(&hub.cache));
        let room = usize::from(area.width.saturating_sub(2));
        let block = Block::bordered().title(Span::styled(fit(&title, room), theme.title()));
        if entries.is_empty() {
            let text = match hub.cache.is_empty() {
                true => "The cache is being looked at.",
                false => {
                    "Nothing of the hub is here yet.\n\nf fetches a model by its id (roberta-base, org/name, org/name@revision) \
                     or GLUE's rows (glue, glue cola rte). What was fetched, enter puts into the launch form."
                }
            };
            let text = Paragraph::new(text).style(theme.faint()).wrap(Wrap { trim: true });
            return frame.render_widget(text.block(block), area);
        }
        let height = lines_of(area);
        let at = self.at(&entries);
        let first = first_shown(at, height, entries.len());
        let wide = area.width >= 76;
        let names = usize::from(area.width).saturating_sub(if wide { 42 } else { 26 });
        let row = |entry: &Entry| match entry.part {
            None => {
                let kind = if entry.item.is_data { "data" } else { "model" };
                let commit = entry.item.commit.chars().take(COMMIT).collect::<String>();
                let name = fit(&harmless(&entry.item.name), names);
                let size = format!("{:>10}", file_size(entry.item.bytes()));
                let mut cells = vec![Cell::from(kind), Cell::from(name), Cell::from(size)];
                if wide {
                    cells.push(Cell::from(commit));
                }
                Row::new(cells)
            }
            Some((name, bytes)) => {
                let name = entry.task().map_or_else(|| harmless(name), |t| t.label().to_string());
                let size = format!("{:>10}", file_size(*bytes));
                Row::new(vec![Cell::from(""), Cell::from(fit(&format!("  {name}"), names)), Cell::from(size)])
                    .style(theme.faint())
            }
        };
        let mut widths = vec![Constraint::Length(6), Constraint::Fill(1), Constraint::Length(11)];
        let mut titles = vec!["kind", "id", "      size"];
        if wide {
            widths.push(Constraint::Length(14));
            titles.push("commit");
        }
        let table = Table::new(entries.iter().skip(first).take(height).map(row), widths)
            .header(Row::new(titles).style(theme.faint()))
            .block(block)
            .row_highlight_style(theme.selected())
            .highlight_symbol("> ");
        frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(Some(at - first)));
    }
}

/// Entries that a table of this size shows: the rest is its frame and its header.
fn lines_of(table: Rect) -> usize {
    table.height.saturating_sub(3).max(1).into()
}

fn is_unfinished(state: &FetchState) -> bool {
    matches!(state, FetchState::Failed(_) | FetchState::Stopped)
}

/// What is on its way first, then what ended, the newest first.
fn fetches(hub: &HubView) -> Vec<&HubFetch> {
    let (ended, under_way): (Vec<&HubFetch>, Vec<&HubFetch>) = hub.fetches.iter().partition(|f| f.state.has_ended());
    under_way.into_iter().chain(ended.into_iter().rev()).collect()
}

fn lines(fetch: &HubFetch, width: u16, theme: &Theme) -> Vec<Line<'static>> {
    let label = harmless(&fetch.label);
    let room = usize::from(width);
    match &fetch.state {
        FetchState::Waiting => vec![Line::styled(format!("{label}: waits for its turn"), theme.faint())],
        FetchState::Stopped => {
            vec![Line::styled(format!("{label}: stopped; r goes on where it was"), theme.warning())]
        }
        FetchState::Done(text) => vec![Line::styled(fit(&format!("{label}: {}", harmless(text)), room), theme.good())],
        FetchState::Failed(text) => {
            // All of an error: what to do about it often stands at its end.
            let text = format!("{label}: {}; r tries again", harmless(text));
            let rows = textwrap::wrap(&text, room.max(8));
            rows.into_iter().map(|row| Line::styled(row.into_owned(), theme.error())).collect()
        }
        FetchState::Running(arriving) => running(&label, arriving, room, theme),
    }
}

fn running(label: &str, a: &Arriving, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    if a.file.is_empty() {
        return vec![Line::raw(format!("{label}: asking for the list of files"))];
    }
    let note = a.note.as_ref().map(|n| format!(" · {}", harmless(n))).unwrap_or_default();
    let head = format!("{label}: file {} of {}, {}{note}", a.index + 1, a.files, harmless(&a.file));
    let of = a.size.map(|size| format!(" of {}", file_size(size))).unwrap_or_default();
    let rate = a.rate.map(|r| format!(" · {}/s", file_size(r as u64))).unwrap_or_default();
    let left = a.left().map(|s| format!(" · {} left", duration(s))).unwrap_or_default();
    let numbers = format!("{}{of}{rate}{left}", file_size(a.done));
    let mut spans = Vec::new();
    if let Some(size) = a.size.filter(|s| *s > 0) {
        let bar = room.saturating_sub(numbers.chars().count() + 2).min(BAR);
        let full = (bar as f64 * (a.done as f64 / size as f64).min(1.0)).round() as usize;
        spans.push(Span::styled("█".repeat(full), theme.good()));
        spans.push(Span::styled("░".repeat(bar - full), theme.faint()));
        spans.push(Span::raw("  "));
    }
    spans.push(Span::raw(numbers));
    vec![Line::raw(fit(&head, room)), Line::from(spans)]
}

/// Places of the list and of what is fetched, which has its lines.
fn split(area: Rect, hub: &HubView, theme: &Theme) -> ([Rect; 2], Vec<Line<'static>>) {
    let lines: Vec<Line> =
        fetches(hub).into_iter().flat_map(|f| lines(f, area.width.saturating_sub(2), theme)).collect();
    let below = match lines.len() as u16 {
        0 => 0,
        n => (n + 2).min(area.height / 2).max(3),
    };
    (Layout::vertical([Constraint::Min(3), Constraint::Length(below)]).areas(area), lines)
}

impl Screen for HubScreen {
    fn kind(&self) -> Kind {
        Kind::Hub
    }

    fn digit(&self) -> char {
        '8'
    }

    fn title(&self) -> &'static str {
        "Hub"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        Interest { open: scene.open.cloned(), width: width.into(), hub: true, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        let entries = entries(&scene.view.hub);
        let at = self.at(&entries);
        let last = entries.len().saturating_sub(1);
        self.row = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => (at + 1).min(last),
            Action::HalfUp => at.saturating_sub(10),
            Action::HalfDown => (at + 10).min(last),
            Action::Top => 0,
            Action::Bottom => last,
            _ => at,
        };
        let again = || {
            let failed = scene.view.hub.fetches.iter().filter(|f| is_unfinished(&f.state));
            failed.map(|f| Effect::Ask(Request::Fetch(f.label.clone()))).collect::<Vec<_>>()
        };
        match (action, entries.get(at)) {
            (Action::Back, _) => Effect::Go(Kind::Runs),
            (Action::Fetch, _) => Effect::Prompt(Box::new(Prompt::fetch(""))),
            (Action::Stop, _) if self.idle(action, scene) => Effect::Say("nothing is being fetched".into()),
            (Action::Stop, _) => Effect::Ask(Request::StopFetch),
            (Action::Resume, _) if self.idle(action, scene) => {
                Effect::Say("nothing failed or was stopped; f fetches".into())
            }
            (Action::Resume, _) => Effect::Several(again()),
            (Action::Open, Some(entry)) => match entry.fields() {
                fields if fields.is_empty() => {
                    Effect::Say(format!("{} is no data set that this program reads", harmless(&entry.item.name)))
                }
                fields => Effect::Set(fields),
            },
            (Action::Copy, Some(entry)) => {
                let flags: Vec<String> = entry.fields().iter().map(|(name, v)| format!("--{name} {v}")).collect();
                Effect::Copy(if flags.is_empty() { entry.item.name.clone() } else { flags.join(" ") })
            }
            _ => Effect::None,
        }
    }

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        let hub = &scene.view.hub;
        match action {
            Action::Stop => hub.fetches.iter().all(|f| f.state.has_ended()),
            Action::Resume => !hub.fetches.iter().any(|f| is_unfinished(&f.state)),
            Action::Open | Action::Copy => hub.items.is_empty(),
            _ => false,
        }
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let ([list, _], _) = split(area, &scene.view.hub, scene.theme);
        let header = list.y + 2;
        if !is_click(event) || event.row < header || event.row + 1 >= list.bottom() {
            return None;
        }
        let entries = entries(&scene.view.hub);
        let row = first_shown(self.at(&entries), lines_of(list), entries.len()) + usize::from(event.row - header);
        let fields = entries.get(row)?.fields();
        self.row = row;
        let open = self.clicks.is_double(event) && !fields.is_empty();
        Some(if open { Effect::Set(fields) } else { Effect::None })
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let hub = &scene.view.hub;
        let ([list, below], lines) = split(area, hub, scene.theme);
        self.draw_list(frame, list, scene);
        if below.height > 0 {
            let title = fit(&format!(" Fetched from {} ", harmless(&hub.hub)), below.width.saturating_sub(2).into());
            let block = Block::bordered().title(Span::styled(title, scene.theme.title()));
            frame.render_widget(Paragraph::new(lines).block(block), below);
        }
    }
}
