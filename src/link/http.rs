//! HTTP/1.1 links: a pooled client that calls a counterparty, and a server that takes its calls.

use crate::exchange::{CallError, Caller, HttpAnswer};
use crate::limits;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use codecs::wire::{Start, Wire};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A counterparty that is called by HTTP, over kept connections.
pub struct HttpCaller {
    client: Client<HttpConnector, Full<Bytes>>,
    base_url: String,
}

impl HttpCaller {
    /// `base_url` without a trailing slash, such as `http://127.0.0.1:8200`.
    pub fn new(base_url: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(limits::POOL_IDLE_MAX)
            .build(connector);
        Self {
            client,
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    async fn exchange(&self, wire: &Wire) -> Result<Wire, CallError> {
        let request = request_of(wire, &self.base_url)?;
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                CallError::NotSent(error.to_string())
            } else {
                CallError::Unknown(error.to_string())
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limits::BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| CallError::Unknown(format!("answer broken off: {error}")))?;
        let headers = headers_of(&head.headers).ok_or_else(|| CallError::Unknown("answer's headers refused".to_owned()))?;
        Ok(Wire {
            start: Start::Status(head.status.as_u16()),
            headers,
            body: body.to_bytes().to_vec(),
        })
    }
}

#[async_trait]
impl Caller for HttpCaller {
    async fn call(&self, wire: &Wire, timeout: Duration) -> Result<Wire, CallError> {
        tokio::time::timeout(timeout, self.exchange(wire))
            .await
            .unwrap_or_else(|_elapsed| Err(CallError::Unknown(format!("no answer within {} ms", timeout.as_millis()))))
    }
}

/// What answers a request; the shell decides on which task it runs.
pub type Handler = Arc<dyn Fn(Wire) -> Pin<Box<dyn Future<Output = HttpAnswer> + Send>> + Send + Sync>;

/// A router that hands every request of a link to `handler`.
pub fn router(handler: Handler) -> Router {
    let server = Server {
        handler,
        room_kib: Arc::new(Semaphore::new(limits::BODIES_KIB_MAX)),
    };
    Router::new().fallback(take).with_state(server)
}

#[derive(Clone)]
struct Server {
    handler: Handler,
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
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limits::BODY_BYTES_MAX).collect()).await;
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

fn request_of(wire: &Wire, base_url: &str) -> Result<hyper::Request<Full<Bytes>>, CallError> {
    let Start::Request { method, target } = &wire.start else {
        return Err(CallError::NotSent("the message is not a request".to_owned()));
    };
    let mut request = hyper::Request::builder()
        .method(method.as_str())
        .uri(format!("{base_url}{target}"));
    for (name, value) in &wire.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    request
        .body(Full::new(Bytes::copy_from_slice(&wire.body)))
        .map_err(|error| CallError::NotSent(error.to_string()))
}

/// Names in lower case, values as text; `None` when there are too many or one is not text.
fn headers_of(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    if headers.len() > limits::HEADERS_MAX {
        return None;
    }
    let pair = |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
    headers.iter().map(pair).collect()
}

/// A request's body must have come within this.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than servers usually keep idle connections, so that a request does not meet a closing one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
