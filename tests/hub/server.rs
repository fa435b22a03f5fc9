//! A server on the loopback that answers as the Hugging Face hub does: lists of files, small files by themselves, large ones by a
//! redirect to another host that knows no token. It can be told to do everything wrong that a network can.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What goes wrong at the next request for the content of a large file.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends after so many bytes.
    Cut(usize),
    /// Nothing more comes after so many bytes, and the connection stays.
    Stall(usize),
    /// Pieces of so many bytes with a pause between them.
    Slow(usize, Duration),
    /// The whole file, whatever part was asked for.
    IgnoreRange,
    /// Other bytes of the same number.
    Wrong,
    Status(u16),
    /// As a cut after so many bytes, and no connection is taken for so long.
    Away(usize, Duration),
    /// Too many requests: come again after so many seconds.
    RetryAfter(u64),
}

/// What goes wrong at every request to the hub itself: status, `X-Error-Code`.
pub type Refusal = (u16, &'static str);

#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub token: Option<String>,
    /// Came to the host of the content, not to the hub.
    pub elsewhere: bool,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    seen: Vec<Seen>,
    faults: VecDeque<Fault>,
    /// The same at the next requests for the list of files.
    of_lists: VecDeque<Fault>,
    away: Option<Instant>,
    refusal: Option<Refusal>,
    /// Only requests with this token are answered.
    token: Option<String>,
}

/// Repositories of this kind and id at one commit.
pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Files from this size on lie elsewhere.
const LARGE: usize = 10_000;

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Server {
    /// The repository's API path (`models/org/tiny`), and its files.
    pub fn start(repo: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_string(), bytes.clone())).collect();
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (hub, elsewhere) = (listen(), listen());
        let address = |l: &TcpListener| format!("http://{}", l.local_addr().expect("an address"));
        let (own, other) = (address(&hub), address(&elsewhere));
        for (listener, is_elsewhere) in [(hub, false), (elsewhere, true)] {
            let (state, repo, other) = (state.clone(), repo.to_string(), other.clone());
            std::thread::spawn(move || {
                let at = listener.local_addr().expect("an address");
                listener.set_nonblocking(true).expect("a listener");
                let mut listener = Some(listener);
                loop {
                    let away = state.lock().expect("no panic").away.is_some_and(|until| Instant::now() < until);
                    if away {
                        listener = None;
                    } else if listener.is_none() {
                        listener = TcpListener::bind(at).ok();
                        listener.iter().for_each(|l| l.set_nonblocking(true).expect("a listener"));
                    }
                    let Some(Ok((stream, _))) = listener.as_ref().map(TcpListener::accept) else {
                        std::thread::sleep(Duration::from_millis(1));
                        continue;
                    };
                    stream.set_nonblocking(false).expect("a stream");
                    let (state, repo, other) = (state.clone(), repo.clone(), other.clone());
                    std::thread::spawn(move || {
                        let _ = serve(stream, &state, &repo, &other, is_elsewhere);
                    });
                }
            });
        }
        Self { address: own, state }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("no panic"))
    }

    pub fn faults(&self, faults: &[Fault]) {
        self.with(|s| s.faults = faults.iter().cloned().collect());
    }

    pub fn faults_of_lists(&self, faults: &[Fault]) {
        self.with(|s| s.of_lists = faults.iter().cloned().collect());
    }

    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.with(|s| s.refusal = refusal);
    }

    pub fn demand(&self, token: &str) {
        self.with(|s| s.token = Some(token.into()));
    }

    /// Requests since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        self.with(|s| std::mem::take(&mut s.seen))
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, repo: &str, other: &str, elsewhere: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_string();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut words = lines[0].split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let header = |name: &str| {
            let found = lines.iter().find(|l| l.to_ascii_lowercase().starts_with(&format!("{name}:")));
            found.map(|l| l[name.len() + 1..].trim().to_string())
        };
        let seen = Seen {
            method: method.into(),
            path: path.into(),
            range: header("range"),
            token: header("authorization"),
            elsewhere,
        };
        state.lock().expect("no panic").seen.push(seen.clone());
        if elsewhere { content(&stream, state, &seen)? } else { hub(&stream, state, repo, other, &seen)? }
    }
}

fn answer(mut stream: &TcpStream, status: u16, headers: &[(&str, String)], body: &[u8]) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Reason\r\n");
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    stream.write_all(body)
}

fn hub(stream: &TcpStream, state: &Mutex<State>, repo: &str, other: &str, seen: &Seen) -> std::io::Result<()> {
    let (files, refusal, token) = {
        let state = state.lock().expect("no panic");
        (state.files.clone(), state.refusal, state.token.clone())
    };
    if let Some((status, code)) = refusal {
        return answer(stream, status, &[("X-Error-Code", code.into())], b"{}");
    }
    if token.is_some_and(|t| seen.token != Some(format!("Bearer {t}"))) {
        let code = if seen.token.is_none() { "RepoNotFound" } else { "" };
        return answer(stream, 401, &[("X-Error-Code", code.into())], b"{}");
    }
    let missing = |code: &str| answer(stream, 404, &[("X-Error-Code", code.into())], b"{}");
    let id = repo.split_once('/').expect("kind/id").1;
    let prefix = if repo.starts_with("datasets/") { repo } else { id };
    if let Some(rest) = seen.path.strip_prefix("/api/") {
        // A repository that was renamed is found under its old name.
        if let Some(rest) = rest.strip_prefix("models/old-name/") {
            return answer(stream, 307, &[("Location", format!("/api/{repo}/{rest}"))], b"");
        }
        let Some(revision) = rest.strip_prefix(repo).and_then(|r| r.strip_prefix("/revision/")) else {
            return missing("RepoNotFound");
        };
        if !["main", "v1%2Fx", COMMIT].contains(&revision) {
            return missing("RevisionNotFound");
        }
        let names: Vec<_> = files.keys().map(|n| serde_json::json!({ "rfilename": n })).collect();
        let list = serde_json::json!({ "id": id, "sha": COMMIT, "siblings": names });
        let body = list.to_string();
        let fault = state.lock().expect("no panic").of_lists.pop_front();
        return match fault {
            Some(Fault::Cut(n)) => {
                answer(stream, 200, &[("Content-Length", body.len().to_string())], &body.as_bytes()[..n])?;
                stream.shutdown(std::net::Shutdown::Both)
            }
            Some(Fault::RetryAfter(seconds)) => answer(stream, 429, &[("Retry-After", seconds.to_string())], b""),
            _ => answer(stream, 200, &[], body.as_bytes()),
        };
    }
    if let Some(rest) = seen.path.strip_prefix("/old-name/") {
        return answer(stream, 307, &[("Location", format!("/{id}/{rest}"))], b"");
    }
    let name = seen.path.strip_prefix(&format!("/{prefix}/resolve/{COMMIT}/")).unwrap_or_default();
    let Some(bytes) = files.get(name) else { return missing("EntryNotFound") };
    let commit = ("X-Repo-Commit", COMMIT.to_string());
    if bytes.len() >= LARGE {
        let hash = hex(digest(&SHA256, bytes).as_ref());
        let to = ("Location", format!("{other}/{hash}"));
        let linked = ("X-Linked-Etag", format!("\"{hash}\""));
        let size = ("X-Linked-Size", bytes.len().to_string());
        return answer(stream, 302, &[commit, to, linked, size, ("ETag", "\"not this\"".into())], b"");
    }
    let blob = [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat();
    let etag = ("ETag", format!("W/\"{}\"", hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &blob).as_ref())));
    let length = ("Content-Length", bytes.len().to_string());
    answer(stream, 200, &[commit, etag, length], if seen.method == "HEAD" { b"" } else { bytes })
}

fn content(mut stream: &TcpStream, state: &Mutex<State>, seen: &Seen) -> std::io::Result<()> {
    let (found, fault) = {
        let mut state = state.lock().expect("no panic");
        let hash = &seen.path[1..];
        let found = state.files.values().find(|b| hex(digest(&SHA256, b).as_ref()) == hash).cloned();
        (found, state.faults.pop_front())
    };
    let Some(mut bytes) = found else { return answer(stream, 404, &[], b"") };
    if let Some(Fault::Status(status)) = fault {
        return answer(stream, status, &[], b"");
    }
    if matches!(fault, Some(Fault::Wrong)) {
        bytes.iter_mut().for_each(|b| *b ^= 1);
    }
    let start = seen.range.as_ref().and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let start = start.filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
    let total = bytes.len();
    if start.is_some_and(|s| s >= total) {
        return answer(stream, 416, &[], b"");
    }
    let bytes = &bytes[start.unwrap_or(0)..];
    let range = start.map(|s| ("Content-Range", format!("bytes {s}-{}/{total}", total - 1)));
    let mut headers = vec![("Accept-Ranges", "bytes".to_string()), ("Content-Length", bytes.len().to_string())];
    headers.extend(range);
    let status = if start.is_some() { 206 } else { 200 };
    match fault {
        Some(Fault::Cut(n)) => {
            answer(stream, status, &headers, &bytes[..n.min(bytes.len())])?;
            stream.shutdown(std::net::Shutdown::Both)
        }
        Some(Fault::Away(n, time)) => {
            state.lock().expect("no panic").away = Some(Instant::now() + time);
            answer(stream, status, &headers, &bytes[..n.min(bytes.len())])?;
            std::thread::sleep(Duration::from_millis(30));
            stream.shutdown(std::net::Shutdown::Both)
        }
        Some(Fault::Stall(n)) => {
            answer(stream, status, &headers, &bytes[..n.min(bytes.len())])?;
            std::thread::sleep(Duration::from_secs(20));
            stream.shutdown(std::net::Shutdown::Both)
        }
        Some(Fault::Slow(n, pause)) => {
            answer(stream, status, &headers, b"")?;
            for piece in bytes.chunks(n) {
                stream.write_all(piece)?;
                std::thread::sleep(pause);
            }
            Ok(())
        }
        _ => answer(stream, status, &headers, bytes),
    }
}
