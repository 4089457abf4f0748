//! The keyring, looked at again and again: what has changed is loaded, checked whole, and put in the place of the one in use.
//!
//! A keyring that is refused changes nothing: the one in use stays, and the same folder is not tried again until it changes.

use crate::exchange::Gateway;
use crate::limits::KEYS_LOOK_MS;
use keys::keyring::Keyring;
use keys::store::{Mark, Source, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Runs until it is dropped.
pub(super) async fn follow(gateway: Arc<Gateway>, source: Arc<dyn Source>, look: Arc<Notify>) {
    let mut known = None;
    loop {
        let was_told = tokio::time::timeout(Duration::from_millis(KEYS_LOOK_MS), look.notified())
            .await
            .is_ok();
        let before = known.filter(|_| !was_told);
        if let Some(found) = changed(source.clone(), before).await {
            known = Some(found.mark);
            take(&gateway, found.keyring).await;
        }
    }
}

struct Found {
    mark: Mark,
    keyring: Result<Keyring, StoreError>,
}

/// The mark is taken first: what changes while the keyring is read is seen at the next look.
async fn changed(source: Arc<dyn Source>, known: Option<Mark>) -> Option<Found> {
    let looked = tokio::task::spawn_blocking(move || {
        let mark = source.mark();
        let load = || Found {
            mark,
            keyring: source.load(),
        };
        (known != Some(mark)).then(load)
    });
    // A look that panicked found nothing; the next one follows.
    looked.await.ok().flatten()
}

async fn take(gateway: &Gateway, keyring: Result<Keyring, StoreError>) {
    let adopted = keyring
        .map_err(|error| error.to_string())
        .and_then(|keyring| gateway.adopt(keyring).map_err(|unfit| unfit.to_string()));
    match adopted {
        Ok(false) => {}
        Ok(true) => tracing::info!(version = gateway.keyring().version(), "another keyring is in use"),
        Err(reason) => {
            tracing::error!(reason, "alarm: the keyring is refused; the one in use stays");
            gateway.refuse_keyring(reason);
        }
    }
    // Whoever waits for this instance to have the keyring need not wait for the next lease.
    if let Err(trouble) = gateway.tell_keys().await {
        tracing::warn!(%trouble, "what keyring is in use was not told; it is told with the next lease");
    }
}
