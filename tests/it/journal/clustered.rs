//! What only the shared journal promises: several instances on one database, and clear words when it cannot be used.

use super::chaining::{settle, whole_chains};
use super::data::{Subjected, accept, deliver, fresh, message, park, step, stored, take, take_over, walk};
use crate::database;
use crate::proxy::{Fault, Proxy};
use hangu::journal::postgres::{LeaseClock, Options, PostgresJournal};
use hangu::journal::{Accept, Accepted, Chain, EPOCH_FIRST, Journal, JournalError, Move, Read, Search, State, Write, Written};
use hangu::secret::Password;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

async fn open(options: &Options, name: &str) -> Arc<dyn Journal> {
    let options = Options {
        chain: Chain::unkeyed(name),
        ..options.clone()
    };
    Arc::new(PostgresJournal::open(options).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_share_the_tables() {
    let options = database::shared().fresh();
    let mut starts = JoinSet::new();
    for number in 0..6 {
        let options = options.clone();
        starts.spawn(async move { open(&options, &format!("hangu-{number}")).await });
    }
    let journals = starts.join_all().await;
    let mut accepts = JoinSet::new();
    for number in 0..60 {
        let journal = Arc::clone(&journals[number % journals.len()]);
        accepts.spawn(async move { take(&*journal, accept(&(number / 6).to_string())).await });
    }
    let accepted = accepts.join_all().await;
    let new = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::New { .. }))
        .count();
    let repeats = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::Repeat { .. }))
        .count();
    assert_eq!((new, repeats), (10, 50), "ten keys, each asked for by all six");
}

/// Each lane has chains of its own, whole for itself, whoever else writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chains_of_all_writers_are_whole() {
    let options = database::shared().fresh();
    let mut tasks = JoinSet::new();
    for name in ["a", "b"] {
        let journal = open(&options, name).await;
        for task in 0..16 {
            let journal = Arc::clone(&journal);
            tasks.spawn(async move {
                for number in 0..4 {
                    let id = fresh(&*journal, accept(&format!("{name}-{task}-{number}"))).await;
                    settle(&journal, id).await;
                }
            });
        }
    }
    // A prune goes on meanwhile, and finds nothing that is old enough.
    let journal = open(&options, "c").await;
    assert_eq!(journal.write(Write::Prune { before: 0 }).await, Ok(Written::Pruned(0)));
    tasks.join_all().await;
    let tips = whole_chains(&journal, &Chain::unkeyed("any")).await;
    assert_eq!(tips.iter().map(|tip| tip.seq).sum::<i64>(), 128);
    let writers: BTreeSet<&str> = tips.iter().filter_map(|tip| tip.chain.split('.').next()).collect();
    assert_eq!(writers, BTreeSet::from(["a", "b"]));
}

/// The owner is cut off without knowing; another instance takes over; what the owner does afterwards meets the epoch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_owner_is_fenced_by_the_epoch() {
    let options = database::shared().fresh();
    let proxy = Proxy::to(&options.addresses[0]).await;
    let behind = Options {
        addresses: vec![proxy.address()],
        transaction_ms: 500,
        connection_wait_ms: 20_000,
        ..options.clone()
    };
    let owner = open(&behind, "one").await;
    let id = fresh(&*owner, accept("1")).await;
    proxy.inflict(&Fault::Freeze).await;
    let frozen = owner
        .write(Write::Move(Box::new(step(id, &[State::Accepted], State::Sent, 2_000))))
        .await;
    assert!(matches!(frozen, Err(JournalError::Refused(_))), "{frozen:?}");
    let other = open(&options, "two").await;
    assert_eq!(take_over(&other, "two", 10_001, false, 10).await, [id]);
    // The owner's next connections are sound.
    let late = walk(&*owner, step(id, &[State::Accepted], State::Sent, 2_000)).await;
    let Written::Stale(exchange) = late else { panic!("{late:?}") };
    assert_eq!((exchange.owner.as_str(), exchange.epoch), ("two", EPOCH_FIRST + 1));
    let ours = Move {
        epoch: EPOCH_FIRST + 1,
        ..step(id, &[State::Accepted], State::Sent, 3_000)
    };
    assert_eq!(walk(&*other, ours).await, Written::Moved);
}

/// Instances whose clocks are wrong agree on leases: only their length is taken from them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_go_by_the_clock_of_the_database() {
    let server = database::shared();
    let mut options = server.fresh();
    options.lease_clock = LeaseClock::Database;
    let journal = open(&options, "one").await;
    let id = fresh(&*journal, accept("1")).await;
    let now = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    let now: i64 = server.sql(&options.database, now).parse().unwrap();
    let exchange = stored(&*journal, id).await;
    let lease = exchange.lease_until - now;
    assert!((4_000..=9_000).contains(&lease), "of 9 s asked for, {lease} ms are left");
    assert_eq!(
        (exchange.accepted_at, exchange.deadline),
        (1_000, 5_000),
        "other times stay as given"
    );
    let far = 4_000_000_000_000;
    assert_eq!(
        take_over(&journal, "two", far, false, 10).await,
        [0; 0],
        "a clock ahead takes nothing over"
    );
    let short = Accept {
        lease_until: 1_001,
        ..accept("2")
    };
    let short = fresh(&*journal, short).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        take_over(&journal, "two", 0, false, 10).await,
        [short],
        "a clock behind takes over what has ended"
    );
    let renew = Write::Renew {
        owner: "one".into(),
        now: 0,
        lease_until: 60_000,
    };
    assert_eq!(journal.write(renew).await, Ok(Written::Stored));
    assert!(stored(&*journal, id).await.lease_until - now > 50_000);
}

/// While many exchanges move, leases are renewed and taken over: nobody waits in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_and_moves_do_not_wait_for_each_other_in_a_circle() {
    let server = database::shared();
    let options = server.fresh();
    let journal = open(&options, "one").await;
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            for number in 0..5 {
                let id = fresh(&*journal, accept(&format!("{task}-{number}"))).await;
                deliver(&*journal, id).await;
            }
        });
    }
    let mut until = 20_000;
    while tasks.try_join_next().is_some() || !tasks.is_empty() {
        let renew = Write::Renew {
            owner: "one".into(),
            now: 2_000,
            lease_until: until,
        };
        assert_eq!(journal.write(renew).await, Ok(Written::Stored));
        until += 1;
    }
    let deadlocks = format!(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'",
        options.database
    );
    journal.close().await;
    assert_eq!(server.sql("postgres", &deadlocks), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_used_says_why() {
    let server = database::shared();
    let good = server.fresh();
    open(&good, "one").await.close().await;
    let with = |sql: &str| {
        let options = server.fresh();
        server.sql(&options.database, &sql.replace("DB", &options.database));
        options
    };
    server.sql(
        "postgres",
        "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    let newer = server.fresh();
    open(&newer, "one").await.close().await;
    server.sql(&newer.database, "UPDATE meta SET value = '99' WHERE name = 'schema_version'");
    let wrong_password = Options {
        password: Some(Password::new("not-the-password")),
        ..good.clone()
    };
    let nobody = Options {
        addresses: vec!["127.0.0.1:1".into()],
        ..good.clone()
    };
    let cases = [
        (wrong_password, "password authentication failed"),
        (nobody, "127.0.0.1:1: "),
        (server.options("nowhere"), "does not exist"),
        (server.options("ascii"), "encoding"),
        (
            with("ALTER DATABASE DB SET synchronous_commit = off"),
            "synchronous_commit is off",
        ),
        (
            with("ALTER DATABASE DB SET synchronous_commit = local"),
            "synchronous_commit is local",
        ),
        (
            with("ALTER DATABASE DB SET default_transaction_read_only = on"),
            "takes no writes",
        ),
        (with("CREATE TABLE exchange (id BIGINT)"), "another programme's tables"),
        (
            with("CREATE TABLE meta (name TEXT, value TEXT); CREATE TABLE message (id BIGINT)"),
            "another programme's tables",
        ),
        (newer, "schema version 99 is newer"),
    ];
    for (options, expected) in cases {
        let place = format!("{} {:?}", options.database, options.addresses);
        let Err(error) = PostgresJournal::open(options.clone()).await else {
            panic!("{place}: opened")
        };
        assert!(error.to_string().contains(expected), "{place}: {error}");
        let Err(error) = PostgresJournal::inspect(options).await else {
            panic!("{place}: inspected")
        };
        let said = error.to_string();
        assert!(
            said.contains(expected) && !said.contains("not-the-password"),
            "{place}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_operators_never_make_tables() {
    let server = database::shared();
    let options = server.fresh();
    for opened in [
        PostgresJournal::open_read_only(options.clone()).await,
        PostgresJournal::open_existing(options.clone()).await,
    ] {
        assert!(matches!(opened, Err(JournalError::Refused(reason)) if reason.contains("no journal yet")));
    }
    assert!(
        PostgresJournal::inspect(options.clone())
            .await
            .unwrap()
            .contains("no tables yet")
    );
    assert_eq!(
        server.sql(
            &options.database,
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ),
        "0"
    );
    let writer = open(&options, "one").await;
    let id = fresh(&*writer, accept("1")).await;
    assert!(
        PostgresJournal::inspect(options.clone())
            .await
            .unwrap()
            .contains("schema version 5")
    );
    // Also on a server that takes no writes, such as a standby.
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", options.database);
    server.sql("postgres", &read_only);
    let reader = PostgresJournal::open_read_only(options.clone()).await.unwrap();
    assert_eq!(stored(&reader, id).await.id, id);
    let refused = reader.write(Write::Accept(Box::new(accept("2")))).await;
    assert!(matches!(refused, Err(JournalError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_can_have_a_schema_of_their_own() {
    let server = database::shared();
    let mut options = server.fresh();
    options.schema = "pay \"ments\"".into();
    let journal = open(&options, "one").await;
    fresh(&*journal, accept("1")).await;
    let found = server.sql(
        &options.database,
        "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('meta', 'exchange')",
    );
    assert_eq!(found, options.schema);
}

/// Whatever the journal is asked, no table is walked whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_goes_by_an_index() {
    let options = database::shared().fresh();
    open(&options, "one").await.close().await;
    // Making the indexes walks the tables.
    let before = walks(&options).await;
    let journal = open(&options, "one").await;
    let id = fresh(&*journal, accept("1")).await;
    settle(&journal, id).await;
    fresh(&*journal, accept("2")).await;
    ask_everything(&journal, id).await;
    for write in every_other_write(id) {
        journal
            .write(write.clone())
            .await
            .unwrap_or_else(|error| panic!("{write:?}: {error}"));
    }
    journal.close().await;
    assert_eq!(walks(&options).await, before);
    let by_index = "SELECT count(*) FROM pg_stat_user_tables WHERE idx_scan > 0";
    let used: u32 = database::shared().sql(&options.database, by_index).parse().unwrap();
    assert_eq!(used, 11, "every table was asked");
}

/// Walks over whole tables so far, but for the one row of `meta`.
async fn walks(options: &Options) -> String {
    let (server, name) = (database::shared(), &options.database);
    // A backend reports what it did when it ends.
    let busy = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    while server.sql("postgres", &busy) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let walked = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname <> 'meta' ORDER BY relname";
    server.sql(name, walked)
}

async fn ask_everything(journal: Subjected<'_>, id: i64) {
    let search = |change: &dyn Fn(&mut Search)| {
        let mut search = Search {
            limit: 10,
            ..Search::default()
        };
        change(&mut search);
        Read::Search(Box::new(search))
    };
    let parked = |id, status| Read::Parked { id, status, limit: 10 };
    let reads = [
        Read::Exchange(id),
        Read::ByOutKey("x".into()),
        Read::ByCommunicationKey("x".into()),
        Read::ByOriginal(super::data::original("1")),
        Read::Messages(id),
        Read::Due {
            owner: "one".into(),
            now: 9_000,
            limit: 10,
        },
        Read::ReplyTo("x".into()),
        Read::Requests(id),
        search(&|search| search.id = Some(id)),
        search(&|search| search.key = Some("x".into())),
        search(&|search| search.account_digest = Some([1; 32])),
        search(&|search| search.state = Some(State::Unknown)),
        search(&|search| search.settlement_date = Some("x".into())),
        search(&|_| {}),
        parked(Some(1), None),
        parked(None, Some("parked")),
        parked(None, Some("releasing")),
        parked(None, Some("released")),
        parked(None, None),
        Read::Setting("x".into()),
        Read::Figures { now: 9_000 },
        Read::Scan { after: 0, limit: 10 },
        Read::Effects {
            after: hangu::journal::EffectKey::default(),
            limit: 10,
        },
        Read::EffectOf(id),
        Read::Exchanges(vec![id]),
        Read::Kept(vec![id]),
        Read::Twins(vec![id]),
        Read::Tips,
    ];
    for read in reads {
        journal
            .read(read.clone())
            .await
            .unwrap_or_else(|error| panic!("{read:?}: {error}"));
    }
}

fn every_other_write(id: i64) -> Vec<Write> {
    vec![
        Write::Accept(Box::new(accept("1"))),
        Write::Accept(Box::new(super::data::cancel("3", "2"))),
        Write::Accept(Box::new(super::data::cancel("4", "none"))),
        Write::Reply {
            replaces: None,
            id,
            answers: super::data::key("1"),
            message: message("sent", "reply", "x", 5_000),
        },
        Write::Park(Box::new(park("q", "x"))),
        Write::Resolve {
            id: 1,
            to: hangu::journal::Resolution::Releasing,
            note: None,
            at: 5,
        },
        Write::Reserve {
            instance: "one".into(),
            date: "d".into(),
            kind: "k".into(),
            count: 3,
        },
        Write::Set {
            name: "x".into(),
            expect: None,
            value: "y".into(),
            at: 5,
        },
        Write::Renew {
            owner: "one".into(),
            now: 2_000,
            lease_until: 30_000,
        },
        Write::TakeOver {
            owner: "two".into(),
            now: 90_000,
            lease_until: 99_000,
            include_own: true,
            limit: 10,
        },
        Write::Prune { before: 9_000 },
    ]
}

/// What the text of the database cannot hold is refused, and harms no other write of its batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_cannot_be_stored_stops_no_other() {
    let journal = open(&database::shared().fresh(), "one").await;
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            let batch = if number % 10 == 0 { "a\0b" } else { "B1" };
            let request = Accept {
                batch: Some(batch.into()),
                ..accept(&number.to_string())
            };
            (number, journal.write(Write::Accept(Box::new(request))).await)
        });
    }
    for (number, result) in tasks.join_all().await {
        match result {
            Ok(_) => assert_ne!(number % 10, 0),
            Err(JournalError::Refused(_)) => assert_eq!(number % 10, 0, "{number}"),
            Err(error) => panic!("{number}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits() {
    let options = database::shared().fresh();
    let journal = open(&options, "one").await;
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            (
                number,
                journal.write(Write::Accept(Box::new(accept(&number.to_string())))).await,
            )
        });
    }
    tokio::task::yield_now().await;
    let started = Instant::now();
    journal.close().await;
    assert!(started.elapsed() < Duration::from_secs(20));
    let again = open(&options, "one").await;
    for (number, result) in tasks.join_all().await {
        let read = Read::ByCommunicationKey(super::data::key(&number.to_string()));
        let is_there = again.read(read).await.unwrap().exchange().unwrap().is_some();
        assert_eq!(result.is_ok(), is_there, "{number}: {result:?}");
    }
    let late = journal.write(Write::Accept(Box::new(accept("late")))).await;
    assert_eq!(late, Err(JournalError::Refused("the journal is closed".into())));
}
