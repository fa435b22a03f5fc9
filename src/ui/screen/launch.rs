//! The launch form: every field of a spec, checked while it is typed; a list in a field makes a grid of runs.

use super::{Effect, Kind, Scene, Screen};
use crate::spec::{FIELDS, Field, Kind as FieldKind, RunSpec, SpecError, SweepSpec, preset};
use crate::ui::Choices;
use crate::ui::action::Action;
use crate::ui::clicks::is_click;
use crate::ui::text::harmless;
use crate::view::{About, AdapterSize, Interest, MemoryNeed, Message, Request};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};

pub struct LaunchScreen {
    choices: Choices,
    /// Text of each field, in the order of [`FIELDS`].
    texts: Vec<String>,
    field: usize,
    preset: usize,
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

/// Names of the presets; the first is what the form starts with.
const PRESETS: [&str; 2] = ["demo", "paper"];
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
/// Most combinations of them whose sizes or memory are asked for.
const MOST_SIZES: usize = 64;
/// Where words of a field end.
const BREAKS: [char; 4] = [',', '/', ' ', '+'];

impl LaunchScreen {
    pub fn new(choices: Choices) -> Self {
        let texts = texts(&RunSpec::default());
        Self { choices, texts, field: 0, preset: 0, refusal: None, waiting: false }
    }

    /// The combinations of the fields that `wanted` chooses, the others as they are by default.
    fn combined(&self, wanted: impl Fn(&Field) -> bool) -> Result<Vec<RunSpec>, SpecError> {
        let mut sweep = SweepSpec::default();
        for (field, text) in FIELDS.iter().zip(&self.texts).filter(|(f, _)| wanted(f)) {
            sweep.set(field.name, values(text))?;
        }
        sweep.runs()
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
            if !all.contains(&id.as_str()) {
                return Err(SpecError::new(name, format!("{id:?}"), format!("one of {}", all.join(", "))));
            }
        }
        Ok(())
    }

    /// The form was changed: what was said of it no longer holds.
    fn changed(&mut self) {
        self.refusal = None;
    }

    fn submit(&mut self) -> Effect {
        if self.waiting {
            return Effect::None;
        }
        match self.sweep() {
            Ok(specs) => {
                self.waiting = true;
                self.changed();
                Effect::Ask(Request::Launch(specs))
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
        match self.sweep() {
            Ok(specs) => {
                let runs = if specs.len() == 1 { "1 run".into() } else { format!("{} runs", specs.len()) };
                let sizes = sizes(&self.distinct(&SIZING), &scene.view.sizes);
                let (memory, fits) = memory(&self.distinct(&WEIGHING), &scene.view.memory);
                let style = if fits { theme.good() } else { theme.warning() };
                (harmless(&format!("{runs}: enter launches{sizes}{memory}")), style)
            }
            Err(error) => (harmless(&error.to_string()), theme.error()),
        }
    }

    /// Places of the form and of what is said under it.
    fn split(&self, area: Rect, verdict: &str) -> [Rect; 2] {
        // All of an error: what to do about it often stands at its end.
        let rows = textwrap::wrap(verdict, usize::from(area.width.max(8))).len().clamp(1, 6) as u16;
        Layout::vertical([Constraint::Min(3), Constraint::Length(rows + 2)]).areas(area)
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
        values(&self.texts[index]).iter().map(check).collect::<Vec<_>>().into_iter().find_map(Result::err)
    }

    fn options(&self, field: &Field) -> Vec<&str> {
        match (field.kind, field.name) {
            (FieldKind::Task, _) => self.choices.tasks.clone(),
            (FieldKind::Method, _) => self.choices.methods.clone(),
            (FieldKind::Choice(ids), _) => ids.to_vec(),
            (_, "device") => self.choices.devices.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    fn cycle(&mut self, forward: bool) {
        let options = self.options(&FIELDS[self.field]);
        if options.is_empty() {
            return;
        }
        let n = options.len();
        let now = options.iter().position(|o| *o == self.texts[self.field]);
        let next = now.map_or(0, |i| if forward { (i + 1) % n } else { (i + n - 1) % n });
        self.texts[self.field] = options[next].to_string();
        self.changed();
    }

    /// Fills the form in with the next preset and says so.
    fn apply_preset(&mut self) -> String {
        let next = (self.preset + 1) % PRESETS.len();
        let of = |name: &str| FIELDS.iter().position(|f| f.name == name).map_or("", |i| self.texts[i].as_str());
        let (task, method, model) = (of("task"), of("method"), of("model"));
        let spec = match PRESETS[next] {
            "paper" => preset::paper(task, method, model),
            _ => preset::demo(&[task]).into_iter().find(|s| s.method == method),
        };
        let Some(spec) = spec else {
            return format!("preset {} is for one task and one method at a time", PRESETS[next]);
        };
        self.preset = next;
        self.texts = texts(&spec);
        self.changed();
        format!("preset {}", PRESETS[next])
    }
}

fn texts(spec: &RunSpec) -> Vec<String> {
    FIELDS.iter().map(|f| f.get(spec)).collect()
}

fn values(text: &str) -> Vec<String> {
    text.split(',').map(|v| v.trim().to_string()).collect()
}

/// Trained numbers and bytes of a run, or from the smallest to the largest of a grid; nothing where one cannot be told.
fn sizes(wanted: &[RunSpec], known: &[AdapterSize]) -> String {
    let found: Option<Vec<(u64, u64)>> = wanted
        .iter()
        .map(|w| known.iter().find(|k| k.of == *w).map(|k| (k.parameters, k.bytes.div_ceil(1024))))
        .collect();
    let found = found.unwrap_or_default();
    match (found.iter().min(), found.iter().max()) {
        (Some((n, kib)), Some(most)) if (*n, *kib) == *most => format!(" · {n} params, {kib} KiB a run"),
        (Some((n, kib)), Some((most, most_kib))) => format!(" · {n} to {most} params, {kib} to {most_kib} KiB a run"),
        _ => String::new(),
    }
}

/// Memory of a run on each GPU, or from the smallest to the largest of a grid, and whether all fit their cards; nothing of a
/// device where one cannot be told.
fn memory(wanted: &[RunSpec], known: &[MemoryNeed]) -> (String, bool) {
    let gib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1u32 << 30));
    let mut devices: Vec<&str> = Vec::new();
    for spec in wanted {
        if !devices.contains(&spec.device.as_str()) {
            devices.push(&spec.device);
        }
    }
    let (mut text, mut fits) = (String::new(), true);
    for device in devices {
        let of = wanted.iter().filter(|w| w.device == device);
        let needs: Option<Vec<&MemoryNeed>> = of.map(|w| known.iter().find(|k| k.of == *w)).collect();
        let needs = needs.unwrap_or_default();
        let bytes = || needs.iter().map(|n| n.bytes);
        let (Some(least), Some(most)) = (bytes().min(), bytes().max()) else { continue };
        let range = if gib(least) == gib(most) { gib(most) } else { format!("{} to {}", gib(least), gib(most)) };
        match needs[0].card.filter(|card| most > *card) {
            Some(card) => {
                fits = false;
                text += &format!(" · {range} GiB, more than the {} GiB of {device}", gib(card));
            }
            None => text += &format!(" · {range} GiB on {device}"),
        }
    }
    (text, fits)
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

    fn act(&mut self, action: Action, _: &Scene) -> Effect {
        match action {
            Action::Up => self.field = self.field.saturating_sub(1),
            Action::Down => self.field = (self.field + 1).min(FIELDS.len() - 1),
            Action::Left => self.cycle(false),
            Action::Right => self.cycle(true),
            Action::Top => self.field = 0,
            Action::Bottom => self.field = FIELDS.len() - 1,
            Action::Clear => {
                self.texts[self.field].clear();
                self.changed();
            }
            Action::CutWord => {
                self.changed();
                let text = &mut self.texts[self.field];
                let cut = text.trim_end_matches(BREAKS).rfind(BREAKS).map_or(0, |i| i + 1);
                text.truncate(cut);
            }
            Action::Preset => return Effect::Say(self.apply_preset()),
            Action::Submit => return self.submit(),
            Action::Back => return Effect::Go(Kind::Runs),
            _ => {}
        }
        Effect::None
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let text = &mut self.texts[self.field];
        match key.code {
            KeyCode::Char('?') => return false,
            KeyCode::Char(c) if !control => text.push(c),
            KeyCode::Backspace => drop(text.pop()),
            _ => return false,
        }
        self.changed();
        true
    }

    fn pasted(&mut self, text: &str) {
        self.texts[self.field].extend(text.chars().filter(|c| !c.is_control()));
        self.changed();
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let [form, _] = self.split(area, &self.verdict(scene).0);
        let line = event.row.checked_sub(form.y + 1).filter(|line| is_click(event) && *line + 2 < form.height)?;
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
        let [form, foot] = self.split(area, &verdict);
        let block =
            Block::bordered().title(Span::styled(" Launch: a comma-separated list makes a grid ", theme.title()));
        let inner = block.inner(form);
        frame.render_widget(block, form);
        let height = inner.height.max(1) as usize;
        let first = self.first(form);
        let line = |i: usize| {
            let here = i == self.field;
            let refused = self.refusal.as_ref().is_some_and(|r| r.field == Some(i));
            let fault = refused || self.fault(i).is_some();
            let mark = if here { "> " } else { "  " };
            let style = if here { theme.focused() } else { theme.faint() };
            let cursor = if here { "▏" } else { "" };
            let text = format!("{}{cursor}", harmless(&self.texts[i]));
            let options = self.options(&FIELDS[i]);
            let hint =
                if here && !options.is_empty() { format!("   ←→ {}", options.join(" ")) } else { String::new() };
            Line::from(vec![
                Span::styled(format!("{mark}{:14}", FIELDS[i].name), style),
                Span::styled(text, if fault { theme.error() } else { ratatui::style::Style::new() }),
                Span::styled(hint, theme.faint()),
            ])
        };
        let lines: Vec<Line> = (first..FIELDS.len()).take(height).map(line).collect();
        frame.render_widget(Paragraph::new(lines), inner);
        let verdict = Line::styled(verdict, style);
        let help = Line::styled(format!("{}: {}", FIELDS[self.field].name, FIELDS[self.field].help), theme.faint());
        let keys = Line::styled("tab next field · ←→ choices · esc back", theme.faint());
        frame.render_widget(Paragraph::new(vec![help, verdict, keys]).wrap(Wrap { trim: true }), foot);
    }
}
