//! A load against a gateway that somebody else started: private RabbitMQ, the gateway as a process, and between it and the
//! platform a proxy that loses answers. Then the books are compared, and the statements of both ends.

use crate::broker::Broker;
use crate::process::{Process, exchanges, free, hangu, hangu_with, tails, wait, wait_ready};
use crate::processes::configure;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

#[test]
fn a_load_through_a_proxy_that_loses_answers_leaves_equal_books_and_statements() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let admin = configure(folder.path(), &broker.address());
    let (proxied, platform) = between(folder.path());
    assert!(hangu(folder.path(), &["mq", "declare"]).status().unwrap().success());
    let mut gateway = Process::start(folder.path(), "gateway", &["run"]);
    wait_ready(&admin);
    let rules = "[[rule]]\nfault = \"drop\"\non = \"reply\"\nnth = 9\n[[rule]]\nfault = \"delay\"\nnth = 4\nms = 50\n";
    std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
    let words = [
        "sim",
        "proxy",
        "--listen",
        &proxied,
        "--to",
        &platform,
        "--rules",
        "rules.toml",
        "--seed",
        "7",
    ];
    let mut proxy = Process::start(folder.path(), "proxy", &words);
    assert!(proxy.line(Duration::from_mins(1)).contains(&proxied));

    let report = drive(folder.path());
    wait(Duration::from_mins(2), "nothing is open", || {
        let open = ["accepted", "sent", "unknown", "answered"].map(|state| exchanges(&admin, state));
        open.iter().all(|count| *count == Some(0))
    });
    gateway.terminate();
    proxy.terminate();

    assert!(report["payments"].as_u64().unwrap() >= 100, "{report}");
    assert_eq!(
        (&report["as_planned"], &report["all"]["unknown"]),
        (&report["payments"], &0.into()),
        "{report}"
    );
    assert!(
        report["by_operation"]["debit"]["latency_ms"]["p99"].as_f64().unwrap() > 0.0,
        "{report}"
    );
    let samples = report["samples"].as_array().unwrap();
    assert!(
        samples.len() >= 4 && samples[0]["queues"].as_object().unwrap().len() == 3,
        "{report}"
    );

    let exported = hangu(folder.path(), &["journal", "export", "--to", "gateway.json"]).status();
    assert!(exported.unwrap().success());
    let compared = sim(
        folder.path(),
        &["compare", "kept/centre.json", "gateway.json", "kept/platform.json"],
    );
    let said = String::from_utf8_lossy(&compared.stdout);
    assert!(
        compared.status.success(),
        "{said}\n{}",
        tails(folder.path(), &["gateway", "proxy"])
    );
    let own = totals(folder.path(), "centre");
    assert!(own["count"].as_u64().unwrap() >= 50, "{own}");
    assert_eq!(own, totals(folder.path(), "platform"), "both ends settled the same");
}

/// The gateway calls the proxy, which calls the platform; a configuration of the testers' says where that listens.
fn between(folder: &Path) -> (String, String) {
    let file = folder.join("hangu.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(folder.join("testers.toml"), &text).unwrap();
    let (_, rest) = text.split_once("base_url = \"http://").unwrap();
    let (platform, _) = rest.split_once('"').unwrap();
    let proxied = free();
    std::fs::write(&file, text.replace(platform, &proxied)).unwrap();
    (proxied, platform.to_owned())
}

fn drive(folder: &Path) -> Value {
    let words =
        "sim drive --rate 30 --duration 5s --arrivals ramp --ramp-from 20 --poisson --seed 7 --keep kept --log error -o json";
    let words: Vec<&str> = words.split(' ').collect();
    let done = hangu_with(folder, "testers.toml", &words).output().unwrap();
    let (said, seen) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(
        done.status.success(),
        "{said}\n{seen}\n{}",
        tails(folder, &["gateway", "proxy"])
    );
    // Plain lines, since nobody sits at a terminal.
    assert!(seen.lines().filter(|line| line.contains("under way")).count() >= 4, "{seen}");
    serde_json::from_str(&said).unwrap()
}

/// Of all days that the book knows, which is one unless midnight was passed.
fn totals(folder: &Path, party: &str) -> Value {
    let book: Value = serde_json::from_slice(&std::fs::read(folder.join(format!("kept/{party}.json"))).unwrap()).unwrap();
    let first = book["entries"].as_object().unwrap().values().next().unwrap();
    let date = first["details"]["settlement_date"].as_str().unwrap();
    let ((year, rest), length) = (date.split_at(4), date.len());
    let (month, day) = rest.split_at(length - 6);
    let date = format!("{year}-{month}-{day}");
    let books = format!("kept/{party}.json");
    let done = sim(
        folder,
        &[
            "statement",
            party,
            "--books",
            &books,
            "--date",
            &date,
            "--out",
            "out.txt",
            "-o",
            "json",
        ],
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(folder.join("out.txt.ok").exists(), "the flag is beside it");
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    told["totals"].clone()
}

fn sim(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    command.arg("sim").args(words).current_dir(folder).output().unwrap()
}

#[test]
fn the_ceiling_and_a_gateway_of_its_own_need_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let object = |words: &str| -> Value {
        let words: Vec<&str> = words.split(' ').collect();
        let done = sim(folder.path(), &words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let ceiling = object("drive --ceiling --payments 50 -o json");
    assert_eq!((&ceiling["payments"], &ceiling["succeeded"]), (&50.into(), &50.into()));
    std::fs::write(folder.path().join("mix.toml"), MIX).unwrap();
    let own = object("drive --embedded --rate 10 --duration 3s --mix mix.toml --log error --html load.html --lang zh -o json");
    report(&std::fs::read_to_string(folder.path().join("load.html")).unwrap(), &own);
    let debits = own["by_operation"]["debit"]["success"].as_u64().unwrap();
    let refused = own["by_operation"]["debit"]["failed"].as_u64().unwrap();
    assert_eq!(
        (debits + refused, own["by_operation"].as_object().unwrap().len()),
        (30, 1),
        "{own}"
    );
    assert_eq!(own["as_planned"], 30, "{own}");
}

/// The page says what the object says, has its charts, and needs nothing else.
fn report(page: &str, load: &Value) {
    assert!(
        page.contains("lang=\"zh-CN\"") && !page.contains("http") && !page.contains("<script"),
        "{page}"
    );
    // A histogram, and lines of latency, rates, what waits and memory.
    assert_eq!(page.matches("<svg class=\"chart\"").count(), 5, "{page}");
    let bars = page
        .split(" ms: ")
        .skip(1)
        .filter_map(|rest| rest.split('<').next()?.parse::<u64>().ok());
    let timed: u64 = load["histogram_ms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step[1].as_u64().unwrap())
        .sum();
    assert_eq!(bars.sum::<u64>(), timed);
    for sample in load["samples"].as_array().unwrap() {
        assert!(sample["memory_mb"].as_f64().unwrap() > 1.0, "{sample}");
    }
}

/// Institutions that call, in a mix against a gateway of the driver's own; their books are kept as they end.
#[test]
fn institutions_take_part_in_a_load_on_the_embedded_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let mix = "[[part]]\nshare = 1\nfrom = \"epcc\"\n[[part]]\nshare = 1\nfrom = \"unionpay-quick\"\n";
    std::fs::write(folder.path().join("mix.toml"), mix).unwrap();
    let words = "drive --embedded --rate 10 --duration 3s --mix mix.toml --keep kept --log error -o json";
    let done = sim(folder.path(), &words.split(' ').collect::<Vec<_>>());
    let load: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(done.status.success(), "{load}\n{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!((&load["payments"], &load["as_planned"]), (&30.into(), &30.into()), "{load}");
    for link in ["epcc", "unionpay-quick"] {
        let book: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join(format!("kept/{link}.json"))).unwrap()).unwrap();
        assert!(!book["entries"].as_object().unwrap().is_empty(), "{link}");
    }
    std::fs::write(folder.path().join("mix.toml"), mix.replace("epcc", "nobody")).unwrap();
    let refused = sim(folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no such link"));
}

const MIX: &str = "people = 1_000_000\n[[part]]\nshare = 1\nfrom = \"centre\"\nsend = \"debit\"\n";
