//! What must hold after a run.

use super::Run;
use hangu::pipeline::Step;
use serde::Serialize;
use simulators::fault::Fault;
use simulators::mix::Shape;
use simulators::report::Comparison;

/// One thing that must hold, and what was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) ok: bool,
    pub(crate) detail: String,
}

pub(crate) fn checks(run: &Run, books: &Comparison) -> Vec<Check> {
    let end = &run.end;
    let complaints = run.played.iter().filter(|played| !played.as_expected).collect::<Vec<_>>();
    let first = complaints
        .first()
        .and_then(|played| played.complaint.clone())
        .unwrap_or_default();
    let open = end
        .exchanges
        .iter()
        .filter(|exchange| exchange.state != hangu::journal::State::Delivered)
        .count();
    let counts = end.gateway.counters().counts();
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let difference = books
        .differences
        .first()
        .map(|found| format!("; first: {} {}", found.key, found.en))
        .unwrap_or_default();
    vec![
        check(
            "every payment ended as planned",
            complaints.is_empty() && run.played.len() == run.planned.len(),
            {
                format!(
                    "{} of {} as planned {first}",
                    run.played.len() - complaints.len(),
                    run.planned.len()
                )
            },
        ),
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
        check(
            "three books equal",
            books.equal,
            format!(
                "{} payments compared, {} differences{difference}",
                books.payments,
                books.differences.len()
            ),
        ),
        check(
            "ledger sums to zero",
            end.ledger_sum == 0,
            format!("sum {} fen", end.ledger_sum),
        ),
        check(
            "centre verified every signature of ours",
            end.centre.bad_signature == 0 && end.centre.unreadable == 0 && end.centre.verified > 0,
            {
                format!(
                    "{} verified, {} bad, {} unreadable",
                    end.centre.verified, end.centre.bad_signature, end.centre.unreadable
                )
            },
        ),
        check(
            "platform verified every message of ours",
            end.platform_rejected == 0,
            format!("{} refused", end.platform_rejected),
        ),
        refused(run, "bad signatures refused", Fault::BadSignature, Step::Verify),
        refused(run, "altered repeats refused", Fault::AlteredRepeat, Step::Duplicate),
        settled_by_query(run, count("unknown"), count("queries")),
        check(
            "repeats got the stored reply",
            count("duplicates") >= planned(run, Fault::Repeat),
            {
                format!(
                    "{} repeats, {} planned; same bytes compared by the centre",
                    count("duplicates"),
                    planned(run, Fault::Repeat)
                )
            },
        ),
        check(
            "no reply was lost or contradicted",
            end.centre.unmatched == 0 && end.centre.contradicted == 0,
            format!("{} unmatched, {} contradicted", end.centre.unmatched, end.centre.contradicted),
        ),
        check(
            "every exchange is delivered in the journal",
            open == 0,
            format!("{} exchanges, {open} open", end.exchanges.len()),
        ),
        check("refused messages are parked", end.parked.len() as u64 == rejections(run), {
            format!("{} parked, {} refused", end.parked.len(), rejections(run))
        }),
        check("stopped cleanly", end.stopped_clean, "nothing was cut off".to_owned()),
    ]
}

fn refused(run: &Run, name: &'static str, fault: Fault, step: Step) -> Check {
    let (planned, refused) = (
        planned(run, fault),
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

fn check(name: &'static str, ok: bool, detail: String) -> Check {
    Check { name, ok, detail }
}
