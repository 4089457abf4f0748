//! How changes, proposals and failures of a guarded store are told.

use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use keys::guarded::{CertificateChange, Change, GuardedError, KeyChange, Officer, Open, Role, State, Step};
use serde_json::{Value, json};
use std::path::Path;

/// What a change does, in one line.
pub(super) fn told(change: &Change) -> String {
    match change {
        Change::Key(key) => told_key(key),
        Change::Status(steps) => {
            let from = |step: &Step| step.primary_from.map(|from| format!(" from {from}")).unwrap_or_default();
            let steps = steps
                .iter()
                .map(|step| format!("{} {} -> {}{}", step.id, step.from, step.to, from(step)));
            steps.collect::<Vec<_>>().join(", ")
        }
        Change::Validity {
            id,
            not_before,
            not_after,
        } => format!("{id} valid {not_before} to {not_after}"),
        Change::Officer(officer) => format!("officer {} {}", officer.name, roles(officer)),
        Change::OfficerRemoved(named) => format!("officer {} removed", named.name),
        Change::Threshold(threshold) => format!("threshold {threshold}"),
        Change::Anchor(anchor) => format!("trust anchor {}", anchor.name),
        Change::Certificate(change) => told_certificate(change),
        Change::Pair(pair) => format!("{}; {}", told_certificate(&pair.certificate), told_key(&pair.key)),
        Change::Master(change) => format!("another master key, {} keys wrapped anew", change.wrapped.len()),
        Change::AnchorRemoved(named) => format!("trust anchor {} removed", named.name),
    }
}

fn told_certificate(change: &CertificateChange) -> String {
    format!(
        "certificate for {} serial {}, valid {} to {}",
        change.id, change.serial, change.not_before, change.not_after
    )
}

fn told_key(key: &KeyChange) -> String {
    format!(
        "key {} (link {}, {}, {}, {}) serial {} {}, valid {} to {}, fingerprint {}",
        key.id,
        key.link,
        key.side,
        key.usage,
        key.algorithm,
        key.serial,
        key.status,
        key.not_before,
        key.not_after,
        key.fingerprint
    )
}

pub(super) fn roles(officer: &Officer) -> String {
    officer.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("+")
}

/// Titles and values of a proposal.
pub(super) fn rows(open: &Open, state: &State) -> Vec<(&'static str, String)> {
    vec![
        ("key.proposal", open.number.to_string()),
        ("key.change", told(&open.proposal.change)),
        ("key.signed", signers(open).join(", ")),
        ("key.needed", state.needed(open).to_string()),
        ("key.until", open.proposal.expires.to_string()),
        ("key.hash", open.hash.clone()),
    ]
}

pub(super) fn described(open: &Open, state: &State) -> Value {
    json!({
        "proposal": open.number, "hash": open.hash, "change": open.proposal.change, "signed": signers(open),
        "needed": state.needed(open), "until": open.proposal.expires,
    })
}

fn signers(open: &Open) -> Vec<&str> {
    let proposer = std::iter::once(open.proposal.officer.as_str());
    proposer.chain(open.approved_by.iter().map(String::as_str)).collect()
}

/// Lines of `title: value`, or JSON.
pub(super) fn page(form: Form, value: &Value, rows: &[(&'static str, String)]) -> String {
    match form {
        Form::Json => output::json(value),
        Form::Text => {
            let lines = rows.iter().map(|(key, value)| format!("{}: {value}", text(key)));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// A refusal is a check that failed; a store that cannot be read is a wrong configuration.
pub(super) fn failure(folder: &Path, error: GuardedError) -> Failure {
    let exit = match &error {
        GuardedError::Refused(_) | GuardedError::Crypto(_) | GuardedError::Shares => Exit::CheckFailed,
        GuardedError::Locked => Exit::Unavailable,
        GuardedError::Broken(_)
        | GuardedError::Store(_)
        | GuardedError::OtherMaster
        | GuardedError::Revocation(_)
        | GuardedError::Material(..) => Exit::Config,
    };
    Failure::new(exit, folder.display().to_string(), error)
}

/// `li=custodian+approver` without its first part.
pub(super) fn parse_roles(list: &str) -> Result<std::collections::BTreeSet<Role>, String> {
    let known = || Role::ALL.map(Role::name).join(", ");
    let role = |name: &str| Role::parse(name).ok_or_else(|| format!("`{name}` is not one of {}", known()));
    list.split('+').map(role).collect()
}
