//! What can go wrong on the way from the hub to the cache: what, where, and what to do.

use crate::model::ModelError;
use std::path::PathBuf;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum HubError {
    #[error(transparent)]
    Name(#[from] crate::cache::NameError),
    #[error("task {found:?} is none of GLUE's; expected some of {expected}")]
    Task { found: String, expected: String },
    #[error("{name} names a revision, and so does --revision {revision}: name one of them")]
    TwoRevisions { name: String, revision: String },
    #[error("offline (HF_HUB_OFFLINE), and {what} is not whole in {cache}: {lacks}; unset HF_HUB_OFFLINE to fetch it")]
    Offline { what: String, lacks: String, cache: PathBuf },
    #[error("HF_ENDPOINT {0:?} is no address; expected http:// or https:// and a host, such as https://huggingface.co")]
    Endpoint(String),
    #[error("{from} holds no token: {problem}; expected what {host}/settings/tokens gives, one line such as hf_...")]
    BadToken { from: String, problem: &'static str, host: String },
    #[error("cannot reach {host}: {cause}; check the network, HTTPS_PROXY, or name a mirror with HF_ENDPOINT")]
    Unreachable { host: String, cause: String },
    #[error(
        "{host} has no {what} for you (401): check how it is spelt; a private one needs HF_TOKEN, from {host}/settings/tokens"
    )]
    Unauthorized { host: String, what: String },
    #[error(
        "{host} does not accept the token (401): HF_TOKEN or the token file needs a new one from {host}/settings/tokens"
    )]
    Token { host: String },
    #[error("{what} is gated: accept its terms at {page}, then set HF_TOKEN to a token of the same account")]
    Gated { what: String, page: String },
    #[error("{host} refuses {what} (403): {reason}; the token's account or its rights may not do")]
    Forbidden { host: String, what: String, reason: String },
    #[error("{host} has no {what} (404): check how it is spelt at {page}")]
    Missing { host: String, what: String, page: String },
    #[error("{host} answers {status} to {what}, {tries} times; try again {wait}")]
    Status { host: String, what: String, status: u16, tries: u32, wait: String },
    #[error(
        "{what}: nothing came for {seconds} s, {tries} times; the same command goes on from there, --timeout waits longer"
    )]
    Stalled { what: String, seconds: u64, tries: u32 },
    #[error("{what}: cut off, {tries} times in a row: {cause}; the same command goes on from there")]
    Cut { what: String, cause: String, tries: u32 },
    #[error(
        "{what}: what came has the hash {found}, the hub names {expected}; it is thrown away. Fetch again; if that repeats, something on the way changes it"
    )]
    Hash { what: String, found: String, expected: String },
    #[error("{what}: {problem}; {host} does not answer as a hub does: is HF_ENDPOINT right?")]
    Protocol { host: String, what: String, problem: String },
    #[error("{what} cannot be used here, and its weights are not fetched: {source}")]
    Model { what: String, source: Box<ModelError> },
    #[error("{what}: {problem}")]
    Files { what: String, problem: String },
    #[error("{path}: {source}; is there room, and may you write there? HF_HOME names another folder")]
    Disk { path: PathBuf, source: std::io::Error },
    #[error("stopped; what came is kept, and fetching again goes on from there")]
    Stopped,
}

impl HubError {
    /// What was asked for is at fault, not the way to it.
    pub fn is_input(&self) -> bool {
        !matches!(
            self,
            Self::Unreachable { .. }
                | Self::Status { .. }
                | Self::Stalled { .. }
                | Self::Cut { .. }
                | Self::Hash { .. }
                | Self::Protocol { .. }
                | Self::Disk { .. }
                | Self::Stopped
        )
    }
}
