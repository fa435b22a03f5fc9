//! Student's t distribution: its tails by the incomplete beta function. Pure arithmetic.

/// Terms of the continued fraction at most; it needs some tens.
const MOST: usize = 10_000;

/// P(|T| >= |t|) for `freedom` degrees of freedom, a whole number from 1; NaN for fewer.
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_nan() || freedom < 1.0 || freedom.fract() != 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    // The share beside the tail is computed by itself: 1 - x would lose what a small t has.
    let sum = freedom + t * t;
    incomplete_beta(freedom, freedom / sum, t * t / sum)
}

/// I_x(freedom / 2, 1 / 2), given x and 1 - x.
fn incomplete_beta(freedom: f64, x: f64, rest: f64) -> f64 {
    let (a, b) = (freedom / 2.0, 0.5);
    if rest <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * rest.ln()).exp() / beta_with_half(freedom);
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, rest) / b
    }
}

/// B(freedom / 2, 1 / 2) by B(a + 1, b) = B(a, b) a / (a + b), from B(1/2, 1/2) = pi or B(1, 1/2) = 2.
fn beta_with_half(freedom: f64) -> f64 {
    let odd = freedom % 2.0 == 1.0;
    let (mut a, mut beta) = if odd { (0.5, std::f64::consts::PI) } else { (1.0, 2.0) };
    while a < freedom / 2.0 {
        beta *= a / (a + 0.5);
        a += 1.0;
    }
    beta
}

/// The fraction of I_x(a, b), Press et al. 6.4, by Lentz's method.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    let safe = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..MOST {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / safe(1.0 + term * d);
            c = safe(1.0 + term / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_exact_and_nonsense_is_nan() {
        assert_eq!((two_sided(0.0, 3.0), two_sided(f64::INFINITY, 3.0)), (1.0, 0.0));
        // One degree of freedom is Cauchy's distribution: half of it lies beyond 1.
        assert!((two_sided(1.0, 1.0) - 0.5).abs() < 1e-15);
        assert!(two_sided(f64::NAN, 3.0).is_nan() && two_sided(1.0, 0.0).is_nan() && two_sided(1.0, 1.5).is_nan());
    }
}
