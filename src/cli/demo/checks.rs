//! What must hold after a run.

use super::institutions::{Performance, rows};
use super::{Proof, Run};
use hangu::pipeline::Step;
use serde::Serialize;
use simulators::fault::Fault;
use simulators::mix::Shape;
use simulators::report::Comparison;
use std::borrow::Cow;

/// One thing that must hold, and what was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: Cow<'static, str>,
    pub(crate) ok: bool,
    pub(crate) detail: String,
}

pub(crate) fn checks(run: &Run, books: &Comparison) -> Vec<Check> {
    let mut checks = vec![as_planned(run)];
    checks.extend(of_books(run, books));
    checks.extend(of_signatures(run));
    checks.extend(of_institutions(run));
    checks.extend(of_rules(run));
    checks.extend(of_journal(run));
    checks
}

fn as_planned(run: &Run) -> Check {
    let complaints = run.played.iter().filter(|played| !played.as_expected).collect::<Vec<_>>();
    let first = complaints
        .first()
        .and_then(|played| played.complaint.clone())
        .unwrap_or_default();
    let (good, planned) = (run.played.len() - complaints.len(), run.planned.len());
    check(
        "every payment ended as planned",
        good == planned,
        format!("{good} of {planned} as planned {first}"),
    )
}

fn of_books(run: &Run, books: &Comparison) -> [Check; 4] {
    let first = books.differences.first();
    let difference = first
        .map(|found| format!("; first: {} {}", found.key, found.en))
        .unwrap_or_default();
    let compared = format!(
        "{} payments compared, {} differences{difference}",
        books.payments,
        books.differences.len()
    );
    let sum = run.end.ledger_sum;
    [
        check(
            "nothing lost",
            books.lost == 0,
            format!("{} payments nobody can account for", books.lost),
        ),
        check(
            "nothing executed twice",
            books.executed_twice == 0,
            format!("{} executed twice", books.executed_twice),
        ),
        check("three books equal", books.equal, compared),
        check("ledger sums to zero", sum == 0, format!("sum {sum} fen")),
    ]
}

fn of_signatures(run: &Run) -> [Check; 4] {
    let simulators::centre::Figures {
        verified,
        bad_signature,
        unreadable,
        ..
    } = run.end.centre;
    let seen = format!("{verified} verified, {bad_signature} bad, {unreadable} unreadable");
    let is_sound = bad_signature == 0 && unreadable == 0 && verified > 0;
    let rejected = run.end.platform_rejected;
    [
        check("centre verified every signature of ours", is_sound, seen),
        check(
            "platform verified every message of ours",
            rejected == 0,
            format!("{rejected} refused"),
        ),
        refused(run, "bad signatures refused", Fault::BadSignature, Step::Verify),
        refused(run, "altered repeats refused", Fault::AlteredRepeat, Step::Duplicate),
    ]
}

/// Each institution with a link of its own: its payments as planned, and its link's signatures verified at both ends.
fn of_institutions(run: &Run) -> Vec<Check> {
    let of_one = |(performance, row): (&Performance, super::institutions::Row)| {
        let first = performance.played.iter().find_map(|played| played.complaint.clone());
        let planned = check(
            format!("{} as planned", performance.codec),
            first.is_none() && !performance.played.is_empty(),
            format!("{} requests {}", performance.played.len(), first.unwrap_or_default()),
        );
        let figures = performance.figures;
        let (ours, its) = (row.checked_by_us, row.checked_by_it);
        let is_sound = ours > 0 && its > 0 && figures.rejected == 0 && figures.forged == figures.forged_refused;
        let seen = format!(
            "{ours} of its verified by us, {its} of ours by it, {} refused by it; {} of {} forged ones refused",
            figures.rejected, figures.forged_refused, figures.forged
        );
        [
            planned,
            check(format!("{} signatures verified", performance.codec), is_sound, seen),
        ]
    };
    let rows = rows(&run.end);
    run.end.performances.iter().zip(rows).flat_map(of_one).collect()
}

/// What institutions with links of their own forged: refused like the centre's, but not kept, since anybody may call by HTTP.
fn forged(run: &Run) -> u64 {
    run.end
        .performances
        .iter()
        .map(|performance| performance.figures.forged)
        .sum()
}

fn of_rules(run: &Run) -> [Check; 3] {
    let counts = run.end.gateway.counters().counts();
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let (repeats, planned) = (count("duplicates"), planned(run, Fault::Repeat));
    let simulators::centre::Figures {
        unmatched, contradicted, ..
    } = run.end.centre;
    let is_consistent = unmatched == 0 && contradicted == 0;
    [
        settled_by_query(run, count("unknown"), count("queries")),
        check("repeats got the stored reply", repeats >= planned, {
            format!("{repeats} repeats, {planned} planned; same bytes compared by the centre")
        }),
        check(
            "no reply was lost or contradicted",
            is_consistent,
            format!("{unmatched} unmatched, {contradicted} contradicted"),
        ),
    ]
}

fn of_journal(run: &Run) -> [Check; 4] {
    let (all, delivered) = (&run.end.exchanges, hangu::journal::State::Delivered);
    let open = all.iter().filter(|exchange| exchange.state != delivered).count();
    let (parked, refused) = (run.end.parked.len() as u64, rejections(run).saturating_sub(forged(run)));
    [
        check(
            "every exchange is delivered in the journal",
            open == 0,
            format!("{} exchanges, {open} open", all.len()),
        ),
        check(
            "refused messages are parked",
            parked == refused,
            format!("{parked} parked, {refused} refused"),
        ),
        verified(&run.proof),
        check("stopped cleanly", run.end.stopped_clean, "nothing was cut off".to_owned()),
    ]
}

fn verified(proof: &Proof) -> Check {
    let checked = &proof.checked;
    let first = proof.findings.first();
    let finding = first
        .map(|found| format!("; first: {} {} {}", found.flaw.name(), found.place, found.detail))
        .unwrap_or_default();
    let seen = format!(
        "{} records in {} chains, {} messages opened, {} findings{finding}",
        checked.records, checked.chains, checked.messages, proof.finding_count
    );
    check("journal verified", proof.holds() && checked.records > 0, seen)
}

fn refused(run: &Run, name: &'static str, fault: Fault, step: Step) -> Check {
    let forged = if step == Step::Verify { forged(run) } else { 0 };
    let (planned, refused) = (
        planned(run, fault) + forged,
        run.end.gateway.counters().rejections().get(&step).copied().unwrap_or(0),
    );
    check(
        name,
        planned > 0 && refused == planned,
        format!("{refused} refused at {}, {planned} planned", step.name()),
    )
}

fn settled_by_query(run: &Run, unknown: u64, queries: u64) -> Check {
    let planned = run
        .planned
        .iter()
        .filter(|planned| planned.shape == Shape::PlatformTimeout)
        .count() as u64;
    let settled = run.end.centre.final_after_processing;
    let ok = planned > 0 && queries >= planned && settled >= planned;
    check("unknown outcomes settled by query", ok, {
        format!("{planned} timeouts planned, {unknown} unknown, {queries} queries, {settled} final replies after \"processing\"")
    })
}

fn planned(run: &Run, fault: Fault) -> u64 {
    run.planned
        .iter()
        .filter(|planned| matches!(planned.shape, Shape::Faulty(_, found) if found == fault))
        .count() as u64
}

fn rejections(run: &Run) -> u64 {
    run.end.gateway.counters().rejections().values().sum()
}

fn check(name: impl Into<Cow<'static, str>>, ok: bool, detail: String) -> Check {
    Check {
        name: name.into(),
        ok,
        detail,
    }
}
