//! What a quorum queue gives up after too many failed deliveries: parked whole by a running gateway, and released to the
//! queue it came from.

#![expect(clippy::disallowed_methods, reason = "the test waits for other processes")]

use crate::broker;
use crate::mq_conformance::{confirmed, next, publication, wait_for_counts};
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password, QueueType};
use hangu::mq::{SharedMq, dead_letter_queue};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

const LIMIT: u32 = 2;
const REQUESTS: &str = "d.bank.req";

fn connect() -> SharedMq {
    let config = AmqpConfig {
        addresses: vec![broker::shared().address()],
        password: Password::new("guest"),
        queue_type: QueueType::Quorum,
        ..AmqpConfig::default()
    };
    Arc::new(AmqpMq::open(config).unwrap())
}

/// Gives a message back until the broker gives it up; the count of its deliveries.
async fn given_up(mq: &SharedMq, queue: &str) -> u32 {
    let mut consumer = mq.consume(queue, 1);
    for deliveries in 1..100 {
        next(&mut consumer).await.settle.requeue().await;
        let states = mq.check(&[queue.to_owned(), dead_letter_queue(queue)]).await.unwrap();
        // What was given back counts as ready or as handed out again; only what is dead is in the other queue.
        if deliveries > LIMIT || states[1].messages > 0 {
            return deliveries;
        }
    }
    panic!("never given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_up_message_is_parked_and_released_to_its_queue() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path());
    let (code, said) = ran(folder.path(), &["mq", "declare", "-o", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let declared: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(declared["queues"].as_array().unwrap().len(), 5, "{said}");
    assert_eq!(
        ran(folder.path(), &["mq", "declare"]).0,
        Some(0),
        "declaring again changes nothing"
    );

    let mq = connect();
    let dead = dead_letter_queue(REQUESTS);
    confirmed(&mq, REQUESTS, "poison").await;
    assert_eq!(given_up(&mq, REQUESTS).await, LIMIT + 1);
    wait_for_counts(&mq, &dead, 1, 0).await;
    wait_for_counts(&mq, REQUESTS, 0, 0).await;

    let gateway = Gateway::start(folder.path());
    let parked = parked(folder.path());
    let expected = [
        ("source", REQUESTS),
        ("step", "route"),
        ("code", "mq.dead_letter"),
        ("link", "centre"),
    ];
    for (key, value) in expected {
        assert_eq!(parked[key], value, "{parked}");
    }
    assert!(parked["reason"].as_str().unwrap().contains(REQUESTS), "{parked}");
    wait_for_counts(&mq, &dead, 0, 1).await;
    drop(gateway);

    let id = parked["id"].to_string();
    let (code, said) = ran(folder.path(), &["journal", "release", &id, "--publish", "--note", "mended"]);
    assert_eq!(code, Some(0), "{said}");
    let released = next(&mut mq.consume(REQUESTS, 1)).await;
    assert_eq!(released.body, publication(REQUESTS, "poison").body);
    released.settle.ack().await;
    mq.close().await;
}

fn configure(folder: &Path) {
    assert_eq!(ran(folder, &["config", "init", "--dir", "."]).0, Some(0));
    let file = folder.join("hangu.toml");
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("127.0.0.1:5672", &broker::shared().address())
        .replace("127.0.0.1:8100", "127.0.0.1:0")
        .replace("127.0.0.1:9180", "127.0.0.1:0")
        .replace("#queue_type = \"classic\"", "queue_type = \"quorum\"")
        .replace("#delivery_limit = 20", &format!("delivery_limit = {LIMIT}"))
        .replace("\"nps.b.req\"", &format!("{REQUESTS:?}"))
        .replace("\"nps.b.rsp\"", "\"d.bank.rsp\"")
        .replace("\"nps.centre.b\"", "\"d.centre\"");
    fs::write(file, text).unwrap();
}

/// The first message that is parked.
fn parked(folder: &Path) -> Value {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let (_, said) = ran(folder, &["journal", "park", "list", "-o", "json"]);
        let listed: Option<Value> = serde_json::from_str(&said).ok();
        if let Some(first) = listed.as_ref().and_then(|listed| listed["parked"].get(0)) {
            return first.clone();
        }
        assert!(Instant::now() < end, "nothing is parked: {said}");
        sleep(Duration::from_millis(200));
    }
}

fn ran(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// A running gateway, ended in good order.
struct Gateway(Child);

impl Gateway {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command
            .current_dir(folder)
            .arg("run")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        Command::new("kill").arg(self.0.id().to_string()).status().ok();
        self.0.wait().ok();
    }
}
