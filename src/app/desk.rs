//! Carries out what the screens ask, away from their thread, and answers with one line.

use crate::engine::Engine;
use crate::event::Control;
use crate::export;
use crate::job;
use crate::spec::{RunSpec, preset};
use crate::store::StoreHandle;
use crate::view::{About, Message, Request};
use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Desk {
    pub store: StoreHandle,
    pub engine: Arc<Engine>,
    pub exports: PathBuf,
}

impl Desk {
    pub fn carry_out(&self, request: Request) -> Message {
        let launch = matches!(request, Request::Launch(_));
        let result = self.try_carry_out(request);
        let field = result.as_ref().err().and_then(|e| e.downcast_ref::<job::JobError>()?.field().map(str::to_string));
        let about = if launch { About::Launch { field } } else { About::Other };
        match result {
            Ok(text) => Message { about, ..Message::notice(text) },
            Err(error) => Message { about, ..Message::error(crate::cli::explain(&error)) },
        }
    }

    fn try_carry_out(&self, request: Request) -> anyhow::Result<String> {
        Ok(match request {
            Request::Launch(specs) => self.launch(&specs)?,
            Request::Demo => self.launch(&preset::demo(&preset::DEMO_TASKS))?,
            Request::Control(id, control) => {
                self.engine.control(&id, control)?;
                let asked = match control {
                    Control::Stop => "stops and saves after this batch",
                    Control::Pause => "pauses after this batch",
                    Control::Resume => "goes on",
                    Control::Cancel => "is cancelled after this batch",
                };
                format!("{id} {asked}")
            }
            Request::Requeue(id) => {
                self.store.requeue(&id)?;
                self.engine.wake();
                format!("{id} is queued to go on")
            }
            Request::Shift(id, places) => {
                let (place, of) = self.store.shift(&id, places)?;
                format!("{id} is number {place} of {of} in the queue")
            }
            Request::Delete(id) => {
                self.store.delete(&id)?;
                format!("{id} is deleted")
            }
            Request::Export { file_stem, figure } => {
                let path = export::free_path(&self.exports, &file_stem, "png");
                export::write(&figure, &export::Size::default(), &path)?;
                format!("wrote {}", path.display())
            }
            Request::SaveSpec { file_stem, text } => {
                let folder = self.store.dir().join(crate::config::SPECS);
                std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
                let path = export::free_path(&folder, &file_stem, "toml");
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
                format!("wrote {}: eigenscope train {} launches it", path.display(), path.display())
            }
        })
    }

    /// Checks every spec before any is queued.
    fn launch(&self, specs: &[RunSpec]) -> anyhow::Result<String> {
        for (i, spec) in specs.iter().enumerate() {
            let checked = job::check(spec);
            if specs.len() > 1 {
                checked.with_context(|| format!("run {} of {} ({})", i + 1, specs.len(), spec.display_name()))?;
            } else {
                checked?;
            }
        }
        let ids = self.store.create(specs)?;
        self.engine.wake();
        Ok(match &ids[..] {
            [only] => format!("{only} is queued"),
            [first, .., last] => format!("{} runs are queued: {first} to {last}", ids.len()),
            [] => "nothing to launch".into(),
        })
    }
}
