//! The console's HTTP: three files of the page, and calls that carry the token.

use super::books;
use super::console::{Console, Kind};
use super::order::Order;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use codecs::payment::{Attribute, Operation, Reason};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use simulators::fault::Fault;
use simulators::institution::{BY_CENTRE, BY_PLATFORM};
use simulators::scenario::conduct::How;
use simulators::scenario::{Flaw, Scenario};
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) fn router(console: Arc<Console>, address: SocketAddr, token: &str) -> Router {
    let guard = Arc::new(Guard {
        hosts: [address.to_string(), format!("localhost:{}", address.port())],
        token: token.to_owned(),
    });
    Router::new()
        .route("/", get(|| async { page("text/html; charset=utf-8", PAGE) }))
        .route("/page.css", get(|| async { page("text/css; charset=utf-8", STYLE) }))
        .route("/page.js", get(|| async { page("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/api/words", get(words))
        .route("/api/state", get(state))
        .route("/api/flow/{number}/{since}", get(flow))
        .route("/api/verdict/{number}", get(verdict))
        .route("/api/books", get(bench_books))
        .route("/api/play", post(play))
        .route("/api/stop", post(stop))
        .route("/api/send", post(send))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(guard, admit))
        .with_state(console)
}

/// Whom the console answers.
struct Guard {
    /// By these names alone: a page elsewhere that points its own name at us is refused.
    hosts: [String; 2],
    token: String,
}

impl Guard {
    fn refusal(&self, request: &Request) -> Option<Response> {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = text("host").unwrap_or_default();
        if !self.hosts.iter().any(|known| known == host) {
            return Some(refused(
                StatusCode::FORBIDDEN,
                "this console is called by 127.0.0.1 or localhost",
            ));
        }
        let is_call = request.uri().path().starts_with("/api/");
        let knows = text(TOKEN) == Some(self.token.as_str());
        (is_call && !knows).then(|| {
            refused(
                StatusCode::FORBIDDEN,
                "the address lacks the word behind #, or has an old one",
            )
        })
    }
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    harden(response.headers_mut());
    response
}

/// The page may load from here alone, run no text of a message, and stand in no other page.
fn harden(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn page(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn given(value: &impl Serialize) -> Response {
    with(StatusCode::OK, value)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn with(status: StatusCode, value: &impl Serialize) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, crate::cli::output::json(value)).into_response()
}

fn refused(status: StatusCode, why: &str) -> Response {
    with(status, &json!({ "error": why }))
}

/// Everything that can be chosen.
async fn words(State(console): State<Arc<Console>>) -> Response {
    let scenario = |one: &Scenario| {
        json!({
            "name": one.name, "institution": one.institution, "operation": one.operation,
            "zh": one.about_zh, "en": one.about_en,
            "steps": one.steps.iter().map(|step| &step.text).collect::<Vec<_>>(),
        })
    };
    given(&json!({
        "scenarios": console.shipped.iter().map(scenario).collect::<Vec<_>>(),
        "operations": { "centre": BY_CENTRE.map(Operation::name), "platform": BY_PLATFORM.map(Operation::name) },
        "faults": Fault::ALL.map(Fault::name),
        "hows": How::ALL.into_iter().filter(|how| !matches!(how, How::Silent | How::Back)).map(How::name).collect::<Vec<_>>(),
        "reasons": Reason::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
        "fields": Attribute::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
    }))
}

async fn state(State(console): State<Arc<Console>>) -> Response {
    let parties = console.bench(async |stage| books::parties(stage).await).await;
    given(&json!({ "parties": parties, "plays": console.lines() }))
}

async fn flow(State(console): State<Arc<Console>>, Path((number, since)): Path<(u64, usize)>) -> Response {
    match console.flow(number, since).await {
        Some(flow) => given(&flow),
        None => refused(StatusCode::NOT_FOUND, "no such run"),
    }
}

async fn verdict(State(console): State<Arc<Console>>, Path(number): Path<u64>) -> Response {
    match console.verdict(number) {
        Some(verdict) => given(&verdict),
        None => refused(StatusCode::NOT_FOUND, "no such run, or it goes on"),
    }
}

async fn bench_books(State(console): State<Arc<Console>>) -> Response {
    match console.bench(async |stage| books::books(stage).await).await {
        Some(Ok(books)) => given(&books),
        Some(Err(error)) => refused(StatusCode::SERVICE_UNAVAILABLE, &error),
        None => refused(StatusCode::SERVICE_UNAVAILABLE, "the console is closing"),
    }
}

/// A shipped scenario by its name, all of them, or one that was typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Play {
    Name(String),
    Text(String),
}

async fn play(State(console): State<Arc<Console>>, body: Bytes) -> Response {
    let asked = match read(&body) {
        Ok(asked) => asked,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
    };
    let scenarios = match asked {
        Play::Name(name) => {
            let named = console
                .shipped
                .iter()
                .filter(|one| one.name == name || one.file_name == name || name == "all");
            named.cloned().collect()
        }
        Play::Text(text) => match Scenario::parse("scenario.toml", &text) {
            Ok(scenarios) => scenarios,
            Err(flaws) => return flawed(&flaws),
        },
    };
    if scenarios.is_empty() {
        return refused(StatusCode::NOT_FOUND, "no scenario has this name");
    }
    let numbers: Vec<u64> = scenarios.into_iter().map(|one| console.play(one, Kind::Scenario)).collect();
    given(&json!({ "numbers": numbers }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    number: u64,
}

async fn stop(State(console): State<Arc<Console>>, body: Bytes) -> Response {
    match read(&body) {
        Ok(Stop { number }) if console.stop(number) => given(&json!({ "number": number })),
        Ok(_) => refused(StatusCode::NOT_FOUND, "no such run"),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn send(State(console): State<Arc<Console>>, body: Bytes) -> Response {
    let order: Order = match read(&body) {
        Ok(order) => order,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
    };
    match order.scenario() {
        Ok(scenario) => given(&json!({ "numbers": [console.play(scenario, Kind::Order)] })),
        Err(flaws) => flawed(&flaws),
    }
}

fn flawed(flaws: &[Flaw]) -> Response {
    let lines: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    refused(StatusCode::UNPROCESSABLE_ENTITY, &lines.join("\n"))
}

const TOKEN: &str = "hangu-token";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const BODY_BYTES_MAX: usize = 256 * 1024;
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
