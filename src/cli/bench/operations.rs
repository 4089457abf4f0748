//! The SM2, SM3 and SM4 operations of the gateway for one payment, counted on the messages that its journal kept, and what
//! each of them costs on this machine at its own size.

use super::measure::{Call, measure};
use super::refused;
use crate::cli::output::Failure;
use codecs::envelope::SignatureScheme;
use codecs::spec::Specs;
use hangu::clock::Random;
use hangu::config::Config;
use hangu::journal::{Exchange, MessageRecord, Read, Search, SharedJournal};
use hangu::pipeline::{LinkView, reopen};
use hangu::record;
use hangu::shell::SystemEntropy;
use hangu::start::spec_of;
use keys::keyring::Keyring;
use keys::sm2::{DEFAULT_USER_ID, Engine, PrivateKey};
use keys::sm3::{HmacSm3, sm3};
use keys::sm4::Sm4Gcm;
use std::collections::BTreeMap;
use std::hint::black_box;

/// An operation; those over data differ by the bytes that they take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Operation {
    Sign(usize),
    Verify(usize),
    Wrap,
    Unwrap,
    Sm3(usize),
    Hmac(usize),
    /// The key schedule of a data key.
    Sm4Key,
    Sm4Seal(usize),
    Sm4Open(usize),
}

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sign(_) => "sign",
            Self::Verify(_) => "verify",
            Self::Wrap => "wrap",
            Self::Unwrap => "unwrap",
            Self::Sm3(_) => "sm3",
            Self::Hmac(_) => "hmac_sm3",
            Self::Sm4Key => "sm4_key",
            Self::Sm4Seal(_) => "sm4_gcm_seal",
            Self::Sm4Open(_) => "sm4_gcm_open",
        }
    }
}

impl Operation {
    /// The data that it is over; for keys their own length.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Sign(bytes)
            | Self::Verify(bytes)
            | Self::Sm3(bytes)
            | Self::Hmac(bytes)
            | Self::Sm4Seal(bytes)
            | Self::Sm4Open(bytes) => bytes,
            Self::Wrap | Self::Unwrap | Self::Sm4Key => DATA_KEY.len(),
        }
    }
}

/// How many of each operation.
pub(super) type Counts = BTreeMap<Operation, u32>;

/// What a gateway's records are read with.
pub(super) struct Reader<'a> {
    pub(super) config: &'a Config,
    pub(super) keyring: &'a Keyring,
    pub(super) journal: &'a SharedJournal,
    pub(super) specs: Specs,
}

impl Reader<'_> {
    /// The operations of the newest delivered payment of an operation; none where there was no such payment.
    pub(super) async fn of(&self, operation: codecs::payment::Operation) -> Result<Counts, Failure> {
        let failed = |error: &dyn std::fmt::Display| refused("journal")(error);
        let search = Search {
            operation: Some(operation.name().to_owned()),
            state: Some(hangu::journal::State::Delivered),
            limit: 1,
            ..Search::default()
        };
        let found = self
            .journal
            .read(Read::Search(Box::new(search)))
            .await
            .map_err(|error| failed(&error))?;
        let found = found.exchanges().map_err(|error| failed(&error))?;
        let Some(exchange) = found.first() else {
            return Ok(Counts::new());
        };
        let read = self
            .journal
            .read(Read::Messages(exchange.id))
            .await
            .map_err(|error| failed(&error))?;
        let messages = read.messages().map_err(|error| failed(&error))?;
        let mut counts = Counts::new();
        for message in &messages {
            for operation in self.of_message(message)? {
                *counts.entry(operation).or_default() += 1;
            }
        }
        for operation in of_chain(exchange) {
            *counts.entry(operation).or_default() += 1;
        }
        Ok(counts)
    }

    /// A message is signed or verified, sealed or opened, and sealed once more as it is kept.
    fn of_message(&self, kept: &MessageRecord) -> Result<Vec<Operation>, Failure> {
        let failed = |error: &dyn std::fmt::Display| refused("journal")(error);
        let Some(link) = self.config.link.get(&kept.link) else {
            return Ok(Vec::new());
        };
        let spec = spec_of(&self.specs, &kept.link, link)?;
        let stored = record::open_stored(self.keyring, kept).map_err(|error| failed(&error))?;
        let wire = stored.wire();
        let message = spec.parse(wire).map_err(|error| failed(&error))?;
        let is_received = kept.direction == "received";
        let mut operations = vec![Operation::Sm4Seal(record::encode(wire).len())];
        let signature = message.signature().map_err(|error| failed(&error))?;
        let signed = message.signed_text().map_err(|error| failed(&error))?.len();
        operations.extend(match (signature.map(|found| found.scheme), is_received) {
            (Some(SignatureScheme::Sm2(_)), true) => Some(Operation::Verify(signed)),
            (Some(SignatureScheme::Sm2(_)), false) => Some(Operation::Sign(signed)),
            (Some(SignatureScheme::Mac(_)), _) => Some(Operation::Hmac(signed)),
            // No link of the bench has RSA keys.
            (Some(SignatureScheme::None | SignatureScheme::Rsa(_)) | None, _) => None,
        });
        if message.envelope().map_err(|error| failed(&error))?.is_some() {
            operations.push(if is_received { Operation::Unwrap } else { Operation::Wrap });
            operations.push(Operation::Sm4Key);
            for field in message.sealed_fields().map_err(|error| failed(&error))? {
                let bytes = field.ciphertext.len();
                operations.push(if is_received {
                    Operation::Sm4Open(bytes)
                } else {
                    Operation::Sm4Seal(bytes)
                });
            }
        }
        match (is_received, kept.part.as_str()) {
            (true, "request") => {
                // Its content and its payer's account are digested under the journal's key.
                let view = LinkView {
                    name: &kept.link,
                    spec: &spec,
                    keyring: self.keyring,
                };
                let received = reopen(&stored, view).map_err(|error| failed(&error))?;
                operations.push(Operation::Hmac(received.payment.business_text().len()));
                operations.push(Operation::Hmac(ACCOUNT_BYTES));
            }
            (false, "reply") => operations.push(Operation::Sm3(kept.record.sealed.len())),
            _ => {}
        }
        Ok(operations)
    }
}

/// A final outcome is chained by two digests: over the facts of the exchange, and over its record.
fn of_chain(exchange: &Exchange) -> [Operation; 2] {
    let texts = [
        &exchange.communication_key,
        &exchange.initiator,
        &exchange.msg_id,
        &exchange.msg_code,
    ];
    let more = [
        &exchange.business_key,
        &exchange.end_to_end_id,
        &exchange.out_key,
        &exchange.institution,
    ];
    let bytes = texts.iter().map(|text| text.len()).sum::<usize>()
        + more.iter().filter_map(|text| text.as_ref()).map(String::len).sum::<usize>();
    [Operation::Hmac(bytes + FACTS_REST_BYTES), Operation::Hmac(RECORD_BYTES)]
}

/// What each operation costs, measured with an engine of its own keys: microseconds in the best of many rounds, so that a
/// disturbance cannot make the rest of a payment look small.
pub(super) fn costs(engine: Engine, operations: impl Iterator<Item = Operation>) -> Result<BTreeMap<Operation, f64>, Failure> {
    let key = PrivateKey::generate(&mut Random(&SystemEntropy)).map_err(|error| refused("sm2")(&error))?;
    let mut found = BTreeMap::new();
    for operation in operations {
        let timed = measure(ROUNDS, &mut [call(engine, &key, operation)?])?;
        found.insert(operation, timed.first().map_or(f64::NAN, |cost| cost.best_us));
    }
    Ok(found)
}

fn call(engine: Engine, key: &PrivateKey, operation: Operation) -> Result<Call<'static>, Failure> {
    let failed = |error: &dyn std::fmt::Display| refused("crypto")(error);
    let text = |bytes: usize| vec![0x5a_u8; bytes];
    let (gcm, hmac, nonce) = (Sm4Gcm::new(&DATA_KEY), HmacSm3::new(&DATA_KEY), [7; 12]);
    Ok(match operation {
        Operation::Sign(bytes) => {
            let (signer, text) = (
                engine.signer(key, DEFAULT_USER_ID).map_err(|error| failed(&error))?,
                text(bytes),
            );
            timed(move || signer.sign(black_box(&text), &mut Random(&SystemEntropy)).is_ok())
        }
        Operation::Verify(bytes) => {
            let text = text(bytes);
            let signer = engine.signer(key, DEFAULT_USER_ID).map_err(|error| failed(&error))?;
            let signature = signer
                .sign(&text, &mut Random(&SystemEntropy))
                .map_err(|error| failed(&error))?;
            let verifier = engine
                .verifier(key.public(), DEFAULT_USER_ID)
                .map_err(|error| failed(&error))?;
            timed(move || verifier.verify(black_box(&text), &signature).is_ok())
        }
        Operation::Wrap => {
            let wrapper = engine.wrapper(key.public());
            timed(move || wrapper.wrap(black_box(&DATA_KEY), &mut Random(&SystemEntropy)).is_ok())
        }
        Operation::Unwrap => {
            let wrapped = engine.wrapper(key.public()).wrap(&DATA_KEY, &mut Random(&SystemEntropy));
            let (wrapped, unwrapper) = (wrapped.map_err(|error| failed(&error))?, engine.unwrapper(key));
            timed(move || unwrapper.unwrap(black_box(&wrapped)).is_ok())
        }
        Operation::Sm3(bytes) => {
            let text = text(bytes);
            timed(move || sm3(&[black_box(&text)]) != [0; 32])
        }
        Operation::Hmac(bytes) => {
            let text = text(bytes);
            timed(move || hmac.tag(&[black_box(&text)]) != [0; 32])
        }
        Operation::Sm4Key => timed(|| {
            black_box(Sm4Gcm::new(black_box(&DATA_KEY)));
            true
        }),
        Operation::Sm4Seal(bytes) => {
            let text = text(bytes);
            timed(move || gcm.seal(&nonce, &ADDITIONAL, black_box(&text)).0.len() == text.len())
        }
        Operation::Sm4Open(bytes) => {
            let (sealed, tag) = gcm.seal(&nonce, &ADDITIONAL, &text(bytes));
            timed(move || gcm.open(&nonce, &ADDITIONAL, black_box(&sealed), &tag).is_ok())
        }
    })
}

fn timed(work: impl Fn() -> bool + 'static) -> Call<'static> {
    Box::new(move || {
        if black_box(work()) {
            Ok(())
        } else {
            Err(refused("crypto")(&"an operation failed"))
        }
    })
}

/// Counts times costs, in microseconds.
pub(super) fn sum(counts: &Counts, costs: &BTreeMap<Operation, f64>) -> f64 {
    let cost = |operation| costs.get(operation).copied().unwrap_or(0.0);
    counts
        .iter()
        .map(|(operation, count)| f64::from(*count) * cost(operation))
        .sum()
}

const DATA_KEY: [u8; 16] = *b"0123456789abcdef";
/// As long as what binds a sealed field to its place.
const ADDITIONAL: [u8; 48] = [0x61; 48];
const ACCOUNT_BYTES: usize = 19;
/// Lengths, numbers and names of an exchange's facts beside its texts.
const FACTS_REST_BYTES: usize = 260;
/// A record of the chain, which names two digests in words.
const RECORD_BYTES: usize = 480;
const ROUNDS: usize = 40;
