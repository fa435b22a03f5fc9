//! The loop: steps, evaluations, checkpoints and requests between batches. Knows devices only as [`Backend`].

use super::checkpoint::{self, CHECKPOINT, Position};
use super::schedule::Schedule;
use super::{Backend, Outcome, Signal, StepReport, TrainError, evaluate};
use crate::data::Dataset;
use crate::event::{Evaluation, Level, Point, RunEvent, Status};
use crate::random;
use crate::spec::RunSpec;
use crate::task::Task;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest time between two checkpoints inside an epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// How often the device's figures are recorded.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
const HOLD_POLL: Duration = Duration::from_millis(50);

/// Where a run's events go.
pub trait Sink {
    fn send(&mut self, event: RunEvent) -> Result<(), TrainError>;
    /// Returns when all that was sent is safe on disk.
    fn flush(&mut self) -> Result<(), TrainError>;
}

/// What a run works on.
pub struct Fit<'a> {
    pub spec: &'a RunSpec,
    pub task: &'a dyn Task,
    pub train: &'a Dataset,
    pub validation: &'a Dataset,
    pub pad_id: u32,
    /// The run's own folder.
    pub folder: &'a Path,
    pub signal: &'a dyn Fn() -> Signal,
}

/// Steps of one epoch and of the whole run.
pub fn step_counts(spec: &RunSpec, rows: usize) -> (u64, u64) {
    let per_epoch = rows.div_ceil(spec.batch_size).max(1) as u64;
    (per_epoch, per_epoch * spec.epochs as u64)
}

impl Fit<'_> {
    /// Trains from `position` to the end or to a request.
    pub fn run(
        &self,
        backend: &mut dyn Backend,
        mut position: Position,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, TrainError> {
        let (per_epoch, total) = step_counts(self.spec, self.train.len());
        if position.step == 0 {
            sink.send(RunEvent::Norms { step: 0, rows: backend.norms()? })?;
        }
        let mut clock = Instant::now();
        let mut saved = Instant::now();
        let mut looked: Option<Instant> = None;
        let mut order = Vec::new();
        let mut order_of = None;
        while position.step < total {
            match self.obey(sink, &mut clock, &mut position)? {
                Signal::Stop => {
                    self.save(backend, &position, sink)?;
                    return Ok(Outcome::Stopped);
                }
                Signal::Cancel => return Ok(Outcome::Cancelled),
                Signal::Go | Signal::Hold => {}
            }
            let epoch = position.step / per_epoch;
            if order_of != Some(epoch) {
                order = random::permutation(self.spec.seed, epoch, self.train.len());
                order_of = Some(epoch);
            }
            let from = (position.step % per_epoch) as usize * self.spec.batch_size;
            let rows = &order[from..(from + self.spec.batch_size).min(order.len())];
            self.step(backend, rows, total, per_epoch, &mut position, &mut clock, sink)?;

            if looked.is_none_or(|then| then.elapsed() >= FIGURES_EVERY) {
                looked = Some(Instant::now());
                if let Some(figures) = backend.figures() {
                    let (step, seconds) = (position.step, position.seconds);
                    sink.send(RunEvent::Device { step, seconds, figures })?;
                }
            }
            let ends_epoch = position.step.is_multiple_of(per_epoch);
            if ends_epoch || position.step.is_multiple_of(self.spec.norms_every as u64) {
                sink.send(RunEvent::Norms { step: position.step, rows: backend.norms()? })?;
            }
            if ends_epoch {
                self.evaluate(backend, per_epoch, &mut position, sink)?;
                if self.spec.patience > 0 && position.stale_epochs >= self.spec.patience {
                    let text = format!("no better score for {} epochs: ended early", position.stale_epochs);
                    sink.send(RunEvent::Log { level: Level::Info, text })?;
                    break;
                }
            }
            if ends_epoch || saved.elapsed() >= CHECKPOINT_EVERY {
                self.save(backend, &position, sink)?;
                saved = Instant::now();
            }
            // Evaluations and checkpoints are not training time.
            clock = Instant::now();
        }
        self.save(backend, &position, sink)?;
        self.save_adapter(backend, checkpoint::LAST_ADAPTER, sink)?;
        Ok(Outcome::Done)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the loop's own state; a struct would only rename it")]
    fn step(
        &self,
        backend: &mut dyn Backend,
        rows: &[usize],
        total: u64,
        per_epoch: u64,
        position: &mut Position,
        clock: &mut Instant,
        sink: &mut dyn Sink,
    ) -> Result<(), TrainError> {
        let lr = Schedule::new(self.spec.lr, self.spec.warmup_ratio, total).lr(position.step);
        let report = backend.step(&self.train.batch(rows, self.pad_id), position.step, lr)?;
        let StepReport { loss, grad_norm } = report;
        let elapsed = clock.elapsed().as_secs_f64();
        *clock = Instant::now();
        position.step += 1;
        position.seconds += elapsed;
        sink.send(RunEvent::Point(Point {
            step: position.step,
            epoch: position.step as f64 / per_epoch as f64,
            seconds: position.seconds,
            loss,
            lr,
            grad_norm,
            samples_per_second: rows.len() as f64 / elapsed.max(1e-9),
        }))?;
        if !report.is_finite() {
            return Err(TrainError::Diverged { step: position.step, loss, grad_norm, lr });
        }
        Ok(())
    }

    fn evaluate(
        &self,
        backend: &mut dyn Backend,
        per_epoch: u64,
        position: &mut Position,
        sink: &mut dyn Sink,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let scores = evaluate::evaluate(backend, self.task, self.validation, self.pad_id, &mut |_, _| ())?;
        let main = scores.metrics.first().map_or(f64::NAN, |(_, v)| *v);
        sink.send(RunEvent::Evaluated(Evaluation {
            step: position.step,
            epoch: position.step as f64 / per_epoch as f64,
            loss: scores.loss,
            scores: scores.metrics,
            rows: self.validation.len() as u64,
            seconds: start.elapsed().as_secs_f64(),
        }))?;
        if position.best.is_none_or(|best| main > best) && main.is_finite() {
            position.best = Some(main);
            position.stale_epochs = 0;
            self.save_adapter(backend, checkpoint::BEST_ADAPTER, sink)?;
        } else {
            position.stale_epochs += 1;
        }
        Ok(())
    }

    fn save(&self, backend: &dyn Backend, position: &Position, sink: &mut dyn Sink) -> Result<(), TrainError> {
        // Records first: a checkpoint must never be ahead of what the store holds.
        sink.flush()?;
        let bytes = checkpoint::save(self.folder, &backend.state()?, position)?;
        sink.send(RunEvent::Artifact { kind: "checkpoint".into(), path: CHECKPOINT.into(), bytes })
    }

    fn save_adapter(&self, backend: &dyn Backend, name: &str, sink: &mut dyn Sink) -> Result<(), TrainError> {
        let path = self.folder.join(name);
        let bytes = checkpoint::save_adapter(&path, self.spec, backend.parameters(), &backend.state()?.values)?;
        sink.send(RunEvent::Artifact { kind: "adapter".into(), path: name.into(), bytes })
    }

    /// Waits while held; time spent so is not training time.
    fn obey(&self, sink: &mut dyn Sink, clock: &mut Instant, position: &mut Position) -> Result<Signal, TrainError> {
        let first = (self.signal)();
        if first != Signal::Hold {
            return Ok(first);
        }
        position.seconds += clock.elapsed().as_secs_f64();
        sink.send(RunEvent::Status { status: Status::Paused, cause: None })?;
        loop {
            std::thread::sleep(HOLD_POLL);
            let now = (self.signal)();
            if now != Signal::Hold {
                sink.send(RunEvent::Status { status: Status::Running, cause: None })?;
                *clock = Instant::now();
                return Ok(now);
            }
        }
    }
}
