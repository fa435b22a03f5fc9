//! Views of matrices in slices, and their product. Knows no layer.

/// A matrix in a slice: element (i, j) at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// Elements that a view reaches from its first one.
fn reach(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + (columns - 1) * column_stride + 1 }
}

impl<'a> View<'a> {
    /// Rows behind one another.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows `row_stride` apart, of which the first `columns` elements count.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reach(rows, columns, row_stride, 1) <= data.len(), "a {rows} x {columns} view beyond its slice");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// A matrix to write to.
pub struct ViewMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> ViewMut<'a> {
    /// Rows behind one another.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows `row_stride` apart, of which the first `columns` elements count; rows do not overlap.
    pub fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reach(rows, columns, row_stride, 1) <= data.len(), "a {rows} x {columns} view beyond its slice");
        assert!(columns <= row_stride || rows <= 1, "rows of {columns} elements that overlap");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// What the values that are there are multiplied by: BLAS's beta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beta {
    Zero,
    One,
}

/// `c = a b`, or `c += a b`, on this thread. Shapes that do not fit are a bug here, not of the input: they panic.
pub fn multiply(c: ViewMut, a: View, b: View, beta: Beta) {
    assert!(a.columns == b.rows && c.rows == a.rows && c.columns == b.columns, "a product of shapes that do not fit");
    if c.rows == 0 || c.columns == 0 {
        return;
    }
    let alpha = if beta == Beta::One { 1.0 } else { 0.0 };
    #[expect(unsafe_code, reason = "gemm takes pointers")]
    // SAFETY: the constructors checked that each view's last element lies in its slice and that the elements of `c` are
    // apart; `c` is borrowed mutably, so it overlaps neither `a` nor `b`; the assertion above makes the sizes agree.
    unsafe {
        gemm::gemm(
            c.rows,
            c.columns,
            a.columns,
            c.data.as_mut_ptr(),
            c.column_stride as isize,
            c.row_stride as isize,
            beta == Beta::One,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            alpha,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(len: usize) -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec(-1.0f32..1.0, len)
    }

    fn case() -> impl Strategy<Value = (usize, usize, usize, usize, bool, bool, bool, Vec<f32>)> {
        let sizes = (0usize..20, 1usize..40, 1usize..20, 0usize..5, any::<bool>(), any::<bool>(), any::<bool>());
        sizes.prop_flat_map(|(m, n, k, gap, ta, tb, add)| {
            let all = (m.max(k) * (m.max(k) + gap)) + (n.max(k) * (n.max(k) + gap)) + m * (n + gap);
            (Just(m), Just(n), Just(k), Just(gap), Just(ta), Just(tb), Just(add), numbers(all))
        })
    }

    proptest! {
        #[test]
        fn products_are_sums_of_products((m, n, k, gap, ta, tb, add, data) in case()) {
            let (a, rest) = data.split_at(m.max(k) * (m.max(k) + gap));
            let (b, c) = rest.split_at(n.max(k) * (n.max(k) + gap));
            let a = if ta { View::strided(a, k, m, m + gap).t() } else { View::strided(a, m, k, k + gap) };
            let b = if tb { View::strided(b, n, k, k + gap).t() } else { View::strided(b, k, n, n + gap) };
            let mut found = c.to_vec();
            let beta = if add { Beta::One } else { Beta::Zero };
            multiply(ViewMut::strided(&mut found, m, n, n + gap), a, b, beta);
            let at = |v: &View, i: usize, j: usize| f64::from(v.data[i * v.row_stride + j * v.column_stride]);
            for i in 0..m {
                for j in 0..n + gap {
                    let place = i * (n + gap) + j;
                    let start = f64::from(c[place]);
                    let expected = if j >= n { start } else {
                        let sum: f64 = (0..k).map(|l| at(&a, i, l) * at(&b, l, j)).sum();
                        if add { start + sum } else { sum }
                    };
                    prop_assert!((f64::from(found[place]) - expected).abs() < 1e-5, "({i}, {j})");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "beyond its slice")]
    fn a_view_beyond_its_slice_is_refused() {
        let _ = View::strided(&[0.0; 11], 3, 4, 4);
    }
}
