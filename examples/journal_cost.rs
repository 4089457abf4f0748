//! What the journal alone costs a payment: plays payments on a file, in batches as they come under load. Not a clock: it is to be
//! run under a counter of instructions, as `docs/performance.md` shows. With a rate it plays so many a second through the whole
//! journal, and tells how long the writes took that somebody waits for: what a checkpoint holds up is seen there.
#![allow(clippy::disallowed_methods, reason = "with a rate it plays by the clock")]

use hangu::journal::sqlite::{Options, SqliteJournal, Store};
use hangu::journal::{
    Accept, Accepted, EPOCH_FIRST, ExchangeId, Journal, JournalError, MessageRecord, Move, Read, SealedRecord, Search, Sending,
    State, StoredOutcome, Write, Written,
};
use hdrhistogram::Histogram;
use std::error::Error;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, number, paced @ ..] = arguments.as_slice() else {
        return Err("journal_cost FILE NUMBER [RATE [GATHER_US [CHECKPOINT_MIB]]]".into());
    };
    let number = number.parse()?;
    let [rate, bounds @ ..] = paced else {
        return batches(file, number);
    };
    let mut options = Options::default();
    if let Some(gather) = bounds.first() {
        options.gather_us = gather.parse()?;
    }
    if let Some(mebibytes) = bounds.get(1) {
        options.checkpoint_bytes = mebibytes.parse::<u64>()? << 20;
    }
    played_at(file, number, rate.parse()?, options)
}

/// Arrivals are fixed before: what is late counts as late.
#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn played_at(file: &str, number: usize, rate: f64, options: Options) -> Result<(), Box<dyn Error>> {
    let first = newest(&Store::open(Path::new(file))?)?;
    let journal = Arc::new(SqliteJournal::open_with(Path::new(file), options)?);
    let mut ticks = interval_at(Instant::now(), Duration::from_secs_f64(1.0 / rate));
    let (mut payments, mut took) = (JoinSet::new(), Histogram::<u64>::new(3)?);
    for serial in (first + 1..).take(number) {
        let due = ticks.tick().await;
        let journal = Arc::clone(&journal);
        payments.spawn(async move { payment(&journal, serial, due).await });
        while let Some(done) = payments.try_join_next() {
            done??.into_iter().try_for_each(|us| took.record(us))?;
        }
    }
    while let Some(done) = payments.join_next().await {
        done??.into_iter().try_for_each(|us| took.record(us))?;
    }
    let at = |quantile| took.value_at_quantile(quantile);
    let (mean, worst) = (took.mean(), took.max());
    writeln!(
        stdout(),
        "writes, us: mean {mean:.0}, p50 {}, p90 {}, p99 {}, p99.9 {}, worst {worst}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999)
    )?;
    journal.close().await;
    Ok(())
}

/// How long the two writes took that a payment waits for.
async fn payment(journal: &SqliteJournal, serial: i64, due: Instant) -> Result<[u64; 2], JournalError> {
    let written = journal.write(Write::Accept(Box::new(accept(serial)))).await?;
    let accepted = micros(due);
    let Written::Accepted(new) = written else {
        return Err(JournalError::Refused("not accepted".into()));
    };
    let Accepted::New { id, .. } = *new else {
        return Err(JournalError::Refused("not new".into()));
    };
    sleep(AWAY).await;
    let back = Instant::now();
    let answer = Move {
        answers: Some(key(serial)),
        ..answered(id)
    };
    journal.write(Write::Move(Box::new(answer))).await?;
    let replied = micros(back);
    sleep(AWAY).await;
    journal.write(Write::Move(Box::new(delivered(id)))).await?;
    Ok([accepted, replied])
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn batches(file: &str, number: usize) -> Result<(), Box<dyn Error>> {
    let mut store = Store::open(Path::new(file))?;
    let first = newest(&store)?;
    played(&mut store, first, number)?;
    writeln!(stdout(), "{} pages of the log for {number} payments", pages(file))?;
    Ok(())
}

fn newest(store: &Store) -> Result<ExchangeId, JournalError> {
    let search = Search {
        limit: 1,
        ..Search::default()
    };
    let found = store
        .query(&Read::Search(Box::new(search)))?
        .exchanges()
        .map_err(|error| JournalError::Refused(error.to_string()))?;
    Ok(found.first().map_or(0, |exchange| exchange.id))
}

fn pages(file: &str) -> u64 {
    std::fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len() / 4120)
}

/// Each batch accepts some, and takes those of the two batches before it one step on.
#[inline(never)]
fn played(store: &mut Store, first: ExchangeId, number: usize) -> Result<(), JournalError> {
    let ids: Vec<ExchangeId> = (first + 1..).take(number).collect();
    let batches: Vec<&[ExchangeId]> = ids.chunks(TOGETHER).collect();
    for turn in 0..batches.len() + 2 {
        let of = |back: usize| {
            turn.checked_sub(back)
                .and_then(|index| batches.get(index))
                .copied()
                .unwrap_or_default()
        };
        let mut writes: Vec<Write> = of(0).iter().map(|id| Write::Accept(Box::new(accept(*id)))).collect();
        let steps = [(1, answered as fn(ExchangeId) -> Move), (2, delivered)];
        for (back, step) in steps {
            writes.extend(of(back).iter().map(|id| Write::Move(Box::new(step(*id)))));
        }
        for result in store.apply_batch(&writes)? {
            result?;
        }
    }
    Ok(())
}

fn accept(id: ExchangeId) -> Accept {
    Accept {
        owner: "bench".into(),
        lease_until: NOW + 10_000,
        communication_key: key(id),
        business_key: Some(format!("900584099999|debit|E{}", serial(id))),
        content: [7; 32],
        link_in: "centre".into(),
        operation: "debit".into(),
        institution: Some("Z2099999000010".into()),
        amount_fen: Some(1_250),
        initiator: "900584099999".into(),
        msg_id: format!("M{}", serial(id)),
        msg_code: CODE.into(),
        end_to_end_id: Some(format!("E{}", serial(id))),
        settlement_date: Some("2026-12-01".into()),
        batch: Some("B202612010001".into()),
        account_digest: Some(keys::sm3::sm3(&[&id.to_be_bytes()])),
        cancels: None,
        identities: Vec::new(),
        message: message("received", "request", 2_500),
        at: NOW,
        deadline: NOW + 30_000,
        sends: Some(Box::new(Sending {
            link_out: "platform".into(),
            out_key: format!("platform|Z2099999000010|NPS|20261201|{}|{CODE}", serial(id)),
            message: message("sent", "request", 1_200),
            due: NOW + 30_000,
        })),
    }
}

fn answered(id: ExchangeId) -> Move {
    Move {
        outcome: Some(StoredOutcome {
            name: "success".into(),
            reason: None,
            text: None,
        }),
        messages: vec![message("received", "reply", 1_200), message("sent", "reply", 2_100)],
        answers: Some(key(id)),
        ..step(id, State::Sent, State::Answered)
    }
}

fn delivered(id: ExchangeId) -> Move {
    step(id, State::Answered, State::Delivered)
}

/// Counts up, as the centre's serials do.
fn serial(id: ExchangeId) -> String {
    format!("20261201{id:024}")
}

fn key(id: ExchangeId) -> String {
    format!("centre|900584099999|NPS|20261201|{}|{CODE}", serial(id))
}

fn message(direction: &'static str, part: &str, bytes: usize) -> MessageRecord {
    MessageRecord {
        link: "centre".into(),
        direction,
        part: part.into(),
        code: CODE.into(),
        record: SealedRecord {
            key: "journal-1".into(),
            sealed: vec![0xa5; bytes],
        },
        at: NOW,
    }
}

fn step(id: ExchangeId, from: State, to: State) -> Move {
    Move {
        due: NOW + 30_000,
        ..Move::bare(id, EPOCH_FIRST, vec![from], to, NOW + 5)
    }
}

const NOW: i64 = 1_796_000_000_000;
const CODE: &str = "NPS.142.001.01";
/// At the platform, and on the way to the centre.
const AWAY: Duration = Duration::from_millis(2);
/// Payments that each batch accepts: 32 at a time made about 0.22 commits for a payment.
const TOGETHER: usize = 5;
