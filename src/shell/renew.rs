//! Certificates are looked at every second, and whenever an operator says so. Connections that are up are left alone.

use crate::link::door::Door;
use crate::tls::{Look, Renewing};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Doors by link name.
pub(super) type Doors = Vec<(String, Arc<Door>)>;

pub(super) async fn renew(doors: Doors, asked: Arc<Notify>, stop: CancellationToken) {
    let doors = Arc::new(doors);
    loop {
        let forced = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = asked.notified() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let doors = doors.clone();
        // A file system that hangs must not hold up what else a worker thread does.
        let looked = tokio::task::spawn_blocking(move || doors.iter().for_each(|(link, door)| look(link, door, forced)));
        if let Err(error) = looked.await {
            tracing::error!(%error, "certificates not looked at");
        }
    }
}

fn look(link: &str, door: &Door, forced: bool) {
    look_at(link, "listener", door.listener.as_deref(), forced);
    look_at(link, "caller", door.caller.as_deref(), forced);
}

fn look_at<C>(link: &str, side: &str, renewing: Option<&Renewing<C>>, forced: bool) {
    match renewing.map(|renewing| renewing.look(forced)) {
        None | Some(Look::Unchanged) => {}
        Some(Look::Renewed) => tracing::info!(link, side, "certificates read again; they count for new connections"),
        Some(Look::Kept(error)) => {
            tracing::error!(link, side, %error, "changed certificates do not work; the ones before are used further");
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
