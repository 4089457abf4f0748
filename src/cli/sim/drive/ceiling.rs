//! `hangu sim drive --ceiling`: how fast the driver is when no gateway holds it up.

use super::view::memory_mb;
use super::{Exit, Failure, Form, Settings};
use crate::cli::demo::stage;
use crate::cli::output;
use crate::cli::parties::{party, world};
use crate::cli::texts::text;
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use serde_json::json;

pub(super) async fn run(settings: &Settings, form: Form) -> Result<Exit, Failure> {
    let folder = stage::folder(None)?;
    let keys = folder.path().join("keys");
    keys::store::generate_demo(&keys, &mut Random(&SystemEntropy))
        .map_err(|error| Failure::new(Exit::Unavailable, "keys", error))?;
    let centre = party("nps", "centre", &keys.join("centre"))?;
    let bank = party("nps", "centre", &keys.join("gateway"))?;
    let payments = if settings.payments == 0 { PAYMENTS } else { settings.payments };
    let reached = simulators::drive::ceiling(centre, &bank, world(), settings.seed, payments).await;
    let reached = reached.map_err(|refusal| Failure::new(Exit::Unavailable, "centre", refusal))?;
    let per_second = reached.per_second();
    output::say(&match form {
        Form::Json => output::json(&json!({
            "payments": reached.payments, "succeeded": reached.succeeded, "per_second": per_second,
            "us_per_payment": 1e6 / per_second.max(f64::MIN_POSITIVE), "seconds": reached.took.as_secs_f64(),
            "prepared_seconds": reached.prepared.as_secs_f64(),
        })),
        Form::Text => format!(
            "{per_second:.0} /s  {}\n{} of {}, {:.1} s; {:.1} s {}",
            text("drive.ceiling"),
            reached.succeeded,
            reached.payments,
            reached.took.as_secs_f64(),
            reached.prepared.as_secs_f64(),
            text("drive.prepared"),
        ),
    });
    Ok(if reached.succeeded == reached.payments {
        Exit::Ok
    } else {
        Exit::CheckFailed
    })
}

/// The platform's ledger alone, with so many customers.
pub(super) fn run_accounts(customers: u64, form: Form) -> Exit {
    let before = memory_mb();
    let done = simulators::drive::accounts(customers, world().now());
    let (seconds, memory) = (done.took.as_secs_f64(), memory_mb() - before);
    output::say(&match form {
        Form::Json => output::json(&json!({ "done": done, "seconds": seconds, "memory_mb": memory })),
        Form::Text => format!(
            "{} {}: {} {}, {} {}, {} {}; {seconds:.1} s, {memory:.0} MB",
            done.customers,
            text("drive.customers"),
            done.agreements,
            text("drive.agreements"),
            done.debited,
            text("drive.success"),
            done.refused,
            text("drive.failed"),
        ),
    });
    if done.wrong == 0 && done.sum_fen == 0 {
        Exit::Ok
    } else {
        Exit::CheckFailed
    }
}

/// Some seconds of work for a laptop.
const PAYMENTS: u64 = 5_000;
