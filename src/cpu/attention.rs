//! Scaled dot-product attention of each row and head, forward and backward; softmax and dropout are one pass. The sign of a
//! kept probability says whether dropout took it. Knows no weights.

use super::dropout::Site;
use super::lane::{exp, largest, sum, sum2};
use super::matrix::{Beta, View, ViewMut, multiply};
use super::workspace::room;
use crate::train::pack::{Chunk, Row, padded};
use multiversion::multiversion;

/// Which queries are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queries {
    All,
    /// Each row's first token: all that the head looks at after the last layer.
    First,
}

impl Queries {
    /// Number of queries of a row, and the first of them among the chunk's.
    fn of(self, number: usize, row: &Row) -> (usize, usize) {
        match self {
            Self::All => (row.len, row.first),
            Self::First => (1, number),
        }
    }
}

/// Sizes of the heads: n = heads x size.
#[derive(Clone, Copy)]
pub struct Attention {
    pub heads: usize,
    pub size: usize,
}

/// Buffers that one head needs for a while.
#[derive(Default)]
pub struct Scratch {
    dropped: Vec<f32>,
    slopes: Vec<f32>,
    flags: Vec<u8>,
}

impl Attention {
    fn scale(self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// From `qkv` [tokens, 3 n] to `context` [queries, n]; `p` keeps the probabilities.
    #[expect(clippy::too_many_arguments, reason = "two inputs, two outputs and what they are read by")]
    pub fn forward(
        self,
        chunk: &Chunk,
        queries: Queries,
        site: Option<Site>,
        qkv: &[f32],
        p: &mut [f32],
        context: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (d, n) = (self.size, self.heads * self.size);
        for (number, row) in chunk.rows.iter().enumerate() {
            let (count, first) = queries.of(number, row);
            let stride = padded(row.len);
            for head in 0..self.heads {
                let at = |part: usize| &qkv[row.first * 3 * n + part * n + head * d..];
                let (q, k, v) = (
                    View::strided(at(0), count, d, 3 * n),
                    View::strided(at(1), row.len, d, 3 * n),
                    View::strided(at(2), row.len, d, 3 * n),
                );
                let p = &mut p[row.scores + head * row.len * stride..][..count * stride];
                multiply(ViewMut::strided(p, count, row.len, stride), q, k.t(), Beta::Zero);
                softmax(p, row.len, stride, self.scale(), !row.first_is_key);
                let out = ViewMut::strided(&mut context[first * n + head * d..], count, d, n);
                match site {
                    None => multiply(out, View::strided(p, count, row.len, stride), v, Beta::Zero),
                    Some(site) => {
                        self.draw(site, chunk, row, head, count, &mut scratch.flags);
                        let dropped = room(&mut scratch.dropped, p.len());
                        let columns = &chunk.columns[row.first..row.first + row.len];
                        drop_scores(p, stride, &scratch.flags, chunk.width, columns, site.scale(), dropped);
                        multiply(out, View::strided(dropped, count, row.len, stride), v, Beta::Zero);
                    }
                }
            }
        }
    }

    /// Flags of a head's probabilities, [column of the last query + 1, width] of the padded batch.
    fn draw(self, site: Site, chunk: &Chunk, row: &Row, head: usize, queries: usize, flags: &mut Vec<u8>) {
        let last = chunk.columns[row.first + queries - 1] as usize;
        let first = ((row.source * self.heads + head) * chunk.width * chunk.width) as u64;
        flags.resize((last + 1) * chunk.width, 0);
        site.from(first, flags);
    }

    /// From the gradient of the context [queries, n] to that of q, k and v: the first 3 n columns of `dz`, `stride` apart.
    /// `wanted` tells which of them anyone reads.
    #[expect(clippy::too_many_arguments, reason = "two inputs, two outputs and what they are read by")]
    pub fn backward(
        self,
        chunk: &Chunk,
        queries: Queries,
        keep: f32,
        qkv: &[f32],
        p: &[f32],
        dcontext: &[f32],
        wanted: [bool; 3],
        dz: &mut [f32],
        dz_stride: usize,
        scratch: &mut Scratch,
    ) {
        let (d, n) = (self.size, self.heads * self.size);
        for (number, row) in chunk.rows.iter().enumerate() {
            let (count, first) = queries.of(number, row);
            let stride = padded(row.len);
            if wanted[0] && count < row.len {
                for dq in dz[(row.first + count) * dz_stride..].chunks_mut(dz_stride).take(row.len - count) {
                    dq[..n].fill(0.0);
                }
            }
            for head in 0..self.heads {
                let at = |part: usize| &qkv[row.first * 3 * n + part * n + head * d..];
                let p = &p[row.scores + head * row.len * stride..][..count * stride];
                let dout = View::strided(&dcontext[first * n + head * d..], count, d, n);
                let (dropped, slopes) = (room(&mut scratch.dropped, p.len()), room(&mut scratch.slopes, p.len()));
                if wanted[0] || wanted[1] {
                    let v = View::strided(at(2), row.len, d, 3 * n);
                    multiply(ViewMut::strided(slopes, count, row.len, stride), dout, v.t(), Beta::Zero);
                }
                softmax_slope(p, row.len, stride, self.scale(), keep, slopes, dropped);
                let slopes = View::strided(slopes, count, row.len, stride);
                let dropped = View::strided(dropped, count, row.len, stride);
                let mut write = |part: usize, rows: usize, a: View, b: View| {
                    if wanted[part] {
                        let to = &mut dz[row.first * dz_stride + part * n + head * d..];
                        multiply(ViewMut::strided(to, rows, d, dz_stride), a, b, Beta::Zero);
                    }
                };
                write(0, count, slopes, View::strided(at(1), row.len, d, 3 * n));
                write(1, row.len, slopes.t(), View::strided(at(0), count, d, 3 * n));
                write(2, row.len, dropped.t(), dout);
            }
        }
    }
}

/// Rows of scores to probabilities; the padding becomes 0, and so does the first key where it is masked.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn softmax(p: &mut [f32], keys: usize, stride: usize, scale: f32, first_masked: bool) {
    for row in p.chunks_exact_mut(stride) {
        row[keys..].fill(f32::NEG_INFINITY);
        if first_masked {
            row[0] = f32::NEG_INFINITY;
        }
        let top = largest(row);
        for x in row.iter_mut() {
            *x = exp((*x - top) * scale);
        }
        row[keys..].fill(0.0);
        if first_masked {
            row[0] = 0.0;
        }
        let share = 1.0 / sum(row, |x| x);
        for x in row.iter_mut() {
            *x *= share;
        }
    }
}

/// `dropped` receives what dropout leaves of `p`; what it takes becomes negative in `p`. Query i and key j have their flag
/// at [columns[i], columns[j]].
fn drop_scores(
    p: &mut [f32],
    stride: usize,
    flags: &[u8],
    width: usize,
    columns: &[u32],
    scale: f32,
    dropped: &mut [f32],
) {
    let straight = columns.last().is_some_and(|c| *c as usize + 1 == columns.len());
    for ((row, out), column) in p.chunks_exact_mut(stride).zip(dropped.chunks_exact_mut(stride)).zip(columns) {
        let flags = &flags[*column as usize * width..][..width];
        let (row, out) = (&mut row[..columns.len()], &mut out[..columns.len()]);
        if straight {
            drop_row(row, out, &flags[..columns.len()], scale);
        } else {
            let picked: Vec<u8> = columns.iter().map(|c| flags[*c as usize]).collect();
            drop_row(row, out, &picked, scale);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn drop_row(p: &mut [f32], dropped: &mut [f32], flags: &[u8], scale: f32) {
    for ((p, out), flag) in p.iter_mut().zip(dropped).zip(flags) {
        *out = *p * (f32::from(*flag) * scale);
        *p = f32::from_bits(p.to_bits() | (u32::from(1 - flag) << 31));
    }
}

/// From the gradient of the dropped probabilities to that of the scores before their scale, in place. `dropped` receives the
/// dropped probabilities again.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn softmax_slope(
    p: &[f32],
    keys: usize,
    stride: usize,
    scale: f32,
    keep: f32,
    slopes: &mut [f32],
    dropped: &mut [f32],
) {
    let rows = p.chunks_exact(stride).zip(slopes.chunks_exact_mut(stride)).zip(dropped.chunks_exact_mut(stride));
    for ((p, slopes), dropped) in rows {
        slopes[keys..].fill(0.0);
        for i in 0..stride {
            dropped[i] = if p[i].is_sign_negative() { 0.0 } else { p[i] * keep };
        }
        let along = sum2(slopes, dropped, |s, p| s * p);
        for i in 0..stride {
            let kept = if p[i].is_sign_negative() { 0.0 } else { keep };
            slopes[i] = p[i].abs() * (slopes[i] * kept - along) * scale;
        }
    }
}
