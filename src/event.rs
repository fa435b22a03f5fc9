//! The words that travel between a run's worker, the store and the screens. Knows nothing of how any of them works.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Name of a run on disk and in the store: sortable by creation time, safe as a folder name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Queued,
    Running,
    Paused,
    Done,
    /// Ended on request, saved, resumable.
    Stopped,
    /// Ended on request, not to be resumed.
    Cancelled,
    Failed,
    /// Its process ended without a word; resumable from the last checkpoint.
    Interrupted,
}

impl Status {
    pub const ALL: [Status; 8] = [
        Status::Queued,
        Status::Running,
        Status::Paused,
        Status::Done,
        Status::Stopped,
        Status::Cancelled,
        Status::Failed,
        Status::Interrupted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Done => "done",
            Status::Stopped => "stopped",
            Status::Cancelled => "cancelled",
            Status::Failed => "failed",
            Status::Interrupted => "interrupted",
        }
    }

    pub fn parse(text: &str) -> Option<Status> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// A process holds this run now.
    pub fn is_live(self) -> bool {
        matches!(self, Status::Running | Status::Paused)
    }

    pub fn is_resumable(self) -> bool {
        matches!(self, Status::Stopped | Status::Interrupted | Status::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is asked of a run by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Save and end; resumable.
    Stop,
    /// Hold between two batches.
    Pause,
    /// Go on after a pause.
    Resume,
    /// End without saving a checkpoint.
    Cancel,
}

/// One optimizer step. `step` counts from 1: the number of steps done when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub step: u64,
    /// Fraction of the training rows seen, in epochs.
    pub epoch: f64,
    /// Training time so far without pauses, in seconds.
    pub seconds: f64,
    /// Mean loss of the batch before the update.
    pub loss: f64,
    pub lr: f64,
    /// L2 norm over all trainable tensors before clipping.
    pub grad_norm: f64,
    pub samples_per_second: f64,
}

/// One pass over the validation rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub step: u64,
    pub epoch: f64,
    /// Mean loss over the validation rows.
    pub loss: f64,
    /// Metric id and value; the task's main metric first.
    pub scores: Vec<(String, f64)>,
    pub rows: u64,
    pub seconds: f64,
}

/// Norms of one adapted matrix at one recorded step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerNorm {
    pub layer: u32,
    /// query, key, value or output.
    pub target: String,
    /// 1 for methods without lambda.
    pub lambda: f64,
    /// Frobenius norm of the frozen W0.
    pub w0_fro: f64,
    /// Entrywise L1 of W0.
    pub w0_l1: f64,
    /// Frobenius norm of DeltaW, alpha/r included.
    pub delta_fro: f64,
    /// diag(L) for SymLoRA, singular values of B A for LoRA; both without alpha/r.
    pub spectrum: Vec<f64>,
}

impl LayerNorm {
    /// lambda ||W0||_F, signed.
    pub fn original(&self) -> f64 {
        self.lambda * self.w0_fro
    }

    /// lambda ||W0|| - ||DeltaW||.
    pub fn difference(&self) -> f64 {
        self.original() - self.delta_fro
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    Warn,
    Error,
}

/// What a run is made of, known once its model and rows are loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    pub total_steps: u64,
    pub epochs: u64,
    pub train_rows: u64,
    pub eval_rows: u64,
    /// Adapter parameters as the paper counts them, without the head.
    pub adapter_parameters: u64,
    pub head_parameters: u64,
    /// Bytes of the adapter's tensors in float32.
    pub adapter_bytes: u64,
    /// Id of the task's main metric.
    pub metric: String,
    /// Which of its values is the best.
    #[serde(default)]
    pub better: Better,
    pub layers: u32,
    /// Program version, device and threads, as JSON object members.
    pub environment: std::collections::BTreeMap<String, String>,
}

/// Which of two values of a metric is the better one. The store asks for it by these words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    #[default]
    Higher,
    Lower,
    Unknown,
}

/// What a device is doing at one moment. For the CPU: what this process takes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceFigures {
    /// Share of the last moments in which it worked, 0 to 1.
    pub utilisation: Option<f64>,
    /// In use, and all there is, in bytes.
    pub memory: u64,
    pub memory_total: u64,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
    /// Watts.
    pub power: Option<f64>,
}

impl DeviceFigures {
    /// In a few words: `71% 1.5/79.2 GiB 43 °C 310 W`.
    pub fn in_words(&self) -> String {
        let gib = |bytes: u64| bytes as f64 / f64::from(1u32 << 30);
        let parts = [
            self.utilisation.map(|u| format!("{:.0}%", 100.0 * u)),
            Some(format!("{:.1}/{:.1} GiB", gib(self.memory), gib(self.memory_total))),
            self.temperature.map(|t| format!("{t:.0} °C")),
            self.power.map(|w| format!("{w:.0} W")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What a worker says of its run. Every event is committed before it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunEvent {
    /// The worker owns the run and loaded what it needs.
    Started(RunFacts),
    /// The run goes on from a checkpoint: records after `step` are void and will come again.
    Rewound {
        step: u64,
    },
    Point(Point),
    Evaluated(Evaluation),
    Norms {
        step: u64,
        rows: Vec<LayerNorm>,
    },
    Device {
        step: u64,
        seconds: f64,
        figures: DeviceFigures,
    },
    Log {
        level: Level,
        text: String,
    },
    /// A file under the run's folder, path relative to it.
    Artifact {
        kind: String,
        path: String,
        bytes: u64,
    },
    /// Running, paused or ended; `cause` says why when it failed.
    Status {
        status: Status,
        cause: Option<String>,
    },
}
