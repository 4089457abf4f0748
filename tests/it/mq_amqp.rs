//! RabbitMQ: the same suite, and everything that can go wrong with a broker or the way to it.

use crate::broker::{self, Broker};
use crate::mq_conformance::{PATIENCE, confirmed, declared, next, publication, suite, wait_for_counts, wait_until};
use crate::proxy::{Fault, Proxy};
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password, QueueType};
use hangu::mq::{Mq, MqError, Published, SharedMq};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// No publication may take longer: the confirm time, and as much again for a busy machine.
const BOUND: Duration = Duration::from_millis(2 * CONFIRM_TIMEOUT_MS);
const CONFIRM_TIMEOUT_MS: u64 = 3000;
/// The opening time of a silent node, and as much again for everything else.
const FAILOVER: Duration = Duration::from_secs(10);

fn config(address: &str) -> AmqpConfig {
    AmqpConfig {
        addresses: vec![address.to_owned()],
        password: Password::new("guest"),
        confirm_timeout_ms: CONFIRM_TIMEOUT_MS,
        ..AmqpConfig::default()
    }
}

fn connect(address: &str) -> SharedMq {
    Arc::new(AmqpMq::open(config(address)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance() {
    let proxy = Proxy::to(&broker::shared().address()).await;
    suite(|| connect(&proxy.address())).await;
}

/// Publishes once and checks the time it took.
async fn publish_bounded(mq: &SharedMq, queue: &str, message_id: &str) -> Published {
    let begin = Instant::now();
    let published = timeout(BOUND, mq.publish(publication(queue, message_id)))
        .await
        .expect("a word in time");
    assert!(begin.elapsed() < BOUND);
    published
}

/// Publishes the same message until the broker has it.
async fn publish_until_confirmed(mq: &SharedMq, queue: &str, message_id: &str) {
    let end = Instant::now() + PATIENCE;
    while publish_bounded(mq, queue, message_id).await != Published::Confirmed {
        assert!(Instant::now() < end, "{message_id} is never confirmed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads until `message_id` comes, acknowledging everything.
async fn consume_until(consumer: &mut Box<dyn hangu::mq::Consumer>, message_id: &str) {
    loop {
        let delivery = next(consumer).await;
        let found = delivery.message_id.as_deref() == Some(message_id);
        delivery.settle.ack().await;
        if found {
            return;
        }
    }
}

/// A link through a proxy that carried one message each way.
async fn through_proxy(queue: &str) -> (Proxy, SharedMq, String, Box<dyn hangu::mq::Consumer>) {
    let proxy = Proxy::to(&broker::shared().address()).await;
    let mq = connect(&proxy.address());
    let queue = declared(&mq, queue).await;
    let mut consumer = mq.consume(&queue, 8);
    wait_until("both links are up", || mq.state().connected).await;
    confirmed(&mq, &queue, "before").await;
    consume_until(&mut consumer, "before").await;
    (proxy, mq, queue, consumer)
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_link_is_unknown_and_replaced() {
    let (proxy, mq, queue, mut consumer) = through_proxy("t.frozen").await;
    let generations = mq.state().generations;
    proxy.inflict(&Fault::Freeze).await;
    let (published, ()) = tokio::join!(publish_bounded(&mq, &queue, "frozen"), async {
        wait_until("stalled", || mq.state().stalled).await;
    });
    assert!(matches!(published, Published::Unknown(_)), "{published:?}");
    // The overdue confirm ends the generation, long before the heartbeat would.
    timeout(BOUND, publish_until_confirmed(&mq, &queue, "after"))
        .await
        .expect("replaced in time");
    wait_until("a confirm ends the stall", || !mq.state().stalled).await;
    consume_until(&mut consumer, "after").await;
    assert!(mq.state().generations >= generations + 2, "both links were replaced");
    mq.close().await;
}

/// What was held or lay unread when the link was cut comes again; an acknowledgement that is late takes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn cut_link_is_replaced() {
    let (proxy, mq, queue, mut consumer) = through_proxy("t.cut").await;
    for message_id in ["held", "unread1", "unread2"] {
        confirmed(&mq, &queue, message_id).await;
    }
    let held = next(&mut consumer).await;
    wait_for_counts(&mq, &queue, 0, 1).await;
    let generations = mq.state().generations;
    proxy.inflict(&Fault::Cut).await;
    wait_until("both links are replaced", || mq.state().generations >= generations + 2).await;
    wait_until("both links are up", || mq.state().connected).await;
    held.settle.ack().await;
    for message_id in ["held", "unread1", "unread2"] {
        let mut again = next(&mut consumer).await;
        if again.message_id.as_deref() == Some("before") {
            // Its acknowledgement, for which nobody waits, may have been cut off too.
            again.settle.ack().await;
            again = next(&mut consumer).await;
        }
        assert_eq!((again.message_id.as_deref(), again.redelivered), (Some(message_id), true));
        again.settle.ack().await;
    }
    publish_until_confirmed(&mq, &queue, "after").await;
    consume_until(&mut consumer, "after").await;
    mq.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_and_unwelcome() {
    let live = broker::shared().address();
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let mq = connect(&dead);
    assert!(matches!(publish_bounded(&mq, "t.x", "a").await, Published::Refused(_)));
    assert!(matches!(mq.check(&["t.x".to_owned()]).await, Err(MqError::Unavailable(_))));
    assert!(!mq.state().connected);
    timeout(PATIENCE, mq.close()).await.expect("close ends");
    let wrong = AmqpConfig {
        password: Password::new("not-the-password"),
        ..config(&live)
    };
    let mq = AmqpMq::open(wrong).unwrap();
    let error = mq.check(&["t.x".to_owned()]).await.unwrap_err().to_string();
    assert!(
        error.contains("not reachable") && !error.contains("not-the-password"),
        "{error}"
    );
    // The second address serves when the first does not.
    let both = AmqpConfig {
        addresses: vec![dead, live.clone()],
        ..config(&live)
    };
    let mq: SharedMq = Arc::new(AmqpMq::open(both).unwrap());
    let queue = declared(&mq, "t.failover").await;
    publish_until_confirmed(&mq, &queue, "a").await;
    mq.close().await;
}

/// A quorum queue carries messages, and declaring it as something else is an error that says so.
#[tokio::test(flavor = "multi_thread")]
async fn quorum_queue() {
    let address = broker::shared().address();
    let quorum = AmqpConfig {
        queue_type: QueueType::Quorum,
        ..config(&address)
    };
    let mq: SharedMq = Arc::new(AmqpMq::open(quorum).unwrap());
    let queue = declared(&mq, "t.quorum").await;
    let mut consumer = mq.consume(&queue, 4);
    publish_until_confirmed(&mq, &queue, "a").await;
    consume_until(&mut consumer, "a").await;
    let error = connect(&address).declare(&[queue]).await.unwrap_err();
    assert!(
        matches!(&error, MqError::Queue { detail, .. } if detail.contains("406")),
        "{error}"
    );
    mq.close().await;
}

/// The broker cancels the consumer when its queue goes; the consumer comes back with the queue.
#[tokio::test(flavor = "multi_thread")]
async fn consumer_survives_its_queue() {
    let broker = broker::shared();
    let mq = connect(&broker.address());
    let queue = declared(&mq, "t.deleted").await;
    let mut consumer = mq.consume(&queue, 1);
    publish_until_confirmed(&mq, &queue, "a").await;
    consume_until(&mut consumer, "a").await;
    tokio::task::spawn_blocking(|| broker.control(&["delete_queue", "t.deleted"]))
        .await
        .unwrap();
    wait_until("the consume link is down", || !mq.state().connected).await;
    assert!(
        matches!(publish_bounded(&mq, &queue, "b").await, Published::Refused(_)),
        "the publish link is not touched"
    );
    declared(&mq, &queue).await;
    publish_until_confirmed(&mq, &queue, "c").await;
    consume_until(&mut consumer, "c").await;
    mq.close().await;
}

/// Dropped without `close`: nothing hangs, nothing panics, and what was held comes back.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_without_close() {
    let address = broker::shared().address();
    let mq = connect(&address);
    let queue = declared(&mq, "t.dropped.mq").await;
    let mut consumer = mq.consume(&queue, 1);
    publish_until_confirmed(&mq, &queue, "a").await;
    let held = next(&mut consumer).await;
    drop(mq);
    assert!(timeout(PATIENCE, consumer.next()).await.unwrap().is_none());
    held.settle.ack().await;
    let other = connect(&address);
    let again = next(&mut other.consume(&queue, 1)).await;
    assert!(again.redelivered);
    again.settle.ack().await;
    other.close().await;
}

/// One broker of its own: blocked by its alarms, restarted, killed, and killed with another one at hand.
#[tokio::test(flavor = "multi_thread")]
async fn broker_goes_and_comes() {
    let broker = Arc::new(tokio::task::spawn_blocking(Broker::start).await.unwrap());
    let memory = ["set_vm_memory_high_watermark", "0"];
    blocked_by_alarm(&broker, memory, ["set_vm_memory_high_watermark", "0.6"]).await;
    blocked_by_alarm(&broker, ["set_disk_free_limit", "1000000GB"], ["set_disk_free_limit", "1MB"]).await;
    restarted_under_traffic(&broker).await;
    goes_on_at_the_next_node(&broker).await;
}

async fn control(broker: &Arc<Broker>, arguments: [&'static str; 2]) {
    let broker = Arc::clone(broker);
    tokio::task::spawn_blocking(move || broker.control(&arguments)).await.unwrap();
}

/// The first publication meets the alarm and is unknown; then the broker has said that it takes nothing, and the others are
/// refused at once. Deliveries go on, no connection is replaced, and what waited is taken when the alarm ends.
async fn blocked_by_alarm(broker: &Arc<Broker>, alarm: [&'static str; 2], calm: [&'static str; 2]) {
    let mq = connect(&broker.address());
    let queue = declared(&mq, "t.alarm").await;
    let mut consumer = mq.consume(&queue, 1);
    wait_until("connected", || mq.state().connected).await;
    for message_id in ["before1", "before2"] {
        confirmed(&mq, &queue, message_id).await;
    }
    let generations = mq.state().generations;
    control(broker, alarm).await;
    let (word, ()) = tokio::join!(publish_bounded(&mq, &queue, "waiting"), async {
        wait_until("stalled", || mq.state().stalled).await;
    });
    assert!(matches!(word, Published::Unknown(_)), "{word:?}");
    let word = publish_bounded(&mq, &queue, "refused").await;
    assert!(
        matches!(&word, Published::Refused(reason) if reason.contains("blocked: low on")),
        "{word:?}"
    );
    consume_until(&mut consumer, "before2").await;
    control(broker, calm).await;
    wait_until("the end of the alarm ends the stall", || !mq.state().stalled).await;
    confirmed(&mq, &queue, "after").await;
    consume_until(&mut consumer, "waiting").await;
    consume_until(&mut consumer, "after").await;
    assert_eq!(mq.state().generations, generations, "a blocked link is not a dead one");
    mq.close().await;
}

/// Between the two stands an address that accepts and says nothing.
async fn goes_on_at_the_next_node(broker: &Arc<Broker>) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (first, last) = (broker.address(), broker::shared().address());
    let nodes = AmqpConfig {
        addresses: vec![first.clone(), silent.local_addr().unwrap().to_string(), last.clone()],
        ..config(&first)
    };
    for address in [&first, &last] {
        declared(&connect(address), "t.nodes").await;
    }
    let mq: SharedMq = Arc::new(AmqpMq::open(nodes).unwrap());
    let mut consumer = mq.consume("t.nodes", 1);
    wait_until("connected", || mq.state().connected).await;
    confirmed(&mq, "t.nodes", "at the first").await;
    consume_until(&mut consumer, "at the first").await;
    let killed = Arc::clone(broker);
    tokio::task::spawn_blocking(move || killed.kill()).await.unwrap();
    let both = async {
        publish_until_confirmed(&mq, "t.nodes", "at the last").await;
        consume_until(&mut consumer, "at the last").await;
    };
    timeout(FAILOVER, both).await.expect("the next node in time");
    assert!(mq.check(&["t.nodes".to_owned()]).await.is_ok());
    mq.close().await;
}

/// What a publisher went through.
#[derive(Default)]
struct Ledger {
    confirmed: BTreeSet<String>,
    setbacks: u64,
}

async fn restarted_under_traffic(broker: &Arc<Broker>) {
    let mq = connect(&broker.address());
    let queue = declared(&mq, "t.restart").await;
    let ledger = Arc::new(std::sync::Mutex::new(Ledger::default()));
    let publishing = tokio::spawn(publish_on(mq.clone(), queue.clone(), Arc::clone(&ledger)));
    let seen = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let consuming = tokio::spawn({
        let (mut consumer, seen) = (mq.consume(&queue, 32), Arc::clone(&seen));
        async move {
            while let Some(delivery) = consumer.next().await {
                seen.lock().unwrap().insert(delivery.message_id.clone().unwrap());
                delivery.settle.ack().await;
            }
        }
    });
    for kill in [false, true] {
        let confirmed = ledger.lock().unwrap().confirmed.len();
        wait_until("traffic", || ledger.lock().unwrap().confirmed.len() > confirmed + 200).await;
        let before = ledger.lock().unwrap().setbacks;
        let ended = Arc::clone(broker);
        let end = move || if kill { ended.kill() } else { ended.stop() };
        tokio::task::spawn_blocking(end).await.unwrap();
        wait_until("publishers hear of it", || ledger.lock().unwrap().setbacks > before).await;
        assert!(!mq.state().connected);
        let started = Arc::clone(broker);
        tokio::task::spawn_blocking(move || started.restart()).await.unwrap();
    }
    let confirmed = ledger.lock().unwrap().confirmed.len();
    wait_until("traffic again", || ledger.lock().unwrap().confirmed.len() > confirmed + 200).await;
    publishing.abort();
    let arrived = || ledger.lock().unwrap().confirmed.is_subset(&seen.lock().unwrap());
    wait_until("everything confirmed arrives", arrived).await;
    mq.close().await;
    timeout(PATIENCE, consuming).await.expect("the consumer ends").unwrap();
}

/// Publishes one message after another from 8 tasks, each until it is confirmed.
async fn publish_on(mq: SharedMq, queue: String, ledger: Arc<std::sync::Mutex<Ledger>>) {
    let mut publishers = tokio::task::JoinSet::new();
    for publisher in 0..8 {
        let (mq, queue, ledger) = (mq.clone(), queue.clone(), Arc::clone(&ledger));
        publishers.spawn(async move {
            for number in 0_u64.. {
                let message_id = format!("m{publisher}-{number}");
                while publish_bounded(&mq, &queue, &message_id).await != Published::Confirmed {
                    ledger.lock().unwrap().setbacks += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                ledger.lock().unwrap().confirmed.insert(message_id);
            }
        });
    }
    publishers.join_all().await;
}
