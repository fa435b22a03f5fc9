//! The best approximation of lower rank of an adapter's update, as tensors of the same shapes; and how symmetric it is.

use super::{AnalysisError, Factors, Get, Matrix, delta, frobenius, svd};
use crate::adapter::Form;

/// What replaces a tensor of an adapter: its suffix and its values in the stored order.
pub type Replaced = (&'static str, Vec<f64>);

/// The update with its `keep` largest directions alone: of a form with a diagonal d the entries that are largest by size, d
/// being 0 elsewhere; else U V^T projected on its `keep` largest singular directions, which V takes over.
pub fn truncated(form: &Form, get: &Get, keep: usize) -> Result<Replaced, AnalysisError> {
    // What is subtracted is not of the diagonal alone, nor of V.
    if form.start.is_some() {
        return Err(AnalysisError::Uncut(form.u.name.into()));
    }
    let Factors { u, v, d } = Factors::get(form, get)?;
    if let (Some(mut d), Some(name)) = (d, form.d) {
        let mut order: Vec<usize> = (0..d.len()).collect();
        order.sort_by(|a, b| d[*b].abs().total_cmp(&d[*a].abs()));
        order.into_iter().skip(keep).for_each(|i| d[i] = 0.0);
        return Ok((name, d));
    }
    if form.tied() {
        return Err(AnalysisError::Uncut(form.u.name.into()));
    }
    if keep == 0 {
        return Ok((form.v.name, vec![0.0; v.values.len()]));
    }
    // U V^T = Qu Ru Rv^T Qv^T: the right singular vectors are Qv times those of the core Ru Rv^T.
    let (q, r) = svd::orthonormal(&v);
    let core = svd::triangle(&u).times_diagonal_times_transposed(None, &r);
    let vectors = svd::right_vectors(&core);
    let first = Matrix {
        rows: keep.min(vectors.len()),
        columns: core.columns,
        values: vectors.into_iter().take(keep).flatten().collect(),
    };
    // V' = Qv (W W^T) Rv with W the first `keep` of those of the core.
    let onto = first.transposed().times(&first);
    let projected = q.times(&onto.times(&r));
    let stored = if form.v.transposed { projected.transposed() } else { projected };
    Ok((form.v.name, stored.values))
}

/// Frobenius norms of (M + M^T)/2 and (M - M^T)/2 of M = s U diag(d) V^T, which must be square.
pub fn symmetry(form: &Form, scaling: f64, get: &Get) -> Result<(f64, f64), AnalysisError> {
    let m = delta(form, scaling, get)?;
    if m.rows != m.columns {
        return Err(AnalysisError::NotSquare { rows: m.rows, columns: m.columns });
    }
    let n = m.rows;
    let half = |sign: f64| {
        let at = |i: usize| 0.5 * (m.values[i] + sign * m.values[i % n * n + i / n]);
        frobenius(&(0..n * n).map(at).collect::<Vec<_>>())
    };
    Ok((half(1.0), half(-1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Factor;
    use crate::analysis::singular_values;
    use crate::random::Stream;

    const LORA: Form = Form {
        c: None,
        d: None,
        u: Factor { name: "B", transposed: false },
        v: Factor { name: "A", transposed: true },
        start: None,
        m: None,
        nested: false,
    };

    fn factors(out: usize, input: usize, r: usize) -> (Matrix, Matrix) {
        let draw = |site, rows: usize, columns: usize| Matrix {
            rows,
            columns,
            values: Stream::new(5, 0, site).normal(1.0, rows * columns),
        };
        (draw(1, out, r), draw(2, r, input))
    }

    /// Eckart and Young: what is cut off has the singular values that are left out.
    #[test]
    fn the_nearest_matrix_of_lower_rank_is_kept() {
        let (b, mut a) = factors(9, 7, 4);
        // Rows that depend on each other must do no harm.
        a.values.copy_within(0..7, 7);
        let update = |a: &Matrix| b.times(a);
        let whole = update(&a);
        let values = singular_values(&whole);
        for keep in 0..=4 {
            let get = |name: &str| Some(if name == "B" { b.clone() } else { a.clone() });
            let (name, stored) = truncated(&LORA, &get, keep).expect("cut");
            assert_eq!(name, "A");
            let cut = update(&Matrix { rows: 4, columns: 7, values: stored });
            let left: Vec<f64> = whole.values.iter().zip(&cut.values).map(|(x, y)| x - y).collect();
            assert!((frobenius(&left) - frobenius(&values[keep..])).abs() < 1e-12, "{keep}");
            assert!(singular_values(&cut).iter().skip(keep).all(|v| *v < 1e-12), "{keep}");
        }
    }

    #[test]
    fn of_a_diagonal_the_largest_by_size_stay() {
        let q = Factor { name: "Q", transposed: false };
        let form = Form { d: Some("L"), u: q, v: q, ..LORA };
        let (b, _) = factors(5, 5, 3);
        let l = Matrix { rows: 1, columns: 3, values: vec![0.5, -2.0, 1.0] };
        let get = |name: &str| Some(if name == "Q" { b.clone() } else { l.clone() });
        assert_eq!(truncated(&form, &get, 2), Ok(("L", vec![0.0, -2.0, 1.0])));
        let (symmetric, skew) = symmetry(&form, 1.0, &get).expect("square");
        assert!(symmetric > 1.0 && skew < 1e-14 * symmetric);
    }

    #[test]
    fn a_skew_matrix_has_no_symmetric_part() {
        // [[0, 1], [-1, 0]] as B A.
        let b = Matrix { rows: 2, columns: 2, values: vec![1.0, 0.0, 0.0, -1.0] };
        let a = Matrix { rows: 2, columns: 2, values: vec![0.0, 1.0, 1.0, 0.0] };
        let get = |name: &str| Some(if name == "B" { b.clone() } else { a.clone() });
        let (symmetric, skew) = symmetry(&LORA, 3.0, &get).expect("square");
        assert!(symmetric == 0.0 && (skew - 3.0 * 2f64.sqrt()).abs() < 1e-14);
        let (b, a) = factors(3, 4, 2);
        let get = |name: &str| Some(if name == "B" { b.clone() } else { a.clone() });
        assert_eq!(symmetry(&LORA, 1.0, &get), Err(AnalysisError::NotSquare { rows: 3, columns: 4 }));
    }
}
