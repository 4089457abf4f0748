//! Whether the devices that keys lie in are there, found out without waiting for a payment to fail: `/ready` and the metrics tell
//! it, and it is how an instance that was taken out of service for it comes back.

use super::sleep_unless;
use crate::limits::DEVICES_LOOK_MS;
use keys::provider::Device;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Runs until it is told to stop, one for each device.
pub(super) async fn watch(device: Arc<Device>, stop: CancellationToken) {
    loop {
        // A call that hangs costs a thread: no other is made to find that out again.
        if device.health().stuck == 0 {
            let asked = device.clone();
            let was_up = device.health().is_up;
            let probed = tokio::task::spawn_blocking(move || asked.probe()).await;
            match probed {
                Ok(Err(fault)) if was_up != Some(false) => {
                    tracing::error!(device = device.name(), %fault, "alarm: a device is away");
                }
                Ok(Ok(())) if was_up == Some(false) => {
                    tracing::info!(device = device.name(), "the device is back");
                }
                Ok(_) | Err(_) => {}
            }
        }
        if !sleep_unless(&stop, Duration::from_millis(DEVICES_LOOK_MS)).await {
            return;
        }
    }
}
