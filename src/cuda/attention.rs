//! The attention of one layer: which kernels serve rows of which length, and their launches. Knows no weights.

use super::device::Gpu;
use super::error::CudaError;
use super::kernels::{Grid, Kernel, Kernels, params};
use super::layer::{Pass, Site};
use super::projection::Strided;

/// Queries and keys of a tile: of rows of any length, and of short ones.
const TILE: usize = 128;
pub const SHORT_TILE: usize = 64;
/// Threads for each query of a tile, and the queries whose score gradients a block holds at a time.
const THREADS: usize = 2;
const SLOPE_QUERIES: usize = 32;

/// `Rows` in tile.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rows {
    first: u64,
    columns: u64,
    leads: u64,
    only_first: i32,
    most: i32,
}

impl Rows {
    fn new(pass: &Pass) -> Self {
        let at = pass.bucket.places();
        Self {
            first: pass.word(at.first),
            columns: pass.word(at.columns),
            leads: pass.word(at.leads),
            only_first: i32::from(pass.only_first),
            most: pass.bucket.most as i32,
        }
    }
}

/// `Matrices` in tile.cu: queries, keys and values, or their gradients.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Matrices {
    at: [u64; 3],
    strides: [i32; 3],
    unused: i32,
}

impl Matrices {
    pub fn new(parts: [Strided; 3]) -> Self {
        Self { at: parts.map(|p| p.at), strides: parts.map(|p| p.stride as i32), unused: 0 }
    }
}

/// The kernels of one size of tile.
#[derive(Clone, Copy)]
struct Tiled {
    tile: usize,
    forward: Kernel,
    backward: Kernel,
    /// Bytes of shared memory of each.
    shared: [usize; 2],
}

impl Tiled {
    /// For heads of `head` values of `size` bytes.
    fn new([forward, backward]: [Kernel; 2], tile: usize, head: usize, size: usize) -> Self {
        let padding = 16 / size;
        let rows = tile * (head.next_multiple_of(16) + padding) * size;
        let slopes = 2 * tile * (SLOPE_QUERIES + padding) * size;
        Self { tile, forward, backward, shared: [3 * rows, 4 * rows + slopes] }
    }

    fn allow(&self, gpu: &Gpu) -> Result<(), CudaError> {
        let [forward, backward] = self.shared;
        gpu.allow_shared(self.forward, forward)?;
        gpu.allow_shared(self.backward, backward)
    }
}

/// The kernels for heads of one size, short rows and others.
pub struct Attention {
    short: Tiled,
    long: Tiled,
    heads: usize,
    /// 1 / sqrt of a head's size.
    scale: f32,
}

/// What the way there keeps for the way back; 0 where there is none.
#[derive(Clone, Copy)]
pub struct Kept {
    /// [heads, tokens], f32
    pub logs: u64,
    /// Bits [rows, heads, longest, longest].
    pub flags: u64,
}

impl Attention {
    /// For `heads` heads of `head` values of `size` bytes.
    pub fn new(gpu: &Gpu, kernels: &Kernels, heads: usize, head: usize, size: usize) -> Result<Self, CudaError> {
        let k = kernels;
        let short = Tiled::new([k.attention_forward_short, k.attention_backward_short], SHORT_TILE, head, size);
        let long = Tiled::new([k.attention_forward, k.attention_backward], TILE, head, size);
        short.allow(gpu)?;
        // A card with less shared memory walks over long rows in more, smaller tiles.
        let long = match long.allow(gpu) {
            Err(CudaError::Shared { .. }) => short,
            allowed => allowed.map(|()| long)?,
        };
        Ok(Self { short, long, heads, scale: 1.0 / (head as f32).sqrt() })
    }

    fn of(&self, longest: usize) -> &Tiled {
        if longest <= self.short.tile { &self.short } else { &self.long }
    }

    /// From queries, keys and values to `context` [kept, n].
    pub fn forward(&self, pass: &Pass, qkv: Matrices, site: Site, context: u64, kept: Kept) -> Result<(), CudaError> {
        let (tools, bucket) = (pass.tools, pass.bucket);
        let tiled = self.of(bucket.most);
        let tiles = if pass.only_first { 1 } else { bucket.most.div_ceil(tiled.tile) };
        let (step, rows, capacity, Kept { logs, flags }) = (tools.step, Rows::new(pass), bucket.tokens as i32, kept);
        // The kernel's powers are of base 2.
        let scale = self.scale * std::f32::consts::LOG2_E;
        let grid =
            Grid { blocks: [tiles, self.heads, bucket.rows], threads: THREADS * tiled.tile, shared: tiled.shared[0] };
        tools.gpu.launch(
            tiled.forward,
            grid,
            &mut params![step, rows, qkv, scale, site, context, logs, flags, capacity],
        )
    }

    /// From the gradient of the context to `slopes`, those of queries, keys and values; `sums` as `Scratch::query_sums`.
    #[expect(clippy::too_many_arguments, reason = "what went in, what came out, and where gradients go")]
    pub fn backward(
        &self,
        pass: &Pass,
        qkv: Matrices,
        site: Site,
        [context, dcontext]: [u64; 2],
        kept: Kept,
        slopes: Matrices,
        sums: u64,
    ) -> Result<(), CudaError> {
        let (tools, bucket) = (pass.tools, pass.bucket);
        let tiled = self.of(bucket.most);
        let (rows, scale, capacity, Kept { logs, flags }) = (Rows::new(pass), self.scale, bucket.tokens as i32, kept);
        let grid =
            Grid { blocks: [self.heads, bucket.rows, 1], threads: THREADS * tiled.tile, shared: tiled.shared[1] };
        tools.gpu.launch(
            tiled.backward,
            grid,
            &mut params![rows, qkv, scale, site, context, dcontext, logs, flags, capacity, slopes, sums],
        )
    }
}
