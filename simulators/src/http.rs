//! HTTP as the simulators speak it: messages to requests and responses and back.

use crate::counterparty::{Refusal, Step};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request::Parts};
use bytes::Bytes;
use codecs::wire::{Start, Wire};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// A client that keeps its connections.
#[derive(Clone)]
pub(crate) struct HttpClient(Client<HttpConnector, Full<Bytes>>);

impl HttpClient {
    pub(crate) fn new() -> Self {
        let built = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build_http();
        Self(built)
    }

    /// Sends a request and reads its answer, however long that takes.
    pub(crate) async fn round_trip(&self, request: Request<Full<Bytes>>) -> Result<Wire, String> {
        let response = self.0.request(request).await.map_err(|error| error.to_string())?;
        let (status, headers) = (response.status().as_u16(), headers_of(response.headers()));
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok(Wire {
            start: Start::Status(status),
            headers,
            body: body.to_bytes().to_vec(),
        })
    }
}

/// A message as a request to a server.
pub(crate) fn request_of(wire: &Wire, base_url: &str) -> Result<Request<Full<Bytes>>, Refusal> {
    let Start::Request { method, target } = &wire.start else {
        return Err(refusal("the codec wrote no HTTP request"));
    };
    let mut request = Request::builder().method(method.as_str()).uri(format!("{base_url}{target}"));
    for (name, value) in &wire.headers {
        request = request.header(name, value);
    }
    let body = Full::new(Bytes::from(wire.body.clone()));
    request.body(body).map_err(refusal)
}

pub(crate) fn wire_of(head: &Parts, body: &Bytes) -> Wire {
    let target = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    Wire {
        start: Start::Request {
            method: head.method.to_string(),
            target,
        },
        headers: headers_of(&head.headers),
        body: body.to_vec(),
    }
}

pub(crate) fn response_of(wire: Wire) -> Result<Response<Body>, Refusal> {
    let status = match wire.start {
        Start::Status(status) => status,
        Start::Queue | Start::Request { .. } => 200,
    };
    let mut response = Response::builder().status(status);
    for (name, value) in wire.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(wire.body)).map_err(refusal)
}

pub(crate) fn plain(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static(content_type));
    response
}

fn headers_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect()
}

fn refusal(text: impl ToString) -> Refusal {
    Refusal {
        step: Step::Build,
        text: text.to_string(),
    }
}

const ANSWER_BYTES_MAX: usize = 64 * 1024;
