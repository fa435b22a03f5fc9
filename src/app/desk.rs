//! Carries out what the screens ask, away from their thread, and answers with one line.

use super::analyst::Analyst;
use super::fetcher::Fetcher;
use crate::engine::Engine;
use crate::event::{Control, RunId};
use crate::export;
use crate::figure::Figure;
use crate::job;
use crate::record::Label;
use crate::spec::{RunSpec, preset};
use crate::store::StoreHandle;
use crate::sweep::Sweep;
use crate::view::{About, Message, Picture, Request, file_size};
use anyhow::Context;
use crossbeam::channel::Sender;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Desk {
    pub store: StoreHandle,
    pub engine: Arc<Engine>,
    pub analyst: Analyst,
    pub sweeps: Sender<Sweep>,
    pub fetcher: Fetcher,
    pub exports: PathBuf,
    /// Where it is remembered how the screens were left, if anywhere.
    pub state: Option<PathBuf>,
}

impl Desk {
    /// What there is to say of it.
    pub fn carry_out(&self, request: Request) -> Option<Message> {
        let launch = matches!(request, Request::Launch(_) | Request::Sweep { .. });
        let result = self.try_carry_out(request);
        let field = result.as_ref().err().and_then(|e| e.downcast_ref::<job::JobError>()?.field().map(str::to_string));
        let about = if launch { About::Launch { field } } else { About::Other };
        match result {
            Ok(message) if message.about != About::Other => Some(message),
            Ok(message) if message.text.is_empty() => None,
            Ok(message) => Some(Message { about, ..message }),
            Err(error) => Some(Message { about, ..Message::error(crate::cli::explain(&error)) }),
        }
    }

    /// What was done, without a text where that need not be said.
    fn try_carry_out(&self, request: Request) -> anyhow::Result<Message> {
        Ok(Message::notice(match request {
            Request::Launch(specs) => self.launch(&specs)?,
            Request::Sweep { sweep, text } => self.sweep(*sweep, text)?,
            Request::Demo => self.launch(&preset::demo(&preset::DEMO_TASKS))?,
            Request::Control(ids, control) => {
                each(&ids, |id| Ok(self.engine.control(id, control)?))?;
                let (one, many) = match control {
                    Control::Stop => ("stops and saves after this batch", "stop and save after their batches"),
                    Control::Pause => ("pauses after this batch", "pause after their batches"),
                    Control::Resume => ("goes on", "go on"),
                    Control::Cancel => ("is cancelled after this batch", "are cancelled after their batches"),
                };
                told(&ids, one, many)
            }
            Request::Requeue(ids) => {
                let queued = each(&ids, |id| Ok(self.store.requeue(id)?));
                self.engine.wake();
                queued?;
                told(&ids, "is queued to go on", "are queued to go on")
            }
            Request::Shift(id, places) => {
                let (place, of) = self.store.shift(&id, places)?;
                format!("{id} is number {place} of {of} in the queue")
            }
            Request::Delete(ids) => {
                let mut freed = 0;
                each(&ids, |id| {
                    freed += self.store.delete(id)?;
                    Ok(())
                })?;
                format!("{}: {} freed", told(&ids, "is deleted", "are deleted"), file_size(freed))
            }
            Request::Label(ids, label) => {
                let label = label.checked()?;
                self.store.label(&ids, label.clone())?;
                match label {
                    Label::Name(name) => format!("{} {name}", told(&ids, "is now called", "are now called")),
                    Label::Note(note) if note.is_empty() => told(&ids, "has no note now", "have no note now"),
                    Label::Note(_) => told(&ids, "has its note", "have the note"),
                    Label::Tags { .. } => told(&ids, "has its tags", "have their tags"),
                    Label::Archived(true) => {
                        format!("{}; the filter is:archived shows what is", told(&ids, "is archived", "are archived"))
                    }
                    Label::Archived(false) => told(&ids, "is back in the table", "are back in the table"),
                }
            }
            Request::Analyse(id, kind) => {
                let text = format!("{id}: {} is under way; training goes on beside it", kind.id());
                self.analyst.ask(id, kind);
                text
            }
            Request::Fetch(text) => self.fetcher.ask(&text)?,
            Request::StopFetch => {
                self.fetcher.stop();
                String::new()
            }
            Request::Remember(state) => {
                if let Some(path) = &self.state {
                    let place = || format!("cannot remember how the table is shown in {}", path.display());
                    state.save(path).with_context(place)?;
                }
                String::new()
            }
            Request::Export { file_stem, figure } => {
                let path = export::free_path(&self.exports, &file_stem, "png");
                export::write(&figure, &export::Size::default(), &path)?;
                format!("wrote {}", path.display())
            }
            Request::Picture { number, figure } => {
                let about = About::Picture { number, picture: Arc::new(picture(&figure)?) };
                return Ok(Message { about, ..Message::notice(String::new()) });
            }
            Request::SaveSpec { file_stem, text } => {
                let command = if text.contains("\n[sweep]") { "sweep" } else { "train" };
                let path = self.write_spec(&file_stem, text)?;
                format!("wrote {}: eigenscope {command} {} launches it", path.display(), path.display())
            }
        }))
    }

    fn write_spec(&self, file_stem: &str, text: String) -> anyhow::Result<PathBuf> {
        let folder = self.store.dir().join(crate::config::SPECS);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = export::free_path(&folder, file_stem, "toml");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Checks every run of the grid before any is queued. The file lets `eigenscope sweep` go on with it.
    fn sweep(&self, sweep: Sweep, text: String) -> anyhow::Result<String> {
        for spec in &sweep.grid {
            job::check(spec, self.store.dir()).with_context(|| spec.display_name())?;
        }
        let path = self.write_spec(&sweep.name, text)?;
        let (runs, seeds) = (sweep.grid.len(), sweep.seeds.len());
        self.sweeps.send(sweep).context("the sweeper thread has ended")?;
        Ok(format!(
            "{runs} runs, then {seeds} seeds of each best; after a restart `eigenscope sweep {}` goes on",
            path.display()
        ))
    }

    /// Checks every spec before any is queued.
    fn launch(&self, specs: &[RunSpec]) -> anyhow::Result<String> {
        let known = if specs.iter().any(|s| !s.init_adapter.is_empty()) {
            crate::store::Reader::open(self.store.dir())?.list()?
        } else {
            Vec::new()
        };
        let specs: Vec<RunSpec> = specs.iter().map(|s| job::started(s, &known)).collect::<Result<_, _>>()?;
        for (i, spec) in specs.iter().enumerate() {
            let checked = job::check(spec, self.store.dir());
            if specs.len() > 1 {
                checked.with_context(|| format!("run {} of {} ({})", i + 1, specs.len(), spec.display_name()))?;
            } else {
                checked?;
            }
        }
        let ids = self.store.create(&specs)?;
        self.engine.wake();
        Ok(match &ids[..] {
            [only] => format!("{only} is queued"),
            [first, .., last] => format!("{} runs are queued: {first} to {last}", ids.len()),
            [] => "nothing to launch".into(),
        })
    }
}

/// The picture that an export of the figure would hold.
fn picture(figure: &Figure) -> Result<Picture, export::ExportError> {
    let size = export::Size::default();
    Ok(Picture { width: size.width, height: size.height, pixels: export::pixels(figure, &size)? })
}

/// Does `work` for each run; where some refuse, says how many it was done for and why the first refused.
fn each(ids: &[RunId], mut work: impl FnMut(&RunId) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let refusals: Vec<anyhow::Error> = ids.iter().filter_map(|id| work(id).err()).collect();
    let done = ids.len() - refusals.len();
    match refusals.into_iter().next() {
        None => Ok(()),
        Some(error) if ids.len() == 1 => Err(error),
        Some(error) => Err(error.context(format!("done for {done} of {} runs", ids.len()))),
    }
}

/// What happens to the one run, or to so many.
fn told(ids: &[RunId], one: &str, many: &str) -> String {
    match ids {
        [only] => format!("{only} {one}"),
        _ => format!("{} runs {many}", ids.len()),
    }
}
