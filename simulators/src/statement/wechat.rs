//! A trade bill in CSV: UTF-8 with a byte order mark, yuan, each cell of a row behind a back tick, a row of totals.
//!
//! It has payments and what was given back of them; payouts are on no trade bill.

use super::lines::{Line, Side};
use super::texts::{Csv, layouts, trimmed_yuan, yuan};
use super::{Statement, StatementFile};
use crate::ids::digits;
use codecs::payment::Operation;

pub(super) fn files(statement: &Statement) -> Result<Vec<StatementFile>, String> {
    let Csv { columns, totals, goods } = layouts()?.wechat;
    let lines: Vec<&Line> = statement.lines.iter().filter(|line| is_on_bill(line)).collect();
    let mut text = format!("\u{feff}{}\n", columns.join(","));
    for line in &lines {
        text += &ticked(&row(line, &statement.member, &goods));
    }
    text += &format!("{}\n{}", totals.join(","), ticked(&sums(&lines)));
    let name = format!("{}All{}.csv", statement.member, digits(statement.period.date));
    Ok(vec![StatementFile {
        name,
        bytes: text.into_bytes(),
    }])
}

fn is_on_bill(line: &Line) -> bool {
    line.gives_back() || line.side == Side::Debit
}

fn row(line: &Line, member: &str, goods: &str) -> Vec<String> {
    let (given, paid) = if line.gives_back() { (line.fen, 0) } else { (0, line.fen) };
    let (order, refund_ids, kind) = if line.gives_back() {
        let ids = [line.id().to_owned(), line.end_to_end_id.clone()];
        (line.original.clone(), ids, ["ORIGINAL", "SUCCESS"])
    } else {
        (line.end_to_end_id.clone(), ["0".to_owned(), "0".to_owned()], ["", ""])
    };
    let state = if line.operation == Operation::Cancel {
        "REVOKED"
    } else if line.gives_back() {
        "REFUND"
    } else {
        "SUCCESS"
    };
    let [refund_id, merchant_refund_id] = refund_ids;
    let cells: [String; 27] = [
        line.moment(),
        APPLICATION.to_owned(),
        member.to_owned(),
        "0".to_owned(),
        String::new(),
        line.id().to_owned(),
        order,
        String::new(),
        "PAP".to_owned(),
        state.to_owned(),
        "OTHERS".to_owned(),
        "CNY".to_owned(),
        yuan(paid),
        yuan(0),
        refund_id,
        merchant_refund_id,
        yuan(given),
        yuan(0),
        kind[0].to_owned(),
        kind[1].to_owned(),
        goods.to_owned(),
        String::new(),
        format!("{}000", yuan(line.details.fee_fen)),
        "0.00%".to_owned(),
        yuan(paid),
        yuan(given),
        String::new(),
    ];
    cells.to_vec()
}

fn sums(lines: &[&Line]) -> Vec<String> {
    let sum = |gives_back: bool| {
        let fens = lines
            .iter()
            .filter(|line| line.gives_back() == gives_back)
            .map(|line| line.fen);
        trimmed_yuan(fens.fold(0, i64::saturating_add))
    };
    let fees = lines.iter().map(|line| line.details.fee_fen).fold(0, i64::saturating_add);
    let (paid, given) = (sum(false), sum(true));
    let count = format!("{}.0", lines.len());
    vec![
        count,
        paid.clone(),
        given.clone(),
        trimmed_yuan(0),
        trimmed_yuan(fees),
        paid,
        given,
    ]
}

/// Commas inside of a cell are no separators, since every cell begins with a tick.
fn ticked(cells: &[String]) -> String {
    let ticked: Vec<String> = cells.iter().map(|cell| format!("`{}", cell.replace('\n', " "))).collect();
    ticked.join(",") + "\n"
}

const APPLICATION: &str = "wx0000000000000000";
