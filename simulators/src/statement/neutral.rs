//! The neutral layout, of centre and platform: pipes, amounts in fen, totals and a digest before, a count behind.

use super::lines::{Line, Totals};
use super::{Statement, StatementFile};
use crate::ids::digits;
use keys::legacy::digest::Digest;

pub(super) fn files(statement: &Statement) -> Vec<StatementFile> {
    let batch = batch(statement);
    let details: String = statement.lines.iter().map(detail).collect();
    let Totals {
        count,
        debit_fen,
        credit_fen,
    } = statement.totals();
    let digest = Digest::Sha256.hex_of(&[details.as_bytes()]);
    let date = digits(statement.period.date);
    let head = format!("H|{batch}|{date}|CNY|{count}|{debit_fen}|{credit_fen}|{digest}\n");
    let name = format!("NPS_{}_{batch}_01.txt", statement.member);
    let text = format!("{head}{details}T|{count}\n");
    // The flag says that the file beside it is whole.
    let flag = StatementFile {
        name: format!("{name}.ok"),
        bytes: format!("{}\n", text.len()).into_bytes(),
    };
    let file = StatementFile {
        name,
        bytes: text.into_bytes(),
    };
    vec![file, flag]
}

/// `B`, the date, and the hour as `HHmm`; 2400 for a whole day.
fn batch(statement: &Statement) -> String {
    let hour = statement.period.hour.unwrap_or(24);
    format!("B{}{hour:02}00", digits(statement.period.date))
}

fn detail(line: &Line) -> String {
    let details = &line.details;
    let cells = [
        "D",
        &details.message_code,
        &line.msg_id,
        &details.tx_id,
        &line.end_to_end_id,
        &details.sender,
        &details.receiver,
        &line.fen.to_string(),
        &line.side.letter().to_string(),
        SETTLED,
        &details.settlement_date,
        &details.batch,
        &details.original_tx_id,
    ];
    // A pipe inside of a cell would be two cells.
    let row = cells.map(|cell| cell.replace(['|', '\n'], " ")).join("|");
    row + "\n"
}

/// Only what is settled is in a statement.
const SETTLED: &str = "1";
