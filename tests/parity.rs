//! PyTorch's numbers: forward passes, gradients, layers, the optimizer, 60 training steps and norms, in f64 and f32. The
//! folder is EIGENSCOPE_PARITY, else the fixture; every size and setting is read from its files.

#[path = "parity/folder.rs"]
mod folder;
#[path = "parity/forward.rs"]
mod forward;
#[path = "parity/layers.rs"]
mod layers;
#[path = "parity/norms.rs"]
mod norms;
#[path = "parity/optimizer.rs"]
mod optimizer;
#[path = "parity/training.rs"]
mod training;
