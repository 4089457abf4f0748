#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

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
