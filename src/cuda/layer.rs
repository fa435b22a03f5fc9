//! One encoder layer, written out forward and backward as launches. Knows its weights, not how many layers there are.

use super::Precision;
use super::attention::{Kept, Matrices};
use super::batch::Bucket;
use super::device::Gpu;
use super::error::CudaError;
use super::kernels::{Grid, params};
use super::projection::{Count, Inner, Matrix, Partials, Projection, Room, Strided, Tools};
use super::room::{LayerRoom, Scratch};
use super::weights::{Dense, Norm};
use crate::adapter::Form;
use crate::model::Checkpoint;
use crate::model::encoder::{Dropout, site};
use crate::random::keep_scale;
use crate::train::BackendError;
use crate::train::parameters::Parameters;

/// `Site` in prelude.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Site {
    seed: u64,
    number: u32,
    threshold: u32,
    scale: f32,
    unused: u32,
}

impl Site {
    /// Keeps everything where `dropout` is none.
    pub fn new(dropout: Option<&Dropout>, p: impl Fn(&Dropout) -> f64, number: u32) -> Self {
        let (seed, p) = dropout.map_or((0, 0.0), |d| (d.seed, p(d)));
        let threshold = (p * f64::from(u32::MAX)) as u32;
        Self { seed, number, threshold, scale: keep_scale(p), unused: 0 }
    }
}

/// Targets of an adapter by the projection that they are part of: of the layer's input, and of the attention's output.
pub const INPUT: [&str; 3] = ["query", "key", "value"];
pub const OUTPUT: [&str; 1] = ["output"];

/// Weights of one layer.
pub struct Layer {
    index: usize,
    n: usize,
    wide: usize,
    size: usize,
    /// Query, key and value.
    pub input: Projection,
    /// The attention's output.
    pub output: Projection,
    attention_norm: Norm,
    intermediate: Dense,
    dense: Dense,
    norm: Norm,
}

/// What a layer works on beside its input.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub tools: Tools<'a>,
    pub bucket: Bucket,
    /// Address of the batch.
    pub batch: u64,
    /// Each row's first token only goes on after the attention: all that the head looks at after the last layer.
    pub only_first: bool,
    pub dropout: Option<&'a Dropout>,
    pub scratch: &'a Scratch,
}

impl Pass<'_> {
    /// Tokens that go on after the attention.
    fn kept(&self) -> usize {
        if self.only_first { self.bucket.rows } else { self.bucket.tokens }
    }

    /// Address of word `offset` of the batch.
    pub fn word(&self, offset: usize) -> u64 {
        self.batch + 4 * offset as u64
    }

    fn hidden(&self, number: u32) -> Site {
        Site::new(self.dropout, |d| d.hidden, number)
    }

    fn attention_output(&self, index: usize) -> Site {
        Site::new(self.dropout, |d| d.attention_output, site::attention_output(index))
    }

    fn attention(&self, index: usize) -> Site {
        Site::new(self.dropout, |d| d.attention, site::attention(index))
    }
}

impl Layer {
    pub fn new(
        gpu: &Gpu,
        precision: Precision,
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
            Projection::new(gpu, precision, weights, &paths, n, form, scaling, parameters)
        };
        let norm = |module| Norm::new(gpu, weights, &path(module), n, config.layer_norm_eps);
        let dense = |module, out: usize, input: usize| Dense::new(gpu, precision, weights, &path(module), out, input);
        Ok(Self {
            index,
            n,
            wide,
            size: precision.bytes(),
            input: project(&INPUT)?,
            output: project(&OUTPUT)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: dense("intermediate.dense", wide, n)?,
            dense: dense("output.dense", n, wide)?,
            norm: norm("output.LayerNorm")?,
        })
    }

    /// Has trained values.
    pub fn adapted(&self) -> bool {
        self.input.any_adapted() || self.output.any_adapted()
    }

    /// Adapters for the kernels that copy factors into storage.
    pub fn descriptions(&self, values: u64) -> Vec<Matrix> {
        [self.input.descriptions(values), self.output.descriptions(values)].concat()
    }

    fn input_room(&self, own: &LayerRoom) -> Room {
        Room { z: own.z, y: own.y }
    }

    fn kept(own: &LayerRoom) -> Kept {
        Kept { logs: own.logs, flags: own.kept }
    }

    fn queries_keys_values(&self, own: &LayerRoom) -> Matrices {
        Matrices::new([0, 1, 2].map(|i| self.input.output(i, self.input_room(own))))
    }

    /// From x [tokens, n] to `own.out` [kept, n]; with `keeps` everything that the way back needs stays in `own`.
    pub fn forward(&self, pass: &Pass, x: u64, own: &LayerRoom, keeps: bool) -> Result<(), CudaError> {
        let Pass { tools, bucket, scratch, .. } = *pass;
        let (gpu, kernels, split, n, kept) = (tools.gpu, tools.kernels, tools.split, self.n, pass.kept());
        // A key's bias moves all scores of a query alike, so softmax does not see it.
        self.input.forward(&tools, bucket.tokens, x, self.input_room(own), &[1])?;

        let kept_for_back = if keeps { Self::kept(own) } else { Kept { logs: 0, flags: 0 } };
        let (qkv, at, context) = (self.queries_keys_values(own), pass.attention(self.index), own.context);
        tools.attention.forward(pass, qkv, at, context, kept_for_back)?;

        let room = Room { z: own.z_output, y: scratch.y_output };
        let adapted = self.output.any_adapted();
        self.output.forward(&tools, kept, context, room, &[0])?;
        let attended = if adapted { self.output.output(0, room) } else { Strided { at: room.z, stride: n } };
        let bias = if adapted { 0 } else { self.output.bias(0) };
        let places = bucket.places();
        let (first, none) = (pass.word(places.first), 0u64);
        let (tokens, residual_rows) = if pass.only_first { (first, first) } else { (none, none) };
        let normed = Normed { normal: own.normal1, scales: own.scales1, flags: own.flags1 };
        let at = pass.attention_output(self.index);
        let places = (tokens, residual_rows);
        self.normalise(pass, &self.attention_norm, places, attended, bias, x, at, scratch.x1, normed, keeps)?;

        tools.forward([kept, self.wide, n], scratch.x1, &self.intermediate.weight, own.u)?;
        let (count, u, bias, wide) = ((kept * self.wide) as u64, own.u, self.intermediate.bias.at(0), scratch.wide);
        gpu.launch(kernels.gelu_forward, Grid::flat(kept * self.wide / 8), &mut params![count, u, bias, wide, split])?;
        tools.forward([kept, n, self.wide], wide, &self.dense.weight, scratch.narrow)?;
        let normed = Normed { normal: own.normal2, scales: own.scales2, flags: own.flags2 };
        let narrow = Strided { at: scratch.narrow, stride: n };
        let at = pass.hidden(site::output(self.index));
        let bias = self.dense.bias.at(0);
        self.normalise(pass, &self.norm, (tokens, none), narrow, bias, scratch.x1, at, own.out, normed, keeps)
    }

    #[expect(clippy::too_many_arguments, reason = "the terms of LayerNorm(mask (x + b) + residual)")]
    fn normalise(
        &self,
        pass: &Pass,
        norm: &Norm,
        (tokens, rows): (u64, u64),
        x: Strided,
        bias: u64,
        residual: u64,
        site: Site,
        y: u64,
        to: Normed,
        keeps: bool,
    ) -> Result<(), CudaError> {
        let Tools { gpu, kernels, step, split, .. } = pass.tools;
        let count = pass.kept();
        let to = if keeps { to } else { Normed { normal: 0, scales: 0, flags: 0 } };
        let (numbers, stride, count_i32) = (pass.word(pass.bucket.places().numbers), x.stride as i32, count as i32);
        let (gamma, beta, eps) = (norm.weight.at(0), norm.bias.at(0), norm.eps);
        gpu.launch(
            kernels.add_norm,
            Grid::warps(count, 1),
            &mut params![
                step, count_i32, tokens, rows, numbers, x.at, stride, bias, residual, gamma, beta, eps, site, y, split,
                to.normal, to.scales, to.flags
            ],
        )
    }

    /// From the gradient of the output [kept, n] in `slope` to that of x [tokens, n] in `scratch.slope` where `down`, the
    /// layers below, are wanted. Writes partial gradients of the adapters.
    pub fn backward(
        &self,
        pass: &Pass,
        x: u64,
        own: &LayerRoom,
        slope: u64,
        down: bool,
        partials: Partials,
    ) -> Result<(), CudaError> {
        let Pass { tools, bucket, scratch, .. } = *pass;
        let Tools { gpu, kernels, step, .. } = tools;
        let (n, kept) = (self.n, pass.kept());
        let inner = Inner { k: scratch.k, dh: scratch.dh, dd: scratch.dd, e: scratch.e };

        let normed = Normed { normal: own.normal2, scales: own.scales2, flags: own.flags2 };
        let at = pass.hidden(site::output(self.index));
        self.normalise_backward(pass, &self.norm, slope, normed, at, scratch.residual, scratch.narrow, n)?;
        let back = &self.dense.weight.stored;
        tools.backward([kept, self.wide, n], scratch.narrow, back, scratch.wide, false)?;
        let (count, u, bias, wide) = ((kept * self.wide) as u64, own.u, self.intermediate.bias.at(0), scratch.wide);
        gpu.launch(kernels.gelu_backward, Grid::flat(kept * self.wide / 8), &mut params![count, u, bias, wide])?;
        let back = &self.intermediate.weight.stored;
        tools.backward([kept, n, self.wide], wide, back, scratch.residual, true)?;

        let normed = Normed { normal: own.normal1, scales: own.scales1, flags: own.flags1 };
        let at = pass.attention_output(self.index);
        let width = self.output.width();
        let dz = scratch.dz_output;
        let residual = if pass.only_first { scratch.first } else { scratch.slope };
        self.normalise_backward(pass, &self.attention_norm, scratch.residual, normed, at, residual, dz, width)?;
        let deeper = down || self.input.any_adapted();
        let dcontext = deeper.then_some((scratch.dcontext, false));
        let count = Count { capacity: kept, only_first: pass.only_first };
        self.output.backward(&tools, count, own.context, own.z_output, dz, dcontext, inner, partials)?;
        if !deeper {
            return Ok(());
        }

        let stride = self.input.width();
        let slopes = Matrices::new([0, 1, 2].map(|i| Strided { at: scratch.dz + (i * n * self.size) as u64, stride }));
        let (qkv, at, contexts) =
            (self.queries_keys_values(own), pass.attention(self.index), [own.context, scratch.dcontext]);
        tools.attention.backward(pass, qkv, at, contexts, Self::kept(own), slopes, scratch.query_sums)?;
        if down && pass.only_first {
            let places = bucket.places();
            let (first, row_of, from, to) =
                (pass.word(places.first), pass.word(places.row_of), scratch.first, scratch.slope);
            let capacity = bucket.tokens as i32;
            gpu.launch(
                kernels.scatter_first,
                Grid::warps(bucket.tokens, 1),
                &mut params![step, capacity, first, row_of, from, to],
            )?;
        }
        let dx = down.then_some((scratch.slope, true));
        let count = Count { capacity: bucket.tokens, only_first: false };
        self.input.backward(&tools, count, x, own.z, scratch.dz, dx, inner, partials)
    }

    #[expect(clippy::too_many_arguments, reason = "what the way there kept, and where two gradients go")]
    fn normalise_backward(
        &self,
        pass: &Pass,
        norm: &Norm,
        dy: u64,
        from: Normed,
        site: Site,
        dres: u64,
        dx: u64,
        dx_stride: usize,
    ) -> Result<(), CudaError> {
        let Tools { gpu, kernels, .. } = pass.tools;
        let (count, stride, gamma) = (pass.kept() as i32, dx_stride as i32, norm.weight.at(0));
        gpu.launch(
            kernels.add_norm_backward,
            Grid::warps(pass.kept(), 1),
            &mut params![count, dy, from.normal, from.scales, gamma, site, from.flags, dres, dx, stride],
        )
    }
}

/// What a layer norm keeps for the way back.
#[derive(Clone, Copy)]
struct Normed {
    normal: u64,
    scales: u64,
    flags: u64,
}
