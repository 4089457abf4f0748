//! The HTTP listener: bounded connections, bounded waiting, a stop that waits for answers in hand. Each link has its own.

use super::shake;
use crate::exchange::{Gateway, Phase};
use crate::link::door::{Bounds, Counts, Door};
use crate::link::line::Line;
use crate::link::patient::Patient;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// While the gateway stops, every answer is the last of its connection.
pub(super) fn closing(app: Router, gateway: Arc<Gateway>) -> Router {
    app.layer(axum::middleware::map_response(move |mut response: Response| {
        if gateway.phase() >= Phase::Stopping {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        std::future::ready(response)
    }))
}

/// One listener as it is served.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) name: String,
    pub(super) app: Router,
    pub(super) bounds: Bounds,
    pub(super) door: Arc<Door>,
}

/// Serves until told to stop. Handshakes and heads must come within their time, connections are counted, and a stop waits
/// for the answers in hand but not for idle connections.
pub(super) async fn serve(listener: TcpListener, served: Served, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(served.bounds.connections_max.max(1)));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let (served, watcher, stop) = (served.clone(), graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let _open = Counts::open(&served.door);
            let line = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                line = shake::hands(stream, &served) => line,
            };
            if let Some(line) = line {
                served.converse(line, watcher).await;
            }
        });
    }
    graceful.shutdown().await;
}

impl Served {
    async fn converse(self, line: Line, watcher: Watcher) {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.head_max)
            .max_buf_size(HEAD_BYTES_MAX);
        let line = TokioIo::new(Patient::new(line, self.bounds.write_max));
        let connection = builder.serve_connection(line, TowerToHyperService::new(self.app));
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

pub(super) async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _peer)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY not set");
            }
            Some((stream, permit))
        }
        Err(error) => {
            // Out of descriptors, mostly: a moment lets some connection end.
            tracing::error!(%error, "connection not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

const HEAD_BYTES_MAX: usize = 64 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
