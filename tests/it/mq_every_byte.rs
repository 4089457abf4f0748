//! A reset after every byte of a session: opening, declaring, publishing, consuming, acknowledging.
//!
//! The gate takes every `STRIDE`th byte from a random first one; `HANGU_MQ_EVERY_BYTE=1` takes them all, which needs some
//! minutes. A failure names the byte, and `HANGU_MQ_BYTE=N` runs that one alone.

use crate::broker;
use crate::mq_conformance::{PATIENCE, next, publication};
use crate::proxy::Proxy;
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password};
use hangu::mq::{Published, SharedMq};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const STRIDE: u64 = 61;
const WORKERS: u64 = 32;
/// With three frames each, and as many deliveries and acknowledgements, more than 200 frames.
const MESSAGES: usize = 30;
const CONFIRM_MS: u64 = 2000;
/// The confirm time, five seconds more, and as much again for the other sessions on this machine.
const CALL: Duration = Duration::from_millis(2 * (CONFIRM_MS + 5000));
/// Opening to declare, to publish and to consume.
const CONNECTIONS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn reset_at_every_byte() {
    let session_bytes = measured().await;
    let (first, stride) = plan();
    let last = if stride == 0 { first } else { session_bytes };
    println!("{session_bytes} bytes a connection at most; bytes {first} to {last} by {stride}");
    let turn = Arc::new(AtomicU64::new(first));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let turn = Arc::clone(&turn);
        workers.spawn(async move {
            loop {
                let byte = turn.fetch_add(stride.max(1), Ordering::Relaxed);
                if byte > last {
                    return;
                }
                session(worker, byte).await;
            }
        });
    }
    workers.join_all().await;
}

#[expect(clippy::disallowed_methods, reason = "the way to ask a test for its long run")]
fn plan() -> (u64, u64) {
    if let Some(byte) = std::env::var("HANGU_MQ_BYTE").ok().and_then(|byte| byte.parse().ok()) {
        return (byte, 0);
    }
    if std::env::var("HANGU_MQ_EVERY_BYTE").is_ok() {
        return (1, 1);
    }
    (1 + getrandom::u64().unwrap() % STRIDE, STRIDE)
}

/// Bytes of the longest of a session's connections: publishing and consuming are about the same.
async fn measured() -> u64 {
    let proxy = Proxy::to(&broker::shared().address()).await;
    exchange(&connect(&proxy.address()), "b.measured", 0).await;
    proxy.longest()
}

/// The first connections of every kind are reset after `byte` bytes, over both directions.
async fn session(worker: u64, byte: u64) {
    let proxy = Proxy::doomed(&broker::shared().address(), CONNECTIONS, byte).await;
    let mq = connect(&proxy.address());
    exchange(&mq, &format!("b.{worker}"), byte).await;
    assert!(
        proxy.accepted() >= CONNECTIONS,
        "byte {byte}: {} connections",
        proxy.accepted()
    );
}

/// Everything that was confirmed arrives, whatever had to be repeated.
async fn exchange(mq: &SharedMq, queue: &str, byte: u64) {
    let end = Instant::now() + PATIENCE;
    while bounded(byte, mq.declare(&[queue.to_owned()])).await.is_err() {
        assert!(Instant::now() < end, "byte {byte}: never declared");
    }
    let mut consumer = mq.consume(queue, 8);
    let ids: BTreeSet<String> = (0..MESSAGES).map(|number| format!("{byte}-{number}")).collect();
    let publishing = async {
        for id in &ids {
            while bounded(byte, mq.publish(publication(queue, id))).await != Published::Confirmed {
                assert!(Instant::now() < end, "byte {byte}: {id} is never confirmed");
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let consuming = async {
        let mut missing = ids.clone();
        while !missing.is_empty() {
            let delivery = timeout(PATIENCE, next(&mut consumer)).await;
            let delivery = delivery.unwrap_or_else(|_| panic!("byte {byte}: lost {missing:?}"));
            missing.remove(delivery.message_id.as_deref().unwrap());
            delivery.settle.ack().await;
        }
    };
    tokio::join!(publishing, consuming);
    bounded(byte, mq.close()).await;
}

async fn bounded<T>(byte: u64, call: impl Future<Output = T>) -> T {
    let ended = timeout(CALL, call).await;
    ended.unwrap_or_else(|_| panic!("byte {byte}: a call hangs"))
}

fn connect(address: &str) -> SharedMq {
    let config = AmqpConfig {
        addresses: vec![address.to_owned()],
        password: Password::new("guest"),
        confirm_timeout_ms: CONFIRM_MS,
        ..AmqpConfig::default()
    };
    Arc::new(AmqpMq::open(config).unwrap())
}
