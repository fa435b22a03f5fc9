//! One encoder layer, written out forward and backward. Knows its weights, not how many layers there are.

use super::attention::{Attention, Queries};
use super::dropout::{Mask, Site};
use super::gelu;
use super::matrix::Beta;
use super::norm::{Norm, Normed};
use super::projection::{Current, Dense, Projection};
use super::workspace::{self, Activations, Scratch, room};
use crate::adapter::Form;
use crate::model::Checkpoint;
use crate::model::encoder::{Dropout, site};
use crate::train::BackendError;
use crate::train::pack::Chunk;
use crate::train::parameters::Parameters;

/// Weights of one layer.
pub struct Layer {
    index: usize,
    n: usize,
    attention: Attention,
    /// Query, key and value.
    input: Projection,
    /// The attention's output.
    output: Projection,
    attention_norm: Norm,
    intermediate: Dense,
    dense: Dense,
    norm: Norm,
}

/// What a layer works on beside its input.
pub struct Pass<'a> {
    pub chunk: &'a Chunk,
    pub queries: Queries,
    pub dropout: Option<&'a Dropout>,
    pub now: Current<'a>,
}

impl Pass<'_> {
    /// Tokens that go on after the attention.
    pub fn kept(&self) -> usize {
        match self.queries {
            Queries::All => self.chunk.tokens(),
            Queries::First => self.chunk.rows.len(),
        }
    }

    fn hidden_site(&self, number: u32) -> Option<Site> {
        Site::new(self.dropout, |d| d.hidden, number)
    }

    fn attention_output(&self, index: usize) -> Option<Site> {
        Site::new(self.dropout, |d| d.attention_output, site::attention_output(index))
    }

    fn attention_site(&self, index: usize) -> Option<Site> {
        Site::new(self.dropout, |d| d.attention, site::attention(index))
    }

    /// Draws the flags of the tokens that go on, [kept, n].
    fn draw(&self, site: Option<Site>, n: usize, flags: &mut Vec<u8>) {
        if let Some(site) = site {
            let flags = room(flags, self.kept() * n);
            match self.queries {
                Queries::All => site.rows(self.chunk.places(), n, flags),
                Queries::First => site.rows(self.chunk.first_places(), n, flags),
            }
        }
    }
}

fn mask(site: Option<Site>, flags: &[u8]) -> Option<Mask<'_>> {
    site.map(|s| Mask { flags, scale: s.scale() })
}

impl Layer {
    pub fn new(
        checkpoint: &Checkpoint,
        index: usize,
        form: &Form,
        scaling: f64,
        parameters: &Parameters<f32>,
    ) -> Result<Self, BackendError> {
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let (n, wide) = (config.hidden_size, config.intermediate_size);
        let path = |module| config.layer_path(index, module);
        let project = |targets: &[&str]| -> Result<Projection, BackendError> {
            let paths = targets.iter().map(|t| config.module_path(index, t)).collect::<Result<Vec<_>, _>>()?;
            Projection::new(weights, &paths, n, form, scaling, parameters)
        };
        let norm = |module| Norm::new(weights, &path(module), n, config.layer_norm_eps);
        Ok(Self {
            index,
            n,
            attention: Attention { heads: config.num_attention_heads, size: n / config.num_attention_heads },
            input: project(&["query", "key", "value"])?,
            output: project(&["output"])?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: Dense::new(weights, &path("intermediate.dense"), wide, n)?,
            dense: Dense::new(weights, &path("output.dense"), n, wide)?,
            norm: norm("output.LayerNorm")?,
        })
    }

    /// Has trained values.
    pub fn adapted(&self) -> bool {
        self.input.any_adapted() || self.output.any_adapted()
    }

    /// Takes over trained values that have changed.
    pub fn refresh(&mut self, values: &[f32]) {
        self.input.refresh(values);
        self.output.refresh(values);
    }

    /// From x [tokens, n] to `to.after_dense.output` [kept, n]; everything that the way back needs stays in `to`.
    pub fn forward(&self, pass: &Pass, x: &[f32], to: &mut Activations, scratch: &mut Scratch) {
        let (n, tokens, kept) = (self.n, pass.chunk.tokens(), pass.kept());
        let z = room(&mut to.z, tokens * self.input.width());
        let qkv = room(&mut to.qkv, tokens * 3 * n);
        self.input.forward(x, pass.now, z, qkv, &mut scratch.projection);

        let p = room(&mut to.probabilities, pass.chunk.scores);
        let context = room(&mut to.context, kept * n);
        let at = pass.attention_site(self.index);
        self.attention.forward(pass.chunk, pass.queries, at, qkv, p, context, &mut scratch.attention);

        let z = room(&mut to.z_output, kept * self.output.width());
        let attended = room(&mut to.attended, kept * n);
        self.output.forward(context, pass.now, z, attended, &mut scratch.projection);
        let residual = match pass.queries {
            Queries::All => x,
            Queries::First => {
                let firsts = room(&mut scratch.residual, kept * n);
                for (row, to) in pass.chunk.rows.iter().zip(firsts.chunks_exact_mut(n)) {
                    to.copy_from_slice(&x[row.first * n..][..n]);
                }
                firsts
            }
        };
        // The projection has added the bias already.
        let none = room(&mut scratch.narrow, n);
        none.fill(0.0);
        let at = pass.attention_output(self.index);
        let x = self.normalise(&self.attention_norm, pass, at, attended, none, residual, &mut to.after_attention);

        let wide = room(&mut scratch.wide, kept * self.intermediate.bias.len());
        self.intermediate.forward(x, wide);
        match pass.dropout {
            None => gelu::forward(wide, &self.intermediate.bias),
            Some(_) => gelu::forward_with_slope(wide, &self.intermediate.bias, room(&mut to.slope, wide.len())),
        }
        let narrow = room(&mut scratch.narrow, kept * n);
        self.dense.forward(wide, narrow);
        let at = pass.hidden_site(site::output(self.index));
        self.normalise(&self.norm, pass, at, narrow, &self.dense.bias, x, &mut to.after_dense);
    }

    #[expect(clippy::too_many_arguments, reason = "the terms of LayerNorm(mask (x + b) + residual)")]
    fn normalise<'a>(
        &self,
        norm: &Norm,
        pass: &Pass,
        site: Option<Site>,
        x: &[f32],
        bias: &[f32],
        residual: &[f32],
        to: &'a mut workspace::Normed,
    ) -> &'a [f32] {
        let kept = pass.kept();
        pass.draw(site, self.n, &mut to.flags);
        let into = Normed {
            output: room(&mut to.output, kept * self.n),
            normal: room(&mut to.normal, kept * self.n),
            scales: room(&mut to.scales, kept),
        };
        norm.forward(x, bias, mask(site, &to.flags), residual, into);
        &to.output[..kept * self.n]
    }

    /// `scratch.slope` comes as the gradient of the output [kept, n] and leaves as that of x [tokens, n] where `down`, the
    /// layers below, are wanted. Adds to the gradients of the adapters.
    pub fn backward(
        &self,
        pass: &Pass,
        x: &[f32],
        saved: &Activations,
        down: bool,
        gradients: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (n, tokens, kept) = (self.n, pass.chunk.tokens(), pass.kept());
        let inner = self.intermediate.bias.len();
        let residual = room(&mut scratch.residual, kept * n);
        let narrow = room(&mut scratch.narrow, kept * n);
        let slope = room(&mut scratch.slope, kept * n);
        let of = &saved.after_dense;
        let at = mask(pass.hidden_site(site::output(self.index)), &of.flags);
        self.norm.backward(slope, &of.normal, &of.scales, at, residual, narrow);
        let wide = room(&mut scratch.wide, kept * inner);
        self.dense.backward(narrow, wide, Beta::Zero);
        gelu::times(wide, &saved.slope[..kept * inner]);
        self.intermediate.backward(wide, residual, Beta::One);

        let of = &saved.after_attention;
        let at = mask(pass.attention_output(self.index), &of.flags);
        let width = self.output.width();
        let dz = room(&mut scratch.dz, kept * width);
        self.attention_norm.backward(residual, &of.normal, &of.scales, at, slope, narrow);
        for (to, from) in dz.chunks_exact_mut(width).zip(narrow.chunks_exact(n)) {
            to[..n].copy_from_slice(from);
        }
        let wanted = [0, 1, 2].map(|part| down || self.input.adapted(part));
        let deeper = wanted.contains(&true);
        let dcontext = room(&mut scratch.dcontext, kept * n);
        let context = &saved.context[..kept * n];
        let to = deeper.then_some((&mut *dcontext, Beta::Zero));
        self.output.backward(context, pass.now, &saved.z_output, dz, to, gradients, &mut scratch.projection);
        if !deeper {
            return;
        }

        let width = self.input.width();
        let dz = room(&mut scratch.dz, tokens * width);
        let keep = pass.attention_site(self.index).map_or(1.0, |s| s.scale());
        self.attention.backward(
            pass.chunk,
            pass.queries,
            keep,
            &saved.qkv,
            &saved.probabilities,
            dcontext,
            wanted,
            dz,
            width,
            &mut scratch.attention,
        );
        // The residual's gradient stands in `slope`, one row for each token that went on.
        if down && pass.queries == Queries::First {
            let firsts = room(&mut scratch.narrow, kept * n);
            firsts.copy_from_slice(slope);
            let slope = room(&mut scratch.slope, tokens * n);
            slope.fill(0.0);
            for (row, from) in pass.chunk.rows.iter().zip(firsts.chunks_exact(n)) {
                slope[row.first * n..][..n].copy_from_slice(from);
            }
        }
        let dx = down.then(|| (room(&mut scratch.slope, tokens * n), Beta::One));
        self.input.backward(x, pass.now, &saved.z, dz, dx, gradients, &mut scratch.projection);
    }
}
