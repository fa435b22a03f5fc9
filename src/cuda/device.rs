//! GPUs found at run time and what is needed to work on one: a context, a stream of its own, memory. Without a driver there
//! are none. Knows no kernels.

use super::Precision;
use super::error::CudaError;
use super::turns;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::{CudaContext, CudaStream, result, sys};
use std::sync::{Arc, OnceLock};

/// A GPU as a person knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// `cuda:0`, `cuda:1`, ...
    pub id: String,
    pub name: String,
    /// As NVML and nvidia-smi name it.
    pub uuid: String,
    /// Bytes.
    pub memory: usize,
    /// Operations a second at its highest clock in bf16 and in TF32, sums in f32; `None` where they are not known.
    pub limits: Option<[f64; 2]>,
}

impl Card {
    /// The most that the card could compute in `precision`, in operations a second: three TF32 products make one of f32.
    pub fn limit(&self, precision: Precision) -> Option<f64> {
        self.limits.map(|[bf16, tf32]| match precision {
            Precision::Bf16 => bf16,
            Precision::Tf32 => tf32,
            Precision::F32 => tf32 / 3.0,
        })
    }
}

const DRIVER: CudaError = CudaError::Library {
    library: "NVIDIA driver (libcuda.so.1)",
    remedy: "install the driver of your GPU, or train on device cpu",
};
const LIBRARIES: &str =
    "install the CUDA 13 libraries (libnvrtc, libcublasLt) and name their folder in LD_LIBRARY_PATH";

/// What is missing before a GPU can train, `Ok` where nothing is.
pub fn check() -> Result<(), CudaError> {
    // SAFETY: these only try to load a library and drop it again.
    unsafe {
        if !sys::is_culib_present() {
            return Err(DRIVER);
        }
        if !cudarc::nvrtc::sys::is_culib_present() {
            return Err(CudaError::Library { library: "libnvrtc.so.13", remedy: LIBRARIES });
        }
        if !cudarc::cublaslt::sys::is_culib_present() {
            return Err(CudaError::Library { library: "libcublasLt.so.13", remedy: LIBRARIES });
        }
    }
    result::init().map_err(CudaError::driver("starting the driver"))
}

/// Every GPU that can train here, in the driver's order; an error says why there is none. They stay the same while a process
/// lives, so the driver is asked once: every run of a grid is checked against them.
pub fn cards() -> Result<Vec<Card>, CudaError> {
    static KNOWN: OnceLock<Vec<Card>> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(known.clone());
    }
    let found = ask_for_cards()?;
    Ok(KNOWN.get_or_init(|| found).clone())
}

fn ask_for_cards() -> Result<Vec<Card>, CudaError> {
    check()?;
    let what = "asking for the GPUs";
    let count = result::device::get_count().map_err(CudaError::driver(what))?;
    let one = |ordinal: i32| {
        let device = result::device::get(ordinal).map_err(CudaError::driver(what))?;
        let name = result::device::get_name(device).map_err(CudaError::driver(what))?;
        let uuid = result::device::get_uuid(device).map_err(CudaError::driver(what))?;
        let ask = |attribute| {
            // SAFETY: `device` is one that the driver has just named.
            unsafe { result::device::get_attribute(device, attribute) }.map_err(CudaError::driver(what))
        };
        let major = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let units = f64::from(ask(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?);
        let clock = f64::from(ask(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?) * 1e3;
        // Dense operations of a multiprocessor in a cycle: A100, H100 and H200, B200 by their datasheets.
        let each = match (major, minor) {
            (8, 0) => Some([2048.0, 1024.0]),
            (9, 0) => Some([4096.0, 2048.0]),
            (10, 0) => Some([8192.0, 4096.0]),
            _ => None,
        };
        // SAFETY: `device` is one that the driver has just named.
        let memory = unsafe { result::device::total_mem(device) }.map_err(CudaError::driver(what))?;
        let limits = each.map(|each| each.map(|e| e * units * clock));
        Ok(Card { id: format!("cuda:{ordinal}"), name, uuid: uuid_text(&uuid.bytes), memory, limits })
    };
    (0..count).map(one).collect()
}

/// `GPU-` and the bytes in groups, as nvidia-smi -L writes it.
fn uuid_text(bytes: &[std::ffi::c_char; 16]) -> String {
    let hex: Vec<String> = bytes.iter().map(|b| format!("{:02x}", *b as u8)).collect();
    let group = |range: std::ops::Range<usize>| hex[range].concat();
    format!("GPU-{}-{}-{}-{}-{}", group(0..4), group(4..6), group(6..8), group(8..10), group(10..16))
}

/// Number of `cuda:N`; `cuda` is the first.
pub fn ordinal(device: &str) -> Option<usize> {
    match device.strip_prefix("cuda")? {
        "" => Some(0),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

/// A stream on a GPU, for one thread.
pub struct Gpu {
    pub context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    pub card: Card,
    /// Compute capability as in `sm_90`.
    pub arch: String,
    /// A kernel may be launched before the one before it has ended.
    pub overlaps: bool,
    pub multiprocessors: usize,
}

impl Gpu {
    pub fn open(device: &str) -> Result<Self, CudaError> {
        let cards = cards()?;
        let ordinal = ordinal(device).filter(|n| *n < cards.len()).ok_or_else(|| CudaError::Device {
            found: device.into(),
            expected: cards.iter().map(|c| c.id.clone()).chain(["cpu".into()]).collect::<Vec<_>>().join(", "),
        })?;
        let what = "opening the GPU";
        let context = CudaContext::new(ordinal).map_err(CudaError::driver(what))?;
        // SAFETY: memory here is owned by one stream each; nothing needs the events that order several.
        unsafe { context.disable_event_tracking() };
        let (major, minor) = context.compute_capability().map_err(CudaError::driver(what))?;
        if major < 8 {
            let (found, expected) = (format!("{device} of compute capability {major}.{minor}"), "8.0 or newer".into());
            return Err(CudaError::Device { found, expected });
        }
        let stream = context.new_stream().map_err(CudaError::driver(what))?;
        let multiprocessors = context
            .attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .map_err(CudaError::driver(what))? as usize;
        Ok(Self {
            context,
            stream,
            card: cards[ordinal].clone(),
            arch: format!("sm_{major}{minor}"),
            overlaps: major >= 9,
            multiprocessors,
        })
    }

    pub fn stream(&self) -> sys::CUstream {
        self.stream.cu_stream()
    }

    /// The context for calls from this thread.
    pub fn bind(&self) -> Result<(), CudaError> {
        self.context.bind_to_thread().map_err(CudaError::driver("using the GPU"))
    }

    /// Returns when all that was asked of the stream is done.
    pub fn wait(&self) -> Result<(), CudaError> {
        self.stream.synchronize().map_err(CudaError::driver("a step on the GPU"))
    }

    /// A region of zeros.
    pub fn zeros(&self, bytes: usize) -> Result<Memory, CudaError> {
        let bytes = bytes.max(1);
        // SAFETY: the context is current; the region is freed by `Memory` alone.
        let at = unsafe { result::malloc_sync(bytes) }.map_err(|e| match e.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                CudaError::out_of_memory(bytes, result::mem_get_info().unwrap_or_default())
            }
            _ => CudaError::driver("taking GPU memory")(e),
        })?;
        let memory = Memory { at, bytes, context: self.context.clone() };
        // SAFETY: the whole of a region that was just allocated.
        unsafe { result::memset_d8_async(at, 0, bytes, self.stream()) }
            .map_err(CudaError::driver("clearing memory"))?;
        Ok(memory)
    }

    /// A region with a copy of `values`.
    pub fn copy_of<T: Copy>(&self, values: &[T]) -> Result<Memory, CudaError> {
        let memory = self.zeros(size_of_val(values))?;
        self.write(memory.at(0), values)?;
        Ok(memory)
    }

    /// Copies to the device; `values` may go once this returns.
    pub fn write<T: Copy>(&self, to: u64, values: &[T]) -> Result<(), CudaError> {
        if values.is_empty() {
            return Ok(());
        }
        // SAFETY: callers give a place inside a region of theirs; the wait keeps `values` alive long enough.
        unsafe { result::memcpy_htod_async(to, values, self.stream()) }
            .map_err(CudaError::driver("copying to the GPU"))?;
        self.wait()
    }

    /// Copies `bytes` bytes on the device.
    pub fn copy(&self, to: u64, from: u64, bytes: usize) -> Result<(), CudaError> {
        // SAFETY: callers give places inside regions of theirs.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream()) }
            .map_err(CudaError::driver("copying memory"))
    }

    /// Copies from the device once all that was asked before is done.
    pub fn read<T: Copy + Default>(&self, from: u64, len: usize) -> Result<Vec<T>, CudaError> {
        let mut values = vec![T::default(); len];
        if len > 0 {
            // SAFETY: callers give a place inside a region of theirs that holds `len` values; the wait ends the copy.
            unsafe { result::memcpy_dtoh_async(&mut values, from, self.stream()) }
                .map_err(CudaError::driver("copying from the GPU"))?;
        }
        self.wait()?;
        Ok(values)
    }
}

/// A region of device memory, freed with its value.
pub struct Memory {
    at: u64,
    bytes: usize,
    context: Arc<CudaContext>,
}

impl Memory {
    /// The address of byte `offset`.
    pub fn at(&self, offset: usize) -> u64 {
        debug_assert!(offset <= self.bytes);
        self.at + offset as u64
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _apart = turns::apart();
        // A lost device has no memory to give back, so an error has no one to tell.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: allocated by `Gpu::zeros`, freed here only; freeing waits for what still uses it.
            let _ = unsafe { result::free_sync(self.at) };
        }
    }
}

/// Host memory that the device reads without a copy in between.
pub struct Pinned {
    at: *mut u32,
    len: usize,
    context: Arc<CudaContext>,
}

// SAFETY: the region belongs to this value alone.
unsafe impl Send for Pinned {}

impl Pinned {
    /// `len` words of zeros.
    pub fn new(gpu: &Gpu, len: usize) -> Result<Self, CudaError> {
        // SAFETY: the context is current; the region is freed by `Pinned` alone.
        let at =
            unsafe { result::malloc_host(len * size_of::<u32>(), 0) }.map_err(CudaError::driver("pinning memory"))?;
        let at = at.cast::<u32>();
        // SAFETY: `len` words were just allocated there.
        unsafe { at.write_bytes(0, len) };
        Ok(Self { at, len, context: gpu.context.clone() })
    }

    pub fn words(&mut self) -> &mut [u32] {
        // SAFETY: the region holds `len` initialised words and is borrowed through `self`.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.len) }
    }

    /// Copies the first `len` words to the device without waiting; they must stay as they are until the stream was waited for.
    pub fn send(&self, gpu: &Gpu, to: u64, len: usize) -> Result<(), CudaError> {
        debug_assert!(len <= self.len);
        // SAFETY: callers give a place that holds `len` words; see above for the source.
        unsafe { result::memcpy_htod_async(to, std::slice::from_raw_parts(self.at, len), gpu.stream()) }
            .map_err(CudaError::driver("copying a batch to the GPU"))
    }

    /// Copies `len` words from the device without waiting: they are there once the stream was waited for.
    pub fn receive(&self, gpu: &Gpu, from: u64, len: usize) -> Result<(), CudaError> {
        debug_assert!(len <= self.len);
        // SAFETY: callers give a place that holds `len` words; nothing looks at them before the wait.
        unsafe { result::memcpy_dtoh_async(std::slice::from_raw_parts_mut(self.at, len), from, gpu.stream()) }
            .map_err(CudaError::driver("copying from the GPU"))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _apart = turns::apart();
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: allocated by `Pinned::new`, freed here only.
            let _ = unsafe { result::free_host(self.at.cast()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_numbered() {
        assert_eq!(uuid_text(&[0x1f; 16]), "GPU-1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f");
        assert_eq!(
            [ordinal("cuda"), ordinal("cuda:3"), ordinal("cpu"), ordinal("cuda:x")],
            [Some(0), Some(3), None, None]
        );
    }
}
