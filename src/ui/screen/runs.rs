//! The table of all runs, live, with a preview of the selected one: what its keys do. How it looks is in `runs/`.

mod chooser;
mod columns;
mod rows;
mod search;
mod shown;
mod table;

use super::ask::{self, ask};
use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Subject};
use crate::config::RunTable;
use crate::event::RunId;
use crate::record::RunSummary;
use crate::spec::RunSpec;
use crate::ui::action::Action;
use crate::ui::clicks::{Clicks, first_shown, is_click};
use crate::ui::filter::Filter;
use crate::ui::plot;
use crate::ui::theme::Theme;
use crate::view::{Interest, Request, View};
use chooser::Chooser;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use rows::{GROUPINGS, Place, Row};
use search::Search;
use shown::Shown;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) use columns::status;
pub(super) use table::status_style;

pub struct RunsScreen {
    /// Kept by id, so that it stays while runs come and go.
    selected: Option<Place>,
    /// Row of the selection when a key last came, and what to select should the selected run be deleted.
    row: usize,
    heir: Option<Place>,
    shown: Shown,
    /// Groups whose runs are shown.
    open: HashSet<String>,
    search: Search,
    chooser: Option<Chooser>,
    clicks: Clicks,
    order: RefCell<Option<Order>>,
}

/// The order of the rows as it was last made, and what of: ten thousand runs are not sorted anew for each key.
struct Order {
    watermark: i64,
    runs: usize,
    sort: &'static str,
    reversed: bool,
    filter: Filter,
    /// Empty where the filter is not about them.
    marked: Vec<RunId>,
    /// Places in the view's runs.
    rows: Vec<usize>,
}

impl RunsScreen {
    pub fn new(remembered: &RunTable) -> Self {
        Self {
            selected: None,
            row: 0,
            heir: None,
            shown: Shown::remembered(remembered),
            open: HashSet::new(),
            search: Search::default(),
            chooser: None,
            clicks: Clicks::default(),
            order: RefCell::default(),
        }
    }

    /// Runs that the filter lets through, sorted.
    fn found<'a>(&self, view: &'a View, marked: &[RunId]) -> Vec<&'a Arc<RunSummary>> {
        let filter = self.search.filter();
        let marked = if filter.is_about_marks() { marked } else { &[] };
        let (sort, reversed) = (self.shown.sort.id, self.shown.reversed);
        let mut order = self.order.borrow_mut();
        let same = |o: &Order| {
            (o.watermark, o.runs, o.sort, o.reversed) == (view.watermark, view.runs.len(), sort, reversed)
                && o.filter == *filter
                && o.marked == marked
        };
        let order = match order.take().filter(same) {
            Some(known) => order.insert(known),
            None => {
                let mut rows: Vec<usize> =
                    (0..view.runs.len()).filter(|i| filter.holds(&view.runs[*i], marked)).collect();
                rows.sort_by(|a, b| self.shown.compare(&view.runs[*a], &view.runs[*b]));
                let (filter, marked) = (filter.clone(), marked.to_vec());
                let (watermark, runs) = (view.watermark, view.runs.len());
                order.insert(Order { watermark, runs, sort, reversed, filter, marked, rows })
            }
        };
        order.rows.iter().map(|i| &view.runs[*i]).collect()
    }

    fn rows<'a>(&self, view: &'a View, marked: &[RunId]) -> Vec<Row<'a>> {
        rows::rows(self.found(view, marked), &self.shown, &self.open)
    }

    /// Row of the selection: where its run is deleted, the run that took its row; where its group is folded, the group.
    fn position(&self, view: &View, rows: &[Row]) -> usize {
        let Some(selected) = &self.selected else { return 0 };
        let row_of = |place: &Place| rows.iter().position(|r| r.is(place));
        let gone = || match selected {
            Place::Run(id) => view.run(id).is_none(),
            Place::Group(_) => true,
        };
        let folded = || match selected {
            Place::Run(id) => rows.iter().position(|r| r.runs().iter().any(|run| run.id == *id)),
            Place::Group(_) => None,
        };
        let heir = || self.heir.as_ref().and_then(row_of).unwrap_or(self.row).min(rows.len().saturating_sub(1));
        row_of(selected).or_else(folded).unwrap_or_else(|| if gone() { heir() } else { 0 })
    }

    /// Holds on to what is at `row`, and to its neighbour.
    fn select(&mut self, rows: &[Row], row: usize) {
        let place = |row: usize| rows.get(row).map(Row::place);
        self.row = row;
        self.selected = place(row);
        self.heir = place(row + 1).or_else(|| place(row.checked_sub(1)?));
    }

    /// Opens the group at `row`, or shuts the one that it is or lies in.
    fn fold(&mut self, rows: &[Row], row: usize, open: bool) {
        let group = rows[..rows.len().min(row + 1)].iter().rev().find_map(|r| match r {
            Row::Group(group) => Some(group.key.clone()),
            Row::Run { .. } => None,
        });
        let Some(key) = group else { return };
        if open {
            self.open.insert(key);
        } else {
            self.open.remove(&key);
            self.selected = Some(Place::Group(key));
        }
    }

    fn remember(&self) -> Effect {
        Effect::Remember(self.shown.to_remember())
    }

    /// Changes the order or the groups; none where the action is not about them.
    fn arrange(&mut self, action: Action, scene: &Scene) -> Option<Effect> {
        let by = match action {
            Action::SortRight => 1,
            Action::SortLeft => -1,
            Action::ReverseSort => {
                self.shown.reversed = !self.shown.reversed;
                return Some(self.remember());
            }
            Action::Group => {
                let next = self.shown.grouping.map_or(0, |g| g + 1);
                self.shown.grouping = (next < GROUPINGS.len()).then_some(next);
                return Some(self.remember());
            }
            _ => return None,
        };
        let (columns, _) = self.shown.telling(&self.found(scene.view, scene.marked));
        self.shown.sort_further(&columns, by);
        Some(self.remember())
    }

    /// The marked runs or, where none is marked, what is selected.
    fn meant<'a>(&self, scene: &Scene<'a>, selected: Option<&Row<'a>>) -> Vec<&'a RunSummary> {
        if scene.marked.is_empty() {
            return selected.map_or(Vec::new(), |row| row.runs().iter().map(|r| &***r).collect());
        }
        let marked: HashSet<&RunId> = scene.marked.iter().collect();
        scene.view.runs.iter().filter(|r| marked.contains(&r.id)).map(|r| &**r).collect()
    }

    fn title(&self, width: usize, scene: &Scene, found: usize, constant: usize) -> Line<'static> {
        let archived = scene.view.runs.iter().filter(|r| r.archived).count();
        let parts = [
            Some(format!("{} marked", scene.marked.len())).filter(|_| !scene.marked.is_empty()),
            self.shown.grouping.map(|g| by_fields(GROUPINGS[g])),
            Some(format!("{constant} constant columns hidden")).filter(|_| constant > 0),
            Some(format!("{archived} archived")).filter(|_| archived > 0),
        ];
        let notes: String = parts.into_iter().flatten().map(|p| format!("· {p} ")).collect();
        let count = Span::styled(format!(" Runs ({found}/{}) ", scene.view.runs.len()), scene.theme.title());
        let notes = Span::styled(notes, scene.theme.faint());
        let room = width.saturating_sub(count.width() + notes.width() + 2);
        let mut spans = vec![count];
        // What is typed comes before what can be seen in the table.
        let crowded = self.search.is_typing() && room < 40;
        spans.extend(Some(notes).filter(|_| !crowded));
        let room = if crowded { width.saturating_sub(spans[0].width() + 2) } else { room };
        let search = self.search.title(room, scene.theme);
        spans.extend(search.spans.into_iter().map(|s| Span::styled(s.content, search.style.patch(s.style))));
        Line::from(spans)
    }
}

/// `by task, method`.
fn by_fields(fields: &[&str]) -> String {
    format!("by {}", fields.join(", "))
}

impl Screen for RunsScreen {
    fn kind(&self) -> Kind {
        Kind::Runs
    }

    fn digit(&self) -> char {
        '1'
    }

    fn title(&self) -> &'static str {
        "Runs"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        let rows = self.rows(scene.view, scene.marked);
        let open = rows.get(self.position(scene.view, &rows)).and_then(|row| Some(row.runs().first()?.id.clone()));
        Interest { open, width: width as usize, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        if let Some(chooser) = &mut self.chooser {
            match action {
                Action::Back | Action::Columns | Action::Open => self.chooser = None,
                _ if chooser.act(action, &mut self.shown) => return self.remember(),
                _ => {}
            }
            return Effect::None;
        }
        if let Some(effect) = self.arrange(action, scene) {
            return effect;
        }
        let rows = self.rows(scene.view, scene.marked);
        let at = self.position(scene.view, &rows);
        let last = rows.len().saturating_sub(1);
        let here = rows.get(at);
        let go = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => (at + 1).min(last),
            Action::HalfUp => at.saturating_sub(10),
            Action::HalfDown => (at + 10).min(last),
            Action::Top => 0,
            Action::Bottom => last,
            Action::Filter => {
                self.search.start(scene.view);
                return Effect::None;
            }
            Action::Columns => {
                self.chooser = Some(Chooser::open(&self.shown));
                return Effect::None;
            }
            // First the marks, then the filter, as file managers do.
            Action::Back if !scene.marked.is_empty() => return Effect::Mark(Vec::new()),
            Action::Back => {
                self.search.clear();
                return Effect::None;
            }
            Action::Demo => return Effect::Ask(Request::Demo),
            Action::Mark => {
                let marks = here.map(|row| toggle(row.runs(), scene.marked));
                // On to the next row, as file managers do.
                self.select(&rows, (at + 1).min(last));
                return marks.unwrap_or(Effect::None);
            }
            Action::MarkAll => return toggle(&self.found(scene.view, scene.marked), scene.marked),
            Action::Left => {
                self.fold(&rows, at, false);
                return Effect::None;
            }
            Action::Open | Action::Right if matches!(here, Some(Row::Group(_))) => {
                let shut = matches!(here, Some(Row::Group(group)) if !group.open);
                self.fold(&rows, at, shut || action == Action::Right);
                return Effect::None;
            }
            Action::Open if scene.view.runs.is_empty() => return Effect::Ask(Request::Demo),
            Action::Open => {
                let run = here.and_then(|row| row.runs().first());
                return run.map_or(Effect::None, |r| Effect::Open(r.id.clone()));
            }
            Action::Clone => {
                let run = here.and_then(|row| row.runs().first());
                // A run that differs from its model has a name of its own.
                let spec = |r: &&Arc<RunSummary>| RunSpec { name: String::new(), ..r.spec.clone() };
                return run.map_or(Effect::None, |r| Effect::Fill(Box::new(spec(r))));
            }
            _ => {
                let effect = ask(action, &self.meant(scene, here));
                self.select(&rows, at);
                return effect;
            }
        };
        self.select(&rows, go);
        Effect::None
    }

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        match action {
            Action::Stop | Action::Pause | Action::Resume => {
                // Of ten thousand rows the selected one is found without making them all.
                let selected = match &self.selected {
                    Some(Place::Run(id)) if scene.marked.is_empty() => scene.view.run(id),
                    _ => None,
                };
                if let Some(run) = selected {
                    return ask::idle(action, &[run]);
                }
                let rows = self.rows(scene.view, scene.marked);
                let here = rows.get(self.position(scene.view, &rows));
                ask::idle(action, &self.meant(scene, here))
            }
            // Without runs enter launches the demo.
            Action::Open => false,
            _ => scene.view.runs.is_empty(),
        }
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        self.search.key(key)
    }

    fn filter(&mut self, text: &str) {
        self.search.set(text);
    }

    fn pasted(&mut self, text: &str) {
        self.search.paste(text);
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        if self.chooser.is_some() {
            return None;
        }
        let rows = self.rows(scene.view, scene.marked);
        let [table, _] = split(area);
        let header = table.y + 2;
        if !is_click(event) || event.row < header || event.row + 1 >= table.bottom() {
            return None;
        }
        let first = first_shown(self.position(scene.view, &rows), lines_of(table), rows.len());
        let row = first + usize::from(event.row - header);
        let clicked = rows.get(row)?;
        self.select(&rows, row);
        Some(match (self.clicks.is_double(event), clicked) {
            (false, _) => Effect::None,
            (true, Row::Run { run, .. }) => Effect::Open(run.id.clone()),
            (true, Row::Group(group)) => {
                self.fold(&rows, row, !group.open);
                Effect::None
            }
        })
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        if scene.view.runs.is_empty() {
            return welcome(frame, area, scene.theme);
        }
        let found = self.found(scene.view, scene.marked);
        let (columns, constant) = self.shown.telling(&found);
        let count = found.len();
        let rows = rows::rows(found, &self.shown, &self.open);
        let at = self.position(scene.view, &rows);
        let [table, below] = split(area);
        let width = usize::from(table.width.saturating_sub(2));
        let mut block = Block::bordered().title(self.title(width, scene, count, constant));
        if let Some(foot) = self.search.foot(width, scene.theme) {
            block = block.title_bottom(foot);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let shape = table::Shape { shown: &self.shown, columns, rows: &rows, at, now };
        table::draw(frame, table, block, &shape, scene);
        if rows.is_empty() {
            let text = " no run fits the filter: esc clears it, is:archived shows what is archived";
            let inside = Rect { y: table.y + 2, x: table.x + 1, width: table.width.saturating_sub(2), height: 1 }
                .intersection(table);
            frame.render_widget(Paragraph::new(text).style(scene.theme.faint()), inside);
        }
        if below.height > 4 {
            draw_preview(frame, below, scene, rows.get(at).and_then(|row| Some(&row.runs().first()?.id)));
        }
        if let Some(chooser) = &self.chooser {
            chooser.draw(frame, area, &self.shown, &self.found(scene.view, scene.marked), scene.theme);
        }
    }
}

/// Marks all of `runs` beside those that are `marked` or, where all of them are, takes their marks away.
fn toggle(runs: &[&Arc<RunSummary>], marked: &[RunId]) -> Effect {
    let before: HashSet<&RunId> = marked.iter().collect();
    let new: Vec<&RunId> = runs.iter().map(|r| &r.id).filter(|id| !before.contains(id)).collect();
    let meant: HashSet<&RunId> = runs.iter().map(|r| &r.id).collect();
    let kept = marked.iter().filter(|id| !new.is_empty() || !meant.contains(id));
    Effect::Mark(kept.chain(new.iter().copied()).cloned().collect())
}

/// Loss and score of the selected run.
fn draw_preview(frame: &mut Frame, area: Rect, scene: &Scene, selected: Option<&RunId>) {
    let Some(detail) = scene.view.open.as_ref().filter(|d| Some(&d.summary.id) == selected) else { return };
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    for (id, place) in [("loss", left), ("score", right)] {
        let Some(chart) = chart::find(id) else { continue };
        let block = Block::bordered().title(Span::styled(format!(" {} ", chart.title()), scene.theme.title()));
        let inner = block.inner(place);
        frame.render_widget(block, place);
        match chart.figure(&Subject::Run(detail), &ChartOptions::default()) {
            Ok(figure) => plot::draw(&figure, None, inner, frame.buffer_mut(), scene.theme),
            Err(error) => frame.render_widget(Paragraph::new(error.to_string()).style(scene.theme.faint()), inner),
        }
    }
}

/// Places of the table and of the preview under it.
fn split(area: Rect) -> [Rect; 2] {
    let preview = if area.height >= 24 { area.height * 2 / 5 } else { 0 };
    Layout::vertical([Constraint::Min(4), Constraint::Length(preview)]).areas(area)
}

/// Runs that a table of this size shows: the rest is its frame and its header.
fn lines_of(table: Rect) -> usize {
    table.height.saturating_sub(3).max(1).into()
}

fn welcome(frame: &mut Frame, area: Rect, theme: &Theme) {
    let key = |k: &'static str, text: &'static str| {
        Line::from(vec![Span::styled(format!("  {k:7}"), theme.title()), Span::raw(text)])
    };
    let text = vec![
        Line::styled("No runs yet.", theme.title()),
        Line::raw(""),
        key("enter", "start the demo: SymLoRA and LoRA on SST-2 (10 epochs), then on the"),
        key("", "other seven GLUE tasks (3 epochs), with an embedded encoder and rows;"),
        key("", "about 4 s a run on SST-2 and a minute in all, on two cores"),
        key("a", "launch a run of your own"),
        key("4", "Figure 1, filling as the demo's runs end"),
        key("?", "all keys"),
        Line::raw(""),
        Line::styled("The demo shows the program at work on any machine; its scores are not GLUE", theme.faint()),
        Line::styled("scores. For science, give a real model: --model FOLDER of roberta-base.", theme.faint()),
    ];
    let block = Block::bordered().title(Span::styled(" Welcome to eigenscope ", theme.title()));
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }).block(block), area);
}
