//! Tick positions and number texts for axes, alike in the terminal and in pictures.

use super::{Range, Spacing};

/// Positions and texts of at most about `most` ticks.
pub fn ticks(range: &Range, most: usize) -> Vec<(f64, String)> {
    match range {
        Range::Names(names) => {
            let every = names.len().div_ceil(most.max(1)).max(1);
            names.iter().enumerate().step_by(every).map(|(i, n)| (i as f64 + 0.5, n.clone())).collect()
        }
        Range::Numbers { low, high, spacing: Spacing::Log } => decades(*low, *high, most),
        Range::Numbers { low, high, .. } => linear(*low, *high, most),
    }
}

fn linear(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let rough = span / most.max(1) as f64;
    let unit = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * unit).find(|s| *s >= rough * 0.999).unwrap_or(10.0 * unit);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    // Rounding to whole multiples keeps 0.30000000000000004 off the axis.
    let decimals = (-(step.log10().floor())).max(0.0) as usize;
    let count = ((last - first) as usize).min(1_000);
    (0..=count)
        .filter(|_| last >= first)
        .map(|i| {
            let value = (first + i as f64) * step;
            let text = if value.abs() >= 1e5 || decimals > 6 { compact(value) } else { format!("{value:.decimals$}") };
            (value, if text == "-0" { "0".into() } else { text })
        })
        .collect()
}

fn decades(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    if !(low > 0.0 && high > low) {
        return Vec::new();
    }
    let inside = |v: &f64| *v >= low * 0.999_999 && *v <= high * 1.000_001;
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let with = |multiples: &[f64]| -> Vec<f64> {
        (first..=last).flat_map(|d| multiples.iter().map(move |m| m * 10f64.powi(d))).filter(inside).collect()
    };
    let mut values = with(&[1.0]);
    for multiples in [&[1.0, 3.0][..], &[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]] {
        if values.len() < 2 {
            values = with(multiples);
        }
    }
    let every = values.len().div_ceil(most.max(1)).max(1);
    values.into_iter().step_by(every).map(|v| (v, compact(v))).collect()
}

/// How the numbers of one heatmap are written: all with the decimals that its largest value needs for three digits, so
/// that they can be compared down a column; counts have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    Fixed(usize),
    Scientific,
}

impl Digits {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let (largest, whole) = finite.fold((0.0f64, true), |(m, whole), v| (m.max(v.abs()), whole && v.fract() == 0.0));
        match largest {
            v if whole && v < 1e5 => Self::Fixed(0),
            v if (1e-3..1e5).contains(&v) => Self::Fixed(decimals(v)),
            _ => Self::Scientific,
        }
    }

    pub fn text(self, value: f64) -> String {
        match self {
            Self::Fixed(_) if !value.is_finite() => value.to_string(),
            Self::Fixed(decimals) => {
                let text = format!("{value:.decimals$}");
                let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
                if is_zero { text.replace('-', "") } else { text }
            }
            Self::Scientific => format!("{value:.1e}"),
        }
    }
}

/// Decimals that give a number of this size about three digits.
fn decimals(size: f64) -> usize {
    match size {
        s if s >= 100.0 => 0,
        s if s >= 10.0 => 1,
        s if s >= 1.0 => 2,
        _ => 3,
    }
}

/// A number in few characters: about three digits, scientific where it is very large or small.
pub fn compact(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let decimals = decimals(size);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_short_and_plain() {
        let texts: Vec<String> = [0.0, 0.30000000000000004, 1234.0, -12.34, 5e-5, 1e6].map(compact).into();
        assert_eq!(texts, ["0", "0.3", "1234", "-12.3", "5e-5", "1e6"]);
        let axis = linear(0.0, 1.0, 5).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(axis, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn numbers_of_one_heatmap_have_the_same_decimals() {
        let written = |values: &[f64]| -> Vec<String> {
            let digits = Digits::of(values.iter().copied());
            values.iter().map(|v| digits.text(*v)).collect()
        };
        assert_eq!(written(&[8.0, -10.04, 0.35, -0.001, 0.0]), ["8.0", "-10.0", "0.3", "0.0", "0.0"]);
        assert_eq!(written(&[1.0, 0.9, 0.987]), ["1.00", "0.90", "0.99"]);
        assert_eq!(written(&[0.5, f64::NAN]), ["0.500", "NaN"]);
        assert_eq!(written(&[123.4, 5.0]), ["123", "5"]);
        assert_eq!(written(&[2e-5, 1e-5]), ["2.0e-5", "1.0e-5"]);
        assert_eq!(written(&[0.0, 0.0]), ["0", "0"]);
    }

    proptest! {
        #[test]
        fn ticks_lie_inside_and_ascend(low in -1e6f64..1e6, span in 1e-3f64..1e6, most in 1usize..12) {
            let found = linear(low, low + span, most);
            prop_assert!(found.len() <= most + 1);
            prop_assert!(found.windows(2).all(|w| w[0].0 < w[1].0));
            prop_assert!(found.iter().all(|t| t.0 >= low - 1e-6 * span && t.0 <= low + span * (1.0 + 1e-6)));
        }

        #[test]
        fn log_ticks_lie_inside(low in 1e-6f64..1e3, factor in 1.1f64..1e6, most in 1usize..12) {
            let found = decades(low, low * factor, most);
            prop_assert!(found.len() <= most.max(1) + 1);
            prop_assert!(found.iter().all(|t| t.0 >= low * 0.99 && t.0 <= low * factor * 1.01));
        }
    }
}
