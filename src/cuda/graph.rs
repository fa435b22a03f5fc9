//! Launches recorded once and asked for as a whole. Knows no kernels.

use super::device::Gpu;
use super::error::CudaError;
use super::turns;
use cudarc::driver::{CudaContext, result, sys};
use std::sync::Arc;

/// Recorded launches.
pub struct Graph {
    raw: sys::CUgraphExec,
    context: Arc<CudaContext>,
}

// SAFETY: the handle belongs to this value alone.
unsafe impl Send for Graph {}

impl Graph {
    /// Records what `launches` asks of the stream, without running it, while nobody else asks for anything.
    pub fn record(gpu: &Gpu, launches: impl FnOnce() -> Result<(), CudaError>) -> Result<Self, CudaError> {
        let what = "recording a step";
        let _alone = turns::alone();
        // SAFETY: the stream is this thread's own; a capture that was begun is ended below in every case.
        let graph = unsafe {
            let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
            result::stream::begin_capture(gpu.stream(), mode).map_err(CudaError::driver(what))?;
            let asked = launches();
            let graph = result::stream::end_capture(gpu.stream());
            asked?;
            graph.map_err(CudaError::driver(what))?
        };
        // SAFETY: `graph` is the one just recorded; it is not needed once it is instantiated.
        let raw = unsafe {
            let mut raw = std::ptr::null_mut();
            let made = sys::cuGraphInstantiateWithFlags(&mut raw, graph, 0).result();
            let _ = result::graph::destroy(graph);
            made.map_err(CudaError::driver(what))?;
            raw
        };
        Ok(Self { raw, context: gpu.context.clone() })
    }

    pub fn launch(&self, gpu: &Gpu) -> Result<(), CudaError> {
        // SAFETY: an instantiated graph on the stream it was recorded from.
        unsafe { result::graph::launch(self.raw, gpu.stream()) }.map_err(CudaError::driver("launching a step"))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let _apart = turns::apart();
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: made by `record`, destroyed here only.
            let _ = unsafe { result::graph::exec_destroy(self.raw) };
        }
    }
}
