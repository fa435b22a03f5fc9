//! QR by Householder and singular values by one-sided Jacobi, for small matrices. Knows nothing of adapters.

use super::Matrix;

/// Most sweeps; Jacobi converges quadratically and needs about six.
const SWEEPS: usize = 60;

/// R of A = Q R, [min(m, n), n], in O(m n^2). Golub and Van Loan, algorithm 5.2.1.
pub(super) fn triangle(a: &Matrix) -> Matrix {
    let (m, n) = (a.rows, a.columns);
    let mut x = a.values.clone();
    let steps = m.min(n);
    for k in 0..steps {
        let norm = (k..m).map(|i| x[i * n + k] * x[i * n + k]).sum::<f64>().sqrt();
        if norm == 0.0 {
            continue;
        }
        // The sign that adds keeps the first element from cancelling.
        let alpha = if x[k * n + k] > 0.0 { -norm } else { norm };
        let mut v: Vec<f64> = (k..m).map(|i| x[i * n + k]).collect();
        v[0] -= alpha;
        let length = v.iter().map(|v| v * v).sum::<f64>();
        for j in k..n {
            let along = 2.0 * v.iter().enumerate().map(|(i, v)| v * x[(k + i) * n + j]).sum::<f64>() / length;
            v.iter().enumerate().for_each(|(i, v)| x[(k + i) * n + j] -= along * v);
        }
        x[k * n + k] = alpha;
        (k + 1..m).for_each(|i| x[i * n + k] = 0.0);
    }
    x.truncate(steps * n);
    Matrix { rows: steps, columns: n, values: x }
}

/// Singular values, largest first, as many as the smaller side. Hestenes' one-sided Jacobi: columns are rotated pairwise
/// until they are orthogonal; their lengths are the values, to high relative accuracy.
pub fn singular_values(a: &Matrix) -> Vec<f64> {
    let wide = a.columns > a.rows;
    let a = if wide { a.clone() } else { a.transposed() };
    // Rows of `a` are now the columns that rotate.
    let mut columns: Vec<Vec<f64>> = a.values.chunks_exact(a.columns.max(1)).map(<[f64]>::to_vec).collect();
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..columns.len() {
            for q in p + 1..columns.len() {
                let (head, tail) = columns.split_at_mut(q);
                rotated |= rotate(&mut head[p], &mut tail[0]);
            }
        }
        if !rotated {
            break;
        }
    }
    let mut values: Vec<f64> = columns.iter().map(|c| super::frobenius(c)).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

/// Makes two columns orthogonal; false where they are already.
fn rotate(p: &mut [f64], q: &mut [f64]) -> bool {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (pp, qq, pq) = (dot(p, p), dot(q, q), dot(p, q));
    // A not-a-number ends here too.
    if pq == 0.0 || pq.abs().partial_cmp(&(f64::EPSILON * (pp * qq).sqrt())) != Some(std::cmp::Ordering::Greater) {
        return false;
    }
    let zeta = (qq - pp) / (2.0 * pq);
    let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = cosine * tangent;
    for (a, b) in p.iter_mut().zip(q) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    /// Singular values of [[3, 0], [4, 5]] are sqrt(45) and sqrt(5).
    #[test]
    fn known_singular_values() {
        for (rows, columns, values) in
            [(2, 2, vec![3.0, 0.0, 4.0, 5.0]), (3, 2, vec![3.0, 0.0, 4.0, 5.0, 0.0, 0.0]), (1, 2, vec![3.0, 4.0])]
        {
            let found = singular_values(&Matrix { rows, columns, values });
            let expected = if rows == 1 { vec![5.0] } else { vec![45f64.sqrt(), 5f64.sqrt()] };
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14 * b), "{found:?}");
        }
    }

    #[test]
    fn the_triangle_keeps_the_gram_matrix() {
        let (m, n) = (37, 5);
        let a = Matrix { rows: m, columns: n, values: Stream::new(3, 0, 0).normal(1.0, m * n) };
        let gram = |x: &Matrix| x.transposed().times_diagonal_times_transposed(None, &x.transposed());
        let r = triangle(&a);
        assert_eq!((r.rows, r.columns), (n, n));
        for (x, y) in gram(&a).values.iter().zip(&gram(&r).values) {
            assert!((x - y).abs() < 1e-12, "{x} {y}");
        }
    }
}
