//! Predicts the GPU memory of runs that the launch form describes. Tokenising a sample of rows takes a while, so this has a
//! thread of its own: neither keys nor what is shown wait for it.

use crate::cuda::Card;
use crate::job;
use crate::spec::RunSpec;
use crate::view::MemoryNeed;
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Predictions that are remembered.
const KEPT: usize = 256;

/// The newest answer.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Arc<Vec<MemoryNeed>>>>);

impl Told {
    pub fn newest(&self) -> Arc<Vec<MemoryNeed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, needs: Vec<MemoryNeed>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(needs);
    }
}

/// The way to the thread. It ends by itself once this is dropped, after the spec that it is at.
pub(super) struct Forecast {
    wanted: Sender<Vec<RunSpec>>,
    told: Told,
}

impl Forecast {
    pub fn start(cards: Vec<Card>) -> std::io::Result<Self> {
        let (wanted, asked) = unbounded();
        let told = Told::default();
        let telling = told.clone();
        std::thread::Builder::new().name("forecast".into()).spawn(move || work(&asked, &telling, &cards))?;
        Ok(Self { wanted, told })
    }

    /// Asks for the memory of `specs`; who asks later is answered alone.
    pub fn ask(&self, specs: Vec<RunSpec>) {
        let _ = self.wanted.send(specs);
    }

    pub fn told(&self) -> Told {
        self.told.clone()
    }
}

fn work(asked: &Receiver<Vec<RunSpec>>, told: &Told, cards: &[Card]) {
    // Fields that do not decide are left as they are by default: runs of other seeds are one spec.
    let mut known: VecDeque<MemoryNeed> = VecDeque::new();
    for specs in asked {
        let mut needs = Vec::new();
        for spec in specs {
            // The form has been changed meanwhile.
            if !asked.is_empty() {
                break;
            }
            if let Some(need) = known.iter().find(|k| k.of == spec) {
                needs.push(need.clone());
            } else if let Ok(Some(bytes)) = job::predict_memory(&spec) {
                let card = cards.iter().find(|c| c.id == spec.device).map(|c| c.memory as u64);
                let need = MemoryNeed { of: spec, bytes, card };
                needs.push(need.clone());
                known.push_front(need);
                known.truncate(KEPT);
            }
        }
        if asked.is_empty() {
            told.tell(needs);
        }
    }
}
