//! What can go wrong on a GPU, told with what to do about it. Knows no model.

use cudarc::cublaslt::result::CublasError;
use cudarc::driver::{DriverError, sys::CUresult};
use thiserror::Error;

const MIB: usize = 1 << 20;

#[derive(Debug, Error)]
pub enum CudaError {
    #[error("no {library} here; {remedy}")]
    Library { library: &'static str, remedy: &'static str },
    #[error("device: found {found:?}, expected {expected}")]
    Device { found: String, expected: String },
    #[error("{what}: {code:?}")]
    Driver { what: &'static str, code: CUresult },
    #[error(
        "out of GPU memory: {wanted} MiB more are needed, {free} of {total} MiB are free; a smaller batch_size or max_length needs less, and so does precision bf16"
    )]
    OutOfMemory { wanted: usize, free: usize, total: usize },
    #[error("the GPU is lost to this process ({code:?}): what is queued for it waits; start the program again")]
    Lost { code: CUresult },
    #[error("matrix product {shape}: {source}")]
    Product { shape: String, source: CublasError },
    #[error("the kernels cannot be compiled: {0}")]
    Kernels(String),
    #[error("{field}: found {found}, expected {expected}, which the CUDA kernels are written for")]
    Size { field: &'static str, found: usize, expected: &'static str },
    #[error("precision: found {0:?}, expected f32, tf32 or bf16")]
    Precision(String),
    #[error(
        "the attention kernels need {needed} KiB of shared memory for heads of this size, this GPU gives {given}: precision bf16 needs less"
    )]
    Shared { needed: usize, given: usize },
    #[error("{path}: {source}")]
    File { path: std::path::PathBuf, source: std::io::Error },
}

impl CudaError {
    /// Failed while doing `what`. Errors after which a context is unusable are told as a lost device.
    pub fn driver(what: &'static str) -> impl FnOnce(DriverError) -> Self {
        move |DriverError(code)| match code {
            CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
            | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
            | CUresult::CUDA_ERROR_LAUNCH_FAILED
            | CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUresult::CUDA_ERROR_ECC_UNCORRECTABLE
            | CUresult::CUDA_ERROR_NVLINK_UNCORRECTABLE
            | CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE
            | CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED => Self::Lost { code },
            _ => Self::Driver { what, code },
        }
    }

    /// What was asked for is at fault, not the device.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Device { .. } | Self::Size { .. } | Self::Precision(_) | Self::Shared { .. })
    }

    /// `wanted` bytes could not be had; `free` and `total` bytes as the driver says.
    pub fn out_of_memory(wanted: usize, (free, total): (usize, usize)) -> Self {
        Self::OutOfMemory { wanted: wanted.div_ceil(MIB), free: free / MIB, total: total / MIB }
    }
}

impl From<CudaError> for crate::train::BackendError {
    fn from(error: CudaError) -> Self {
        Self::Device(Box::new(error))
    }
}
