//! What the engine stores and multiplies in. Knows no device.

/// What activations and frozen weights are stored in, and what their products are computed in; sums are f32 throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Multiplied as three TF32 products, see kernels/split.cu.
    F32 = 0,
    /// Stored in f32; on the way there three bf16 products (see `store8_split` in kernels/prelude.cu), on the way back one in TF32.
    Tf32 = 1,
    /// Trained values stay f32.
    Bf16 = 2,
}

impl Precision {
    /// The precision with this id.
    pub fn find(id: &str) -> Option<Self> {
        match id {
            "f32" => Some(Self::F32),
            "tf32" => Some(Self::Tf32),
            "bf16" => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Bytes of a stored value.
    pub(super) fn bytes(self) -> usize {
        if self == Self::Bf16 { 2 } else { 4 }
    }

    /// What the engine calls itself.
    pub(super) fn engine(self) -> &'static str {
        match self {
            Self::F32 => "cuda f32",
            Self::Tf32 => "cuda tf32",
            Self::Bf16 => "cuda bf16",
        }
    }
}
