//! The listener of a TCP link: bounded connections, each on a task of its own, a stop that waits for the answers in hand.

use super::serve::accept;
use crate::link::http::Handler;
use crate::link::tcp::{self, Manner};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until told to stop. One connection's silence is nobody else's.
pub(super) async fn serve(
    listener: TcpListener,
    manner: Manner,
    handler: Handler,
    connections_max: usize,
    stop: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(connections_max.max(1)));
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let (handler, stop) = (handler.clone(), stop.clone());
        open.spawn(async move {
            let _permit = permit;
            if let Err(error) = tcp::serve(stream, manner, &handler, &stop).await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    open.close();
    open.wait().await;
}
