//! The rows of a task, read to be looked at: their survey, their lengths in tokens, some of them with their tokens.

use super::{JobError, tokenizer};
use crate::data::survey::{self, Part};
use crate::data::{self, DataError, Rows, Source, Split, Tokenizer};
use crate::model::ModelSource;
use crate::record::{Lengths, RowsOf, Sample, Survey, Token};
use crate::spec::RunSpec;
use crate::task::{self, Origin, Task};
use rayon::prelude::*;
use std::path::PathBuf;

/// Most rows of a split that are measured; of more, so many evenly spaced ones.
const MEASURED: usize = 20_000;
/// Rows that are measured between two questions whether to go on.
const STRETCH: usize = 1_000;
/// Longer rows are not told apart.
const LONGEST: usize = 1 << 20;

/// Rows with what was found of them.
pub struct Look {
    pub survey: Survey,
    /// Why there are no tokens: the model is not here, or is none.
    pub no_tokens: Option<String>,
    task: &'static dyn Task,
    max_length: usize,
    splits: Vec<Rows>,
    /// That cuts at the length asked for, and that never does.
    tokenizers: Option<(Tokenizer, Tokenizer)>,
}

impl Look {
    /// Reads all rows; those of a split that was not measured have no lengths yet.
    pub fn of(of: &RowsOf) -> Result<Self, JobError> {
        let RowsOf { task, data, model, max_length } = of.clone();
        let spec = RunSpec { task, data, model, max_length, ..RunSpec::default() };
        let task = task::find(&spec.task)?;
        let from = Source::resolve(&spec.data)?;
        from.check(task)?;
        let mut splits = Vec::new();
        let mut files = Vec::new();
        for split in [Split::Train, Split::Validation] {
            splits.push(data::load_rows(task, &from, split)?);
            files.push(names(&data::files(task, &from, split)?));
        }
        if let Origin::Own(own) = task.origin()
            && let Some(path) = &own.test
        {
            splits.push(data::load_file_rows(task, path)?);
            files.push(names(std::slice::from_ref(path)));
        }
        let parts: Vec<Part> = ["train", "validation", "test"]
            .into_iter()
            .zip(&splits)
            .zip(files)
            .map(|((name, rows), files)| Part { name, files, rows })
            .collect();
        let survey = survey::survey(task, &parts);
        let (tokenizers, no_tokens) = match tokenizers(&spec) {
            Ok(both) => (Some(both), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Ok(Self { survey, no_tokens, task, max_length, splits, tokenizers })
    }

    /// Measures the rows of a split, as long as `goes_on`; false where it did not.
    pub fn measure(&mut self, split: usize, goes_on: &dyn Fn() -> bool) -> Result<bool, JobError> {
        let (Some((_, whole)), Some(rows)) = (&self.tokenizers, self.splits.get(split)) else { return Ok(true) };
        let examples = &rows.examples;
        let count = examples.len().min(MEASURED);
        let mut lengths: Vec<u64> = Vec::with_capacity(count);
        while lengths.len() < count {
            if !goes_on() {
                return Ok(false);
            }
            let stretch = lengths.len()..(lengths.len() + STRETCH).min(count);
            let length = |i: usize| {
                let row = whole.encode_example(&examples[i * examples.len() / count])?;
                Ok(row.ids.len() as u64)
            };
            lengths.extend(stretch.into_par_iter().map(length).collect::<Result<Vec<u64>, DataError>>()?);
        }
        self.survey.splits[split].lengths = Some(Lengths::of(&lengths, self.max_length as u64));
        Ok(true)
    }

    /// Rows of a split that hold the query in any letters; all where it is empty.
    pub fn search(&self, split: usize, query: &str) -> Vec<u32> {
        let Some(rows) = self.splits.get(split) else { return Vec::new() };
        let query = query.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&query);
        let label = |label: f64| holds(&survey::label_text(self.task, label));
        let examples = rows.examples.par_iter().enumerate();
        let found = examples.filter(|(_, e)| {
            query.is_empty() || holds(&e.text) || e.pair.as_deref().is_some_and(holds) || label(e.label)
        });
        found.map(|(i, _)| i as u32).collect()
    }

    /// Rows of a split as they are shown.
    pub fn samples(&self, split: usize, rows: &[u32]) -> Result<Vec<Sample>, JobError> {
        let Some(all) = self.splits.get(split) else { return Ok(Vec::new()) };
        let sample = |row: &u32| -> Result<Sample, JobError> {
            let row = *row as usize;
            let example = &all.examples[row];
            let (tokens, whole) = match &self.tokenizers {
                None => (Vec::new(), 0),
                Some((cut, whole)) => {
                    let ids = cut.encode_example(example)?.ids;
                    let token = |id: u32| Token { id, piece: cut.token(id).unwrap_or_default() };
                    (ids.into_iter().map(token).collect(), whole.encode_example(example)?.ids.len())
                }
            };
            Ok(Sample {
                text: example.text.clone(),
                pair: example.pair.clone(),
                label: survey::label_text(self.task, example.label),
                place: all.place(row),
                tokens,
                whole,
            })
        };
        rows.iter().filter(|row| (**row as usize) < all.examples.len()).map(sample).collect()
    }
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|path| path.display().to_string()).collect()
}

fn tokenizers(spec: &RunSpec) -> Result<(Tokenizer, Tokenizer), JobError> {
    let model = ModelSource::resolve(&spec.model)?;
    let (config, bytes) = (model.config()?, model.tokenizer()?);
    let long = RunSpec { max_length: LONGEST, ..spec.clone() };
    Ok((tokenizer(spec, &config, &bytes)?, tokenizer(&long, &config, &bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_counted_measured_and_shown() {
        let of = RowsOf { max_length: 24, ..RowsOf::default() };
        let mut look = Look::of(&of).expect("rows");
        assert_eq!((look.survey.task.as_str(), look.survey.splits.len()), ("SST-2", 2));
        assert_eq!((look.survey.splits[0].rows, look.survey.splits[1].rows), (1_000, 250));
        assert!(look.survey.splits[0].files.is_empty(), "compiled in");
        assert!(!look.measure(0, &|| false).expect("measured"));
        assert!(look.measure(0, &|| true).expect("measured"));
        let lengths = look.survey.splits[0].lengths.clone().expect("measured");
        assert_eq!((lengths.measured, lengths.max_length), (1_000, 24));
        assert!(lengths.cut > 0 && lengths.longest > 24, "{lengths:?}");
        let all = look.search(0, "");
        assert_eq!(all.len(), 1_000);
        let found = look.search(0, "Movie");
        assert!(!found.is_empty() && found.len() < 1_000);
        let samples = look.samples(0, &found[..2]).expect("rows");
        assert!(samples.iter().all(|s| s.text.to_lowercase().contains("movie")), "{samples:?}");
        assert!(samples[0].place.starts_with("line ") && !samples[0].tokens.is_empty());
        assert!(samples[0].tokens.len() <= 24 && samples[0].whole >= samples[0].tokens.len());
    }

    #[test]
    fn rows_are_looked_at_without_the_model_too() {
        let mut look = Look::of(&RowsOf { model: "no-such-model".into(), ..RowsOf::default() }).expect("rows");
        assert!(look.no_tokens.as_deref().is_some_and(|why| why.contains("no-such-model")));
        assert!(look.measure(0, &|| true).expect("nothing to measure"));
        assert_eq!(look.survey.splits[0].lengths, None);
        assert!(look.samples(1, &[0, 9_999]).expect("rows")[0].tokens.is_empty());
        assert!(Look::of(&RowsOf { task: "nothing".into(), ..RowsOf::default() }).is_err());
    }
}
