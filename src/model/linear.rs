//! A linear layer with or without an adapter in the linear form. Knows one layer only.

use super::ops;
use super::real::Real;
use crate::adapter::Form;
use candle_core::{Result, Tensor};

/// The tensors of one adapted matrix in the roles of y = c.(W0 x) + b + s U (d.(V^T x)).
#[derive(Clone)]
pub struct Adapter {
    form: Form,
    scaling: f64,
    c: Option<Tensor>,
    d: Option<Tensor>,
    u: Tensor,
    v: Tensor,
}

impl Adapter {
    /// Takes the form's tensors by suffix; `scaling` is alpha / r.
    pub fn new(form: Form, scaling: f64, get: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let c = form.c.map(get).transpose()?;
        let d = form.d.map(get).transpose()?;
        Ok(Self { form, scaling, c, d, u: get(form.u.name)?, v: get(form.v.name)? })
    }

    /// s U (d.(V^T x)) for x [rows, in].
    fn update(&self, x: &Tensor) -> Result<Tensor> {
        let v = if self.form.v.transposed { self.v.t()? } else { self.v.clone() };
        let mut h = x.matmul(&v)?;
        if let Some(d) = &self.d {
            h = h.broadcast_mul(d)?;
        }
        let u = if self.form.u.transposed { self.u.clone() } else { self.u.t()? };
        // Scaling the rank-r side costs r, not n, per row.
        (h * self.scaling)?.matmul(&u)
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
        let base = match &adapter.c {
            None => ops::frozen_linear::<T>(x, &self.weight, Some(&self.bias))?,
            Some(c) => ops::frozen_linear::<T>(x, &self.weight, None)?.broadcast_mul(c)?.broadcast_add(&self.bias)?,
        };
        base + adapter.update(x)?
    }
}
