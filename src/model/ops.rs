//! Operations with the backward passes that candle lacks (layer norm, softmax) or would waste time on (frozen weights).
//! Each works on contiguous host memory; knows no model.

use super::real::Real;
use crate::analysis;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};
use num_traits::Float;
use std::marker::PhantomData;
use std::sync::Arc;

fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<T>()?[from..to]),
        None => bail!("an operation on host memory needs a contiguous tensor"),
    }
}

/// Calls `f` with the tensor's values, row by row.
fn read<T: Real, R>(tensor: &Tensor, f: impl FnOnce(&[T]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => Ok(f(slice(cpu, layout)?)),
        _ => bail!("the reference runs on the CPU"),
    }
}

fn tensor<T: Real>(values: Vec<T>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}

/// x W^T + b of a frozen layer: candle's own matmul would also compute the gradient of W.
struct FrozenLinear<T> {
    weight: Tensor,
    transposed: Tensor,
    bias: Option<Tensor>,
    float: PhantomData<T>,
}

impl<T: Real> CustomOp1 for FrozenLinear<T> {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (m, k) = layout.shape().dims2()?;
        let (inner, n) = self.transposed.dims2()?;
        if inner != k {
            bail!("frozen linear: an input of {k} columns, a weight of {inner}");
        }
        let (weight, weight_layout) = self.transposed.storage_and_layout();
        let Storage::Cpu(weight) = &*weight else { bail!("the reference runs on the CPU") };
        let product = storage.matmul(weight, (1, m, n, k), layout, weight_layout)?;
        let Some(bias) = &self.bias else { return Ok((product, Shape::from((m, n)))) };
        let mut values = product.as_slice::<T>()?.to_vec();
        read::<T, _>(bias, |bias| {
            for row in values.chunks_exact_mut(n) {
                row.iter_mut().zip(bias).for_each(|(v, b)| *v += *b);
            }
        })?;
        Ok((T::to_cpu_storage_owned(values), Shape::from((m, n))))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        grad.matmul(&self.weight).map(Some)
    }
}

/// x W^T + b for x [rows, in], W [out, in], b [out]; W and b get no gradient.
pub fn frozen_linear<T: Real>(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (weight, transposed) = (weight.detach(), weight.detach().t()?);
    x.contiguous()?.apply_op1(FrozenLinear::<T> { weight, transposed, bias: bias.cloned(), float: PhantomData })
}

/// Euclidean length of each row of a matrix, [rows]: a constant, through which no gradient goes.
pub fn row_norms<T: Real>(matrix: &Tensor) -> Result<Tensor> {
    let (rows, columns) = matrix.dims2()?;
    let wide = read::<T, _>(matrix, |values| values.iter().map(|v| v.wide()).collect::<Vec<f64>>())?;
    let norms = analysis::row_norms(&wide, columns).into_iter().map(T::of).collect();
    Tensor::from_vec(norms, rows, matrix.device())
}

/// torch.nn.functional.layer_norm over the last dimension with frozen weight and bias, or with none.
struct LayerNorm<T> {
    affine: Option<(Tensor, Tensor)>,
    eps: T,
}

/// Mean and 1 / sqrt(variance + eps) of a row; the variance is the biased one.
fn moments<T: Real>(row: &[T], eps: T) -> (T, T) {
    let n = T::of(row.len() as f64);
    let mean = sum(row.iter().copied()) / n;
    let variance = sum(row.iter().map(|x| (*x - mean) * (*x - mean))) / n;
    (mean, T::one() / (variance + eps).sqrt())
}

fn sum<T: Real>(values: impl Iterator<Item = T>) -> T {
    values.fold(T::zero(), |a, b| a + b)
}

impl<T: Real> CustomOp1 for LayerNorm<T> {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice::<T>(storage, layout)?;
        let n = layout.shape().dims().last().copied().unwrap_or(1);
        let mut y = Vec::with_capacity(x.len());
        let mut run = |affine: Option<(&[T], &[T])>| {
            for row in x.chunks_exact(n) {
                let (mean, scale) = moments(row, self.eps);
                match affine {
                    Some((w, b)) => {
                        y.extend(row.iter().zip(w).zip(b).map(|((x, w), b)| (*x - mean) * scale * *w + *b));
                    }
                    None => y.extend(row.iter().map(|x| (*x - mean) * scale)),
                }
            }
        };
        match &self.affine {
            Some((w, b)) => read::<T, _>(w, |w| read::<T, _>(b, |b| run(Some((w, b)))))??,
            None => run(None),
        }
        Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let n = arg.dims().last().copied().unwrap_or(1);
        let size = T::of(n as f64);
        let weight = match &self.affine {
            Some((w, _)) => read::<T, _>(w, <[T]>::to_vec)?,
            None => vec![T::one(); n],
        };
        let dx = read::<T, _>(arg, |x| {
            read::<T, _>(grad, |g| {
                let mut dx = Vec::with_capacity(x.len());
                let mut scaled = vec![T::zero(); n];
                for (row, g) in x.chunks_exact(n).zip(g.chunks_exact(n)) {
                    let (mean, scale) = moments(row, self.eps);
                    scaled.iter_mut().zip(g).zip(&weight).for_each(|((s, g), w)| *s = *g * *w);
                    let flat = sum(scaled.iter().copied()) / size;
                    let along = sum(scaled.iter().zip(row).map(|(s, x)| *s * (*x - mean) * scale)) / size;
                    dx.extend(row.iter().zip(&scaled).map(|(x, s)| scale * (*s - flat - (*x - mean) * scale * along)));
                }
                dx
            })
        })??;
        tensor(dx, arg).map(Some)
    }
}

/// Layer norm over the last dimension; weight and bias get gradients only where they are variables.
pub fn layer_norm<T: Real>(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let x = x.contiguous()?;
    if weight.is_variable() || bias.is_variable() {
        let normal = x.apply_op1(LayerNorm { affine: None, eps: T::of(eps) })?;
        return normal.broadcast_mul(weight)?.broadcast_add(bias);
    }
    x.apply_op1(LayerNorm { affine: Some((weight.clone(), bias.clone())), eps: T::of(eps) })
}

/// torch.nn.functional.gelu, the exact one: x Phi(x).
struct Gelu<T>(PhantomData<T>);

impl<T: Real> CustomOp1 for Gelu<T> {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (half, root) = (T::of(0.5), T::of(std::f64::consts::FRAC_1_SQRT_2));
        let x = slice::<T>(storage, layout)?;
        let y: Vec<T> = x.iter().map(|x| *x * half * (T::one() + Real::erf(*x * root))).collect();
        Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (half, root) = (T::of(0.5), T::of(std::f64::consts::FRAC_1_SQRT_2));
        // 1 / sqrt(2 pi)
        let peak = T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        let slope = |x: T| half * (T::one() + Real::erf(x * root)) + x * peak * Float::exp(-half * x * x);
        let dx = read::<T, _>(arg, |x| {
            read::<T, _>(grad, |g| x.iter().zip(g).map(|(x, g)| *g * slope(*x)).collect::<Vec<T>>())
        })??;
        tensor(dx, arg).map(Some)
    }
}

/// x Phi(x) element by element.
pub fn gelu<T: Real>(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu::<T>(PhantomData))
}

/// softmax(scale x + bias) over keys, where a masked key's bias is the smallest finite float.
struct MaskedSoftmax<T> {
    scale: T,
    /// [rows, keys]; 0 masks the key.
    mask: Arc<Vec<u8>>,
}

impl<T: Real> CustomOp1 for MaskedSoftmax<T> {
    fn name(&self) -> &'static str {
        "masked-softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, heads, queries, keys) = layout.shape().dims4()?;
        if self.mask.len() != rows * keys {
            bail!("a mask of {} elements for {rows} rows of {keys} keys", self.mask.len());
        }
        let mut p = slice::<T>(storage, layout)?.to_vec();
        for (block, mask) in p.chunks_exact_mut(heads * queries * keys).zip(self.mask.chunks_exact(keys)) {
            for row in block.chunks_exact_mut(keys) {
                let mut top = <T as Float>::min_value();
                for (x, m) in row.iter_mut().zip(mask) {
                    *x *= self.scale;
                    if *m == 0 {
                        // A score is far below the spacing of floats at the smallest one, so the sum is that float.
                        *x = <T as Float>::min_value();
                    }
                    top = Float::max(top, *x);
                }
                let mut total = T::zero();
                for x in row.iter_mut() {
                    *x = Float::exp(*x - top);
                    total += *x;
                }
                let share = T::one() / total;
                row.iter_mut().for_each(|x| *x *= share);
            }
        }
        Ok((T::to_cpu_storage_owned(p), layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let keys = res.dims().last().copied().unwrap_or(1);
        let dx = read::<T, _>(res, |p| {
            read::<T, _>(grad, |g| {
                let mut dx = Vec::with_capacity(p.len());
                for (p, g) in p.chunks_exact(keys).zip(g.chunks_exact(keys)) {
                    let mean = sum(p.iter().zip(g).map(|(p, g)| *p * *g));
                    dx.extend(p.iter().zip(g).map(|(p, g)| self.scale * *p * (*g - mean)));
                }
                dx
            })
        })??;
        tensor(dx, res).map(Some)
    }
}

/// Attention weights of scores [rows, heads, queries, keys]; `mask` is [rows, keys].
pub fn masked_softmax<T: Real>(scores: &Tensor, scale: f64, mask: &Arc<Vec<u8>>) -> Result<Tensor> {
    scores.contiguous()?.apply_op1(MaskedSoftmax { scale: T::of(scale), mask: mask.clone() })
}

/// x times a constant, element by element.
struct Times<T>(Arc<Vec<T>>);

impl<T: Real> CustomOp1 for Times<T> {
    fn name(&self) -> &'static str {
        "times"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y: Vec<T> = slice::<T>(storage, layout)?.iter().zip(self.0.iter()).map(|(x, m)| *x * *m).collect();
        Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let dx = read::<T, _>(grad, |g| g.iter().zip(self.0.iter()).map(|(g, m)| *g * *m).collect::<Vec<T>>())?;
        tensor(dx, grad).map(Some)
    }
}

/// x times `mask`, one element each.
pub fn times<T: Real>(x: &Tensor, mask: Vec<T>) -> Result<Tensor> {
    if mask.len() != x.elem_count() {
        bail!("a mask of {} elements for a tensor of {}", mask.len(), x.elem_count());
    }
    x.contiguous()?.apply_op1(Times(Arc::new(mask)))
}
