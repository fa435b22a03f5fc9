//! The CUDA engine: forward, backward and update written out as launches for every method in the linear form, in f32, TF32 or
//! bf16 with f32 masters. Built without CUDA; driver, NVRTC and cuBLASLt are found at run time. Knows no loop and no files of
//! runs.

#![expect(unsafe_code, reason = "calls of the CUDA driver and its libraries, each with its reason")]

mod attention;
mod batch;
mod cache;
mod device;
mod error;
mod graph;
mod head;
mod kernels;
mod layer;
mod matmul;
pub mod meter;
mod precision;
pub mod predict;
mod projection;
mod room;
mod trained;
mod turns;
mod weights;

pub use batch::Bucket;
pub use device::{Card, cards, check, ordinal};
pub use error::CudaError;
pub use precision::Precision;

use crate::adapter::{self, Form, Method};
use crate::data::Batch;
use crate::event::{DeviceFigures, LayerNorm};
use crate::model::encoder::{self, Dropout};
use crate::model::{Checkpoint, Config};
use crate::spec::RunSpec;
use crate::train::norms::Frozen;
use crate::train::optim;
use crate::train::parameters::Parameters;
use crate::train::{Backend, BackendError, NamedTensor, Parameter, State, StepReport};
use attention::Attention;
use batch::{Packed, Step};
use device::{Gpu, Memory, Pinned};
use graph::Graph;
use head::Head;
use kernels::{Grid, Kernels, params};
use layer::{Layer, Pass, Site};
use matmul::Products;
use projection::{Matrix, Partials, Tools, slabs};
use room::{LayerRoom, Room, Sizes};
use std::collections::HashMap;
use trained::{BLOCKS, Trained};
use weights::Embedding;

/// What of a method the kernels do not know, such as "has no linear form"; `None` where this engine trains it.
pub fn lacking(method: &dyn Method) -> Option<&'static str> {
    let Some(form) = method.form() else { return Some("has no linear form") };
    let frozen = method.parameters("W", 1, 1, 1).is_ok_and(|all| all.iter().any(|p| !p.trains));
    match form {
        Form { m: Some(_), .. } => Some("scales the rows of whole matrices"),
        Form { start: Some(_), .. } => Some("subtracts the factors of its start"),
        Form { nested: true, .. } => Some("trains other columns in each step"),
        _ if frozen => Some("has factors that stay as they start"),
        _ => None,
    }
}

/// The form of a method that this engine trains.
fn form(method: &dyn Method) -> Result<Form, BackendError> {
    match (method.form(), lacking(method)) {
        (Some(form), None) => Ok(form),
        (_, lacks) => Err(BackendError::Method { method: method.id(), lacks: lacks.unwrap_or("has no linear form") }),
    }
}

/// A classifier in training on one GPU.
pub struct Cuda {
    method: &'static dyn Method,
    config: Config,
    precision: Precision,
    scaling: f64,
    regression: bool,
    dropout: Dropout,
    weight_decay: f64,
    adam_eps: f32,
    max_grad_norm: f32,
    steps: u64,
    sizes: Sizes,
    /// Names and shapes; the values are those of the start.
    parameters: Parameters<f32>,
    frozen: Frozen,
    head: Head,
    layers: Vec<Layer>,
    embedding: Embedding,
    trained: Trained,
    /// Number of adapted matrices, and their descriptions on the device.
    adapters: (usize, Memory),
    /// Recorded steps, without and with the update.
    graphs: HashMap<(Bucket, bool), Graph>,
    room: Room,
    /// The batch on its way to the device.
    outbox: Pinned,
    /// The report on its way back.
    inbox: Pinned,
    kernels: Kernels,
    attention: Attention,
    products: Products,
    gpu: Gpu,
}

impl Cuda {
    /// Whether the kernels take a model of these sizes under `spec`; needs no GPU.
    pub fn check(config: &Config, spec: &RunSpec) -> Result<(), CudaError> {
        let precision = Precision::find(&spec.precision).ok_or_else(|| CudaError::Precision(spec.precision.clone()))?;
        room::check(config, spec.rank, precision.bytes())
    }

    /// A model on `spec.device` in `spec.precision` for `outputs` logits (one for `regression`, with mean squared error; else
    /// mean cross-entropy), with what `spec` says of method, rank, alpha, targets, seed, dropout, clipping and AdamW.
    pub fn new(
        checkpoint: &Checkpoint,
        spec: &RunSpec,
        outputs: usize,
        regression: bool,
    ) -> Result<Self, BackendError> {
        let method = adapter::find(&spec.method)?;
        let form = form(method)?;
        let precision = Precision::find(&spec.precision).ok_or_else(|| CudaError::Precision(spec.precision.clone()))?;
        let config = checkpoint.config.clone();
        let sizes = Sizes::new(&config, spec, method, precision, outputs)?;
        let _apart = turns::apart();
        let gpu = Gpu::open(&spec.device)?;
        let products = Products::new(&gpu, precision)?;
        let heads = config.num_attention_heads;
        let (head, size) = (config.hidden_size / heads, precision.bytes());
        let stages = attention::stages(&gpu, head, size)?;
        let kernels = Kernels::load(&gpu, &config, precision, spec.rank, outputs, stages)?;
        let attention = Attention::new(&gpu, &kernels, heads, head, size, stages)?;
        let parameters = Parameters::<f32>::new(checkpoint, spec, method, outputs)?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(&gpu, precision, checkpoint, i, &form, spec.scaling(), &parameters))
            .collect::<Result<Vec<_>, BackendError>>()?;
        let trained = Trained::new(&gpu, &parameters)?;
        let descriptions: Vec<Matrix> = layers.iter().flat_map(|l| l.descriptions(trained.values.at(0))).collect();
        let room = Room::new(&gpu, &sizes, Bucket::new(1, 1, 1))?;
        let made = Self {
            method,
            precision,
            scaling: spec.scaling(),
            regression,
            dropout: Dropout::new(&config, spec.dropout, spec.seed, 0),
            weight_decay: spec.weight_decay,
            adam_eps: spec.adam_eps as f32,
            max_grad_norm: spec.max_grad_norm as f32,
            steps: 0,
            sizes,
            frozen: Frozen::new(checkpoint, method, &parameters.targets)?,
            head: Head::new(&config, outputs, regression, &parameters)?,
            embedding: Embedding::new(&gpu, precision, checkpoint)?,
            layers,
            trained,
            adapters: (descriptions.len(), gpu.copy_of(&descriptions)?),
            parameters,
            graphs: HashMap::new(),
            outbox: Pinned::new(&gpu, room.bucket.places().end)?,
            room,
            inbox: Pinned::new(&gpu, 2)?,
            config,
            kernels,
            attention,
            products,
            gpu,
        };
        made.refresh()?;
        made.gpu.wait()?;
        Ok(made)
    }

    /// Storage copies of the trained factors, and c.W0.
    fn refresh(&self) -> Result<(), CudaError> {
        let (count, matrices) = (self.adapters.0, self.adapters.1.at(0));
        let threads = self.sizes.rank * self.sizes.n;
        let grid = Grid { blocks: [threads.div_ceil(256), count, 1], threads: 256, shared: 0 };
        self.gpu.launch(self.kernels.refresh_factors, grid, &mut params![matrices])?;
        if self.method.form().is_some_and(|f| f.c.is_some()) {
            let grid = Grid { blocks: [self.sizes.n, count, 1], threads: 128, shared: 0 };
            self.gpu.launch(self.kernels.refresh_scaled, grid, &mut params![matrices])?;
        }
        Ok(())
    }

    /// Room for `bucket`; graphs of a room that is too small go with it.
    fn make_room(&mut self, bucket: Bucket) -> Result<(), CudaError> {
        if self.room.bucket.covers(&bucket) {
            return Ok(());
        }
        let _apart = turns::apart();
        let bucket = self.room.bucket.with(&bucket);
        self.gpu.wait()?;
        self.graphs.clear();
        self.outbox = Pinned::new(&self.gpu, bucket.places().end)?;
        // The old room goes before the new one is asked for: both may not fit.
        self.room.release();
        self.room = Room::new(&self.gpu, &self.sizes, bucket)?;
        Ok(())
    }

    /// Makes a batch ready to be sent; returns its bucket.
    fn load_outbox(&mut self, batch: &Batch, step: u64, lr: f64) -> Result<Bucket, BackendError> {
        self.gpu.bind()?;
        encoder::check(&self.config, batch)?;
        let packed = Packed::new(&self.config, batch, self.sizes.outputs, self.regression)?;
        let bucket = packed.bucket;
        self.make_room(bucket)?;
        let rates = optim::rates(self.steps + 1, lr, self.weight_decay);
        let (step_size, root, shrink) = (rates.step_size as f32, rates.root as f32, rates.shrink as f32);
        let step = Step { step, step_size, root, shrink, ..packed.step() };
        let words = self.outbox.words();
        step.write(words);
        packed.write(words);
        Ok(bucket)
    }

    /// Sends the batch that is ready.
    fn send(&self, bucket: Bucket) -> Result<(), CudaError> {
        self.outbox.send(&self.gpu, self.room.batch, bucket.places().end)
    }

    fn pass<'a>(&'a self, bucket: Bucket, index: usize, dropout: Option<&'a Dropout>) -> Pass<'a> {
        let room = &self.room;
        let tools = Tools {
            gpu: &self.gpu,
            kernels: &self.kernels,
            products: &self.products,
            attention: &self.attention,
            split: room.split,
            step: room.batch,
            values: self.trained.values.at(0),
        };
        let only_first = index + 1 >= self.layers.len();
        Pass { tools, bucket, batch: room.batch, only_first, dropout, scratch: &room.scratch }
    }

    /// Embeddings and all layers; with dropout, what the way back needs stays in the room. Returns the last hidden state of
    /// each row's first token.
    fn encode(&self, bucket: Bucket, dropout: Option<&Dropout>) -> Result<u64, CudaError> {
        let (room, places) = (&self.room, bucket.places());
        let pass = self.pass(bucket, 0, dropout);
        let word = |offset| pass.word(offset);
        let (ids, types) = (word(places.ids), word(places.types));
        let (positions, numbers) = (word(places.positions), word(places.numbers));
        let of = &self.embedding;
        let (tables, norm) = ([of.word.at(0), of.token_type.at(0), of.position.at(0)], &of.norm);
        let (gamma, beta, eps) = (norm.weight.at(0), norm.bias.at(0), norm.eps);
        let at = Site::new(dropout, |d| d.hidden, encoder::site::EMBEDDINGS);
        let out = if of.projection.is_some() { room.narrow } else { room.embedded };
        let (step, capacity, split) = (room.batch, bucket.tokens as i32, room.split);
        let [words, kinds, places] = tables;
        self.gpu.launch(
            self.kernels.embed,
            Grid::warps(bucket.tokens, 1),
            &mut params![
                step, capacity, ids, types, positions, numbers, words, kinds, places, gamma, beta, eps, at, out, split
            ],
        )?;
        if let Some(projection) = &of.projection {
            let (n, bias, out) = (self.sizes.n, projection.bias.at(0), room.embedded);
            let sizes = [bucket.tokens, n, self.sizes.embedding];
            pass.tools.forward(sizes, room.narrow, &projection.weight, out)?;
            let grid = Grid::flat(bucket.tokens * n / 8);
            self.gpu.launch(self.kernels.widened, grid, &mut params![step, capacity, bias, out, split])?;
        }
        let mut x = room.embedded;
        for (index, layer) in self.layers.iter().enumerate() {
            let own = self.layer_room(index, dropout.is_some());
            layer.forward(&self.pass(bucket, index, dropout), x, own, dropout.is_some())?;
            x = own.out;
        }
        Ok(x)
    }

    /// Without a way back two layers' rooms serve in turn; the last layer has its own.
    fn layer_room(&self, index: usize, keeps: bool) -> &LayerRoom {
        let rooms = &self.room.layers;
        let last = index + 1 == rooms.len();
        &rooms[if keeps || last { index } else { index % 2 }]
    }

    /// Loss, gradients and their norm of the batch in the room.
    fn train(&self, bucket: Bucket) -> Result<(), CudaError> {
        let (room, dropout) = (&self.room, Some(&self.dropout));
        let hidden = self.encode(bucket, dropout)?;
        let last = self.layers.len() - 1;
        let pass = self.pass(bucket, last, dropout);
        let gradients = self.trained.gradients.at(0);
        self.head.run(&pass, &room.head, hidden, Some(gradients), room.scratch.first)?;
        let partials = Partials { at: room.partials, stride: self.sizes.adapters, slabs: slabs(bucket.tokens) };
        // Below the lowest adapter nothing is trained.
        let lowest = self.layers.iter().position(Layer::adapted).unwrap_or(self.layers.len());
        for index in (lowest..self.layers.len()).rev() {
            let pass = self.pass(bucket, index, dropout);
            let x = if index == 0 { room.embedded } else { room.layers[index - 1].out };
            let slope = if index == last { room.scratch.first } else { room.scratch.slope };
            self.layers[index].backward(&pass, x, &room.layers[index], slope, index > lowest, partials)?;
        }
        let (count, adapters) = (self.sizes.values as i32, self.sizes.adapters as i32);
        let (from, sets) = (partials.at, (partials.slabs * self.sizes.sets) as i32);
        let grid = Grid { blocks: [BLOCKS, 1, 1], threads: 256, shared: 0 };
        let (squares, blocks) = (self.trained.squares.at(0), BLOCKS as i32);
        let kernels = &self.kernels;
        self.gpu.launch(
            kernels.gather_gradients,
            grid,
            &mut params![count, adapters, from, sets, gradients, squares],
        )?;
        let (step, losses, report) = (room.batch, room.head.losses, self.trained.report.at(0));
        let one = Grid { blocks: [1, 1, 1], threads: 32, shared: 0 };
        self.gpu.launch(kernels.report, one, &mut params![step, blocks, squares, losses, report])
    }

    /// One step of AdamW on the gradients at hand.
    fn adamw(&self) -> Result<(), CudaError> {
        let t = &self.trained;
        let (step, count, report, decays) = (self.room.batch, self.sizes.values as i32, t.report.at(0), t.decays.at(0));
        let (gradients, values, first, second) = (t.gradients.at(0), t.values.at(0), t.first.at(0), t.second.at(0));
        let (most, eps) = (self.max_grad_norm, self.adam_eps);
        let grid = Grid { blocks: [2 * BLOCKS, 1, 1], threads: 256, shared: 0 };
        self.gpu.launch(
            self.kernels.adamw,
            grid,
            &mut params![step, count, report, most, eps, decays, gradients, values, first, second],
        )?;
        self.refresh()
    }

    /// All of a step on the batch that is ready, with or without the update: one launch that also brings batch and report.
    fn run(&mut self, bucket: Bucket, updates: bool) -> Result<StepReport, CudaError> {
        if !self.graphs.contains_key(&(bucket, updates)) {
            // Once outside a graph: matrix products of new shapes are timed.
            let apart = turns::apart();
            self.send(bucket)?;
            self.train(bucket)?;
            drop(apart);
            let graph = Graph::record(&self.gpu, || {
                self.send(bucket)?;
                self.train(bucket)?;
                if updates {
                    self.adamw()?;
                }
                self.fetch_report()
            })?;
            self.graphs.insert((bucket, updates), graph);
        }
        self.graphs[&(bucket, updates)].launch(&self.gpu)?;
        self.report()
    }

    fn fetch_report(&self) -> Result<(), CudaError> {
        self.inbox.receive(&self.gpu, self.trained.report.at(0), 2)
    }

    /// Norm and loss of the last batch, once they are fetched.
    fn report(&mut self) -> Result<StepReport, CudaError> {
        self.gpu.wait()?;
        let [norm, loss] = [0, 1].map(|i| f64::from(f32::from_bits(self.inbox.words()[i])));
        Ok(StepReport { loss, grad_norm: norm })
    }

    fn named(&self, memory: &Memory) -> Result<Vec<NamedTensor>, BackendError> {
        let _apart = turns::apart();
        self.gpu.bind()?;
        Ok(self.parameters.named(&self.gpu.read(memory.at(0), self.sizes.values)?))
    }

    fn set_values(&self, values: &[f32]) -> Result<(), BackendError> {
        let _apart = turns::apart();
        self.gpu.bind()?;
        self.gpu.write(self.trained.values.at(0), values)?;
        self.refresh()?;
        Ok(self.gpu.wait()?)
    }

    /// The parameters with the values that they have now.
    fn now(&self) -> Result<Parameters<f32>, BackendError> {
        let _apart = turns::apart();
        self.gpu.bind()?;
        let mut now = self.parameters.clone();
        now.values = self.gpu.read(self.trained.values.at(0), self.sizes.values)?;
        Ok(now)
    }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        self.precision.engine()
    }

    fn parameters(&self) -> &[Parameter] {
        &self.parameters.list
    }

    fn loss_and_gradients(&mut self, batch: &Batch, step: u64) -> Result<f64, BackendError> {
        let bucket = self.load_outbox(batch, step, 0.0)?;
        Ok(self.run(bucket, false)?.loss)
    }

    fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), BackendError> {
        let mut now = self.now()?;
        now.load(tensors)?;
        self.set_values(&now.values)
    }

    fn update(&mut self, lr: f64) -> Result<f64, BackendError> {
        let _apart = turns::apart();
        self.gpu.bind()?;
        let rates = optim::rates(self.steps + 1, lr, self.weight_decay);
        Step::write_rates(self.outbox.words(), rates.step_size as f32, rates.root as f32, rates.shrink as f32);
        self.outbox.send(&self.gpu, self.room.batch, batch::STEP_WORDS)?;
        self.adamw()?;
        self.steps += 1;
        self.fetch_report()?;
        Ok(self.report()?.grad_norm)
    }

    fn step(&mut self, batch: &Batch, step: u64, lr: f64) -> Result<StepReport, BackendError> {
        let bucket = self.load_outbox(batch, step, lr)?;
        let report = self.run(bucket, true)?;
        self.steps += u64::from(report.is_finite());
        Ok(report)
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f64>>, BackendError> {
        let bucket = self.load_outbox(batch, 0, 0.0)?;
        let _apart = turns::apart();
        self.send(bucket)?;
        let hidden = self.encode(bucket, None)?;
        let pass = self.pass(bucket, self.layers.len(), None);
        let room = &self.room.head;
        self.head.run(&pass, room, hidden, None, 0)?;
        let flat: Vec<f32> = self.gpu.read(room.logits, bucket.rows * self.sizes.outputs)?;
        Ok(flat.chunks_exact(self.sizes.outputs).map(|l| l.iter().map(|v| f64::from(*v)).collect()).collect())
    }

    fn gradients(&self) -> Result<Vec<NamedTensor>, BackendError> {
        self.named(&self.trained.gradients)
    }

    fn state(&self) -> Result<State, BackendError> {
        Ok(State {
            steps: self.steps,
            values: self.named(&self.trained.values)?,
            first: self.named(&self.trained.first)?,
            second: self.named(&self.trained.second)?,
        })
    }

    fn restore(&mut self, state: &State) -> Result<(), BackendError> {
        let values = self.parameters.flat(&state.values)?;
        let first: Vec<f32> = self.parameters.flat(&state.first)?;
        let second: Vec<f32> = self.parameters.flat(&state.second)?;
        let _apart = turns::apart();
        self.gpu.bind()?;
        self.gpu.write(self.trained.first.at(0), &first)?;
        self.gpu.write(self.trained.second.at(0), &second)?;
        self.set_values(&values)?;
        self.steps = state.steps;
        Ok(())
    }

    fn norms(&self) -> Result<Vec<LayerNorm>, BackendError> {
        self.frozen.measure(&self.now()?, self.method, self.scaling)
    }

    fn figures(&self) -> Option<DeviceFigures> {
        meter::figures(&self.gpu.card)
    }
}
