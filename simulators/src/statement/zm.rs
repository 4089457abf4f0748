//! Fixed widths in bytes, GBK, fields apart by one space. The layout has no line of totals.

use super::lines::{Line, Side};
use super::texts::{Zm, gbk, layouts};
use super::{Statement, StatementFile};
use crate::ids::digits;
use codecs::payment::Operation;

/// The payments, and what was adjusted of earlier ones: as often as not an empty file.
pub(super) fn files(statement: &Statement) -> Result<Vec<StatementFile>, String> {
    let layouts = layouts()?;
    let member = statement.member.as_str();
    let settled = written(&layouts.zm, statement.lines.iter().map(|line| cells(line, member)))?;
    let adjusted = written(&layouts.zme, statement.adjusted.iter().map(|line| adjustment(line, member)))?;
    let date = digits(statement.period.date);
    let day = date.get(2..).unwrap_or_default();
    let file = |kind: &str, bytes| StatementFile {
        name: format!("INN{day}88{kind}_{member}"),
        bytes,
    };
    Ok(vec![file("ZM", settled), file("ZME", adjusted)])
}

fn written(layout: &Zm, lines: impl Iterator<Item = Vec<Cell>>) -> Result<Vec<u8>, String> {
    let fields = &layout.fields;
    let mut bytes = Vec::new();
    for cells in lines {
        if cells.len() != fields.len() {
            return Err(format!("{} cells for {} fields", cells.len(), fields.len()));
        }
        for (place, (cell, (_, width))) in cells.iter().zip(fields).enumerate() {
            if place > 0 {
                bytes.push(b' ');
            }
            bytes.extend(cell.padded(*width)?);
        }
        bytes.extend(b"\r\n");
    }
    Ok(bytes)
}

/// A number is filled up with zeros before it, a text with blanks behind it.
enum Cell {
    Number(u64),
    /// `C` or `D`, then a number.
    Signed(char, u64),
    Text(String),
}

impl Cell {
    fn padded(&self, width: usize) -> Result<Vec<u8>, String> {
        let mut bytes = match self {
            Self::Number(number) => format!("{number:0width$}").into_bytes(),
            Self::Signed(letter, number) => format!("{letter}{number:0rest$}", rest = width.saturating_sub(1)).into_bytes(),
            Self::Text(text) => gbk(text)?,
        };
        if bytes.len() > width && matches!(self, Self::Number(_) | Self::Signed(..)) {
            return Err(format!("an amount of {} digits does not fit into {width}", bytes.len()));
        }
        // The end of an id tells more than its beginning, which is a date.
        let over = bytes.len().saturating_sub(width);
        bytes.drain(..over);
        bytes.resize(width, b' ');
        Ok(bytes)
    }
}

fn cells(line: &Line, member: &str) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let nothing = || Cell::Text(String::new());
    let fen = line.fen.unsigned_abs();
    let (code, kind, subtype, biz) = kinds(line.operation);
    let letter = letter(line.side);
    let fee = line.details.fee_fen.unsigned_abs();
    vec![
        text(code),
        text(member),
        text(member),
        text(tail(&line.msg_id, 6)),
        text(&moment(line)),
        nothing(),
        Cell::Number(fen),
        text("4900"),
        text("07"),
        text(line.id()),
        nothing(),
        text(&line.end_to_end_id),
        text("01"),
        text(tail(&line.original, 6)),
        nothing(),
        Cell::Signed('D', fee),
        Cell::Signed(letter, fen),
        text("0001"),
        nothing(),
        text(kind),
        text(subtype),
        text(biz),
        text("01"),
        nothing(),
        nothing(),
        text("1"),
        text(&line.details.original_tx_id),
        text(member),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        Cell::Signed(letter, fen),
        text("00000000"),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        text(&line.original),
        nothing(),
    ]
}

/// What is given back of a payment after a dispute.
fn adjustment(line: &Line, member: &str) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let nothing = || Cell::Text(String::new());
    let fen = line.fen.unsigned_abs();
    let letter = letter(line.side);
    vec![
        text(ADJUSTMENT),
        text(member),
        text(member),
        text(tail(&line.msg_id, 6)),
        text(&moment(line)),
        nothing(),
        Cell::Number(fen),
        text("4900"),
        text("07"),
        text("01"),
        text(tail(&line.original, 6)),
        text(&moment(line)),
        text(REASON),
        Cell::Number(fen),
        Cell::Signed('D', 0),
        Cell::Signed(letter, fen),
        text(member),
        nothing(),
        nothing(),
        nothing(),
        text("04"),
        nothing(),
    ]
}

/// Seen from the merchant, which is credited with what is collected for it.
const fn letter(side: Side) -> char {
    match side {
        Side::Debit => 'C',
        Side::Credit => 'D',
    }
}

/// Transaction code, type, subtype and business.
const fn kinds(operation: Operation) -> (&'static str, &'static str, &'static str, &'static str) {
    match operation {
        Operation::Credit => ("S20", "12", "00", "000401"),
        Operation::Refund => ("S30", "04", "00", "000301"),
        Operation::Cancel => ("S36", "31", "00", "000301"),
        Operation::Debit
        | Operation::Sign
        | Operation::Terminate
        | Operation::Verify
        | Operation::Query
        | Operation::Notice
        | Operation::Status
        | Operation::Certificate
        | Operation::Ack
        | Operation::Echo => ("S22", "01", "01", "000301"),
    }
}

/// `MMddHHmmss`.
fn moment(line: &Line) -> String {
    let digits: String = line.details.created_at.chars().filter(char::is_ascii_digit).collect();
    digits.get(4..).unwrap_or_default().to_owned()
}

fn tail(text: &str, count: usize) -> &str {
    text.get(text.len().saturating_sub(count)..).unwrap_or_default()
}

/// A credit adjustment, and the reason that is stated most.
const ADJUSTMENT: &str = "E74";
const REASON: &str = "9701";
