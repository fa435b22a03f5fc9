//! GLUE's files: every layout, every way in which a file can be wrong, and batches by property.

use eigenscope::data::{self, DataError, Dataset, Encoded, Labels, Source, Split};
use eigenscope::task;
use proptest::prelude::*;
use std::collections::HashSet;

fn parse(task: &str, text: &[u8]) -> Result<Vec<data::Example>, DataError> {
    data::parse(task::find(task).expect("a task"), "file.tsv", text)
}

/// Line, what was found, what was expected.
fn row_error(task: &str, text: &[u8]) -> (u64, String, String) {
    match parse(task, text) {
        Err(DataError::Row { file, line, found, expected }) => {
            assert_eq!(file, "file.tsv");
            (line, found, expected)
        }
        other => panic!("expected a row error, found {other:?}"),
    }
}

#[test]
fn every_embedded_task_loads_whole() {
    for task in task::ALL {
        for (split, rows) in [(Split::Train, 1_000), (Split::Validation, 250)] {
            let examples = data::load(*task, &Source::Embedded, split).expect("embedded rows");
            assert_eq!(examples.len(), rows, "{}", task.id());
            assert!(examples.iter().all(|e| !e.text.is_empty()));
            assert_eq!(examples[0].pair.is_some(), task.layout().pair.is_some());
        }
    }
}

#[test]
fn known_rows_are_read_by_value() {
    let cola = data::load(task::find("cola").expect("cola"), &Source::Embedded, Split::Train).expect("rows");
    assert_eq!((cola[0].text.as_str(), cola[0].label), ("Mary thinks for Bill to come.", 0.0));
    let sts = data::load(task::find("sts-b").expect("sts-b"), &Source::Embedded, Split::Train).expect("rows");
    assert_eq!(sts[0].pair.as_deref(), Some("Iran rejects MKO claim on nuclear site"));
    assert_eq!(sts[0].label, 2.4);
}

#[test]
fn bom_crlf_and_lone_quotes_are_data() {
    let rows = parse(
        "mrpc",
        "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\t\" open\tquote \"\r\n".as_bytes(),
    );
    let rows = rows.expect("a sound file");
    assert_eq!((rows[0].text.as_str(), rows[0].pair.as_deref(), rows[0].label), ("\" open", Some("quote \""), 1.0));
}

#[test]
fn faults_name_line_and_expectation() {
    let (line, found, expected) = row_error("sst-2", b"sentence\tlabel\ngood\t1\nbad\n");
    assert_eq!((line, found.as_str()), (3, "1 tab-separated columns"));
    assert!(expected.contains("at least 2"), "{expected}");
    let (line, found, expected) = row_error("rte", b"index\tsentence1\tsentence2\tlabel\n0\ta\tb\tmaybe\n");
    assert_eq!((line, found.as_str(), expected.as_str()), (2, "label \"maybe\"", "one of entailment, not_entailment"));
    let (line, _, expected) = row_error("sts-b", b"index\tsentence1\tsentence2\tscore\n0\ta\tb\t7.5\n");
    assert_eq!((line, expected.as_str()), (2, "a number from 0 to 5"));
    let (line, _, expected) = row_error("sst-2", b"text\tlabel\nx\t1\n");
    assert_eq!((line, expected.as_str()), (1, "a column named \"sentence\""));
    let (line, found, _) = row_error("sst-2", b"sentence\tlabel\ngo\xffd\t1\n");
    assert_eq!((line, found.as_str()), (2, "a byte that is not UTF-8 at byte 2"));
    assert!(matches!(parse("sst-2", b""), Err(DataError::Empty { .. })));
    assert!(matches!(parse("sst-2", b"sentence\tlabel\n"), Err(DataError::Empty { .. })));
    let long = [b"sentence\tlabel\n".as_slice(), &vec![b'x'; 2 << 20]].concat();
    assert_eq!(row_error("sst-2", &long).0, 2);
}

#[test]
fn folders_are_found_in_both_arrangements() {
    let folder = tempfile::tempdir().expect("a folder");
    let task = task::find("sst-2").expect("a task");
    let source = Source::Folder(folder.path().into());
    assert!(matches!(source.check(task), Err(DataError::Missing { .. })));
    let place = folder.path().join("SST-2");
    std::fs::create_dir(&place).expect("a folder");
    for name in ["train.tsv", "dev.tsv"] {
        std::fs::write(place.join(name), "sentence\tlabel\nfine\t1\n").expect("a file");
    }
    assert_eq!(data::load(task, &source, Split::Train).expect("rows").len(), 1);
    assert_eq!(data::load(task, &Source::Folder(place), Split::Validation).expect("rows").len(), 1);
}

/// Real files, where someone has them: EIGENSCOPE_GLUE names the folder of the tasks' folders.
#[test]
fn real_glue_loads() {
    let Some(folder) = std::env::var_os("EIGENSCOPE_GLUE") else {
        eprintln!("skipped: EIGENSCOPE_GLUE names no folder of GLUE files");
        return;
    };
    let source = Source::Folder(folder.into());
    for (id, rows) in [("cola", 8_551), ("sst-2", 67_349), ("mrpc", 3_668), ("rte", 2_490), ("sts-b", 5_749)] {
        let task = task::find(id).expect("a task");
        assert_eq!(data::load(task, &source, Split::Train).expect("rows").len(), rows, "{id}");
        data::load(task, &source, Split::Validation).expect("validation rows");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for task in task::ALL {
            let _ = data::parse(*task, "f", &bytes[..]);
        }
    }

    #[test]
    fn batches_hold_their_rows(lengths in proptest::collection::vec(1usize..20, 1..12), pad in 0u32..5) {
        let rows: Vec<Encoded> = lengths
            .iter()
            .map(|n| Encoded { ids: (0..*n as u32).map(|i| 100 + i).collect(), type_ids: vec![1; *n] })
            .collect();
        let labels = Labels::Classes((0..rows.len() as u32).collect());
        let data = Dataset::from_encoded(rows.clone(), labels);
        let batches = data.by_length(40);
        let order = batches.concat();
        for batch in &batches {
            let longest = batch.iter().map(|i| lengths[*i]).max().expect("rows");
            prop_assert!(batch.len() == 1 || batch.len() * longest <= 40);
        }
        prop_assert_eq!(order.iter().collect::<HashSet<_>>().len(), lengths.len());
        prop_assert!(order.windows(2).all(|w| lengths[w[0]] <= lengths[w[1]]));
        let batch = data.batch(&order, pad);
        prop_assert_eq!(batch.width, *lengths.iter().max().expect("rows"));
        prop_assert_eq!(&batch.labels, &Labels::Classes(order.iter().map(|i| *i as u32).collect()));
        for (at, &index) in order.iter().enumerate() {
            let line = at * batch.width..(at + 1) * batch.width;
            let n = lengths[index];
            prop_assert_eq!(&batch.ids[line.clone()][..n], &rows[index].ids[..]);
            prop_assert!(batch.ids[line.clone()][n..].iter().all(|i| *i == pad));
            prop_assert_eq!(batch.mask[line].iter().map(|m| usize::from(*m)).sum::<usize>(), n);
        }
    }
}
