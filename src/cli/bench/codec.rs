//! `hangu bench codec`: one sealed debit request and its reply, step by step, as the gateway's pipeline takes them.
//!
//! The pipeline's steps cannot be called one by one, which is their point: so the steps are measured through the public
//! interfaces of `codecs` and `keys`, and `receive` and `emit`, which are the pipeline itself, beside them.

use super::measure::{Cost, cost, micros};
use super::{build, folder, institutions, refused};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::parties::{party, world};
use crate::cli::texts::table;
use codecs::envelope::{RawCiphertext, SignatureValue};
use codecs::message::{Draft, Message};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::spec::Spec;
use codecs::wire::Wire;
use hangu::clock::{Clock, Entropy, Random};
use hangu::pipeline::{LinkView, emit, receive};
use hangu::shell::{SystemClock, SystemEntropy};
use keys::keyring::Keyring;
use keys::sm2::Ciphertext;
use keys::sm4::Sm4Gcm;
use serde_json::{Value, json};
use simulators::centre::CentreConfig;
use simulators::counterparty::Party;
use simulators::ids::Numbering;
use simulators::institution::{Order, Sending};
use simulators::mix::chosen;
use std::fmt::Display;
use std::hint::black_box;
use time::OffsetDateTime;
use tokio::time::Instant;

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many times the two messages are worked through.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rounds: u32,
}

/// Steps in the order in which a pass times them.
pub(super) const STEPS: [&str; 9] = [
    "parse",
    "verify",
    "open",
    "translate_inbound",
    "receive",
    "translate_outbound",
    "seal",
    "sign",
    "emit",
];

pub(super) struct Measured {
    costs: Vec<Cost>,
    request_code: String,
    request_bytes: usize,
    reply_code: String,
    reply_bytes: usize,
    institutions: Vec<institutions::Row>,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let measured = measured(args.rounds)?;
    output::say(&match form {
        Form::Json => output::json(&object(&measured)),
        Form::Text => page(&measured),
    });
    Ok(Exit::Ok)
}

pub(super) fn measured(rounds: u32) -> Result<Measured, Failure> {
    let folder = folder(None, "codec")?;
    keys::store::generate_demo(folder.path(), &mut Random(&SystemEntropy)).map_err(|error| refused("keys")(&error))?;
    let centre = party("nps", LINK, &folder.path().join("centre"))?;
    let keyring = keys::store::load(&folder.path().join("gateway")).map_err(|error| Failure::config("keys", error))?;
    let messages = Messages::new(&centre)?;
    let spec = centre.spec().map_err(|error| failed(&error))?;
    let bench = Bench {
        spec,
        keyring: &keyring,
        messages: &messages,
    };
    // The first passes fill caches and are not counted.
    for _ in 0..WARM_UP {
        bench.pass()?;
    }
    let mut samples = STEPS.map(|_| Vec::new());
    for _ in 0..rounds {
        for (samples, us) in samples.iter_mut().zip(bench.pass()?) {
            samples.push(us);
        }
    }
    Ok(Measured {
        costs: samples.into_iter().map(cost).collect(),
        institutions: institutions::measured(rounds)?,
        reply_bytes: bench.emit()?.wire().body.len(),
        request_bytes: messages.request.body.len(),
        request_code: messages.request_code,
        reply_code: messages.reply_code,
    })
}

/// The request as the centre sent it, and the reply as the gateway is to send it.
struct Messages {
    request_code: String,
    request: Wire,
    reply_code: String,
    reply: Payment,
}

impl Messages {
    fn new(centre: &Party) -> Result<Self, Failure> {
        let (world, planned) = (world(), chosen(1, 1, Operation::Debit, None));
        let now = world.now();
        let config = CentreConfig::new(now.date());
        let order = Order {
            serial: config.first_serial,
            institution: planned.institution,
            person: planned.person,
            amount: planned.amount,
        };
        let code = |role| centre.code(Operation::Debit, role).map_err(|error| failed(&error));
        let (request_code, reply_code) = (code(Role::Request)?, code(Role::Reply)?);
        let mut request = sending(&config, true).request(Operation::Debit, &order, None, now);
        request.set_text(Attribute::MessageCode, &*request_code);
        let wire = centre
            .emit(&request_code, &request, now, &mut world.rng())
            .map_err(|error| failed(&error))?;
        let mut reply = sending(&config, false).reply(&request, Outcome::Success, order.serial, now);
        reply
            .set_text(Attribute::PayerAccount, order.person.account)
            .set_text(Attribute::BankTxId, "B00000001");
        Ok(Self {
            request_code,
            request: wire,
            reply_code,
            reply,
        })
    }
}

fn sending(config: &CentreConfig, from_centre: bool) -> Sending {
    let (centre, bank) = ((&config.member, "NPS"), (&config.bank, "MPS"));
    let ((member, application), (counter_member, counter_application)) =
        if from_centre { (centre, bank) } else { (bank, centre) };
    Sending {
        member: member.clone(),
        application: application.to_owned(),
        counter_member: counter_member.clone(),
        counter_application: counter_application.to_owned(),
        numbering: Numbering {
            mfe: config.mfe,
            settlement_date: config.settlement_date,
        },
    }
}

/// The gateway's side of the centre's link.
struct Bench<'a> {
    spec: &'a Spec,
    keyring: &'a Keyring,
    messages: &'a Messages,
}

impl Bench<'_> {
    /// One pass through every step, in microseconds each.
    fn pass(&self) -> Result<[f64; STEPS.len()], Failure> {
        let mut times = Times::start();
        let now = SystemClock.now();
        times.skip();
        let mut message = self.spec.parse(&self.messages.request).map_err(|error| failed(&error))?;
        times.step();
        self.verify(&message, now)?;
        times.step();
        self.open(&mut message, now)?;
        times.step();
        black_box(message.payment().map_err(|error| failed(&error))?);
        times.step();
        black_box(receive(&self.messages.request, self.view(), now).map_err(|error| failed(&error))?);
        times.step();
        let drafted = self.spec.draft(&self.messages.reply_code, &self.messages.reply);
        let mut draft = drafted.map_err(|error| failed(&error))?;
        times.step();
        self.seal(&mut draft, now)?;
        times.step();
        black_box(self.sign(draft, now)?);
        times.step();
        black_box(self.emit()?);
        times.step();
        Ok(times.taken)
    }

    fn view(&self) -> LinkView<'_> {
        LinkView {
            name: LINK,
            spec: self.spec,
            keyring: self.keyring,
        }
    }

    fn emit(&self) -> Result<hangu::pipeline::Signed, Failure> {
        let Messages { reply, reply_code, .. } = self.messages;
        emit(reply, reply_code, self.view(), SystemClock.now(), &mut Random(&SystemEntropy)).map_err(|error| failed(&error))
    }

    fn verify(&self, message: &Message<'_>, now: OffsetDateTime) -> Result<(), Failure> {
        let found = message.signature().map_err(|error| failed(&error))?;
        let found = found.ok_or_else(|| failed(&"no signature"))?;
        let (Some(serial), SignatureValue::Sm2(signature)) = (found.signer.serial(), &found.value) else {
            return Err(failed(&"no SM2 signature"));
        };
        let text = message.signed_text().map_err(|error| failed(&error))?;
        let verifier = self
            .keyring
            .verifier(LINK, serial, now)
            .and_then(|found| found.sm2())
            .map_err(|error| failed(&error))?;
        verifier.verify(&text, signature).map_err(|error| failed(&error))
    }

    fn open(&self, message: &mut Message<'_>, now: OffsetDateTime) -> Result<(), Failure> {
        let envelope = message.envelope().map_err(|error| failed(&error))?;
        let envelope = envelope.ok_or_else(|| failed(&"nothing is sealed"))?;
        let unwrapper = self
            .keyring
            .unwrapper(LINK, &envelope.serial, now)
            .and_then(|found| found.sm2())
            .map_err(|error| failed(&error))?;
        let RawCiphertext { c1, c3, c2 } = envelope.wrapped;
        let secret = unwrapper.unwrap(&Ciphertext { c1, c3, c2 }).map_err(|error| failed(&error))?;
        let data_key = secret.danger_expose().try_into().map_err(|error| failed(&error))?;
        let cipher = Sm4Gcm::new(data_key);
        for field in message.sealed_fields().map_err(|error| failed(&error))? {
            let clear = cipher.open(&field.nonce, &field.additional, &field.ciphertext, &field.tag);
            let clear = clear.map_err(|error| failed(&error))?;
            message.set_opened(field.slot, &clear).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn seal(&self, draft: &mut Draft<'_>, now: OffsetDateTime) -> Result<(), Failure> {
        let signer = self.keyring.signer(LINK, now).map_err(|error| failed(&error))?;
        draft.set_signer(&signer.info.serial, now);
        let wrapper = self.keyring.wrapper(LINK, now).map_err(|error| failed(&error))?;
        let mut data_key = zeroize::Zeroizing::new([0; 16]);
        SystemEntropy.fill(data_key.as_mut());
        let wrapper_key = wrapper.sm2().map_err(|error| failed(&error))?;
        let wrapped = wrapper_key.wrap(data_key.as_ref(), &mut Random(&SystemEntropy));
        let Ciphertext { c1, c3, c2 } = wrapped.map_err(|error| failed(&error))?;
        draft.set_envelope(&wrapper.info.serial, &RawCiphertext { c1, c3, c2 });
        let cipher = Sm4Gcm::new(&data_key);
        for target in draft.seal_targets() {
            let mut nonce = [0; 12];
            SystemEntropy.fill(&mut nonce);
            let (sealed, tag) = cipher.seal(&nonce, &target.additional, target.clear.as_bytes());
            draft.set_sealed(target.slot, &nonce, &sealed, &tag);
        }
        Ok(())
    }

    fn sign(&self, draft: Draft<'_>, now: OffsetDateTime) -> Result<Wire, Failure> {
        let text = draft.signed_text().map_err(|error| failed(&error))?;
        let signer = self.keyring.signer(LINK, now).map_err(|error| failed(&error))?;
        let signature = signer
            .sm2()
            .map_err(|error| failed(&error))?
            .sign(&text, &mut Random(&SystemEntropy))
            .map_err(|error| failed(&error))?;
        draft.finish_sm2(&signature).map_err(|error| failed(&error))
    }
}

/// The clock of one pass.
struct Times {
    last: Instant,
    taken: [f64; STEPS.len()],
    step: usize,
}

impl Times {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            taken: [0.0; STEPS.len()],
            step: 0,
        }
    }

    /// Begins a step without counting what was before it.
    fn skip(&mut self) {
        self.last = Instant::now();
    }

    fn step(&mut self) {
        if let Some(taken) = self.taken.get_mut(self.step) {
            *taken = micros(self.last.elapsed());
        }
        self.step += 1;
        self.last = Instant::now();
    }
}

pub(super) fn object(measured: &Measured) -> Value {
    let row = |(at, cost): (usize, &Cost)| {
        let code = if at < FIRST_OUTBOUND {
            &measured.request_code
        } else {
            &measured.reply_code
        };
        json!({"name": STEPS.get(at), "us": cost.median_us, "best_us": cost.best_us, "message": code})
    };
    json!({
        "build": build(),
        "message": measured.request_code,
        "message_bytes": measured.request_bytes,
        "reply": measured.reply_code,
        "reply_bytes": measured.reply_bytes,
        "operations": measured.costs.iter().enumerate().map(row).collect::<Vec<_>>(),
        "institutions": institutions::object(&measured.institutions),
    })
}

fn page(measured: &Measured) -> String {
    let line = |(at, cost): (usize, &Cost)| {
        let name = STEPS.get(at).copied().unwrap_or_default();
        let whole = name == "receive" || name == "emit";
        let name = if whole {
            format!("{name} (whole)")
        } else {
            format!("  {name}")
        };
        vec![name, format!("{:>10.1}", cost.median_us), format!("{:>10.1}", cost.best_us)]
    };
    let (inbound, outbound) = measured.costs.split_at(FIRST_OUTBOUND.min(measured.costs.len()));
    let rows = inbound.iter().enumerate().chain((FIRST_OUTBOUND..).zip(outbound)).map(line);
    let titles = [
        "step".to_owned(),
        format!("{:>10}", "median us"),
        format!("{:>10}", "best us"),
    ];
    format!(
        "inbound {} of {} bytes, outbound {} of {} bytes; build: {}\n\n{}\n\n{}",
        measured.request_code,
        measured.request_bytes,
        measured.reply_code,
        measured.reply_bytes,
        build(),
        table(&titles, &rows.collect::<Vec<_>>()),
        institutions::page(&measured.institutions)
    )
}

fn failed(error: &dyn Display) -> Failure {
    refused("codec")(error)
}

/// Steps before it work on the request.
const FIRST_OUTBOUND: usize = 5;
const LINK: &str = "centre";
const WARM_UP: u32 = 10;
