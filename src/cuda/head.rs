//! The classification head on each row's first token, forward and backward as launches; all of it is trained, in f32.

use super::error::CudaError;
use super::kernels::{Grid, params};
use super::layer::{Pass, Site};
use super::matmul::{Shape, Storage};
use super::room::HeadRoom;
use crate::model::Config;
use crate::model::encoder::site;
use crate::train::BackendError;
use crate::train::parameters::Parameters;

/// `Target` in head.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Target {
    labels: u64,
    regression: i32,
    unused: i32,
}

/// Where the head's values lie in the flat buffer.
pub struct Head {
    n: usize,
    layers: usize,
    drops_input: bool,
    regression: bool,
    /// First value of the dense weight [n, n] and bias [n], the output weight [outputs, n] and bias [outputs].
    places: [usize; 4],
}

impl Head {
    pub fn new(
        config: &Config,
        outputs: usize,
        regression: bool,
        parameters: &Parameters<f32>,
    ) -> Result<Self, BackendError> {
        Ok(Self {
            n: config.hidden_size,
            layers: config.num_hidden_layers,
            drops_input: config.family.head().drops_input,
            regression,
            places: parameters.head(config, outputs)?.map(|r| r.start),
        })
    }

    fn site(&self, pass: &Pass, number: u32, drops: bool) -> Site {
        Site::new(pass.dropout.filter(|_| drops), |d| d.classifier, number)
    }

    /// Logits of the first tokens' last hidden states `hidden` [rows, n]. With `gradients`, the address of the flat gradients:
    /// losses, the head's gradients, and in `slope` [rows, n] that of `hidden`.
    pub fn run(
        &self,
        pass: &Pass,
        room: &HeadRoom,
        hidden: u64,
        gradients: Option<u64>,
        slope: u64,
    ) -> Result<(), CudaError> {
        let tools = pass.tools;
        let (gpu, kernels, step, n, rows) = (tools.gpu, tools.kernels, tools.step, self.n, pass.bucket.rows);
        let input = self.site(pass, site::head_input(self.layers), self.drops_input);
        let output = self.site(pass, site::head_output(self.layers), true);
        let [weight, weight_bias, out, out_bias] = self.places.map(|p| tools.values + 4 * p as u64);
        let (capacity, x) = (rows as i32, room.x);
        gpu.launch(kernels.head_input, Grid::flat(rows * n / 8), &mut params![step, capacity, hidden, input, x])?;
        let dense = Shape { storage: Storage::Float, ..Shape::forward(rows, n, n) };
        tools.products.run(gpu, dense, x, weight, room.pre)?;
        let labels = pass.word(pass.bucket.places().labels);
        let target = Target { labels, regression: i32::from(self.regression), unused: 0 };
        let HeadRoom { pre, pooled, logits, dlogits, losses, dx, .. } = *room;
        let backward = i32::from(gradients.is_some());
        gpu.launch(
            kernels.head_output,
            Grid { blocks: [rows, 1, 1], threads: 128, shared: 0 },
            &mut params![
                step,
                pre,
                weight_bias,
                out,
                out_bias,
                output,
                backward,
                target,
                pooled,
                logits,
                dlogits,
                losses
            ],
        )?;
        let Some(gradients) = gradients else { return Ok(()) };
        let [of_weight, of_weight_bias, of_out, of_out_bias] = self.places.map(|p| gradients + 4 * p as u64);
        gpu.launch(
            kernels.head_gradients,
            Grid { blocks: [n.div_ceil(32), 1, 1], threads: 32, shared: 0 },
            &mut params![step, pre, pooled, dlogits, of_weight_bias, of_out, of_out_bias],
        )?;
        let turned = Shape { a_turned: true, lda: n, storage: Storage::Float, ..Shape::backward(n, n, rows) };
        tools.products.run(gpu, turned, pre, x, of_weight)?;
        let back = Shape { storage: Storage::Float, ..Shape::backward(rows, n, n) };
        tools.products.run(gpu, back, pre, weight, dx)?;
        gpu.launch(kernels.head_slope, Grid::flat(rows * n / 8), &mut params![step, capacity, dx, input, slope])
    }
}
