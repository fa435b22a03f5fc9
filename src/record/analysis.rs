//! What was learnt of a trained adapter by taking parts of it, or of the model under it, away. Pure data.

use serde::{Deserialize, Serialize};

/// One analysis of a run; of each kind the newest is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Analysis {
    /// The original matrices under the adapter set to 0, one after the other.
    Deletion(Curves),
    /// Only the largest directions of every matrix's update kept.
    Rank(Curves),
    /// How symmetric every matrix's update is.
    Symmetry { matrices: Vec<Symmetry> },
}

/// What can be asked about an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisKind {
    Deletion,
    Rank,
    Symmetry,
}

impl AnalysisKind {
    /// Its name in the store, of its chart and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Deletion => "deletion",
            Self::Rank => "rank",
            Self::Symmetry => "symmetry",
        }
    }
}

impl Analysis {
    pub fn kind(&self) -> AnalysisKind {
        match self {
            Self::Deletion(_) => AnalysisKind::Deletion,
            Self::Rank(_) => AnalysisKind::Rank,
            Self::Symmetry { .. } => AnalysisKind::Symmetry,
        }
    }
}

/// Scores on the same rows while ever more is taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// The task's main metric.
    pub metric: String,
    /// Rows that it was taken on.
    pub rows: u64,
    pub curves: Vec<Curve>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// In which order it went, such as `|λ|`.
    pub order: String,
    pub points: Vec<Ablated>,
}

/// Points of the score that a smaller rank may lose and still do.
pub const TOLERANCE: f64 = 0.005;

impl Curve {
    /// Of a curve over ranks: the smallest from which on no score is more than [`TOLERANCE`] below that of the whole rank.
    pub fn effective_rank(&self) -> Option<u64> {
        let whole = self.points.iter().max_by_key(|p| p.count)?.score?;
        let does = |p: &&Ablated| p.score.is_some_and(|s| s >= whole - TOLERANCE);
        let mut downwards: Vec<&Ablated> = self.points.iter().collect();
        downwards.sort_by_key(|p| std::cmp::Reverse(p.count));
        downwards.into_iter().take_while(does).map(|p| p.count).last()
    }
}

/// The model with something taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablated {
    /// Matrices set to 0, or directions kept.
    pub count: u64,
    /// The matrix that went last, such as `layer 12 query`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// Bytes of f32 that need not be kept any more.
    pub saved_bytes: u64,
    /// None where the metric is undefined.
    pub score: Option<f64>,
    /// Mean validation loss; none where it is not finite.
    pub loss: Option<f64>,
}

/// Norms of the two parts of M = (M + Mᵀ)/2 + (M - Mᵀ)/2, M = s U diag(d) Vᵀ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Symmetry {
    /// From 0.
    pub layer: u32,
    pub target: String,
    /// ||(M + Mᵀ)/2||_F
    pub symmetric: f64,
    /// ||(M - Mᵀ)/2||_F
    pub antisymmetric: f64,
}

impl Symmetry {
    /// Share of the symmetric part in ||M||²_F; none of an update that is 0.
    pub fn share(&self) -> Option<f64> {
        let (s, a) = (self.symmetric.powi(2), self.antisymmetric.powi(2));
        (s + a > 0.0).then(|| s / (s + a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_rank_is_where_the_score_holds_from() {
        let point = |(count, score): (u64, f64)| Ablated {
            count,
            what: String::new(),
            saved_bytes: 0,
            score: (score >= 0.0).then_some(score),
            loss: None,
        };
        let curve =
            |points: &[(u64, f64)]| Curve { order: String::new(), points: points.iter().copied().map(point).collect() };
        assert_eq!(curve(&[(4, 0.8), (3, 0.81), (2, 0.796), (1, 0.7), (0, 0.8)]).effective_rank(), Some(2));
        assert_eq!(curve(&[(4, 0.8), (3, 0.8), (2, 0.8), (1, 0.8), (0, 0.8)]).effective_rank(), Some(0));
        assert_eq!(curve(&[(4, 0.8), (3, -1.0)]).effective_rank(), Some(4));
        assert_eq!(curve(&[(4, -1.0)]).effective_rank(), None);
    }
}
