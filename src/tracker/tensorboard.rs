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

/// Longest of them in bytes.
const LONGEST: usize = 1 << 20;
/// The folder of Keras's training and what its tags begin with.
const TRAINING: &str = "train";
const KERAS: &str = "epoch_";

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
            let mut run = Foreign::new(self.name(), &folder, name(root, &folder));
            files.iter().try_for_each(|file| read_file(file, &mut run, &mut remarks))?;
            // Folders come after the one that they lie in, and by name.
            let place = |of: &Path| runs.iter().position(|(known, _)| known == of);
            let outer = folder.parent().and_then(place);
            let beside = folder.parent().map(|of| of.join(TRAINING)).as_deref().and_then(place);
            match (outer, beside) {
                // PyTorch's writer puts the hyperparameters of a run into a folder of their own in the run's.
                (Some(i), _) if run.is_only_settings() => runs[i].1.settings.append(&mut run.settings),
                (Some(i), _) if let Some(tag) = one_of_several(&folder, &run) => {
                    runs[i].1.absorb(run, |_| tag.clone())?
                }
                (_, Some(i)) if is_validation(&folder, &run) => {
                    if let Some(of) = folder.parent() {
                        runs[i].1.name = name(root, of);
                    }
                    runs[i].1.absorb(run, |tag| tag.replacen(KERAS, "val_", 1))?;
                }
                _ => runs.push((folder, run)),
            }
        }
        Ok((runs.into_iter().map(|(_, run)| run).collect(), remarks))
    }
}

/// A run's name from its folder: from the one that was asked for on, else that one's own.
fn name(root: &Path, folder: &Path) -> String {
    let inside = folder.strip_prefix(root).unwrap_or(folder);
    let named = if inside.as_os_str().is_empty() { root.file_name().unwrap_or_default() } else { inside.as_os_str() };
    named.to_string_lossy().into_owned()
}

/// PyTorch's `add_scalars` puts each of its series into a folder beside the run's files, named like the tag and then the series: it is
/// the run's `tag/series`.
fn one_of_several(folder: &Path, run: &Foreign) -> Option<String> {
    let mut tags = run.tags();
    let (tag, None) = (tags.next()?, tags.next()) else { return None };
    let series = folder.file_name()?.to_str()?.strip_prefix(&tag.replace('/', "_"))?.strip_prefix('_')?;
    Some(format!("{tag}/{series}")).filter(|_| !series.is_empty())
}

/// Keras puts what it finds on validation rows into a folder beside that of training, under the same tags.
fn is_validation(folder: &Path, run: &Foreign) -> bool {
    let mut tags = run.tags().peekable();
    folder.ends_with("validation")
        && tags.peek().is_some()
        && tags.all(|tag| tag.starts_with(KERAS) || tag.starts_with("evaluation_"))
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
        if event.restarts {
            run.forget_from(event.step);
        }
        for (tag, content) in event.values {
            match content {
                Content::Scalar(value) => run.push(&tag, event.step, event.time, value)?,
                Content::Settings(of) => run.settings.extend(of),
                Content::Text(text) if ARGUMENTS.contains(&tag.as_str()) && text.len() > LONGEST => {
                    let file = brief(&path.display().to_string(), 400);
                    remarks.push(format!("{file}: {tag} of {} bytes, more than {LONGEST}: left out", text.len()));
                }
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

#[cfg(test)]
mod tests {
    use super::super::proto::Message;
    use super::super::{Taken, TrackerError};
    use super::*;

    /// Events under way to a file of a folder.
    #[derive(Default)]
    struct Events(Vec<u8>);

    impl Events {
        fn add(mut self, message: Message) -> Self {
            tfrecord::write(&mut self.0, &message.0).expect("in memory");
            self
        }

        fn scalars(self, tag: &str, of: &[(u64, f64)]) -> Self {
            let add =
                |to: Self, (step, value): &(u64, f64)| to.add(event::scalar(100.0 + *step as f64, *step, tag, *value));
            of.iter().fold(self, add)
        }

        /// As PyTorch's writer with `purge_step`.
        fn restart(self, step: u64) -> Self {
            self.add(Message::default().double(1, 200.0).varint(2, step).bytes(7, Message::default().varint(1, 1)))
        }

        fn text(self, tag: &str, text: &str) -> Self {
            let tensor = Message::default().varint(1, 7).bytes(8, text);
            let value = Message::default().bytes(1, tag).bytes(8, tensor);
            self.add(Message::default().double(1, 100.0).bytes(5, Message::default().bytes(1, value)))
        }

        fn save(self, folder: PathBuf, number: u32) {
            fs::create_dir_all(&folder).expect("a folder");
            let begin = Events::default().add(event::version(100.0 + f64::from(number)));
            let name = format!("events.out.tfevents.{number}");
            fs::write(folder.join(name), [begin.0, self.0].concat()).expect("written");
        }
    }

    fn read(path: &Path) -> (Vec<Taken>, Vec<String>) {
        let (runs, remarks) = TensorBoard.read(path).expect("read");
        (runs.into_iter().map(|run| run.take(&|_| ()).expect("a known series")).collect(), remarks)
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("logs");
        (place, root)
    }

    #[test]
    fn the_tags_of_the_tutorials_are_known() {
        let (_place, root) = place();
        let log = Events::default().scalars("Loss/train", &[(1, 0.9), (2, 0.8)]).scalars("Loss/test", &[(2, 0.7)]);
        log.scalars("Accuracy/test", &[(2, 0.6)]).scalars("Accuracy/train", &[(1, 0.5)]).save(root.clone(), 1);
        let (runs, _) = read(&root);
        let run = &runs[0].run;
        assert_eq!(run.points.iter().map(|p| (p.step, p.loss)).collect::<Vec<_>>(), [(1, 0.9), (2, 0.8)]);
        let told: Vec<_> = run.evaluations.iter().map(|e| (e.step, e.loss, e.scores.clone())).collect();
        assert_eq!(told, [(2, 0.7, vec![("accuracy".to_string(), 0.6)])]);
        assert_eq!(runs[0].left_out, ["Accuracy/train"]);
    }

    #[test]
    fn keras_writes_one_run_into_two_folders() {
        let (_place, root) = place();
        let log = Events::default().scalars("epoch_loss", &[(0, 0.9), (1, 0.8)]);
        log.scalars("epoch_learning_rate", &[(0, 0.01), (1, 0.01)]).save(root.join("a/train"), 1);
        let log = Events::default().scalars("epoch_loss", &[(0, 0.7), (1, 0.6)]);
        log.scalars("epoch_accuracy", &[(0, 0.25), (1, 0.5)]).save(root.join("a/validation"), 2);
        let (runs, _) = read(&root);
        let [Taken { run, left_out }] = &runs[..] else { panic!("{} runs", runs.len()) };
        assert_eq!((run.spec.name.as_str(), run.spec.lr, left_out.len()), ("a", 0.01, 0));
        assert_eq!(run.points.iter().map(|p| p.loss).collect::<Vec<_>>(), [0.9, 0.8]);
        let told: Vec<_> = run.evaluations.iter().map(|e| (e.loss, e.scores.clone())).collect();
        let accuracy = |v: f64| vec![("accuracy".to_string(), v)];
        assert_eq!(told, [(0.7, accuracy(0.25)), (0.6, accuracy(0.5))]);
        assert_eq!(read(&root.join("a")).0[0].run.spec.name, "a", "from its own folder too");
    }

    #[test]
    fn several_scalars_of_a_tag_are_the_runs_own() {
        let (_place, root) = place();
        Events::default().scalars("lr", &[(1, 0.1)]).save(root.join("x"), 1);
        Events::default().scalars("Loss", &[(1, 0.9)]).save(root.join("x/Loss_train"), 2);
        Events::default().scalars("Loss", &[(1, 0.7)]).save(root.join("x/Loss_test"), 3);
        // Another run that lies in it stays one.
        Events::default().scalars("loss", &[(1, 0.5)]).save(root.join("x/second"), 4);
        let (runs, _) = read(&root);
        let told: Vec<_> = runs.iter().map(|t| (t.run.spec.name.as_str(), t.run.points[0].loss)).collect();
        assert_eq!(told, [("x", 0.9), ("x/second", 0.5)]);
        assert_eq!(runs[0].run.evaluations[0].loss, 0.7);
    }

    #[test]
    fn what_a_restart_gave_up_is_forgotten() {
        let (_place, root) = place();
        Events::default().scalars("loss", &[(1, 0.9), (2, 0.8), (3, 5.0), (4, 6.0)]).save(root.clone(), 1);
        Events::default().restart(3).scalars("loss", &[(3, 0.7)]).save(root.clone(), 2);
        let points: Vec<_> = read(&root).0[0].run.points.iter().map(|p| (p.step, p.loss)).collect();
        assert_eq!(points, [(1, 0.9), (2, 0.8), (3, 0.7)]);
    }

    #[test]
    fn what_is_too_large_is_left_out_or_refused() {
        let (_place, root) = place();
        let log = Events::default().scalars("loss", &[(1, 0.9)]).scalars(&"x".repeat(5_000), &[(1, 1.0)]);
        let long = format!("{{\"seed\": 3, \"x\": \"{}\"}}", " ".repeat(LONGEST));
        log.text(ARGUMENTS[0], &long).text(ARGUMENTS[1], "{\"lr\": 0.5}").save(root.clone(), 1);
        let (runs, remarks) = read(&root);
        assert_eq!((runs[0].run.spec.seed, runs[0].run.spec.lr, runs[0].left_out.len()), (0, 0.5, 0));
        assert!(remarks.len() == 1 && remarks[0].contains("args/text_summary of 1048"), "{remarks:?}");
        // Two bytes for each value of an event.
        let many = Message([0x0a, 0].repeat(100_001));
        Events::default().add(Message::default().bytes(5, many)).save(root.clone(), 2);
        let error = TensorBoard.read(&root).expect_err("refused");
        assert!(
            matches!(&error, TrackerError::Record { what, .. } if what.contains("more than 100000 values")),
            "{error}"
        );
    }
}
