//! TensorBoard's folders of event files: one folder for each run, read and written.

use super::event::{self, Content};
use super::foreign::Foreign;
use super::tfrecord::{self, Next, Records};
use super::{Source, Target, TrackerError, Writer};
use crate::event::Status;
use crate::record::History;
use crate::spec::FIELDS;
use crate::untrusted::brief;
use crate::whole::Part;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What TensorBoard knows an event file by.
const MARK: &str = "tfevents";
/// How deep folders are looked into, and most files in all.
const DEPTH: usize = 8;
const MOST_FILES: usize = 10_000;
/// Tags of texts that are a run's settings in JSON, as Hugging Face's Trainer writes them.
const ARGUMENTS: [&str; 2] = ["args/text_summary", "model_config/text_summary"];

pub struct TensorBoard;

impl Source for TensorBoard {
    fn name(&self) -> &'static str {
        "TensorBoard"
    }

    fn knows(&self, path: &Path) -> bool {
        match path.is_dir() {
            true => event_files(path).is_ok_and(|found| !found.is_empty()),
            false => is_event_file(path),
        }
    }

    fn read(&self, path: &Path) -> Result<(Vec<Foreign>, Vec<String>), TrackerError> {
        let whole = path.canonicalize().map_err(TrackerError::io(path))?;
        let root = if whole.is_dir() { whole.as_path() } else { whole.parent().unwrap_or(&whole) };
        let found = match whole.is_dir() {
            true => event_files(&whole)?,
            false => BTreeMap::from([(root.to_path_buf(), vec![whole.clone()])]),
        };
        let mut remarks = Vec::new();
        let mut runs: Vec<(PathBuf, Foreign)> = Vec::new();
        for (folder, files) in found {
            let inside = folder.strip_prefix(root).unwrap_or(&folder);
            let named =
                if inside.as_os_str().is_empty() { folder.file_name().unwrap_or_default() } else { inside.as_os_str() };
            let mut run = Foreign::new(self.name(), &folder, named.to_string_lossy().into_owned());
            files.iter().try_for_each(|file| read_file(file, &mut run, &mut remarks))?;
            // PyTorch's writer puts the hyperparameters of a run into a folder of their own in the run's.
            let outer = runs.iter_mut().find(|(of, _)| folder.parent() == Some(of));
            match outer {
                Some((_, outer)) if run.is_only_settings() => outer.settings.append(&mut run.settings),
                _ => runs.push((folder, run)),
            }
        }
        Ok((runs.into_iter().map(|(_, run)| run).collect(), remarks))
    }
}

fn is_event_file(path: &Path) -> bool {
    path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().contains(MARK))
}

/// Event files under a folder by the folder that they lie in, each folder's by name: that is by time. Links to folders are not
/// followed.
fn event_files(root: &Path) -> Result<BTreeMap<PathBuf, Vec<PathBuf>>, TrackerError> {
    let (mut found, mut count) = (BTreeMap::<PathBuf, Vec<PathBuf>>::new(), 0);
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(TrackerError::io(&folder))? {
            let entry = entry.map_err(TrackerError::io(&folder))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|t| t.is_dir()) && depth < DEPTH {
                folders.push((path, depth + 1));
            } else if is_event_file(&path) {
                count += 1;
                found.entry(folder.clone()).or_default().push(path);
            }
        }
        if count > MOST_FILES {
            return Err(TrackerError::content(
                root,
                format!("more than {MOST_FILES} event files; give a folder in it"),
            ));
        }
    }
    found.values_mut().for_each(|files| files.sort());
    Ok(found)
}

/// Adds what an event file says.
fn read_file(path: &Path, run: &mut Foreign, remarks: &mut Vec<String>) -> Result<(), TrackerError> {
    let mut records = Records::open(path)?;
    loop {
        let (at, bytes) = match records.next()? {
            Next::Record { at, bytes } => (at, bytes),
            Next::End => return Ok(()),
            Next::Cut { at } => {
                remarks.push(format!(
                    "{}: ends within the record at byte {at}, as while it is being written; that record is left out",
                    brief(&path.display().to_string(), 400)
                ));
                return Ok(());
            }
        };
        let event = event::read(&bytes).map_err(|what| records.wrong(at, format!("found {what}")))?;
        if run.origin.is_empty() {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            run.origin = format!("{file} of {}", event.time);
            run.began = Some(event.time);
        }
        for (tag, content) in event.values {
            match content {
                Content::Scalar(value) => run.push(&tag, event.step, event.time, value)?,
                Content::Settings(of) => run.settings.extend(of),
                Content::Text(text) if ARGUMENTS.contains(&tag.as_str()) => {
                    if let Ok(Value::Object(of)) = serde_json::from_str(&text) {
                        // The run's own arguments stand before its model's.
                        for (name, value) in of {
                            run.settings.entry(name).or_insert(value);
                        }
                    }
                }
                Content::Text(_) | Content::Other => {}
            }
        }
    }
}

impl Target for TensorBoard {
    fn id(&self) -> &'static str {
        "tensorboard"
    }

    fn help(&self) -> &'static str {
        "a folder of event files for each run"
    }

    fn begin(&self, path: &Path) -> Result<Box<dyn Writer>, TrackerError> {
        fs::create_dir_all(path).map_err(TrackerError::io(path))?;
        Ok(Box::new(Folder { path: path.into(), written: Vec::new() }))
    }
}

/// The folder of several runs' folders.
struct Folder {
    path: PathBuf,
    written: Vec<PathBuf>,
}

impl Writer for Folder {
    fn add(&mut self, run: &History) -> Result<(), TrackerError> {
        let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = run.summary.name.chars().map(safe).collect();
        let folder = self.path.join(format!("{}-{name}", run.summary.id));
        let start = run.summary.started.unwrap_or(run.summary.created);
        let path = folder.join(format!("events.out.{MARK}.{start:.0}.eigenscope"));
        let put = || {
            let mut part = Part::beside(&path)?;
            let mut out = BufWriter::new(&mut part);
            write_events(&mut out, run, start)?;
            out.flush()?;
            drop(out);
            part.keep()
        };
        put().map_err(TrackerError::io(&path))?;
        self.written.push(path);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<PathBuf>, TrackerError> {
        Ok(self.written)
    }
}

/// Every number of a run, and its settings for TensorBoard's table of hyperparameters.
fn write_events(out: &mut impl Write, run: &History, start: f64) -> std::io::Result<()> {
    let settings: Vec<(String, Value)> = FIELDS
        .iter()
        .map(|f| (f.name, f.get(&run.summary.spec)))
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_string(), text.parse::<f64>().map_or(Value::from(text), Value::from)))
        .collect();
    tfrecord::write(out, &event::version(start).0)?;
    tfrecord::write(out, &event::settings(start, &settings).0)?;
    for p in &run.points {
        tfrecord::write(out, &event::scalar(start + p.seconds, p.step, "train/epoch", p.epoch).0)?;
    }
    run.scalars(|s| {
        let tag = match s.matrix {
            None => s.series.into_owned(),
            Some((layer, target)) => format!("{}/{layer:02}.{target}", s.series),
        };
        tfrecord::write(out, &event::scalar(start + s.seconds, s.step, &tag, s.value).0)
    })?;
    match run.summary.status {
        status if status.is_live() || status == Status::Queued => Ok(()),
        status => {
            let end = start + run.summary.seconds;
            tfrecord::write(out, &event::ended(end, status == Status::Done).0)
        }
    }
}
