//! Matrix products by cuBLASLt, row-major, with algorithms chosen by time once and kept in the cache folder, so that every
//! run of a machine takes the same. Knows no model.

use super::Precision;
use super::cache;
use super::device::{Gpu, Memory};
use super::error::CudaError;
use super::turns;
use cudarc::cublaslt::{result, sys};
use cudarc::driver::{CudaEvent, sys::CUevent_flags};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of device memory that the products of one engine work in.
pub const WORKSPACE: usize = 32 << 20;
/// Algorithms that are timed, and how often each.
const CANDIDATES: usize = 8;
const REPEATS: usize = 5;

/// cuBLAS's `CUBLAS_OP_N` and `CUBLAS_OP_T`.
const OP_N: i32 = 0;
const OP_T: i32 = 1;

/// What the operands are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// The engine's storage type; rows begin at multiples of 16 bytes.
    Real,
    /// f32 at any place, multiplied as such, in bf16's engine as TF32.
    Float,
    /// f32 in three copies of 11 bits, multiplied in TF32.
    Split,
    /// f32 in three copies of bf16 with f32 results.
    Halves,
}

/// C [m, n] = A [m, k] B, with rows `lda`, `ldb` and `ldc` values apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub lda: usize,
    pub ldb: usize,
    pub ldc: usize,
    /// A is stored as [k, m].
    pub a_turned: bool,
    /// B is stored as [n, k], like a linear layer's weight; else as [k, n].
    pub b_turned: bool,
    /// Adds to C.
    pub adds: bool,
    pub storage: Storage,
}

impl Shape {
    /// y [m, n] = x [m, k] W^T with W [n, k]: a linear layer.
    pub fn forward(m: usize, n: usize, k: usize) -> Self {
        let (lda, ldb, ldc) = (k, k, n);
        Self { m, n, k, lda, ldb, ldc, a_turned: false, b_turned: true, adds: false, storage: Storage::Real }
    }

    /// dx [m, n] = dy [m, k] W with W [k, n]: the way back through a linear layer.
    pub fn backward(m: usize, n: usize, k: usize) -> Self {
        Self { ldb: n, b_turned: false, ..Self::forward(m, n, k) }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |set, letter: &'static str| if set { letter } else { "" };
        let Self { m, n, k, lda, ldb, ldc, .. } = self;
        let turned = [flag(self.a_turned, "a"), flag(self.b_turned, "b"), flag(self.adds, "+")].concat();
        write!(f, "{m}x{n}x{k}/{lda}/{ldb}/{ldc}{turned}{:?}", self.storage)
    }
}

/// A product that is ready to run.
struct Plan {
    operation: sys::cublasLtMatmulDesc_t,
    layouts: [sys::cublasLtMatrixLayout_t; 3],
    algorithm: sys::cublasLtMatmulAlgo_t,
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: made by `Products::plan`, destroyed here only; an error leaks a few bytes.
        unsafe {
            let _ = result::destroy_matmul_desc(self.operation);
            for layout in self.layouts {
                let _ = result::destroy_matrix_layout(layout);
            }
        }
    }
}

/// cuBLASLt on one stream.
pub struct Products {
    handle: sys::cublasLtHandle_t,
    workspace: Memory,
    precision: Precision,
    plans: RefCell<HashMap<Shape, Plan>>,
    choices: Choices,
}

// SAFETY: the handle and the descriptors belong to this value alone.
unsafe impl Send for Products {}

impl Products {
    pub fn new(gpu: &Gpu, precision: Precision) -> Result<Self, CudaError> {
        let handle = result::create_handle().map_err(|source| CudaError::Product { shape: "any".into(), source })?;
        Ok(Self {
            handle,
            workspace: gpu.zeros(WORKSPACE)?,
            precision,
            plans: RefCell::default(),
            choices: Choices::new(gpu, precision),
        })
    }

    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Asks for the product of `a` and `b` into `c`. The first of a shape is timed on these operands.
    pub fn run(&self, gpu: &Gpu, shape: Shape, a: u64, b: u64, c: u64) -> Result<(), CudaError> {
        if shape.m == 0 {
            return Ok(());
        }
        if let Some(plan) = self.plans.borrow().get(&shape) {
            return self.call(gpu, &shape, plan, &plan.algorithm, a, b, c);
        }
        let plan = self.plan(gpu, shape, a, b, c).map_err(|source| match source {
            Failure::Blas(source) => CudaError::Product { shape: shape.to_string(), source },
            Failure::Cuda(error) => error,
        })?;
        self.call(gpu, &shape, &plan, &plan.algorithm, a, b, c)?;
        self.plans.borrow_mut().insert(shape, plan);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a product and its operands")]
    fn call(
        &self,
        gpu: &Gpu,
        shape: &Shape,
        plan: &Plan,
        algorithm: &sys::cublasLtMatmulAlgo_t,
        a: u64,
        b: u64,
        c: u64,
    ) -> Result<(), CudaError> {
        let (alpha, beta) = (1f32, if shape.adds { 1f32 } else { 0f32 });
        let [of_b, of_a, of_c] = plan.layouts;
        // SAFETY: the descriptors are alive; the operands are regions that hold what the shape says.
        unsafe {
            result::matmul(
                self.handle,
                plan.operation,
                std::ptr::from_ref(&alpha).cast(),
                std::ptr::from_ref(&beta).cast(),
                b as *const c_void,
                of_b,
                a as *const c_void,
                of_a,
                c as *const c_void,
                of_c,
                c as *mut c_void,
                of_c,
                algorithm,
                self.workspace.at(0) as *mut c_void,
                WORKSPACE,
                gpu.stream().cast(),
            )
        }
        .map_err(|source| CudaError::Product { shape: shape.to_string(), source })
    }

    /// cuBLASLt is column-major: it computes C^T = B^T A^T, so B is its first operand.
    fn plan(&self, gpu: &Gpu, shape: Shape, a: u64, b: u64, c: u64) -> Result<Plan, Failure> {
        use sys::cublasComputeType_t as Compute;
        use sys::cublasLtMatmulDescAttributes_t as Attribute;
        let real = shape.storage == Storage::Real && self.precision == Precision::Bf16;
        let kind = |narrow| if narrow { sys::cudaDataType::CUDA_R_16BF } else { sys::cudaDataType::CUDA_R_32F };
        let operands = kind(real || shape.storage == Storage::Halves);
        let compute = match (self.precision, shape.storage) {
            (Precision::Bf16, Storage::Float) | (Precision::Tf32, Storage::Real) | (_, Storage::Split) => {
                Compute::CUBLAS_COMPUTE_32F_FAST_TF32
            }
            _ => Compute::CUBLAS_COMPUTE_32F,
        };
        let operation = result::create_matmul_desc(compute, sys::cudaDataType::CUDA_R_32F)?;
        let turn = |turned| if turned { OP_T } else { OP_N };
        let layout = |kind, rows: usize, columns: usize, ld: usize| {
            // A row-major matrix is its own transpose in columns.
            result::create_matrix_layout(kind, columns as u64, rows as u64, ld as i64)
        };
        let (a_rows, a_columns) = if shape.a_turned { (shape.k, shape.m) } else { (shape.m, shape.k) };
        let (b_rows, b_columns) = if shape.b_turned { (shape.n, shape.k) } else { (shape.k, shape.n) };
        let layouts = [
            layout(operands, b_rows, b_columns, shape.ldb)?,
            layout(operands, a_rows, a_columns, shape.lda)?,
            layout(kind(real), shape.m, shape.n, shape.ldc)?,
        ];
        let mut plan = Plan { operation, layouts, algorithm: sys::cublasLtMatmulAlgo_t { data: [0; 8] } };
        let turns = [
            (Attribute::CUBLASLT_MATMUL_DESC_TRANSA, turn(shape.b_turned)),
            (Attribute::CUBLASLT_MATMUL_DESC_TRANSB, turn(shape.a_turned)),
        ];
        for (attribute, turn) in turns {
            // SAFETY: the descriptor is alive and the attribute is an operation.
            unsafe {
                result::set_matmul_desc_attribute(
                    operation,
                    attribute,
                    std::ptr::from_ref(&turn).cast(),
                    size_of_val(&turn),
                )?;
            }
        }
        plan.algorithm = match self.choices.get(&shape) {
            Some(kept) => kept,
            None => self.choices.keep(&shape, self.choose(gpu, &shape, &plan, a, b, c)?),
        };
        Ok(plan)
    }

    /// The fastest of the algorithms that cuBLASLt proposes. Without a place to keep the choice the first, so that the next
    /// run takes the same.
    fn choose(
        &self,
        gpu: &Gpu,
        shape: &Shape,
        plan: &Plan,
        a: u64,
        b: u64,
        c: u64,
    ) -> Result<sys::cublasLtMatmulAlgo_t, Failure> {
        let proposed = self.proposals(shape, plan)?;
        if !self.choices.writable {
            return Ok(proposed[0]);
        }
        let event = || {
            gpu.context.new_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).map_err(CudaError::driver("timing a product"))
        };
        let (start, end) = (event()?, event()?);
        // Where the product adds, what stands in C must survive its being run many times.
        let bytes = if shape.adds { shape.m * shape.ldc * self.bytes(shape) } else { 0 };
        let kept = gpu.zeros(bytes)?;
        gpu.copy(kept.at(0), c, bytes)?;
        let mut best = (f32::INFINITY, proposed[0]);
        for algorithm in proposed {
            // An algorithm that cannot run here after all is left out.
            if self.call(gpu, shape, plan, &algorithm, a, b, c).is_err() {
                continue;
            }
            gpu.mark(&start)?;
            for _ in 0..REPEATS {
                self.call(gpu, shape, plan, &algorithm, a, b, c)?;
            }
            gpu.mark(&end)?;
            let time = start.elapsed_ms(&end).map_err(CudaError::driver("timing a product"))?;
            if time < best.0 {
                best = (time, algorithm);
            }
        }
        gpu.copy(c, kept.at(0), bytes)?;
        gpu.wait()?;
        Ok(best.1)
    }

    /// Bytes of a value of C.
    fn bytes(&self, shape: &Shape) -> usize {
        if shape.storage == Storage::Real { self.precision.bytes() } else { size_of::<f32>() }
    }

    fn proposals(&self, shape: &Shape, plan: &Plan) -> Result<Vec<sys::cublasLtMatmulAlgo_t>, Failure> {
        use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
        let preference = result::create_matmul_pref()?;
        // Sums in place order themselves by who is first.
        let schemes = sys::cublasLtReductionScheme_t::CUBLASLT_REDUCTION_SCHEME_MASK as u32
            & !(sys::cublasLtReductionScheme_t::CUBLASLT_REDUCTION_SCHEME_INPLACE as u32);
        let alignment: u32 = if shape.storage == Storage::Float { 4 } else { 16 };
        let workspace = WORKSPACE as u64;
        let [of_b, of_a, of_c] = plan.layouts;
        // SAFETY: the preference is alive until the end of the block; sizes are those of the values; room for all results.
        unsafe {
            let set = |attribute, value: *const c_void, size| {
                result::set_matmul_pref_attribute(preference, attribute, value, size)
            };
            let mut outcome = set(
                Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                std::ptr::from_ref(&workspace).cast(),
                size_of::<u64>(),
            );
            let words = [
                (Attribute::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes),
                (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &alignment),
                (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &alignment),
                (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &alignment),
                (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &alignment),
            ];
            for (attribute, value) in words {
                outcome = outcome.and_then(|()| set(attribute, std::ptr::from_ref(value).cast(), size_of::<u32>()));
            }
            let mut found = Vec::<sys::cublasLtMatmulHeuristicResult_t>::with_capacity(CANDIDATES);
            let mut count = 0;
            outcome = outcome.and_then(|()| {
                sys::cublasLtMatmulAlgoGetHeuristic(
                    self.handle,
                    plan.operation,
                    of_b,
                    of_a,
                    of_c,
                    of_c,
                    preference,
                    CANDIDATES as i32,
                    found.as_mut_ptr(),
                    &mut count,
                )
                .result()
            });
            result::destroy_matmul_pref(preference)?;
            outcome?;
            found.set_len(count as usize);
            let usable: Vec<_> = found.iter().filter(|f| f.state.result().is_ok()).map(|f| f.algo).collect();
            if usable.is_empty() {
                return Err(Failure::Blas(result::CublasError(sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED)));
            }
            Ok(usable)
        }
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        let _apart = turns::apart();
        self.plans.get_mut().clear();
        // SAFETY: made by `Products::new`, destroyed here only.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

enum Failure {
    Blas(result::CublasError),
    Cuda(CudaError),
}

impl From<result::CublasError> for Failure {
    fn from(error: result::CublasError) -> Self {
        Self::Blas(error)
    }
}

impl From<CudaError> for Failure {
    fn from(error: CudaError) -> Self {
        Self::Cuda(error)
    }
}

impl Gpu {
    fn mark(&self, event: &CudaEvent) -> Result<(), CudaError> {
        // SAFETY: event and stream are of this context.
        unsafe { cudarc::driver::result::event::record(event.cu_event(), self.stream()) }
            .map_err(CudaError::driver("timing a product"))
    }
}

/// Chosen algorithms by shape, one set for each card, library and precision, shared by all of this process and kept in a file.
/// The first choice stays: whoever comes later, here or in another process, takes it.
struct Choices {
    path: PathBuf,
    writable: bool,
}

/// What this process knows of each file.
static KNOWN: Mutex<BTreeMap<PathBuf, BTreeMap<String, [u64; 8]>>> = Mutex::new(BTreeMap::new());

impl Choices {
    fn new(gpu: &Gpu, precision: Precision) -> Self {
        // SAFETY: asks for a number.
        let version = unsafe { sys::cublasLtGetVersion() };
        let card: String = gpu.card.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let folder = cache::folder("products");
        let path = folder.join(format!("{card}-{version}-{precision:?}.txt"));
        Self { path, writable: cache::writable(&folder) }
    }

    fn get(&self, shape: &Shape) -> Option<sys::cublasLtMatmulAlgo_t> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let own = known.entry(self.path.clone()).or_insert_with(|| read(&self.path));
        own.get(&shape.to_string()).map(|data| sys::cublasLtMatmulAlgo_t { data: *data })
    }

    /// Keeps a choice and returns the one that counts.
    fn keep(&self, shape: &Shape, algorithm: sys::cublasLtMatmulAlgo_t) -> sys::cublasLtMatmulAlgo_t {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let own = known.entry(self.path.clone()).or_default();
        // What another process has chosen meanwhile comes first.
        own.extend(read(&self.path));
        let data = *own.entry(shape.to_string()).or_insert(algorithm.data);
        if self.writable {
            let lines: String = own.iter().map(line).collect();
            cache::replace(&self.path, lines.as_bytes());
        }
        sys::cublasLtMatmulAlgo_t { data }
    }
}

/// A line that is not one of ours is as good as none.
fn read(path: &Path) -> BTreeMap<String, [u64; 8]> {
    std::fs::read_to_string(path).unwrap_or_default().lines().filter_map(parse).collect()
}

fn line((shape, data): (&String, &[u64; 8])) -> String {
    let words: Vec<String> = data.iter().map(|w| format!("{w:x}")).collect();
    format!("{shape} {}\n", words.join(" "))
}

fn parse(line: &str) -> Option<(String, [u64; 8])> {
    let mut words = line.split(' ');
    let shape = words.next()?.to_string();
    let data: Option<Vec<u64>> = words.map(|w| u64::from_str_radix(w, 16).ok()).collect();
    Some((shape, data?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        let shape = Shape { adds: true, ..Shape::backward(4096, 768, 3072) };
        let data = [1, 0, u64::MAX, 7, 0, 0, 9, 3];
        assert_eq!(parse(line((&shape.to_string(), &data)).trim_end()), Some((shape.to_string(), data)));
        assert_eq!(parse("4x4x4 1 2 3"), None);
        assert_ne!(Shape::forward(8, 8, 8).to_string(), Shape::backward(8, 8, 8).to_string());
    }
}
