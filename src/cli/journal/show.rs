//! `hangu journal show`: one exchange, its timeline, its messages opened with the journal key, decoded and masked.

use super::{find, reader};
use crate::cli::key;
use crate::cli::message::{lines, objects};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, text, titles};
use codecs::message::DescribedField;
use codecs::spec::Specs;
use codecs::wire::Wire;
use hangu::config::Config;
use hangu::journal::{Exchange, Found, MessageRecord, Millis, Parked, Read, RequestRecord};
use hangu::pipeline::{LinkView, disclose_stored, stored_content};
use hangu::record;
use hangu::start::spec_of;
use keys::keyring::Keyring;
use serde_json::{Value, json};

/// What is needed to read stored messages.
pub(super) struct Reader<'a> {
    pub(super) config: &'a Config,
    pub(super) keyring: &'a Keyring,
    specs: Specs,
}

pub(super) fn run(id: i64, config: &Config, form: Form) -> Result<Exit, Failure> {
    let journal = reader(config)?;
    let Some(exchange) = journal.ask(Read::Exchange(id), Found::exchange)? else {
        return Err(Failure::new(
            Exit::CheckFailed,
            id.to_string(),
            "the journal has no exchange with this id",
        ));
    };
    let messages = journal.ask(Read::Messages(id), Found::messages)?;
    let shown = Shown {
        requests: journal.ask(Read::Requests(id), Found::requests)?,
        released: journal.ask(Read::ReleasedAs(id), Found::parked)?,
        messages,
        exchange,
    };
    let keyring = key::load(&config.keys)?;
    let reader = Reader::new(config, &keyring)?;
    output::say(&match form {
        Form::Json => output::json(&object(&reader, &shown)),
        Form::Text => page(&reader, &shown),
    });
    Ok(Exit::Ok)
}

/// An exchange with all that hangs on it.
struct Shown {
    exchange: Exchange,
    messages: Vec<MessageRecord>,
    requests: Vec<RequestRecord>,
    /// The parked messages that became it.
    released: Vec<Parked>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(config: &'a Config, keyring: &'a Keyring) -> Result<Self, Failure> {
        let specs = config.specs()?;
        Ok(Self { config, keyring, specs })
    }

    /// The fields of a stored message, or why they cannot be shown.
    pub(super) fn fields(&self, link: &str, wire: &Wire) -> Result<Vec<DescribedField>, String> {
        let config = self
            .config
            .link
            .get(link)
            .ok_or_else(|| format!("link {link} is no longer configured"))?;
        let spec = spec_of(&self.specs, link, config).map_err(|error| error.to_string())?;
        let view = LinkView {
            name: link,
            spec: &spec,
            keyring: self.keyring,
        };
        let content = stored_content(wire, view).map_err(|rejection| rejection.to_string())?;
        let mut message = spec.parse(&content).map_err(|error| error.to_string())?;
        // What we sent is sealed for the counterparty; it stays closed, and that is no fault.
        drop(disclose_stored(&mut message, view));
        Ok(message.describe(false))
    }

    fn of_record(&self, message: &MessageRecord) -> Result<Vec<DescribedField>, String> {
        let wire = record::open(self.keyring, message).map_err(|error| error.to_string())?;
        self.fields(&message.link, &wire)
    }
}

/// What happened when, in order.
fn timeline(exchange: &Exchange, messages: &[MessageRecord]) -> Vec<(Millis, String)> {
    let states = [
        (Some(exchange.accepted_at), "accepted"),
        (exchange.sent_at, "sent"),
        (exchange.answered_at, "answered"),
        (exchange.delivered_at, "delivered"),
    ];
    let states = states
        .into_iter()
        .filter_map(|(at, name)| Some((at?, format!("state {name}"))));
    let of_message = |message: &MessageRecord| {
        (
            message.at,
            format!("{} {} {} {}", message.link, message.direction, message.part, message.code),
        )
    };
    let mut events: Vec<_> = states.chain(messages.iter().map(of_message)).collect();
    events.sort_by_key(|(at, _)| *at);
    events
}

fn object(reader: &Reader<'_>, shown: &Shown) -> Value {
    let Shown {
        exchange,
        messages,
        requests,
        released,
    } = shown;
    let of_message = |message: &MessageRecord| {
        let (fields, closed) = match reader.of_record(message) {
            Ok(fields) => (objects(&fields), None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        json!({
            "link": message.link, "direction": message.direction, "part": message.part, "code": message.code,
            "at": find::instant(message.at), "journal_key": message.record.key, "fields": fields, "unreadable": closed,
        })
    };
    let event = |(at, what): (Millis, String)| json!({ "at": find::instant(at), "what": what });
    let request = |request: &RequestRecord| json!({ "communication_key": request.communication_key, "replied": request.replied });
    json!({
        "exchange": find::object(exchange),
        "released_from_parked": released.iter().map(|parked| parked.id).collect::<Vec<_>>(),
        "requests": requests.iter().map(request).collect::<Vec<_>>(),
        "timeline": timeline(exchange, messages).into_iter().map(event).collect::<Vec<_>>(),
        "messages": messages.iter().map(of_message).collect::<Vec<_>>(),
    })
}

fn page(reader: &Reader<'_>, shown: &Shown) -> String {
    let Shown {
        exchange,
        messages,
        requests,
        released,
    } = shown;
    let mut parts: Vec<String> = facts(exchange)
        .into_iter()
        .map(|(key, value)| format!("{}: {value}", text(key)))
        .collect();
    let origin = |parked: &Parked| format!("{} {}", text("journal.released_from"), parked.id);
    parts.extend(released.iter().map(origin));
    parts.extend(requests.iter().map(|request| {
        let replied = request.replied.as_deref().unwrap_or("-");
        format!("{}: {} [{replied}]", text("journal.keys"), request.communication_key)
    }));
    let events = timeline(exchange, messages)
        .into_iter()
        .map(|(at, what)| vec![find::instant(at), what]);
    parts.push(format!(
        "\n{}",
        table(&titles(&["journal.at", "journal.timeline"]), &events.collect::<Vec<_>>())
    ));
    for message in messages {
        let head = format!("{} {} {} {}", message.link, message.direction, message.part, message.code);
        let body = reader
            .of_record(message)
            .map_or_else(|reason| reason, |fields| lines(&fields));
        parts.push(format!("\n{}: {head}\n{body}", text("journal.messages")));
    }
    parts.join("\n")
}

fn facts(exchange: &Exchange) -> Vec<(&'static str, String)> {
    let owned = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut outcome = find::outcome(exchange);
    if let Some(text) = exchange.outcome.as_ref().and_then(|outcome| outcome.text.as_deref()) {
        outcome = format!("{outcome} {text}");
    }
    vec![
        ("journal.id", exchange.id.to_string()),
        ("journal.state", exchange.state.name().to_owned()),
        ("journal.outcome", outcome),
        ("journal.operation", exchange.operation.clone()),
        ("journal.institution", owned(&exchange.institution)),
        ("journal.amount", find::amount(exchange)),
        ("journal.date", owned(&exchange.settlement_date)),
        ("journal.msg_id", exchange.msg_id.clone()),
        ("journal.end_to_end", owned(&exchange.end_to_end_id)),
        (
            "journal.links",
            format!("{} -> {}", exchange.link_in, exchange.link_out.as_deref().unwrap_or("-")),
        ),
        ("journal.out_key", owned(&exchange.out_key)),
        ("journal.owner", format!("{} epoch {}", exchange.owner, exchange.epoch)),
        ("journal.attempts", format!("{}, {}", exchange.attempts, exchange.queries)),
    ]
}
