//! Intervals over rows and over seeds; the two are never mixed. A paired test over seeds. Pure arithmetic.

mod student;

pub use student::two_sided;

/// Normal quantile of a 95% interval, as the paper uses it.
pub const Z: f64 = 1.96;

/// A value with the half width of its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub centre: f64,
    pub half_width: f64,
}

impl Interval {
    pub fn low(&self) -> f64 {
        self.centre - self.half_width
    }

    pub fn high(&self) -> f64 {
        self.centre + self.half_width
    }
}

/// Over rows: p with 1.96 sqrt(p (1 - p) / n), for a share of right answers.
pub fn proportion(p: f64, rows: u64) -> Interval {
    Interval { centre: p, half_width: Z * (p * (1.0 - p) / rows as f64).sqrt() }
}

/// Wilson's score interval of a share `p` of `rows` for quantile `z`, as (low, high).
pub fn wilson(p: f64, rows: u64, z: f64) -> (f64, f64) {
    let n = rows as f64;
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

/// Sample standard deviation (n - 1); NaN for fewer than two values.
pub fn sample_std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Over pairs: the mean of first minus second with 1.96 s / sqrt(n), s being the deviation of the differences; the half
/// width is NaN for one pair.
pub fn paired(pairs: &[(f64, f64)]) -> Interval {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    over_seeds(&differences)
}

/// Student's test of pairs: whether their mean difference could be 0.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct PairedTest {
    pub pairs: usize,
    /// Mean of first minus second.
    pub difference: f64,
    pub t: f64,
    /// Two-sided, with one degree of freedom less than there are pairs.
    pub p: f64,
}

/// The test of `pairs`; none for fewer than two or where all differ by the same.
pub fn paired_test(pairs: &[(f64, f64)]) -> Option<PairedTest> {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    let error = sample_std(&differences) / (differences.len() as f64).sqrt();
    let difference = mean(&differences);
    let t = difference / error;
    let p = two_sided(t, differences.len() as f64 - 1.0);
    (error > 0.0 && t.is_finite()).then_some(PairedTest { pairs: pairs.len(), difference, t, p })
}

/// Over seeds: the mean with 1.96 s / sqrt(n); the half width is NaN for one seed.
pub fn over_seeds(values: &[f64]) -> Interval {
    Interval { centre: mean(values), half_width: Z * sample_std(values) / (values.len() as f64).sqrt() }
}

/// What is told of a group of runs that differ by their seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub n: usize,
    /// Over seeds, see [`over_seeds`].
    pub mean: Interval,
    pub low: f64,
    pub high: f64,
}

/// The spread of the values that are finite; none without one.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let low = finite.iter().copied().reduce(f64::min)?;
    let high = finite.iter().copied().reduce(f64::max)?;
    Some(Spread { n: finite.len(), mean: over_seeds(&finite), low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of SciPy: `tests/fixtures/stats/make_reference.py`.
    #[derive(serde::Deserialize)]
    struct Reference {
        proportion: Vec<(f64, u64, f64)>,
        wilson: Vec<(u64, u64, f64, f64, f64)>,
        seeds: Vec<(Vec<f64>, f64, f64)>,
        paired: Vec<(Vec<f64>, Vec<f64>, f64, f64)>,
        student: Vec<(f64, f64, f64)>,
    }

    #[test]
    fn intervals_and_tests_agree_with_scipy() {
        let text = include_str!("../tests/fixtures/stats/reference.json");
        let reference: Reference = serde_json::from_str(text).expect("numbers");
        let near = |found: f64, wanted: f64| {
            let apart = (found - wanted).abs() / wanted.abs().max(1e-300);
            assert!(apart < 1e-12 || (found - wanted).abs() < 1e-16, "{found} {wanted}: {apart}");
        };
        for (p, rows, half) in reference.proportion {
            near(proportion(p, rows).half_width, half);
        }
        for (right, rows, z, low, high) in reference.wilson {
            let found = wilson(right as f64 / rows as f64, rows, z);
            near(found.0, low);
            near(found.1, high);
        }
        for (values, mean, half) in reference.seeds {
            let found = over_seeds(&values);
            near(found.centre, mean);
            near(found.half_width, half);
        }
        for (a, b, t, p) in reference.paired {
            let pairs: Vec<(f64, f64)> = a.into_iter().zip(b).collect();
            let found = paired_test(&pairs).expect("a test");
            near(found.t, t);
            near(found.p, p);
        }
        assert!(reference.student.len() > 50);
        for (t, freedom, p) in reference.student {
            near(two_sided(t, freedom), p);
        }
    }

    #[test]
    fn a_test_needs_two_pairs_that_do_not_differ_alike() {
        assert_eq!(paired_test(&[(0.5, 0.4)]), None);
        assert_eq!(paired_test(&[(0.5, 0.25), (0.75, 0.5)]), None);
        assert_eq!(paired_test(&[]), None);
    }

    #[test]
    fn pairs_cancel_what_their_runs_share() {
        // Differences 0.01, 0.03, 0.02: mean 0.02, s 0.01.
        let found = paired(&[(0.51, 0.5), (0.93, 0.9), (0.22, 0.2)]);
        assert!((found.centre - 0.02).abs() < 1e-12);
        assert!((found.half_width - 1.96 * 0.01 / 3f64.sqrt()).abs() < 1e-12);
        let one = paired(&[(0.6, 0.5)]);
        assert!((one.centre - 0.1).abs() < 1e-12 && one.half_width.is_nan());
    }

    #[test]
    fn a_spread_is_over_the_finite_values() {
        let found = spread(&[0.6, f64::NAN, 0.7, 0.8]).expect("three values");
        assert_eq!((found.n, found.low, found.high), (3, 0.6, 0.8));
        // s = 0.1, so 1.96 * 0.1 / sqrt(3).
        assert!((found.mean.centre - 0.7).abs() < 1e-12);
        assert!((found.mean.half_width - 0.113_160_653_7).abs() < 1e-9);
        assert!(spread(&[0.5]).expect("one value").mean.half_width.is_nan());
        assert_eq!(spread(&[f64::NAN]), None);
    }
}
