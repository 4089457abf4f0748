//! Payments with every attribute that a message maps, found by asking the draft what it misses, and a toy seal and signature:
//! layouts are tested here, not cryptography.

use codecs::envelope::{EachCipher, RawCiphertext, SealingScheme, SessionCipher, TextCipher, Wrapped, ciphertext_to_der};
use codecs::message::{Draft, Message};
use codecs::payment::{Attribute, Date, Money, Operation, Outcome, Payment, Reason, Role, Value};
use codecs::spec::{Spec, Specs};
use codecs::wire::Wire;
use std::sync::OnceLock;
use time::macros::{date, datetime};

pub(crate) fn specs() -> &'static Specs {
    static SPECS: OnceLock<Specs> = OnceLock::new();
    SPECS.get_or_init(|| Specs::embedded().unwrap_or_else(|error| panic!("{error}")))
}

const NONCE: [u8; 12] = [7; 12];
const TAG: [u8; 16] = [9; 16];

/// Seals by inverting bits, wraps nothing, signs with a pattern.
pub(crate) fn finish(mut draft: Draft<'_>) -> (Vec<u8>, Wire) {
    let targets = draft.seal_targets();
    for target in &targets {
        match draft.sealing_scheme().unwrap() {
            SealingScheme::Sm4Gcm => {
                let ciphertext: Vec<u8> = target.clear.bytes().map(|byte| !byte).collect();
                draft.set_sealed(target.slot, &NONCE, &ciphertext, &TAG);
            }
            SealingScheme::TextKey(_) | SealingScheme::Session(_) => draft.set_sealed_blocks(target.slot, &blocks(&target.clear)),
            SealingScheme::Each(cipher) => draft.set_sealed_blocks(target.slot, &each(cipher, &target.clear)),
        }
    }
    let by_rsa = matches!(
        draft.sealing_scheme(),
        Some(SealingScheme::TextKey(TextCipher::Aes256) | SealingScheme::Session(SessionCipher::TripleDes))
    );
    if matches!(draft.sealing_scheme(), Some(SealingScheme::Each(_))) && !targets.is_empty() {
        draft.set_sealed_for("seal-1");
    } else if by_rsa && !targets.is_empty() {
        draft.set_rsa_envelope("seal-1", &[0x81; 256]);
    } else if !targets.is_empty() {
        draft.set_envelope(
            "seal-1",
            &RawCiphertext {
                c1: [0x81; 64],
                c3: [3; 32],
                c2: vec![4; 16],
            },
        );
    }
    if let Some(target) = draft.whole_target() {
        let ciphertext: Vec<u8> = target.clear.iter().map(|byte| !byte).collect();
        if target.scheme.is_bound() {
            draft.set_whole("nonce-of-12-", &ciphertext, &[9; 16]);
        } else {
            draft.set_whole_blocks(&filled(ciphertext, 16));
        }
    }
    draft.set_nonce(&[7; 16]);
    draft.set_signer("sign-1", datetime!(2030-01-02 18:30:05 +8));
    let text = draft.signed_text().unwrap();
    let wire = match draft.signature_scheme() {
        codecs::envelope::SignatureScheme::None => draft.finish_unsigned(),
        codecs::envelope::SignatureScheme::Sm2(_) => draft.finish_sm2(&[0x85; 64]),
        codecs::envelope::SignatureScheme::Mac(kind) if kind.is_of_terminals() => draft.finish_bytes(&[0x55; 8]),
        codecs::envelope::SignatureScheme::Mac(_) | codecs::envelope::SignatureScheme::Rsa(_) => draft.finish_bytes(&[0x55; 32]),
    };
    (text, wire.unwrap())
}

/// Bits inverted, filled up to whole blocks.
fn blocks(clear: &str) -> Vec<u8> {
    filled(clear.bytes().map(|byte| !byte).collect(), 16)
}

fn filled(mut bytes: Vec<u8>, block: usize) -> Vec<u8> {
    bytes.resize((bytes.len() / block + 1) * block, 0);
    bytes
}

/// Bits inverted, in what looks like a ciphertext of its kind.
fn each(cipher: EachCipher, clear: &str) -> Vec<u8> {
    let c2: Vec<u8> = clear.bytes().map(|byte| !byte).collect();
    match cipher {
        EachCipher::Sm2 => ciphertext_to_der(&RawCiphertext {
            c1: [0x81; 64],
            c3: [3; 32],
            c2,
        }),
        EachCipher::RsaOaepSha1 | EachCipher::RsaPkcs1 => filled(c2, 256),
    }
}

/// Opens what `finish` sealed.
pub(crate) fn open(message: &mut Message<'_>) {
    try_open(message).unwrap();
}

/// Opens what `finish` sealed, if it still is as it was.
pub(crate) fn try_open(message: &mut Message<'_>) -> Option<()> {
    let inverted = |bytes: &[u8]| -> Vec<u8> { bytes.iter().map(|byte| !byte).collect() };
    if let Some(sealed) = message.sealed_whole().ok()? {
        let filling = usize::from(sealed.bound.is_none());
        let length = sealed
            .ciphertext
            .iter()
            .rposition(|&byte| filling == 0 || byte != 0)
            .map_or(0, |at| at + 1);
        message.set_whole(&inverted(&sealed.ciphertext[..length])).ok()?;
    }
    for sealed in message.sealed_each().ok()? {
        let bytes = match sealed.wrapped {
            Wrapped::Sm2(raw) => raw.c2,
            Wrapped::Rsa(bytes) => bytes.into_iter().filter(|&byte| byte != 0).collect(),
        };
        message.set_opened(sealed.slot, &inverted(&bytes)).ok()?;
    }
    if matches!(message.sealing_scheme(), Some(SealingScheme::Each(_))) {
        return Some(());
    }
    if matches!(
        message.sealing_scheme(),
        Some(SealingScheme::TextKey(_) | SealingScheme::Session(_))
    ) {
        for sealed in message.sealed_blocks().ok()? {
            let filled: Vec<u8> = sealed.ciphertext.iter().copied().filter(|&byte| byte != 0).collect();
            message.set_opened(sealed.slot, &inverted(&filled)).ok()?;
        }
        return Some(());
    }
    for sealed in message.sealed_fields().ok()? {
        if (sealed.nonce, sealed.tag) != (NONCE, TAG) {
            return None;
        }
        message.set_opened(sealed.slot, &inverted(&sealed.ciphertext)).ok()?;
    }
    Some(())
}

/// A value of every attribute that fits all messages of a spec.
pub(crate) fn full_of(spec: &Spec, operation: Operation, role: Role) -> Payment {
    let mut payment = full(operation, role);
    for (attribute, value) in spec.examples() {
        payment.put(*attribute, value.clone()).unwrap();
    }
    payment
}

/// A value of every attribute that fits the specs whose fields are wide.
pub(crate) fn full(operation: Operation, role: Role) -> Payment {
    let mut payment = Payment::new(operation, role);
    for &attribute in Attribute::ALL {
        payment.put(attribute, value(attribute)).unwrap();
    }
    if matches!(role, Role::Reply | Role::Notice) {
        payment.outcome = Some(Outcome::Success);
    }
    payment
}

fn value(attribute: Attribute) -> Value {
    const DAY: Date = date!(2030 - 01 - 02);
    match attribute.shape() {
        codecs::payment::Shape::Money => return Value::Money(Money::from_fen(1234)),
        codecs::payment::Shape::Date => return Value::Date(DAY),
        codecs::payment::Shape::List => return Value::List(vec!["/Extra/1|2".to_owned(), "/Other/\u{5f20}&<".to_owned()]),
        codecs::payment::Shape::Text => {}
    }
    let text = match attribute.name() {
        "com.sender" | "com.receiver" | "ref.sender" | "initiator" | "original.initiator" | "payer.bank" | "payer.branch"
        | "payee.bank" | "payee.branch" => "402100088888",
        "com.sender_app" | "ref.sender_app" => "NPS",
        "com.receiver_app" => "MPS",
        "com.time" => "183005",
        "com.code" | "ref.code" | "original.code" => "NPS.142.001.01",
        "msg_id" | "tx_id" | "original.msg_id" | "original.tx_id" => "203001026600001234",
        "created_at" => "2030-01-02T18:30:05+08:00",
        "business_type" => "D200",
        "business_kind" => "01602",
        "charge_bearer" => "CRED",
        "payer.name" | "payee.name" => "\u{5f20}\u{4e09} & 'Co'",
        "trade_channel" => "07",
        "batch" => "B203001010019",
        "original.operation" => "debit",
        "order.text" => "1|1|shop%1|",
        "institution" | "institution.account_issuer" => "Z2099999000010",
        "payer.account_type" | "payee.account_type" => "PT05",
        "auth_method" => "AC00",
        "id_type" => "01",
        "cancel_reason" => "TMOT",
        "system.status" => "ST01",
        "mobile" => "13800000000",
        "key.usage" => "SIGN",
        "key.material" | "key.signature" => {
            "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE4w6KLVM5qOVjDuy1gzYOKzNS98uIWD93vuTZJ2o58FIsejYQ2UMoNQdTjRgfduOlFk09rQV32midAr4EM72L+w=="
        }
        "key.from" | "key.to" => "2030-01-02T18:30:05",
        _ => "A1234567",
    };
    Value::text(text)
}

pub(crate) fn failed() -> Outcome {
    Outcome::failed(Reason::InsufficientFunds, "balance too low")
}
