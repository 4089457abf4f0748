//! HTTP/1.1 links: a pooled client that calls a counterparty, and a server that takes its calls.

use super::dial::Dialer;
use super::door::Bounds;
use super::pool::{Going, Pool};
use crate::exchange::{CallError, Caller, HttpAnswer};
use crate::limits;
use crate::tls::{Loaded, Renewing, TlsConfig, TlsError};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use codecs::wire::{Start, Wire};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Uri;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// How a counterparty is called.
#[derive(Clone, Debug)]
pub struct Called {
    /// Without a trailing slash, such as `http://127.0.0.1:8200`.
    pub base_url: String,
    /// For https; whom to trust is never taken from the system.
    pub tls: Option<TlsConfig>,
    pub connect_max: Duration,
    pub handshake_max: Duration,
}

/// A counterparty that is called by HTTP, over kept connections. Redirects are answers like any other, and are not followed.
pub struct HttpCaller {
    /// What every target is put behind; none where the configured text is no address.
    base: Option<Base>,
    reach: Reach,
    pool: ArcSwap<Certified>,
}

/// A base URL taken apart.
struct Base {
    url: Uri,
    host: HeaderValue,
    /// Its path, without a trailing slash.
    path: String,
}

/// How connections are made, and whom they may lead to.
struct Reach {
    tls: Option<(Arc<Renewing<ClientConfig>>, ServerName<'static>)>,
    connect_max: Duration,
    handshake_max: Duration,
}

/// Kept connections, all made with the same certificates.
struct Certified {
    made_with: Option<Arc<Loaded<ClientConfig>>>,
    pool: Arc<Pool>,
}

impl HttpCaller {
    /// In clear, with the usual patience; `base_url` as in `Called`.
    pub fn new(base_url: &str) -> Self {
        let reach = Reach {
            tls: None,
            connect_max: CONNECT_TIMEOUT,
            handshake_max: CONNECT_TIMEOUT,
        };
        Self::reaching(base_url, reach)
    }

    /// Reads the files of TLS, if there are any.
    pub fn open(called: Called) -> Result<Self, TlsError> {
        let tls = called.tls.map(|config| {
            let host = called
                .base_url
                .parse::<Uri>()
                .ok()
                .and_then(|uri| uri.host().map(str::to_owned));
            let name = config.name(&host.unwrap_or_default())?;
            let renewing = Renewing::open(config.files(), move || config.load_http())?;
            Ok((Arc::new(renewing), name))
        });
        let reach = Reach {
            tls: tls.transpose()?,
            connect_max: called.connect_max,
            handshake_max: called.handshake_max,
        };
        Ok(Self::reaching(&called.base_url, reach))
    }

    fn reaching(base_url: &str, reach: Reach) -> Self {
        Self {
            base: Base::parse(base_url),
            pool: ArcSwap::from_pointee(reach.pool(reach.certificates())),
            reach,
        }
    }

    /// The certificates that it calls with.
    pub fn certificates(&self) -> Option<Arc<Renewing<ClientConfig>>> {
        self.reach.tls.as_ref().map(|(renewing, _name)| renewing.clone())
    }

    /// New certificates get a pool of their own; what is under way on the old one ends there.
    fn pool(&self) -> Arc<Pool> {
        let certified = self.pool.load();
        let current = self.reach.certificates();
        let is_same = match (&certified.made_with, &current) {
            (Some(before), Some(current)) => Arc::ptr_eq(before, current),
            (before, current) => before.is_none() && current.is_none(),
        };
        if is_same {
            return certified.pool.clone();
        }
        let renewed = self.reach.pool(current);
        let pool = renewed.pool.clone();
        self.pool.store(Arc::new(renewed));
        pool
    }

    async fn exchange(&self, request: hyper::Request<Full<Bytes>>, target: &Uri, going: &Going) -> Result<Wire, CallError> {
        let (head, body) = self.pool().exchange(request, target, going).await?;
        let headers = headers_of(&head.headers).ok_or_else(|| CallError::Unknown("answer's headers refused".to_owned()))?;
        Ok(Wire {
            start: Start::Status(head.status.as_u16()),
            headers,
            body: body.to_vec(),
        })
    }
}

impl Base {
    fn parse(url: &str) -> Option<Self> {
        let url: Uri = url.trim_end_matches('/').parse().ok()?;
        let usual = if url.scheme_str()? == "https" { 443 } else { 80 };
        let host = match url.port_u16().filter(|port| *port != usual) {
            Some(port) => format!("{}:{port}", url.host()?),
            None => url.host()?.to_owned(),
        };
        Some(Self {
            host: HeaderValue::try_from(host).ok()?,
            path: url.path().trim_end_matches('/').to_owned(),
            url,
        })
    }

    /// A request as it stands on the wire: its target has the path alone, and the host is a header.
    fn request(&self, wire: &Wire) -> Result<hyper::Request<Full<Bytes>>, CallError> {
        let Start::Request { method, target } = &wire.start else {
            return Err(CallError::NotSent("the message is not a request".to_owned()));
        };
        if !target.is_empty() && !target.starts_with('/') {
            return Err(CallError::NotSent("the target of the request is no path".to_owned()));
        }
        let mut request = hyper::Request::builder().method(method.as_str());
        request = match (self.path.as_str(), target.as_str()) {
            ("", "") => request.uri("/"),
            ("", target) => request.uri(target),
            (path, target) => request.uri(format!("{path}{target}")),
        };
        request = request.header(header::HOST, self.host.clone());
        for (name, value) in &wire.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        request
            .body(Full::new(Bytes::copy_from_slice(&wire.body)))
            .map_err(|error| CallError::NotSent(error.to_string()))
    }
}

impl Reach {
    fn certificates(&self) -> Option<Arc<Loaded<ClientConfig>>> {
        self.tls.as_ref().map(|(renewing, _name)| renewing.current())
    }

    fn pool(&self, made_with: Option<Arc<Loaded<ClientConfig>>>) -> Certified {
        let sealed = made_with.as_ref().zip(self.tls.as_ref());
        let sealed = sealed.map(|(loaded, (_renewing, name))| (loaded.config.clone(), name.clone()));
        let dialer = Dialer::new(sealed, self.connect_max, self.handshake_max);
        let pool = Arc::new(Pool::new(dialer));
        Certified { made_with, pool }
    }
}

#[async_trait]
impl Caller for HttpCaller {
    async fn call(&self, wire: &Wire, timeout: Duration) -> Result<Wire, CallError> {
        let base = self.base.as_ref();
        let base = base.ok_or_else(|| CallError::NotSent("the counterparty's address is no URL".to_owned()))?;
        // Until it has a connection, nothing of a request can have been sent.
        let (request, going) = (base.request(wire)?, Going::default());
        let answered = tokio::time::timeout(timeout, self.exchange(request, &base.url, &going)).await;
        answered.unwrap_or_else(|_elapsed| {
            let late = timeout.as_millis();
            if going.has_begun() {
                Err(CallError::Unknown(format!("no answer within {late} ms")))
            } else {
                Err(CallError::NotSent(format!("no connection within {late} ms")))
            }
        })
    }
}

/// What answers a request; the shell decides on which task it runs.
pub type Handler = Arc<dyn Fn(Wire) -> Pin<Box<dyn Future<Output = HttpAnswer> + Send>> + Send + Sync>;

/// A router that hands every request of a link to `handler`.
pub fn router(handler: Handler) -> Router {
    router_within(handler, Bounds::of(1).body_max)
}

/// The same; bodies must have come within `body_max`.
pub fn router_within(handler: Handler, body_max: Duration) -> Router {
    let server = Server {
        handler,
        body_max,
        room_kib: Arc::new(Semaphore::new(limits::BODIES_KIB_MAX)),
    };
    Router::new().fallback(take).with_state(server)
}

#[derive(Clone)]
struct Server {
    handler: Handler,
    body_max: Duration,
    /// Room for the bodies of all requests in hand, so that many large ones cannot fill the memory.
    room_kib: Arc<Semaphore>,
}

impl Server {
    /// Room for a body of the announced size, or of any where none is announced.
    fn room(&self, body: &Body) -> Option<OwnedSemaphorePermit> {
        let announced = body.size_hint().upper().and_then(|size| usize::try_from(size).ok());
        let size = announced.unwrap_or(limits::BODY_BYTES_MAX).min(limits::BODY_BYTES_MAX);
        let kib = u32::try_from(size / 1024 + 1).ok()?;
        self.room_kib.clone().try_acquire_many_owned(kib).ok()
    }
}

async fn take(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some(_room) = server.room(&body) else {
        let reason = "no room for the body".to_owned();
        return respond(HttpAnswer::Later { reason });
    };
    let Some(headers) = headers_of(&head.headers) else {
        return plain(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers refused: too many, or not text",
        );
    };
    let collected = tokio::time::timeout(server.body_max, Limited::new(body, limits::BODY_BYTES_MAX).collect()).await;
    let Ok(Ok(body)) = collected else {
        return plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body refused: too large, too slow, or broken off",
        );
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let start = Start::Request {
        method: head.method.as_str().to_owned(),
        target,
    };
    let body = body.to_bytes().to_vec();
    respond((server.handler)(Wire { start, headers, body }).await)
}

fn respond(answer: HttpAnswer) -> Response {
    match answer {
        HttpAnswer::Message(wire) => response_of(wire),
        HttpAnswer::Refused { status, rejection } => {
            let error = serde_json::json!({"error": {
                "step": rejection.step.name(),
                "code": rejection.code,
                "field": rejection.field,
                "offset": rejection.offset,
                "detail": rejection.detail,
            }});
            let mut response = plain(
                StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
                &error.to_string(),
            );
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static("application/json"));
            response
        }
        HttpAnswer::Later { reason } => {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, &reason);
            response.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
            response
        }
    }
}

fn response_of(wire: Wire) -> Response {
    let status = match wire.start {
        Start::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        Start::Queue | Start::Request { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = Response::new(Body::from(wire.body));
    *response.status_mut() = status;
    for (name, value) in wire.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

/// Names in lower case, values as text; `None` when there are too many or one is not text.
fn headers_of(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    if headers.len() > limits::HEADERS_MAX {
        return None;
    }
    let pair = |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
    headers.iter().map(pair).collect()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
