//! A run's whole record as series of numbers, and a run of another program on its way into the store.

use super::RunSummary;
use crate::event::{DeviceFigures, Evaluation, LayerNorm, Point, RunFacts};
use crate::spec::RunSpec;
use std::borrow::Cow;

/// All that was recorded of a run, every list by ascending step.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub summary: RunSummary,
    pub points: Vec<Point>,
    pub evaluations: Vec<Evaluation>,
    pub norms: Vec<(u64, Vec<LayerNorm>)>,
    /// Step, seconds of training and what the device was doing.
    pub device: Vec<(u64, f64, DeviceFigures)>,
}

/// One number of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar<'a> {
    /// `train/loss`, `eval/` with a metric's id, one of [`NORMS`], `device/power` and so on.
    pub series: Cow<'a, str>,
    /// Layer and target of the adapted matrix that it is about.
    pub matrix: Option<(u32, &'a str)>,
    pub step: u64,
    pub epoch: f64,
    /// Seconds of training.
    pub seconds: f64,
    pub value: f64,
}

/// One series of the training points.
type Read = fn(&Point) -> f64;

impl History {
    /// Gives `each` every recorded number: the training points, the evaluations, the norms, the device, each by step. A loss
    /// that is not a number is one of them; a series without any number, as imported runs have some, is left out.
    pub fn scalars<E>(&self, mut each: impl FnMut(Scalar) -> Result<(), E>) -> Result<(), E> {
        let series: [(&str, Read); 4] = [
            ("train/loss", |p| p.loss),
            ("train/lr", |p| p.lr),
            ("train/grad_norm", |p| p.grad_norm),
            ("train/samples_per_second", |p| p.samples_per_second),
        ];
        let recorded = |of: Read| self.points.iter().any(|p| !of(p).is_nan());
        let series: Vec<_> = series.into_iter().filter(|(name, of)| *name == "train/loss" || recorded(*of)).collect();
        for p in &self.points {
            for (name, of) in &series {
                let value = of(p);
                let (step, epoch, seconds) = (p.step, p.epoch, p.seconds);
                each(Scalar { series: (*name).into(), matrix: None, step, epoch, seconds, value })?;
            }
        }
        let with_loss = self.evaluations.iter().any(|e| !e.loss.is_nan());
        for e in &self.evaluations {
            let (step, epoch, seconds) = (e.step, e.epoch, self.at(e.step).1);
            if with_loss {
                each(Scalar { series: "eval/loss".into(), matrix: None, step, epoch, seconds, value: e.loss })?;
            }
            for (metric, value) in &e.scores {
                let series = format!("eval/{metric}").into();
                each(Scalar { series, matrix: None, step, epoch, seconds, value: *value })?;
            }
        }
        for (step, rows) in &self.norms {
            let (step, (epoch, seconds)) = (*step, self.at(*step));
            for n in rows {
                let values = [n.lambda, n.w0_fro, n.w0_l1, n.delta_fro];
                for (name, value) in NORMS.into_iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                    let matrix = Some((n.layer, n.target.as_str()));
                    each(Scalar { series: name.into(), matrix, step, epoch, seconds, value })?;
                }
            }
        }
        for (step, seconds, f) in &self.device {
            let (step, seconds, epoch) = (*step, *seconds, self.at(*step).0);
            let values = [
                ("device/utilisation", f.utilisation),
                ("device/memory", Some(f.memory as f64)),
                ("device/temperature", f.temperature),
                ("device/power", f.power),
            ];
            for (name, value) in values {
                if let Some(value) = value {
                    each(Scalar { series: name.into(), matrix: None, step, epoch, seconds, value })?;
                }
            }
        }
        Ok(())
    }

    /// Epoch and seconds at the last training point that is not after `step`; both 0 before the first.
    fn at(&self, step: u64) -> (f64, f64) {
        let after = self.points.partition_point(|p| p.step <= step);
        after.checked_sub(1).map_or((0.0, 0.0), |i| (self.points[i].epoch, self.points[i].seconds))
    }
}

/// The norms of an adapted matrix, in the order of [`LayerNorm`]'s members.
pub const NORMS: [&str; 4] = ["lambda", "w0_fro", "w0_l1", "delta_fro"];

/// A run that was trained elsewhere, as it is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// What is known of its settings: those of an adapter at least, or of its log; the rest says nothing.
    pub spec: RunSpec,
    pub facts: RunFacts,
    /// Ascending.
    pub points: Vec<Point>,
    pub evaluations: Vec<Evaluation>,
    /// By step; those of W0 are NaN where the model is not here.
    pub norms: Vec<(u64, Vec<LayerNorm>)>,
    /// As in a [`History`].
    pub device: Vec<(u64, f64, DeviceFigures)>,
    /// Unix time in seconds of its first and last record, where that is known.
    pub time: Option<(f64, f64)>,
    pub tags: Vec<String>,
    pub note: String,
    /// What its log says.
    pub log: Vec<String>,
}

impl Imported {
    /// The tag of such a run, and what its environment calls the program that it is from.
    pub const TAG: &str = "imported";
    /// Member of the environment that tells one foreign run from every other, wherever its file lies.
    pub const ORIGIN: &str = "origin";
    /// What stands for a text that is not known; a number that is not known is 0.
    pub const UNKNOWN: &str = "unknown";
    /// Member of the environment with the names of the settings that are known, a space between two of them: those of any other
    /// say nothing. The store's views ask for it by name.
    pub const TOLD: &str = "told";
}
