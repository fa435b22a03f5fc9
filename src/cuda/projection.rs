//! Linear layers of one input as one matrix product with their adapters in the linear form: the rows of V^T stand below those
//! of W0. Knows no attention.

use super::Precision;
use super::attention::Attention;
use super::device::{Gpu, Memory};
use super::error::CudaError;
use super::kernels::{Grid, Kernels, params};
use super::matmul::{Products, Shape, Storage};
use super::weights::{Weight, floats};
use crate::adapter::{Factor, Form};
use crate::model::weights::Weights;
use crate::train::BackendError;
use crate::train::parameters::Parameters;
use half::bf16;
use std::ops::Range;

/// Tokens of a warp of `combine`.
const TOKENS: usize = 2;
/// Tokens and threads of a block of `adapter_inner`.
const INNER_TOKENS: usize = 16;
const INNER_THREADS: usize = 128;
/// Columns and threads of a block of `adapter_gradients`.
const GRAD_COLUMNS: usize = 64;
const GRAD_THREADS: usize = 128;
/// Longest run of large terms of a split product.
const LONGEST_RUN: usize = 768;
/// Slabs of tokens whose gradients are summed apart, at most.
pub const SLABS: usize = 16;

/// `Part` in part.cu.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Part {
    u: u64,
    bias: u64,
    c: u64,
    d: u64,
    y: u64,
    y_stride: i32,
    z_column: i32,
    h_column: i32,
    c_len: i32,
}

/// `Places` in adapter_backward.cu.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Places {
    u: i32,
    v: i32,
    c: i32,
    d: i32,
    u_transposed: i32,
    v_transposed: i32,
    tied: i32,
}

/// `Inner` in adapter_backward.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Inner {
    pub k: u64,
    pub dh: u64,
    pub dd: u64,
    pub e: u64,
}

/// `Matrix` in adapter.cu: an adapter and the storage copies of its factors.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Matrix {
    u: u64,
    v: u64,
    c: u64,
    w0: u64,
    u_rows: u64,
    v_rows: u64,
    v_scaled: u64,
    scaled: u64,
    v_split: u64,
    u_transposed: i32,
    v_transposed: i32,
    c_len: i32,
    stride: i32,
}

/// Number of slabs that the gradients of a batch of `tokens` tokens are summed in.
pub fn slabs(tokens: usize) -> usize {
    tokens.div_ceil(STEP_OF_SLABS).clamp(1, SLABS)
}

/// Where partial gradients go: `slabs` sets `stride` values apart.
#[derive(Clone, Copy)]
pub struct Partials {
    pub at: u64,
    pub stride: usize,
    pub slabs: usize,
}

/// What the product of a projection has rows for.
#[derive(Clone, Copy)]
pub struct Count {
    /// Rows that there is room for.
    pub capacity: usize,
    /// They are each row's first token, not all tokens.
    pub only_first: bool,
}

/// A slab has a multiple of this many tokens.
const STEP_OF_SLABS: usize = 128;

struct Place {
    range: Range<usize>,
    transposed: bool,
}

struct Adapted {
    /// Column of V^T x in the product.
    column: usize,
    u: Place,
    v: Place,
    c: Option<Range<usize>>,
    d: Option<Range<usize>>,
    u_rows: Memory,
}

struct Linear {
    bias: Memory,
    adapted: Option<Adapted>,
}

/// Where a projection's product and its outputs are.
#[derive(Clone, Copy)]
pub struct Room {
    /// [tokens, width]
    pub z: u64,
    /// [tokens, n] for each matrix with a c: its product must stay for the way back.
    pub y: u64,
}

/// A matrix whose rows are `stride` values apart.
#[derive(Clone, Copy)]
pub struct Strided {
    pub at: u64,
    pub stride: usize,
}

/// Columns of a projection's product, and of the outputs that stand apart from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    pub width: usize,
    pub apart: usize,
}

impl Columns {
    /// For `matrices` layers [n, n] of which `adapted` have factors of rank `rank`, each with a c where `scaled`.
    pub fn new(n: usize, matrices: usize, adapted: usize, rank: usize, scaled: bool) -> Self {
        // Rows of the product begin at multiples of 16 bytes; the rows of weights that this takes stay 0.
        let width = (matrices * n + adapted * rank).next_multiple_of(8);
        Self { width, apart: if scaled { adapted * n } else { 0 } }
    }
}

/// Square layers [n, n] of one input [tokens, n].
pub struct Projection {
    n: usize,
    columns: Columns,
    scaling: f32,
    tied: bool,
    size: usize,
    matrices: Vec<Linear>,
    /// [width, n]: every W0, then every V^T.
    stacked: Weight,
    /// What of it is for the way back, with c.W0, where the form has a c.
    scaled: Option<Memory>,
}

/// What every launch needs.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    pub gpu: &'a Gpu,
    pub kernels: &'a Kernels,
    pub products: &'a Products,
    pub attention: &'a Attention,
    /// f32: where the sides of a split product go; TF32: where the next product on the way there reads; else 0.
    pub split: u64,
    /// Address of the step.
    pub step: u64,
    /// Address of the trained values, f32.
    pub values: u64,
}

impl Tools<'_> {
    /// y [tokens, n] = x [tokens, k] W^T with W [n, k]. In TF32 x stands in `split`, where every kernel that writes the input of
    /// such a product leaves it too.
    pub fn forward(&self, [tokens, n, k]: [usize; 3], x: u64, weight: &Weight, y: u64) -> Result<(), CudaError> {
        let shape = Shape::forward(tokens, n, k);
        let Some(split) = &weight.split else { return self.product(shape, x, weight.stored.at(0), y) };
        let deep = Weight::COPIES * k;
        let shape = Shape { k: deep, lda: deep, ldb: deep, storage: Storage::Halves, ..shape };
        self.products.run(self.gpu, shape, self.split, split.at(0), y)
    }

    /// dx [tokens, n] = dy [tokens, k] W with W [k, n], or added to it; `weight` as [`Weight::stored`].
    pub fn backward(
        &self,
        [tokens, n, k]: [usize; 3],
        dy: u64,
        weight: &Memory,
        dx: u64,
        adds: bool,
    ) -> Result<(), CudaError> {
        let turned = self.products.precision() == Precision::Tf32;
        let shape = if turned { Shape::forward(tokens, n, k) } else { Shape::backward(tokens, n, k) };
        self.product(Shape { adds, ..shape }, dy, weight.at(0), dx)
    }

    /// The product of `a` and `b` into `c`, split into three TF32 products where the engine computes in f32.
    fn product(&self, shape: Shape, a: u64, b: u64, c: u64) -> Result<(), CudaError> {
        if self.products.precision() != Precision::F32 || shape.m == 0 {
            return self.products.run(self.gpu, shape, a, b, c);
        }
        let Shape { m, n, k, lda, ldb, b_turned, .. } = shape;
        let left = self.split;
        let right = left + (3 * m * k * size_of::<f32>()).next_multiple_of(256) as u64;
        self.split_side(a, [m, k, lda], true, false, left)?;
        let (rows, columns) = if b_turned { (n, k) } else { (k, n) };
        self.split_side(b, [rows, columns, ldb], false, !b_turned, right)?;
        // A tensor core cuts sums off instead of rounding them, the more the longer they are: the large terms are summed in
        // shorter runs, the first of them after the small ones.
        let runs = k.div_ceil(LONGEST_RUN);
        let run = k.div_ceil(runs).next_multiple_of(8);
        let ldb = if b_turned { 3 * k } else { n };
        let whole = Shape { lda: 3 * k, ldb, storage: Storage::Split, ..shape };
        for (i, from) in (0..k).step_by(run).enumerate() {
            let to = (from + run).min(k);
            let (first, depth) = if i == 0 { (0, 2 * k + to) } else { (2 * k + from, to - from) };
            let piece = Shape { k: depth, adds: shape.adds || i > 0, ..whole };
            let below = if b_turned { first } else { first * n };
            self.products.run(self.gpu, piece, left + 4 * first as u64, right + 4 * below as u64, c)?;
        }
        Ok(())
    }

    fn split_side(
        &self,
        from: u64,
        [rows, columns, stride]: [usize; 3],
        left: bool,
        below: bool,
        to: u64,
    ) -> Result<(), CudaError> {
        let grid = Grid::flat(rows * columns / 4);
        let (rows, columns, stride) = (rows as i32, columns as i32, stride as i32);
        let (first, below) = (i32::from(left), i32::from(below));
        self.gpu.launch(self.kernels.split, grid, &mut params![from, rows, columns, stride, first, below, to])
    }
}

impl Projection {
    /// Reads the layers at `paths`; those with parameters of the form are adapted. `scaling` is alpha / r.
    #[expect(clippy::too_many_arguments, reason = "weights, the form and its parameters, and where they go")]
    pub fn new(
        gpu: &Gpu,
        precision: Precision,
        weights: &Weights,
        paths: &[String],
        n: usize,
        form: &Form,
        scaling: f64,
        parameters: &Parameters<f32>,
    ) -> Result<Self, BackendError> {
        let size = precision.bytes();
        let mut stacked = Vec::new();
        let mut matrices = Vec::new();
        let (mut count, mut rank) = (0, 0);
        for path in paths {
            stacked.extend(weights.values::<f32>(&format!("{path}.weight"), &[n, n])?);
            let range = |suffix: &str| parameters.range(&format!("{path}.{suffix}"));
            let place = |factor: &Factor| Some(Place { range: range(factor.name)?, transposed: factor.transposed });
            let adapted = match (place(&form.u), place(&form.v)) {
                (Some(u), Some(v)) => {
                    rank = u.range.len() / n;
                    let u_rows = gpu.zeros(rank * n * size)?;
                    let (c, d) = (form.c.and_then(range), form.d.and_then(range));
                    Some(Adapted { column: paths.len() * n + count * rank, c, d, u, v, u_rows })
                }
                _ => None,
            };
            count += usize::from(adapted.is_some());
            let bias = floats(gpu, weights, &format!("{path}.bias"), n)?;
            matrices.push(Linear { bias, adapted });
        }
        let with_c = matrices.iter().any(|m| m.adapted.as_ref().is_some_and(|a| a.c.is_some()));
        let columns = Columns::new(n, paths.len(), count, rank, with_c);
        stacked.resize(columns.width * n, 0.0);
        let weight = Weight::new(gpu, precision, &stacked, n)?;
        let scaled = if with_c {
            // Matrices without a c stay as they are.
            let copy = gpu.zeros(stacked.len() * size)?;
            gpu.copy(copy.at(0), weight.stored.at(0), stacked.len() * size)?;
            Some(copy)
        } else {
            None
        };
        Ok(Self { n, columns, scaling: scaling as f32, tied: form.tied(), size, matrices, scaled, stacked: weight })
    }

    /// Columns of the product.
    pub fn width(&self) -> usize {
        self.columns.width
    }

    pub fn any_adapted(&self) -> bool {
        self.matrices.iter().any(|m| m.adapted.is_some())
    }

    /// Adapters for the kernels that copy factors into storage.
    pub fn descriptions(&self, values: u64) -> Vec<Matrix> {
        let value = |range: &Range<usize>| values + 4 * range.start as u64;
        let split = self.stacked.split.as_ref();
        let turned = split.is_some();
        // A row of the stacked weights, a column where they are turned.
        let row = |memory: &Memory, row: usize| memory.at(row * if turned { 1 } else { self.n } * self.size);
        let one = |(i, m): (usize, &Linear)| {
            let a = m.adapted.as_ref()?;
            let scaled = self.scaled.as_ref().filter(|_| a.c.is_some());
            Some(Matrix {
                u: value(&a.u.range),
                v: value(&a.v.range),
                c: a.c.as_ref().map_or(0, value),
                w0: row(&self.stacked.stored, i * self.n),
                u_rows: a.u_rows.at(0),
                v_rows: row(&self.stacked.stored, a.column),
                v_scaled: self.scaled.as_ref().map_or(0, |s| row(s, a.column)),
                scaled: scaled.map_or(0, |s| row(s, i * self.n)),
                v_split: split.map_or(0, |s| s.at(a.column * Weight::COPIES * self.n * size_of::<bf16>())),
                u_transposed: i32::from(a.u.transposed),
                v_transposed: i32::from(a.v.transposed),
                c_len: a.c.as_ref().map_or(0, |c| c.len() as i32),
                stride: if turned { self.columns.width } else { self.n } as i32,
            })
        };
        self.matrices.iter().enumerate().filter_map(one).collect()
    }

    /// Where matrix `i` has its output.
    pub fn output(&self, i: usize, room: Room) -> Strided {
        if has_c(&self.matrices[i]) {
            let before = self.matrices[..i].iter().filter(|m| has_c(m)).count();
            Strided { at: room.y + (before * self.n * self.size) as u64, stride: self.columns.apart }
        } else {
            Strided { at: room.z + (i * self.n * self.size) as u64, stride: self.columns.width }
        }
    }

    fn part(&self, i: usize, room: Room, values: u64) -> Part {
        let m = &self.matrices[i];
        let y = self.output(i, room);
        let at = |range: &Option<Range<usize>>| range.as_ref().map_or(0, |r| values + 4 * r.start as u64);
        let mut part = Part {
            bias: m.bias.at(0),
            y: y.at,
            y_stride: y.stride as i32,
            z_column: (i * self.n) as i32,
            ..Part::default()
        };
        if let Some(a) = &m.adapted {
            part.u = a.u_rows.at(0);
            part.c = at(&a.c);
            part.c_len = a.c.as_ref().map_or(0, |c| c.len() as i32);
            part.d = at(&a.d);
            part.h_column = a.column as i32;
        }
        part
    }

    /// From x [tokens, n] to the product z and the outputs. The matrices that `bare` names keep their product without the
    /// bias where they are not adapted.
    pub fn forward(&self, tools: &Tools, tokens: usize, x: u64, room: Room, bare: &[usize]) -> Result<(), CudaError> {
        tools.forward([tokens, self.columns.width, self.n], x, &self.stacked, room.z)?;
        let mut parts = [Part::default(); 3];
        let mut count = 0;
        for (i, m) in self.matrices.iter().enumerate() {
            if m.adapted.is_some() || !bare.contains(&i) {
                parts[count] = self.part(i, room, tools.values);
                count += 1;
            }
        }
        let grid = Grid::warps(tokens.div_ceil(TOKENS), count);
        let (z, width, capacity, scaling) = (room.z, self.columns.width as i32, tokens as i32, self.scaling);
        tools.gpu.launch(tools.kernels.combine, grid, &mut params![z, width, capacity, scaling, parts])
    }

    /// `dz` [tokens, width] holds the gradients of the outputs in its first columns. Writes partial gradients of the adapters
    /// and, where `dx` [tokens, n] is asked for, writes it or adds to it.
    #[expect(clippy::too_many_arguments, reason = "what came in, what went out, and where gradients go")]
    pub fn backward(
        &self,
        tools: &Tools,
        count: Count,
        x: u64,
        z: u64,
        dz: u64,
        dx: Option<(u64, bool)>,
        inner: Inner,
        partials: Partials,
    ) -> Result<(), CudaError> {
        let (tokens, only_first) = (count.capacity, i32::from(count.only_first));
        let (width, capacity, scaling) = (self.columns.width as i32, tokens as i32, self.scaling);
        let room = Room { z, y: 0 };
        let mut parts = [Part::default(); 3];
        let mut places = [Places::default(); 3];
        let mut count = 0;
        for (i, m) in self.matrices.iter().enumerate() {
            if let Some(a) = &m.adapted {
                parts[count] = self.part(i, room, tools.values);
                places[count] = a.places(self.tied);
                count += 1;
            }
        }
        if count > 0 {
            let (gpu, kernels, step) = (tools.gpu, tools.kernels, tools.step);
            let blocks = [tokens.div_ceil(INNER_TOKENS), count, 1];
            let grid = Grid { blocks, threads: INNER_THREADS, shared: 0 };
            gpu.launch(
                kernels.adapter_inner,
                grid,
                &mut params![step, only_first, z, dz, width, capacity, scaling, parts, inner],
            )?;
            let slab = tokens.div_ceil(partials.slabs).next_multiple_of(STEP_OF_SLABS) as i32;
            // One more block for d and c.
            let blocks = [self.n.div_ceil(GRAD_COLUMNS) + 1, partials.slabs, 2 * count];
            let (to, stride) = (partials.at, partials.stride as i32);
            gpu.launch(
                kernels.adapter_gradients,
                Grid { blocks, threads: GRAD_THREADS, shared: 0 },
                &mut params![step, only_first, x, z, dz, width, capacity, slab, parts, places, inner, to, stride],
            )?;
        }
        if let Some((dx, adds)) = dx {
            let weights = self.scaled.as_ref().unwrap_or(&self.stacked.stored);
            tools.backward([tokens, self.n, self.columns.width], dz, weights, dx, adds)?;
        }
        Ok(())
    }

    /// Address of a matrix's bias.
    pub fn bias(&self, i: usize) -> u64 {
        self.matrices[i].bias.at(0)
    }
}

fn has_c(matrix: &Linear) -> bool {
    matrix.adapted.as_ref().is_some_and(|a| a.c.is_some())
}

impl Adapted {
    fn places(&self, tied: bool) -> Places {
        let at = |range: &Option<Range<usize>>| range.as_ref().map_or(-1, |r| r.start as i32);
        Places {
            u: self.u.range.start as i32,
            v: self.v.range.start as i32,
            c: at(&self.c),
            d: at(&self.d),
            u_transposed: i32::from(self.u.transposed),
            v_transposed: i32::from(self.v.transposed),
            tied: i32::from(tied),
        }
    }
}
