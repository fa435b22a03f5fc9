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
    /// Of the way back, see stage.cu.
    stages: usize,
    forward: Kernel,
    backward: Kernel,
    /// Bytes of shared memory of each.
    shared: [usize; 2],
}

impl Tiled {
    /// For heads of `head` values of `size` bytes.
    fn new([forward, backward]: [Kernel; 2], tile: usize, stages: usize, head: usize, size: usize) -> Self {
        let shared = [3 * tile_bytes(tile, head, size), backward_bytes(tile, stages, head, size)];
        Self { tile, stages, forward, backward, shared }
    }

    fn allow(&self, gpu: &Gpu) -> Result<(), CudaError> {
        let [forward, backward] = self.shared;
        gpu.allow_shared(self.forward, forward)?;
        gpu.allow_shared(self.backward, backward)
    }
}

/// Bytes that keep rows of values of `size` bytes out of each other's banks.
const PADDING: usize = 16;

/// `TILE * ROW` in tile.cu.
fn tile_bytes(tile: usize, head: usize, size: usize) -> usize {
    tile * (head.next_multiple_of(16) * size + PADDING)
}

/// `Room` in stage.cu.
fn backward_bytes(tile: usize, stages: usize, head: usize, size: usize) -> usize {
    // Of two stages the context stands there too, and the score gradients of all queries.
    let (tiles, parts, queries) = if stages == 2 { (5, 1, tile) } else { (4, 2, SLOPE_QUERIES) };
    // Of each query two numbers, and words of flags.
    let of_queries = tile * (2 + tile / 32) * 4;
    stages * (tiles * tile_bytes(tile, head, size) + of_queries) + parts * tile * (queries * size + PADDING)
}

/// Stages of the way back that stand in a block's shared memory at a time on this card: two where the kernel is made for
/// that, bf16 and heads of at most 64, and the card has room for them.
pub fn stages(gpu: &Gpu, head: usize, size: usize) -> Result<usize, CudaError> {
    if size != 2 || head > 64 {
        return Ok(1);
    }
    match gpu.has_shared(backward_bytes(TILE, 2, head, size)) {
        Err(CudaError::Shared { .. }) => Ok(1),
        has => has.map(|()| 2),
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
    /// For `heads` heads of `head` values of `size` bytes; `stages` as the kernels were compiled.
    pub fn new(
        gpu: &Gpu,
        kernels: &Kernels,
        heads: usize,
        head: usize,
        size: usize,
        stages: usize,
    ) -> Result<Self, CudaError> {
        let k = kernels;
        let short = Tiled::new([k.attention_forward_short, k.attention_backward_short], SHORT_TILE, 1, head, size);
        let long = Tiled::new([k.attention_forward, k.attention_backward], TILE, stages, head, size);
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
        let (step, split, rows, capacity) = (tools.step, tools.split, Rows::new(pass), bucket.tokens as i32);
        let Kept { logs, flags } = kept;
        // The kernel's powers are of base 2.
        let scale = self.scale * std::f32::consts::LOG2_E;
        let grid =
            Grid { blocks: [tiles, self.heads, bucket.rows], threads: THREADS * tiled.tile, shared: tiled.shared[0] };
        tools.gpu.launch(
            tiled.forward,
            grid,
            &mut params![step, rows, qkv, scale, site, context, split, logs, flags, capacity],
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
        // With two stages a block walks over several rows and heads.
        let items = self.heads * bucket.rows;
        let blocks = if tiled.stages == 2 { items.min(tools.gpu.multiprocessors) } else { items };
        let grid = Grid { blocks: [blocks, 1, 1], threads: THREADS * tiled.tile, shared: tiled.shared[1] };
        let items = items as i32;
        tools.gpu.launch(
            tiled.backward,
            grid,
            &mut params![rows, qkv, scale, site, context, dcontext, logs, flags, capacity, slopes, sums, items],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stages_of_common_heads_fit_where_a_block_has_227_kib() {
        assert_eq!(backward_bytes(TILE, 2, 64, 2), 2 * 5 * 128 * 72 * 2 + 128 * 136 * 2 + 2 * 3072);
        assert!(backward_bytes(TILE, 2, 64, 2) <= (227 - 4) << 10);
        // A card with less takes the same as ever.
        assert_eq!(backward_bytes(SHORT_TILE, 1, 64, 2), 4 * 64 * 72 * 2 + 2 * 64 * 40 * 2 + 1024);
    }
}
