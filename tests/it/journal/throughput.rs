//! How fast it is, printed beside what one fsync of the same folder costs: without that the figure says nothing.

use super::data::{accept, deliver, fresh};
use crate::database;
use hangu::journal::Journal;
use hangu::journal::postgres::{Options, PostgresJournal};
use hangu::journal::sqlite::SqliteJournal;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const TASKS: u32 = 64;
const EXCHANGES_EACH: u32 = if cfg!(debug_assertions) { 10 } else { 300 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_three_moves() {
    let folder = tempfile::tempdir().unwrap();
    let fsync = fsync_time(folder.path());
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&folder.path().join("journal.db")).unwrap());
    measure("SQLite", &journal, fsync).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_three_moves_in_a_database() {
    let fsync = fsync_time(tempfile::tempdir().unwrap().path());
    for connections in [1, 4] {
        let options = Options {
            connections,
            ..database::shared().fresh()
        };
        let journal: Arc<dyn Journal> = Arc::new(PostgresJournal::open(options).await.unwrap());
        measure(&format!("PostgreSQL, {connections} connections"), &journal, fsync).await;
    }
}

async fn measure(name: &str, journal: &Arc<dyn Journal>, fsync: Duration) {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let journal = Arc::clone(journal);
        tasks.spawn(async move {
            for number in 0..EXCHANGES_EACH {
                let id = fresh(&*journal, accept(&format!("{task}-{number}"))).await;
                deliver(&*journal, id).await;
            }
        });
    }
    tasks.join_all().await;
    let exchanges = TASKS * EXCHANGES_EACH;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{name}: {exchanges} exchanges of 4 writes by {TASKS} tasks: {:.0} exchanges/s, {:.0} writes/s; fsync p50 {fsync:?}",
        f64::from(exchanges) / seconds,
        f64::from(exchanges * 4) / seconds
    );
}

fn fsync_time(folder: &Path) -> Duration {
    let mut file = File::create(folder.join("probe")).unwrap();
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            file.write_all(&[0; 4096]).unwrap();
            let started = Instant::now();
            file.sync_data().unwrap();
            started.elapsed()
        })
        .collect();
    times.sort();
    times[50]
}
