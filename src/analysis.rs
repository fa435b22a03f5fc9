//! What the layer heatmaps show: norms and spectra of adapted matrices, from plain f64 slices. Knows no device and no file.

mod svd;
mod truncate;

pub use svd::singular_values;
pub use truncate::{Replaced, symmetry, truncated};

use crate::adapter::{Factor, Form};
use thiserror::Error;

/// A dense matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f64>,
}

impl Matrix {
    /// A tensor of one or two dimensions; a vector becomes one row.
    pub fn new(shape: &[usize], values: Vec<f64>) -> Result<Self, AnalysisError> {
        let (rows, columns) = match *shape {
            [n] => (1, n),
            [m, n] => (m, n),
            _ => return Err(AnalysisError::Shape { shape: shape.into(), values: values.len() }),
        };
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(AnalysisError::Shape { shape: shape.into(), values: values.len() });
        }
        Ok(Self { rows, columns, values })
    }

    fn transposed(&self) -> Self {
        let values = (0..self.columns).flat_map(|j| (0..self.rows).map(move |i| self.values[i * self.columns + j]));
        Self { rows: self.columns, columns: self.rows, values: values.collect() }
    }

    /// [A | B], side by side.
    fn beside(&self, other: &Self) -> Self {
        let rows = self.values.chunks_exact(self.columns).zip(other.values.chunks_exact(other.columns));
        let values = rows.flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
        Self { rows: self.rows, columns: self.columns + other.columns, values }
    }

    fn times(&self, other: &Self) -> Self {
        self.times_diagonal_times_transposed(None, &other.transposed())
    }

    /// A diag(d) B^T.
    fn times_diagonal_times_transposed(&self, d: Option<&[f64]>, other: &Self) -> Self {
        let scale = |k: usize| d.map_or(1.0, |d| d[k]);
        let a = self.values.chunks_exact(self.columns);
        let values = a.flat_map(|a| {
            let b = other.values.chunks_exact(other.columns);
            b.map(move |b| a.iter().zip(b).enumerate().map(|(k, (a, b))| a * scale(k) * b).sum())
        });
        Self { rows: self.rows, columns: other.rows, values: values.collect() }
    }
}

/// Why a matrix cannot be measured.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AnalysisError {
    #[error("{0} is missing")]
    Missing(String),
    #[error("shape {shape:?} with {values} values is neither a vector nor a matrix")]
    Shape { shape: Vec<usize>, values: usize },
    #[error("factors {u:?}, {v:?} and a diagonal of {d:?} do not fit")]
    Ranks { u: (usize, usize), v: (usize, usize), d: Option<usize> },
    #[error("{0} is on both sides of the update, without a trained diagonal whose entries could be cut")]
    Uncut(String),
    #[error("{rows} x {columns} is not square: only a square matrix can be symmetric")]
    NotSquare { rows: usize, columns: usize },
}

/// What an adapter does to one matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The form's c (the mean where it is a vector); 1 without one.
    pub lambda: f64,
    /// ||DeltaW||_F of DeltaW = s (U diag(d) V^T - U0 diag(d) U0^T), before rows are given their lengths.
    pub delta_fro: f64,
    /// The diagonal d itself where the form has one and no start, as trained and without s; else the singular values of
    /// DeltaW / s, largest first.
    pub spectrum: Vec<f64>,
}

struct Factors {
    u: Matrix,
    v: Matrix,
    d: Option<Vec<f64>>,
}

/// Gives a tensor of the adapter by its suffix.
pub type Get<'a> = dyn Fn(&str) -> Option<Matrix> + 'a;

impl Factors {
    fn get(form: &Form, get: &Get) -> Result<Self, AnalysisError> {
        let one = |name: &str| get(name).ok_or_else(|| AnalysisError::Missing(name.into()));
        let factor = |f: &Factor| one(f.name).map(|m| if f.transposed { m.transposed() } else { m });
        let (u, v) = (factor(&form.u)?, factor(&form.v)?);
        let d = form.d.map(one).transpose()?.map(|m| m.values);
        let start = form.start.map(one).transpose()?;
        let fits = u.columns == v.columns && u.columns > 0 && d.as_ref().is_none_or(|d| d.len() == u.columns);
        if !fits {
            return Err(AnalysisError::Ranks { u: (u.rows, u.columns), v: (v.rows, v.columns), d: d.map(|d| d.len()) });
        }
        match start {
            None => Ok(Self { u, v, d }),
            Some(start) => Self { u, v, d }.less(&start),
        }
    }

    /// Factors of U diag(d) V^T - U0 diag(d) U0^T for tied ones that began as U0: with E = U - U0 it is
    /// E diag(d) U^T + U0 diag(d) E^T, where nothing cancels.
    fn less(self, start: &Matrix) -> Result<Self, AnalysisError> {
        let Self { u, v, d } = self;
        if (start.rows, start.columns) != (u.rows, u.columns) {
            let (u, v) = ((u.rows, u.columns), (start.rows, start.columns));
            return Err(AnalysisError::Ranks { u, v, d: d.map(|d| d.len()) });
        }
        let change = Matrix { values: u.values.iter().zip(&start.values).map(|(a, b)| a - b).collect(), ..*start };
        let d = d.map(|d| [&d[..], &d[..]].concat());
        Ok(Self { u: change.beside(start), v: v.beside(&change), d })
    }
}

/// Measures one adapted matrix in O(n r^2): U = Q1 R1 and V = Q2 R2 leave R1 diag(d) R2^T, r x r, with the same norm and
/// singular values. `scaling` is s = alpha / r.
pub fn measure(form: &Form, scaling: f64, get: &Get) -> Result<Measured, AnalysisError> {
    let lambda = match form.c {
        None => 1.0,
        Some(name) => {
            let c = get(name).filter(|c| !c.values.is_empty()).ok_or_else(|| AnalysisError::Missing(name.into()))?;
            c.values.iter().sum::<f64>() / c.values.len() as f64
        }
    };
    let f = Factors::get(form, get)?;
    let right = svd::triangle(&f.u);
    let left = if form.tied() && form.start.is_none() { right.clone() } else { svd::triangle(&f.v) };
    let core = right.times_diagonal_times_transposed(f.d.as_deref(), &left);
    let delta_fro = scaling.abs() * frobenius(&core.values);
    let spectrum = match f.d {
        Some(d) if form.start.is_none() => d,
        _ => singular_values(&core),
    };
    Ok(Measured { lambda, delta_fro, spectrum })
}

/// DeltaW written out, [out, in].
pub fn delta(form: &Form, scaling: f64, get: &Get) -> Result<Matrix, AnalysisError> {
    let f = Factors::get(form, get)?;
    let mut delta = f.u.times_diagonal_times_transposed(f.d.as_deref(), &f.v);
    delta.values.iter_mut().for_each(|x| *x *= scaling);
    Ok(delta)
}

/// DeltaW / s as a product of two factors, B [out, k] and A [k, in]: k is r, or 2 r where what the factors began as is
/// subtracted.
pub fn product(form: &Form, get: &Get) -> Result<(Matrix, Matrix), AnalysisError> {
    let Factors { mut u, v, d } = Factors::get(form, get)?;
    if let Some(d) = d {
        u.values.iter_mut().zip(d.iter().cycle()).for_each(|(u, d)| *u *= d);
    }
    Ok((u, v.transposed()))
}

/// c.W0, row by row: what stands beside the update in a linear form.
pub fn scaled(form: &Form, w0: &[f64], get: &Get) -> Result<Vec<f64>, AnalysisError> {
    let mut w = w0.to_vec();
    let Some(name) = form.c else { return Ok(w) };
    let c = get(name).filter(|c| !c.values.is_empty()).ok_or_else(|| AnalysisError::Missing(name.into()))?.values;
    if c.len() > w.len() || !w.len().is_multiple_of(c.len()) {
        return Err(AnalysisError::Shape { shape: vec![c.len()], values: w.len() });
    }
    let row = w.len() / c.len();
    w.chunks_exact_mut(row).zip(&c).for_each(|(row, c)| row.iter_mut().for_each(|w| *w *= c));
    Ok(w)
}

/// The adapted matrix W written out, [out, in]: what replaces `w0`, row by row, without an adapter.
pub fn merged(form: &Form, scaling: f64, w0: &[f64], get: &Get) -> Result<Matrix, AnalysisError> {
    let one = |name: &str| get(name).map(|m| m.values).ok_or_else(|| AnalysisError::Missing(name.into()));
    let mut w = delta(form, scaling, get)?;
    let (c, m) = (form.c.map(one).transpose()?, form.m.map(one).transpose()?);
    let fits = |values: &Option<Vec<f64>>| values.as_ref().is_none_or(|v| v.len() == w.rows || v.len() == 1);
    if w0.len() != w.values.len() || !fits(&c) || !fits(&m) {
        return Err(AnalysisError::Shape { shape: vec![w.rows, w.columns], values: w0.len() });
    }
    let rows = w.values.chunks_exact_mut(w.columns).zip(w0.chunks_exact(w.columns));
    for (i, (row, w0)) in rows.enumerate() {
        let of = |values: &[f64]| values[i % values.len()];
        let scale = c.as_deref().map_or(1.0, of);
        row.iter_mut().zip(w0).for_each(|(w, w0)| *w += scale * w0);
        if let Some(m) = &m {
            let stretch = of(m) / frobenius(row);
            row.iter_mut().for_each(|w| *w *= stretch);
        }
    }
    Ok(w)
}

/// Euclidean length of each row of a matrix of `columns` columns.
pub fn row_norms(values: &[f64], columns: usize) -> Vec<f64> {
    values.chunks_exact(columns).map(frobenius).collect()
}

/// Square root of the sum of squares.
pub fn frobenius(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Sum of the absolute values: what the paper's caption calls the Frobenius norm.
pub fn entrywise_l1(values: &[f64]) -> f64 {
    values.iter().map(|x| x.abs()).sum()
}
