//! The filter's grammar: what each term lets through, what is wrong with a text, and that a printed filter is the same filter.

use super::{summary, view};
use eigenscope::event::{RunId, Status};
use eigenscope::record::RunSummary;
use eigenscope::ui::Filter;
use proptest::prelude::*;

fn found(runs: &[RunSummary], text: &str) -> Vec<String> {
    let filter = Filter::parse(text).expect(text);
    let marked = [RunId("r0002".into())];
    runs.iter().filter(|r| filter.holds(r, &marked)).map(|r| r.id.to_string()).collect()
}

#[test]
fn terms_let_through_what_they_say() {
    let mut runs: Vec<RunSummary> = view().runs.iter().map(|r| (**r).clone()).collect();
    runs[1].tags = vec!["baseline".into(), "old".into()];
    runs[2].note = "Debug of the head".into();
    runs[4].archived = true;
    let found = |text: &str| found(&runs, text);
    assert_eq!(found(""), ["r0005", "r0004", "r0003", "r0002"], "what is archived is hidden");
    assert_eq!(found("task:sst-2 method:lora"), ["r0002"]);
    assert_eq!(found("-status:failed best>=0.63"), ["r0005", "r0003"]);
    assert_eq!(found("task:rte | status:failed"), ["r0004", "r0003"]);
    assert_eq!(found("lr<1e-3"), Vec::<String>::new());
    assert_eq!(found("seed=2"), ["r0002"]);
    assert_eq!(found("COLA-lora"), ["r0004"]);
    assert_eq!(found("tag:base"), ["r0004"]);
    assert_eq!(found("baseline"), ["r0004"], "a word is found in tags");
    assert_eq!(found("note:debug"), ["r0003"]);
    assert_eq!(found("note:\"debug of\" | name:SYM -note:debug"), ["r0005", "r0003"]);
    assert_eq!(found("is:marked"), ["r0002"]);
    assert_eq!(found("is:archived"), ["r0001"]);
    assert_eq!(found("is:archived | is:live"), ["r0005", "r0001"]);
    assert_eq!(found("method:full"), Vec::<String>::new());
    assert_eq!(found("-is:archived is:resumable"), ["r0004", "r0002"]);
    assert_eq!(found("rank=8 alpha=8 batch>=32 epochs>9 time<19"), ["r0002"]);
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |text: &str| Filter::parse(text).expect_err(text).to_string();
    assert!(wrong("taks:cola").starts_with("no field \"taks\""));
    assert!(wrong("foo>3").starts_with("no field \"foo\""));
    assert_eq!(wrong("lr>=1e-x"), "lr: \"1e-x\" is no number");
    assert_eq!(wrong("best>"), "best: \"\" is no number");
    assert!(wrong("lr:1e-3").starts_with("lr takes < <= = >= > and a number"));
    assert!(wrong("task=cola").starts_with("task takes :"));
    assert!(wrong("is:markd").contains("is:marked"));
    // The rest of the text still filters.
    let (filter, fault) = Filter::read("task:rte lr>=");
    assert!(fault.is_some());
    let runs = view().runs;
    assert_eq!(runs.iter().filter(|r| filter.holds(r, &[])).count(), 1);
    assert!(Filter::parse("\"taks:cola\"").is_ok(), "quotes make a word");
}

proptest! {
    #[test]
    fn any_text_is_read_and_a_printed_filter_is_the_same(
        text in prop_oneof![
            "\\PC{0,40}",
            "((-?(task|method|tag|note|is|lr|best|seed|x)(:|<=|=|>)?(cola|marked|1e-3|\"a b\"|-|λ|)) ?[|]? ?){0,6}",
        ],
    ) {
        let (filter, _) = Filter::read(&text);
        let printed = filter.to_string();
        prop_assert_eq!(Filter::parse(&printed), Ok(filter.clone()), "{:?} is printed as {:?}", text, printed);
        filter.holds(&summary(1, "cola", "lora", Status::Done), &[]);
    }
}
