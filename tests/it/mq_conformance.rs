//! What every `Mq` must do, whatever is behind it.

use bytes::Bytes;
use hangu::mq::{Consumer, Delivery, MqError, Publication, Published, SharedMq};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for anything that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long we look for what should not happen.
const ABSENCE: Duration = Duration::from_millis(300);

/// Runs all cases; `connect` gives a new connection to the same broker.
pub(crate) async fn suite(connect: impl Fn() -> SharedMq) {
    let mq = connect();
    wait_until("connected", || mq.state().connected).await;
    tokio::join!(
        taken_and_acknowledged(&mq),
        requeued(&mq),
        prefetch_bounds(&mq),
        refused(&mq),
        missing_queue(&mq),
        redelivered_after_drop(&mq),
        order_kept(&mq),
        shared_between_consumers(&mq),
        many_publishers(&mq),
    );
    closed(&connect()).await;
    closed(&mq).await;
}

pub(crate) fn publication(queue: &str, message_id: &str) -> Publication {
    Publication {
        queue: queue.to_owned(),
        message_id: message_id.to_owned(),
        correlation_id: Some("c-1".to_owned()),
        content_type: "application/xml",
        body: Bytes::from(format!("<body id=\"{message_id}\"/>")),
    }
}

pub(crate) async fn declared(mq: &SharedMq, queue: &str) -> String {
    mq.declare(&[queue.to_owned()]).await.unwrap();
    queue.to_owned()
}

pub(crate) async fn confirmed(mq: &SharedMq, queue: &str, message_id: &str) {
    assert_eq!(
        mq.publish(publication(queue, message_id)).await,
        Published::Confirmed,
        "{queue} {message_id}"
    );
}

pub(crate) async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    timeout(PATIENCE, consumer.next())
        .await
        .expect("a delivery in time")
        .expect("an open consumer")
}

/// Polls a condition; its failure names it.
pub(crate) async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Polls the number of ready messages and of consumers.
pub(crate) async fn wait_for_counts(mq: &SharedMq, queue: &str, messages: u64, consumers: u64) {
    let end = Instant::now() + PATIENCE;
    loop {
        let state = mq.check(&[queue.to_owned()]).await.unwrap().remove(0);
        if (state.messages, state.consumers) == (messages, consumers) {
            return;
        }
        assert!(
            Instant::now() < end,
            "{state:?}, wanted {messages} messages and {consumers} consumers"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

fn id(delivery: &Delivery) -> &str {
    delivery.message_id.as_deref().unwrap()
}

async fn taken_and_acknowledged(mq: &SharedMq) {
    const MANY: u16 = 64;
    let queue = declared(mq, "t.taken").await;
    let mut consumer = mq.consume(&queue, 1);
    confirmed(mq, &queue, "a").await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.queue, queue);
    assert_eq!(id(&delivery), "a");
    assert_eq!(delivery.body, publication(&queue, "a").body);
    assert!(!delivery.redelivered);
    delivery.settle.ack().await;
    drop(consumer);
    // Neither ready nor waiting to come back: acknowledgements reach the broker before the consumer's goodbye.
    let mut consumer = mq.consume(&queue, MANY);
    let mut held = Vec::new();
    for number in 0..MANY {
        confirmed(mq, &queue, &format!("m{number}")).await;
        held.push(next(&mut consumer).await);
    }
    for delivery in held {
        delivery.settle.ack().await;
    }
    drop(consumer);
    wait_for_counts(mq, &queue, 0, 0).await;
}

async fn requeued(mq: &SharedMq) {
    let queue = declared(mq, "t.requeued").await;
    let mut consumer = mq.consume(&queue, 4);
    confirmed(mq, &queue, "a").await;
    next(&mut consumer).await.settle.requeue().await;
    let again = next(&mut consumer).await;
    assert_eq!(id(&again), "a");
    assert!(again.redelivered);
    again.settle.ack().await;
}

async fn prefetch_bounds(mq: &SharedMq) {
    let queue = declared(mq, "t.prefetch").await;
    for message in ["a", "b", "c", "d"] {
        confirmed(mq, &queue, message).await;
    }
    let mut consumer = mq.consume(&queue, 2);
    let first = next(&mut consumer).await;
    let second = next(&mut consumer).await;
    assert!(
        timeout(ABSENCE, consumer.next()).await.is_err(),
        "a third delivery over a prefetch of 2"
    );
    first.settle.ack().await;
    let third = next(&mut consumer).await;
    assert_eq!(id(&third), "c");
    assert!(
        timeout(ABSENCE, consumer.next()).await.is_err(),
        "one place was freed, not two"
    );
    second.settle.ack().await;
    third.settle.ack().await;
    next(&mut consumer).await.settle.ack().await;
}

async fn refused(mq: &SharedMq) {
    let unroutable = mq.publish(publication("t.nowhere", "a")).await;
    assert!(
        matches!(&unroutable, Published::Refused(reason) if reason.contains("unroutable")),
        "{unroutable:?}"
    );
    let nameless = mq.publish(publication("t.nowhere", "")).await;
    assert!(matches!(nameless, Published::Refused(_)), "{nameless:?}");
    let queue = declared(mq, "t.refused").await;
    let long = "q".repeat(256);
    let mut huge = publication(&queue, "huge");
    huge.body = Bytes::from(vec![b'x'; 1024 * 1024 + 1]);
    for wrong in [
        publication(&long, "a"),
        publication("", "a"),
        publication(&queue, &long),
        huge,
    ] {
        let published = mq.publish(wrong).await;
        assert!(matches!(published, Published::Refused(_)), "{published:?}");
    }
    // The link survives all of it, and the empty body and the longest names pass.
    let longest = declared(mq, &"q".repeat(255)).await;
    let mut empty = publication(&longest, &"i".repeat(255));
    empty.body = Bytes::new();
    assert_eq!(mq.publish(empty).await, Published::Confirmed);
    let mut consumer = mq.consume(&longest, 1);
    let delivery = next(&mut consumer).await;
    assert!(delivery.body.is_empty());
    delivery.settle.ack().await;
    // The largest body takes several frames.
    let mut largest = publication(&longest, "largest");
    largest.body = (0..=u8::MAX).cycle().take(1024 * 1024).collect();
    let body = largest.body.clone();
    assert_eq!(mq.publish(largest).await, Published::Confirmed);
    let delivery = next(&mut consumer).await;
    assert!(delivery.body == body, "the largest body arrives as sent");
    delivery.settle.ack().await;
}

async fn missing_queue(mq: &SharedMq) {
    let there = declared(mq, "t.there").await;
    let missing = mq.check(&[there.clone(), "t.missing".to_owned()]).await.unwrap_err();
    assert!(
        matches!(&missing, MqError::Queue { queue, .. } if queue == "t.missing"),
        "{missing}"
    );
    // Checking makes nothing, and consuming neither: the consumer begins once the queue is there.
    let mut consumer = mq.consume("t.late", 1);
    assert!(timeout(ABSENCE, consumer.next()).await.is_err());
    assert!(mq.check(&["t.late".to_owned()]).await.is_err());
    let late = declared(mq, "t.late").await;
    confirmed(mq, &late, "a").await;
    next(&mut consumer).await.settle.ack().await;
    assert_eq!(mq.check(&[there]).await.unwrap()[0].messages, 0);
}

async fn redelivered_after_drop(mq: &SharedMq) {
    let queue = declared(mq, "t.dropped").await;
    for message in ["a", "b", "c"] {
        confirmed(mq, &queue, message).await;
    }
    let mut consumer = mq.consume(&queue, 2);
    let first = next(&mut consumer).await;
    let second = next(&mut consumer).await;
    drop(consumer);
    wait_for_counts(mq, &queue, 3, 0).await;
    // A late acknowledgement takes nothing off the queue, and none that another consumer holds.
    let mut other = mq.consume(&queue, 10);
    let again = next(&mut other).await;
    first.settle.ack().await;
    second.settle.ack().await;
    assert_eq!((id(&again), again.redelivered), ("a", true));
    let rest = [next(&mut other).await, next(&mut other).await];
    assert_eq!([id(&rest[0]), id(&rest[1])], ["b", "c"]);
    assert_eq!([rest[0].redelivered, rest[1].redelivered], [true, false]);
    drop(other);
    wait_for_counts(mq, &queue, 3, 0).await;
}

async fn order_kept(mq: &SharedMq) {
    let queue = declared(mq, "t.order").await;
    let expected: Vec<String> = (0..200).map(|number| format!("m{number:03}")).collect();
    let mut consumer = mq.consume(&queue, 16);
    let publishing = async {
        for message in &expected {
            confirmed(mq, &queue, message).await;
        }
    };
    let consuming = async {
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            let delivery = next(&mut consumer).await;
            seen.push(id(&delivery).to_owned());
            delivery.settle.ack().await;
        }
        seen
    };
    let ((), seen) = tokio::join!(publishing, consuming);
    assert_eq!(seen, expected);
}

async fn shared_between_consumers(mq: &SharedMq) {
    let queue = declared(mq, "t.shared").await;
    let (mut left, mut right) = (mq.consume(&queue, 1), mq.consume(&queue, 1));
    wait_until("connected", || mq.state().connected).await;
    confirmed(mq, &queue, "a").await;
    confirmed(mq, &queue, "b").await;
    let (first, second) = tokio::join!(next(&mut left), next(&mut right));
    let ids = BTreeSet::from([id(&first).to_owned(), id(&second).to_owned()]);
    assert_eq!(ids.len(), 2, "one message went to both");
    first.settle.ack().await;
    second.settle.ack().await;
}

async fn many_publishers(mq: &SharedMq) {
    let queue = declared(mq, "t.many").await;
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..500 {
        let (mq, queue) = (mq.clone(), queue.clone());
        publishers.spawn(async move { mq.publish(publication(&queue, &format!("m{number}"))).await });
    }
    let words = publishers.join_all().await;
    assert!(words.iter().all(|word| *word == Published::Confirmed), "{words:?}");
    let mut consumer = mq.consume(&queue, 64);
    let mut seen = BTreeSet::new();
    while seen.len() < 500 {
        let delivery = next(&mut consumer).await;
        assert!(seen.insert(id(&delivery).to_owned()), "{} came twice", id(&delivery));
        delivery.settle.ack().await;
    }
    wait_until("nothing unconfirmed", || mq.state().unconfirmed == 0).await;
}

async fn closed(mq: &SharedMq) {
    wait_until("connected", || mq.state().connected).await;
    let queue = declared(mq, "t.closed").await;
    let mut consumer = mq.consume(&queue, 1);
    let published = mq.publish(publication(&queue, "a")).await;
    assert_eq!(published, Published::Confirmed);
    let delivery = next(&mut consumer).await;
    delivery.settle.ack().await;
    let waiting = tokio::spawn(async move { consumer.next().await.is_none() });
    timeout(PATIENCE, mq.close()).await.expect("close ends");
    assert!(
        timeout(PATIENCE, waiting).await.unwrap().unwrap(),
        "a consumer ends with its connection"
    );
    assert!(matches!(mq.publish(publication(&queue, "b")).await, Published::Refused(_)));
    assert!(matches!(
        mq.check(std::slice::from_ref(&queue)).await,
        Err(MqError::Unavailable(_))
    ));
    assert!(mq.consume(&queue, 1).next().await.is_none());
    assert!(!mq.state().connected);
    timeout(PATIENCE, mq.close()).await.expect("a second close ends too");
}
