//! QR and singular values and vectors by one-sided Jacobi, for small matrices. Knows nothing of adapters.

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

/// Q [m, n] with orthonormal columns and R [n, n] of A = Q R, m >= n: Gram-Schmidt twice. Where a column depends on those
/// before it, that of Q is 0.
pub(super) fn orthonormal(a: &Matrix) -> (Matrix, Matrix) {
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(a.columns);
    for column in a.transposed().values.chunks_exact(a.rows.max(1)) {
        let mut rest = column.to_vec();
        for _ in 0..2 {
            for q in &columns {
                let along = dot(q, &rest);
                rest.iter_mut().zip(q).for_each(|(r, q)| *r -= along * q);
            }
        }
        let length = super::frobenius(&rest);
        let is_new = length > 1e-13 * super::frobenius(column);
        rest.iter_mut().for_each(|r| *r = if is_new { *r / length } else { 0.0 });
        columns.push(rest);
    }
    let turned = Matrix { rows: a.columns, columns: a.rows, values: columns.concat() };
    let r = turned.times(a);
    (turned.transposed(), r)
}

/// Singular values, largest first, as many as the smaller side.
pub fn singular_values(a: &Matrix) -> Vec<f64> {
    let wide = a.columns > a.rows;
    let a = if wide { a.clone() } else { a.transposed() };
    // Rows of `a` are now the columns that rotate.
    let mut columns: Vec<Vec<f64>> = a.values.chunks_exact(a.columns.max(1)).map(<[f64]>::to_vec).collect();
    orthogonalise(&mut columns, &mut []);
    let mut values: Vec<f64> = columns.iter().map(|c| super::frobenius(c)).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

/// Right singular vectors, that of the largest value first, each as long as A has columns.
pub(super) fn right_vectors(a: &Matrix) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = a.transposed().values.chunks_exact(a.rows.max(1)).map(<[f64]>::to_vec).collect();
    let unit = |i: usize| (0..a.columns).map(|j| f64::from(u8::from(i == j))).collect();
    let mut vectors: Vec<Vec<f64>> = (0..a.columns).map(unit).collect();
    orthogonalise(&mut columns, &mut vectors);
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|i, j| super::frobenius(&columns[*j]).total_cmp(&super::frobenius(&columns[*i])));
    order.into_iter().map(|i| std::mem::take(&mut vectors[i])).collect()
}

/// Hestenes' one-sided Jacobi: columns are rotated pairwise until they are orthogonal; their lengths are the singular values,
/// to high relative accuracy. What `along` holds for each column is rotated with it.
fn orthogonalise(columns: &mut [Vec<f64>], along: &mut [Vec<f64>]) {
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..columns.len() {
            for q in p + 1..columns.len() {
                let Some(angle) = angle(&columns[p], &columns[q]) else { continue };
                rotated = true;
                turn(columns, p, q, angle);
                if !along.is_empty() {
                    turn(along, p, q, angle);
                }
            }
        }
        if !rotated {
            break;
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Cosine and sine of the rotation that makes two columns orthogonal; none where they are already.
fn angle(p: &[f64], q: &[f64]) -> Option<(f64, f64)> {
    let (pp, qq, pq) = (dot(p, p), dot(q, q), dot(p, q));
    // A not-a-number ends here too.
    if pq == 0.0 || pq.abs().partial_cmp(&(f64::EPSILON * (pp * qq).sqrt())) != Some(std::cmp::Ordering::Greater) {
        return None;
    }
    let zeta = (qq - pp) / (2.0 * pq);
    let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    Some((cosine, cosine * tangent))
}

fn turn(columns: &mut [Vec<f64>], p: usize, q: usize, (cosine, sine): (f64, f64)) {
    let (head, tail) = columns.split_at_mut(q);
    for (a, b) in head[p].iter_mut().zip(&mut tail[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
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
