//! The kernels of `kernels/*.cu`: compiled for the card and the model at run time, kept in the cache folder, and launched.
//! `EIGENSCOPE_KERNELS` names a folder whose files stand in for those compiled in. Knows no order of launches.

use super::Precision;
use super::cache;
use super::device::Gpu;
use super::error::CudaError;
use super::turns;
use crate::model::Config;
use cudarc::driver::{result, sys};
use cudarc::nvrtc;
use std::ffi::{CStr, CString, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// Folder of `.cu` files to use instead of those compiled in; for experiments.
const VARIABLE: &str = "EIGENSCOPE_KERNELS";

const PRELUDE: Source = ("prelude.cu", include_str!("kernels/prelude.cu"));
const ROW: Source = ("row.cu", include_str!("kernels/row.cu"));
const WIDTH: Source = ("width.cu", include_str!("kernels/width.cu"));
const MMA: Source = ("mma.cu", include_str!("kernels/mma.cu"));
const PART: Source = ("part.cu", include_str!("kernels/part.cu"));
const SHORT: Source = ("short.cu", include_str!("kernels/short.cu"));
const TILE: Source = ("tile.cu", include_str!("kernels/tile.cu"));
const STAGE: Source = ("stage.cu", include_str!("kernels/stage.cu"));
const ATTENTION: Source = ("attention.cu", include_str!("kernels/attention.cu"));
const ATTENTION_BACKWARD: Source = ("attention_backward.cu", include_str!("kernels/attention_backward.cu"));

/// Programs, each compiled on a thread of its own; what they share comes first.
const PROGRAMS: [&[Source]; 11] = [
    &[WIDTH, PRELUDE, ROW, ("embed.cu", include_str!("kernels/embed.cu"))],
    &[PRELUDE, ROW, ("norm.cu", include_str!("kernels/norm.cu")), ("gelu.cu", include_str!("kernels/gelu.cu"))],
    &[PRELUDE, PART, ("adapter.cu", include_str!("kernels/adapter.cu"))],
    &[PRELUDE, MMA, PART, ("adapter_backward.cu", include_str!("kernels/adapter_backward.cu"))],
    &[PRELUDE, MMA, TILE, ATTENTION],
    &[PRELUDE, MMA, TILE, STAGE, ATTENTION_BACKWARD],
    &[PRELUDE, MMA, SHORT, TILE, ATTENTION],
    &[PRELUDE, MMA, SHORT, TILE, STAGE, ATTENTION_BACKWARD],
    &[PRELUDE, ("split.cu", include_str!("kernels/split.cu"))],
    &[PRELUDE, ("head.cu", include_str!("kernels/head.cu"))],
    &[PRELUDE, ("optimizer.cu", include_str!("kernels/optimizer.cu"))],
];

/// A file's name and what is compiled in.
type Source = (&'static str, &'static str);

/// A kernel of a loaded module.
#[derive(Clone, Copy)]
pub struct Kernel(sys::CUfunction);

// SAFETY: a handle into a module that `Kernels` keeps loaded; the driver takes it from any thread.
unsafe impl Send for Kernel {}
unsafe impl Sync for Kernel {}

macro_rules! kernels {
    ($($name:ident),* $(,)?) => {
        /// Every kernel, for one model and precision.
        pub struct Kernels {
            $(pub $name: Kernel,)*
            _modules: Vec<Module>,
        }

        impl Kernels {
            fn of(modules: Vec<Module>) -> Result<Self, CudaError> {
                let find = |name: &'static str| {
                    let mut found = modules.iter().map(|m| m.kernel(name));
                    found.find(Result::is_ok).unwrap_or_else(|| Err(CudaError::Kernels(format!("no kernel {name}"))))
                };
                Ok(Self { $($name: find(stringify!($name))?,)* _modules: modules })
            }
        }
    };
}

kernels!(
    embed,
    widened,
    add_norm,
    add_norm_backward,
    scatter_first,
    split,
    gelu_forward,
    gelu_backward,
    combine,
    adapter_inner,
    adapter_gradients,
    refresh_factors,
    refresh_scaled,
    attention_forward,
    attention_backward,
    attention_forward_short,
    attention_backward_short,
    head_input,
    head_output,
    head_gradients,
    head_slope,
    gather_gradients,
    report,
    adamw,
);

impl Kernels {
    /// The kernels for a model, from the cache or compiled; `stages` as [`attention::stages`](super::attention::stages) says.
    pub fn load(
        gpu: &Gpu,
        config: &Config,
        precision: Precision,
        rank: usize,
        outputs: usize,
        stages: usize,
    ) -> Result<Self, CudaError> {
        let n = config.hidden_size;
        let sizes = [
            ("PRECISION", precision as usize),
            ("HIDDEN", n),
            ("EMBEDDING", config.embedding_size),
            ("HEADS", config.num_attention_heads),
            ("HEAD", n / config.num_attention_heads),
            ("WIDE", config.intermediate_size),
            ("RANK", rank),
            ("OUTPUTS", outputs),
            ("ACTIVATION", config.family.head().activation as usize),
            ("STAGES", stages),
        ];
        let mut options = vec![format!("--gpu-architecture={}", gpu.arch)];
        options.extend(sizes.iter().map(|(name, value)| format!("-D{name}={value}")));
        let sources = PROGRAMS.iter().map(|files| source(files)).collect::<Result<Vec<_>, _>>()?;
        let images = std::thread::scope(|scope| {
            let options = &options;
            let threads: Vec<_> = sources.iter().map(|s| scope.spawn(move || cached(s, options))).collect();
            let stopped = |_| Err(CudaError::Kernels("the compiler stopped".into()));
            threads.into_iter().map(|t| t.join().unwrap_or_else(stopped)).collect::<Result<Vec<_>, _>>()
        })?;
        Self::of(images.iter().map(|image| Module::load(gpu, image)).collect::<Result<_, _>>()?)
    }
}

fn source(files: &[Source]) -> Result<String, CudaError> {
    let folder = std::env::var_os(VARIABLE).filter(|v| !v.is_empty());
    let mut whole = String::new();
    for (name, own) in files {
        let path = folder.as_ref().map(|f| Path::new(f).join(name)).filter(|p| p.exists());
        match path {
            Some(path) => {
                whole += &std::fs::read_to_string(&path).map_err(|source| CudaError::File { path, source })?;
            }
            None => whole += own,
        }
        whole.push('\n');
    }
    Ok(whole)
}

/// The machine code of `source`: compiled once for each version of the compiler and set of options.
fn cached(source: &str, options: &[String]) -> Result<Vec<u8>, CudaError> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two integers.
    unsafe { nvrtc::sys::nvrtcVersion(&mut major, &mut minor) }.result().map_err(compile_error)?;
    let mut hasher = DefaultHasher::new();
    (source, options, major, minor).hash(&mut hasher);
    let path = cache::folder("kernels").join(format!("{:016x}.cubin", hasher.finish()));
    if let Ok(image) = std::fs::read(&path) {
        return Ok(image);
    }
    let image = compile(source, options)?;
    cache::replace(&path, &image);
    Ok(image)
}

fn compile_error(error: nvrtc::result::NvrtcError) -> CudaError {
    CudaError::Kernels(error.to_string())
}

fn compile(source: &str, options: &[String]) -> Result<Vec<u8>, CudaError> {
    let source = CString::new(source).map_err(|e| CudaError::Kernels(e.to_string()))?;
    let program = nvrtc::result::create_program(&source, Some(c"eigenscope.cu")).map_err(compile_error)?;
    // SAFETY: `program` lives until it is destroyed below; the image is as long as NVRTC says.
    unsafe {
        let compiled = nvrtc::result::compile_program(program, options);
        let image = match compiled {
            Ok(()) => {
                let mut len = 0;
                let size = nvrtc::sys::nvrtcGetCUBINSize(program, &mut len).result();
                let mut image = vec![0u8; len];
                size.and_then(|()| nvrtc::sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast()).result())
                    .map(|()| image)
                    .map_err(compile_error)
            }
            Err(_) => {
                let log = nvrtc::result::get_program_log(program).map_err(compile_error)?;
                Err(CudaError::Kernels(CStr::from_ptr(log.as_ptr()).to_string_lossy().into_owned()))
            }
        };
        let destroyed = nvrtc::result::destroy_program(program).map_err(compile_error);
        image.and_then(|image| destroyed.map(|()| image))
    }
}

struct Module {
    raw: sys::CUmodule,
    context: Arc<cudarc::driver::CudaContext>,
}

// SAFETY: a handle that the driver takes from any thread.
unsafe impl Send for Module {}

impl Module {
    fn load(gpu: &Gpu, image: &[u8]) -> Result<Self, CudaError> {
        // SAFETY: `image` is a whole cubin; the driver copies it.
        let raw = unsafe { result::module::load_data(image.as_ptr().cast()) }
            .map_err(CudaError::driver("loading the kernels"))?;
        Ok(Self { raw, context: gpu.context.clone() })
    }

    fn kernel(&self, name: &'static str) -> Result<Kernel, CudaError> {
        let name = CString::new(name).map_err(|e| CudaError::Kernels(e.to_string()))?;
        // SAFETY: the module is loaded.
        let kernel = unsafe { result::module::get_function(self.raw, name) }
            .map_err(CudaError::driver("looking up a kernel"))?;
        Ok(Kernel(kernel))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let _apart = turns::apart();
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: loaded by `Module::load`; no kernel of it is launched any more.
            let _ = unsafe { result::module::unload(self.raw) };
        }
    }
}

/// Most shared memory that a kernel has beside what it is launched with.
const STATIC_SHARED: usize = 4 << 10;

/// Threads and shared memory of a launch.
#[derive(Clone, Copy)]
pub struct Grid {
    pub blocks: [usize; 3],
    pub threads: usize,
    pub shared: usize,
}

impl Grid {
    /// A thread for each of `count` items.
    pub fn flat(count: usize) -> Self {
        Self { blocks: [count.div_ceil(256), 1, 1], threads: 256, shared: 0 }
    }

    /// A warp for each of `count` items, by `layers` in the second direction.
    pub fn warps(count: usize, layers: usize) -> Self {
        Self { blocks: [count.div_ceil(8), layers, 1], threads: 256, shared: 0 }
    }
}

impl Gpu {
    /// An error where this card has not so much shared memory for a block.
    pub fn has_shared(&self, bytes: usize) -> Result<(), CudaError> {
        let most = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        let given = self.context.attribute(most).map_err(CudaError::driver("asking for shared memory"))? as usize;
        if bytes + STATIC_SHARED > given {
            return Err(CudaError::Shared { needed: (bytes + STATIC_SHARED).div_ceil(1024), given: given / 1024 });
        }
        Ok(())
    }

    /// Lets a kernel use more shared memory than every card gives; an error where this one has not so much.
    pub fn allow_shared(&self, kernel: Kernel, bytes: usize) -> Result<(), CudaError> {
        self.has_shared(bytes)?;
        let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        // SAFETY: a kernel of a loaded module.
        unsafe { result::function::set_function_attribute(kernel.0, attribute, bytes as i32) }
            .map_err(CudaError::driver("asking for shared memory"))
    }

    /// Asks for a launch; `parameters` point to values of exactly the kernel's types, see [`params`].
    pub fn launch(&self, kernel: Kernel, grid: Grid, parameters: &mut [*mut c_void]) -> Result<(), CudaError> {
        let [x, y, z] = grid.blocks.map(|b| b as u32);
        if x == 0 || y == 0 || z == 0 {
            return Ok(());
        }
        // The kernel may start while the one before it ends; it waits for that end itself, see `await_previous` in prelude.cu.
        let mut early = sys::CUlaunchAttribute {
            id: sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
            pad: [0; 4],
            value: sys::CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
        };
        let config = sys::CUlaunchConfig {
            gridDimX: x,
            gridDimY: y,
            gridDimZ: z,
            blockDimX: grid.threads as u32,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: grid.shared as u32,
            hStream: self.stream(),
            attrs: &mut early,
            numAttrs: u32::from(self.overlaps),
        };
        // SAFETY: the kernel is loaded, the driver copies the parameters before it returns, and the regions they name
        // outlive the stream's work: whoever frees them waits first.
        unsafe { sys::cuLaunchKernelEx(&config, kernel.0, parameters.as_mut_ptr(), std::ptr::null_mut()) }
            .result()
            .map_err(CudaError::driver("launching a kernel"))
    }
}

/// Pointers to the values of a launch; they live until the statement ends.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$(std::ptr::from_ref(&$value).cast_mut().cast::<std::ffi::c_void>()),*] };
}
pub(super) use params;

#[cfg(test)]
mod tests {
    use super::PROGRAMS;

    #[test]
    fn every_kernel_waits_for_the_one_before_it_first() {
        for (name, source) in PROGRAMS.iter().flat_map(|files| files.iter()) {
            for kernel in source.split("__global__").skip(1) {
                let body = kernel.split_once('{').map_or("", |(_, body)| body.trim_start());
                assert!(body.starts_with("await_previous();"), "{name}: {kernel:.80}");
            }
        }
    }
}
