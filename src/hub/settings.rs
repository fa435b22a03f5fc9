//! How the hub is reached, from the variables that its own programs obey.

use super::HubError;
use crate::cache;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The hub's address, who asks, and how long it is waited for.
#[derive(Clone)]
pub struct Settings {
    /// Without a slash at its end.
    pub endpoint: String,
    pub token: Option<String>,
    /// The variable or the file that it comes from.
    pub token_from: String,
    /// Ask nothing; what is in the cache has to do.
    pub offline: bool,
    /// Longest time without a byte.
    pub timeout: Duration,
    /// Before the second attempt; twice as long before each further one.
    pub pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".into(),
            token: None,
            token_from: "HF_TOKEN".into(),
            offline: false,
            timeout: Duration::from_secs(30),
            pause: Duration::from_millis(500),
        }
    }
}

/// A token is never printed.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "a token" } else { "no token" };
        write!(f, "{} with {token}, offline {}, {:?}", self.endpoint, self.offline, self.timeout)
    }
}

impl Settings {
    /// HF_ENDPOINT; HF_TOKEN, else the file that HF_TOKEN_PATH names, else `token` beside the cache; HF_HUB_OFFLINE;
    /// HF_HUB_DOWNLOAD_TIMEOUT in seconds.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().map(|v| v.trim().to_string()).filter(|v| !v.is_empty());
        let is_on = |name: &str| {
            variable(name).is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_ascii_lowercase().as_str()))
        };
        let default = Self::default();
        let file = variable("HF_TOKEN_PATH").map_or_else(|| cache::home().join("token"), PathBuf::from);
        let saved = || {
            let token = std::fs::read_to_string(&file).ok().map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
            token.map(|token| (token, file.display().to_string()))
        };
        let token = variable("HF_TOKEN").map(|token| (token, default.token_from.clone())).or_else(saved);
        let (token, token_from) = token.map_or((None, default.token_from), |(token, from)| (Some(token), from));
        let seconds = variable("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|v| v.parse::<u64>().ok()).filter(|s| *s > 0);
        let endpoint = variable("HF_ENDPOINT").map(|url| url.trim_end_matches('/').to_string());
        Self {
            endpoint: endpoint.unwrap_or(default.endpoint),
            token,
            token_from,
            offline: is_on("HF_HUB_OFFLINE"),
            timeout: seconds.map_or(default.timeout, Duration::from_secs),
            pause: default.pause,
        }
    }

    /// An error where the token is none that a request can carry. What it is, is never printed.
    pub(super) fn check(&self) -> Result<(), HubError> {
        let problem = match &self.token {
            Some(token) if token.contains(['\n', '\r']) => "more than one line",
            Some(token) if !token.bytes().all(|b| b.is_ascii_graphic()) => "blanks or characters that no token has",
            _ => return Ok(()),
        };
        Err(HubError::BadToken { from: self.token_from.clone(), problem, host: self.endpoint.clone() })
    }
}
