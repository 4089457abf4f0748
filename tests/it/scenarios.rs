//! The scenario library against the built binary: all hold, the same seed is the same run, what fails says why.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `hangu sim ...` in a folder.
fn sim(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    command
        .arg("sim")
        .args(words)
        .current_dir(folder)
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_whole_library_holds() {
    let folder = tempfile::tempdir().unwrap();
    let reports = ["--junit", "report.xml", "--html", "report.html", "--lang", "zh"];
    let words = [&["run", "all", "--seed", "1", "--jobs", "6", "-o", "json"][..], &reports].concat();
    let done = sim(folder.path(), &words);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", text(&done.stderr)));
    let scenarios = report["scenarios"].as_array().unwrap();
    let failed: Vec<&Value> = scenarios.iter().filter(|one| one["passed"] != true).collect();
    assert!(failed.is_empty(), "repeat with: hangu sim run NAME --seed 1\n{failed:#?}");
    assert!(done.status.success() && scenarios.len() >= 60, "{}", scenarios.len());
    for one in scenarios {
        assert!(!one["timeline"].as_array().unwrap().is_empty(), "{one}");
        assert!(one["checks"].as_array().unwrap().len() >= 5, "{one}");
    }
    let junit = fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), scenarios.len());
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(html.matches("<details class=").count(), scenarios.len());
    // Account numbers of the simulated customers begin so; none is shown whole.
    let digits = |at: usize| html.split_at(at).1.bytes().take_while(u8::is_ascii_digit).count();
    assert!(
        html.match_indices("6200000000").all(|(at, _)| digits(at) < 19),
        "an account is shown whole"
    );
}

/// Ids, amounts and what is wrong with a message do not depend on anything but the seed.
#[test]
fn the_same_seed_is_the_same_run() {
    let names = ["good-refund", "bad-signature-debit", "payout"];
    let told = |seed| to_gateway(&names, seed, &["centre", "platform"]);
    let first = told("7");
    assert_eq!(first, told("7"));
    assert_ne!(first, told("8"));
    assert!(first.len() >= 6, "{first:?}");
}

/// Neither do messages that come again, out of their order or to a gateway whose platform drips or dies. How often the gateway
/// asks such a platform is a matter of time, so the centre is listened to.
#[test]
fn what_happens_on_the_way_is_the_same_by_seed() {
    let names = ["nack-storm", "reorder", "reorder-cancel", "platform-drips", "reply-then-die"];
    let told = |seed| to_gateway(&names, seed, &["centre"]);
    let first = told("7");
    assert_eq!(first, told("7"));
    assert_ne!(first, told("8"));
    let remarked = |fault: &str| first.iter().filter(|message| message.contains(fault)).count();
    assert_eq!((remarked("\"nack_storm\""), remarked("\"reorder\"")), (2, 3), "{first:?}");
}

/// What these parties put to the gateway.
fn to_gateway(names: &[&str], seed: &str, parties: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let done = sim(
        folder.path(),
        &[&["run"][..], names, &["--seed", seed, "-o", "json"]].concat(),
    );
    assert!(done.status.success(), "{}", text(&done.stdout));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let sent = |one: &Value| -> Vec<String> {
        let messages = one["timeline"].as_array().unwrap().iter();
        let is_theirs = |message: &&Value| message["to"] == "gateway" && parties.iter().any(|party| message["from"] == *party);
        messages.filter(is_theirs).map(content).collect()
    };
    report["scenarios"].as_array().unwrap().iter().flat_map(sent).collect()
}

/// A message without what the time of day decides.
fn content(message: &Value) -> String {
    let fields = message["fields"].as_array().unwrap().iter();
    let timed = ["com.time", "created_at"];
    let kept: Vec<String> = fields
        .filter(|field| !timed.contains(&field[0].as_str().unwrap()))
        .map(ToString::to_string)
        .collect();
    format!("{} {} {}", message["what"], message["remark"], kept.join(" "))
}

const WRONG: &str = r#"name = "wrong"
about_zh = "\u9519"
about_en = "It expects what cannot be"
institution = "nps"
operation = "debit"

[[step]]
send = "debit"
name = "pay"
customer = "frozen"
amount = "12.34"

[[step]]
expect = "reply"
to = "pay"
outcome = "success"
within_ms = 6000

[[step]]
books = "equal"
"#;

#[test]
fn what_fails_says_why() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wrong.toml"), WRONG).unwrap();
    let done = sim(folder.path(), &["run", "wrong.toml", "--junit", "report.xml"]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    expect_test::expect_file!["scenarios/wrong.txt"].assert_eq(&untimed(&text(&done.stdout)));
    let junit = fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(
        junit.contains("failures=\"1\"") && junit.contains("step 2, line 13: expect reply"),
        "{junit}"
    );
}

/// A report without the times that it took.
fn untimed(report: &str) -> String {
    let is_time = |word: &str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.') && word.len() > 4;
    let line = |line: &str| {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        for at in 0..words.len() {
            let unit = words
                .get(at + 1)
                .map(|unit| unit.trim_end_matches([',', ':']).to_owned())
                .unwrap_or_default();
            if (unit == "s" && is_time(&words[at])) || (unit == "ms" && at > 0 && words[at - 1] == "at") {
                "T".clone_into(&mut words[at]);
            }
        }
        words.join(" ") + "\n"
    };
    report.lines().map(line).collect()
}

/// The same over a real broker, each run with queues of its own.
#[test]
fn a_dozen_holds_over_rabbitmq() {
    let folder = tempfile::tempdir().unwrap();
    let mut init = Command::new(env!("CARGO_BIN_EXE_hangu"));
    let init = init
        .current_dir(folder.path())
        .args(["config", "init", "--dir", "."])
        .output()
        .unwrap();
    assert!(init.status.success(), "{}", text(&init.stderr));
    let config = fs::read_to_string(folder.path().join("hangu.toml")).unwrap();
    let address = format!("addresses = [\"{}\"]", crate::broker::shared().address());
    let ours: Vec<String> = config.lines().map(|line| with_broker(line, &address)).collect();
    assert!(ours.contains(&address), "no broker in the sample:\n{config}");
    fs::write(folder.path().join("hangu.toml"), ours.join("\n")).unwrap();
    let words = [&["run", "--broker", "hangu.toml", "--jobs", "4", "-o", "json"][..], &DOZEN].concat();
    let done = sim(folder.path(), &words);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", text(&done.stderr)));
    let scenarios = report["scenarios"].as_array().unwrap();
    let failed: Vec<&Value> = scenarios.iter().filter(|one| one["passed"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(scenarios.len(), DOZEN.len());
}

#[test]
fn a_broker_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut init = Command::new(env!("CARGO_BIN_EXE_hangu"));
    assert!(
        init.current_dir(folder.path())
            .args(["config", "init", "--dir", "."])
            .status()
            .unwrap()
            .success()
    );
    let config = fs::read_to_string(folder.path().join("hangu.toml")).unwrap();
    let address = format!("addresses = [\"{}\"]", crate::process::free());
    let ours: Vec<String> = config.lines().map(|line| with_broker(line, &address)).collect();
    fs::write(folder.path().join("hangu.toml"), ours.join("\n")).unwrap();
    let done = sim(folder.path(), &["run", "--broker", "hangu.toml", "good-path-debit"]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stdout));
    assert!(
        text(&done.stdout).contains("the broker is not reachable"),
        "{}",
        text(&done.stdout)
    );
}

fn with_broker(line: &str, address: &str) -> String {
    let is_address = line.trim_start().starts_with("addresses = ");
    if is_address { address.to_owned() } else { line.to_owned() }
}

/// Of each kind one: good, refused, repeated, late, lost, corrupt, cancelled, stopped, begun by the platform.
const DOZEN: [&str; 12] = [
    "good-path-debit",
    "good-path-credit",
    "good-refund",
    "refused-frozen-debit",
    "repeat-debit",
    "repeat-in-work-debit",
    "altered-repeat-credit",
    "bad-signature-debit",
    "cancel-before-original",
    "status-stop-resume",
    "payout",
    "payout-duplicate-replies",
];
