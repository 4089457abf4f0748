#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;

#[test]
fn chinese_takes_two_cells_and_lines_end_in_no_blank() {
    let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
    let printed = table(&row(&["id", "name"]), &[row(&["\u{7f16}\u{53f7}", "x"]), row(&["a"])]);
    assert_eq!(printed, "id    name\n\u{7f16}\u{53f7}  x\na");
}
