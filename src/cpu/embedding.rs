//! Word, token type and position embeddings with their layer norm and dropout, and what widens them. They are frozen, so there
//! is no way back.

use super::dropout::Site;
use super::norm::{Norm, dropped};
use super::projection::Dense;
use super::workspace::{Scratch, room};
use crate::model::encoder::{Dropout, site};
use crate::model::{Checkpoint, ModelError};
use crate::train::pack::Chunk;
use std::sync::Arc;

pub struct Embedding {
    /// Width of the tables.
    n: usize,
    word: Arc<Vec<f32>>,
    token_type: Option<Arc<Vec<f32>>>,
    position: Arc<Vec<f32>>,
    norm: Norm,
    /// To the width of the layers.
    projection: Option<Dense>,
}

impl Embedding {
    pub fn new(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let (n, types) = (config.embedding_size, config.type_vocab_size);
        let path = |name: &str| config.path(&format!("embeddings.{name}"));
        let table = |name: &str, rows: usize| weights.frozen(&path(&format!("{name}.weight")), &[rows, n]);
        Ok(Self {
            n,
            word: table("word_embeddings", config.vocab_size)?,
            token_type: (types > 0).then(|| table("token_type_embeddings", types)).transpose()?,
            position: table("position_embeddings", config.max_position_embeddings)?,
            norm: Norm::new(weights, &path("LayerNorm"), n, config.layer_norm_eps)?,
            projection: config
                .projection()
                .map(|path| Dense::new(weights, &path, config.hidden_size, n))
                .transpose()?,
        })
    }

    /// Writes the first layer's input [tokens, hidden].
    pub fn forward(&self, chunk: &Chunk, dropout: Option<&Dropout>, to: &mut [f32], scratch: &mut Scratch) {
        let n = self.n;
        let row = |id: u32| id as usize * n..(id as usize + 1) * n;
        let sums = room(&mut scratch.narrow, chunk.tokens() * n);
        for (t, sum) in sums.chunks_exact_mut(n).enumerate() {
            let (word, position) = (&self.word[row(chunk.ids[t])], &self.position[row(chunk.positions[t])]);
            match &self.token_type {
                Some(kinds) => {
                    let kind = &kinds[row(chunk.types[t])];
                    (0..n).for_each(|i| sum[i] = word[i] + kind[i] + position[i]);
                }
                None => (0..n).for_each(|i| sum[i] = word[i] + position[i]),
            }
        }
        let normed = match &self.projection {
            None => &mut *to,
            Some(_) => room(&mut scratch.residual, sums.len()),
        };
        self.norm.plain(sums, room(&mut scratch.wide, chunk.tokens()), normed);
        if let Some(site) = Site::new(dropout, |d| d.hidden, site::EMBEDDINGS) {
            let flags = room(&mut scratch.flags, normed.len());
            site.rows(chunk.places(), n, flags);
            sums.copy_from_slice(normed);
            dropped(sums, flags, site.scale(), normed);
        }
        if let Some(projection) = &self.projection {
            let normed = room(&mut scratch.residual, chunk.tokens() * n);
            projection.forward(normed, to);
            for row in to.chunks_exact_mut(projection.bias.len()) {
                row.iter_mut().zip(&projection.bias).for_each(|(to, b)| *to += b);
            }
        }
    }
}
