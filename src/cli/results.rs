//! What the paper shows, from some of the runs, as files in one folder: Table 1 in each of its formats, Figure 1 and lambda as
//! pictures and data, and the report.

use super::figure1::CHARTS;
use super::report;
use crate::chart::table1::{FORMATS, Table1};
use crate::chart::{self, ChartError, ChartOptions, Subject};
use crate::export::{self, Size};
use crate::record::RunSummary;
use crate::store::Store;
use anyhow::Context;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

const PICTURES: [&str; 3] = ["png", "svg", "csv"];

/// Writes the results of the runs that `wanted` chooses, says which files on stderr and gives them.
pub fn write(store: &Store, wanted: &dyn Fn(&RunSummary) -> bool, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let reader = store.reader()?;
    let runs: Vec<RunSummary> = reader.list()?.into_iter().filter(|r| !r.archived && wanted(r)).collect();
    let mut files = Vec::new();
    let table = Table1::of(&runs, &reader.test_scores()?, None);
    for (format, _, ending) in FORMATS {
        let path = folder.join(format!("table1.{ending}"));
        let text = table.in_format(format).map_err(anyhow::Error::msg)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        files.push(path);
    }
    let ids: HashSet<_> = runs.iter().map(|r| &r.id).collect();
    let norms: Vec<_> = reader.run_norms()?.into_iter().filter(|n| ids.contains(&n.id)).collect();
    for chart in CHARTS.iter().filter_map(|id| chart::find(id)) {
        match chart.figure(&Subject::Norms(&norms), &ChartOptions::default()) {
            Ok(figure) => {
                for ending in PICTURES {
                    let path = folder.join(format!("{}.{ending}", chart.id()));
                    export::write(&figure, &Size::default(), &path)?;
                    files.push(path);
                }
            }
            Err(error @ ChartError::Empty { .. }) => eprintln!("left out: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
    if runs.iter().any(RunSummary::has_begun) {
        files.extend(report::write(&reader, runs, String::new(), &folder.join("report"))?.0);
    }
    files.iter().for_each(|path| eprintln!("wrote {}", path.display()));
    Ok(files)
}
