//! What is asked of the hub over HTTP: lists, what a file's hash is, and its bytes from some place on. The token goes to the hub's
//! own address and to no other.

use super::listing::Listing;
use super::{HubError, Settings};
use crate::cache::{self, Kind, Repo};
use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// Redirects that are followed.
const HOPS: usize = 10;
/// Attempts before a failing request is given up.
pub(super) const TRIES: u32 = 4;
/// Attempts to reach a host that answered before: a network that is away for some seconds comes back.
const BLIPS: u32 = 6;
/// Longest wait that a hub may ask for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest list of files in bytes.
const MAX_LIST: u64 = 32 << 20;

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub settings: Settings,
    agent: Agent,
    stopped: Arc<AtomicBool>,
    /// Origins that answered.
    reached: Arc<Mutex<BTreeSet<String>>>,
}

/// What the hub says of a file before it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// SHA-256 of the content, or SHA-1 of it as a git blob, in hexadecimal.
    pub etag: String,
    pub size: Option<u64>,
}

/// Bytes on their way.
pub(super) struct Coming {
    /// Where in the file they begin.
    pub start: u64,
    pub reader: Box<dyn Read>,
}

impl Client {
    pub fn new(settings: Settings) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(settings.timeout))
            .timeout_connect(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_per_read(Some(settings.timeout))
            .accept_encoding("identity")
            .user_agent(concat!("eigenscope/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), settings, stopped: Arc::default(), reached: Arc::default() }
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.agent.clone().shutdown();
    }

    /// Waits before the attempt after `tries` others; an error when it is time to end.
    pub fn pause(&self, tries: u32) -> Result<(), HubError> {
        self.rest(self.settings.pause * 2u32.saturating_pow(tries.saturating_sub(1)))
    }

    fn rest(&self, mut left: Duration) -> Result<(), HubError> {
        while !left.is_zero() {
            self.go_on()?;
            let nap = left.min(Duration::from_millis(50));
            std::thread::sleep(nap);
            left -= nap;
        }
        self.go_on()
    }

    pub fn go_on(&self) -> Result<(), HubError> {
        if self.stopped.load(Ordering::SeqCst) { Err(HubError::Stopped) } else { Ok(()) }
    }

    fn reached(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn host(&self) -> String {
        self.settings.endpoint.clone()
    }

    /// Where a person reads about the repository.
    fn page(&self, repo: &Repo) -> String {
        format!("{}/{}{}", self.settings.endpoint, if repo.kind == Kind::Dataset { "datasets/" } else { "" }, repo.id)
    }

    pub fn address(&self, repo: &Repo, commit: &str, name: &str) -> String {
        format!("{}/resolve/{commit}/{}", self.page(repo), name.split('/').map(escaped).collect::<Vec<_>>().join("/"))
    }

    /// The files of the repository at its revision.
    pub fn list(&self, repo: &Repo) -> Result<Listing, HubError> {
        let what = format!("{} {}", repo.kind.as_str(), repo.id);
        let kind = if repo.kind == Kind::Dataset { "datasets" } else { "models" };
        let revision = escaped(&repo.revision);
        let url = format!("{}/api/{kind}/{}/revision/{revision}", self.settings.endpoint, repo.id);
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.asked(&url, repo, &what, false, None, false)?;
            let mut text = Vec::new();
            let read = answer.into_body().into_reader().take(MAX_LIST + 1).read_to_end(&mut text);
            self.go_on()?;
            match read {
                Err(error) if tries >= TRIES => return Err(self.broken(&what, error, tries)),
                Err(_) => self.pause(tries)?,
                Ok(_) if text.len() as u64 > MAX_LIST => {
                    return Err(self.odd(&what, format!("a list of more than {MAX_LIST} bytes")));
                }
                Ok(_) => return Listing::parse(&text).map_err(|problem| self.odd(&what, problem)),
            }
        }
    }

    /// Hash and size of a file. Where the content lies elsewhere, the hub itself names both in its redirect.
    pub fn about(&self, repo: &Repo, url: &str, what: &str) -> Result<About, HubError> {
        let answer = self.asked(url, repo, what, true, None, false)?;
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let etag = header("x-linked-etag").or_else(|| header("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        if !cache::is_hex(&etag, 64) && !cache::is_hex(&etag, 40) {
            return Err(self.odd(what, "no hash of the file".into()));
        }
        let own = answer.status().is_success().then(|| header("content-length")).flatten();
        Ok(About { etag, size: header("x-linked-size").or(own).and_then(|n| n.parse().ok()) })
    }

    /// A file's bytes from `start` on, or from its beginning where the server knows no parts.
    pub fn bytes(&self, repo: &Repo, url: &str, what: &str, start: u64) -> Result<Coming, HubError> {
        let answer = self.asked(url, repo, what, false, (start > 0).then_some(start), true)?;
        let begin = match answer.status().as_u16() {
            206 => {
                let range = answer.headers().get("content-range").and_then(|v| v.to_str().ok()).unwrap_or_default();
                let from = range.strip_prefix("bytes ").and_then(|r| r.split('-').next()?.parse::<u64>().ok());
                // A part from elsewhere would be glued on in the wrong place.
                if from != Some(start) {
                    return Err(self.odd(what, format!("asked for bytes from {start}, got {range:?}")));
                }
                start
            }
            _ => 0,
        };
        Ok(Coming { start: begin, reader: Box::new(answer.into_body().into_reader()) })
    }

    /// Why a body ended before its end.
    pub fn broken(&self, what: &str, error: std::io::Error, tries: u32) -> HubError {
        let (what, cause) = (what.to_string(), error.to_string());
        match is_timeout(error) {
            true => HubError::Stalled { what, seconds: self.settings.timeout.as_secs().max(1), tries },
            false => HubError::Cut { what, cause, tries },
        }
    }

    fn odd(&self, what: &str, problem: String) -> HubError {
        HubError::Protocol { host: self.host(), what: what.into(), problem }
    }

    /// The answer to a request, redirects followed and passing troubles waited out. `head` asks for headers alone and stops at a
    /// redirect that names the file's hash or leads to another host.
    fn asked(
        &self,
        url: &str,
        repo: &Repo,
        what: &str,
        head: bool,
        start: Option<u64>,
        of_file: bool,
    ) -> Result<Response<Body>, HubError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let result = self.followed(url, what, head, start);
            self.go_on()?;
            match result {
                Ok(answer) => match answer.status().as_u16() {
                    200..400 | 416 => {
                        // The part that is here is longer than the file: begin anew.
                        if answer.status().as_u16() == 416 && start.is_some() {
                            return self.asked(url, repo, what, head, None, of_file);
                        }
                        return Ok(answer);
                    }
                    429 | 500.. if tries < TRIES && asked_to_wait(&answer).is_none_or(|wait| wait <= PATIENCE) => {
                        if let Some(wait) = asked_to_wait(&answer) {
                            self.rest(wait)?;
                            continue;
                        }
                    }
                    status => return Err(self.refused(&answer, status, repo, what, of_file || head, tries)),
                },
                Err(error @ (HubError::Endpoint(_) | HubError::Protocol { .. })) => return Err(error),
                Err(HubError::Unreachable { host, cause }) => {
                    // Nobody was ever there: that does not pass in a second.
                    if tries >= BLIPS || !self.reached().contains(&host) {
                        return Err(HubError::Unreachable { host, cause });
                    }
                }
                Err(error) if tries >= TRIES => return Err(error),
                Err(_) => {}
            }
            self.pause(tries)?;
        }
    }

    fn followed(&self, url: &str, what: &str, head: bool, start: Option<u64>) -> Result<Response<Body>, HubError> {
        let own = origin(&self.settings.endpoint).ok_or_else(|| HubError::Endpoint(self.settings.endpoint.clone()))?;
        let mut at = url.to_string();
        for _ in 0..HOPS {
            let here = origin(&at).ok_or_else(|| self.odd(what, format!("a redirect to {at:?}")))?;
            let mut request = if head { self.agent.head(&at) } else { self.agent.get(&at) };
            if let Some(token) = self.settings.token.as_ref().filter(|_| here.eq_ignore_ascii_case(own)) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            if let Some(start) = start {
                request = request.header("Range", format!("bytes={start}-"));
            }
            let answer = request.call().map_err(|e| self.failed(e, here, what))?;
            self.reached().insert(here.into());
            let to = answer.headers().get("location").and_then(|v| v.to_str().ok());
            let Some(to) = to.filter(|_| answer.status().is_redirection()) else { return Ok(answer) };
            let next = joined(&at, to);
            let elsewhere = origin(&next).is_none_or(|o| !o.eq_ignore_ascii_case(here));
            if head && (elsewhere || answer.headers().contains_key("x-linked-etag")) {
                return Ok(answer);
            }
            at = next;
        }
        Err(self.odd(what, format!("more than {HOPS} redirects")))
    }

    fn failed(&self, error: ureq::Error, host: &str, what: &str) -> HubError {
        use ureq::Timeout;
        let seconds = self.settings.timeout.as_secs().max(1);
        match error {
            ureq::Error::Timeout(Timeout::PerRead | Timeout::RecvResponse | Timeout::RecvBody) => {
                HubError::Stalled { what: what.into(), seconds, tries: TRIES }
            }
            ureq::Error::Timeout(_) => {
                HubError::Unreachable { host: host.into(), cause: format!("no connection within {seconds} s") }
            }
            ureq::Error::HostNotFound => {
                HubError::Unreachable { host: host.into(), cause: "its name is not known".into() }
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => HubError::Endpoint(self.settings.endpoint.clone()),
            ureq::Error::Io(e) if was_cut(&e) => {
                HubError::Cut { what: what.into(), cause: e.to_string(), tries: TRIES }
            }
            ureq::Error::Protocol(e) => self.odd(what, e.to_string()),
            other => HubError::Unreachable { host: host.into(), cause: other.to_string() },
        }
    }

    fn refused(
        &self,
        answer: &Response<Body>,
        status: u16,
        repo: &Repo,
        what: &str,
        of_file: bool,
        tries: u32,
    ) -> HubError {
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let (host, page, code) = (self.host(), self.page(repo), header("x-error-code"));
        let id = format!("{} {}", repo.kind.as_str(), repo.id);
        match (status, code) {
            (401 | 403, "GatedRepo") => HubError::Gated { what: id, page },
            (401, "") if self.settings.token.is_some() => HubError::Token { host },
            (401, _) => HubError::Unauthorized { host, what: id },
            (403, _) => {
                let reason = match header("x-error-message") {
                    "" => "no reason given".to_string(),
                    text => crate::untrusted::brief(text, 200),
                };
                HubError::Forbidden { host, what: id, reason }
            }
            (404, "RevisionNotFound") => {
                HubError::Missing { host, what: format!("revision {:?} of {id}", repo.revision), page }
            }
            (404, "RepoNotFound") => HubError::Missing { host, what: id, page },
            (404, _) if of_file => HubError::Missing { host, what: format!("file {what}"), page },
            (404, _) => HubError::Missing { host, what: id, page },
            _ => {
                let wait = asked_to_wait(answer).map_or_else(|| "later".into(), |w| format!("in {} s", w.as_secs()));
                HubError::Status { host, what: what.into(), status, tries, wait }
            }
        }
    }
}

/// How long the hub asks to wait before the next attempt.
fn asked_to_wait(answer: &Response<Body>) -> Option<Duration> {
    let seconds = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Nothing came for too long; the library wraps its own error.
fn is_timeout(error: std::io::Error) -> bool {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::TimedOut,
        _ => false,
    }
}

/// The other end went away, which may pass.
fn was_cut(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionReset | K::ConnectionAborted | K::UnexpectedEof | K::BrokenPipe | K::TimedOut)
}

/// `https://host:port` of an address.
fn origin(url: &str) -> Option<&str> {
    let rest = ["https://", "http://"].iter().find_map(|s| url.get(..s.len()).filter(|p| p.eq_ignore_ascii_case(s)))?;
    let end = url[rest.len()..].find(['/', '?', '#']).map_or(url.len(), |i| rest.len() + i);
    // A name and password before the host would hide whose host it is.
    Some(&url[..end]).filter(|o| o.len() > rest.len() && !o.contains('@'))
}

/// Where a redirect from `at` leads.
fn joined(at: &str, to: &str) -> String {
    // A scheme comes before all else; an address may stand in a query too.
    if to.find("://").is_some_and(|i| !to[..i].contains(['/', '?', '#'])) {
        return to.into();
    }
    if let Some(rest) = to.strip_prefix("//") {
        let scheme = at.split("//").next().unwrap_or("https:");
        return format!("{scheme}//{rest}");
    }
    let own = origin(at).unwrap_or_default();
    if to.starts_with('/') {
        return format!("{own}{to}");
    }
    let folder = at.split(['?', '#']).next().and_then(|p| p.rfind('/')).map_or(at, |i| &at[..i]);
    format!("{folder}/{to}")
}

/// A part of a path with everything but plain characters as %XX.
fn escaped(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    part.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let at = "https://hub.co/a/resolve/main/x?y";
        assert_eq!(joined(at, "/b/c"), "https://hub.co/b/c");
        assert_eq!(joined(at, "z"), "https://hub.co/a/resolve/main/z");
        assert_eq!(joined(at, "//cdn.co/z"), "https://cdn.co/z");
        assert_eq!(joined(at, "http://cdn.co/z"), "http://cdn.co/z");
        assert_eq!(joined(at, "/z?from=https://a.co/b"), "https://hub.co/z?from=https://a.co/b");
        assert_eq!(joined(at, "z?from=https://a.co/b"), "https://hub.co/a/resolve/main/z?from=https://a.co/b");
    }

    #[test]
    fn a_stall_is_known_by_its_kind() {
        use std::io::{Error, ErrorKind};
        let client = Client::new(Settings::default());
        let stalled = |error| matches!(client.broken("x", error, 1), HubError::Stalled { .. });
        assert!(stalled(ErrorKind::TimedOut.into()));
        assert!(stalled(ureq::Error::Timeout(ureq::Timeout::PerRead).into_io()));
        assert!(!stalled(Error::other("a page that says gateway timeout")));
    }

    #[test]
    fn an_origin_is_scheme_and_host() {
        assert_eq!(origin("https://hub.co/a"), Some("https://hub.co"));
        assert_eq!(origin("http://127.0.0.1:80?x"), Some("http://127.0.0.1:80"));
        assert_eq!(origin("HTTP://h"), Some("HTTP://h"));
        for wrong in ["hub.co", "ftp://hub.co", "https://", "https://hub.co@evil.co/x", ""] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
        assert_eq!(escaped("refs/pr/1 é"), "refs%2Fpr%2F1%20%C3%A9");
    }
}
