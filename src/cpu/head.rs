//! The classification head on each row's first token, forward and backward; all of it is trained. Knows no loss.

use super::dropout::Site;
use super::gelu;
use super::matrix::{Beta, View, ViewMut, multiply};
use super::norm::dropped;
use crate::model::Config;
use crate::model::encoder::{Dropout, site};
use crate::model::family::Activation;
use crate::train::BackendError;
use crate::train::pack::Chunk;
use crate::train::parameters::Parameters;
use std::ops::Range;

/// Where the head's values lie in the flat buffer. Dropout or not, dense, activation, dropout, linear.
pub struct Head {
    n: usize,
    pub outputs: usize,
    layers: u32,
    drops_input: bool,
    activation: Activation,
    /// Dense weight [n, n] and bias [n], output weight [outputs, n] and bias [outputs].
    places: [Range<usize>; 4],
}

/// What the way back needs.
pub struct Pooled {
    /// Input of the dense layer, [rows, n], after dropout.
    x: Vec<f32>,
    x_flags: Vec<u8>,
    /// Slope of the activation, [rows, n].
    slope: Vec<f32>,
    pooled_flags: Vec<u8>,
    /// The activation after dropout.
    dropped: Vec<f32>,
    /// [rows, outputs]
    pub logits: Vec<f32>,
}

impl Head {
    pub fn new(config: &Config, outputs: usize, parameters: &Parameters<f32>) -> Result<Self, BackendError> {
        Ok(Self {
            n: config.hidden_size,
            outputs,
            layers: config.num_hidden_layers as u32,
            drops_input: config.family.head().drops_input,
            activation: config.family.head().activation,
            places: parameters.head(config, outputs)?,
        })
    }

    fn sites(&self, dropout: Option<&Dropout>) -> [Option<Site>; 2] {
        let layers = self.layers as usize;
        let input = dropout.filter(|_| self.drops_input);
        [(input, site::head_input(layers)), (dropout, site::head_output(layers))]
            .map(|(dropout, number)| Site::new(dropout, |d| d.classifier, number))
    }

    /// Drops in place; returns the flags.
    fn drop(&self, chunk: &Chunk, site: Option<Site>, x: &mut [f32]) -> Vec<u8> {
        let Some(site) = site else { return Vec::new() };
        let mut flags = vec![0; x.len()];
        site.rows(chunk.rows.iter().map(|r| r.source as u64), self.n, &mut flags);
        let kept = x.to_vec();
        dropped(&kept, &flags, site.scale(), x);
        flags
    }

    /// Logits of `x`, the first tokens' last hidden states [rows, n].
    pub fn forward(&self, chunk: &Chunk, dropout: Option<&Dropout>, values: &[f32], mut x: Vec<f32>) -> Pooled {
        let (n, rows) = (self.n, chunk.rows.len());
        let [input, output] = self.sites(dropout);
        let x_flags = self.drop(chunk, input, &mut x);
        let [dense, dense_bias, out, out_bias] = self.places.each_ref().map(|r| &values[r.clone()]);
        let mut dropped = affine(&x, rows, n, dense, dense_bias);
        let slope = self.activate(&mut dropped);
        let pooled_flags = self.drop(chunk, output, &mut dropped);
        let logits = affine(&dropped, rows, n, out, out_bias);
        Pooled { x, x_flags, slope, pooled_flags, dropped, logits }
    }

    /// Applies the activation to rows [n]; returns its slope.
    fn activate(&self, x: &mut [f32]) -> Vec<f32> {
        match self.activation {
            Activation::Tanh => {
                x.iter_mut().for_each(|v| *v = v.tanh());
                x.iter().map(|y| 1.0 - y * y).collect()
            }
            Activation::Gelu => {
                let mut slope = vec![0.0; x.len()];
                gelu::forward_with_slope(x, &vec![0.0; self.n], &mut slope);
                slope
            }
            Activation::Relu => {
                let slope = x.iter().map(|v| if *v > 0.0 { 1.0 } else { 0.0 }).collect();
                x.iter_mut().for_each(|v| *v = v.max(0.0));
                slope
            }
        }
    }

    /// From the slopes of the logits to the gradient of `x` [rows, n]; adds to the head's gradients.
    pub fn backward(
        &self,
        dropout: Option<&Dropout>,
        values: &[f32],
        saved: &Pooled,
        dlogits: &[f32],
        gradients: &mut [f32],
    ) -> Vec<f32> {
        let [input, output] = self.sites(dropout);
        let [dense, dense_bias, out, out_bias] = &self.places;
        let d = self.slope(&values[out.clone()], &saved.dropped, dlogits, out, out_bias, gradients);
        let mut d = undrop(d, output, &saved.pooled_flags);
        gelu::times(&mut d, &saved.slope);
        let d = self.slope(&values[dense.clone()], &saved.x, &d, dense, dense_bias, gradients);
        undrop(d, input, &saved.x_flags)
    }

    /// Gradients of y = x W^T + b: of W and b into their places, of x as the result.
    fn slope(
        &self,
        weight: &[f32],
        x: &[f32],
        dy: &[f32],
        of_weight: &Range<usize>,
        of_bias: &Range<usize>,
        gradients: &mut [f32],
    ) -> Vec<f32> {
        let (n, out) = (self.n, of_bias.len());
        let rows = x.len() / n;
        let (x, dy_view) = (View::new(x, rows, n), View::new(dy, rows, out));
        multiply(ViewMut::new(&mut gradients[of_weight.clone()], out, n), dy_view.t(), x, Beta::One);
        for row in dy.chunks_exact(out) {
            gradients[of_bias.clone()].iter_mut().zip(row).for_each(|(g, d)| *g += d);
        }
        let mut dx = vec![0.0; rows * n];
        multiply(ViewMut::new(&mut dx, rows, n), dy_view, View::new(weight, out, n), Beta::Zero);
        dx
    }
}

fn undrop(mut d: Vec<f32>, site: Option<Site>, flags: &[u8]) -> Vec<f32> {
    if let Some(site) = site {
        let scale = site.scale();
        d.iter_mut().zip(flags).for_each(|(d, k)| *d *= f32::from(*k) * scale);
    }
    d
}

/// x W^T + b of rows [n].
fn affine(x: &[f32], rows: usize, n: usize, weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let out = bias.len();
    let mut y = bias.repeat(rows);
    multiply(ViewMut::new(&mut y, rows, out), View::new(x, rows, n), View::new(weight, out, n).t(), Beta::One);
    y
}
