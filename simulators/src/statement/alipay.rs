//! Two CSV files in GBK, details and their sum. Lines that begin with `#` are comments and carry the control totals.

use super::lines::{Line, Side};
use super::texts::{Alipay, gbk, layouts, yuan};
use super::{Statement, StatementFile};
use crate::ids::digits;

pub(super) fn files(statement: &Statement) -> Result<Vec<StatementFile>, String> {
    let texts = layouts()?.alipay;
    let lines: Vec<&Line> = statement.lines.iter().filter(|line| is_on_bill(line)).collect();
    let sums = Sums::of(&lines);
    let filled = |templates: &[String]| -> String {
        let lines = templates.iter().map(|line| fill(line, statement, &texts, &sums));
        lines.map(|line| line + CRLF).collect()
    };
    let rows = |columns: &[String], rows: &[Vec<String>]| -> String {
        let all = [columns.join(",")].into_iter().chain(rows.iter().map(|row| row.join(",")));
        all.map(|row| row + CRLF).collect()
    };
    let details: Vec<Vec<String>> = lines.iter().map(|line| detail(line, &texts)).collect();
    let summary = [sums.row("", ""), sums.row(&texts.sum, "")];
    let detail = filled(&texts.detail_head) + &rows(&texts.columns, &details) + &filled(&texts.detail_foot);
    let whole = filled(&texts.summary_head) + &rows(&texts.summary_columns, &summary) + &filled(&texts.summary_foot);
    let head = format!("{}0156_{}_", statement.member, digits(statement.period.date));
    let named = [(&texts.detail_name, detail), (&texts.summary_name, whole)];
    let file = |(name, text): (&String, String)| {
        Ok(StatementFile {
            name: format!("{head}{name}.csv"),
            bytes: gbk(&text)?,
        })
    };
    named.into_iter().map(file).collect()
}

fn is_on_bill(line: &Line) -> bool {
    line.gives_back() || line.side == Side::Debit
}

struct Sums {
    payments: usize,
    paid_fen: i64,
    refunds: usize,
    refunded_fen: i64,
}

impl Sums {
    fn of(lines: &[&Line]) -> Self {
        let part = |gives_back: bool| {
            let fens: Vec<i64> = lines
                .iter()
                .filter(|line| line.gives_back() == gives_back)
                .map(|line| line.fen)
                .collect();
            (fens.len(), fens.into_iter().fold(0, i64::saturating_add))
        };
        let ((payments, paid_fen), (refunds, refunded_fen)) = (part(false), part(true));
        Self {
            payments,
            paid_fen,
            refunds,
            refunded_fen,
        }
    }

    fn row(&self, shop: &str, name: &str) -> Vec<String> {
        let net = yuan(self.paid_fen - self.refunded_fen);
        let counts = [self.payments.to_string(), self.refunds.to_string()];
        let nothing = std::iter::repeat_n(yuan(0), 5);
        let money = [net.clone(), net.clone()].into_iter().chain(nothing).chain([net]);
        [shop.to_owned(), name.to_owned()]
            .into_iter()
            .chain(counts)
            .chain(money)
            .collect()
    }
}

fn fill(template: &str, statement: &Statement, texts: &Alipay, sums: &Sums) -> String {
    let [from, until] = statement.period.written(&texts.date);
    template
        .replace("ACCOUNT", &format!("{}0156", statement.member))
        .replace("FROM", &from)
        .replace("UNTIL", &until)
        .replace("PAYMENTS", &sums.payments.to_string())
        .replace("REFUNDS", &sums.refunds.to_string())
        .replace("REFUNDED", &yuan(-sums.refunded_fen))
        .replace("PAID", &yuan(sums.paid_fen))
}

/// Text cells end with a tab, so that a spreadsheet takes them for text.
fn detail(line: &Line, texts: &Alipay) -> Vec<String> {
    let text = |text: &str| format!("{}\t", text.replace(',', " "));
    let (kind, amount, order, request) = if line.gives_back() {
        (&texts.refund, yuan(-line.fen), &line.original, line.end_to_end_id.as_str())
    } else {
        (&texts.payment, yuan(line.fen), &line.end_to_end_id, "")
    };
    let (moment, nothing) = (line.moment(), yuan(0));
    let cells: [String; 25] = [
        text(line.id()),
        text(order),
        text(kind),
        texts.goods.clone(),
        moment.clone(),
        moment,
        text(""),
        text(""),
        text(""),
        text(""),
        text(""),
        amount.clone(),
        amount,
        nothing.clone(),
        nothing.clone(),
        nothing.clone(),
        nothing.clone(),
        nothing.clone(),
        String::new(),
        text(&nothing),
        text(&nothing),
        text(request),
        yuan(-line.details.fee_fen),
        nothing,
        String::new(),
    ];
    cells.to_vec()
}

const CRLF: &str = "\r\n";
