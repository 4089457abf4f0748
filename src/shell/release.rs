//! Looks for parked messages whose release was asked for, from the start on.

use super::sleep_unless;
use crate::exchange::Gateway;
use crate::limits::{RELEASE_LOOK_MS, RELEASES_MAX};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Each release is a task of its own, within a bound; what finds no place is seen again at the next look.
pub(super) async fn release_parked(gateway: Arc<Gateway>, work: TaskTracker, stop: CancellationToken) {
    let bound = Arc::new(Semaphore::new(RELEASES_MAX));
    loop {
        match gateway.releasing().await {
            Ok(asked) => {
                for parked in asked {
                    let Ok(permit) = bound.clone().try_acquire_owned() else {
                        break;
                    };
                    let gateway = gateway.clone();
                    work.spawn(async move {
                        let _permit = permit;
                        gateway.take_up_release(parked).await;
                    });
                }
            }
            Err(trouble) => tracing::error!(%trouble, "the journal does not say what is to be released"),
        }
        if !sleep_unless(&stop, Duration::from_millis(RELEASE_LOOK_MS)).await {
            return;
        }
    }
}
