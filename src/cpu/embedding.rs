//! Word, token type and position embeddings with their layer norm and dropout. They are frozen, so there is no way back.

use super::dropout::Site;
use super::norm::{Norm, dropped};
use super::workspace::{Scratch, room};
use crate::model::encoder::{Dropout, site};
use crate::model::{Checkpoint, ModelError};
use crate::train::pack::Chunk;
use std::sync::Arc;

pub struct Embedding {
    n: usize,
    word: Arc<Vec<f32>>,
    token_type: Arc<Vec<f32>>,
    position: Arc<Vec<f32>>,
    norm: Norm,
}

impl Embedding {
    pub fn new(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let n = config.hidden_size;
        let path = |name: &str| format!("{}.embeddings.{name}", config.family.prefix());
        let table = |name: &str, rows: usize| weights.frozen(&path(&format!("{name}.weight")), &[rows, n]);
        Ok(Self {
            n,
            word: table("word_embeddings", config.vocab_size)?,
            token_type: table("token_type_embeddings", config.type_vocab_size)?,
            position: table("position_embeddings", config.max_position_embeddings)?,
            norm: Norm::new(weights, &path("LayerNorm"), n, config.layer_norm_eps)?,
        })
    }

    /// Writes the first layer's input [tokens, n].
    pub fn forward(&self, chunk: &Chunk, dropout: Option<&Dropout>, to: &mut [f32], scratch: &mut Scratch) {
        let n = self.n;
        let row = |id: u32| id as usize * n..(id as usize + 1) * n;
        let sums = room(&mut scratch.narrow, to.len());
        for (t, sum) in sums.chunks_exact_mut(n).enumerate() {
            let word = &self.word[row(chunk.ids[t])];
            let kind = &self.token_type[row(chunk.types[t])];
            let position = &self.position[row(chunk.positions[t])];
            for i in 0..n {
                sum[i] = word[i] + kind[i] + position[i];
            }
        }
        self.norm.plain(sums, room(&mut scratch.wide, chunk.tokens()), to);
        if let Some(site) = Site::new(dropout, |d| d.hidden, site::EMBEDDINGS) {
            let flags = room(&mut scratch.flags, to.len());
            site.rows(chunk.places(), n, flags);
            sums.copy_from_slice(to);
            dropped(sums, flags, site.scale(), to);
        }
    }
}
