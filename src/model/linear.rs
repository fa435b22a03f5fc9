//! A linear layer with or without an adapter. Knows one layer only.

use super::ops;
use super::real::Real;
use crate::adapter::Form;
use candle_core::{Result, Tensor};

/// The tensors of one adapted matrix in the roles of [`Form`].
#[derive(Clone)]
pub struct Adapter {
    form: Form,
    scaling: f64,
    c: Option<Tensor>,
    d: Option<Tensor>,
    u: Tensor,
    v: Tensor,
    start: Option<Tensor>,
    m: Option<Tensor>,
    columns: Option<Tensor>,
}

impl Adapter {
    /// Takes the form's tensors by suffix; `scaling` is alpha / r.
    pub fn new(form: Form, scaling: f64, get: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let c = form.c.map(get).transpose()?;
        let d = form.d.map(get).transpose()?;
        let (start, m) = (form.start.map(get).transpose()?, form.m.map(get).transpose()?);
        Ok(Self { form, scaling, c, d, u: get(form.u.name)?, v: get(form.v.name)?, start, m, columns: None })
    }

    /// The same with `columns` [r], 1 for each column of the factors that is used and 0 for the others.
    pub fn masked(self, columns: Option<Tensor>) -> Self {
        Self { columns, ..self }
    }

    /// s U (d.(V^T x)), less what it was at the start, for x [rows, in].
    fn update(&self, x: &Tensor) -> Result<Tensor> {
        let v = if self.form.v.transposed { self.v.t()? } else { self.v.clone() };
        let u = if self.form.u.transposed { self.u.clone() } else { self.u.t()? };
        let now = self.product(x, &v, &u)?;
        match &self.start {
            None => Ok(now),
            Some(start) => now - self.product(x, start, &start.t()?)?,
        }
    }

    /// s (d.(x V)) U^T from V [in, r] and U^T [r, out].
    fn product(&self, x: &Tensor, v: &Tensor, u: &Tensor) -> Result<Tensor> {
        let mut h = x.matmul(v)?;
        for scale in [&self.columns, &self.d].into_iter().flatten() {
            h = h.broadcast_mul(scale)?;
        }
        // Scaling the rank-r side costs r, not n, per row.
        (h * self.scaling)?.matmul(u)
    }

    /// The adapted matrix where its rows are given lengths `m`, written out [out, in].
    fn matrix<T: Real>(&self, w0: &Tensor, m: &Tensor) -> Result<Tensor> {
        let (out, input) = w0.dims2()?;
        let identity = Tensor::eye(input, T::DTYPE, w0.device())?;
        let w0 = w0.detach();
        let scaled = match &self.c {
            None => w0,
            Some(c) => w0.broadcast_mul(&c.reshape(((), 1))?)?,
        };
        let w = (scaled + self.update(&identity)?.t()?)?;
        let lengths = ops::row_norms::<T>(&w)?;
        w.broadcast_mul(&(m / lengths)?.reshape((out, 1))?)
    }
}

/// y = x W^T + b, adapted or not. W and b get gradients only where they are variables.
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    adapter: Option<Adapter>,
}

impl Linear {
    /// W [out, in], b [out].
    pub fn new(weight: Tensor, bias: Tensor, adapter: Option<Adapter>) -> Self {
        Self { weight, bias, adapter }
    }

    /// [rows, in] to [rows, out].
    pub fn forward<T: Real>(&self, x: &Tensor) -> Result<Tensor> {
        if self.weight.is_variable() {
            return x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias);
        }
        let Some(adapter) = &self.adapter else {
            return ops::frozen_linear::<T>(x, &self.weight, Some(&self.bias));
        };
        if let Some(m) = &adapter.m {
            return x.matmul(&adapter.matrix::<T>(&self.weight, m)?.t()?)?.broadcast_add(&self.bias);
        }
        let base = match &adapter.c {
            None => ops::frozen_linear::<T>(x, &self.weight, Some(&self.bias))?,
            Some(c) => ops::frozen_linear::<T>(x, &self.weight, None)?.broadcast_mul(c)?.broadcast_add(&self.bias)?,
        };
        base + adapter.update(x)?
    }
}
