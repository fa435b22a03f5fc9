//! Reads and searches the rows that a screen looks at, on a thread of its own: neither keys nor what is shown wait for it.

use crate::job::{self, Look};
use crate::record::RowsOf;
use crate::view::{RowsLook, RowsView};
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that are brought around the one in the middle.
const WINDOW: usize = 400;

/// The newest answer.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Option<Arc<RowsView>>>>);

impl Told {
    pub fn newest(&self) -> Option<Arc<RowsView>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, rows: Option<RowsView>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rows.map(Arc::new);
    }
}

/// The way to the thread. It ends by itself once this is dropped, after what it is at.
pub(super) struct Surveyor {
    wanted: Sender<Option<RowsLook>>,
    told: Told,
}

impl Surveyor {
    pub fn start() -> std::io::Result<Self> {
        let (wanted, asked) = unbounded();
        let told = Told::default();
        let telling = told.clone();
        std::thread::Builder::new().name("surveyor".into()).spawn(move || {
            let threads = job::threads(0);
            let work = || work(&asked, &telling);
            match &threads {
                Ok(threads) => threads.install(work),
                Err(_) => work(),
            }
        })?;
        Ok(Self { wanted, told })
    }

    /// Asks for rows, or for none; who asks later is answered alone.
    pub fn ask(&self, look: Option<RowsLook>) {
        let _ = self.wanted.send(look);
    }

    pub fn told(&self) -> Told {
        self.told.clone()
    }
}

fn work(asked: &Receiver<Option<RowsLook>>, told: &Told) {
    let mut read: Option<(RowsOf, Look)> = None;
    let mut found: Option<(usize, String, Vec<u32>)> = None;
    while let Ok(newest) = asked.recv() {
        let Some(look) = asked.try_iter().last().unwrap_or(newest) else {
            // Many rows take much memory.
            (read, found) = (None, None);
            told.tell(None);
            continue;
        };
        let of = look.of.clone();
        if read.as_ref().is_none_or(|(known, _)| *known != of) {
            (read, found) = (None, None);
            let waits = Some("the rows are being read".into());
            told.tell(Some(RowsView { of: of.clone(), waits, ..RowsView::default() }));
            match Look::of(&of) {
                Ok(rows) => read = Some((of.clone(), rows)),
                Err(error) => {
                    told.tell(Some(RowsView { of, failed: Some(error.to_string()), ..RowsView::default() }));
                    continue;
                }
            }
        }
        let Some((_, rows)) = &mut read else { continue };
        if found.as_ref().is_none_or(|(split, query, _)| (*split, query) != (look.split, &look.query)) {
            found = Some((look.split, look.query.clone(), rows.search(look.split, &look.query)));
        }
        let matches = found.as_ref().map_or(&[][..], |(.., rows)| rows);
        told.tell(Some(shown(rows, &look, matches)));
        for split in 0..rows.survey.splits.len() {
            if rows.survey.splits[split].lengths.is_some() || !asked.is_empty() {
                continue;
            }
            match rows.measure(split, &|| asked.is_empty()) {
                Ok(true) if rows.survey.splits[split].lengths.is_some() => {
                    told.tell(Some(shown(rows, &look, matches)));
                }
                Ok(_) => {}
                Err(error) => tracing::warn!("rows cannot be measured: {error}"),
            }
        }
    }
}

fn shown(rows: &Look, look: &RowsLook, matches: &[u32]) -> RowsView {
    let near = look.near.min(matches.len().saturating_sub(1));
    let first = near.saturating_sub(WINDOW / 2);
    let window = &matches[first..(first + WINDOW).min(matches.len())];
    let (samples, failed) = match rows.samples(look.split, window) {
        Ok(samples) => (samples, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    RowsView {
        of: look.of.clone(),
        waits: None,
        failed,
        survey: Arc::new(rows.survey.clone()),
        no_tokens: rows.no_tokens.clone(),
        split: look.split,
        query: look.query.clone(),
        found: matches.len(),
        first,
        samples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn rows_are_brought_searched_and_forgotten() {
        let surveyor = Surveyor::start().expect("a thread");
        let told = surveyor.told();
        let until = |holds: &dyn Fn(&RowsView) -> bool| {
            let begun = Instant::now();
            loop {
                if let Some(rows) = told.newest().filter(|rows| holds(rows)) {
                    return rows;
                }
                assert!(begun.elapsed() < Duration::from_secs(60), "nothing came");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let look = |split, query: &str, near| RowsLook { split, query: query.into(), near, ..RowsLook::default() };
        surveyor.ask(Some(look(0, "", 0)));
        let all = until(&|rows| rows.survey.splits.iter().all(|s| s.lengths.is_some()) && rows.found > 0);
        assert_eq!((all.found, all.first, all.samples.len()), (1_000, 0, WINDOW));
        surveyor.ask(Some(look(1, "", 249)));
        let end = until(&|rows| rows.split == 1);
        assert_eq!((end.found, end.first + end.samples.len()), (250, 250));
        surveyor.ask(Some(look(0, "no such words", 5)));
        let none = until(&|rows| rows.query == "no such words");
        assert_eq!((none.found, none.samples.len()), (0, 0));
        let absent = RowsOf { task: "/no/such.toml".into(), ..RowsOf::default() };
        surveyor.ask(Some(RowsLook { of: absent, ..RowsLook::default() }));
        let failed = until(&|rows| rows.failed.is_some());
        assert!(failed.failed.as_deref().is_some_and(|why| why.contains("/no/such.toml: No such file")));
        surveyor.ask(None);
        let begun = Instant::now();
        while told.newest().is_some() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
