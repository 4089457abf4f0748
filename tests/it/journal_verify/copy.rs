//! A copy of one real run's folder, to be tampered with, and the command's verdict on it.

use hangu::journal::ExchangeId;
use rusqlite::Connection;
use std::fs::{self, Permissions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A finding by name, and the exchange that it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Named(pub(super) &'static str, pub(super) Option<ExchangeId>);

/// What the command said.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) exit: i32,
    pub(super) json: serde_json::Value,
    pub(super) found: Vec<Named>,
}

pub(super) struct Copy {
    folder: TempDir,
}

impl Copy {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes, permissions) in run() {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, permissions.clone()).unwrap();
        }
        Self { folder }
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(super) fn open(&self) -> Connection {
        let file = Connection::open(self.path("journal.db")).unwrap();
        file.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        file
    }

    /// Changes something; a change of nothing would prove nothing.
    pub(super) fn change(&self, sql: &str) {
        let is_lookup = sql.contains("DELETE FROM sent") || sql.contains("DELETE FROM original");
        let changed = self.open().execute(sql, []).unwrap();
        assert!(changed > 0 || is_lookup, "{sql}");
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The exchange of the nth record of the day's chain.
    pub(super) fn nth(&self, seq: i64) -> ExchangeId {
        self.number(&format!(
            "SELECT exchange_id FROM effect WHERE date <> 'none' AND seq = {seq}"
        ))
    }

    pub(super) fn last(&self) -> ExchangeId {
        self.number("SELECT exchange_id FROM effect WHERE date <> 'none' ORDER BY seq DESC LIMIT 1")
    }

    /// An ordinary debit: one request, sent on, answered, replied to. Which exchanges stand where in the chain differs by run.
    pub(super) fn debit(&self, place: u32) -> ExchangeId {
        self.number(&format!(
            "SELECT id FROM exchange WHERE operation = 'debit' AND outcome = 'success' AND queries = 0 AND link_in = 'centre'
             AND (SELECT count(*) FROM message WHERE exchange_id = exchange.id) = 4 ORDER BY id LIMIT 1 OFFSET {place}"
        ))
    }

    /// A debit that ended so.
    pub(super) fn with_outcome(&self, outcome: &str) -> ExchangeId {
        self.number(&format!(
            "SELECT min(id) FROM exchange WHERE operation = 'debit' AND outcome = '{outcome}'"
        ))
    }

    /// A second exchange of one business with everything that hangs on the first; only keys that must differ do.
    pub(super) fn twin(&self, of: ExchangeId) -> ExchangeId {
        let twin = self.number("SELECT max(id) + 1 FROM exchange");
        let columns = self.number("SELECT count(*) FROM pragma_table_info('exchange')");
        assert!(columns > 20);
        let file = self.open();
        let all: Vec<String> = {
            let mut names = file.prepare("SELECT name FROM pragma_table_info('exchange')").unwrap();
            let names = names.query_map([], |row| row.get(0)).unwrap();
            names.collect::<Result<_, _>>().unwrap()
        };
        let chosen = |name: &String| match name.as_str() {
            "id" => twin.to_string(),
            "business_key" => "NULL".to_owned(),
            "communication_key" | "out_key" => format!("{name} || '|2'"),
            _ => name.clone(),
        };
        let values: Vec<String> = all.iter().map(chosen).collect();
        let insert = format!(
            "INSERT INTO exchange ({}) SELECT {} FROM exchange WHERE id = {of}",
            all.join(", "),
            values.join(", ")
        );
        self.change(&insert);
        self.change(&format!(
            "INSERT INTO message (exchange_id, seq, link, direction, part, code, key_serial, sealed, at)
             SELECT {twin}, seq, link, direction, part, code, key_serial, sealed, at FROM message WHERE exchange_id = {of}"
        ));
        // A further part of the key keeps the serial, by which its copied reply answers it.
        self.change(&format!(
            "INSERT INTO request (communication_key, exchange_id, reply_seq, accepted_at)
             SELECT communication_key || '|2', {twin}, reply_seq, accepted_at FROM request WHERE exchange_id = {of}"
        ));
        twin
    }

    pub(super) fn verify(&self, arguments: &[&str]) -> Verdict {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.args(["journal", "verify", "-o", "json"]).args(arguments);
        let done = command.current_dir(self.folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let json: serde_json::Value = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&done.stderr)));
        let found = json["findings"].as_array().unwrap().iter().map(named).collect();
        Verdict {
            exit: done.status.code().unwrap(),
            json,
            found,
        }
    }

    /// Exactly these findings, in this order, each with a sentence in both languages; and exit 1.
    pub(super) fn finds(&self, arguments: &[&str], expected: &[Named]) -> Verdict {
        let verdict = self.verify(arguments);
        assert_eq!((verdict.exit, &verdict.found[..]), (1, expected), "{}", verdict.json);
        for finding in verdict.json["findings"].as_array().unwrap() {
            let (en, zh) = (finding["en"].as_str().unwrap(), finding["zh"].as_str().unwrap());
            assert!(en.is_ascii() && !en.is_empty() && !zh.is_ascii(), "{finding}");
        }
        verdict
    }
}

fn named(finding: &serde_json::Value) -> Named {
    let name = finding["name"].as_str().unwrap();
    let known = NAMES.iter().find(|known| **known == name);
    Named(
        known.unwrap_or_else(|| panic!("no finding is named {name}")),
        finding["exchange"].as_i64(),
    )
}

/// The files of a run that all tests copy: a small demo, played once.
fn run() -> &'static [(PathBuf, Vec<u8>, Permissions)] {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>, Permissions)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.args(["demo", "--payments", "60", "--rate", "0", "--seed", "3", "--keep"]);
        let status = command.arg(&folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "the demo holds");
        let mut files = Vec::new();
        read_all(&folder, Path::new(""), &mut files);
        files
    })
}

fn read_all(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>, Permissions)>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read_all(root, &path, files);
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            files.push((path, bytes, entry.metadata().unwrap().permissions()));
        }
    }
}

const NAMES: [&str; 18] = [
    "gap",
    "digest",
    "orphan",
    "pruned_young",
    "pruned_stands",
    "unchained",
    "no_request",
    "no_reply",
    "reply_digest",
    "contradiction",
    "foreign_message",
    "unreadable",
    "double_effect",
    "cut_tail",
    "fork",
    "moved_start",
    "amount",
    "executed_twice",
];
