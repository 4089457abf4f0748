#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use super::causes::CAUSES;
use super::*;
use std::path::Path;

/// Each mistake has its texts and its row on the page, in the order of the table, and neither has any more.
#[test]
fn texts_and_page_are_those_of_the_table() {
    let codes: Vec<&str> = MISTAKES.iter().map(|mistake| mistake.code).collect();
    let told: Vec<&str> = CAUSES
        .iter()
        .map(|(cause, _)| cause.strip_prefix("cause.").unwrap())
        .collect();
    assert_eq!(told, codes);
    let expected: Vec<String> = MISTAKES.iter().map(page_row).collect();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows, expected, "docs/doctor.md");
}

fn page_row(mistake: &Mistake) -> String {
    let (meaning, advice) = texts(mistake);
    format!(
        "| `{}` | {} **{}** | {} {} |",
        mistake.code, meaning.en, meaning.zh, advice.en, advice.zh
    )
}

#[test]
fn a_cause_is_an_exit_of_its_own_kind_only_when_something_is_wrong() {
    let rejection = Rejection::new(
        hangu::pipeline::Step::Verify,
        "signature.invalid",
        "signature does not verify",
    );
    let unknown = Finding::Unknown(Box::new(rejection));
    assert_eq!((exit(&Finding::Sound), exit(&unknown)), (Exit::Ok, Exit::CheckFailed));
    assert_eq!(object(&Finding::Sound)["verdict"], "sound");
    let told = object(&unknown);
    assert_eq!(told["refused"]["code"], "signature.invalid");
    assert_eq!(told["checked"].as_array().unwrap().len(), MISTAKES.len());
    assert!(lines(&unknown).iter().any(|line| line.contains("signature.invalid")));
}
