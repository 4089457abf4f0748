#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Runs, filled, read};
use serde_json::json;
use std::path::Path;

#[test]
fn only_what_stands_between_the_marks_changes() {
    let operations =
        json!([{"name": "sign", "input_bytes": 9, "engine_us": 2.0, "engine_best_us": 1.0, "reference_us": 8.0, "ratio": 4.0}]);
    let runs = Runs::from([("crypto".to_owned(), json!({ "operations": operations }))]);
    let page = "before\n<!-- bench:crypto -->\nold\n<!-- end -->\nafter\n";
    let made = filled(page, &runs).unwrap();
    let row = "| sign | 9 | 2.00 | 1.00 | 8.00 | 4.00 |\n";
    assert!(made.starts_with("before\n<!-- bench:crypto -->\n| operation |"), "{made}");
    assert!(made.ends_with(&format!("{row}<!-- end -->\nafter\n")), "{made}");
    assert_eq!(filled(&made, &runs).unwrap(), made);
}

#[test]
fn a_mark_without_a_table_or_an_end_is_refused() {
    let refused = |page: &str| filled(page, &Runs::new()).unwrap_err();
    assert!(refused("<!-- bench:nothing -->\n<!-- end -->\n").contains("no table is named nothing"));
    assert_eq!(refused("<!-- bench:cost -->\n"), "the table cost has no end");
}

#[test]
fn the_page_of_this_tree_is_what_its_files_give() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = std::fs::read_to_string(docs.join("performance.md")).unwrap();
    let runs = read(&docs.join("bench")).unwrap_or_else(|failure| panic!("{}: {}", failure.place, failure.detail));
    assert!(page.contains("<!-- bench:gateway -->"));
    assert_eq!(filled(&page, &runs).unwrap(), page, "run `hangu bench report`");
}
