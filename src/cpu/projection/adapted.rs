//! An adapter in the linear form beside one matrix: its trained values, its output and its gradients. Factors of a start that
//! is subtracted stand behind those of now. Knows the columns of the stacked product, not who else is in it.

use crate::adapter::{Factor, Form};
use crate::cpu::lane::sum2;
use crate::cpu::matrix::{Beta, View, ViewMut, multiply};
use crate::train::BackendError;
use crate::train::parameters::Parameters;
use multiversion::multiversion;
use std::ops::Range;

/// Columns of a matrix: the first of them and the length of a row.
#[derive(Clone, Copy)]
pub struct Columns {
    pub first: usize,
    pub stride: usize,
}

/// Trained values, and how many columns of the factors count in this pass.
#[derive(Clone, Copy)]
pub struct Current<'a> {
    pub values: &'a [f32],
    pub columns: usize,
}

/// A factor in the flat buffer: [n, rank], or [rank, n] where transposed.
struct Place {
    range: Range<usize>,
    transposed: bool,
    trains: bool,
}

impl Place {
    fn new(path: &str, factor: &Factor, parameters: &Parameters<f32>) -> Option<Self> {
        let name = format!("{path}.{}", factor.name);
        let (range, trains) = (parameters.range(&name)?, parameters.trains(&name));
        Some(Self { range, transposed: factor.transposed, trains })
    }

    /// [n, rank]
    fn view_mut<'a>(&self, values: &'a mut [f32], n: usize, rank: usize) -> ViewMut<'a> {
        let values = &mut values[self.range.clone()];
        if self.transposed { ViewMut::new(values, rank, n).t() } else { ViewMut::new(values, n, rank) }
    }

    /// Writes the factor's transpose [rank, n].
    fn rows(&self, values: &[f32], n: usize, rank: usize, to: &mut [f32]) {
        let values = &values[self.range.clone()];
        if self.transposed {
            return to.copy_from_slice(values);
        }
        for (i, row) in values.chunks_exact(rank).enumerate() {
            row.iter().enumerate().for_each(|(j, v)| to[j * n + i] = *v);
        }
    }
}

/// One adapter.
pub struct Adapted {
    rank: usize,
    /// First column of V^T x in the product.
    pub column: usize,
    n: usize,
    scaling: f32,
    c: Option<Range<usize>>,
    d: Option<Range<usize>>,
    d_trains: bool,
    u: Place,
    v: Place,
    start: Option<Place>,
    /// U^T [rank, n] as it is now, and behind it U0^T where there is one.
    u_rows: Vec<f32>,
}

/// What a pass does between the factors.
struct Side<'a> {
    /// Empty or one value for each column.
    d: &'a [f32],
    scaling: f32,
    rank: usize,
    /// How many columns count.
    used: usize,
    /// As many columns again are subtracted.
    less: bool,
}

impl Side<'_> {
    /// s d of a column.
    #[inline(always)]
    fn factor(&self, j: usize) -> f32 {
        self.scaling * if self.d.is_empty() { 1.0 } else { self.d[j] }
    }
}

impl Adapted {
    /// The adapter of the matrix at `path`, `None` where `parameters` has none.
    pub fn find(
        path: &str,
        form: &Form,
        scaling: f64,
        n: usize,
        column: usize,
        parameters: &Parameters<f32>,
    ) -> Result<Option<Self>, BackendError> {
        let (Some(u), Some(v)) = (Place::new(path, &form.u, parameters), Place::new(path, &form.v, parameters)) else {
            return Ok(None);
        };
        let range = |suffix: Option<&str>| match suffix.map(|s| format!("{path}.{s}")) {
            None => Ok(None),
            Some(name) => parameters.range(&name).map(Some).ok_or(BackendError::Missing(name)),
        };
        let rank = u.range.len() / n;
        let (c, d) = (range(form.c)?, range(form.d)?);
        let start = form.start.map(|name| Factor { name, transposed: false });
        let start = start.and_then(|factor| Place::new(path, &factor, parameters));
        let scaling = scaling as f32;
        let d_trains = form.d.is_some_and(|d| parameters.trains(&format!("{path}.{d}")));
        let u_rows = vec![0.0; rank * n * if start.is_some() { 2 } else { 1 }];
        Ok(Some(Self { rank, column, n, scaling, c, d, d_trains, u, v, start, u_rows }))
    }

    /// Columns of the product that the adapter takes.
    pub fn width(&self) -> usize {
        self.u_rows.len() / self.n
    }

    /// Takes over changed values; `v_rows` [width, n] is V^T's place in the stacked weights.
    pub fn refresh(&mut self, values: &[f32], v_rows: &mut [f32]) {
        let size = self.rank * self.n;
        self.v.rows(values, self.n, self.rank, &mut v_rows[..size]);
        self.u.rows(values, self.n, self.rank, &mut self.u_rows[..size]);
        if let Some(start) = &self.start {
            start.rows(values, self.n, self.rank, &mut v_rows[size..]);
            self.u_rows[size..].copy_from_slice(&v_rows[size..]);
        }
    }

    fn side<'a>(&self, now: Current<'a>) -> Side<'a> {
        let d = self.d.clone().map_or(&[][..], |d| &now.values[d]);
        let (scaling, rank) = (self.scaling, self.rank);
        Side { d, scaling, rank, used: now.columns.min(rank), less: self.start.is_some() }
    }

    /// c: empty, one value or one for each column.
    fn c<'a>(&self, values: &'a [f32]) -> &'a [f32] {
        self.c.clone().map_or(&[], |c| &values[c])
    }

    /// y = c.(W0 x) + b + s U (d.(V^T x)), less the start's, in the columns `out` of y, from the product z.
    #[expect(clippy::too_many_arguments, reason = "two matrices with their columns")]
    pub fn forward(
        &self,
        z: &[f32],
        from: Columns,
        bias: &[f32],
        now: Current,
        y: &mut [f32],
        out: Columns,
        coefficients: &mut [f32],
    ) {
        let h = Columns { first: self.column, stride: from.stride };
        combine(z, from, h, self.c(now.values), bias, &self.side(now), &self.u_rows, y, out, coefficients);
    }

    /// Adds to the gradients of c, d, U and V; writes that of V^T x into its columns of `dz`, whose columns `from` hold dy.
    #[expect(clippy::too_many_arguments, reason = "two matrices with their columns")]
    pub fn backward(
        &self,
        x: &[f32],
        now: Current,
        z: &[f32],
        dz: &mut [f32],
        from: Columns,
        gradients: &mut [f32],
        inner: &mut [f32],
    ) {
        let (n, rank, width, stride) = (self.n, self.rank, self.width(), from.stride);
        let tokens = x.len() / n;
        if let Some(c) = &self.c {
            let dc = &mut gradients[c.clone()];
            if dc.len() == 1 {
                dc[0] += along(z, dz, from, n);
            } else {
                along_columns(z, dz, from, dc);
            }
        }
        // dy U, then everything between the factors.
        let dy = View::strided(&dz[from.first..], tokens, n, stride);
        multiply(ViewMut::new(inner, tokens, width), dy, View::new(&self.u_rows, width, n).t(), Beta::Zero);
        let dd = self.d.clone().filter(|_| self.d_trains).map_or(&mut [][..], |d| &mut gradients[d]);
        between(z, self.column, stride, &self.side(now), dz, inner, dd);
        // `inner` now holds s d.(V^T x).
        if self.u.trains {
            let dy = View::strided(&dz[from.first..], tokens, n, stride);
            let inner = View::strided(inner, tokens, rank, width);
            multiply(self.u.view_mut(gradients, n, rank), dy.t(), inner, Beta::One);
        }
        if self.v.trains {
            let dh = View::strided(&dz[self.column..], tokens, rank, stride);
            multiply(self.v.view_mut(gradients, n, rank), View::new(x, tokens, n).t(), dh, Beta::One);
        }
    }

    /// Turns dy into the gradient of W0 x: c.dy.
    pub fn scale(&self, values: &[f32], dz: &mut [f32], from: Columns) {
        let c = self.c(values);
        for row in dz.chunks_exact_mut(from.stride) {
            let row = &mut row[from.first..from.first + self.n];
            match c {
                [] => return,
                [c] => row.iter_mut().for_each(|v| *v *= c),
                c => row.iter_mut().zip(c).for_each(|(v, c)| *v *= c),
            }
        }
    }
}

/// y = z + b.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn add_bias(z: &[f32], from: Columns, bias: &[f32], y: &mut [f32], out: Columns) {
    let n = bias.len();
    for (z, y) in z.chunks_exact(from.stride).zip(y.chunks_exact_mut(out.stride)) {
        let (z, y) = (&z[from.first..][..n], &mut y[out.first..][..n]);
        for i in 0..n {
            y[i] = z[i] + bias[i];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
#[expect(clippy::too_many_arguments, reason = "every term of the form in one pass")]
fn combine(
    z: &[f32],
    from: Columns,
    h: Columns,
    c: &[f32],
    bias: &[f32],
    side: &Side,
    u_rows: &[f32],
    y: &mut [f32],
    out: Columns,
    coefficients: &mut [f32],
) {
    let n = bias.len();
    for (z, y) in z.chunks_exact(from.stride).zip(y.chunks_exact_mut(out.stride)) {
        let (w0x, y) = (&z[from.first..][..n], &mut y[out.first..][..n]);
        for (j, k) in coefficients.iter_mut().enumerate() {
            *k = side.factor(j % side.rank) * z[h.first + j];
        }
        match c {
            [] => (0..n).for_each(|i| y[i] = w0x[i] + bias[i]),
            [c] => (0..n).for_each(|i| y[i] = w0x[i] * c + bias[i]),
            c => (0..n).for_each(|i| y[i] = w0x[i] * c[i] + bias[i]),
        }
        let (now, before) = coefficients.split_at(side.rank);
        if !side.less {
            for (k, u) in now[..side.used].iter().zip(u_rows.chunks_exact(n)) {
                for i in 0..n {
                    y[i] += k * u[i];
                }
            }
            continue;
        }
        // Column by column, so that equal ones cancel exactly.
        let (u_now, u_before) = u_rows.split_at(side.rank * n);
        let columns = now.iter().zip(before).zip(u_now.chunks_exact(n).zip(u_before.chunks_exact(n)));
        for ((k, k0), (u, u0)) in columns.take(side.used) {
            for i in 0..n {
                y[i] += k * u[i] - k0 * u0[i];
            }
        }
    }
}

/// `inner` comes as dy U and leaves as s d.(V^T x); dd += sum of (V^T x).(dy U) s; the columns of `dz` get s d.(dy U). All of
/// it is 0 in columns that do not count, and negative in those that are subtracted.
fn between(z: &[f32], column: usize, stride: usize, side: &Side, dz: &mut [f32], inner: &mut [f32], dd: &mut [f32]) {
    let width = side.rank * if side.less { 2 } else { 1 };
    let rows = z.chunks_exact(stride).zip(dz.chunks_exact_mut(stride)).zip(inner.chunks_exact_mut(width));
    for ((z, dz), inner) in rows {
        let (h, dh) = (&z[column..][..width], &mut dz[column..][..width]);
        for at in 0..width {
            let j = at % side.rank;
            if j >= side.used {
                (dh[at], inner[at]) = (0.0, 0.0);
                continue;
            }
            let sign = if at < side.rank { 1.0 } else { -1.0 };
            if !dd.is_empty() {
                dd[j] += sign * side.scaling * h[at] * inner[at];
            }
            dh[at] = sign * side.factor(j) * inner[at];
            inner[at] = sign * side.factor(j) * h[at];
        }
    }
}

/// Sum of z.dz over all tokens and the columns of one matrix.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn along(z: &[f32], dz: &[f32], from: Columns, n: usize) -> f32 {
    let rows = z.chunks_exact(from.stride).zip(dz.chunks_exact(from.stride));
    let sums = rows.map(|(z, dz)| f64::from(sum2(&z[from.first..][..n], &dz[from.first..][..n], |z, dz| z * dz)));
    sums.sum::<f64>() as f32
}

/// The same, column by column.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn along_columns(z: &[f32], dz: &[f32], from: Columns, dc: &mut [f32]) {
    let n = dc.len();
    for (z, dz) in z.chunks_exact(from.stride).zip(dz.chunks_exact(from.stride)) {
        let (z, dz) = (&z[from.first..][..n], &dz[from.first..][..n]);
        for i in 0..n {
            dc[i] += z[i] * dz[i];
        }
    }
}
