//! What the clustered journal costs a payment: two instances play payments on one PostgreSQL, so many a second. What was done is
//! to be read off the server, as `docs/performance.md` shows. With `verify` in place of a rate it proves what stands there.
#![allow(
    clippy::disallowed_methods,
    reason = "it plays by the clock, and its keys begin at the time"
)]

use hangu::journal::postgres::{LeaseClock, Options, PostgresJournal};
use hangu::journal::verify::{Said, Verifier};
use hangu::journal::{
    Accept, Accepted, Chain, EPOCH_FIRST, ExchangeId, Journal, JournalError, MessageRecord, Move, OriginalKey, SealedRecord,
    Sending, State, StoredOutcome, Write, Written,
};
use hangu::secret::Password;
use std::error::Error;
use std::io::{Write as _, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, database, number, rate] = arguments.as_slice() else {
        return Err("cluster_cost HOST:PORT DATABASE NUMBER RATE".into());
    };
    if rate == "verify" {
        return verified(address, database).await;
    }
    let (number, rate): (u64, f64) = (number.parse()?, rate.parse()?);
    let first = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_micros();
    let first = u64::try_from(first)?;
    let mut instances = Vec::new();
    for name in ["one", "two"] {
        let journal = PostgresJournal::open(options(address, database, name)).await?;
        instances.push(Arc::new(journal));
    }
    let started = Instant::now();
    let mut times = played(&instances, first, number, rate).await?;
    let seconds = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
    writeln!(
        stdout(),
        "{number} payments in {seconds:.1} s; until answered: p50 {:?}, p99 {:?}, p99.9 {:?}",
        at(500),
        at(990),
        at(999)
    )?;
    for journal in instances {
        journal.close().await;
    }
    Ok(())
}

async fn verified(address: &str, database: &str) -> Result<(), Box<dyn Error>> {
    let options = options(address, database, "one");
    let journal = PostgresJournal::open_read_only(options.clone()).await?;
    let verifier = Verifier {
        journal: &journal,
        chain: &options.chain,
        opening: &|_| Ok(Said::default()),
        kept_since: 0,
        known: None,
    };
    let started = Instant::now();
    let report = verifier.verify().await?;
    let seconds = started.elapsed().as_secs_f64();
    writeln!(stdout(), "{} exchanges in {seconds:.1} s", report.checked.exchanges)?;
    journal.close().await;
    Ok(())
}

fn options(address: &str, database: &str, name: &str) -> Options {
    Options {
        addresses: vec![address.to_owned()],
        database: database.to_owned(),
        user: "hangu".to_owned(),
        password: Some(Password::new("of-one-bench-only")),
        lease_clock: LeaseClock::Database,
        chain: Chain::unkeyed(name),
        ..Options::default()
    }
}

/// Payments begin evenly spaced, whatever became of those before; gives the times until each was answered, from its due
/// beginning.
async fn played(instances: &[Arc<PostgresJournal>], first: u64, number: u64, rate: f64) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut tasks = JoinSet::new();
    let next = Arc::new(AtomicU64::new(first));
    let mut ticks = interval_at(tokio::time::Instant::now(), Duration::from_secs_f64(1.0 / rate));
    for (_, journal) in (0..number).zip(instances.iter().cycle()) {
        let due = ticks.tick().await;
        let (journal, serial) = (Arc::clone(journal), next.fetch_add(1, Ordering::Relaxed));
        tasks.spawn(async move { payment(&*journal, serial).await.map(|answered| answered.duration_since(due)) });
    }
    let times: Result<Vec<Duration>, JournalError> = tasks.join_all().await.into_iter().collect();
    Ok(times?)
}

async fn payment(journal: &dyn Journal, serial: u64) -> Result<tokio::time::Instant, JournalError> {
    let accepted = journal.write(Write::Accept(Box::new(accept(serial)))).await?;
    let Written::Accepted(accepted) = accepted else {
        return Err(JournalError::Refused(format!("{accepted:?}")));
    };
    let Accepted::New { id, .. } = *accepted else {
        return Err(JournalError::Refused(format!("{accepted:?}")));
    };
    sleep(AWAY).await;
    moved(journal, answered(id, serial)).await?;
    let answered = tokio::time::Instant::now();
    moved(journal, step(id, State::Answered, State::Delivered)).await?;
    Ok(answered)
}

async fn moved(journal: &dyn Journal, step: Move) -> Result<(), JournalError> {
    match journal.write(Write::Move(Box::new(step))).await? {
        Written::Moved => Ok(()),
        Written::Stale(exchange) => Err(JournalError::Refused(format!("exchange {} is stale", exchange.id))),
        Written::Accepted(_)
        | Written::Stored
        | Written::Parked { .. }
        | Written::Reserved(_)
        | Written::Conflict(_)
        | Written::Taken(_)
        | Written::Pruned(_) => Err(JournalError::Refused("a move was answered otherwise".into())),
    }
}

fn accept(serial: u64) -> Accept {
    let name = |code: &str, part: &str| OriginalKey {
        initiator: "900584099999".into(),
        msg_id: format!("{part}{}", text(serial)),
        msg_code: code.into(),
    };
    Accept {
        owner: "bench".into(),
        lease_until: NOW + 10_000,
        communication_key: key(serial),
        business_key: Some(format!("900584099999|debit|E{}", text(serial))),
        content: [7; 32],
        link_in: "centre".into(),
        operation: "debit".into(),
        institution: Some("Z2099999000010".into()),
        amount_fen: Some(1_250),
        initiator: "900584099999".into(),
        msg_id: format!("M{}", text(serial)),
        msg_code: CODE.into(),
        end_to_end_id: Some(format!("E{}", text(serial))),
        settlement_date: Some("2026-12-01".into()),
        batch: Some("B202612010001".into()),
        account_digest: Some(keys::sm3::sm3(&[&serial.to_be_bytes()])),
        cancels: None,
        identities: vec![name(CODE, "T"), name("T", "E"), name("T", "M")],
        message: message("received", "request", serial, 2_500),
        at: NOW,
        deadline: NOW + 30_000,
        sends: Some(Box::new(Sending {
            link_out: "platform".into(),
            out_key: format!("platform|Z2099999000010|NPS|20261201|{}|{CODE}", text(serial)),
            message: message("sent", "request", serial, 1_200),
            due: NOW + 30_000,
        })),
    }
}

fn answered(id: ExchangeId, serial: u64) -> Move {
    Move {
        outcome: Some(StoredOutcome {
            name: "success".into(),
            reason: None,
            text: None,
        }),
        messages: vec![
            message("received", "reply", serial, 1_200),
            message("sent", "reply", serial, 2_100),
        ],
        answers: Some(key(serial)),
        ..step(id, State::Sent, State::Answered)
    }
}

/// Counts up, as the centre's serials do.
fn text(serial: u64) -> String {
    format!("20261201{serial:024}")
}

fn key(serial: u64) -> String {
    format!("centre|900584099999|NPS|20261201|{}|{CODE}", text(serial))
}

/// Sealed bytes, which nothing compresses.
fn message(direction: &'static str, part: &str, serial: u64, bytes: usize) -> MessageRecord {
    let mut state = serial | 1;
    let sealed = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    });
    MessageRecord {
        link: "centre".into(),
        direction,
        part: part.into(),
        code: CODE.into(),
        record: SealedRecord {
            key: "journal-1".into(),
            sealed: sealed.take(bytes).collect(),
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
/// How long a payment is away at the platform.
const AWAY: Duration = Duration::from_millis(2);
