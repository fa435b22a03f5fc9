//! Carries out what the screens ask, away from their thread, and answers with one line.

use crate::engine::Engine;
use crate::event::Control;
use crate::export;
use crate::job;
use crate::spec::{RunSpec, preset};
use crate::store::StoreHandle;
use crate::view::{Message, Request};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Desk {
    pub store: StoreHandle,
    pub engine: Arc<Engine>,
    pub exports: PathBuf,
}

impl Desk {
    pub fn carry_out(&self, request: Request) -> Message {
        match self.try_carry_out(request) {
            Ok(text) => Message { error: false, text },
            Err(error) => Message { error: true, text: crate::cli::explain(&error) },
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
            Request::Delete(id) => {
                self.store.delete(&id)?;
                format!("{id} is deleted")
            }
            Request::Export { file_stem, figure } => {
                let path = export::free_path(&self.exports, &file_stem, "png");
                export::write(&figure, &export::Size::default(), &path)?;
                format!("wrote {}", path.display())
            }
        })
    }

    /// Checks every spec before any is queued.
    fn launch(&self, specs: &[RunSpec]) -> anyhow::Result<String> {
        for spec in specs {
            job::check(spec)?;
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
