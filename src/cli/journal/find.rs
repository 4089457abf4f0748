//! `hangu journal find`. An account is looked for by its keyed digest; the clear number reaches no journal and no log.

use super::{park, reader};
use crate::cli::key;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, text, titles};
use codecs::payment::{Money, Operation};
use hangu::clock::{BEIJING, from_millis};
use hangu::config::Config;
use hangu::journal::{Exchange, Found, Millis, Read, Search, State};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Message id, end-to-end id or communication key.
    #[arg(long)]
    key: Option<String>,
    /// Payer's account; `-` reads it from standard input, so that it stands in no shell history.
    #[arg(long)]
    account: Option<String>,
    /// accepted, sent, unknown, answered or delivered.
    #[arg(long, value_parser = state)]
    state: Option<State>,
    /// sign, terminate, verify, debit, credit, refund, cancel, query, ...
    #[arg(long, value_parser = operation)]
    operation: Option<Operation>,
    /// Settlement date, yyyy-mm-dd.
    #[arg(long, value_parser = date)]
    date: Option<String>,
    /// List parked messages instead of exchanges.
    #[arg(long, conflicts_with_all = ["key", "account", "state", "operation", "date"])]
    parked: bool,
    /// At most so many, newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) fn run(args: &Args, config: &Config, form: Form) -> Result<Exit, Failure> {
    if args.parked {
        return park::list(config, Some(park::WAITING), args.limit, form);
    }
    let account = args.account.as_deref().map(read_account).transpose()?;
    let search = Search {
        id: None,
        key: args.key.clone(),
        account_digest: account.map(|account| digest(config, &account)).transpose()?,
        state: args.state,
        operation: args.operation.map(|operation| operation.name().to_owned()),
        settlement_date: args.date.clone(),
        limit: args.limit,
    };
    let found = reader(config)?.ask(Read::Search(Box::new(search)), Found::exchanges)?;
    output::say(&match form {
        Form::Json => output::json(&json!({ "exchanges": found.iter().map(object).collect::<Vec<_>>() })),
        Form::Text => page(&found, args.limit),
    });
    Ok(Exit::Ok)
}

fn read_account(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| Failure::new(Exit::Usage, "--account", error))?;
    Ok(line.trim().to_owned())
}

/// The same digest under which acceptance files the payer's account.
fn digest(config: &Config, account: &str) -> Result<[u8; 32], Failure> {
    let keyring = key::load(&config.keys)?;
    let digest = keyring.digest().map_err(|error| Failure::config("keys.folder", error))?;
    Ok(digest.tag(&[account.as_bytes()]))
}

fn page(found: &[Exchange], limit: u32) -> String {
    if found.is_empty() {
        return text("journal.nothing").to_string();
    }
    let rows: Vec<_> = found.iter().map(cells).collect();
    let is_full = u32::try_from(found.len()) == Ok(limit);
    let more = if is_full {
        format!("; {}", text("journal.more"))
    } else {
        String::new()
    };
    format!(
        "{}\n{}: {}{more}",
        table(&titles(&COLUMNS), &rows),
        text("journal.found"),
        found.len()
    )
}

fn cells(exchange: &Exchange) -> Vec<String> {
    vec![
        exchange.id.to_string(),
        exchange.state.name().to_owned(),
        outcome(exchange),
        exchange.operation.clone(),
        exchange.institution.clone().unwrap_or_default(),
        amount(exchange),
        exchange.settlement_date.clone().unwrap_or_default(),
        exchange.msg_id.clone(),
        instant(exchange.accepted_at),
    ]
}

/// Everything that is stored of an exchange in the clear.
pub(super) fn object(exchange: &Exchange) -> Value {
    let time = |at: Option<Millis>| at.map(instant);
    json!({
        "id": exchange.id, "state": exchange.state.name(), "operation": exchange.operation, "institution": exchange.institution,
        "outcome": exchange.outcome.as_ref().map(|outcome| json!({ "name": outcome.name, "reason": outcome.reason, "text": outcome.text })),
        "amount_fen": exchange.amount_fen, "link_in": exchange.link_in, "link_out": exchange.link_out,
        "communication_key": exchange.communication_key, "out_key": exchange.out_key, "initiator": exchange.initiator,
        "msg_id": exchange.msg_id, "msg_code": exchange.msg_code, "end_to_end_id": exchange.end_to_end_id,
        "settlement_date": exchange.settlement_date, "batch": exchange.batch, "owner": exchange.owner, "epoch": exchange.epoch,
        "attempts": exchange.attempts, "queries": exchange.queries, "accepted_at": instant(exchange.accepted_at),
        "sent_at": time(exchange.sent_at), "answered_at": time(exchange.answered_at), "delivered_at": time(exchange.delivered_at),
    })
}

/// `failed insufficient_funds`; nothing while it is open.
pub(super) fn outcome(exchange: &Exchange) -> String {
    let Some(outcome) = &exchange.outcome else {
        return String::new();
    };
    match &outcome.reason {
        Some(reason) => format!("{} {reason}", outcome.name),
        None => outcome.name.clone(),
    }
}

pub(super) fn amount(exchange: &Exchange) -> String {
    exchange
        .amount_fen
        .map(|fen| Money::from_fen(fen).to_string())
        .unwrap_or_default()
}

/// A stored time as clocks in the bank show it.
pub(super) fn instant(at: Millis) -> String {
    from_millis(at).to_offset(BEIJING).format(&Rfc3339).unwrap_or_default()
}

fn state(name: &str) -> Result<State, String> {
    let known = || State::ALL.map(State::name).join(", ");
    State::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| format!("states are: {}", known()))
}

fn operation(name: &str) -> Result<Operation, String> {
    let known = || {
        Operation::ALL
            .iter()
            .map(|operation| operation.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Operation::parse(name).ok_or_else(|| format!("operations are: {}", known()))
}

fn date(text: &str) -> Result<String, String> {
    let parsed = time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]"));
    parsed
        .map(|date| date.to_string())
        .map_err(|_wrong| "wanted as 2026-05-01".to_owned())
}

const COLUMNS: [&str; 9] = [
    "journal.id",
    "journal.state",
    "journal.outcome",
    "journal.operation",
    "journal.institution",
    "journal.amount",
    "journal.date",
    "journal.msg_id",
    "journal.accepted_at",
];
