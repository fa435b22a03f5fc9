//! Which adapter predicts which test file, and what is missing for a whole submission.

use crate::adapter;
use crate::chart::table1::Table1;
use crate::cli::{Globals, saved_of};
use crate::data::submission::{Sheet, SubmissionError, WNLI_LABEL, sheets};
use crate::data::{DataError, Example, Source, load_test, test_files};
use crate::event::Status;
use crate::job::{Given, Saved, predict};
use crate::record::RunSummary;
use crate::store::Store;
use crate::task;
use std::path::{Path, PathBuf};

/// A saved adapter as it was named.
pub struct Adapter {
    pub name: String,
    pub saved: Saved,
}

/// A test file that can be predicted.
pub struct Part {
    pub sheet: Sheet,
    /// Of its rows.
    paths: Vec<PathBuf>,
    rows: Vec<Example>,
    /// Place among the adapters; none for WNLI.
    adapter: Option<usize>,
}

impl Part {
    /// The first of its files.
    pub fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Who predicts it.
    pub fn adapter<'a>(&self, adapters: &'a [Adapter]) -> Option<&'a str> {
        self.adapter.map(|i| adapters[i].name.as_str())
    }
}

pub struct Plan {
    pub adapters: Vec<Adapter>,
    pub parts: Vec<Part>,
    /// What a whole submission lacks, a line each.
    pub missing: Vec<String>,
    /// What it may lack and does.
    pub left_out: Vec<String>,
}

/// The adapters with these names.
pub fn named(names: &[&String], globals: &Globals) -> anyhow::Result<Vec<Adapter>> {
    let open = |name: &&String| {
        Ok(Adapter { name: name.to_string(), saved: saved_of(name, globals, &Given::default())?.saved })
    };
    let all: Vec<Adapter> = names.iter().map(open).collect::<anyhow::Result<_>>()?;
    for (i, one) in all.iter().enumerate() {
        let task = one.saved.task;
        if task::glue(task.id()).is_none() {
            return Err(SubmissionError::NotGlue { name: one.name.clone(), task: task.label().into() }.into());
        }
        if let Some(other) = all[..i].iter().find(|a| a.saved.task.id() == task.id()) {
            let found = vec![other.name.clone(), one.name.clone()];
            return Err(SubmissionError::Twice { task: task.label(), found }.into());
        }
    }
    Ok(all)
}

/// The best finished run of each task with a method, on one model and the same data.
pub fn best(method: &str, model: Option<&str>, globals: &Globals) -> anyhow::Result<Vec<Adapter>> {
    let method = adapter::find(method)?.id();
    let mut runs = Store::open(&globals.runs)?.reader()?.list()?;
    runs.retain(|r| !r.archived && r.status == Status::Done && r.best.is_some() && r.spec.method == method);
    runs.retain(|r| task::glue(&r.spec.task).is_some());
    let mut sources = Table1::of(&runs, &[], None).sources;
    sources.retain(|s| model.is_none_or(|model| s.model == model));
    let Some(source) = sources.first() else { return Ok(Vec::new()) };
    eprintln!("best finished runs of {method}: {}", source.text());
    runs.retain(|r| r.spec.model == source.model && r.spec.data == source.data);
    let mut chosen: Vec<&RunSummary> = Vec::new();
    // From the oldest: of equals the older stays.
    for run in runs.iter().rev() {
        match chosen.iter_mut().find(|c| c.spec.task == run.spec.task) {
            Some(other) if run.best > other.best => *other = run,
            Some(_) => {}
            None => chosen.push(run),
        }
    }
    let open = |run: &&RunSummary| {
        let saved = Saved::of_run(&run.spec, &globals.runs.join(run.id.as_str()))?;
        Ok(Adapter { name: run.id.to_string(), saved })
    };
    chosen.iter().map(open).collect()
}

/// What `data` is, a folder or `hub:ID`.
pub fn source(data: &Path) -> Result<Source, DataError> {
    data.to_str().map_or_else(|| Ok(Source::Folder(data.into())), Source::resolve)
}

impl Plan {
    /// Reads the test files of `data` or, without it, of the folder that each adapter was trained on.
    pub fn of(adapters: Vec<Adapter>, data: Option<&Path>) -> anyhow::Result<Self> {
        let mut plan = Self { adapters, parts: Vec::new(), missing: Vec::new(), left_out: Vec::new() };
        for sheet in sheets() {
            let entry = sheet.entry();
            match plan.place(&sheet, data) {
                Ok((adapter, paths)) => {
                    let rows = load_test(&sheet.file, sheet.task, &paths)?;
                    plan.parts.push(Part { sheet, paths, rows, adapter });
                }
                Err(why) if sheet.file.optional => plan.left_out.push(format!("{entry}: {why}")),
                Err(why) => plan.missing.push(format!("{entry}: {why}")),
            }
        }
        Ok(plan)
    }

    /// The adapter of a sheet and its test file, or what is not there.
    fn place(&self, sheet: &Sheet, data: Option<&Path>) -> Result<(Option<usize>, Vec<PathBuf>), String> {
        let of = |task: &str| self.adapters.iter().position(|a| a.saved.task.id() == task);
        let adapter = match sheet.task {
            None => None,
            Some(task) => Some(of(task.id()).ok_or_else(|| format!("no finished run of {}", task.label()))?),
        };
        let trained_on = |i: usize| Some(self.adapters[i].saved.spec.data.as_str()).filter(|d| !d.is_empty());
        let any = || (0..self.adapters.len()).find_map(trained_on);
        let folder = data.or_else(|| adapter.map_or_else(any, trained_on).map(Path::new));
        let folder = folder.ok_or("no test rows are embedded: --data DIR names GLUE's files")?;
        let found = source(folder).and_then(|source| test_files(&source, &sheet.file, sheet.task));
        let found = found.map_err(|e| e.to_string())?;
        if found.is_empty() {
            return Err(format!("no file {}", folder.join(&sheet.file.path).display()));
        }
        Ok((adapter, found))
    }

    /// Labels of every part; `progress` hears of which file how many rows of all are done.
    pub fn predict(&self, progress: &mut dyn FnMut(&str, usize, usize)) -> anyhow::Result<Vec<Vec<String>>> {
        let mut labels: Vec<Vec<String>> =
            self.parts.iter().map(|p| vec![WNLI_LABEL.to_string(); p.rows.len()]).collect();
        let mut loaded = None;
        for (i, Adapter { saved, .. }) in self.adapters.iter().enumerate() {
            if !self.parts.iter().any(|p| p.adapter == Some(i)) {
                continue;
            }
            // Most have the same model.
            let model = match loaded.take() {
                Some((of, model)) if of == saved.spec.model => model,
                _ => saved.model()?,
            };
            let mut backend = saved.backend(&model)?;
            for (part, labels) in self.parts.iter().zip(&mut labels).filter(|(p, _)| p.adapter == Some(i)) {
                let entry = part.sheet.entry();
                let mut of_file = |done: usize, all: usize| progress(&entry, done, all);
                *labels = predict(saved, &model, &mut *backend, &part.rows, &mut of_file)?;
            }
            drop(backend);
            loaded = Some((saved.spec.model.clone(), model));
        }
        Ok(labels)
    }
}
