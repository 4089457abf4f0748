//! Traffic of a real journal, recorded without anybody's name in it, and replayed.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn hangu(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn a_journal_is_recorded_masked_and_replayed_with_the_same_outcomes() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let demo = hangu(
        folder,
        &["demo", "--payments", "150", "--rate", "100", "--keep", "kept", "-o", "json"],
    );
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    let kept = folder.join("kept");
    let recorded = hangu(&kept, &["sim", "record", "--to", "traffic.jsonl"]);
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    let traffic = std::fs::read_to_string(kept.join("traffic.jsonl")).unwrap();
    assert!(traffic.lines().count() > 100, "{traffic}");
    names_nobody(&traffic, &kept);
    let again = hangu(&kept, &["sim", "record", "--to", "traffic.jsonl"]);
    assert!(!again.status.success(), "a recording is not overwritten");

    let replayed = hangu(&kept, &["sim", "replay", "traffic.jsonl", "--speed", "4", "-o", "json"]);
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert!(replayed.status.success(), "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(page["same"], page["exchanges"]);

    // A cancel of the centre that has lost its original cannot end as it did.
    let place = traffic.lines().skip(1).position(|line| line.contains(CANCEL)).unwrap();
    let changed: Vec<String> = traffic.lines().map(orphaned).collect();
    std::fs::write(kept.join("changed.jsonl"), changed.join("\n")).unwrap();
    let replayed = hangu(&kept, &["sim", "replay", "changed.jsonl", "--speed", "50"]);
    let text = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert_eq!(replayed.status.code(), Some(1), "{text}");
    let named = text
        .lines()
        .any(|line| line.trim_start().starts_with(&format!("{place}  cancel")));
    assert!(named, "place {place}: {text}");
}

/// No id and no account of the recorded payments is in the file, only numbers of simulated customers.
fn names_nobody(traffic: &str, kept: &Path) {
    let book: Value = serde_json::from_slice(&std::fs::read(kept.join("gateway.json")).unwrap()).unwrap();
    let entries = book["entries"].as_object().unwrap();
    assert!(entries.len() > 50);
    for entry in entries.values() {
        for name in ["end_to_end_id", "msg_id", "institution"] {
            let real = entry[name].as_str().unwrap();
            assert!(
                real.is_empty() || !traffic.contains(real),
                "{name} {real} stands in the recording"
            );
        }
    }
    assert!(!traffic.contains("6200000000"), "an account stands in the recording");
}

fn orphaned(line: &str) -> String {
    if !line.contains(CANCEL) {
        return line.to_owned();
    }
    let mut line: Value = serde_json::from_str(line).unwrap();
    line.as_object_mut().unwrap().remove("of");
    line.to_string()
}

const CANCEL: &str = r#""by":"centre","operation":"cancel""#;
