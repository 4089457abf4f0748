//! The codecs' samples that another implementation signed: sound ones are sound, and of the wrong ones it is written down here
//! which are explained, and how.

use super::bench::{Bench, inside, samples};
use crate::clock::{Entropy, SeededEntropy};
use codecs::sample::Sample;
use codecs::spec::Specs;

#[test]
fn what_another_implementation_made_is_sound() {
    let mut sound = 0;
    for sample in signed().filter(|sample| !sample.is_wrong()) {
        let bench = Bench::of(sample);
        assert_eq!(bench.diagnose(), "sound", "{}/{}", sample.codec, sample.file);
        sound += 1;
    }
    assert!(sound >= 50, "{sound} samples");
}

/// Whatever is not in the list has no known cause.
#[test]
fn what_another_implementation_made_wrong_is_named_or_not_known() {
    let mut wrong = Vec::new();
    for sample in signed().filter(|sample| sample.is_wrong()) {
        let place = format!("{}/{}", sample.codec, sample.file);
        let found = Bench::of(sample).diagnose();
        let listed = EXPLAINED.iter().find(|(file, _)| *file == place);
        let expected = listed.map_or("unknown", |(_, code)| code);
        if found != expected {
            wrong.push(format!("    (\"{place}\", \"{found}\"),"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Random changes of sound samples: it comes to an end, and calls sound only what the pipeline takes.
#[test]
fn whatever_the_bytes_are_it_comes_to_an_end() {
    for seed in 0..8_u64 {
        let entropy = SeededEntropy::new(seed);
        let random = |below: usize| {
            let mut bytes = [0; 4];
            entropy.fill(&mut bytes);
            usize::try_from(u32::from_le_bytes(bytes)).unwrap() % below.max(1)
        };
        for (codec, file) in MUTATED {
            let mut bench = Bench::new(codec, file);
            for _ in 0..=random(3) {
                let body = &mut bench.wire.body;
                let at = random(body.len());
                if body.len() < 2 {
                    break;
                }
                match random(4) {
                    0 => body[at] ^= 1 << random(8),
                    1 => drop(body.remove(at)),
                    2 => body.insert(at, b"<>&=\"{}|%+\r\n\xb2\xe8"[random(14)]),
                    _ => body.truncate(at.max(1)),
                }
            }
            assert_eq!(bench.diagnose() == "sound", bench.is_taken(), "{codec}/{file}, seed {seed}");
        }
    }
}

const MUTATED: [(&str, &str); 8] = [
    ("alipay", "pay_sm2.txt"),
    ("alipay", "pay_answer_sm2.txt"),
    ("epcc", "101_sm.txt"),
    ("nps", "142_document.txt"),
    ("tenpay", "notice_sm2.txt"),
    ("tenpay-v2", "debit_hmac.txt"),
    ("unionpay-form", "consume_answer_sm3.txt"),
    ("unionpay-quick", "sign_sm.txt"),
];

/// Samples whose signature can be seen: where all of a message is sealed, those whose key opens them to something that parses.
fn signed() -> impl Iterator<Item = &'static Sample> {
    let specs = Specs::embedded().unwrap();
    let is_open = move |sample: &Sample| {
        let spec = specs.spec(&sample.codec).unwrap();
        let inside = || inside(sample, spec).is_some_and(|wire| spec.parse(&wire).is_ok());
        spec.capsule().is_none() || inside()
    };
    let signed = samples().iter().filter(|sample| !sample.key.is_empty());
    signed.filter(move |sample| is_open(sample))
}

const EXPLAINED: &[(&str, &str)] = &[
    ("alipay/wrong_agreement_notice_leaves_type.txt", "fields.type_unsigned"),
    ("alipay/wrong_answer_signs_name_too.txt", "json.too_much"),
    ("alipay/wrong_empty_signed.txt", "fields.empty"),
    ("alipay/wrong_raw_signature.txt", "signature.raw"),
    ("alipay/wrong_signed_encoded.txt", "values.escaped"),
    ("alipay/wrong_trade_notice_signs_type.txt", "fields.type_signed"),
    ("cnaps2/wrong_raw_signature.txt", "signature.raw"),
    ("dcep/wrong_digest_for_text.txt", "digest.twice"),
    ("dcep/wrong_line_end_not_signed.txt", "body.line_end_added"),
    ("dcep/wrong_raw_signature.txt", "signature.raw"),
    ("dcep/wrong_text_for_digest.txt", "digest.once"),
    ("epcc/wrong_declaration_signed.txt", "document.declaration"),
    ("epcc/wrong_raw_signature.txt", "signature.raw"),
    ("epcc/wrong_reformatted.txt", "document.empty_elements"),
    ("epcc/wrong_user_id.txt", "user_id.serial"),
    ("jdpay/wrong_digest_info_of_hex.txt", "digest.unnamed"),
    ("jdpay/wrong_line_end_signed.txt", "body.line_end_lost"),
    ("jdpay/wrong_raw_digest.txt", "digest.twice"),
    ("jdpay/wrong_upper_hex.txt", "digest.upper_hex"),
    ("tenpay/wrong_answer_too_old.txt", "window.old"),
    ("tenpay/wrong_name_oaep_sha256.txt", "each.padding"),
    ("tenpay/wrong_name_pkcs1.txt", "each.padding"),
    ("tenpay/wrong_much_too_old.txt", "window.old"),
    ("tenpay/wrong_no_last_line_feed.txt", "lines.last"),
    ("tenpay/wrong_notice_too_old.txt", "window.old"),
    ("tenpay/wrong_query_string_unsigned.txt", "lines.query"),
    ("tenpay/wrong_raw_signature.txt", "signature.raw"),
    ("tenpay/wrong_reserialised.txt", "json.white_space"),
    ("tenpay/wrong_resource_no_data.txt", "whole.additional"),
    ("tenpay/wrong_resource_other_data.txt", "whole.additional"),
    ("tenpay/wrong_too_new.txt", "window.ahead"),
    ("tenpay/wrong_too_old.txt", "window.old"),
    ("tenpay-v2/wrong_empty_signed.txt", "fields.empty"),
    ("tenpay-v2/wrong_kind_unsigned.txt", "fields.type_unsigned"),
    ("tenpay-v2/wrong_lower_case.txt", "signature.case"),
    ("tenpay-v2/wrong_sorted_without_case.txt", "fields.caseless"),
    ("tenpay-v2/wrong_unknown_added.txt", "fields.uncovered"),
    ("tenpay-v2/wrong_without_key.txt", "fields.suffix"),
    ("unionpay-form/wrong_empty_signed.txt", "fields.empty"),
    ("unionpay-form/wrong_hashed_once.txt", "digest.once"),
    ("unionpay-form/wrong_order_of_form.txt", "fields.unsorted"),
    ("unionpay-form/wrong_sha256_bare_secret.txt", "mac.key_hashed"),
    ("unionpay-form/wrong_sha256_no_separator.txt", "fields.suffix"),
    ("unionpay-form/wrong_sha256_upper.txt", "signature.case"),
    ("unionpay-form/wrong_signed_escaped.txt", "values.escaped"),
    ("unionpay-form/wrong_sm3_bare_secret.txt", "mac.key_hashed"),
    ("unionpay-form/wrong_sm3_no_separator.txt", "fields.suffix"),
    ("unionpay-form/wrong_sm3_upper.txt", "signature.case"),
    ("unionpay-quick/wrong_declaration_signed.txt", "document.declaration"),
    ("unionpay-quick/wrong_default_user_id.txt", "user_id.default"),
    ("unionpay-quick/wrong_der_signature.txt", "signature.der"),
    ("unionpay-quick/wrong_hashed_once.txt", "digest.once"),
    ("unionpay-quick/wrong_key_as_asn1.txt", "envelope.asn1"),
    ("unionpay-quick/wrong_line_end_inside.txt", "document.white_space"),
    ("unionpay-quick/wrong_rsa_hashed_once.txt", "digest.once"),
];
