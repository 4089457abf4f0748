//! The second table of `hangu bench codec`: every institution in each of its suites, a debit and its answer, as whole messages.
//!
//! `receive` is decoding, verifying, opening and translating; `emit` is translating, sealing and signing.

use super::measure::{Call, Cost, measure};
use super::{folder, refused};
use crate::cli::output::Failure;
use crate::cli::parties::{party, world};
use crate::cli::texts::table;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Role};
use codecs::spec::{MessageSpec, Spec, Specs};
use codecs::wire::Wire;
use hangu::clock::{Clock, Random};
use hangu::pipeline::{LinkView, emit, receive};
use hangu::shell::{SystemClock, SystemEntropy};
use keys::keyring::Keyring;
use keys::store::{DemoKeys, DemoLink};
use serde_json::{Value, json};
use simulators::counterparty::Party;
use simulators::institution::direct::{self, Order};
use simulators::people::Person;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

/// One institution in one suite.
pub(super) struct Row {
    codec: String,
    suite: String,
    received: Side,
    sent: Side,
}

/// One message of the pair.
struct Side {
    code: String,
    bytes: usize,
    cost: Cost,
}

pub(super) fn measured(rounds: u32) -> Result<Vec<Row>, Failure> {
    let folder = folder(None, "institutions")?;
    let specs = Specs::embedded().map_err(|error| failed(&error))?;
    let (mut keys, mut rows) = (DemoKeys::default(), Vec::new());
    let institutions = specs.iter().filter(|spec| direct::is_played(spec));
    for spec in institutions.flat_map(Spec::suites) {
        let place = folder.path().join(format!("{}-{}", spec.codec, spec.suite));
        rows.push(one(spec, &mut keys, &place, rounds)?);
    }
    Ok(rows)
}

fn one(spec: &Arc<Spec>, keys: &mut DemoKeys, folder: &Path, rounds: u32) -> Result<Row, Failure> {
    let link = DemoLink {
        link: &spec.codec,
        parties: ["gateway", "institution"],
        keys: &direct::keys(spec),
    };
    keys.add(folder, &link, &mut Random(&SystemEntropy))
        .map_err(|error| failed(&error))?;
    let keyring = keys::store::load(&folder.join("gateway")).map_err(|error| failed(&error))?;
    let institution = party(&spec.codec, &spec.codec, &folder.join("institution"))?.in_suite(&spec.suite);
    let view = LinkView {
        name: &spec.codec,
        spec,
        keyring: &keyring,
    };
    let pair = Pair::new(spec, &institution, &keyring)?;
    let sent = ours(view, &pair)?;
    let mut calls: [Call<'_>; 2] = [
        Box::new(|| {
            let received = receive(&pair.inbound, view, SystemClock.now());
            black_box(received.map_err(|error| failed(&error))?);
            Ok(())
        }),
        Box::new(|| {
            black_box(ours(view, &pair)?);
            Ok(())
        }),
    ];
    let costs = measure(usize::try_from(rounds.min(ROUNDS_MAX)).unwrap_or(1), &mut calls)?;
    let cost = |at: usize| costs.get(at).copied().ok_or_else(|| failed(&"not measured"));
    Ok(Row {
        codec: spec.codec.clone(),
        suite: spec.suite.clone(),
        received: Side {
            code: pair.inbound_code.clone(),
            bytes: pair.inbound.body.len(),
            cost: cost(0)?,
        },
        sent: Side {
            code: pair.outbound_code.clone(),
            bytes: sent.body.len(),
            cost: cost(1)?,
        },
    })
}

fn ours(view: LinkView<'_>, pair: &Pair) -> Result<Wire, Failure> {
    let mut random = Random(&SystemEntropy);
    let emitted = emit(&pair.outbound, &pair.outbound_code, view, SystemClock.now(), &mut random);
    Ok(emitted.map_err(|error| failed(&error))?.wire().clone())
}

/// A message of the institution's as it comes, and one of ours as it is to go.
struct Pair {
    inbound_code: String,
    inbound: Wire,
    outbound_code: String,
    outbound: Payment,
}

impl Pair {
    fn new(spec: &Arc<Spec>, institution: &Party, keyring: &Keyring) -> Result<Self, Failure> {
        let order = Order {
            serial: 1,
            person: Person::at(1),
            amount: Money::from_fen(1234),
        };
        let mut request = direct::request(spec, Operation::Debit, &order, None, world().now());
        let kind = spec
            .message_for(Operation::Debit, Role::Request)
            .ok_or_else(|| failed(&"no debit"))?;
        let reply = kind.reply.clone().unwrap_or_default();
        request.set_text(Attribute::MessageCode, &*kind.code);
        let by_it = |code: &str, payment: &Payment| {
            let world = world();
            let emitted = institution.emit(code, payment, world.now(), &mut world.rng());
            emitted.map_err(|error| failed(&error))
        };
        if spec.requests_to_us().any(|message| message.code == kind.code) {
            return Ok(Self {
                inbound: by_it(&kind.code, &request)?,
                inbound_code: kind.code.clone(),
                outbound: answered(&request, Outcome::Success),
                outbound_code: reply,
            });
        }
        let mut pair = Self {
            inbound_code: reply,
            inbound: Wire::default(),
            outbound_code: kind.code.clone(),
            outbound: request,
        };
        pair.inbound = Self::answer(spec, keyring, kind, &pair, &by_it)?;
        Ok(pair)
    }

    /// The institution's answer to a request of ours. Some can say at once that it was done, others only that it was taken.
    fn answer(
        spec: &Arc<Spec>,
        keyring: &Keyring,
        kind: &MessageSpec,
        pair: &Self,
        by_it: &dyn Fn(&str, &Payment) -> Result<Wire, Failure>,
    ) -> Result<Wire, Failure> {
        let view = LinkView {
            name: &spec.codec,
            spec,
            keyring,
        };
        let request = ours(view, pair)?;
        let code = kind.reply.as_deref().unwrap_or_default();
        let done = by_it(code, &answered(&pair.outbound, Outcome::Success));
        let answer = done.or_else(|_| by_it(code, &answered(&pair.outbound, Outcome::Unknown)))?;
        Ok(spec.named(&request, answer))
    }
}

fn answered(request: &Payment, outcome: Outcome) -> Payment {
    let mut reply = request.clone();
    (reply.role, reply.outcome) = (Role::Reply, Some(outcome));
    reply.set_text(Attribute::BankTxId, "203001021830050000018");
    reply
}

pub(super) fn object(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "codec": row.codec, "suite": row.suite, "received": row.received.code, "received_bytes": row.received.bytes,
            "receive_us": row.received.cost.median_us, "receive_best_us": row.received.cost.best_us, "sent": row.sent.code,
            "sent_bytes": row.sent.bytes, "emit_us": row.sent.cost.median_us, "emit_best_us": row.sent.cost.best_us,
            "both_us": row.received.cost.median_us + row.sent.cost.median_us,
        })
    };
    rows.iter().map(row).collect()
}

pub(super) fn page(rows: &[Row]) -> String {
    let line = |row: &Row| {
        vec![
            row.codec.clone(),
            row.suite.clone(),
            row.received.code.clone(),
            format!("{:>7}", row.received.bytes),
            format!("{:>10.1}", row.received.cost.median_us),
            row.sent.code.clone(),
            format!("{:>7}", row.sent.bytes),
            format!("{:>10.1}", row.sent.cost.median_us),
        ]
    };
    let titles = [
        "codec",
        "suite",
        "received",
        "bytes",
        "receive us",
        "sent",
        "bytes",
        "emit us",
    ]
    .map(ToOwned::to_owned);
    table(&titles, &rows.iter().map(line).collect::<Vec<_>>())
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    refused("institutions")(error)
}

/// A round takes a millisecond or more, and there are two for each row.
const ROUNDS_MAX: u32 = 100;
