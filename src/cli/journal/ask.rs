//! Asking for a release or a discard: by the journal where we may write it, by the gateway's admin port where the gateway
//! holds it.
//!
//! A release is only asked for here: the gateway that runs, or the next one, takes the bytes through its pipeline.

use super::act::resolve;
use super::park::{one, waiting};
use super::{Held, Opened, hold, reader};
use crate::cli::key;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use codecs::wire::{Start, Wire};
use hangu::admin::{self, Order};
use hangu::clock::Clock;
use hangu::config::Config;
use hangu::exchange::{CallError, Caller};
use hangu::journal::Parked;
use hangu::link::http::HttpCaller;
use hangu::shell::SystemClock;
use serde_json::json;
use std::time::Duration;

/// What is asked, of which message, and why.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) order: Order,
    pub(super) id: i64,
    pub(super) note: &'a str,
}

impl Asked<'_> {
    /// Gives the order and says what became of it.
    pub(super) fn give(self, config: &Config, form: Form) -> Result<Exit, Failure> {
        let is_gateway_there = match hold(config)? {
            Held::ByUs(journal) => {
                waiting(&journal, self.id)?;
                resolve(&journal, self.id, self.order.resolution(), self.note)?;
                // A file that we may write is in no gateway's hands; a database may be in many.
                config.journal.file.is_none()
            }
            Held::ByGateway(held) => {
                self.order_gateway(config, &held)?;
                true
            }
        };
        let limit = if is_gateway_there { WAIT } else { Duration::ZERO };
        let parked = self.after(config, limit)?;
        output::say(&match form {
            Form::Json => output::json(&json!({
                "id": self.id, "status": parked.status, "exchange": parked.exchange, "note": parked.note, "handed_to": null,
            })),
            Form::Text => format!("{}: {}", self.id, became(&parked)),
        });
        // A release that was refused again is parked as before.
        Ok(if parked.status == super::park::WAITING {
            Exit::CheckFailed
        } else {
            Exit::Ok
        })
    }

    fn order_gateway(self, config: &Config, held: &str) -> Result<(), Failure> {
        // The message is looked at first, so that a wrong id is said without a gateway.
        waiting(&reader(config)?, self.id)?;
        let place = config.journal.place();
        let Some(address) = &config.admin.listen else {
            let detail = format!("{held}; set admin.listen, by which a running gateway takes orders, or stop the gateway");
            return Err(Failure::new(Exit::Unavailable, place, detail));
        };
        let keyring = key::load(&config.keys)?;
        let request = admin::request(&keyring, self.order, self.id, self.note, SystemClock.now());
        let request = request.map_err(|error| Failure::config("keys.folder", error))?;
        let answer = call(address, &request)?;
        let answer = answer.map_err(|error| {
            let detail = format!("{held}; and no gateway answers on admin.listen {address}: {error}");
            Failure::new(Exit::Unavailable, place, detail)
        })?;
        self.read_answer(&answer)
    }

    fn read_answer(self, answer: &Wire) -> Result<(), Failure> {
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let (exit, detail) = match &answer.start {
            Start::Status(200) => return Ok(()),
            Start::Status(409) => (
                Exit::CheckFailed,
                format!("is {} meanwhile; nothing was done", said["status"]),
            ),
            Start::Status(status) => (Exit::Unavailable, format!("the gateway answers {status}: {}", said["error"])),
            Start::Queue | Start::Request { .. } => (Exit::Unavailable, "the gateway gave no answer".to_owned()),
        };
        Err(Failure::new(exit, self.id.to_string(), detail))
    }

    /// The message as it stands once the gateway has done it, or when the time is over.
    fn after(self, config: &Config, limit: Duration) -> Result<Parked, Failure> {
        let journal = reader(config)?;
        let mut waited = Duration::ZERO;
        loop {
            let parked = one(&journal, self.id)?;
            if parked.status != "releasing" || waited >= limit {
                return Ok(parked);
            }
            pause(&journal);
            waited += LOOK;
        }
    }
}

fn pause(journal: &Opened) {
    // A timer is made inside the runtime.
    journal.runtime.block_on(async { tokio::time::sleep(LOOK).await });
}

fn call(address: &str, request: &Wire) -> Result<Result<Wire, CallError>, Failure> {
    let runtime = super::runtime()?;
    let caller = HttpCaller::new(&format!("http://{address}"));
    Ok(runtime.block_on(caller.call(request, ANSWER)))
}

fn became(parked: &Parked) -> String {
    let note = parked.note.as_deref().unwrap_or_default();
    match (parked.status.as_str(), parked.exchange) {
        ("released", Some(exchange)) => format!("{} {exchange}", text("journal.became")),
        ("released", None) => text("journal.went").to_string(),
        ("discarded", _) => text("journal.discarded").to_string(),
        ("releasing", _) => format!("{}; {}", text("journal.asked"), text("journal.waits")),
        _ => format!("{}: {note}", text("journal.refused")),
    }
}

/// How long a release may take before we leave it to the gateway.
const WAIT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(200);
/// The gateway's answer to an order.
const ANSWER: Duration = Duration::from_secs(10);
