//! The journal's promise against `kill -9` and a failing disk: what was answered is there, what is there is whole.
//!
//! The test binary runs itself as the process that is killed; `journal_crash_child` is that process and does nothing otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "tests fail by panicking, and the child reports on its standard output"
)]

use crate::journal::data::{accept, fresh, key, message, step, unlocked, walk};
use hangu::journal::sqlite::{Options, SqliteJournal, Store};
use hangu::journal::{Exchange, Journal, JournalError, Move, Read, Search, State, Write, Written};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const ROUNDS: u64 = 30;
const TASKS: u32 = 16;
const CHILD: &str = "HANGU_JOURNAL_CHILD";
const ROUND: &str = "HANGU_JOURNAL_ROUND";

#[test]
fn what_was_answered_survives_kill() {
    let mut seed = getrandom::u64().unwrap() | 1;
    println!("seed of the kill times: {seed}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut promised = Promised::default();
    for round in 0..ROUNDS {
        let mut child = child(&path, "load", round).spawn().unwrap();
        let before = promised.states.len();
        promised.hear_until_killed(&mut child, Duration::from_millis(5 + random(&mut seed) % 120));
        assert!(promised.states.len() > before, "round {round}: nothing was answered");
        promised.check(&path);
    }
    println!("{ROUNDS} kills, {} exchanges answered, all there", promised.states.len());
}

/// A write beyond the file size limit fails like a broken disk: the result of that commit is unknown, nothing answered is
/// lost, and after the file was opened anew it goes on.
#[test]
fn an_input_output_error_leaves_the_outcome_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let inner = child(&path, "fail", 0);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args());
    command
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut promised = Promised::default();
    promised.hear(&mut child);
    assert!(child.wait().unwrap().success());
    assert!(promised.states.len() > 20, "{} answered", promised.states.len());
    promised.check(&path);
}

/// The process that is killed or whose disk fails.
#[test]
fn journal_crash_child() {
    let Some(child) = std::env::var_os(CHILD) else { return };
    let round = std::env::var_os(ROUND).unwrap().into_string().unwrap();
    let (kind, path) = child.to_str().unwrap().split_once(':').unwrap();
    let path = PathBuf::from(path);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match kind {
        "load" => runtime.block_on(load(&path, &round)),
        "fail" => runtime.block_on(until_it_fails(&path)),
        other => panic!("no child is called {other}"),
    }
}

fn child(path: &Path, kind: &str, round: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "journal_crash::journal_crash_child", "--nocapture"]);
    command
        .env(CHILD, format!("{kind}:{}", path.display()))
        .env(ROUND, round.to_string());
    command.stdout(Stdio::piped());
    command
}

/// Writes until killed, and says what was answered.
async fn load(path: &Path, round: &str) {
    // Small bounds: the log is copied and begun anew all the time.
    let options = Options {
        checkpoint_bytes: 1 << 17,
        log_bytes_max: 1 << 19,
        ..Options::default()
    };
    let journal: Arc<dyn Journal> = Arc::new(unlocked(|| SqliteJournal::open_with(path, options.clone())).unwrap());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (journal, round) = (Arc::clone(&journal), round.to_owned());
        tasks.spawn(async move {
            for number in 0.. {
                one_exchange(&*journal, &format!("{round}-{task}-{number}")).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn one_exchange(journal: &dyn Journal, serial: &str) {
    let id = fresh(journal, accept(serial)).await;
    println!("ack {id} accepted {serial}");
    let steps = [
        (State::Accepted, State::Sent),
        (State::Sent, State::Answered),
        (State::Answered, State::Delivered),
    ];
    for (from, to) in steps {
        let change = Move {
            messages: vec![message("sent", "reply", to.name(), 2_000)],
            answers: Some(key(serial)),
            attempt: true,
            ..step(id, &[from], to, 2_000)
        };
        assert_eq!(walk(journal, change).await, Written::Moved);
        println!("ack {id} {} {serial}", to.name());
    }
    let reserve = Write::Reserve {
        instance: "one".into(),
        date: "d".into(),
        kind: "k".into(),
        count: 3,
    };
    let first = journal.write(reserve).await.unwrap().reserved().unwrap();
    println!("ack {first} serial {serial}");
}

/// Writes until the disk fails, and then some more.
async fn until_it_fails(path: &Path) {
    let journal = unlocked(|| SqliteJournal::open(path)).unwrap();
    let mut failures = 0;
    let mut after = 0;
    for number in 0..20_000 {
        let serial = number.to_string();
        match journal.write(Write::Accept(Box::new(accept(&serial)))).await {
            Ok(written) => {
                written.accepted().unwrap();
                let read = Read::ByCommunicationKey(key(&serial));
                let id = journal.read(read).await.unwrap().exchange().unwrap().unwrap().id;
                println!("ack {id} accepted {serial}");
                after += failures;
            }
            Err(JournalError::Unknown(_)) => failures = 1,
            Err(error) => panic!("{error}"),
        }
        if after == 20 {
            return;
        }
    }
    panic!("the disk did not fail, or did not come back: {failures} failures, {after} writes after");
}

/// What the child was told is durable.
#[derive(Default)]
struct Promised {
    /// State and serial by exchange.
    states: BTreeMap<i64, (State, String)>,
    /// First serials of blocks of three.
    blocks: BTreeMap<i64, String>,
}

impl Promised {
    /// Kills the child so long after its first answer.
    fn hear_until_killed(&mut self, child: &mut Child, after: Duration) {
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while self.hear_line(&mut lines) == Some(false) {}
        std::thread::scope(|scope| {
            let heard = scope.spawn(|| while self.hear_line(&mut lines).is_some() {});
            std::thread::sleep(after);
            child.kill().unwrap();
            child.wait().unwrap();
            heard.join().unwrap();
        });
    }

    fn hear(&mut self, child: &mut Child) {
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while self.hear_line(&mut lines).is_some() {}
    }

    /// Hears one line: None at the end, true for an answer. A line that the kill cut short says nothing.
    fn hear_line(&mut self, lines: &mut impl BufRead) -> Option<bool> {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let whole = line.strip_suffix('\n')?;
        let words: Vec<&str> = whole.split(' ').collect();
        // The first answer may stand behind what the test harness prints on the same line.
        let Some(at) = words.iter().position(|word| *word == "ack") else {
            return Some(false);
        };
        let [id, what, serial] = words[at + 1..] else {
            panic!("not understood: {whole}")
        };
        let id = id.parse().unwrap();
        if what == "serial" {
            assert_eq!(self.blocks.insert(id, serial.into()), None, "block {id} was given twice");
        } else {
            self.states.insert(id, (state_of(what), serial.into()));
        }
        Some(true)
    }

    /// Opens what was left, which also checks the file, and looks for everything.
    fn check(&self, path: &Path) {
        let store = unlocked(|| Store::open(path)).unwrap();
        let search = Search {
            limit: u32::MAX,
            ..Search::default()
        };
        let found = store.query(&Read::Search(Box::new(search))).unwrap().exchanges().unwrap();
        let found: BTreeMap<i64, Exchange> = found.into_iter().map(|exchange| (exchange.id, exchange)).collect();
        for (id, (state, serial)) in &self.states {
            let exchange = found
                .get(id)
                .unwrap_or_else(|| panic!("exchange {id} was answered and is lost"));
            assert_eq!(exchange.communication_key, key(serial));
            assert!(
                exchange.state >= *state,
                "exchange {id} was {} and is {}",
                state.name(),
                exchange.state.name()
            );
        }
        for exchange in found.values() {
            is_whole(&store, exchange);
        }
        let mut end = 0;
        for first in self.blocks.keys() {
            assert!(*first >= end, "serial {first} was given twice");
            end = first + 3;
        }
    }
}

/// Every write is there entirely or not at all: each state brought one message and one attempt.
fn is_whole(store: &Store, exchange: &Exchange) {
    let messages = store.query(&Read::Messages(exchange.id)).unwrap().messages().unwrap();
    let requests = store.query(&Read::Requests(exchange.id)).unwrap().requests().unwrap();
    let moves = usize::try_from(exchange.attempts).unwrap();
    assert_eq!((messages.len(), requests.len()), (1 + moves, 1), "exchange {}", exchange.id);
    assert_eq!(messages[moves].part == "reply", moves > 0);
    assert_eq!(requests[0].replied.is_some(), moves > 0);
    let expected = [State::Accepted, State::Sent, State::Answered, State::Delivered][moves];
    assert_eq!(exchange.state, expected);
}

fn state_of(name: &str) -> State {
    State::ALL.into_iter().find(|state| state.name() == name).unwrap()
}

/// Xorshift: enough to vary when a process dies.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}
