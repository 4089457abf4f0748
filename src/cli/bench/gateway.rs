//! `hangu bench gateway`: good debits through a whole gateway, as many at a time as asked for, each answered before the
//! next takes its place.
//!
//! Centre, platform and gateway share this process. The gateway has a runtime of its own, so that the operating system's
//! account of threads tells its processor time from the simulators'.

use super::crypto::{Sm2, sm2_costs};
use super::process::{Cpu, cpu, durable_append, memory_mib};
use super::report::{self, Seen};
use super::{folder, refused};
use crate::cli::demo::stage::{End, Stage, wait_until};
use crate::cli::output::{self, Exit, Failure, Form};
use codecs::envelope::SignatureScheme;
use codecs::payment::Operation;
use codecs::spec::Specs;
use hangu::exchange::Gateway;
use hangu::journal::{MessageRecord, Read};
use hangu::record;
use hangu::start::spec_of;
use hdrhistogram::Histogram;
use simulators::load::{Load, drive};
use simulators::mix::{Planned, chosen};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many debits are measured.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    payments: u64,
    /// How many are under way at any time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=512))]
    concurrency: u32,
    /// Make the journal's folder in this one, so that its disk is measured; by default in the temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// error, warn, info, debug or trace.
    #[arg(long, default_value = "error")]
    log: tracing::Level,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    hangu::telemetry::init_logs(args.log, false);
    let seen = seen(args.payments, args.concurrency, args.folder.as_deref())?;
    output::say(&match form {
        Form::Json => output::json(&report::object(&seen)),
        Form::Text => report::page(&seen),
    });
    Ok(if seen.succeeded == seen.payments {
        Exit::Ok
    } else {
        Exit::CheckFailed
    })
}

/// Runs the bench. The costs of single operations are measured before, while the machine is quiet.
pub(super) fn seen(payments: u64, concurrency: u32, parent: Option<&Path>) -> Result<Seen, Failure> {
    let folder = folder(parent, "gateway")?;
    let fsync = durable_append(folder.path()).map_err(|error| refused("fsync")(&error))?;
    let sm2_us = sm2_costs(COST_ROUNDS)?.into_iter().collect();
    let (gateway, load) = (runtime("gateway")?, runtime(LOAD_THREAD)?);
    let played = on_load_thread(|| load.block_on(play(folder.path(), gateway.handle(), payments, concurrency)))?;
    let sm2_count = load.block_on(sm2_operations(&played.end))?;
    Ok(Seen {
        payments,
        concurrency,
        succeeded: played.succeeded,
        took: played.took,
        inside_us: played.inside_us,
        answered_us: played.answered_us,
        cpu: played.cpu,
        memory_mib: played.memory_mib,
        fsync,
        sm2_us,
        sm2_count,
    })
}

/// Waits on a thread that bears the name of the load's runtime, so that the driver too is counted as the simulators'.
fn on_load_thread<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let failed = refused("load");
    std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name(LOAD_THREAD.to_owned());
        let thread = named.spawn_scoped(scope, work).map_err(|error| failed(&error))?;
        thread.join().unwrap_or_else(|_panic| Err(failed(&"it panicked")))
    })
}

struct Played {
    succeeded: u64,
    took: Duration,
    cpu: Cpu,
    memory_mib: (f64, f64),
    inside_us: Histogram<u64>,
    answered_us: Histogram<u64>,
    end: End,
}

async fn play(folder: &Path, gateway_on: &Handle, payments: u64, concurrency: u32) -> Result<Played, Failure> {
    let stage = Stage::set(folder, gateway_on).await?;
    let mut debits = (0..).map(|n| chosen(SEED, n, Operation::Debit, None));
    let mut good = |count: u64| {
        let debits = debits.by_ref().filter(|planned| planned.refusal.is_none());
        debits.zip(0..count).map(|(planned, _)| planned).collect::<Vec<_>>()
    };
    warm_up(&stage, good(u64::from(concurrency) * 2), concurrency).await?;
    let before = times(stage.gateway());
    let read_cpu = || cpu(LOAD_THREAD).map_err(|error| refused("/proc/self")(&error));
    let (cpu_before, started) = (read_cpu()?, Instant::now());
    let succeeded = drive_all(&stage, good(payments), concurrency).await;
    let (took, cpu_after) = (started.elapsed(), read_cpu()?);
    let memory_mib = memory_mib().map_err(|error| refused("/proc/self/status")(&error))?;
    // The last replies are with the centre before the gateway has noted that they are delivered.
    let end = stage.end().await?;
    let after = times(&end.gateway);
    Ok(Played {
        succeeded,
        took,
        cpu: cpu_after.since(cpu_before),
        memory_mib,
        inside_us: less(after.0, before.0.as_ref())?,
        answered_us: less(after.1, before.1.as_ref())?,
        end,
    })
}

/// Connections, caches and prepared statements are made before anything counts. The gateway notes a reply as delivered after
/// the centre has it, so that too is waited for.
async fn warm_up(stage: &Stage, planned: Vec<Planned>, concurrency: u32) -> Result<(), Failure> {
    let count = planned.len() as u64;
    if drive_all(stage, planned, concurrency).await != count {
        return Err(Failure::new(Exit::CheckFailed, "bench", "a payment of the warm-up failed"));
    }
    let noted = || times(stage.gateway()).0.map_or(0, |times| times.len());
    wait_until(SETTLE, async || noted() >= count).await
}

/// Plays debits and counts those that ended as planned, which is with success.
async fn drive_all(stage: &Stage, planned: Vec<Planned>, concurrency: u32) -> u64 {
    let desk = stage.desk();
    let load = Load {
        rate_per_s: 0,
        concurrency_max: usize::try_from(concurrency).unwrap_or(1),
    };
    let work = move |planned: Planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await.as_expected }
    };
    let finished = drive(planned, load, work, |_done| {}).await;
    finished.iter().filter(|one| one.result).count() as u64
}

/// Times of debits so far: inside the gateway, and until answered.
fn times(gateway: &Gateway) -> (Option<Histogram<u64>>, Option<Histogram<u64>>) {
    let times = gateway.counters().operations().remove(&Operation::Debit);
    times.map_or((None, None), |times| (Some(times.inside_us), Some(times.total_us)))
}

fn less(after: Option<Histogram<u64>>, before: Option<&Histogram<u64>>) -> Result<Histogram<u64>, Failure> {
    let mut times = after.ok_or_else(|| refused("gateway")(&"it counted no debit"))?;
    if let Some(before) = before {
        times.subtract(before).map_err(|error| refused("gateway")(&error))?;
    }
    Ok(times)
}

/// The SM2 operations of the gateway for one payment, read off the messages that its journal kept.
async fn sm2_operations(end: &End) -> Result<BTreeMap<Sm2, u32>, Failure> {
    let failed = refused("journal");
    let debit = end
        .exchanges
        .iter()
        .find(|exchange| exchange.operation == Operation::Debit.name());
    let debit = debit.ok_or_else(|| failed(&"it holds no debit"))?;
    let found = end.gateway.journal().read(Read::Messages(debit.id)).await;
    let messages = found
        .map_err(|error| failed(&error))?
        .messages()
        .map_err(|error| failed(&error))?;
    let specs = Specs::embedded().map_err(|error| refused("codecs")(&error))?;
    let mut count = BTreeMap::new();
    for message in &messages {
        for operation in operations_of(&end.gateway, &specs, message)? {
            *count.entry(operation).or_insert(0) += 1;
        }
    }
    Ok(count)
}

/// What a message cost the gateway: a signature is verified or made, and where there is an envelope, a key is opened or
/// wrapped. A link with a MAC costs none of these.
fn operations_of(gateway: &Gateway, specs: &Specs, kept: &MessageRecord) -> Result<Vec<Sm2>, Failure> {
    let failed = refused("journal");
    let Some(link) = gateway.config().link.get(&kept.link) else {
        return Ok(Vec::new());
    };
    let spec = spec_of(specs, &kept.link, link)?;
    let wire = record::open(&gateway.keyring(), kept).map_err(|error| failed(&error))?;
    let message = spec.parse(&wire).map_err(|error| failed(&error))?;
    let (signature, envelope) = match kept.direction {
        "received" => (Sm2::Verify, Sm2::Unwrap),
        _ => (Sm2::Sign, Sm2::Wrap),
    };
    let found = message.signature().map_err(|error| failed(&error))?;
    let signed = found.is_some_and(|found| found.scheme == SignatureScheme::Sm2Sm3);
    let sealed = message.envelope().map_err(|error| failed(&error))?.is_some();
    let operations = [signed.then_some(signature), sealed.then_some(envelope)];
    Ok(operations.into_iter().flatten().collect())
}

fn runtime(thread_name: &str) -> Result<Runtime, Failure> {
    let built = Builder::new_multi_thread().thread_name(thread_name).enable_all().build();
    built.map_err(|error| refused("runtime")(&error))
}

/// The kernel keeps 15 bytes of a thread's name.
const LOAD_THREAD: &str = "bench-load";
const SEED: u64 = 1;
const SETTLE: Duration = Duration::from_secs(10);
const COST_ROUNDS: usize = 40;
