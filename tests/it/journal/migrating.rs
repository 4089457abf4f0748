//! A shared journal of the former version: it is brought to this one with all that stands in it, and a gateway of the former
//! version that still runs beside it accepts nothing any more.

use super::chaining::settle;
use super::data::{Subjected, accept, fresh, message, outcome, park, step, stored, take, take_over, walk};
use crate::database;
use hangu::journal::postgres::{Options, PostgresJournal};
use hangu::journal::{Accepted, Journal, Read, Search, State, Write, Written};
use std::sync::Arc;

const TABLES: [&str; 9] = [
    "exchange",
    "message",
    "request",
    "sent",
    "original",
    "parked",
    "setting",
    "serial_block",
    "effect",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_the_former_version_goes_on_in_this_one() {
    let mut options = database::shared().fresh();
    let ids = short_day(&options).await;
    let [delivered, answered, sent, accepted] = ids;
    former(&options);
    let before = everything(&opened(&options).await, &ids).await;
    options.schema = "former".into();
    let journal = opened(&options).await;
    assert_eq!(everything(&journal, &ids).await, before, "nothing is lost, nothing changed");
    let open = "SELECT string_agg(exchange_id::text, ' ' ORDER BY exchange_id) FROM former.open_exchange";
    let listed = format!("{answered} {sent} {accepted}");
    assert_eq!(database::shared().sql(&options.database, open), listed);
    assert_eq!(
        take_over(&journal, "two", 1_000_000, false, 10).await,
        [answered, sent, accepted]
    );
    let mut settled = step(sent, &[State::Sent], State::Answered, 4_000);
    settled.epoch += 1;
    settled.outcome = Some(outcome("success", None));
    settled.messages = vec![message("sent", "reply", "done", 4_000)];
    assert_eq!(walk(&*journal, settled).await, Written::Moved);
    let mut confirmed = step(sent, &[State::Answered], State::Delivered, 5_000);
    confirmed.epoch += 1;
    assert_eq!(walk(&*journal, confirmed).await, Written::Moved);
    let repeat = take(&*journal, accept("delivered")).await;
    assert!(matches!(repeat, Accepted::Repeat { exchange, .. } if exchange.id == delivered));
    assert!(fresh(&*journal, accept("later")).await > accepted);
    let pruned = journal.write(Write::Prune { before: 1_000_000 }).await.unwrap();
    assert_eq!(pruned, Written::Pruned(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_of_the_former_version_accepts_nothing_any_more() {
    let options = database::shared().fresh();
    short_day(&options).await;
    // As the former version inserts: it knows no layout, and would not list the exchange as open.
    let insert = "DO $$ BEGIN
        INSERT INTO exchange (id, state, operation, link_in, communication_key, content, initiator, msg_id, msg_code, owner,
            epoch, lease_until, deadline, due, attempts, queries, accepted_at)
        SELECT 1000, state, operation, link_in, 'x', content, initiator, msg_id, msg_code, owner,
            epoch, lease_until, deadline, due, attempts, queries, accepted_at FROM exchange LIMIT 1;
        RAISE 'it was accepted';
        EXCEPTION WHEN not_null_violation THEN NULL; END $$";
    database::shared().sql(&options.database, insert);
}

/// One exchange in each of four states, delivered first, and a parked message.
async fn short_day(options: &Options) -> [i64; 4] {
    let journal = opened(options).await;
    let mut ids = [0; 4];
    for (id, name) in ids.iter_mut().zip(["delivered", "answered", "sent", "accepted"]) {
        *id = fresh(&*journal, accept(name)).await;
    }
    settle(&journal, ids[0]).await;
    for id in [ids[1], ids[2]] {
        let mut sent = step(id, &[State::Accepted], State::Sent, 2_000);
        sent.out_key = Some(format!("out-{id}"));
        sent.messages = vec![message("sent", "request", "asked", 2_000)];
        assert_eq!(walk(&*journal, sent).await, Written::Moved);
    }
    walk(&*journal, step(ids[1], &[State::Sent], State::Answered, 3_000)).await;
    journal.write(Write::Park(Box::new(park("queue", "odd")))).await.unwrap();
    journal.close().await;
    ids
}

async fn opened(options: &Options) -> Arc<dyn Journal> {
    Arc::new(PostgresJournal::open(options.clone()).await.unwrap())
}

/// Makes the tables of version 2 in a schema of their own, with the same rows.
fn former(options: &Options) {
    let sql = |sql: &str| database::shared().sql(&options.database, sql);
    sql(&format!(
        "CREATE SCHEMA former; SET search_path TO former; CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
         INSERT INTO meta VALUES ('schema_version', '2'); {}
         SELECT setval('exchange_ids', nextval('public.exchange_ids'))",
        include_str!("../../../src/journal/postgres/schema_2.sql")
    ));
    for table in TABLES {
        let columns = sql(&format!(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns
             WHERE table_schema = 'former' AND table_name = '{table}'"
        ));
        sql(&format!(
            "DELETE FROM former.{table}; INSERT INTO former.{table} ({columns}) SELECT {columns} FROM public.{table}"
        ));
    }
}

/// What every kind of read finds.
async fn everything(journal: Subjected<'_>, ids: &[i64]) -> Vec<String> {
    let search = |search: Search| Read::Search(Box::new(Search { limit: 10, ..search }));
    let reads = [
        Read::Scan { after: 0, limit: 10 },
        Read::Kept(ids.to_vec()),
        Read::Due {
            owner: stored(&**journal, ids[0]).await.owner,
            now: 1_000_000,
            limit: 10,
        },
        Read::Figures { now: 9_000 },
        Read::ByOutKey(format!("out-{}", ids[2])),
        search(Search {
            key: Some(format!("out-{}", ids[1])),
            ..Search::default()
        }),
        search(Search {
            state: Some(State::Sent),
            ..Search::default()
        }),
        Read::ParkedAfter { after: 0, limit: 10 },
        Read::Tips,
    ];
    let mut all = Vec::new();
    for read in reads {
        all.push(format!("{:?}", journal.read(read).await.unwrap()));
    }
    all
}
