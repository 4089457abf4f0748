//! The bench as the page shows it: the parties' figures, and what each of the three believes of every payment.

use super::super::scenario::stage::Stage;
use serde::Serialize;
use serde_json::{Value, json};
use simulators::report::{Book, BookEntry, compare};
use simulators::scenario::Gateway;
use std::collections::BTreeSet;

/// Each party's figures.
pub(super) async fn parties(stage: &Stage) -> Value {
    let (view, centre, platform) = (stage.view(), &stage.centre, &stage.platform);
    let figures = centre.figures();
    let ledger = platform.ledger();
    let (sum, entries) = {
        let ledger = simulators::platform::lock(&ledger);
        (ledger.sum().to_string(), ledger.entries().len())
    };
    json!({
        "centre": {
            "sent": figures.sent,
            "verified": figures.verified,
            "answered": figures.answered,
            "bad_signature": figures.bad_signature,
            "unreadable": figures.unreadable,
            "contradicted": figures.contradicted,
        },
        "gateway": {
            "open": view.open().await.unwrap_or_default(),
            "refused": view.refused(),
        },
        "platform": {
            "rejected": platform.rejected(),
            "repeated": platform.repeated(),
            "postings": entries,
            "ledger_sum_fen": sum,
        },
    })
}

/// One payment, as the three know it.
#[derive(Serialize)]
struct Row {
    key: String,
    operation: String,
    amount_fen: i64,
    centre: String,
    gateway: String,
    platform: String,
    executions: u32,
}

/// The three books beside each other, and what differs.
pub(super) async fn books(stage: &Stage) -> Result<Value, String> {
    let gateway = stage.view().book().await?;
    let (centre, platform) = (stage.centre.books(), stage.platform.books());
    let comparison = compare(&centre, &gateway, &platform);
    let keys: BTreeSet<&String> = [&centre, &gateway, &platform]
        .iter()
        .flat_map(|book| book.entries.keys())
        .collect();
    let rows: Vec<Row> = keys.into_iter().map(|key| row(key, &centre, &gateway, &platform)).collect();
    let differences: Vec<_> = comparison
        .differences
        .iter()
        .map(|found| json!({ "key": found.key, "zh": found.zh, "en": found.en }))
        .collect();
    Ok(json!({ "rows": rows, "equal": comparison.equal, "differences": differences }))
}

fn row(key: &str, centre: &Book, gateway: &Book, platform: &Book) -> Row {
    let entry = |book: &Book| book.entries.get(key).cloned();
    let [at_centre, at_gateway, at_platform] = [centre, gateway, platform].map(entry);
    let outcome = |entry: &Option<BookEntry>| entry.as_ref().map_or_else(String::new, |entry| entry.outcome.clone());
    let [centre, gateway, platform] = [&at_centre, &at_gateway, &at_platform].map(outcome);
    let executions = at_platform.as_ref().map_or(0, |entry| entry.executions);
    let known = at_gateway.or(at_centre).or(at_platform);
    Row {
        key: key.to_owned(),
        operation: known.as_ref().map_or_else(String::new, |entry| entry.operation.clone()),
        amount_fen: known.map_or(0, |entry| entry.amount_fen),
        centre,
        gateway,
        platform,
        executions,
    }
}
