//! Where activations and gradients lie: one region, cut once for the largest batch seen. Knows sizes, not contents.

use super::attention::SHORT_TILE;
use super::batch::Bucket;
use super::device::{Gpu, Memory};
use super::error::CudaError;
use super::layer::{INPUT, OUTPUT};
use super::precision::Precision;
use super::projection::{Columns, SLABS};
use super::weights::Weight;
use crate::adapter::Method;
use crate::model::Config;
use crate::spec::RunSpec;
use crate::train::parameters::outline;
use crate::train::{BackendError, Part};
use half::bf16;

/// Sizes that do not change with the batch.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub n: usize,
    /// Width of the embeddings.
    pub embedding: usize,
    pub wide: usize,
    pub heads: usize,
    pub layers: usize,
    pub rank: usize,
    pub outputs: usize,
    /// Bytes of a stored value.
    pub real: usize,
    /// Columns of the products of query, key and value, and of the attention's output.
    pub width: usize,
    pub width_output: usize,
    /// Columns of the outputs that stand apart from these products.
    pub apart: usize,
    pub apart_output: usize,
    /// Adapted matrices of a layer.
    pub adapted: usize,
    /// Trained values, all and of the adapters.
    pub values: usize,
    pub adapters: usize,
    pub precision: Precision,
    /// Sets of partial gradients for each slab of tokens.
    pub sets: usize,
}

impl Sizes {
    /// Sizes of a model of `config` that `spec` trains with `method` under `outputs` logits, or why these kernels cannot.
    pub fn new(
        config: &Config,
        spec: &RunSpec,
        method: &dyn Method,
        precision: Precision,
        outputs: usize,
    ) -> Result<Self, BackendError> {
        let form = super::form(method)?;
        check(config, spec.rank, precision.bytes())?;
        let (n, rank) = (config.hidden_size, spec.rank);
        let adapted = |of: &[&str]| of.iter().filter(|t| spec.targets.iter().any(|s| s == *t)).count();
        let columns = |of: &[&str]| Columns::new(n, of.len(), adapted(of), rank, form.c.is_some());
        let (input, output) = (columns(&INPUT), columns(&OUTPUT));
        let (mut values, mut adapters) = (0, 0);
        for (parameter, _) in outline(config, spec, method, outputs)? {
            let len = parameter.shape.iter().product::<usize>();
            values += len;
            adapters += if parameter.part == Part::Adapter { len } else { 0 };
        }
        Ok(Self {
            n,
            embedding: config.embedding_size,
            wide: config.intermediate_size,
            heads: config.num_attention_heads,
            layers: config.num_hidden_layers,
            rank,
            outputs,
            real: precision.bytes(),
            width: input.width,
            width_output: output.width,
            apart: input.apart,
            apart_output: output.apart,
            adapted: adapted(&INPUT) + adapted(&OUTPUT),
            values,
            adapters,
            precision,
            sets: if form.tied() { 2 } else { 1 },
        })
    }
}

/// What the way back needs of one layer: addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerRoom {
    pub z: u64,
    pub y: u64,
    pub context: u64,
    pub logs: u64,
    /// Kept flags of the scores.
    pub kept: u64,
    pub z_output: u64,
    pub normal1: u64,
    pub scales1: u64,
    pub flags1: u64,
    pub u: u64,
    pub normal2: u64,
    pub scales2: u64,
    pub flags2: u64,
    pub out: u64,
}

/// What no one needs later.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scratch {
    pub x1: u64,
    pub wide: u64,
    pub narrow: u64,
    pub y_output: u64,
    pub residual: u64,
    /// Gradient of the layer's output, then of its input.
    pub slope: u64,
    /// The same for each row's first token only.
    pub first: u64,
    pub dcontext: u64,
    /// Gradients of queries between the key tiles of long rows, f32.
    pub query_sums: u64,
    pub dz: u64,
    pub dz_output: u64,
    pub k: u64,
    pub dh: u64,
    pub dd: u64,
    pub e: u64,
}

/// What the head keeps, f32.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadRoom {
    pub x: u64,
    pub pre: u64,
    pub pooled: u64,
    pub logits: u64,
    pub dlogits: u64,
    pub losses: u64,
    pub dx: u64,
}

/// All of it, for batches that a bucket covers.
pub struct Room {
    pub bucket: Bucket,
    pub batch: u64,
    pub embedded: u64,
    /// Embeddings of another width than the layers.
    pub narrow: u64,
    pub layers: Vec<LayerRoom>,
    pub scratch: Scratch,
    pub head: HeadRoom,
    pub partials: u64,
    /// As [`super::projection::Tools::split`] says.
    pub split: u64,
    memory: Option<Memory>,
}

/// Cuts a region into pieces that begin at multiples of 256 bytes.
struct Cutter {
    base: u64,
    at: usize,
}

impl Cutter {
    fn take(&mut self, bytes: usize) -> u64 {
        let at = self.base + self.at as u64;
        self.at += bytes.next_multiple_of(256);
        at
    }
}

impl Room {
    /// Bytes for batches of `bucket`.
    pub fn bytes(sizes: &Sizes, bucket: Bucket) -> usize {
        let mut cutter = Cutter { base: 0, at: 0 };
        cut(&mut cutter, sizes, bucket);
        cutter.at
    }

    pub fn new(gpu: &Gpu, sizes: &Sizes, bucket: Bucket) -> Result<Self, CudaError> {
        let memory = gpu.zeros(Self::bytes(sizes, bucket))?;
        let mut cutter = Cutter { base: memory.at(0), at: 0 };
        let (batch, [embedded, narrow], layers, scratch, head, partials, split) = cut(&mut cutter, sizes, bucket);
        Ok(Self { bucket, batch, embedded, narrow, layers, scratch, head, partials, split, memory: Some(memory) })
    }

    /// Gives the region back; no batch fits any more.
    pub fn release(&mut self) {
        self.memory = None;
        self.bucket = Bucket { tokens: 0, rows: 0, most: 0 };
    }
}

type Pieces = (u64, [u64; 2], Vec<LayerRoom>, Scratch, HeadRoom, u64, u64);

fn cut(cutter: &mut Cutter, s: &Sizes, bucket: Bucket) -> Pieces {
    let Bucket { tokens, rows, most } = bucket;
    let narrow = s.n * s.real;
    let batch = cutter.take(4 * bucket.places().end);
    let apart = if s.embedding == s.n { 0 } else { tokens * s.embedding * s.real };
    let embedded = [cutter.take(tokens * narrow), cutter.take(apart)];
    let layer = |index: usize, cutter: &mut Cutter| {
        // After the last layer's attention only first tokens go on.
        let kept = if index + 1 == s.layers { rows } else { tokens };
        LayerRoom {
            z: cutter.take(tokens * s.width * s.real),
            y: cutter.take(tokens * s.apart * s.real),
            context: cutter.take(kept * narrow),
            logs: cutter.take(s.heads * tokens * 4),
            kept: cutter.take(rows * s.heads * most * (most / 32) * 4),
            z_output: cutter.take(kept * s.width_output * s.real),
            normal1: cutter.take(kept * narrow),
            scales1: cutter.take(kept * 4),
            flags1: cutter.take(kept * s.n / 8),
            u: cutter.take(kept * s.wide * s.real),
            normal2: cutter.take(kept * narrow),
            scales2: cutter.take(kept * 4),
            flags2: cutter.take(kept * s.n / 8),
            out: cutter.take(kept * narrow),
        }
    };
    let layers = (0..s.layers).map(|i| layer(i, cutter)).collect();
    let inner = 3 * tokens * 4;
    let scratch = Scratch {
        x1: cutter.take(tokens * narrow),
        wide: cutter.take(tokens * s.wide * s.real),
        narrow: cutter.take(tokens * narrow),
        y_output: cutter.take(tokens * s.apart_output * s.real),
        residual: cutter.take(tokens * narrow),
        slope: cutter.take(tokens * narrow),
        first: cutter.take(rows * narrow),
        dcontext: cutter.take(tokens * narrow),
        query_sums: cutter.take(if most > SHORT_TILE { tokens * s.n * 4 } else { 0 }),
        dz: cutter.take(tokens * s.width * s.real),
        dz_output: cutter.take(tokens * s.width_output * s.real),
        k: cutter.take(inner * s.rank),
        dh: cutter.take(inner * s.rank),
        dd: cutter.take(inner * s.rank),
        e: cutter.take(inner),
    };
    let wide_row = rows * s.n * 4;
    let logits = rows * s.outputs * 4;
    let head = HeadRoom {
        x: cutter.take(wide_row),
        pre: cutter.take(wide_row),
        pooled: cutter.take(wide_row),
        logits: cutter.take(logits),
        dlogits: cutter.take(logits),
        losses: cutter.take(rows * 4),
        dx: cutter.take(wide_row),
    };
    let partials = cutter.take(SLABS * s.sets * s.adapters * 4);
    let most = tokens.max(rows);
    let split = match s.precision {
        Precision::F32 => {
            let widest = s.wide.max(s.width).max(s.width_output).max(s.embedding);
            cutter.take(3 * (most * widest + widest * s.n) * size_of::<f32>() + 512)
        }
        Precision::Tf32 => cutter.take(Weight::COPIES * most * s.wide.max(s.n).max(s.embedding) * size_of::<bf16>()),
        Precision::Bf16 => 0,
    };
    (batch, embedded, layers, scratch, head, partials, split)
}

/// Why a model cannot be trained with these kernels.
pub fn check(config: &Config, rank: usize, real: usize) -> Result<(), CudaError> {
    let head = config.hidden_size / config.num_attention_heads;
    let whole = |field, found: usize| {
        let expected = "a multiple of 8";
        if found.is_multiple_of(8) { Ok(()) } else { Err(CudaError::Size { field, found, expected }) }
    };
    let most = |field, found, limit, expected| {
        if found <= limit { Ok(()) } else { Err(CudaError::Size { field, found, expected }) }
    };
    whole("hidden_size", config.hidden_size)?;
    whole("embedding_size", config.embedding_size)?;
    whole("intermediate_size", config.intermediate_size)?;
    most("hidden_size", config.hidden_size, 2048, "at most 2048")?;
    most("embedding_size", config.embedding_size, 2048, "at most 2048")?;
    let (largest, words) = if real == 2 { (128, "at most 128") } else { (80, "at most 80, or 128 in bf16") };
    most("hidden_size / num_attention_heads", head, largest, words)?;
    most("rank", rank, 256, "at most 256")
}
