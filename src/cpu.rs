//! The CPU engine: forward, backward and update written out for every method in the linear form, in f32. Each thread takes
//! a few rows of the batch through the whole model and back, so activations stay in its cache and no thread waits for
//! another. Knows no loop and no files.

mod attention;
mod dropout;
mod embedding;
mod gelu;
mod head;
mod lane;
mod layer;
mod matrix;
mod norm;
mod projection;
mod workspace;

use crate::adapter::{self, Form, Method};
use crate::data::{Batch, Labels};
use crate::event::LayerNorm;
use crate::model::encoder::{self, Dropout};
use crate::model::{Checkpoint, Config};
use crate::random::nested_rank;
use crate::spec::RunSpec;
use crate::train::norms::Frozen;
use crate::train::pack::{self, Chunk};
use crate::train::trained::Trained;
use crate::train::{Backend, BackendError, NamedTensor, Parameter, State, loss};
use attention::Queries;
use embedding::Embedding;
use head::Head;
use layer::{Layer, Pass};
use projection::Current;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};
use workspace::{Activations, Workspace, room};

/// The form of a method that this engine trains.
fn linear_form(method: &dyn Method) -> Result<Form, BackendError> {
    let refused = |lacks| BackendError::Method { method: method.id(), lacks };
    let form = method.form().ok_or_else(|| refused("has no linear form"))?;
    if form.is_linear() { Ok(form) } else { Err(refused("scales the rows of whole matrices")) }
}

/// A classifier in training on the threads of the current rayon pool.
pub struct Cpu {
    method: &'static dyn Method,
    config: Config,
    scaling: f64,
    rank: usize,
    nested: bool,
    regression: bool,
    dropout: Dropout,
    trained: Trained<f32>,
    embedding: Embedding,
    layers: Vec<Layer>,
    head: Head,
    /// Gradients of each chunk; summed in order, so that a sum does not depend on who was first.
    parts: Vec<Vec<f32>>,
    norms: Frozen,
    /// Buffers that no thread is using.
    spare: Mutex<Vec<Workspace>>,
}

impl Cpu {
    /// Whether this engine trains `method`: it has a linear form.
    pub fn trains(method: &dyn Method) -> bool {
        linear_form(method).is_ok()
    }

    /// A model for `outputs` logits (one for `regression`, with mean squared error; else mean cross-entropy), with what
    /// `spec` says of method, rank, alpha, targets, seed, dropout, clipping and AdamW.
    pub fn new(
        checkpoint: &Checkpoint,
        spec: &RunSpec,
        outputs: usize,
        regression: bool,
    ) -> Result<Self, BackendError> {
        let method = adapter::find(&spec.method)?;
        let form = linear_form(method)?;
        let config = checkpoint.config.clone();
        let trained = Trained::new(checkpoint, spec, method, outputs)?;
        let parameters = &trained.parameters;
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(checkpoint, i, &form, spec.scaling(), parameters))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            method,
            scaling: spec.scaling(),
            rank: spec.rank,
            nested: form.nested,
            regression,
            dropout: Dropout::new(&config, spec.dropout, spec.seed, 0),
            embedding: Embedding::new(checkpoint)?,
            layers,
            head: Head::new(&config, outputs, parameters)?,
            parts: Vec::new(),
            norms: Frozen::new(checkpoint, method, &parameters.targets)?,
            trained,
            config,
            spare: Mutex::new(Vec::new()),
        })
    }

    fn refresh(&mut self) {
        let values = &self.trained.parameters.values;
        self.layers.par_iter_mut().for_each(|layer| layer.refresh(values));
    }

    fn chunks(&self, batch: &Batch) -> Result<Vec<Chunk>, BackendError> {
        encoder::check(&self.config, batch)?;
        pack::pack(&self.config, batch, rayon::current_num_threads())
    }

    fn pass<'a>(&'a self, chunk: &'a Chunk, index: usize, dropout: Option<&'a Dropout>) -> Pass<'a> {
        let queries = if index + 1 == self.layers.len() { Queries::First } else { Queries::All };
        // There is dropout, of whatever probability, in training only.
        let columns = match dropout.filter(|_| self.nested) {
            Some(step) => nested_rank(step.seed, step.step, self.rank),
            None => self.rank,
        };
        Pass { chunk, queries, dropout, now: Current { values: &self.trained.parameters.values, columns } }
    }

    /// The last hidden state of each row's first token, [rows, n]. With dropout, what the way back needs stays in `work`.
    fn encode(&self, chunk: &Chunk, dropout: Option<&Dropout>, work: &mut Workspace) -> Vec<f32> {
        let n = self.config.hidden_size;
        let embedded = room(&mut work.embedded, chunk.tokens() * n);
        self.embedding.forward(chunk, dropout, embedded, &mut work.scratch);
        // Without a way back two layers' buffers serve in turn.
        let held = if dropout.is_some() { self.layers.len() } else { 2 };
        if work.layers.len() < held {
            work.layers.resize_with(held, Activations::default);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let pass = self.pass(chunk, index, dropout);
            let own = index % held;
            let (before, own) = match index.checked_sub(1).map(|i| i % held) {
                None => (None, &mut work.layers[own]),
                Some(before) if before < own => {
                    let (left, right) = work.layers.split_at_mut(own);
                    (Some(&left[before]), &mut right[0])
                }
                Some(before) => {
                    let (left, right) = work.layers.split_at_mut(before);
                    (Some(&right[0]), &mut left[own])
                }
            };
            let x = before.map_or(&*embedded, |a| &a.after_dense.output);
            layer.forward(&pass, &x[..chunk.tokens() * n], own, &mut work.scratch);
        }
        let last = &work.layers[(self.layers.len() - 1) % held];
        last.after_dense.output[..chunk.rows.len() * n].to_vec()
    }

    /// A chunk's part of the mean loss over `rows` rows; adds to `gradients`.
    fn train(
        &self,
        chunk: &Chunk,
        labels: &Labels,
        rows: usize,
        dropout: &Dropout,
        gradients: &mut [f32],
        work: &mut Workspace,
    ) -> Result<f64, BackendError> {
        let n = self.config.hidden_size;
        let values = &self.trained.parameters.values;
        let hidden = self.encode(chunk, Some(dropout), work);
        let pooled = self.head.forward(chunk, Some(dropout), values, hidden);
        let sources: Vec<usize> = chunk.rows.iter().map(|r| r.source).collect();
        let (loss, mut slopes) =
            loss::mean(&pooled.logits, self.head.outputs, &labels.pick(&sources), self.regression)?;
        let share = sources.len() as f64 / rows as f64;
        slopes.iter_mut().for_each(|s| *s *= share as f32);
        let slope = self.head.backward(Some(dropout), values, &pooled, &slopes, gradients);
        room(&mut work.scratch.slope, slope.len()).copy_from_slice(&slope);
        // Below the lowest adapter nothing is trained.
        let lowest = self.layers.iter().position(Layer::adapted).unwrap_or(self.layers.len());
        for index in (lowest..self.layers.len()).rev() {
            let pass = self.pass(chunk, index, Some(dropout));
            let x = if index == 0 { &work.embedded } else { &work.layers[index - 1].after_dense.output };
            let (x, saved) = (&x[..chunk.tokens() * n], &work.layers[index]);
            self.layers[index].backward(&pass, x, saved, index > lowest, gradients, &mut work.scratch);
        }
        Ok(f64::from(loss) * share)
    }

    /// Runs `f` with buffers that no other thread has.
    fn with_workspace<R>(&self, f: impl FnOnce(&mut Workspace) -> R) -> R {
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = spare().pop().unwrap_or_default();
        let result = f(&mut work);
        spare().push(work);
        result
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu f32"
    }

    fn parameters(&self) -> &[Parameter] {
        &self.trained.parameters.list
    }

    fn loss_and_gradients(&mut self, batch: &Batch, step: u64) -> Result<f64, BackendError> {
        let dropout = Dropout { step, ..self.dropout };
        let chunks = self.chunks(batch)?;
        let mut parts = std::mem::take(&mut self.parts);
        let len = self.trained.gradients.len();
        if parts.len() < chunks.len() {
            parts.resize_with(chunks.len(), || vec![0.0; len]);
        }
        let one = |(chunk, part): (&Chunk, &mut Vec<f32>)| {
            part.fill(0.0);
            self.with_workspace(|work| self.train(chunk, &batch.labels, batch.rows, &dropout, part, work))
        };
        let losses: Result<Vec<f64>, BackendError> = chunks.par_iter().zip(&mut parts).map(one).collect();
        let losses = losses?;
        const BLOCK: usize = 1 << 14;
        self.trained.gradients.par_chunks_mut(BLOCK).enumerate().for_each(|(i, sum)| {
            let range = i * BLOCK..i * BLOCK + sum.len();
            sum.copy_from_slice(&parts[0][range.clone()]);
            for part in &parts[1..chunks.len()] {
                sum.iter_mut().zip(&part[range.clone()]).for_each(|(s, g)| *s += g);
            }
        });
        self.parts = parts;
        Ok(losses.iter().sum())
    }

    fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), BackendError> {
        self.trained.parameters.load(tensors)?;
        self.refresh();
        Ok(())
    }

    fn update(&mut self, lr: f64) -> Result<f64, BackendError> {
        let norm = self.trained.update(lr);
        self.refresh();
        Ok(norm)
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f64>>, BackendError> {
        let one = |chunk: &Chunk| {
            let hidden = self.with_workspace(|work| self.encode(chunk, None, work));
            let logits = self.head.forward(chunk, None, &self.trained.parameters.values, hidden).logits;
            logits.chunks_exact(self.head.outputs).map(|l| l.iter().map(|v| f64::from(*v)).collect()).collect()
        };
        let parts: Vec<Vec<Vec<f64>>> = self.chunks(batch)?.par_iter().map(one).collect();
        Ok(parts.concat())
    }

    fn gradients(&self) -> Result<Vec<NamedTensor>, BackendError> {
        Ok(self.trained.gradients())
    }

    fn state(&self) -> Result<State, BackendError> {
        Ok(self.trained.state())
    }

    fn restore(&mut self, state: &State) -> Result<(), BackendError> {
        self.trained.restore(state)?;
        self.refresh();
        Ok(())
    }

    fn norms(&self) -> Result<Vec<LayerNorm>, BackendError> {
        self.norms.measure(&self.trained.parameters, self.method, self.scaling)
    }
}
