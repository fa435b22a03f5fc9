//! The launch form: every field of a spec, checked while it is typed; a list in a field makes a grid of runs.

mod estimate;

use super::{Effect, Kind, Scene, Screen};
use crate::record::RowsOf;
use crate::spec::{self, FIELDS, Field, Kind as FieldKind, RunSpec, SpecError, SweepSpec, preset};
use crate::sweep::{Asked, Sweep};
use crate::ui::Choices;
use crate::ui::action::Action;
use crate::ui::clicks::is_click;
use crate::ui::edit::LineEdit;
use crate::ui::prompt::Prompt;
use crate::ui::text::fit;
use crate::untrusted::harmless;
use crate::view::{About, Interest, Message, Request, View};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};

pub struct LaunchScreen {
    choices: Choices,
    /// Text of each field, in the order of [`FIELDS`].
    texts: Vec<LineEdit>,
    field: usize,
    preset: usize,
    /// How many seeds of each task's and method's best follow the grid: place in [`BEST_SEEDS`].
    seeds: usize,
    /// What was typed before launches of the past were recalled, and how far back the form is in them.
    draft: Option<Vec<LineEdit>>,
    past: usize,
    /// What the program said no to, until the form is changed.
    refusal: Option<Refusal>,
    /// Asked to launch, not answered yet: a second enter must not launch the same runs twice.
    waiting: bool,
}

struct Refusal {
    /// Place in [`FIELDS`] of the field at fault, where it is one field's.
    field: Option<usize>,
    text: String,
}

/// Most tasks of a person's own that are offered.
const OWN_TASKS: usize = 5;
/// The fields that decide how large an adapter is.
const SIZING: [&str; 4] = ["method", "model", "rank", "targets"];
/// The fields that decide how much memory of a GPU a run takes.
const WEIGHING: [&str; 11] = [
    "task",
    "method",
    "model",
    "data",
    "rank",
    "targets",
    "batch_size",
    "max_length",
    "train_rows",
    "device",
    "precision",
];
/// Seeds of the best that a launch can ask for; 0: the grid is all.
const BEST_SEEDS: [u64; 5] = [0, 2, 3, 5, 10];
/// Most combinations of them whose sizes or memory are asked for.
const MOST_SIZES: usize = 64;
/// Most launches of the past that are recalled.
const MOST_PAST: usize = 200;
/// Screen from which on the launch stands beside the form as TOML, and columns for it.
const WIDE: u16 = 120;
const TOML: u16 = 46;

impl LaunchScreen {
    pub fn new(choices: Choices) -> Self {
        let texts = texts(&RunSpec::default());
        Self { choices, texts, field: 0, preset: 0, seeds: 0, draft: None, past: 0, refusal: None, waiting: false }
    }

    fn text(&self, field: usize) -> String {
        self.texts[field].text()
    }

    /// The fields that `wanted` chooses.
    fn chosen(&self, wanted: impl Fn(&Field) -> bool) -> Result<SweepSpec, SpecError> {
        let mut sweep = SweepSpec::default();
        for (field, text) in FIELDS.iter().zip(&self.texts).filter(|(f, _)| wanted(f)) {
            sweep.set(field.name, values(&text.text()))?;
        }
        Ok(sweep)
    }

    /// Their combinations, the other fields as they are by default.
    fn combined(&self, wanted: impl Fn(&Field) -> bool) -> Result<Vec<RunSpec>, SpecError> {
        self.chosen(wanted)?.runs()
    }

    /// A spec for each combination of the fields `names`, if they are not too many.
    fn distinct(&self, names: &[&str]) -> Vec<RunSpec> {
        let specs = self.combined(|f| names.contains(&f.name)).unwrap_or_default();
        if specs.len() <= MOST_SIZES { specs } else { Vec::new() }
    }

    fn sweep(&self) -> Result<Vec<RunSpec>, SpecError> {
        let specs = self.combined(|_| true)?;
        for spec in &specs {
            self.known(spec)?;
        }
        Ok(specs)
    }

    /// Ids are known to the form, not to the spec.
    fn known(&self, spec: &RunSpec) -> Result<(), SpecError> {
        for (name, id, all) in
            [("task", &spec.task, &self.choices.tasks), ("method", &spec.method, &self.choices.methods)]
        {
            // A task's file is read when it is launched: the screens read none.
            let own = name == "task" && spec::is_task_file(id);
            if !own && !all.contains(&id.as_str()) {
                return Err(SpecError::new(
                    name,
                    format!("{id:?}"),
                    format!("one of {}{}", all.join(", "), if name == "task" { ", or FILE.toml" } else { "" }),
                ));
            }
        }
        Ok(())
    }

    /// The form was changed: what was said of it no longer holds.
    fn changed(&mut self) {
        self.refusal = None;
    }

    /// Takes over the settings of `spec`. A run that differs from its model has a name of its own.
    fn take(&mut self, spec: &RunSpec) {
        self.texts = texts(&RunSpec { name: String::new(), ..spec.clone() });
        self.changed();
    }

    /// Fills in an older or newer launch of the past; after the newest comes what was typed.
    fn recall(&mut self, older: bool, view: &View) -> Effect {
        let wanted = if older { self.past + 1 } else { self.past.saturating_sub(1) };
        if wanted == 0 {
            if let Some(draft) = self.draft.take() {
                self.texts = draft;
                self.changed();
            }
            self.past = 0;
            return Effect::None;
        }
        // Runs that differ in their seed alone are one launch.
        let same = |a: &RunSpec, b: &RunSpec| RunSpec { seed: b.seed, name: b.name.clone(), ..a.clone() } == *b;
        let mut past: Vec<&std::sync::Arc<crate::record::RunSummary>> = Vec::new();
        for run in &view.runs {
            if past.len() >= wanted.min(MOST_PAST) {
                break;
            }
            if !past.iter().any(|p| same(&p.spec, &run.spec)) {
                past.push(run);
            }
        }
        match past.get(wanted - 1) {
            Some(run) => {
                let text = format!("recalled {}: {}", run.id, harmless(&run.name));
                self.draft.get_or_insert_with(|| self.texts.clone());
                self.past = wanted;
                self.take(&run.spec);
                Effect::Say(text)
            }
            None if past.is_empty() => Effect::Say("nothing was launched yet".into()),
            None => Effect::Say("there is no older launch; ctrl-down comes back".into()),
        }
    }

    /// The launch as TOML, or what is wrong with it.
    fn toml(&self) -> Result<String, SpecError> {
        self.sweep()?;
        let fields = self.chosen(|_| true)?.to_toml()?;
        Ok(match BEST_SEEDS[self.seeds] {
            0 => fields,
            seeds => format!("{fields}\n[sweep]\nname = {:?}\nseeds = {seeds}\n", self.file_stem()),
        })
    }

    /// The grid with the seeds of its best.
    fn with_best_seeds(&self, seeds: u64) -> Result<Sweep, SpecError> {
        let fields = self.chosen(|_| true)?;
        let asked = Asked { seeds: Some(seeds.to_string()), fields, ..Asked::default() };
        asked.sweep(&self.file_stem())
    }

    fn next_seeds(&mut self) -> Effect {
        self.seeds = (self.seeds + 1) % BEST_SEEDS.len();
        self.changed();
        Effect::Say(match BEST_SEEDS[self.seeds] {
            0 => "the grid is all".into(),
            seeds => format!("when the grid has ended, {seeds} seeds of the best of each task and method follow"),
        })
    }

    /// What a launch asks of the program.
    fn request(&self) -> Result<Request, SpecError> {
        let specs = self.sweep()?;
        Ok(match BEST_SEEDS[self.seeds] {
            0 => Request::Launch(specs),
            seeds => Request::Sweep { sweep: Box::new(self.with_best_seeds(seeds)?), text: self.toml()? },
        })
    }

    /// Name of its file, without the ending: the run's own, else what it is about.
    fn file_stem(&self) -> String {
        let of = |name: &str| FIELDS.iter().position(|f| f.name == name).map_or(String::new(), |i| self.text(i));
        let name = of("name");
        let stem = if name.is_empty() { format!("{}-{}", spec::task_name(&of("task")), of("method")) } else { name };
        stem.replace([',', ' '], "+").chars().take(60).collect()
    }

    fn save(&self) -> Effect {
        match self.toml() {
            Ok(text) => Effect::Ask(Request::SaveSpec { file_stem: self.file_stem(), text }),
            Err(error) => Effect::Say(format!("not saved: {error}")),
        }
    }

    /// The rows of the first combination.
    fn rows(&self) -> Effect {
        let reading = ["task", "data", "model", "max_length"];
        match self.combined(|f| reading.contains(&f.name)) {
            Ok(specs) => specs.first().map_or(Effect::None, |spec| Effect::LookAt(Box::new(RowsOf::spec(spec)))),
            Err(error) => Effect::Say(error.to_string()),
        }
    }

    /// Edits the field as a line that is typed.
    fn edit(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        if self.texts[self.field].key(KeyEvent::new(code, modifiers)) {
            self.changed();
        }
    }

    /// What a field takes, beside its choices.
    fn help(&self) -> String {
        let field = &FIELDS[self.field];
        let range = field.range();
        let range = if range.is_empty() { range } else { format!(" · {range}") };
        let default = field.get(&RunSpec::default());
        let default = if default.is_empty() { default } else { format!(" · default {default}") };
        format!("{}: {}{range}{default}", field.name, field.help)
    }

    fn submit(&mut self) -> Effect {
        if self.waiting {
            return Effect::None;
        }
        match self.request() {
            Ok(request) => {
                self.waiting = true;
                self.changed();
                Effect::Ask(request)
            }
            Err(error) => Effect::Say(error.to_string()),
        }
    }

    /// What enter would do, or why it does nothing.
    fn verdict(&self, scene: &Scene) -> (String, ratatui::style::Style) {
        let theme = scene.theme;
        if self.waiting {
            return ("checking the model, the rows and the device".into(), theme.faint());
        }
        if let Some(refusal) = &self.refusal {
            return (harmless(&refusal.text), theme.error());
        }
        let asked = self.request();
        match self.sweep().and_then(|specs| asked.map(|_| specs)) {
            Ok(specs) => {
                let mut runs = if specs.len() == 1 { "1 run".into() } else { format!("{} runs", specs.len()) };
                if BEST_SEEDS[self.seeds] > 0 {
                    runs += &format!(", then {} seeds of each best", BEST_SEEDS[self.seeds]);
                }
                let sizes = estimate::sizes(&self.distinct(&SIZING), &scene.view.sizes);
                let (memory, fits) = estimate::memory(&self.distinct(&WEIGHING), &scene.view.memory);
                let style = if fits { theme.good() } else { theme.warning() };
                (harmless(&format!("{runs}: enter launches{sizes}{memory}")), style)
            }
            Err(error) => (harmless(&error.to_string()), theme.error()),
        }
    }

    /// Places of the form, of the launch as TOML beside it, and of what is said under them.
    fn split(&self, area: Rect, verdict: &str) -> [Rect; 3] {
        // All of an error: what to do about it often stands at its end.
        let rows = |text: &str, most| textwrap::wrap(text, usize::from(area.width.max(8))).len().clamp(1, most) as u16;
        let below = rows(verdict, 6) + rows(&self.help(), 2) + 1;
        let [form, foot] = Layout::vertical([Constraint::Min(3), Constraint::Length(below)]).areas(area);
        let beside = if area.width >= WIDE { TOML } else { 0 };
        let [form, beside] = Layout::horizontal([Constraint::Min(0), Constraint::Length(beside)]).areas(form);
        [form, beside, foot]
    }

    /// First field that a form of this size shows.
    fn first(&self, form: Rect) -> usize {
        self.field.saturating_sub(usize::from(form.height.saturating_sub(3)))
    }

    /// What is wrong with one field.
    fn fault(&self, index: usize) -> Option<SpecError> {
        let mut spec = RunSpec::default();
        let field = &FIELDS[index];
        let check = |text: &String| field.set(&mut spec, text).and_then(|()| self.known(&spec));
        values(&self.text(index)).iter().map(check).collect::<Vec<_>>().into_iter().find_map(Result::err)
    }

    /// What a field may be, where that can be listed. Tasks of a person's own are those that runs were launched with.
    fn options<'a>(&'a self, field: &Field, view: &'a View) -> Vec<&'a str> {
        match (field.kind, field.name) {
            (FieldKind::Task, _) => {
                let mut tasks = self.choices.tasks.clone();
                let known = tasks.len() + OWN_TASKS;
                for run in view.runs.iter().filter(|run| spec::is_task_file(&run.spec.task)) {
                    if tasks.len() < known && !tasks.contains(&run.spec.task.as_str()) {
                        tasks.push(&run.spec.task);
                    }
                }
                tasks
            }
            (FieldKind::Method, _) => self.choices.methods.clone(),
            (FieldKind::Choice(ids), _) => ids.to_vec(),
            (_, "device") => self.choices.devices.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    fn cycle(&mut self, forward: bool, view: &View) {
        let options = self.options(&FIELDS[self.field], view);
        if options.is_empty() {
            return self.edit(if forward { KeyCode::Right } else { KeyCode::Left }, KeyModifiers::NONE);
        }
        let n = options.len();
        let text = self.text(self.field);
        let now = options.iter().position(|o| *o == text);
        let next = now.map_or(0, |i| if forward { (i + 1) % n } else { (i + n - 1) % n });
        self.texts[self.field] = LineEdit::new(options[next]);
        self.changed();
    }

    /// Fills the form in with the next preset and says so.
    fn apply_preset(&mut self) -> String {
        let next = (self.preset + 1) % preset::PRESETS.len();
        let chosen = &preset::PRESETS[next];
        let of = |name: &str| FIELDS.iter().position(|f| f.name == name).map_or(String::new(), |i| self.text(i));
        let (task, method, model) = (of("task"), of("method"), of("model"));
        let spec = match next {
            0 => preset::demo(&[&task]).into_iter().find(|s| s.method == method),
            _ => (chosen.of)(&task, &method, &model),
        };
        let Some(spec) = spec else {
            return format!("preset {} is for one task and one method at a time", chosen.name);
        };
        self.preset = next;
        self.texts = texts(&spec);
        self.changed();
        format!("preset {}: {}", chosen.name, chosen.help)
    }
}

impl LaunchScreen {
    /// The launch as it is saved; of a short panel's fields those that differ from the default.
    fn draw_toml(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let theme = scene.theme;
        let title = format!(" {}.toml (ctrl-o saves) ", harmless(&self.file_stem()));
        let block = Block::bordered().title(Span::styled(title, theme.title()));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let Ok(text) = self.toml() else {
            let text = "a field has an error: what it is stands below";
            return frame.render_widget(Paragraph::new(text).style(theme.faint()).wrap(Wrap { trim: true }), inner);
        };
        let usual = SweepSpec::default().to_toml().unwrap_or_default();
        let mut lines: Vec<Line> = Vec::new();
        let cramped = text.lines().count() > usize::from(inner.height);
        // Behind the fields there may be a table of the sweep.
        for (line, usual) in text.lines().zip(usual.lines().chain(std::iter::repeat(""))) {
            let line = harmless(line);
            match line == usual {
                false => lines.push(Line::raw(line)),
                true if !cramped => lines.push(Line::styled(line, theme.faint())),
                true => {}
            }
        }
        if cramped {
            let rest = FIELDS.len().saturating_sub(lines.len());
            lines.push(Line::styled(format!("# and {rest} fields by default"), theme.faint()));
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

fn texts(spec: &RunSpec) -> Vec<LineEdit> {
    FIELDS.iter().map(|f| LineEdit::new(&f.get(spec))).collect()
}

/// A choice in the line of choices: of a path the name alone.
fn short(choice: &str) -> String {
    harmless(if spec::is_task_file(choice) { spec::task_name(choice) } else { choice })
}

fn values(text: &str) -> Vec<String> {
    text.split(',').map(|v| v.trim().to_string()).collect()
}

impl Screen for LaunchScreen {
    fn kind(&self) -> Kind {
        Kind::Launch
    }

    fn digit(&self) -> char {
        '6'
    }

    fn title(&self) -> &'static str {
        "Launch"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        Interest {
            open: scene.open.cloned(),
            width: width as usize,
            sizes_of: self.distinct(&SIZING),
            memory_of: self.distinct(&WEIGHING),
            ..Interest::default()
        }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        const CTRL: KeyModifiers = KeyModifiers::CONTROL;
        match action {
            Action::Up => self.field = self.field.saturating_sub(1),
            Action::Down => self.field = (self.field + 1).min(FIELDS.len() - 1),
            Action::Left => self.cycle(false, scene.view),
            Action::Right => self.cycle(true, scene.view),
            Action::Top => self.field = 0,
            Action::Bottom => self.field = FIELDS.len() - 1,
            Action::LineStart => self.edit(KeyCode::Char('a'), CTRL),
            Action::LineEnd => self.edit(KeyCode::Char('e'), CTRL),
            Action::WordLeft => self.edit(KeyCode::Left, CTRL),
            Action::WordRight => self.edit(KeyCode::Right, CTRL),
            Action::Clear => self.edit(KeyCode::Char('u'), CTRL),
            Action::CutWord => self.edit(KeyCode::Char('w'), CTRL),
            Action::Older => return self.recall(true, scene.view),
            Action::Newer => return self.recall(false, scene.view),
            Action::Save => return self.save(),
            Action::Rows => return self.rows(),
            Action::BestSeeds => return self.next_seeds(),
            Action::Preset => return Effect::Say(self.apply_preset()),
            Action::Submit => return self.submit(),
            Action::Fetch => {
                let model = FIELDS.iter().position(|f| f.name == "model").map_or(String::new(), |i| self.text(i));
                return Effect::Several(vec![Effect::Go(Kind::Hub), Effect::Prompt(Box::new(Prompt::fetch(&model)))]);
            }
            Action::Back => return Effect::Go(Kind::Runs),
            _ => {}
        }
        Effect::None
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('?') => return false,
            KeyCode::Char(_) | KeyCode::Backspace | KeyCode::Delete if plain => self.edit(key.code, key.modifiers),
            _ => return false,
        }
        true
    }

    fn fill(&mut self, spec: &RunSpec) {
        self.take(spec);
        self.field = FIELDS.iter().position(|f| f.name == "lr").unwrap_or(0);
    }

    fn set(&mut self, name: &str, value: &str) {
        if let Some(field) = FIELDS.iter().position(|f| f.name == name) {
            self.texts[field] = LineEdit::new(value);
            self.field = field;
            self.changed();
        }
    }

    fn pasted(&mut self, text: &str) {
        self.texts[self.field].paste(text);
        self.changed();
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let [form, ..] = self.split(area, &self.verdict(scene).0);
        let line = event
            .row
            .checked_sub(form.y + 1)
            .filter(|line| is_click(event) && event.column < form.right() && *line + 2 < form.height)?;
        self.field = (self.first(form) + usize::from(line)).min(FIELDS.len() - 1);
        Some(Effect::None)
    }

    fn answered(&mut self, answer: &Message) {
        self.waiting = false;
        let About::Launch { field } = &answer.about else { return };
        if answer.error {
            let field = field.as_ref().and_then(|name| FIELDS.iter().position(|f| f.name == name));
            self.field = field.unwrap_or(self.field);
            self.refusal = Some(Refusal { field, text: answer.text.clone() });
        }
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let theme = scene.theme;
        let (verdict, style) = self.verdict(scene);
        let [form, beside, foot] = self.split(area, &verdict);
        if beside.width > 0 {
            self.draw_toml(frame, beside, scene);
        }
        let block =
            Block::bordered().title(Span::styled(" Launch: a comma-separated list makes a grid ", theme.title()));
        let inner = block.inner(form);
        let shown = self.first(form)..(self.first(form) + usize::from(inner.height)).min(FIELDS.len());
        let more = format!(" fields {} to {} of {} ", shown.start + 1, shown.end, FIELDS.len());
        let all = shown.len() >= FIELDS.len();
        let block = if all { block } else { block.title_bottom(Span::styled(more, theme.faint())) };
        frame.render_widget(block, form);
        let height = inner.height.max(1) as usize;
        let first = self.first(form);
        let line = |i: usize| {
            let here = i == self.field;
            let refused = self.refusal.as_ref().is_some_and(|r| r.field == Some(i));
            let fault = refused || self.fault(i).is_some();
            let mark = if here { "> " } else { "  " };
            let style = if here { theme.focused() } else { theme.faint() };
            let options: Vec<String> = match here {
                true => self.options(&FIELDS[i], scene.view).into_iter().map(short).collect(),
                false => Vec::new(),
            };
            let hint = if options.is_empty() { String::new() } else { format!("   ←→ {}", options.join(" ")) };
            // What is chosen goes before what could be.
            let room = usize::from(inner.width).saturating_sub(16);
            let hint = fit(&hint, room.saturating_sub(self.text(i).chars().count() + 1).max(5));
            let room = room.saturating_sub(hint.chars().count());
            let text = if here { self.texts[i].line(room, theme) } else { Line::raw(harmless(&self.text(i))) };
            let text = if fault { text.patch_style(theme.error()) } else { text };
            let mut line = Line::styled(format!("{mark}{:14}", FIELDS[i].name), style);
            line = Line::from(line.spans.into_iter().map(|s| s.patch_style(style)).collect::<Vec<_>>());
            line.spans.extend(text.spans.into_iter().map(|s| s.patch_style(text.style)));
            line.push_span(Span::styled(hint, theme.faint()));
            line
        };
        let lines: Vec<Line> = (first..FIELDS.len()).take(height).map(line).collect();
        frame.render_widget(Paragraph::new(lines), inner);
        let verdict = Line::styled(verdict, style);
        let help = Line::styled(self.help(), theme.faint());
        let keys = Line::styled("tab next field · ←→ choices · ctrl-r recall · ctrl-o save · esc back", theme.faint());
        frame.render_widget(Paragraph::new(vec![help, verdict, keys]).wrap(Wrap { trim: true }), foot);
    }
}
