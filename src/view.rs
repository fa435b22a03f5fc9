//! The fold of committed records into what is shown. Knows neither the database nor how it is drawn.

pub mod compare;
mod hub;

pub use hub::{Arriving, FetchState, HubFetch, HubItem, HubView};

use crate::config::State;
use crate::event::{Control, DeviceFigures, RunId};
use crate::record::{AnalysisKind, Label, RowsOf, RunDetail, RunNorms, RunSummary, Sample, Survey, TestScore};
use crate::spec::RunSpec;
use crate::sweep::Sweep;
use std::collections::HashMap;
use std::sync::Arc;

/// What a screen wants to see; the reader brings no more than this.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interest {
    pub open: Option<RunId>,
    /// Recorded step whose layer norms are shown; none: the newest.
    pub norms_step: Option<u64>,
    /// Most bins of a series.
    pub width: usize,
    /// Range of steps of the series; none: all.
    pub steps: Option<(u64, u64)>,
    /// Runs whose loss and scores are compared.
    pub compare: Vec<RunId>,
    /// Bring the layer norms of all runs for Figure 1.
    pub figure1: bool,
    /// Bring what the devices are doing, every second.
    pub devices: bool,
    /// Specs whose adapters' sizes are wanted, before any is launched.
    pub sizes_of: Vec<RunSpec>,
    /// Specs whose runs' GPU memory is wanted, before any is launched.
    pub memory_of: Vec<RunSpec>,
    /// Bring what is here of the hub and what is being fetched.
    pub hub: bool,
    /// Runs whose files' bytes are wanted.
    pub disk_of: Vec<RunId>,
    /// Rows that are looked at.
    pub rows: Option<RowsLook>,
}

/// What is wanted of the rows of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowsLook {
    pub of: RowsOf,
    /// Place of the split.
    pub split: usize,
    /// Bring rows that hold this text, in any letters, alone; empty: all.
    pub query: String,
    /// The row that is in the middle of what is brought, counted among those.
    pub near: usize,
}

/// The rows of a task, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowsView {
    pub of: RowsOf,
    /// Why there is nothing to show: what is under way, or what went wrong.
    pub waits: Option<String>,
    pub failed: Option<String>,
    pub survey: Arc<Survey>,
    /// Why there are no tokens.
    pub no_tokens: Option<String>,
    /// The split and the query that what follows belongs to.
    pub split: usize,
    pub query: String,
    /// Rows of that split that hold the query.
    pub found: usize,
    /// Some of those, and place of the first of them.
    pub first: usize,
    pub samples: Vec<Sample>,
}

/// What changed since the last one.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    pub watermark: i64,
    /// New or changed runs.
    pub runs: Vec<RunSummary>,
    pub removed: Vec<RunId>,
    /// Every score on test rows, where something was committed.
    pub tests: Option<Vec<TestScore>>,
    /// The open run anew, where it changed; `Some(None)` when none is open.
    pub open: Option<Option<RunDetail>>,
    /// The compared runs, where one of them changed.
    pub compare: Option<Vec<Arc<RunDetail>>>,
    /// New or changed layer norms; of a run that has none any more, an empty list.
    pub figure1: Vec<Arc<RunNorms>>,
    pub sizes: Option<Vec<AdapterSize>>,
    pub memory: Option<Arc<Vec<MemoryNeed>>>,
    pub devices: Option<Arc<Vec<Device>>>,
    pub disk: Option<DiskUse>,
    pub hub: Option<Arc<HubView>>,
    /// `Some(None)` when none are looked at.
    pub rows: Option<Option<Arc<RowsView>>>,
}

/// A device that runs can train on and what it is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// As in a spec: `cpu`, `cuda:0`.
    pub id: String,
    /// What it is: the card's name, or the CPU's threads.
    pub name: String,
    /// None where the system does not tell.
    pub figures: Option<DeviceFigures>,
    /// Utilisation a second, 0 to 1, the newest last.
    pub history: Vec<f64>,
}

/// What a spec would train, the head left out.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterSize {
    pub of: RunSpec,
    pub parameters: u64,
    /// In float32.
    pub bytes: u64,
}

/// GPU memory that a run of a spec would take.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryNeed {
    pub of: RunSpec,
    /// In all, the driver's own share included.
    pub bytes: u64,
    /// Bytes that the card has; none where it is not here.
    pub card: Option<u64>,
}

/// Bytes of the files of some runs together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskUse {
    pub of: Vec<RunId>,
    pub bytes: u64,
}

/// Bytes in words: `312 B`, `7.1 MiB`.
pub fn file_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// All that the screens show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    pub watermark: i64,
    /// Newest first.
    pub runs: Vec<Arc<RunSummary>>,
    /// Scores on test rows that were entered.
    pub tests: Arc<Vec<TestScore>>,
    pub open: Option<Arc<RunDetail>>,
    /// The compared runs in the asked order: series and evaluations only.
    pub compare: Vec<Arc<RunDetail>>,
    /// In the order in which the runs were made.
    pub figure1: Arc<Vec<Arc<RunNorms>>>,
    /// Of the specs whose size can be told.
    pub sizes: Arc<Vec<AdapterSize>>,
    /// Of the specs that train on a GPU and whose memory can be told.
    pub memory: Arc<Vec<MemoryNeed>>,
    /// Brought while they are looked at.
    pub devices: Arc<Vec<Device>>,
    /// Of the runs that were asked for last.
    pub disk: DiskUse,
    /// Brought while it is looked at.
    pub hub: Arc<HubView>,
    /// Brought while they are looked at.
    pub rows: Option<Arc<RowsView>>,
}

impl View {
    pub fn fold(&mut self, delta: Delta) {
        self.watermark = delta.watermark;
        if !delta.removed.is_empty() {
            self.runs.retain(|r| !delta.removed.contains(&r.id));
        }
        let mut changed: HashMap<RunId, RunSummary> = delta.runs.into_iter().map(|r| (r.id.clone(), r)).collect();
        for run in &mut self.runs {
            if changed.is_empty() {
                break;
            }
            if let Some(newer) = changed.remove(&run.id) {
                *run = Arc::new(newer);
            }
        }
        if !changed.is_empty() {
            self.runs.extend(changed.into_values().map(Arc::new));
            self.runs.sort_by(|a, b| b.created.total_cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
        }
        if let Some(tests) = delta.tests.filter(|t| *t != *self.tests) {
            self.tests = Arc::new(tests);
        }
        if let Some(open) = delta.open {
            self.open = open.map(Arc::new);
        }
        if let Some(compare) = delta.compare {
            self.compare = compare;
        }
        if !delta.figure1.is_empty() || self.figure1.iter().any(|n| delta.removed.contains(&n.id)) {
            self.fold_norms(delta.figure1, &delta.removed);
        }
        if let Some(sizes) = delta.sizes {
            self.sizes = Arc::new(sizes);
        }
        if let Some(memory) = delta.memory {
            self.memory = memory;
        }
        if let Some(devices) = delta.devices {
            self.devices = devices;
        }
        if let Some(disk) = delta.disk {
            self.disk = disk;
        }
        if let Some(hub) = delta.hub {
            self.hub = hub;
        }
        if let Some(rows) = delta.rows {
            self.rows = rows;
        }
    }

    fn fold_norms(&mut self, changed: Vec<Arc<RunNorms>>, removed: &[RunId]) {
        let mut changed: HashMap<RunId, Arc<RunNorms>> = changed.into_iter().map(|n| (n.id.clone(), n)).collect();
        let mut all: Vec<Arc<RunNorms>> = self.figure1.to_vec();
        for old in &mut all {
            if let Some(newer) = changed.remove(&old.id) {
                *old = newer;
            }
        }
        let known = all.len();
        all.extend(changed.into_values());
        if all.len() > known {
            let newest_first: HashMap<&RunId, usize> = self.runs.iter().enumerate().map(|(i, r)| (&r.id, i)).collect();
            all.sort_by_key(|n| std::cmp::Reverse(newest_first.get(&n.id).copied()));
        }
        all.retain(|n| !n.norms.is_empty() && !removed.contains(&n.id));
        self.figure1 = Arc::new(all);
    }

    pub fn run(&self, id: &RunId) -> Option<&Arc<RunSummary>> {
        self.runs.iter().find(|r| &r.id == id)
    }
}

/// What a screen asks of the program.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Check each run, then queue all of them or none; answered by a message about [`About::Launch`].
    Launch(Vec<RunSpec>),
    /// Train a grid, then seeds of its best; `text` is the sweep as TOML. Answered as a launch.
    Sweep {
        sweep: Box<Sweep>,
        text: String,
    },
    Control(Vec<RunId>, Control),
    /// Queue stopped, interrupted or failed runs again, from their checkpoints.
    Requeue(Vec<RunId>),
    /// Move a queued run by so many places of the queue, up where negative.
    Shift(RunId, i64),
    /// Remove runs with their files.
    Delete(Vec<RunId>),
    /// Change what is said of runs, of all or none.
    Label(Vec<RunId>, Label),
    /// Take a run's adapter apart; what is found is kept with the run.
    Analyse(RunId, AnalysisKind),
    /// Remember how the screens were left; answered only where that fails.
    Remember(State),
    /// Write what is shown to a file in the exports folder.
    Export {
        file_stem: String,
        figure: crate::figure::Figure,
    },
    /// Draw what is shown as an export does, without writing it; answered by a message about [`About::Picture`] of this number.
    Picture {
        number: u64,
        figure: crate::figure::Figure,
    },
    /// Write a launch as TOML to a file in the folder of specs.
    SaveSpec {
        file_stem: String,
        text: String,
    },
    /// Fetch a model or rows from the hub: `roberta-base`, `glue cola`.
    Fetch(String),
    /// Stop what is being fetched; what came is kept.
    StopFetch,
    /// Launch the demo.
    Demo,
}

/// What a message answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum About {
    #[default]
    Other,
    /// A launch; where it was refused, the field at fault if one is.
    Launch { field: Option<String> },
    /// Something that was fetched from the hub, or why it was not.
    Fetch,
    /// A picture that was asked for with this number; the message has no text.
    Picture { number: u64, picture: Arc<Picture> },
}

/// Pixels, as an export has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// Red, green and blue of every pixel, row by row.
    pub pixels: Vec<u8>,
}

/// A line for the status bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub error: bool,
    pub text: String,
    pub about: About,
}

impl Message {
    pub fn notice(text: String) -> Self {
        Self { error: false, text, about: About::Other }
    }

    pub fn error(text: String) -> Self {
        Self { error: true, text, about: About::Other }
    }
}

/// The way from the screens to the program and back.
pub trait Port {
    /// The newest view; cheap.
    fn view(&self) -> Arc<View>;
    fn look(&self, interest: Interest);
    fn ask(&self, request: Request);
    /// Messages that came since the last call.
    fn messages(&self) -> Vec<Message>;
    /// How the screens were left at the last start.
    fn remembered(&self) -> State {
        State::default()
    }
    /// Device, load and memory in a few words for the title line.
    fn device_line(&self) -> String;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LayerNorm;

    fn norms(id: &str, lambdas: &[f64]) -> Arc<RunNorms> {
        let norm = |lambda: &f64| LayerNorm {
            layer: 0,
            target: "query".into(),
            lambda: *lambda,
            w0_fro: 1.0,
            w0_l1: 1.0,
            delta_fro: 1.0,
            spectrum: Vec::new(),
        };
        let norms = lambdas.iter().map(norm).collect();
        let [task, label, method] = ["rte", "rte", "lora"].map(String::from);
        let id = RunId(id.into());
        Arc::new(RunNorms { id, task, label, method, seed: 0, best: None, step: 1, norms, at_best: None })
    }

    #[test]
    fn norms_are_replaced_added_and_taken_away_run_by_run() {
        let mut view = View::default();
        let mut told = |figure1, removed: &[&str]| {
            let removed = removed.iter().map(|id| RunId((*id).into())).collect();
            view.fold(Delta { figure1, removed, ..Delta::default() });
            view.figure1.iter().map(|n| (n.id.0.clone(), n.norms[0].lambda)).collect::<Vec<_>>()
        };
        let of = |all: &[(&str, f64)]| all.iter().map(|(id, l)| ((*id).to_string(), *l)).collect::<Vec<_>>();
        assert_eq!(told(vec![norms("a", &[1.0])], &[]), of(&[("a", 1.0)]));
        assert_eq!(told(vec![norms("b", &[2.0]), norms("a", &[3.0])], &[]), of(&[("a", 3.0), ("b", 2.0)]));
        assert_eq!(told(Vec::new(), &["a"]), of(&[("b", 2.0)]));
        assert_eq!(told(vec![norms("b", &[])], &[]), of(&[]));
    }
}
