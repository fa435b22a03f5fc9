//! Linear layers that share one input as one matrix product, each with or without an adapter in the linear form
//! y = c.(W0 x) + b + s U (d.(V^T x)), less what the product was at the start for some methods: the rows of V^T stand below
//! those of W0. Knows no attention.

mod adapted;

use super::matrix::{Beta, View, ViewMut, multiply};
use super::workspace::room;
use crate::adapter::Form;
use crate::model::ModelError;
use crate::model::weights::Weights;
use crate::train::BackendError;
use crate::train::parameters::Parameters;
use adapted::Adapted;
pub use adapted::Current;
use std::sync::Arc;

/// A frozen linear layer: weight [out, in], bias [out].
pub struct Dense {
    weight: Arc<Vec<f32>>,
    pub bias: Vec<f32>,
    input: usize,
}

impl Dense {
    /// Reads `path.weight` and `path.bias`.
    pub fn new(weights: &Weights, path: &str, output: usize, input: usize) -> Result<Self, ModelError> {
        let weight = weights.frozen(&format!("{path}.weight"), &[output, input])?;
        Ok(Self { weight, bias: weights.values(&format!("{path}.bias"), &[output])?, input })
    }

    fn view(&self) -> View<'_> {
        View::new(&self.weight, self.bias.len(), self.input)
    }

    /// y = x W^T, [rows, in] to [rows, out]; the bias is left to the pass that follows.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        let rows = x.len() / self.input;
        let x = View::new(x, rows, self.input);
        multiply(ViewMut::new(y, rows, self.bias.len()), x, self.view().t(), Beta::Zero);
    }

    /// dx = dy W, or dx += dy W.
    pub fn backward(&self, dy: &[f32], dx: &mut [f32], beta: Beta) {
        let rows = dx.len() / self.input;
        let dy = View::new(dy, rows, self.bias.len());
        multiply(ViewMut::new(dx, rows, self.input), dy, self.view(), beta);
    }
}

/// One linear layer of a projection.
struct Part {
    bias: Vec<f32>,
    adapted: Option<Adapted>,
}

/// Square layers [n, n] of one input [tokens, n].
pub struct Projection {
    n: usize,
    /// [width, n]: every W0, then every V^T. One layer without an adapter shares its W0 with other models.
    stacked: Arc<Vec<f32>>,
    parts: Vec<Part>,
}

/// Buffers that a projection needs for a while.
#[derive(Default)]
pub struct Scratch {
    inner: Vec<f32>,
    coefficients: Vec<f32>,
}

impl Projection {
    /// Reads the layers at `paths`; those with parameters of the form are adapted. `scaling` is alpha / r.
    pub fn new(
        weights: &Weights,
        paths: &[String],
        n: usize,
        form: &Form,
        scaling: f64,
        parameters: &Parameters<f32>,
    ) -> Result<Self, BackendError> {
        let mut stacked = Vec::new();
        let mut parts = Vec::new();
        let mut width = paths.len() * n;
        for path in paths {
            stacked.extend(weights.values::<f32>(&format!("{path}.weight"), &[n, n])?);
            let adapted = Adapted::find(path, form, scaling, n, width, parameters)?;
            width += adapted.as_ref().map_or(0, Adapted::width);
            parts.push(Part { bias: weights.values(&format!("{path}.bias"), &[n])?, adapted });
        }
        stacked.resize(width * n, 0.0);
        let stacked = match (paths, &parts[..]) {
            ([path], [Part { adapted: None, .. }]) => weights.frozen(&format!("{path}.weight"), &[n, n])?,
            _ => Arc::new(stacked),
        };
        let mut made = Self { n, stacked, parts };
        made.refresh(&parameters.values);
        Ok(made)
    }

    /// Columns of the product: those of every W0, then those of every adapter.
    pub fn width(&self) -> usize {
        self.stacked.len() / self.n
    }

    /// Columns of the output.
    pub fn outputs(&self) -> usize {
        self.parts.len() * self.n
    }

    /// Which parts are trained.
    pub fn adapted(&self, part: usize) -> bool {
        self.parts.get(part).is_some_and(|p| p.adapted.is_some())
    }

    pub fn any_adapted(&self) -> bool {
        self.parts.iter().any(|p| p.adapted.is_some())
    }

    /// Takes over trained values that have changed.
    pub fn refresh(&mut self, values: &[f32]) {
        let n = self.n;
        for adapted in self.parts.iter_mut().filter_map(|p| p.adapted.as_mut()) {
            let rows = adapted.column..adapted.column + adapted.width();
            // With an adapter the matrix is this model's own.
            let stacked = Arc::make_mut(&mut self.stacked);
            adapted.refresh(values, &mut stacked[rows.start * n..rows.end * n]);
        }
    }

    /// From x [tokens, n] to the product z [tokens, width] and the output y [tokens, outputs].
    pub fn forward(&self, x: &[f32], now: Current, z: &mut [f32], y: &mut [f32], scratch: &mut Scratch) {
        let (n, width) = (self.n, self.width());
        let tokens = x.len() / n;
        multiply(
            ViewMut::new(z, tokens, width),
            View::new(x, tokens, n),
            View::new(&self.stacked, width, n).t(),
            Beta::Zero,
        );
        for (i, part) in self.parts.iter().enumerate() {
            let out = adapted::Columns { first: i * n, stride: self.outputs() };
            let from = adapted::Columns { first: i * n, stride: width };
            match &part.adapted {
                None => adapted::add_bias(z, from, &part.bias, y, out),
                Some(a) => a.forward(z, from, &part.bias, now, y, out, room(&mut scratch.coefficients, a.width())),
            }
        }
    }

    /// `dz` [tokens, width] holds the gradient of y in its first columns, where it is wanted. Adds to the gradients of the
    /// adapters and, where `dx` [tokens, n] is asked for, writes it or adds to it; `dz` is used up.
    #[expect(clippy::too_many_arguments, reason = "what came in, what went out, and where gradients go")]
    pub fn backward(
        &self,
        x: &[f32],
        now: Current,
        z: &[f32],
        dz: &mut [f32],
        dx: Option<(&mut [f32], Beta)>,
        gradients: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (n, width) = (self.n, self.width());
        let tokens = x.len() / n;
        for (i, part) in self.parts.iter().enumerate() {
            if let Some(a) = &part.adapted {
                let from = adapted::Columns { first: i * n, stride: width };
                a.backward(x, now, z, dz, from, gradients, room(&mut scratch.inner, tokens * a.width()));
                if dx.is_some() {
                    a.scale(now.values, dz, from);
                }
            }
        }
        if let Some((dx, beta)) = dx {
            let dz = View::new(dz, tokens, width);
            multiply(ViewMut::new(dx, tokens, n), dz, View::new(&self.stacked, width, n), beta);
        }
    }
}
