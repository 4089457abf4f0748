//! Accept, move and read on a large journal and on a small one, in turn, so that what disturbs the disk meets both.

use super::fill::{Fill, PATTERN, fill, number};
use crate::cli::bench::measure::{Cost, cost, micros};
use crate::cli::bench::process::durable_append;
use crate::cli::bench::{build, folder, refused};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::table;
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{
    Accept, Accepted, EPOCH_FIRST, ExchangeId, Journal, MessageRecord, Move, Read, SealedRecord, State, StoredOutcome, Write,
    Written,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::time::Instant;

#[derive(clap::Args)]
pub(super) struct Args {
    /// With --axis journal: the newest so many exchanges have their messages too.
    #[arg(long, default_value_t = 1_000_000)]
    bodies: u64,
    /// With --axis journal: keep the filled journals in this folder, and go on from what is there.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// With --axis journal: how many exchanges are played on each journal.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
}

/// One size with the median cost of each step.
pub(super) struct Row {
    pub(super) exchanges: u64,
    pub(super) bytes: u64,
    pub(super) costs: Vec<Cost>,
}

/// What is timed of each exchange.
pub(super) const STEPS: [&str; 6] = ["accept", "sent", "answered", "delivered", "read_key", "read_messages"];

pub(super) fn run(args: &Args, values: &[u32], parent: Option<&Path>, form: Form) -> Result<Exit, Failure> {
    let thrown = folder(parent, "journal")?;
    let place = args.keep.as_deref().unwrap_or_else(|| thrown.path());
    std::fs::create_dir_all(place).map_err(|error| refused("folder")(&error))?;
    let fsync = durable_append(place).map_err(|error| refused("fsync")(&error))?;
    let rows = measured(place, values, args.bodies, args.rounds)?;
    output::say(&match form {
        Form::Json => output::json(&object(&rows, &fsync)),
        Form::Text => page(&rows, &fsync),
    });
    Ok(Exit::Ok)
}

/// Fills a journal for each size, then plays on all of them in turn.
pub(super) fn measured(place: &Path, values: &[u32], bodies: u64, rounds: u32) -> Result<Vec<Row>, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| refused("runtime")(&error))?;
    let mut subjects = Vec::new();
    for value in values {
        let (file, exchanges) = (place.join(format!("journal-{value}.db")), u64::from(*value));
        runtime.block_on(begin(&file))?;
        fill(&file, &Fill { exchanges, bodies })?;
        subjects.push((file, exchanges));
    }
    runtime.block_on(play(&subjects, rounds))
}

/// The exchange that is copied: it goes through the journal like any other.
async fn begin(file: &Path) -> Result<(), Failure> {
    if file.exists() {
        return Ok(());
    }
    let journal = SqliteJournal::open(file).map_err(|error| refused("journal")(&error))?;
    exchange(&journal, PATTERN).await?;
    journal.close().await;
    Ok(())
}

async fn play(subjects: &[(PathBuf, u64)], rounds: u32) -> Result<Vec<Row>, Failure> {
    let mut open = Vec::new();
    for (file, exchanges) in subjects {
        let journal = SqliteJournal::open(file).map_err(|error| refused("journal")(&error))?;
        open.push((journal, *exchanges, STEPS.map(|_| Vec::new())));
    }
    for round in 0..rounds + WARM_UP {
        for (journal, exchanges, samples) in &mut open {
            // Numbers of this run alone, so that one on a kept journal does not meet an earlier one.
            let fresh = format!(
                "{}-{round}",
                hangu::clock::millis(hangu::clock::Clock::now(&hangu::shell::SystemClock))
            );
            let mut times = exchange(journal, &fresh).await?.to_vec();
            times.extend(reads(journal, *exchanges, u64::from(round)).await?);
            if round >= WARM_UP {
                samples.iter_mut().zip(times).for_each(|(samples, us)| samples.push(us));
            }
        }
    }
    let mut rows = Vec::new();
    for ((journal, exchanges, samples), (file, _)) in open.into_iter().zip(subjects) {
        journal.close().await;
        rows.push(Row {
            exchanges,
            bytes: std::fs::metadata(file).map_or(0, |file| file.len()),
            costs: samples.into_iter().map(cost).collect(),
        });
    }
    Ok(rows)
}

/// Brings one exchange from acceptance to delivery; microseconds of each step.
async fn exchange(journal: &SqliteJournal, serial: &str) -> Result<[f64; 4], Failure> {
    let started = Instant::now();
    let written = journal
        .write(Write::Accept(Box::new(accept(serial))))
        .await
        .map_err(|error| refused("journal")(&error))?;
    let accepted = micros(started.elapsed());
    let accepted_as = written.accepted().map_err(|error| refused("journal")(&error))?;
    let Accepted::New { id, .. } = accepted_as else {
        return Err(refused("journal")(&"an exchange was not new"));
    };
    let sent = Move {
        link_out: Some("platform".into()),
        out_key: Some(format!("platform|{serial}")),
        messages: vec![message("sent", "request", OUTBOUND_BYTES)],
        attempt: true,
        ..step(id, State::Accepted, State::Sent)
    };
    let answered = Move {
        outcome: Some(StoredOutcome {
            name: "success".into(),
            reason: None,
            text: None,
        }),
        messages: vec![
            message("received", "reply", OUTBOUND_BYTES),
            message("sent", "reply", REPLY_BYTES),
        ],
        answers: Some(key(serial)),
        ..step(id, State::Sent, State::Answered)
    };
    let delivered = step(id, State::Answered, State::Delivered);
    let mut times = [accepted, 0.0, 0.0, 0.0];
    for (time, change) in times.iter_mut().skip(1).zip([sent, answered, delivered]) {
        let started = Instant::now();
        let moved = journal
            .write(Write::Move(Box::new(change)))
            .await
            .map_err(|error| refused("journal")(&error))?;
        *time = micros(started.elapsed());
        if moved != Written::Moved {
            return Err(refused("journal")(&"a move was refused"));
        }
    }
    Ok(times)
}

/// A lookup of any exchange by its key, and the messages of a newer one.
async fn reads(journal: &SqliteJournal, exchanges: u64, round: u64) -> Result<[f64; 2], Failure> {
    let drawn = 2 + round.wrapping_mul(SPREAD) % exchanges.saturating_sub(2).max(1);
    let newest = i64::try_from(exchanges - round % NEWEST.min(exchanges)).unwrap_or(1);
    let wanted = [Read::ByCommunicationKey(key(&number(drawn))), Read::Messages(newest)];
    let mut times = [0.0; 2];
    for (time, read) in times.iter_mut().zip(wanted) {
        let started = Instant::now();
        let found = journal.read(read).await.map_err(|error| refused("journal")(&error))?;
        *time = micros(started.elapsed());
        drop(found);
    }
    Ok(times)
}

fn accept(serial: &str) -> Accept {
    Accept {
        owner: "bench".into(),
        lease_until: NOW + 10_000,
        communication_key: key(serial),
        business_key: Some(format!("900584099999|debit|E{serial}")),
        content: [7; 32],
        link_in: "centre".into(),
        operation: "debit".into(),
        institution: Some("Z2099999000010".into()),
        amount_fen: Some(1_250),
        initiator: "900584099999".into(),
        msg_id: format!("M{serial}"),
        msg_code: CODE.into(),
        end_to_end_id: Some(format!("E{serial}")),
        settlement_date: Some("2026-12-01".into()),
        batch: Some("B202612010001".into()),
        account_digest: Some(keys::sm3::sm3(&[serial.as_bytes()])),
        cancels: None,
        identities: Vec::new(),
        message: message("received", "request", REQUEST_BYTES),
        at: NOW,
        deadline: NOW + 30_000,
        sends: None,
    }
}

fn key(serial: &str) -> String {
    format!("centre|900584099999|NPS|20261201|{serial}|{CODE}")
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

fn object(rows: &[Row], fsync: &Cost) -> Value {
    let row = |row: &Row| {
        let steps = STEPS
            .iter()
            .zip(&row.costs)
            .map(|(name, cost)| ((*name).to_owned(), json!(cost.median_us)));
        json!({"exchanges": row.exchanges, "bytes": row.bytes, "median_us": steps.collect::<serde_json::Map<_, _>>()})
    };
    json!({"axis": "journal", "build": build(), "fsync_us": fsync.median_us, "rows": rows.iter().map(row).collect::<Vec<_>>()})
}

fn page(rows: &[Row], fsync: &Cost) -> String {
    let titles = ["exchanges", "MiB"]
        .into_iter()
        .chain(STEPS)
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let line = |row: &Row| {
        let sizes = [row.exchanges.to_string(), (row.bytes >> 20).to_string()];
        sizes
            .into_iter()
            .chain(row.costs.iter().map(|cost| format!("{:.0}", cost.median_us)))
            .collect::<Vec<_>>()
    };
    let table = table(&titles, &rows.iter().map(line).collect::<Vec<_>>());
    format!(
        "medians in us, each write alone with its fsync, which takes {:.0} us by itself\n\n{table}",
        fsync.median_us
    )
}

const NOW: i64 = 1_796_000_000_000;
const CODE: &str = "NPS.142.001.01";
const REQUEST_BYTES: usize = 2_500;
const OUTBOUND_BYTES: usize = 1_200;
const REPLY_BYTES: usize = 2_100;
const WARM_UP: u32 = 20;
/// Odd and large, so that lookups wander over the whole journal.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const NEWEST: u64 = 10_000;
