#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::storm::Storm;
use super::{MemoryQueues, Queues};
use std::sync::Arc;

#[tokio::test]
async fn messages_come_in_order_and_closing_ends_the_wait() {
    let queues = Arc::new(MemoryQueues::default());
    for body in [b"1".to_vec(), b"2".to_vec()] {
        queues.put("a", "id", body).await.unwrap();
    }
    assert_eq!((queues.length("a"), queues.length("b")), (2, 0));
    assert_eq!(queues.take("a").await.unwrap().body, b"1");
    assert_eq!(queues.take("a").await.unwrap().body, b"2");
    let waiting = tokio::spawn({
        let queues = Arc::clone(&queues);
        async move {
            (
                queues.take("b").await.map(|taken| taken.body),
                queues.take("b").await.is_none(),
            )
        }
    });
    tokio::task::yield_now().await;
    queues.put("b", "id", b"3".to_vec()).await.unwrap();
    tokio::task::yield_now().await;
    queues.close();
    assert_eq!(waiting.await.unwrap(), (Some(b"3".to_vec()), true));
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_each_message_comes_once_or_more_and_out_of_order() {
    let inner = Arc::new(MemoryQueues::default());
    let storm = Arc::new(Storm::new(inner.clone(), 3, 7));
    let puts = (0..100_u8).map(|n| {
        let storm = storm.clone();
        tokio::spawn(async move { storm.put("a", "id", vec![n]).await.unwrap() })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    inner.close();
    let (mut came, mut times) = (Vec::new(), std::collections::BTreeMap::new());
    while let Some(taken) = storm.take("a").await {
        came.push(taken.body[0]);
        *times.entry(taken.body[0]).or_insert(0) += 1;
    }
    assert_eq!(times.len(), 100);
    let counts = times.values().copied().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(counts, [1, 2, 3].into(), "{times:?}");
    assert!(!came.is_sorted());
}
