//! A run as another program recorded it: series of numbers under names of its own, and how they become a run of this store.

use super::{TrackerError, settings};
use crate::event::{Better, DeviceFigures, Evaluation, LayerNorm, Point, RunFacts};
use crate::metric;
use crate::record::{Imported, NORMS};
use crate::spec::RunSpec;
use crate::task;
use crate::untrusted::brief;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a series may be called, in any letters: Hugging Face's Trainer and PEFT's examples write the first ones, PyTorch's and
/// Keras's users the others.
const LOSS: &[&str] = &["train/loss", "loss", "train_loss", "loss/train", "training_loss", "epoch_loss"];
const LR: &[&str] =
    &["train/learning_rate", "train/lr", "learning_rate", "lr", "lr/train", "epoch_learning_rate", "epoch_lr"];
const GRAD_NORM: &[&str] = &["train/grad_norm", "grad_norm"];
const SAMPLES_PER_SECOND: &[&str] = &["train/samples_per_second"];
const EPOCH: &[&str] = &["train/epoch", "epoch"];
/// What the names of validation series begin or end with; the rest of the name is `loss`, `runtime` or a metric. A run's are those
/// of the first that it has.
const VALIDATION: [(&str, &str); 15] = [
    ("eval/", ""),
    ("eval_", ""),
    ("val/", ""),
    ("val_", ""),
    ("validation/", ""),
    ("validation_", ""),
    ("", "/eval"),
    ("", "/val"),
    ("", "/valid"),
    ("", "/validation"),
    ("", "_val"),
    ("test/", ""),
    ("test_", ""),
    ("", "/test"),
    ("", "_test"),
];
/// Validation series that are no scores.
const NO_SCORES: [&str; 4] = ["samples_per_second", "steps_per_second", "epoch", "model_preparation_time"];
/// Metrics as other libraries name them, and their ids here.
const METRICS: [(&str, &str); 4] =
    [("matthews_correlation", "matthews"), ("pearsonr", "pearson"), ("spearmanr", "spearman"), ("acc", "accuracy")];
/// Words in the names of metrics, digits at their end left out, that tell which way they go.
const LOWER: [&str; 14] =
    ["loss", "perplexity", "ppl", "error", "err", "wer", "cer", "mse", "rmse", "mae", "mape", "nll", "bpc", "eer"];
const HIGHER: [&str; 19] = [
    "accuracy",
    "acc",
    "f",
    "auc",
    "auroc",
    "precision",
    "recall",
    "matthews",
    "mcc",
    "pearson",
    "spearman",
    "bleu",
    "rouge",
    "rougel",
    "meteor",
    "em",
    "match",
    "map",
    "score",
];
/// Most series of a run, largest step, and longest name of a series or run in characters.
const MOST_SERIES: usize = 10_000;
const LAST_STEP: u64 = 1 << 40;
const LONGEST: usize = 80;
/// Characters of other settings in a note; the log has all of them.
const NOTE: usize = 200;

/// One number of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub step: u64,
    /// Unix time in seconds.
    pub time: f64,
    pub value: f64,
}

/// A run of another program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    pub name: String,
    pub program: &'static str,
    pub path: PathBuf,
    /// Tells it from every other run, wherever its file lies and however much it has grown.
    pub origin: String,
    pub settings: BTreeMap<String, Value>,
    /// When it began, in seconds of Unix time, where that is told beside its numbers.
    pub began: Option<f64>,
    series: BTreeMap<String, Vec<Sample>>,
    /// What its device was doing, and when in seconds of Unix time.
    pub device: Vec<(f64, DeviceFigures)>,
}

/// A run ready to be kept, and the series that it is without.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub run: Imported,
    pub left_out: Vec<String>,
}

impl Foreign {
    pub fn new(program: &'static str, path: &Path, name: String) -> Self {
        Self { name, program, path: path.into(), ..Self::default() }
    }

    /// Adds a number; one of the same step takes the place of an earlier one.
    pub fn push(&mut self, series: &str, step: i64, time: f64, value: f64) -> Result<(), TrackerError> {
        let step = u64::try_from(step).unwrap_or(0);
        if step > LAST_STEP {
            let what = format!("step {step} of {}, expected at most {LAST_STEP}", brief(series, LONGEST));
            return Err(TrackerError::content(&self.path, what));
        }
        let sample = Sample { step, time, value };
        if let Some(samples) = self.series.get_mut(series) {
            samples.push(sample);
        } else if self.series.len() < MOST_SERIES {
            self.series.insert(series.into(), vec![sample]);
        } else {
            return Err(TrackerError::content(&self.path, format!("more than {MOST_SERIES} series in one run")));
        }
        Ok(())
    }

    /// Forgets the numbers of this step and of later ones.
    pub fn forget_from(&mut self, step: i64) {
        let step = u64::try_from(step).unwrap_or(0);
        self.series.values_mut().for_each(|samples| samples.retain(|s| s.step < step));
        self.series.retain(|_, samples| !samples.is_empty());
    }

    /// Names of its series.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str)
    }

    /// Takes in another's series under names that are made of theirs.
    pub fn absorb(&mut self, other: Self, name: impl Fn(&str) -> String) -> Result<(), TrackerError> {
        for (tag, samples) in other.series {
            let tag = name(&tag);
            samples.iter().try_for_each(|s| self.push(&tag, s.step as i64, s.time, s.value))?;
        }
        Ok(())
    }

    /// It has settings and no series but results of hyperparameters.
    pub fn is_only_settings(&self) -> bool {
        !self.settings.is_empty() && self.series.keys().all(|name| name.starts_with("hparam/"))
    }

    /// As a run of this store; without its run where it has no series that is known. `given` settings are set last.
    pub fn take(mut self, given: &dyn Fn(&mut RunSpec)) -> Result<Taken, Vec<String>> {
        for samples in self.series.values_mut() {
            // The sort is stable, so the last of a step is the newest.
            samples.sort_by_key(|s| s.step);
            samples.reverse();
            samples.dedup_by_key(|s| s.step);
            samples.reverse();
        }
        let mut spec = settings::unknown();
        let applied = settings::apply(&self.settings, &mut spec);
        given(&mut spec);
        spec.name = match self.name.trim() {
            "" => Imported::TAG.into(),
            name => brief(name, LONGEST),
        };
        let time = self.time();
        let mut series = Series { of: self.series, taken: BTreeSet::new() };
        let epochs = series.find(EPOCH);
        let mut norms = series.norms();
        let mut evaluations = series.evaluations(&spec.task);
        let mut points = series.points(time.0);
        let left_out: Vec<String> =
            series.of.keys().filter(|tag| !series.taken.contains(*tag)).map(|tag| brief(tag, LONGEST)).collect();
        if points.is_empty() && evaluations.is_empty() && norms.is_empty() {
            return Err(left_out);
        }
        let mut log = vec![format!(
            "imported from {} ({}): it was trained elsewhere",
            brief(&self.path.display().to_string(), 4 * NOTE),
            self.program
        )];
        let last = points.iter().map(|p| p.step).chain(evaluations.iter().map(|e| e.step)).max().unwrap_or(0);
        let from_zero = points.first().is_some_and(|p| p.step == 0);
        let at = epoch(&epochs, spec.epochs, last);
        if epochs.is_empty() && spec.epochs == 0 {
            log.push("its epochs are not known: the whole run counts as one".into());
        }
        points.iter_mut().for_each(|p| p.epoch = at(p.step));
        evaluations.iter_mut().for_each(|e| e.epoch = at(e.step));
        if from_zero {
            log.push("its steps are counted from 1 here, from 0 there".into());
            points.iter_mut().for_each(|p| p.step += 1);
            evaluations.iter_mut().for_each(|e| e.step += 1);
            norms.iter_mut().for_each(|(step, _)| *step += 1);
        }
        if spec.lr == 0.0 {
            spec.lr = points.iter().map(|p| p.lr).filter(|v| v.is_finite()).fold(0.0, f64::max);
        }
        let end = at(last).ceil() as u64;
        if spec.epochs == 0 && !epochs.is_empty() {
            spec.epochs = end as usize;
        }
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        let told: Vec<String> = applied.rest.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut note = format!("from {} ({})", brief(&file, LONGEST), self.program);
        if !told.is_empty() {
            note = format!("{note}: {}", brief(&told.join(", "), NOTE));
        }
        log.extend(told.into_iter().map(|setting| format!("setting {setting}")));
        if !left_out.is_empty() {
            log.push(format!("series not taken: {}", left_out.join(", ")));
        }
        let origin = brief(&self.origin, NOTE);
        let known = applied.told.join(" ");
        let environment = [
            ("version", env!("CARGO_PKG_VERSION")),
            (Imported::TAG, self.program),
            (Imported::ORIGIN, origin.as_str()),
            (Imported::TOLD, known.as_str()),
        ];
        let metric = evaluations.iter().find_map(|e| e.scores.first()).map_or(String::new(), |(id, _)| id.clone());
        let device = self.device.iter().filter(|(at, _)| at.is_finite() && *at >= time.0).map(|(at, figures)| {
            let seconds = at - time.0;
            let after = points.partition_point(|p| p.seconds <= seconds);
            (after.checked_sub(1).map_or(0, |i| points[i].step), seconds, *figures)
        });
        let facts = RunFacts {
            total_steps: last + u64::from(from_zero),
            epochs: end,
            better: better(&metric),
            metric,
            layers: norms.iter().flat_map(|(_, rows)| rows).map(|n| n.layer + 1).max().unwrap_or(0),
            environment: environment.map(|(name, value)| (name.to_string(), value.to_string())).into(),
            ..RunFacts::default()
        };
        let run = Imported {
            spec,
            facts,
            device: device.collect(),
            points,
            evaluations,
            norms,
            time: Some(time),
            tags: vec![Imported::TAG.into()],
            note,
            log,
        };
        Ok(Taken { run, left_out })
    }

    /// Of its begin or first number, and of its last.
    fn time(&self) -> (f64, f64) {
        let times =
            self.series.values().flatten().map(|s| s.time).chain(self.began).filter(|t| t.is_finite() && *t > 0.0);
        let (low, high) = times.fold((f64::INFINITY, 0.0f64), |(low, high), t| (low.min(t), high.max(t)));
        if low <= high { (low, high) } else { (0.0, 0.0) }
    }
}

/// The epoch at a step: between the recorded ones in proportion, else as a share of all epochs, of one where none is told.
fn epoch(known: &[Sample], all: usize, last: u64) -> impl Fn(u64) -> f64 {
    let mut known: Vec<(f64, f64)> =
        known.iter().filter(|s| s.value.is_finite() && s.value >= 0.0).map(|s| (s.step as f64, s.value)).collect();
    if known.is_empty() {
        known.push((last.max(1) as f64, all.max(1) as f64));
    }
    move |step| {
        let step = step as f64;
        let after = known.partition_point(|(at, _)| *at < step);
        let low = after.checked_sub(1).map_or((0.0, 0.0), |i| known[i]);
        let Some(high) = known.get(after) else { return low.1 };
        if high.0 > low.0 { low.1 + (high.1 - low.1) * (step - low.0) / (high.0 - low.0) } else { high.1 }
    }
}

/// Which way a metric goes, by its name.
fn better(id: &str) -> Better {
    let id = id.to_lowercase();
    let has = |known: &[&str]| {
        let words = id.split(|c: char| !c.is_alphanumeric()).map(|w| w.trim_end_matches(|c: char| c.is_ascii_digit()));
        words.into_iter().any(|word| known.contains(&word))
    };
    match () {
        () if metric::find(&id).is_some() => Better::Higher,
        () if has(&LOWER) => Better::Lower,
        () if has(&HIGHER) => Better::Higher,
        () => Better::Unknown,
    }
}

/// What a validation series is of, in small letters: what is left of its name without its begin and end.
fn validation(tag: &str, (begin, end): (&str, &str)) -> Option<String> {
    let tag = tag.to_lowercase();
    let what = tag.strip_prefix(begin)?.strip_suffix(end)?;
    Some(what.to_string()).filter(|what| !what.is_empty() && !NO_SCORES.contains(&what.as_str()))
}

/// The last number that is not after `step`.
fn held(samples: &[Sample], step: u64) -> f64 {
    let after = samples.partition_point(|s| s.step <= step);
    after.checked_sub(1).map_or(f64::NAN, |i| samples[i].value)
}

fn exactly(samples: &[Sample], step: u64) -> f64 {
    samples.binary_search_by_key(&step, |s| s.step).map_or(f64::NAN, |i| samples[i].value)
}

/// Series by name, and those that were used.
struct Series {
    of: BTreeMap<String, Vec<Sample>>,
    taken: BTreeSet<String>,
}

impl Series {
    /// The first of these that is there.
    fn find(&mut self, names: &[&str]) -> Vec<Sample> {
        let like = |name: &&str| self.of.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name));
        let Some((tag, samples)) = names.iter().find_map(like) else { return Vec::new() };
        self.taken.insert(tag.clone());
        samples.clone()
    }

    /// A point for each recorded loss; what is recorded less often holds until it is recorded again.
    fn points(&mut self, start: f64) -> Vec<Point> {
        let loss = self.find(LOSS);
        if loss.is_empty() {
            return Vec::new();
        }
        let (lr, grad_norm, pace) = (self.find(LR), self.find(GRAD_NORM), self.find(SAMPLES_PER_SECOND));
        let point = |s: &Sample| Point {
            step: s.step,
            epoch: 0.0,
            seconds: if s.time.is_finite() { (s.time - start).max(0.0) } else { 0.0 },
            loss: s.value,
            lr: held(&lr, s.step),
            grad_norm: held(&grad_norm, s.step),
            samples_per_second: held(&pace, s.step),
        };
        loss.iter().map(point).collect()
    }

    /// Validation losses and scores, the main metric first: the task's, else the first one known here, else the first of which it is
    /// known which way it goes, else the first by name.
    fn evaluations(&mut self, of_task: &str) -> Vec<Evaluation> {
        let found = VALIDATION.into_iter().find(|form| self.of.keys().any(|tag| validation(tag, *form).is_some()));
        let Some(form) = found else { return Vec::new() };
        let (mut loss, mut seconds, mut scores) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (tag, samples) in &self.of {
            let Some(what) = validation(tag, form) else { continue };
            if !self.taken.insert(tag.clone()) {
                continue;
            }
            match what.as_str() {
                "loss" => loss = samples.clone(),
                "runtime" => seconds = samples.clone(),
                what => {
                    let id = METRICS.iter().find(|(name, _)| *name == what).map_or(what, |(_, id)| id);
                    scores.insert(brief(id, LONGEST), samples.clone());
                }
            }
        }
        // A task's file can only be one that a person gave: a log's own settings name none.
        let main = task::find(of_task).ok().and_then(|t| t.metric_ids().first().copied());
        let rank = |id: &String| (main != Some(id.as_str()), metric::find(id).is_none(), better(id) == Better::Unknown);
        let mut scores: Vec<(String, Vec<Sample>)> = scores.into_iter().collect();
        scores.sort_by_key(|(id, _)| rank(id));
        let steps: BTreeSet<u64> =
            scores.iter().flat_map(|(_, samples)| samples).chain(&loss).map(|s| s.step).collect();
        let evaluation = |step: u64| Evaluation {
            step,
            epoch: 0.0,
            loss: exactly(&loss, step),
            scores: scores.iter().map(|(id, samples)| (id.clone(), exactly(samples, step))).collect(),
            rows: 0,
            seconds: Some(exactly(&seconds, step)).filter(|s| s.is_finite()).unwrap_or(0.0),
        };
        steps.into_iter().map(evaluation).collect()
    }

    /// Norms as this program writes them: `lambda/00.query`.
    fn norms(&mut self) -> Vec<(u64, Vec<LayerNorm>)> {
        let mut found: BTreeMap<u64, BTreeMap<(u32, &str), [f64; NORMS.len()]>> = BTreeMap::new();
        for (tag, samples) in &self.of {
            let matrix = || {
                let (name, matrix) = tag.split_once('/')?;
                let (layer, target) = matrix.split_once('.')?;
                let known = crate::spec::TARGETS.contains(&target);
                Some((NORMS.iter().position(|n| *n == name)?, (layer.parse().ok().filter(|_| known)?, target)))
            };
            let Some((which, matrix)) = matrix() else { continue };
            self.taken.insert(tag.clone());
            for s in samples {
                found.entry(s.step).or_default().entry(matrix).or_insert([f64::NAN; NORMS.len()])[which] = s.value;
            }
        }
        let row = |((layer, target), [lambda, w0_fro, w0_l1, delta_fro]): ((u32, &str), [f64; NORMS.len()])| {
            LayerNorm { layer, target: target.into(), lambda, w0_fro, w0_l1, delta_fro, spectrum: Vec::new() }
        };
        found.into_iter().map(|(step, rows)| (step, rows.into_iter().map(row).collect())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_metric_tells_which_way_it_goes() {
        for (id, way) in [
            ("matthews", Better::Higher),
            ("rouge1", Better::Higher),
            ("macro_f1", Better::Higher),
            ("exact_match", Better::Higher),
            ("error_rate", Better::Lower),
            ("Perplexity", Better::Lower),
            ("mse_loss", Better::Lower),
            ("tokens", Better::Unknown),
            ("format", Better::Unknown),
        ] {
            assert_eq!(better(id), way, "{id}");
        }
    }

    #[test]
    fn what_a_device_did_stands_at_the_step_before() {
        let mut run = Foreign::new("Trackio", Path::new("a.db"), "a".into());
        for (step, time) in [(0, 100.0), (1, 110.0), (2, 120.0)] {
            run.push("loss", step, time, 0.5).expect("kept");
        }
        let figures =
            DeviceFigures { utilisation: Some(0.5), memory: 1, memory_total: 2, temperature: None, power: None };
        run.device = [99.0, 100.0, 115.0, 130.0, f64::NAN].map(|at| (at, figures)).to_vec();
        let taken = run.take(&|_| ()).expect("a run").run;
        let found: Vec<_> = taken.device.iter().map(|(step, seconds, _)| (*step, *seconds)).collect();
        assert_eq!(found, [(1, 0.0), (2, 15.0), (3, 30.0)], "what was before the first number is left out");
    }
}
