//! The launch form: every field of a spec, checked while it is typed; a list in a field makes a grid of runs.

use super::{Effect, Kind, Scene, Screen};
use crate::event::RunId;
use crate::spec::{FIELDS, Field, Kind as FieldKind, RunSpec, SpecError, SweepSpec, preset};
use crate::ui::Choices;
use crate::ui::action::Action;
use crate::ui::text::harmless;
use crate::view::{Interest, Request, View};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
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
}

/// Names of the presets; the first is what the form starts with.
const PRESETS: [&str; 2] = ["demo", "paper"];
/// Where words of a field end.
const BREAKS: [char; 4] = [',', '/', ' ', '+'];

impl LaunchScreen {
    pub fn new(choices: Choices) -> Self {
        let texts = texts(&RunSpec::default());
        Self { choices, texts, field: 0, preset: 0 }
    }

    fn sweep(&self) -> Result<Vec<RunSpec>, SpecError> {
        let mut sweep = SweepSpec::default();
        for (field, text) in FIELDS.iter().zip(&self.texts) {
            sweep.set(field.name, values(text))?;
        }
        let specs = sweep.runs()?;
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
        format!("preset {}", PRESETS[next])
    }
}

fn texts(spec: &RunSpec) -> Vec<String> {
    FIELDS.iter().map(|f| f.get(spec)).collect()
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

    fn interest(&self, _: &View, open: Option<&RunId>, width: u16) -> Interest {
        Interest { open: open.cloned(), width: width as usize, ..Interest::default() }
    }

    fn act(&mut self, action: Action, _: &Scene) -> Effect {
        match action {
            Action::Up => self.field = self.field.saturating_sub(1),
            Action::Down => self.field = (self.field + 1).min(FIELDS.len() - 1),
            Action::Left => self.cycle(false),
            Action::Right => self.cycle(true),
            Action::Top => self.field = 0,
            Action::Bottom => self.field = FIELDS.len() - 1,
            Action::Clear => self.texts[self.field].clear(),
            Action::CutWord => {
                let text = &mut self.texts[self.field];
                let cut = text.trim_end_matches(BREAKS).rfind(BREAKS).map_or(0, |i| i + 1);
                text.truncate(cut);
            }
            Action::Preset => return Effect::Say(self.apply_preset()),
            Action::Submit => {
                return match self.sweep() {
                    Ok(specs) => Effect::Ask(Request::Launch(specs)),
                    Err(error) => Effect::Say(error.to_string()),
                };
            }
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
        true
    }

    fn pasted(&mut self, text: &str) {
        self.texts[self.field].extend(text.chars().filter(|c| !c.is_control()));
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let theme = scene.theme;
        let [form, foot] = Layout::vertical([Constraint::Min(3), Constraint::Length(4)]).areas(area);
        let block =
            Block::bordered().title(Span::styled(" Launch: a comma-separated list makes a grid ", theme.title()));
        let inner = block.inner(form);
        frame.render_widget(block, form);
        let height = inner.height.max(1) as usize;
        let first = self.field.saturating_sub(height.saturating_sub(1));
        let line = |i: usize| {
            let here = i == self.field;
            let fault = self.fault(i).is_some();
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
        let verdict = match self.sweep() {
            Ok(specs) => Line::styled(format!("{} run(s): enter launches", specs.len()), theme.good()),
            Err(error) => Line::styled(error.to_string(), theme.error()),
        };
        let help = Line::styled(format!("{}: {}", FIELDS[self.field].name, FIELDS[self.field].help), theme.faint());
        let keys = Line::styled("tab next field · ←→ choices · esc back", theme.faint());
        frame.render_widget(Paragraph::new(vec![help, verdict, keys]).wrap(Wrap { trim: true }), foot);
    }
}
