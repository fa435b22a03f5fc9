//! The rows that a run trains and is scored on: looked at once, tokenised once, shared by runs side by side.

use super::JobError;
use crate::data::survey::{self, Part};
use crate::data::tokens::{Digest, Store};
use crate::data::{self, DataError, Dataset, Rows, Source, Split, Tokenizer};
use crate::spec::RunSpec;
use crate::task::{Origin, Task};
use crate::train::checkpoint::RowsIdentity;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Fewer rows are tokenised anew each time: that takes no time.
const FEW: usize = 2_000;

/// Rows ready for training.
pub struct Prepared {
    pub train: Arc<Dataset>,
    pub validation: Arc<Dataset>,
    pub identity: RowsIdentity,
    /// What is odd about the rows.
    pub warnings: Vec<String>,
}

/// What the rows of `spec` are made of, without reading them as rows.
pub fn identity(spec: &RunSpec, task: &dyn Task) -> Result<RowsIdentity, DataError> {
    let source = Source::resolve(&spec.data)?;
    let digest = |split: Split| {
        let files = data::files(task, &source, split)?;
        if files.is_empty() {
            // Compiled in: another version of the program may have others.
            return Ok(format!("embedded {}", env!("CARGO_PKG_VERSION")));
        }
        let read = Digest::of_files(&files).map_err(|source| DataError::Io { path: files[0].clone(), source });
        read.map(|digest| digest.as_str().to_string())
    };
    let definition = match task.origin() {
        Origin::Own(own) => Digest::of(&[own.definition().as_bytes()]).as_str().into(),
        Origin::Glue(_) => task.id().to_string(),
    };
    Ok(RowsIdentity { definition, train: digest(Split::Train)?, validation: digest(Split::Validation)? })
}

/// Reads and tokenises the rows of `spec`, or takes them from where they are kept; those of training are as many as it asks for.
pub fn prepare(spec: &RunSpec, task: &dyn Task, tokenizer: &Tokenizer, store: &Store) -> Result<Prepared, JobError> {
    let identity = identity(spec, task)?;
    let RowsIdentity { definition, train, validation } = &identity;
    let key = |what: &str, parts: [&str; 2]| {
        let parts = [what, definition, parts[0], parts[1], tokenizer.identity().as_str()];
        Digest::of(&parts.map(str::as_bytes))
    };
    let most = if spec.train_rows > 0 { spec.train_rows.to_string() } else { "all".into() };
    let (of_train, of_validation) = (key("train", [train, &most]), key("validation", [train, validation]));
    let of_warnings = Digest::of(&["warnings", definition, train, validation].map(str::as_bytes));

    let mut read = Read { spec, task, train: None, validation: None };
    let warnings = match store.bytes(&of_warnings).and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        Some(warnings) => warnings,
        None => {
            let warnings = read.survey()?;
            if let (true, Ok(bytes)) = (read.are_many(), serde_json::to_vec(&warnings)) {
                store.keep(&of_warnings, &bytes);
            }
            warnings
        }
    };
    let train = shared(&of_train, store, &mut || {
        let rows = &read.train()?.examples;
        let rows = &rows[..rows.len().min(if spec.train_rows > 0 { spec.train_rows } else { usize::MAX })];
        Ok(Dataset::new(task, tokenizer, rows)?)
    })?;
    let validation =
        shared(&of_validation, store, &mut || Ok(Dataset::new(task, tokenizer, &read.validation()?.examples)?))?;
    Ok(Prepared { train, validation, identity, warnings })
}

/// The rows as far as they had to be read.
struct Read<'a> {
    spec: &'a RunSpec,
    task: &'a dyn Task,
    train: Option<Rows>,
    validation: Option<Rows>,
}

impl Read<'_> {
    fn train(&mut self) -> Result<&Rows, DataError> {
        self.load(Split::Train)
    }

    fn validation(&mut self) -> Result<&Rows, DataError> {
        self.load(Split::Validation)
    }

    fn load(&mut self, split: Split) -> Result<&Rows, DataError> {
        let slot = if split == Split::Train { &mut self.train } else { &mut self.validation };
        Ok(match slot {
            Some(rows) => rows,
            None => slot.insert(data::load_rows(self.task, &Source::resolve(&self.spec.data)?, split)?),
        })
    }

    /// What is odd about the rows; an error where nothing can be learned from them.
    fn survey(&mut self) -> Result<Vec<String>, JobError> {
        self.train()?;
        self.validation()?;
        let (Some(train), Some(validation)) = (&self.train, &self.validation) else { return Ok(Vec::new()) };
        if let Some(why) = survey::hopeless(self.task, &train.examples) {
            return Err(JobError::Hopeless { task: self.task.label().into(), why });
        }
        let part = |name, rows| Part { name, files: Vec::new(), rows };
        Ok(survey::survey(self.task, &[part("train", train), part("validation", validation)]).warnings)
    }

    fn are_many(&self) -> bool {
        self.train.as_ref().is_some_and(|rows| rows.examples.len() >= FEW)
    }
}

/// The rows that live under this key in this process, or are kept, or are made now. Who asks for rows that another thread is making
/// waits for them.
fn shared(
    key: &Digest,
    store: &Store,
    make: &mut dyn FnMut() -> Result<Dataset, JobError>,
) -> Result<Arc<Dataset>, JobError> {
    type Slot = Arc<Mutex<Weak<Dataset>>>;
    static LIVE: Mutex<Option<HashMap<Digest, Slot>>> = Mutex::new(None);
    let slot = {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        let live = live.get_or_insert_default();
        // Slots that nobody holds or waits for any more.
        live.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
        });
        live.entry(key.clone()).or_default().clone()
    };
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(rows) = slot.upgrade() {
        return Ok(rows);
    }
    let rows = match store.rows(key) {
        Some(rows) => Arc::new(rows),
        None => {
            let rows = Arc::new(make()?);
            if rows.len() >= FEW {
                store.keep_rows(key, &rows);
            }
            rows
        }
    };
    *slot = Arc::downgrade(&rows);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelSource;
    use crate::task;
    use std::path::Path;

    /// A folder with so many rows of SST-2 and a store beside it.
    fn folder(rows: usize) -> (tempfile::TempDir, RunSpec, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let line = |i: usize| format!("a film of number {i}\t{}\n", i % 2);
        let text = |range: std::ops::Range<usize>| format!("sentence\tlabel\n{}", range.map(line).collect::<String>());
        std::fs::write(folder.path().join("train.tsv"), text(0..rows)).expect("written");
        std::fs::write(folder.path().join("dev.tsv"), text(rows..rows + 10)).expect("written");
        let spec = RunSpec { data: folder.path().to_str().expect("a path").into(), ..RunSpec::default() };
        let store = Store::at(folder.path().join("kept"));
        (folder, spec, store)
    }

    fn ready(spec: &RunSpec, store: &Store) -> Prepared {
        let bytes = ModelSource::Embedded.tokenizer().expect("a tokenizer");
        let tokenizer = Tokenizer::from_bytes(&bytes, spec.max_length).expect("a tokenizer");
        prepare(spec, task::find(&spec.task).expect("a task"), &tokenizer, store).expect("rows")
    }

    fn append(folder: &Path, line: &str) {
        let path = folder.join("train.tsv");
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, text + line).expect("written");
    }

    #[test]
    fn many_rows_are_tokenised_once_and_anew_where_something_is_another() {
        let (folder, spec, store) = folder(FEW);
        let first = ready(&spec, &store);
        assert_eq!((first.train.len(), first.validation.len()), (FEW, 10));
        // The rows of training and the warnings; few rows are not worth a file.
        assert_eq!(store.kept().files, 2);
        let again = ready(&spec, &store);
        assert!(Arc::ptr_eq(&first.train, &again.train), "runs side by side share them");
        let train = (*first.train).clone();
        drop((first, again));
        assert_eq!(*ready(&spec, &store).train, train, "read from the store");
        ready(&RunSpec { max_length: 6, ..spec.clone() }, &store);
        assert_eq!(store.kept().files, 3, "another length is another file");
        assert_eq!(ready(&RunSpec { train_rows: 5, ..spec.clone() }, &store).train.len(), 5);
        let before = identity(&spec, task::find("sst-2").expect("a task")).expect("hashed");
        append(folder.path(), "a film of number 1\t1\n");
        let after = ready(&spec, &store);
        assert_eq!(after.train.len(), FEW + 1);
        assert_ne!(after.identity.train, before.train);
        assert_eq!(
            after.warnings,
            ["train: 1 of 2001 rows (0.0%) repeats an earlier one, as line 3 and line 2002: \"a film of number 1\""]
        );
        assert_eq!(ready(&spec, &store).warnings, after.warnings, "kept too");
    }

    #[test]
    fn few_rows_leave_nothing_behind() {
        let (_folder, spec, store) = folder(20);
        assert_eq!(ready(&spec, &store).train.len(), 20);
        assert_eq!(ready(&RunSpec { data: String::new(), ..spec }, &store).train.len(), 1_000);
        assert_eq!(store.kept().files, 0);
    }
}
