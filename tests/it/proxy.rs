//! A TCP proxy that goes wrong on command.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Both sides are closed.
    Cut,
    /// Nothing is read any more in either direction; the sockets stay open.
    Freeze,
    /// The server's side is gone, and the client is not told: what it sends is swallowed.
    HalfOpen,
    /// These bytes reach the client as if the server had sent them.
    Inject(Vec<u8>),
}

pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    target: String,
    live: Mutex<Vec<mpsc::Sender<Fault>>>,
    accepted: AtomicU64,
    /// Connections that still get a byte budget, and its size.
    doomed: AtomicU64,
    budget: u64,
    forwarded: AtomicU64,
}

impl Proxy {
    pub(crate) async fn to(target: &str) -> Self {
        Self::doomed(target, 0, 0).await
    }

    /// The first `connections` are reset after `budget` bytes, counted over both directions.
    pub(crate) async fn doomed(target: &str, connections: u64, budget: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            live: Mutex::default(),
            accepted: AtomicU64::new(0),
            doomed: AtomicU64::new(connections),
            budget,
            forwarded: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            accepting,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Bytes so far, over both directions and all connections.
    pub(crate) fn forwarded(&self) -> u64 {
        self.shared.forwarded.load(Ordering::SeqCst)
    }

    /// Does `fault` to every living connection; later ones are sound.
    pub(crate) async fn inflict(&self, fault: &Fault) {
        let live = std::mem::take(&mut *self.shared.live.lock().unwrap());
        for connection in &live {
            connection.send(fault.clone()).await.ok();
        }
        self.shared.live.lock().unwrap().extend(live);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        let (sender, faults) = mpsc::channel(4);
        shared.live.lock().unwrap().push(sender);
        let doomed = shared
            .doomed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let budget = if doomed.is_ok() { shared.budget } else { u64::MAX };
        tokio::spawn(forward(client, Arc::clone(&shared), faults, budget));
    }
}

async fn forward(mut client: TcpStream, shared: Arc<Shared>, mut faults: mpsc::Receiver<Fault>, mut budget: u64) {
    let Ok(mut server) = TcpStream::connect(&shared.target).await else {
        return;
    };
    let (mut outbound, mut inbound) = ([0; 16384], [0; 16384]);
    let (mut frozen, mut swallowed) = (false, false);
    loop {
        let (bytes, to_server) = tokio::select! {
            Some(fault) = faults.recv() => {
                match fault {
                    Fault::Cut => return,
                    Fault::Freeze => frozen = true,
                    Fault::HalfOpen => { swallowed = true; server.shutdown().await.ok(); }
                    Fault::Inject(bytes) => client.write_all(&bytes).await.unwrap_or_default(),
                }
                continue;
            }
            read = client.read(&mut outbound), if !frozen => (&outbound[..read.unwrap_or(0)], true),
            read = server.read(&mut inbound), if !frozen && !swallowed => (&inbound[..read.unwrap_or(0)], false),
        };
        if bytes.is_empty() {
            return;
        }
        if swallowed {
            continue;
        }
        let allowed = usize::try_from(budget).unwrap_or(usize::MAX).min(bytes.len());
        let target = if to_server { &mut server } else { &mut client };
        if target.write_all(&bytes[..allowed]).await.is_err() {
            return;
        }
        shared.forwarded.fetch_add(allowed as u64, Ordering::SeqCst);
        budget = budget.saturating_sub(allowed as u64);
        if budget == 0 {
            // Closing with no linger sends a reset instead of an end.
            client.set_zero_linger().ok();
            return;
        }
    }
}
