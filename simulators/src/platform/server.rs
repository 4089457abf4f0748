//! The platform's HTTP server: one handler, which receives, executes, answers.

use super::line::{Line, Tap};
use super::script::Conduct;
use super::{NAME, PlatformFault, Shared, lock};
use crate::counterparty::{Refusal, Twist};
use crate::http::{plain, response_of, wire_of};
use crate::ledger::Answer;
use crate::people::Person;
use crate::witness::Seen;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, State};
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::wire::Wire;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;

/// Larger than any request of the platform codec.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// As long as the ledger's own ids.
const BANK_TX_ID_CHARS: usize = 19;

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    let router = Router::new()
        .route("/books", get(books))
        .fallback(handle)
        .with_state(Arc::clone(&shared));
    let gate = Gate { listener, shared };
    let service = router.into_make_service_with_connect_info::<Line>();
    let served = axum::serve(gate, service).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::warn!(%error, "the platform's server ended");
    }
}

/// A listener that closes connections at once while the platform refuses them.
struct Gate {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Listener for Gate {
    type Io = Tap;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Tap, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if self.shared.refusing.load(Ordering::SeqCst) {
                continue;
            }
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no-delay could not be set");
            }
            return (Tap::new(stream), address);
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Gate>> for Line {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        stream.io().line()
    }
}

/// The executed effects as JSON, for a platform that runs as its own process.
async fn books(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let json = serde_json::to_vec(&lock(&shared.ledger).book()).unwrap_or_default();
    plain(StatusCode::OK, "application/json", json)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Extension(ConnectInfo(line)): Extension<ConnectInfo<Line>>,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", b"too large".to_vec());
    };
    if shared.is_held() {
        return never(&shared).await;
    }
    let wire = wire_of(&head, &body);
    let read = shared.party.receive(&wire, shared.world.now());
    shared.world.tell(|| Seen::received(NAME, read.as_ref(), &wire.body));
    let request = match read {
        Ok(message) => message,
        Err(refusal) => return shared.reject(StatusCode::UNAUTHORIZED, &refusal.to_string()),
    };
    match request.role {
        Role::Request => {}
        Role::Notice => return acknowledge(&shared, &request),
        Role::Reply | Role::Ack => return shared.reject(StatusCode::BAD_REQUEST, "neither a request nor a notice"),
    }
    let Some(key) = wire.header("idempotency-key") else {
        return shared.reject(StatusCode::BAD_REQUEST, "no Idempotency-Key");
    };
    *shared.received().entry(request.operation).or_default() += 1;
    let conduct = shared.conduct(&request);
    let answer = if let Some(reason) = conduct.refusal {
        Answer::new(Outcome::failed(reason, "refused as the script says"))
    } else if shared.bookless.load(Ordering::Relaxed) {
        success(&request, key)
    } else {
        lock(&shared.ledger).execute(&request, key)
    };
    if answer.repeated {
        shared.repeated.fetch_add(1, Ordering::Relaxed);
    }
    let response = respond(&shared, &request, answer, conduct).await;
    match conduct.fault {
        Some(PlatformFault::Drip(milliseconds)) => {
            let length = response.body().size_hint().lower();
            line.drip(Duration::from_millis(milliseconds), length);
        }
        Some(PlatformFault::HangUp) => line.hang_up(),
        _ => {}
    }
    if conduct.dies {
        shared.silent.store(true, Ordering::SeqCst);
        shared.refusing.store(true, Ordering::SeqCst);
    }
    response
}

/// What the ledger would answer to a good payment, without a ledger.
fn success(request: &Payment, key: &str) -> Answer {
    let owner = request.text(Attribute::Agreement).and_then(Person::of_any_agreement);
    Answer {
        account: owner.map(|person| person.account),
        bank_tx_id: key.chars().filter(char::is_ascii_digit).take(BANK_TX_ID_CHARS).collect(),
        ..Answer::new(Outcome::Success)
    }
}

/// Notices change nothing in the ledger; that they came is counted and acknowledged.
fn acknowledge(shared: &Shared, notice: &Payment) -> Response<Body> {
    *shared.received().entry(notice.operation).or_default() += 1;
    let mut acknowledgement = reply_to(notice, &Answer::new(Outcome::Success));
    (acknowledgement.operation, acknowledgement.role) = (Operation::Ack, Role::Ack);
    finish(shared.write(&acknowledgement, Twist::None))
}

async fn respond(shared: &Shared, request: &Payment, mut answer: Answer, conduct: Conduct) -> Response<Body> {
    let mut twist = Twist::None;
    match conduct.fault {
        None | Some(PlatformFault::Drip(_) | PlatformFault::HangUp) => {}
        Some(PlatformFault::Delay(milliseconds)) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        Some(PlatformFault::Never) => return never(shared).await,
        Some(PlatformFault::Processing) => answer.outcome = Outcome::Unknown,
        Some(PlatformFault::Status500) => {
            shared.tell_unsigned(request, "500, unsigned");
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", b"internal error".to_vec());
        }
        Some(PlatformFault::Garbage) => {
            shared.tell_unsigned(request, "200, no message");
            return plain(StatusCode::OK, "application/json", b"{\"outcome\":".to_vec());
        }
        Some(PlatformFault::BadMac) => twist = Twist::BadSignature,
    }
    finish(shared.write(&reply_to(request, &answer), twist))
}

fn finish(written: Result<Wire, Refusal>) -> Response<Body> {
    written.and_then(response_of).unwrap_or_else(|refusal| {
        tracing::error!(%refusal, "the platform could not write its answer");
        plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            refusal.to_string().into_bytes(),
        )
    })
}

/// Holds the request until the client gives up or the platform stops.
async fn never(shared: &Shared) -> Response<Body> {
    shared.stop.cancelled().await;
    plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", b"stopping".to_vec())
}

impl Shared {
    /// Whether this request meets a silent platform; uses up one let-through if there is one.
    fn is_held(&self) -> bool {
        let take_one = |count: u64| count.checked_sub(1);
        self.silent.load(Ordering::SeqCst)
            && self
                .let_through
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
                .is_err()
    }

    /// Tells a watcher of an answer that is no message.
    fn tell_unsigned(&self, request: &Payment, remark: &str) {
        let seen = || Seen::sent(NAME, request, &[]).remarking(remark);
        self.world.tell(|| Seen { message: None, ..seen() });
    }

    fn reject(&self, status: StatusCode, text: &str) -> Response<Body> {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        plain(status, "text/plain", text.as_bytes().to_vec())
    }

    pub(super) fn fault(&self, request: &Payment) -> Option<PlatformFault> {
        let mut taken = None;
        for (rule, seen) in self.rules().iter_mut().filter(|(rule, _)| rule.when.fits(request)) {
            if taken.is_none() && rule.when.holds(request, *seen) {
                taken = Some(rule.fault);
            }
            *seen += 1;
        }
        taken
    }

    fn write(&self, reply: &Payment, twist: Twist) -> Result<Wire, Refusal> {
        let code = self.party.code(reply.operation, reply.role)?;
        let wire = self
            .party
            .emit_twisted(&code, reply, self.world.now(), &mut self.world.rng(), twist)?;
        let remark = if twist == Twist::BadSignature { "bad_signature" } else { "" };
        self.world.tell(|| Seen::sent(NAME, reply, &wire.body).remarking(remark));
        Ok(wire)
    }
}

/// The answer's content: what was asked, and what the ledger says.
fn reply_to(request: &Payment, answer: &Answer) -> Payment {
    let mut reply = request.clone();
    (reply.role, reply.outcome) = (Role::Reply, Some(answer.outcome.clone()));
    // A GET has no body and so names neither side.
    reply.set_text(Attribute::Sender, request.text(Attribute::Receiver).unwrap_or("platform"));
    if let Some(sender) = request.text(Attribute::Sender) {
        reply.set_text(Attribute::Receiver, sender);
    }
    if let Some(agreement) = &answer.agreement {
        reply.set_text(Attribute::Agreement, agreement.clone());
    }
    if let Some(account) = &answer.account {
        reply.set_text(Attribute::PayerAccount, account.clone());
    }
    if !answer.bank_tx_id.is_empty() {
        reply.set_text(Attribute::BankTxId, answer.bank_tx_id.clone());
    }
    reply
}
