//! Texts to token ids by a Hugging Face tokenizer.json, special tokens included. The only place that knows the tokenizers crate.

use super::tokens::Digest;
use super::{DataError, Example};
use crate::untrusted::{self, brief};
use tokenizers::{PostProcessor, TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings};

/// Raised where the same file and the same texts give other tokens than before: rows that were kept are made anew.
const VERSION: u32 = 1;
/// Most characters of what the library says of a file.
const MOST_SHOWN: usize = 300;

/// Token ids of one row, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub ids: Vec<u32>,
    pub type_ids: Vec<u32>,
}

/// A tokenizer that cuts pairs at the longer side first, as transformers' `truncation=True`.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    max_length: usize,
    has_types: bool,
    identity: Digest,
}

impl Tokenizer {
    /// Reads a tokenizer.json; rows longer than `max_length` tokens are cut.
    pub fn from_bytes(bytes: &[u8], max_length: usize) -> Result<Self, DataError> {
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(bytes))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| DataError::Tokenizer(e.to_string()))?;
        let program = env!("CARGO_PKG_VERSION").as_bytes();
        let identity = Digest::of(&[program, &VERSION.to_le_bytes(), bytes, &max_length.to_le_bytes()]);
        Ok(Self { inner, max_length, has_types: true, identity })
    }

    /// With `has_types` false all tokens are of type 0, whatever the file says.
    pub fn with_types(self, has_types: bool) -> Self {
        let identity = Digest::of(&[self.identity.as_str().as_bytes(), &[u8::from(has_types)]]);
        Self { has_types, identity, ..self }
    }

    /// Ids of a text or a pair; an empty second text is still a pair.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> Result<Encoded, DataError> {
        let encoding = guarded(|| {
            // Where the library is to cut, it stops early and no longer knows which text of a pair is the longer one: both are
            // taken apart whole.
            let first = self.inner.encode(text, false)?;
            let second = pair.map(|pair| self.inner.encode(pair, false)).transpose()?.map(|mut second| {
                second.set_type_ids(vec![1; second.len()]);
                second
            });
            let around = self.inner.get_post_processor().map_or(0, |p| p.added_tokens(second.is_some()));
            let truncation = TruncationParams {
                max_length: self.max_length.saturating_sub(around),
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            };
            let (first, second) = truncate_encodings(first, second, &truncation)?;
            self.inner.post_process(first, second, true)
        })?;
        let ids = encoding.get_ids().to_vec();
        let type_ids = if self.has_types { encoding.get_type_ids().to_vec() } else { vec![0; ids.len()] };
        Ok(Encoded { ids, type_ids })
    }

    /// Of its file and of the length that it cuts at: tokenizers with the same one give the same tokens.
    pub fn identity(&self) -> &Digest {
        &self.identity
    }

    pub fn encode_example(&self, example: &Example) -> Result<Encoded, DataError> {
        self.encode(&example.text, example.pair.as_deref())
    }

    /// The token of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }
}

/// Crafted tokenizer files can panic inside the crate; that is an error of the file, not of the program.
fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, DataError> {
    match untrusted::guarded(call) {
        Some(result) => result.map_err(|e| DataError::Tokenizer(brief(&e.to_string(), MOST_SHOWN))),
        None => Err(DataError::Tokenizer("the file made the tokenizers library panic; expected a sound file".into())),
    }
}
