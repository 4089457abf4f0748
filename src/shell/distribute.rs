//! Looks for keys of ours that a counterparty is to be told of.

use crate::exchange::Gateway;
use crate::limits::DISTRIBUTE_LOOK_MS;
use std::sync::Arc;
use std::time::Duration;

/// Runs until it is dropped; what is durable and was not sent goes out at a later look.
pub(super) async fn distribute(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(Duration::from_millis(DISTRIBUTE_LOOK_MS)).await;
        if let Err(trouble) = gateway.distribute().await {
            tracing::warn!(%trouble, "keys of ours are not announced for the moment");
        }
    }
}
