//! `fetch`: models and GLUE from the Hugging Face hub into its cache, and what is there.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::cache::{self, Cache, DATA_PREFIX, Kind};
use crate::hub::{self, Cached, Fetched, Hub, Progress, Settings, Wanted};
use crate::view::file_size;
use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two plain lines about one file.
const TELL: Duration = Duration::from_secs(10);

pub struct Fetch;

impl Subcommand for Fetch {
    fn command(&self) -> Command {
        let revision = || {
            Arg::new("revision").long("revision").value_name("R").help("a branch, a tag or a commit [default: main]")
        };
        let timeout = || {
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .help("longest time without a byte [env HF_HUB_DOWNLOAD_TIMEOUT; else 30]")
        };
        let id = Arg::new("id")
            .value_name("ID")
            .required(true)
            .help("such as roberta-base, microsoft/MiniLM-L12-H384-uncased, ID@REVISION, or its address");
        let tasks = Arg::new("task").value_name("TASK").num_args(0..).help("cola, sst-2, ... [default: all eight]");
        Command::new("fetch")
            .about("Fetch models and GLUE from the Hugging Face hub into its cache; goes on where a cut left off")
            .after_help(
                "Obeys HF_HOME, HF_HUB_CACHE, HF_ENDPOINT (a mirror), HF_TOKEN and the token file, HF_HUB_OFFLINE=1, HTTPS_PROXY.",
            )
            .subcommand_required(true)
            .subcommand(
                Command::new("model")
                    .about("Configuration, tokenizer and weights; then --model ID (or ID@REVISION) finds them")
                    .arg(id)
                    .arg(revision())
                    .arg(timeout()),
            )
            .subcommand(
                Command::new("glue")
                    .about("Training and validation rows of nyu-mll/glue; then --data hub:nyu-mll/glue finds them")
                    .arg(tasks)
                    .arg(revision())
                    .arg(timeout()),
            )
            .subcommand(Command::new("list").about("What the cache holds"))
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let Some((name, of)) = matches.subcommand() else { return Ok(Answer::Code(code::USAGE)) };
        if name == "list" {
            list(&Cache::from_environment(), globals.json)?;
            return Ok(Answer::Code(code::OK));
        }
        let what = if name == "model" { "id" } else { "task" };
        let mut words = vec![name];
        words.extend(of.get_many::<String>(what).into_iter().flatten().map(String::as_str));
        if let Some(revision) = of.get_one::<String>("revision") {
            words.extend(["--revision", revision]);
        }
        let (wanted, revision) = Wanted::of_words(&words)?;
        let mut settings = Settings::from_environment();
        if let Some(seconds) = of.get_one::<u64>("timeout") {
            settings.timeout = Duration::from_secs(*seconds);
        }
        let hub = Hub::new(settings, Cache::from_environment());
        let mut teller = Teller::new();
        let fetched = hub.fetch(&wanted, &revision, &mut |p| teller.tell(p));
        teller.bar.finish_and_clear();
        let fetched = fetched?;
        if globals.json {
            print_json(&as_json(&fetched))?;
        } else {
            let (bytes, came) = (fetched.files.iter().map(|f| f.bytes).sum(), fetched.downloaded());
            let came = if came == 0 { "all of it was here".into() } else { format!("{} came now", file_size(came)) };
            let (id, files) = (&fetched.id, fetched.files.len());
            outln!("{id} at {}: {files} files, {}; {came}", &fetched.commit[..12], file_size(bytes));
            outln!("in {}", fetched.folder.display());
            outln!("use it with {}", usage(fetched.kind, &fetched.id, &fetched.revision));
        }
        Ok(Answer::Code(code::OK))
    }
}

/// The flag that takes what was fetched.
fn usage(kind: Kind, id: &str, revision: &str) -> String {
    let name = cache::join(id, revision);
    match kind {
        Kind::Model => format!("--model {name}"),
        Kind::Dataset => format!("--data {DATA_PREFIX}{name}"),
    }
}

fn as_json(fetched: &Fetched) -> Value {
    let files: Vec<Value> =
        fetched.files.iter().map(|f| json!({ "name": f.name, "bytes": f.bytes, "downloaded": f.downloaded })).collect();
    json!({
        "kind": fetched.kind.as_str(), "id": fetched.id, "revision": fetched.revision, "commit": fetched.commit,
        "folder": fetched.folder, "files": files, "downloaded": fetched.downloaded(),
    })
}

fn list(cache: &Cache, json: bool) -> anyhow::Result<()> {
    let all = hub::list(cache);
    if json {
        let one = |c: &Cached| {
            let files: Vec<Value> =
                c.files.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
            json!({ "kind": c.kind.as_str(), "id": c.id, "revision": c.revision, "commit": c.commit, "bytes": c.bytes(), "files": files })
        };
        return print_json(&all.iter().map(one).collect::<Vec<_>>());
    }
    let width = all.iter().map(|c| c.name().len()).max().unwrap_or(0).max(40);
    for c in &all {
        outln!("{:8} {:width$} {} {:>10}", c.kind.as_str(), c.name(), &c.commit[..12], file_size(c.bytes()));
    }
    if all.is_empty() {
        outln!("nothing in {}; eigenscope fetch model roberta-base", cache.root().display());
    }
    Ok(())
}

/// Tells of each piece on stderr: a bar in a terminal, else a line now and then.
struct Teller {
    bar: ProgressBar,
    terminal: bool,
    file: String,
    told: Instant,
}

impl Teller {
    fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style =
            ProgressStyle::with_template("{prefix} {msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, terminal, file: String::new(), told: Instant::now() }
    }

    fn tell(&mut self, p: &Progress) {
        if p.file.is_empty() {
            self.say("asking the hub for the list of files");
            return;
        }
        let place = format!("{}/{}", p.index + 1, p.files);
        if p.file != self.file {
            self.file.clone_from(&p.file);
            self.told = Instant::now();
            self.bar.set_prefix(place.clone());
            self.bar.reset();
            let here = p.size.is_some_and(|size| size == p.resumed);
            self.say(&format!("{place} {}{}", p.file, if here { ": is here" } else { "" }));
        }
        if let Some(size) = p.size {
            self.bar.set_length(size);
        }
        self.bar.set_position(p.done);
        self.bar.set_message(p.note.as_ref().map_or_else(|| p.file.clone(), |note| format!("{}: {note}", p.file)));
        if !self.terminal && self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let of = p.size.map(|size| format!(" of {}", file_size(size))).unwrap_or_default();
            let note = p.note.as_ref().map(|n| format!(", {n}")).unwrap_or_default();
            self.say(&format!("{place} {}: {}{of}{note}", p.file, file_size(p.done)));
        }
    }

    fn say(&self, text: &str) {
        if !self.terminal {
            eprintln!("{text}");
        }
    }
}
