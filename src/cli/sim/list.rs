//! `hangu sim list`: what can be driven.

use super::{Exit, Form};
use crate::cli::output;
use codecs::payment::Operation;
use serde::Serialize;
use simulators::fault::Fault;

#[derive(Serialize)]
struct Row {
    name: String,
    institution: &'static str,
    operation: &'static str,
}

pub(super) fn run(form: Form) -> Exit {
    let rows = rows();
    match form {
        Form::Json => output::say(&output::json(&serde_json::json!({ "scenarios": rows }))),
        Form::Text => rows
            .iter()
            .for_each(|row| output::say(&format!("{:<32}{:<8}{}", row.name, row.institution, row.operation))),
    }
    Exit::Ok
}

/// Every operation that the centre sends, plain and with each fault.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for operation in OPERATIONS {
        rows.push(Row {
            name: operation.name().to_owned(),
            institution: "nps",
            operation: operation.name(),
        });
        for fault in Fault::ALL {
            rows.push(Row {
                name: format!("{operation}_{}", fault.name()),
                institution: "nps",
                operation: operation.name(),
            });
        }
    }
    rows
}

/// What the centre can be told to send.
pub(super) const OPERATIONS: [Operation; 9] = [
    Operation::Debit,
    Operation::Credit,
    Operation::Refund,
    Operation::Cancel,
    Operation::Sign,
    Operation::Terminate,
    Operation::Verify,
    Operation::Query,
    Operation::Echo,
];
