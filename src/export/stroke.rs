//! Strokes of one width whatever their slope, with soft edges. plotters' bitmap lines round their corners to whole pixels, so
//! that a steep stroke comes out thinner than a flat one.

/// The pixels of a path of straight strokes of `width` pixels with round ends, and how much of each is covered, above 0 to 1.
pub(super) fn coverage(path: &[(i32, i32)], width: f64) -> Vec<((i32, i32), f64)> {
    let reach = (width / 2.0).ceil() as i32 + 1;
    let span = |of: fn(&(i32, i32)) -> i32| {
        let low = path.iter().map(of).min().unwrap_or(0) - reach;
        (low, path.iter().map(of).max().unwrap_or(0) + reach - low + 1)
    };
    let ((left, w), (top, h)) = (span(|p| p.0), span(|p| p.1));
    // Where strokes meet, the larger cover holds: blending both would thicken the joint.
    let mut cover = vec![0.0f32; w as usize * h as usize];
    for pair in path.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        for y in a.1.min(b.1) - reach..=a.1.max(b.1) + reach {
            for x in columns(a, b, y, reach) {
                let share = (width / 2.0 + 0.5 - distance((x, y), a, b)).clamp(0.0, 1.0) as f32;
                let cell = &mut cover[(y - top) as usize * w as usize + (x - left) as usize];
                *cell = cell.max(share);
            }
        }
    }
    let place = |i: usize| (left + i as i32 % w, top + i as i32 / w);
    cover.into_iter().enumerate().filter(|(_, c)| *c > 0.0).map(|(i, c)| (place(i), f64::from(c))).collect()
}

/// Columns of the line `y` that a stroke from `a` to `b` can touch: a steep stroke touches few of those between its ends.
fn columns(a: (i32, i32), b: (i32, i32), y: i32, reach: i32) -> std::ops::RangeInclusive<i32> {
    let (low, high) = (a.0.min(b.0), a.0.max(b.0));
    let (dx, dy) = (f64::from(b.0 - a.0), f64::from(b.1 - a.1));
    if dy == 0.0 {
        return low - reach..=high + reach;
    }
    let at = |y: i32| f64::from(a.0) + dx * (f64::from(y - a.1) / dy).clamp(0.0, 1.0);
    let (one, other) = (at(y - reach), at(y + reach));
    one.min(other).floor() as i32 - reach..=one.max(other).ceil() as i32 + reach
}

/// From a pixel's middle to the segment from `a` to `b`.
fn distance(p: (i32, i32), a: (i32, i32), b: (i32, i32)) -> f64 {
    let [px, py, dx, dy] = [p.0 - a.0, p.1 - a.1, b.0 - a.0, b.1 - a.1].map(f64::from);
    let length = dx * dx + dy * dy;
    let along = if length == 0.0 { 0.0 } else { ((px * dx + py * dy) / length).clamp(0.0, 1.0) };
    (px - along * dx).hypot(py - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stroke_covers_its_length_times_its_width(x in -60i32..60, y in -60i32..60, width in 1.0f64..6.0) {
            let covered: f64 = coverage(&[(0, 0), (x, y)], width).iter().map(|(_, c)| c).sum();
            // Round ends add a disc.
            let area = f64::from(x).hypot(f64::from(y)) * width + std::f64::consts::PI * width * width / 4.0;
            // A pixel counts as a disc as wide as it: of a diagonal stroke of width 1 that is 1 + 2 (1 - 1/sqrt 2) for sqrt 2. Lines
            // rounded to whole pixels are 30% off.
            prop_assert!((covered - area).abs() < 0.125 * area + 1.5, "covered {covered}, area {area}");
        }
    }
}
