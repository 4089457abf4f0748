//! `hangu sim list`: the shipped scenarios, and what can be driven.

use super::{Exit, Failure, Form};
use crate::cli::output;
use serde::Serialize;
use simulators::fault::Fault;
use simulators::institution::BY_CENTRE;

#[derive(Serialize)]
struct Row {
    name: String,
    institution: String,
    operation: String,
}

pub(super) fn run(form: Form) -> Result<Exit, Failure> {
    let (scenarios, messages) = (scenarios()?, messages());
    match form {
        Form::Json => output::say(&output::json(
            &serde_json::json!({ "scenarios": scenarios, "messages": messages }),
        )),
        Form::Text => {
            output::say(&format!("{} scenarios, for `hangu sim run`", scenarios.len()));
            scenarios.iter().for_each(say);
            output::say(&format!("\n{} messages, for `hangu sim drive`", messages.len()));
            messages.iter().for_each(say);
        }
    }
    Ok(Exit::Ok)
}

fn say(row: &Row) {
    output::say(&format!("{:<48}{:<16}{}", row.name, row.institution, row.operation));
}

fn scenarios() -> Result<Vec<Row>, Failure> {
    let all = super::scenario::embedded()?.into_iter();
    Ok(all
        .map(|scenario| Row {
            name: scenario.name,
            institution: scenario.institution,
            operation: scenario.operation,
        })
        .collect())
}

/// Every operation that the centre sends, plain and with each fault.
fn messages() -> Vec<Row> {
    let mut rows = Vec::new();
    for operation in BY_CENTRE {
        rows.push(Row {
            name: operation.name().to_owned(),
            institution: "nps".to_owned(),
            operation: operation.name().to_owned(),
        });
        for fault in Fault::ALL {
            rows.push(Row {
                name: format!("{operation}_{}", fault.name()),
                institution: "nps".to_owned(),
                operation: operation.name().to_owned(),
            });
        }
    }
    rows
}
