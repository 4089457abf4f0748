//! Signed samples through the whole pipeline, under keys that the tests know: what another implementation signed and sealed is
//! verified and opened, and what is wrong with it on purpose is found.

use codecs::envelope::{SignatureScheme, WholeScheme};
use codecs::payment::{Attribute, Money};
use codecs::sample::{Sample, embedded};
use codecs::spec::{Spec, Specs};
use codecs::wire::{Start, Wire};
use hangu::pipeline::{LinkView, Received, Rejection, content, disclose, disclose_stored, receive};
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::keyring::{Keyring, KeyringBuilder};
use keys::legacy::{RsaPrivate, RsaPublic};
use keys::sm2::{PrivateKey, PublicKey};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use time::macros::datetime;

const LINK: &str = "sample";
const NOW: OffsetDateTime = datetime!(2030-01-02 18:30:10 +8);

#[test]
fn what_another_implementation_signed_and_sealed_is_judged_as_its_sample_says() {
    let (specs, mut judged) = (Specs::embedded().unwrap(), 0);
    for sample in embedded().unwrap().iter().filter(|sample| !sample.key.is_empty()) {
        let spec = sample.suited(specs.spec(&sample.codec).unwrap()).unwrap();
        let place = format!("{}/{}", sample.codec, sample.file);
        match judge(sample, spec, &sample.wire) {
            Ok(received) => {
                assert_eq!(sample.verdict, "ok", "{place} was accepted");
                sample
                    .check_payment(&received.payment)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
                assert!(!received.under.is_empty(), "{place}");
            }
            Err(rejection) => assert_eq!(sample.verdict, rejection.code, "{place}: {rejection}"),
        }
        judged += 1;
    }
    assert!(judged >= 30, "{judged} samples");
}

/// What `message explain` and `journal show` open: whatever another implementation sealed for us, in every scheme.
#[test]
fn whatever_is_sealed_for_us_is_opened_for_whoever_looks_at_it() {
    let (specs, mut opened) = (Specs::embedded().unwrap(), BTreeSet::new());
    for sample in embedded().unwrap() {
        let spec = sample.suited(specs.spec(&sample.codec).unwrap()).unwrap();
        if sample.opens.is_empty() || sample.is_wrong() {
            continue;
        }
        let keyring = keyring(&sample, spec);
        let place = format!("{}/{}", sample.codec, sample.file);
        let content = content(&sample.wire, view(spec, &keyring), NOW).unwrap();
        assert_eq!(spec.capsule().is_some(), content.body != sample.wire.body, "{place}");
        for shown in [true, false] {
            let mut message = spec.parse(&content).unwrap();
            let count = if shown {
                disclose(&mut message, view(spec, &keyring), NOW).unwrap()
            } else {
                disclose_stored(&mut message, view(spec, &keyring)).unwrap()
            };
            let sealed = [
                message.wrapped_key().unwrap().is_some(),
                !message.sealed_each().unwrap().is_empty(),
                message.sealed_whole().unwrap().is_some(),
            ];
            assert_eq!(count > 0, sealed.contains(&true), "{place}");
            assert!(message.payment().is_ok(), "{place}");
        }
        opened.insert((sample.codec, sample.suite));
    }
    assert!(opened.len() >= 10, "{opened:?}");
}

/// Each bit of a signed sample is flipped in turn: wherever it lies, the payment that comes out is the same or none.
#[test]
fn no_flipped_bit_of_a_signed_sample_changes_what_is_accepted() {
    let specs = Specs::embedded().unwrap();
    let all = embedded().unwrap();
    for (codec, file) in [
        ("epcc", "303.txt"),
        ("alipay", "agreement_notice.txt"),
        ("alipay", "query_waiting.txt"),
        ("unionpay-form", "consume_answer_sm3.txt"),
        ("unionpay-quick", "pay_answer_rsa.txt"),
        ("tenpay", "query_paid.txt"),
        ("tenpay", "notice_sm2.txt"),
        ("tenpay-v2", "notice_hmac.txt"),
        ("alipay", "pay_answer_sm2_aes.txt"),
        ("unionpay-form", "payout_sm3.txt"),
        ("jdpay", "published_refund_answer.txt"),
        ("jdpay", "notice_pay.txt"),
        ("cnaps2", "credit.txt"),
        ("dcep", "debited_done.txt"),
        ("unionpay-pos", "debit_3des.txt"),
        ("unionpay-pos", "debit_chip.txt"),
        ("unionpay-pos", "reversal.txt"),
    ] {
        let sample = all
            .iter()
            .find(|sample| sample.codec == codec && sample.file == file)
            .unwrap();
        let spec = sample.suited(specs.spec(codec).unwrap()).unwrap();
        let right = judge(sample, spec, &sample.wire).unwrap().payment;
        let keyring = keyring(sample, spec);
        for bit in 0..sample.wire.body.len() * 8 {
            let mut wire = sample.wire.clone();
            wire.body[bit / 8] ^= 1 << (bit % 8);
            if let Ok(received) = receive(&wire, view(spec, &keyring), NOW) {
                assert_eq!(received.payment, right, "{codec}/{file}, bit {bit}");
            }
        }
    }
}

/// Vector 6a of the facts: the digest that was signed of a published request to UnionPay's form gateway.
#[test]
fn the_text_of_a_published_form_has_the_published_digest() {
    let specs = Specs::embedded().unwrap();
    let all = embedded().unwrap();
    let sample = all.iter().find(|sample| sample.file == "consume_published.txt").unwrap();
    let text = specs
        .spec(&sample.codec)
        .unwrap()
        .parse(&sample.wire)
        .unwrap()
        .signed_text()
        .unwrap();
    let published = concat!("ed98378474101f21eae704450b15b949", "5ba5ed4b23afd59e6c9ce2ca9ce9419d");
    assert_eq!(keys::legacy::digest::Digest::Sha256.hex_of(&[&text]), published);
}

/// Vector 8a of the facts: a frame as a terminal sent it, under its published key, here as DES and doubled as triple DES. Only
/// the kind of its message, which the spec does not carry, is put in place of another.
#[test]
fn a_frame_that_a_terminal_sent_verifies_under_its_published_key() {
    let text = include_str!("../../codecs/unionpay-pos/spec.toml").replace("0200-000000-00-22", "0200-000000-99-26");
    let mut specs = Specs::default();
    specs.insert("unionpay-pos", &text).unwrap();
    let key = [0x07, 0x23, 0xc8, 0x0d, 0xb5, 0xf4, 0xcd, 0x3d];
    let frame: Vec<u8> = PUBLISHED_FRAME
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    for (suite, algorithm, key) in [
        ("des", Algorithm::CupEcbDes, key.to_vec()),
        ("3des", Algorithm::CupEcbTripleDes, [key, key].concat()),
    ] {
        let spec = specs.spec("unionpay-pos").unwrap().in_suite(suite).unwrap();
        let entry = entry(Side::Shared, Usage::Mac, algorithm, "952718182217875-00000001");
        let keyring = Keyring::builder().add_secret(entry, &key).build().unwrap();
        let received = receive(&Wire::queue(frame.clone()), view(spec, &keyring), NOW).unwrap();
        assert_eq!(received.signed_by, "952718182217875-00000001");
        let mut altered = frame.clone();
        altered[22] ^= 0x30;
        let rejection = receive(&Wire::queue(altered), view(spec, &keyring), NOW).unwrap_err();
        assert_eq!(rejection.code, "signature.invalid");
    }
}

/// What CUP-ECB does not notice, so that nobody counts on it: the same change at the same place of two blocks.
#[test]
fn the_mac_of_terminals_does_not_notice_what_is_changed_alike_in_two_blocks() {
    let specs = Specs::embedded().unwrap();
    let all = embedded().unwrap();
    let sample = all.iter().find(|sample| sample.file == "debit_chip.txt").unwrap();
    let spec = specs.spec("unionpay-pos").unwrap();
    let place = |path: &str| {
        let message = spec.parse(&sample.wire).unwrap();
        let field = message.describe(true).into_iter().find(|field| field.path == path);
        field.unwrap().offset.unwrap()
    };
    let amount = place("4") + 4;
    let chip = (place("55")..place("64")).find(|at| at % 8 == amount % 8).unwrap();
    let mut wire = sample.wire.clone();
    wire.body[amount] ^= 0x30;
    assert_eq!(judge(sample, spec, &wire).unwrap_err().code, "signature.invalid");
    wire.body[chip] ^= 0x30;
    let received = judge(sample, spec, &wire).unwrap();
    assert_eq!(received.payment.money(Attribute::Amount), Some(Money::from_fen(2234)));
    assert!(spec.warnings().iter().any(|warning| warning.detail.contains("two blocks")));
}

const PUBLISHED_FRAME: &str = concat!(
    "60321032007202003020048000c080150000000000000012340000020300993030303030303031393532373138313832323137",
    "3837353135360019260000010006000000000043",
    "5f01123238343431323334353637383930313233345f03063136303033365f04063230303832365c023031",
    "4233413039324145",
);

/// Vector 4a of the facts: an answer as production signed it, to a call that the spec does not know; only its name is put
/// in place of another.
#[test]
fn an_answer_that_production_signed_verifies_over_its_exact_bytes() {
    let text =
        include_str!("../../codecs/alipay/spec.toml").replace("alipay_trade_pay_response", "alipay_open_file_upload_response");
    let mut specs = Specs::default();
    specs.insert("alipay", &text).unwrap();
    let spec = specs.spec("alipay").unwrap().in_suite("rsa2_key").unwrap();
    let answer = |body: &str| Wire {
        start: Start::Status(200),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    let keyring = with_public(Keyring::builder(), "alipay-answer", "1", None).build().unwrap();
    let verdict = |wire: &Wire| {
        receive(wire, view(spec, &keyring), NOW)
            .map(|received| received.code)
            .map_err(|error| error.code)
    };
    let published = answer(PUBLISHED_ANSWER);
    assert_eq!(verdict(&published), Ok("alipay_open_file_upload_response".to_owned()));
    let spaced = answer(&PUBLISHED_ANSWER.replace("\":{", "\" : {").replace("},\"", "} , \""));
    assert_eq!(verdict(&spaced), Ok("alipay_open_file_upload_response".to_owned()));
    let inside = answer(&PUBLISHED_ANSWER.replace("\",\"msg", "\", \"msg"));
    assert_eq!(verdict(&inside), Err("signature.invalid".to_owned()));
}

const PUBLISHED_ANSWER: &str = "{\"alipay_open_file_upload_response\":{\"code\":\"10000\",\"msg\":\"Success\",\
    \"file_id\":\"CAxAToWB1JsAAAAAAAAAAAAADgSLAQBr\"},\"sign\":\"\
    F+LDzpTNiavn7xVZPGuPCSSVRSmWzJGgtuji6tVELGEaqMaNj0jRKXUEr5nloZJBBmwEnddOyCjjepMmrTKTvoOqQ0Efxpr/R1iE\
    eHTHVbb/Q8TTh6Up5gHJDkILdaWS2q1cWeQ6VT+HQY9P3WRXS7uhILHuDODIhpAyCu5KhWGt0rMCIG+Im6NODJP2oohtSCtmTFXg\
    58HH587Z2y2bdbjzOxLvzD9IrU1imghXQ2S/Q+wMIvRk9on6cWnBLkrNvJKapA2ReNGWOwyuASvB9zDVzhMPbR+3mfRGkVDxsq5H\
    YLjBKGskJMXHw0HuugZij6ScRuaLPODhmHwr/pJ9yw==\"}";

fn judge(sample: &Sample, spec: &Arc<Spec>, wire: &Wire) -> Result<Received, Box<Rejection>> {
    let keyring = keyring(sample, spec);
    receive(wire, view(spec, &keyring), NOW)
}

fn view<'a>(spec: &'a Spec, keyring: &'a Keyring) -> LinkView<'a> {
    LinkView {
        name: LINK,
        spec,
        keyring,
    }
}

/// The keys, known under the serials that the sample names as it stands, not as a change of it does.
fn keyring(sample: &Sample, spec: &Spec) -> Keyring {
    if sample.is_capsule(spec) {
        let capsule = entry(Side::Shared, Usage::Seal, Algorithm::TripleDesEcb, "1");
        return with_public(Keyring::builder(), &sample.key, "1", None)
            .add_secret(capsule, &hex(secret(&sample.opens).trim_end()))
            .build()
            .unwrap();
    }
    let message = spec.parse(&sample.wire).unwrap();
    let signer = message.signature().ok().flatten();
    let serial = signer.and_then(|found| found.signer.serial().map(ToOwned::to_owned));
    let serial = serial.as_deref().unwrap_or("1");
    let mut builder = match spec.signature_scheme() {
        SignatureScheme::Mac(_) => with_secret(Keyring::builder(), &sample.key, spec.signature_scheme(), serial),
        SignatureScheme::None | SignatureScheme::Sm2(_) | SignatureScheme::Rsa(_) => {
            with_public(Keyring::builder(), &sample.key, serial, sample.user_id.as_deref())
        }
    };
    if let (false, Ok(Some((serial, _)))) = (sample.opens.is_empty(), message.wrapped_key()) {
        builder = with_private(builder, &sample.opens, &serial);
    }
    if let (false, Ok([_, ..])) = (sample.opens.is_empty(), message.sealed_each().as_deref()) {
        builder = with_private(builder, &sample.opens, message.sealed_for().unwrap_or("1"));
    }
    if let (false, Ok(Some(whole))) = (sample.opens.is_empty(), message.sealed_whole()) {
        builder = builder.add_secret(
            entry(Side::Shared, Usage::Seal, shared_algorithm(whole.scheme), "1"),
            secret(&sample.opens).trim_end().as_bytes(),
        );
    }
    builder.build().unwrap()
}

fn shared_algorithm(scheme: WholeScheme) -> Algorithm {
    match scheme {
        WholeScheme::Aes256Gcm => Algorithm::Aes256Gcm,
        WholeScheme::Sm4Gcm => Algorithm::Sm4GcmText,
        WholeScheme::AesCbc => Algorithm::AesCbc,
        WholeScheme::AesEcbMd5 => Algorithm::AesEcbMd5,
    }
}

fn with_public(builder: KeyringBuilder, name: &str, serial: &str, user_id: Option<&str>) -> KeyringBuilder {
    let pem = pem(name, "pub");
    let sm2 = PublicKey::from_pem(&pem);
    match sm2 {
        Ok(key) => {
            let user_id = user_id.map(ToOwned::to_owned);
            let entry = entry(Side::Theirs, Usage::Sign, Algorithm::Sm2, serial);
            builder.add_public(KeyEntry { user_id, ..entry }, &key)
        }
        Err(_) => builder.add_rsa_public(
            entry(Side::Theirs, Usage::Sign, Algorithm::Rsa, serial),
            RsaPublic::from_pem(&pem).unwrap(),
        ),
    }
}

/// A secret that both sides have; schemes and algorithms have the same names but for the dash.
fn with_secret(builder: KeyringBuilder, name: &str, scheme: SignatureScheme, serial: &str) -> KeyringBuilder {
    let algorithm = Algorithm::parse(&scheme.name().replace('_', "-")).unwrap();
    let entry = entry(Side::Shared, Usage::Mac, algorithm, serial);
    builder.add_secret(entry, secret(name).trim_end().as_bytes())
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

fn secret(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.mac"))).unwrap()
}

fn with_private(builder: KeyringBuilder, name: &str, serial: &str) -> KeyringBuilder {
    let pem = pem(name, "key");
    match PrivateKey::from_pem(&pem) {
        Ok(key) => builder.add_private(entry(Side::Ours, Usage::Seal, Algorithm::Sm2, serial), &key),
        Err(_) => builder.add_rsa_private(
            entry(Side::Ours, Usage::Seal, Algorithm::Rsa, serial),
            RsaPrivate::from_pem(&pem).unwrap(),
        ),
    }
}

fn pem(name: &str, half: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.{half}.pem"))).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata/samples")
}

fn entry(side: Side, usage: Usage, algorithm: Algorithm, serial: &str) -> KeyEntry {
    KeyEntry {
        id: format!("{}-{}", side.name(), usage.name()),
        link: LINK.to_owned(),
        side,
        usage,
        algorithm,
        status: Status::Primary,
        serial: serial.to_owned(),
        primary_from: None,
        not_before: datetime!(2000-01-01 0:00 UTC),
        not_after: datetime!(2099-01-01 0:00 UTC),
        user_id: None,
    }
}
