//! Orders of an operator to a running gateway, by HTTP on the admin port: `POST /parked/{id}/release` and `.../discard`.
//!
//! An order is JSON `{"note": ...}`, authenticated under the journal's digest key: whoever holds the key folder may give one,
//! and nobody else. It only sets a parked message's status, by compare-and-set, so that the same order again is harmless.

use crate::clock::{from_millis, millis};
use crate::exchange::Gateway;
use crate::journal::{JournalError, Resolution, Write, Written};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use codecs::wire::{Start, Wire};
use http_body_util::{BodyExt, Limited};
use keys::error::KeyError;
use keys::keyring::Keyring;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// What is to be done with a parked message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Release,
    Discard,
}

impl Order {
    const ALL: [Self; 2] = [Self::Release, Self::Discard];

    const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Discard => "discard",
        }
    }

    /// What the order asks the journal for.
    pub const fn resolution(self) -> Resolution {
        match self {
            Self::Release => Resolution::Releasing,
            Self::Discard => Resolution::Discarded,
        }
    }

    /// The status of a message of which it was asked.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Release => "releasing",
            Self::Discard => "discarded",
        }
    }
}

/// The signed request that gives an order.
pub fn request(keyring: &Keyring, order: Order, id: i64, note: &str, now: OffsetDateTime) -> Result<Wire, KeyError> {
    let target = format!("/parked/{id}/{}", order.name());
    let (timestamp, body) = (millis(now).to_string(), json!({ "note": note }).to_string());
    let tag = keyring.digest()?.tag(&signed("POST", &target, &timestamp, body.as_bytes()));
    let signature = keys::hex::encode(&tag);
    Ok(Wire {
        start: Start::Request {
            method: "POST".to_owned(),
            target,
        },
        headers: vec![
            (TIMESTAMP.to_owned(), timestamp),
            (SIGNATURE.to_owned(), signature),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
        body: body.into_bytes(),
    })
}

/// The routes that take orders.
pub fn orders(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/parked/{id}/release", post(take))
        .route("/parked/{id}/discard", post(take))
        .with_state(gateway)
}

async fn take(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, ORDER_BYTES_MAX).collect()).await;
    let Ok(Ok(body)) = collected else {
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body refused: too large, too slow, or broken off",
        );
    };
    let body = body.to_bytes();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let check = Check {
        method: head.method.as_str(),
        target,
        headers: &head.headers,
        body: &body,
    };
    if !check.holds(&gateway.keyring(), gateway.now()) {
        tracing::warn!(target_path = target, "alarm: an order without a valid signature");
        return refuse(
            StatusCode::UNAUTHORIZED,
            "the order is not signed, or not by the journal's key, or not of this minute",
        );
    }
    match (parse(target), serde_json::from_slice::<Note>(&body)) {
        (Some((id, order)), Ok(Note { note })) if !note.trim().is_empty() => obey(&gateway, id, order, note).await,
        (Some(_), Ok(_) | Err(_)) => refuse(StatusCode::BAD_REQUEST, "wanted: {\"note\": \"why\"}"),
        (None, _) => refuse(StatusCode::NOT_FOUND, "parked messages have numbers"),
    }
}

async fn obey(gateway: &Gateway, id: i64, order: Order, note: String) -> Response {
    let write = Write::Resolve {
        id,
        to: order.resolution(),
        note: Some(note),
        at: millis(gateway.now()),
    };
    let written = gateway.journal().write(write).await;
    tracing::info!(parked = id, order = order.name(), ?written, "an operator decided");
    match written {
        Ok(Written::Stored) => answer(StatusCode::OK, &json!({ "id": id, "status": order.status() })),
        Ok(Written::Conflict(Some(status))) => answer(StatusCode::CONFLICT, &json!({ "id": id, "status": status })),
        Ok(Written::Conflict(None)) => refuse(StatusCode::NOT_FOUND, "no message was parked under this id"),
        Ok(
            Written::Accepted(_)
            | Written::Moved
            | Written::Stale(_)
            | Written::Parked { .. }
            | Written::Reserved(_)
            | Written::Taken(_)
            | Written::Pruned(_),
        ) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the journal gave an answer to another question",
        ),
        Err(error @ (JournalError::Refused(_) | JournalError::Unknown(_) | JournalError::Damaged(_))) => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    note: String,
}

/// An order before it is believed.
struct Check<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Check<'_> {
    fn holds(&self, keyring: &Keyring, now: OffsetDateTime) -> bool {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(timestamp), Some(signature), Ok(digest)) = (header(TIMESTAMP), header(SIGNATURE), keyring.digest()) else {
            return false;
        };
        let made_at = timestamp.parse().map(from_millis);
        let is_fresh = made_at.is_ok_and(|made_at| (now - made_at).abs() <= WINDOW);
        let parts = signed(self.method, self.target, timestamp, self.body);
        is_fresh && unhex(signature).is_some_and(|tag| digest.check(&parts, &tag).is_ok())
    }
}

/// What the signature covers: no part but the last can hold a `|`. The label keeps it apart from all else under this key.
fn signed<'a>(method: &'a str, target: &'a str, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 8] {
    let [method, target, timestamp] = [method, target, timestamp].map(str::as_bytes);
    [b"hangu admin|", method, b"|", target, b"|", timestamp, b"|", body]
}

fn parse(target: &str) -> Option<(i64, Order)> {
    let (id, name) = target.strip_prefix("/parked/")?.split_once('/')?;
    let order = Order::ALL.into_iter().find(|order| order.name() == name)?;
    Some((id.parse().ok()?, order))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high * 16 + low).collect())
}

fn refuse(status: StatusCode, detail: &str) -> Response {
    answer(status, &json!({ "error": detail }))
}

pub(crate) fn answer(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

const TIMESTAMP: &str = "hangu-timestamp";
const SIGNATURE: &str = "hangu-signature";
/// How far an order's time may be from ours.
const WINDOW: time::Duration = time::Duration::seconds(60);
const ORDER_BYTES_MAX: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
