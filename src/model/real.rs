//! The two float types that the reference runs in. Knows no tensors beyond their element.

use candle_core::WithDType;
use num_traits::Float;
use std::ops::{AddAssign, MulAssign};

/// f32 or f64.
pub trait Real: WithDType + Float + AddAssign + MulAssign + Send + Sync + 'static {
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
    /// The error function, to about the type's rounding error.
    fn erf(self) -> Self;
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn wide(self) -> f64 {
        self
    }

    fn erf(self) -> Self {
        candle_core::cpu::erf::erf_f64(self)
    }
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }

    /// x P(x^2) / Q(x^2), the minimax rational of Eigen's `generic_fast_erf_float`: branch-free, so the loop over it vectorises.
    #[inline(always)]
    fn erf(self) -> Self {
        const P: [f32; 7] = [
            -2.726_142_3e-10,
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906_3e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ];
        const Q: [f32; 5] = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
        let x = self.clamp(-4.0, 4.0);
        let square = x * x;
        let p = P.iter().fold(0.0, |sum, c| sum * square + c);
        let q = Q.iter().fold(0.0, |sum, c| sum * square + c);
        x * p / q
    }
}
