//! Institutions as processes of their own beside a running gateway, as a tester has them: one that calls, one that is called.

use super::{GRACE, link, route};
use crate::process::{Process, free};
use crate::stand::{Stand, world};
use codecs::payment::{Attribute, Money, Operation, Outcome};
use codecs::spec::Specs;
use hangu::clock::Random;
use hangu::journal::sqlite::SqliteJournal;
use hangu::shell::SystemEntropy;
use keys::store::{DemoKeys, DemoLink};
use simulators::institution::direct::{self, Order};
use simulators::people::Person;
use simulators::report::Book;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CALLING: &str = "epcc";
const CALLED: &str = "tenpay-v2";
const TERMINALS: &str = "unionpay-pos";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn institutions_run_as_processes_against_a_gateway() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let root = stand.folder.path();
    give_keys(root, &[CALLING, CALLED]);
    let place = free();
    let one = stand
        .start("one", |config| {
            let of = |codec: &str, base_url: &str| link(codec, &member(codec), base_url);
            config.link.insert(CALLING.to_owned(), of(CALLING, "http://127.0.0.1:9"));
            config.link.insert(CALLED.to_owned(), of(CALLED, &format!("http://{place}")));
            config.route = vec![route(CALLING, "platform"), route("platform", CALLED)];
        })
        .await;
    configure(
        root,
        [&one.addresses[CALLING].to_string(), &one.addresses[CALLED].to_string()],
        &place,
    );

    let mut called = institution(root, CALLED, "0");
    let ready: serde_json::Value = serde_json::from_str(&called.line(Duration::from_mins(1))).unwrap();
    assert_eq!(ready["party"], CALLED);
    let asked = ask_as_the_platform(&stand, &one.addresses["platform"].to_string()).await;
    assert_eq!(asked, Outcome::Success);

    let mut calling = institution(root, CALLING, "11");
    let summary: serde_json::Value = serde_json::from_str(&calling.line(Duration::from_mins(2))).unwrap();
    assert!(summary["played"].as_u64().unwrap() >= 10, "{summary}");
    assert_eq!(summary["as_planned"], summary["played"], "{summary}");
    assert_eq!(
        (&summary["figures"]["rejected"], &summary["figures"]["forged"]),
        (&0.into(), &1.into()),
        "{summary}"
    );

    for process in [&mut calling, &mut called] {
        process.terminate();
    }
    let platform = stand.platform.books();
    let entries = [CALLING, CALLED].map(|name| book(root, name).entries).into_iter().flatten();
    let mut compared = 0;
    for (key, entry) in entries {
        assert_eq!(platform.entries[&key].outcome, entry.outcome, "{key}");
        assert_eq!(platform.entries[&key].amount_fen, entry.amount_fen, "{key}");
        compared += 1;
    }
    assert!(compared >= 8, "{compared}");
    assert!(one.running.stop(GRACE).await);
}

/// Over TCP: it signs in, pays, refunds and reverses under its working key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_runs_as_a_process_against_a_gateway() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let root = stand.folder.path();
    give_keys(root, &[TERMINALS]);
    let link = |listen: &str| format!("codec = \"{TERMINALS}\"\nsuite = \"3des\"\ntcp = {{ listen = \"{listen}\" }}\n");
    let one = stand
        .start("one", |config| {
            let of_terminals = toml::from_str(&link("127.0.0.1:0")).unwrap();
            config.link.insert(TERMINALS.to_owned(), of_terminals);
            config.route = vec![route(TERMINALS, "platform")];
        })
        .await;
    stand.open_the_day(&[&one]).await;
    let text = format!(
        "instance = \"one\"\njournal.file = \"journal.db\"\nkeys.folder = \"gateway\"\nroute = []\n[link.{TERMINALS}]\n{}",
        link(&one.addresses[TERMINALS].to_string())
    );
    std::fs::write(root.join("hangu.toml"), text).unwrap();

    let mut terminal = institution(root, TERMINALS, "14");
    let summary: serde_json::Value = serde_json::from_str(&terminal.line(Duration::from_mins(2))).unwrap();
    assert!(summary["played"].as_u64().unwrap() >= 12, "{summary}");
    assert_eq!(summary["as_planned"], summary["played"], "{summary}");
    assert_eq!(
        (&summary["figures"]["forged"], &summary["figures"]["forged_refused"]),
        (&2.into(), &2.into()),
        "{summary}"
    );
    terminal.terminate();
    let platform = stand.platform.books();
    let entries = book(root, TERMINALS).entries;
    assert!(entries.len() >= 10, "{}", entries.len());
    let end_to_end: Vec<_> = platform.entries.values().map(|entry| &entry.end_to_end_id).collect();
    for (key, entry) in entries.iter().filter(|(_, entry)| entry.original.is_none()) {
        assert_eq!(platform.entries[key].outcome, entry.outcome, "{key} of {end_to_end:?}");
        assert_eq!(platform.entries[key].amount_fen, entry.amount_fen, "{key}");
    }
    assert!(one.running.stop(GRACE).await);
}

fn give_keys(root: &Path, codecs: &[&str]) {
    let (specs, mut keys) = (Specs::embedded().unwrap(), DemoKeys::default());
    for &codec in codecs {
        let spec = direct::suite(specs.spec(codec).unwrap());
        let link = DemoLink {
            link: codec,
            parties: ["gateway", codec],
            keys: &direct::keys(spec),
        };
        keys.add(root, &link, &mut Random(&SystemEntropy)).unwrap();
    }
}

fn member(codec: &str) -> String {
    direct::member(Specs::embedded().unwrap().spec(codec).unwrap())
}

/// What the processes read: where the gateway listens for them, and where it calls them.
fn configure(root: &Path, [calling, called]: [&str; 2], place: &str) {
    let text = format!(
        "instance = \"one\"\njournal.file = \"journal.db\"\nkeys.folder = \"gateway\"\nroute = []\n\
         [link.{CALLING}]\ncodec = \"{CALLING}\"\nhttp = {{ base_url = \"http://127.0.0.1:0\", listen = \"{calling}\" }}\n\
         [link.{CALLED}]\ncodec = \"{CALLED}\"\nhttp = {{ base_url = \"http://{place}\", listen = \"{called}\" }}\n"
    );
    std::fs::write(root.join("hangu.toml"), text).unwrap();
}

fn institution(root: &Path, name: &str, payments: &str) -> Process {
    let (keys, books) = (root.join(name), root.join(format!("{name}.json")));
    let arguments = [
        "sim",
        "run",
        "institution",
        name,
        "--keys",
        keys.to_str().unwrap(),
        "--books",
        books.to_str().unwrap(),
        "--payments",
        payments,
        "--rate",
        "0",
        "--first-serial",
        "1",
    ];
    Process::start(root, name, &arguments)
}

/// The platform asks for money that is collected by the institution.
async fn ask_as_the_platform(stand: &Stand, gateway: &str) -> Outcome {
    let specs = Specs::embedded().unwrap();
    let order = Order {
        serial: 900_000,
        person: Person::at(8),
        amount: Money::from_fen(1234),
    };
    let mut request = direct::request(specs.spec(CALLED).unwrap(), Operation::Debit, &order, None, world().now());
    request.set_text(Attribute::Sender, "platform");
    let bank = stand.bank(gateway.parse().unwrap(), |_| {});
    bank.send(&request).await.unwrap().outcome
}

fn book(root: &Path, name: &str) -> Book {
    serde_json::from_str(&std::fs::read_to_string(root.join(format!("{name}.json"))).unwrap()).unwrap()
}
