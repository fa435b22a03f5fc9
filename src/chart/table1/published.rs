//! The numbers that the paper printed, and the sizes of GLUE's test files. Knows no runs.

use crate::task;
use serde::Serialize;

/// Where they come from.
pub const PAPER: &str = "\"Towards Symmetric Low-Rank Adapters\", Table 1";

/// A score that the paper printed, 0 to 1, with the half width of its interval over rows in points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paper {
    pub score: f64,
    pub points: Option<f64>,
}

/// Task, score and, in points, the half width that is printed beside it.
type Printed = (&'static str, f64, Option<f64>);

const VALIDATION: [(&str, [Printed; 8]); 2] = [
    (
        "symlora",
        [
            ("cola", 0.63, Some(2.9)),
            ("qnli", 0.92, Some(0.7)),
            ("sst-2", 0.94, Some(1.5)),
            ("mnli", 0.86, Some(0.5)),
            ("qqp", 0.90, Some(0.3)),
            ("rte", 0.85, Some(4.1)),
            ("mrpc", 0.88, Some(1.5)),
            ("sts-b", 0.90, Some(0.5)),
        ],
    ),
    // At length 512, from the LoRA paper.
    (
        "lora",
        [
            ("cola", 0.63, None),
            ("qnli", 0.93, Some(0.3)),
            ("sst-2", 0.95, Some(0.2)),
            ("mnli", 0.87, Some(0.3)),
            ("qqp", 0.90, Some(0.1)),
            ("rte", 0.86, Some(0.7)),
            ("mrpc", 0.89, Some(0.7)),
            ("sts-b", 0.91, None),
        ],
    ),
];

const TEST: [(&str, [Printed; 8]); 1] = [(
    "symlora",
    [
        ("cola", 0.60, None),
        ("qnli", 0.92, Some(0.7)),
        ("sst-2", 0.95, Some(1.0)),
        ("mnli", 0.86, Some(0.5)),
        ("qqp", 0.88, Some(0.1)),
        ("rte", 0.78, Some(1.5)),
        ("mrpc", 0.88, Some(1.5)),
        ("sts-b", 0.88, None),
    ],
)];

/// The paper's own runs of LoRA at length 128, on validation rows.
const SHORT: [(&str, &[(&str, f64)]); 1] = [("lora", &[("cola", 0.6305), ("qnli", 0.9271), ("sst-2", 0.9495)])];

fn of(all: &[(&str, [Printed; 8])], task: &str, method: &str) -> Option<Paper> {
    let (_, all) = all.iter().find(|(m, _)| *m == method)?;
    all.iter().find(|(t, ..)| *t == task).map(|(_, score, points)| Paper { score: *score, points: *points })
}

pub(super) fn validation(task: &str, method: &str) -> Option<Paper> {
    of(&VALIDATION, task, method)
}

pub(super) fn test(task: &str, method: &str) -> Option<Paper> {
    of(&TEST, task, method)
}

/// With four digits, without an interval.
pub(super) fn short(task: &str, method: &str) -> Option<f64> {
    let (_, all) = SHORT.iter().find(|(m, _)| *m == method)?;
    all.iter().find(|(t, _)| *t == task).map(|(_, score)| *score)
}

/// Rows of a task's test file in GLUE; of MNLI the matched ones.
pub fn test_rows(task: &str) -> Option<u64> {
    task::glue(task).map(|t| t.test_rows() as u64)
}

impl Paper {
    /// In points, with the digits that were printed: `63 ±2.9`.
    pub fn text(&self) -> String {
        let half = self.points.map_or(String::new(), |p| format!(" ±{p:.1}"));
        format!("{:.0}{half}", 100.0 * self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats;

    #[test]
    fn the_printed_intervals_are_those_over_rows() {
        // CoLA has 1,043 validation rows, MRPC 1,725 test rows: 1.96 sqrt(p (1 - p) / n) in points.
        assert_eq!(format!("{:.1}", 100.0 * stats::proportion(0.63, 1_043).half_width), "2.9");
        let rows = test_rows("mrpc").expect("rows");
        assert_eq!(format!("{:.1}", 100.0 * stats::proportion(0.88, rows).half_width), "1.5");
        assert_eq!(test("rte", "symlora").map(|p| p.text()).as_deref(), Some("78 ±1.5"));
        assert_eq!((test("rte", "lora"), short("cola", "lora")), (None, Some(0.6305)));
    }
}
