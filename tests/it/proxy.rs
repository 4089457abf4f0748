//! A TCP proxy that goes wrong on command.
//!
//! It knows nothing of what it carries; frames that are injected are made by the tests.

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
    /// The same, and then zeros for as long as the client takes them.
    Flood(Vec<u8>),
    /// What the server says next reaches the client twice.
    Twice,
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
    longest: AtomicU64,
    flooded: AtomicU64,
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
            longest: AtomicU64::new(0),
            flooded: AtomicU64::new(0),
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

    /// Bytes of the longest connection so far, over both directions.
    pub(crate) fn longest(&self) -> u64 {
        self.shared.longest.load(Ordering::SeqCst)
    }

    /// Bytes of floods that clients took.
    pub(crate) fn flooded(&self) -> u64 {
        self.shared.flooded.load(Ordering::SeqCst)
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
    // A proxy that waits for acknowledgements would put 40 ms into answers that come in several pieces.
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).ok();
    let (mut outbound, mut inbound) = ([0; 16384], [0; 16384]);
    let (mut frozen, mut swallowed, mut doubled, mut carried) = (false, false, false, 0);
    loop {
        let (bytes, to_server) = tokio::select! {
            // A fault is there before what the test does next.
            biased;
            Some(fault) = faults.recv() => {
                match fault {
                    Fault::Cut => return,
                    Fault::Freeze => frozen = true,
                    Fault::HalfOpen => { swallowed = true; server.shutdown().await.ok(); }
                    Fault::Inject(bytes) => client.write_all(&bytes).await.unwrap_or_default(),
                    Fault::Flood(head) => return flood(client, &shared, &head).await,
                    Fault::Twice => doubled = true,
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
        carried += allowed as u64;
        shared.longest.fetch_max(carried, Ordering::SeqCst);
        if doubled && !to_server {
            doubled = false;
            client.write_all(&bytes[..allowed]).await.unwrap_or_default();
        }
        budget = budget.saturating_sub(allowed as u64);
        if budget == 0 {
            // Closing with no linger sends a reset instead of an end.
            client.set_zero_linger().ok();
            return;
        }
    }
}

async fn flood(mut client: TcpStream, shared: &Shared, head: &[u8]) {
    let mut bytes = head;
    while let Ok(written @ 1..) = client.write(bytes).await {
        if shared.flooded.fetch_add(written as u64, Ordering::SeqCst) > FLOOD_BYTES_MAX {
            return;
        }
        bytes = &[0; 16384];
    }
}

/// A client that takes as much would take anything.
const FLOOD_BYTES_MAX: u64 = 64 * 1024 * 1024;
