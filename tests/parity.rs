//! PyTorch's and PEFT's numbers: token ids, forward passes, gradients, layers, the optimizer, 60 training steps, norms
//! and metrics, in f64 and f32. The folder is EIGENSCOPE_PARITY, else the fixture; its files give every size and setting.

#[path = "parity/folder.rs"]
mod folder;
#[path = "parity/forward.rs"]
mod forward;
#[path = "parity/layers.rs"]
mod layers;
#[path = "parity/methods.rs"]
mod methods;
#[path = "parity/metrics.rs"]
mod metrics;
#[path = "parity/norms.rs"]
mod norms;
#[path = "parity/optimizer.rs"]
mod optimizer;
#[path = "parity/peft.rs"]
mod peft;
#[path = "parity/tokenizers.rs"]
mod tokenizers;
#[path = "parity/training.rs"]
mod training;
