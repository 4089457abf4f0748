//! The journal wrapped anew at a bounded rate, beside the traffic.

use super::sleep_unless;
use crate::exchange::{Gateway, Rewrapping, Turn};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Runs until it is stopped; a rate of 0 leaves the journal as it is.
pub(super) async fn rewrap(gateway: Arc<Gateway>, per_s: u32, stop: CancellationToken) {
    if per_s == 0 {
        return;
    }
    let mut pause = IDLE;
    while sleep_unless(&stop, pause).await {
        pause = match gateway.rewrap_some().await {
            Ok(Turn::Idle) => IDLE,
            Ok(Turn::Read(messages)) => Rewrapping::pause(messages, per_s),
            Err(trouble) => {
                tracing::warn!(%trouble, "the journal is not wrapped anew for the moment");
                IDLE
            }
        };
    }
}

const IDLE: Duration = Duration::from_secs(2);
