//! Mistakes with the signature's encoding, its key, the user id, digests and algorithms.

use super::Seeded;
use super::bench::{Bench, LINK, Making, fresh};
use crate::doctor::coding::{base64, hex, unbase64};
use crate::doctor::proof::{Before, By};
use codecs::envelope::signature_to_der;
use keys::key::{Side, Status, Usage};
use keys::legacy::RsaScheme;
use keys::legacy::digest::Digest;
use time::macros::datetime;

pub(super) const SEEDED: &[Seeded] = &[
    ("signature.raw", "epcc", "201.txt", |bench| {
        bench.put_signature(&base64(&bench.bytes()));
    }),
    ("signature.raw", "tenpay", "debit_sm2.txt", |bench| {
        bench.put_signature(&base64(&bench.bytes()));
    }),
    ("signature.der", "unionpay-quick", "pay_sm.txt", |bench| {
        let der = signature_to_der(&bench.bytes().try_into().unwrap());
        bench.put_signature(&base64(&der));
    }),
    ("signature.loose_der", "epcc", "201.txt", |bench| {
        let (r, s) = (bench.bytes()[..32].to_vec(), bench.bytes()[32..].to_vec());
        let der = [&[0x30, 72, 2, 34, 0, 0][..], &r, &[2, 34, 0, 0], &s].concat();
        bench.put_signature(&base64(&der));
    }),
    ("signature.loose_der", "alipay", "pay_sm2.txt", |bench| {
        while bench.bytes()[0] < 0x80 {
            bench.sign(bench.text());
        }
        let (r, s) = (bench.bytes()[..32].to_vec(), bench.bytes()[32..].to_vec());
        bench.put_signature(&base64(&[&[0x30, 68, 2, 32][..], &r, &[2, 32], &s].concat()));
    }),
    ("signature.hex", "epcc", "201.txt", |bench| {
        bench.put_signature(&hex(&unbase64(&bench.sent()).unwrap()));
    }),
    ("signature.hex", "unionpay-form", "consume_rsa.txt", |bench| {
        bench.put_signature(&hex(&bench.bytes()));
    }),
    ("signature.base64", "unionpay-form", "consume_sha256.txt", |bench| {
        bench.put_signature(&base64(&bench.bytes()));
    }),
    ("signature.case", "unionpay-form", "consume_sm3.txt", |bench| {
        bench.put_signature(&bench.sent().to_ascii_uppercase());
    }),
    ("signature.case", "tenpay-v2", "debit_md5.txt", |bench| {
        bench.put_signature(&bench.sent().to_ascii_lowercase());
    }),
    ("signature.plus_lost", "alipay", "pay_sm2.txt", |bench| {
        while !bench.sent().contains('+') {
            bench.sign(bench.text());
        }
        bench.put_signature(&bench.sent().replace('+', " "));
    }),
    ("signature.url_safe", "tenpay", "debit_sm2.txt", |bench| {
        while !bench.sent().contains(['+', '/', '=']) {
            bench.sign(bench.text());
        }
        let url = bench.sent().replace('+', "-").replace('/', "_");
        bench.put_signature(url.trim_end_matches('='));
    }),
    ("signature.twice", "epcc", "201.txt", |bench| {
        bench.put_signature(&base64(bench.sent().as_bytes()));
    }),
    ("signature.twice", "unionpay-form", "consume_rsa.txt", |bench| {
        bench.put_signature(&base64(hex(&bench.bytes()).as_bytes()));
    }),
    ("key.serial_form", "epcc", "201.txt", |bench| {
        bench.keys[0].0.serial = "EE6B2801".to_owned();
    }),
    ("key.serial_form", "tenpay", "query_paid.txt", |bench| {
        bench.keys[0].0.serial = format!("00{}", bench.keys[0].0.serial.to_ascii_lowercase());
    }),
    ("key.other_serial", "epcc", "201.txt", |bench| {
        sign_under(bench, Side::Theirs, Usage::Sign, LINK);
    }),
    ("key.other_serial", "alipay", "pay_sm2.txt", |bench| {
        bench.keys[0].0.serial = "another".to_owned();
    }),
    ("key.sealing", "epcc", "201.txt", |bench| {
        sign_under(bench, Side::Theirs, Usage::Seal, LINK);
    }),
    ("key.other_link", "epcc", "201.txt", |bench| {
        sign_under(bench, Side::Theirs, Usage::Sign, "other");
    }),
    ("key.own", "epcc", "201.txt", |bench| {
        sign_under(bench, Side::Ours, Usage::Sign, LINK);
    }),
    ("key.expired", "epcc", "201.txt", |bench| {
        bench.keys[0].0.not_after = datetime!(2029-12-31 0:00 UTC);
    }),
    ("key.early", "epcc", "201.txt", |bench| {
        bench.keys[0].0.not_before = datetime!(2030-01-03 0:00 UTC);
    }),
    ("key.status", "epcc", "201.txt", |bench| {
        bench.keys[0].0.status = Status::Retired;
    }),
    ("user_id.default", "unionpay-quick", "pay_sm.txt", |bench| {
        with_user_id(bench, b"1234567812345678");
    }),
    ("user_id.empty", "epcc", "201.txt", |bench| with_user_id(bench, b"")),
    ("user_id.serial", "epcc", "201.txt", |bench| {
        with_user_id(bench, b"4000000001");
    }),
    ("user_id.sender", "epcc", "201.txt", |bench| {
        with_user_id(bench, b"G4000311000018");
    }),
    ("user_id.zero", "unionpay-quick", "pay_sm.txt", |bench| {
        with_user_id(bench, &[0]);
    }),
    ("digest.once", "unionpay-quick", "pay_sm.txt", |bench| {
        by(bench, Before::Nothing, By::Sm2);
    }),
    ("digest.once", "unionpay-form", "consume_rsa.txt", |bench| {
        by(bench, Before::Nothing, By::Rsa(RsaScheme::Pkcs1Sha256));
    }),
    ("digest.twice", "epcc", "201.txt", |bench| {
        by(bench, Before::Digest(Digest::Sm3), By::Sm2);
    }),
    ("digest.hex", "epcc", "201.txt", |bench| {
        by(bench, Before::Hex(Digest::Sm3), By::Sm2);
    }),
    ("digest.hex", "unionpay-quick", "pay_rsa.txt", |bench| {
        by(bench, Before::Hex(Digest::Sha256), By::Rsa(RsaScheme::Pkcs1Sha256));
    }),
    ("digest.upper_hex", "unionpay-form", "consume_rsa.txt", |bench| {
        by(bench, Before::UpperHex(Digest::Sha256), By::Rsa(RsaScheme::Pkcs1Sha256));
    }),
    ("digest.no_z", "epcc", "201.txt", |bench| bench.put_signature(WITHOUT_Z)),
    ("digest.sha256", "epcc", "201.txt", |bench| {
        bench.put_signature(SHA256_AFTER_Z);
    }),
    ("digest.sha256", "epcc", "201.txt", |bench| {
        bench.put_signature(SHA256_THROUGHOUT);
    }),
    ("digest.unnamed", "alipay", "pay_rsa2.txt", |bench| {
        by(bench, Before::Digest(Digest::Sha256), By::Rsa(RsaScheme::Pkcs1Raw));
    }),
    ("digest.other", "alipay", "pay_rsa2.txt", |bench| {
        by(bench, Before::Nothing, By::Rsa(RsaScheme::Pkcs1Sha1));
    }),
    ("digest.other", "unionpay-form", "consume_rsa.txt", |bench| {
        by(bench, Before::Hex(Digest::Sha1), By::Rsa(RsaScheme::Pkcs1Sha1));
    }),
    ("mac.key_hashed", "unionpay-form", "consume_sm3.txt", |bench| {
        by(bench, Before::Nothing, By::Behind(Digest::Sm3));
    }),
    ("mac.other", "tenpay-v2", "debit_hmac.txt", |bench| {
        by(bench, Before::Nothing, By::Behind(Digest::Md5));
    }),
    ("mac.other", "platform", "debit.txt", |bench| {
        by(bench, Before::Nothing, By::HmacSha256);
    }),
    ("mac.key_form", "unionpay-form", "consume_sha256.txt", |bench| {
        let digits = hex(bench.signer.as_bytes());
        let signer = Some(digits.as_str());
        bench.sign_as(
            bench.text(),
            &Making {
                signer,
                ..Making::default()
            },
        );
    }),
];

/// Made with `openssl pkeyutl -sign` over e = SM3(text), SHA-256(Z || text) and SHA-256(Z by SHA-256 || text), and the right e.
const WITHOUT_Z: &str = "MEUCIQDnGw0YwCsbbueGHxklcABh3K+H5pHLdo1kzLO5koS3JQIgNpLMhbfKYe6MtXRw8l0FXjrL+kue1pMxdK2GQMgmvoI=";
const SHA256_AFTER_Z: &str = "MEUCIQCivB48g/p5BhQP1mbYpfrJ6hGluOsFPUhTRVYBbSKaaAIgbGhWfAlpgMW4TnJJsv579oFtoAM5KlKCudUTUduz2JQ=";
const SHA256_THROUGHOUT: &str =
    "MEUCIQD98oLmZiOUiLiz7RuDpSt1A50SMzFHd2lCKQgWMr+wXgIgWTPQNJeWHKK6IC/XSvqta58bw9FPY6u5HwR44A77iVU=";
const RIGHT: &str = "MEUCIQCld62N5wHdjfquJ/Y4aXrKbPW+WuVizGzYdMOdB7WcngIgK0ROdfMt/zovddXaEb6PJU38UDzl+v4SWFSFJ6CMDWE=";

#[test]
fn what_another_implementation_signs_rightly_is_sound() {
    let mut bench = Bench::new("epcc", "201.txt");
    bench.put_signature(RIGHT);
    assert_eq!(bench.diagnose(), "sound");
}

/// Signs under a key that is known for something else.
fn sign_under(bench: &mut Bench, side: Side, usage: Usage, link: &str) {
    let (private, public) = fresh(11);
    let text = if side == Side::Ours { &private } else { &public };
    bench.know(link, side, usage, "4000000009", text);
    let signer = Some(private.as_str());
    bench.sign_as(
        bench.text(),
        &Making {
            signer,
            ..Making::default()
        },
    );
}

fn with_user_id(bench: &mut Bench, id: &[u8]) {
    let user_id = Some(id);
    bench.sign_as(
        bench.text(),
        &Making {
            user_id,
            ..Making::default()
        },
    );
}

fn by(bench: &mut Bench, before: Before, by: By) {
    let way = Some((before, by));
    bench.sign_as(
        bench.text(),
        &Making {
            way,
            ..Making::default()
        },
    );
}

/// What is signed under keys that nobody knows is explained by nothing.
#[test]
fn an_unknown_key_is_no_known_mistake() {
    let mut bench = Bench::new("epcc", "201.txt");
    let (private, _) = fresh(12);
    let signer = Some(private.as_str());
    bench.sign_as(
        bench.text(),
        &Making {
            signer,
            ..Making::default()
        },
    );
    assert_eq!(bench.diagnose(), "unknown");
    bench.keys.clear();
    assert_eq!(bench.diagnose(), "unknown");
}
