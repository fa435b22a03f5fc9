//! All trainable values of a model in one flat buffer, and what each range of it is. Knows no forward pass.

use super::optim::Segment;
use super::{BackendError, NamedTensor, Parameter, Part, Values};
use crate::adapter::{Method, Start};
use crate::analysis::row_norms;
use crate::model::head::initial_values;
use crate::model::real::Real;
use crate::model::{Checkpoint, config::Config};
use crate::spec::{RunSpec, TARGETS};
use candle_core::DType;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

#[derive(Clone)]
pub struct Parameters<T> {
    pub list: Vec<Parameter>,
    /// All values, parameter by parameter.
    pub values: Vec<T>,
    /// Layer, target and module path of the selected matrices, by layer, then in the order of `TARGETS`.
    pub targets: Vec<(usize, &'static str, String)>,
    ranges: Vec<Range<usize>>,
    index: BTreeMap<String, usize>,
}

impl<T: Real> Parameters<T> {
    /// Adapters by layer and target (without a form, every encoder weight), then the head, at their first values.
    pub fn new(
        checkpoint: &Checkpoint,
        spec: &RunSpec,
        method: &dyn Method,
        outputs: usize,
    ) -> Result<Self, BackendError> {
        let Checkpoint { config, weights, .. } = checkpoint;
        let targets = selected(config, spec)?;
        let (list, values, ranges, index) = Default::default();
        let mut made = Self { list, values, targets, ranges, index };
        let mut head = initial_values(config, weights, outputs, spec.seed)?.into_iter();
        let n = config.hidden_size;
        for (parameter, start) in outline(config, spec, method, outputs)? {
            let values = match (parameter.part, start) {
                (_, Some((_, Start::Init(init)))) => {
                    init.values(spec.seed, &parameter.name, parameter.shape.iter().product())
                }
                (_, Some((path, Start::Like(suffix)))) => {
                    let name = format!("{path}.{suffix}");
                    made.wide(&name).ok_or(BackendError::Missing(name))?.1
                }
                (_, Some((path, Start::RowNorms))) => {
                    let w0: Vec<f64> = weights.values(&format!("{path}.weight"), &[n, n])?;
                    row_norms(&w0, n)
                }
                (Part::Head, None) => head.next().unwrap_or_default(),
                (_, None) => weights.values(&parameter.name, &parameter.shape)?,
            };
            made.add(parameter, &values);
        }
        Ok(made)
    }

    /// Whether a tensor changes in training.
    pub fn trains(&self, name: &str) -> bool {
        self.index.get(name).is_some_and(|i| self.list[*i].trains)
    }

    fn add(&mut self, parameter: Parameter, values: &[f64]) {
        let start = self.values.len();
        self.values.extend(values.iter().map(|v| T::of(*v)));
        self.ranges.push(start..self.values.len());
        self.index.insert(parameter.name.clone(), self.list.len());
        self.list.push(parameter);
    }

    /// Where a parameter lies in a flat buffer.
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        self.index.get(name).map(|i| self.ranges[*i].clone())
    }

    /// Where the head's tensors lie in a flat buffer: dense weight and bias, output weight and bias.
    pub fn head(&self, config: &Config, outputs: usize) -> Result<[Range<usize>; 4], BackendError> {
        let shapes = config.head_shapes(outputs);
        let place = |i: usize| {
            let name: &str = &shapes[i].0;
            self.range(name).ok_or_else(|| BackendError::Missing(name.into()))
        };
        Ok([place(0)?, place(1)?, place(2)?, place(3)?])
    }

    /// Every parameter with its place in a flat buffer, in order.
    pub fn placed(&self) -> impl Iterator<Item = (&Parameter, Range<usize>)> {
        self.list.iter().zip(self.ranges.iter().cloned())
    }

    /// Shape and current values of a parameter as f64.
    pub fn wide(&self, name: &str) -> Option<(&[usize], Vec<f64>)> {
        let i = *self.index.get(name)?;
        let values = self.values[self.ranges[i].clone()].iter().map(|v| v.wide()).collect();
        Some((&self.list[i].shape, values))
    }

    /// What training changes.
    pub fn segments(&self) -> Vec<Segment> {
        let trained = self.placed().filter(|(p, _)| p.trains);
        trained.map(|(p, range)| Segment { range, decay: p.decay }).collect()
    }

    /// A flat buffer as tensors, in the order of the list.
    pub fn named(&self, flat: &[T]) -> Vec<NamedTensor> {
        let one = |(p, range): (&Parameter, &Range<usize>)| {
            let values = flat[range.clone()].iter().map(|v| v.wide());
            let values = match T::DTYPE {
                DType::F64 => Values::F64(values.collect()),
                _ => Values::F32(values.map(|v| v as f32).collect()),
            };
            NamedTensor { name: p.name.clone(), shape: p.shape.clone(), values }
        };
        self.list.iter().zip(&self.ranges).map(one).collect()
    }

    /// The flat buffer of tensors that name every parameter, in any order.
    pub fn flat(&self, tensors: &[NamedTensor]) -> Result<Vec<T>, BackendError> {
        let mut flat = vec![T::zero(); self.values.len()];
        let mut seen = BTreeSet::new();
        for tensor in tensors {
            seen.insert(self.place(tensor, &mut flat)?);
        }
        match self.list.iter().enumerate().find(|(i, _)| !seen.contains(i)) {
            Some((_, missing)) => Err(BackendError::Missing(missing.name.clone())),
            None => Ok(flat),
        }
    }

    /// Sets the named parameters; nothing is set on error.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), BackendError> {
        let mut values = self.values.clone();
        for tensor in tensors {
            self.place(tensor, &mut values)?;
        }
        self.values = values;
        Ok(())
    }

    fn place(&self, tensor: &NamedTensor, flat: &mut [T]) -> Result<usize, BackendError> {
        let i = *self.index.get(&tensor.name).ok_or_else(|| BackendError::Unknown(tensor.name.clone()))?;
        let expected = &self.list[i].shape;
        let slot = &mut flat[self.ranges[i].clone()];
        let found = match &tensor.values {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        };
        if tensor.shape != *expected || found != slot.len() {
            let (tensor, found) = (tensor.name.clone(), tensor.shape.clone());
            return Err(BackendError::Shape { tensor, found, expected: expected.clone() });
        }
        match &tensor.values {
            Values::F32(v) => slot.iter_mut().zip(v).for_each(|(s, v)| *s = T::of(f64::from(*v))),
            Values::F64(v) => slot.iter_mut().zip(v).for_each(|(s, v)| *s = T::of(*v)),
        }
        Ok(i)
    }
}

/// A tensor of the flat buffer; of an adapter's, the path of its matrix and how it starts.
type Outlined = (Parameter, Option<(String, Start)>);

/// Everything that `spec` puts beside a model with `method` under `outputs` logits, in the order of the flat buffer. Reads no
/// weights.
pub fn outline(
    config: &Config,
    spec: &RunSpec,
    method: &dyn Method,
    outputs: usize,
) -> Result<Vec<Outlined>, BackendError> {
    let mut outline = Vec::new();
    let whole = |(name, shape): (String, Vec<usize>), part: Part| {
        let decay = shape.len() == 2;
        (Parameter { name, shape, part, decay, trains: true }, None)
    };
    if method.form().is_some() {
        let n = config.hidden_size;
        for (_, _, path) in selected(config, spec)? {
            for p in method.parameters(&path, n, n, spec.rank)? {
                let name = format!("{path}.{}", p.suffix);
                let (shape, part) = (p.shape, Part::Adapter);
                let parameter = Parameter { name, shape, part, decay: p.decay, trains: p.trains };
                outline.push((parameter, Some((path.clone(), p.start))));
            }
        }
    } else {
        outline.extend(config.encoder_shapes().into_iter().map(|w| whole(w, Part::Encoder)));
    }
    outline.extend(config.head_shapes(outputs).into_iter().map(|w| whole(w, Part::Head)));
    Ok(outline)
}

fn selected(config: &Config, spec: &RunSpec) -> Result<Vec<(usize, &'static str, String)>, BackendError> {
    for target in &spec.targets {
        config.module_path(0, target)?;
    }
    let chosen = TARGETS.into_iter().filter(|t| spec.targets.iter().any(|s| s == t));
    let chosen: Vec<&'static str> = chosen.collect();
    let mut targets = Vec::new();
    for layer in 0..config.num_hidden_layers {
        for target in &chosen {
            targets.push((layer, *target, config.module_path(layer, target)?));
        }
    }
    Ok(targets)
}
