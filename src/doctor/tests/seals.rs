//! Mistakes with envelopes and sealed values. The message is signed anew after each, so that nothing else is wrong with it.

use super::Seeded;
use super::bench::{Bench, LINK, NOW, entry, fresh, read, samples};
use crate::clock::{Random, SeededEntropy};
use crate::doctor::coding::{base64, hex, unbase64};
use crate::pipeline::{LinkView, Unrandom, emit};
use codecs::envelope::session::ciphertext_to_raw;
use codecs::envelope::{RawCiphertext, Wrapped, ciphertext_to_der};
use codecs::message::{Bound, SealedWhole};
use codecs::payment::Attribute;
use keys::algorithm::Algorithm;
use keys::key::{Side, Status, Usage};
use keys::keyring::Keyring;
use keys::legacy::aead::sm4_gcm_of_text;
use keys::legacy::{RsaPadding, RsaPrivate};
use keys::sm2::{Ciphertext, Engine, PrivateKey, PublicKey};
use keys::sm4::{Sm4Cbc, Sm4Gcm};

pub(super) const SEEDED: &[Seeded] = &[
    ("envelope.asn1", "unionpay-quick", "sign_sm.txt", |bench| {
        wrapped_as(bench, ciphertext_to_der);
    }),
    ("envelope.raw", "epcc", "101_sm.txt", |bench| {
        wrapped_as(bench, ciphertext_to_raw);
    }),
    ("envelope.order", "unionpay-quick", "sign_sm.txt", |bench| {
        wrapped_as(bench, |raw| [&[4][..], &raw.c1, &raw.c2, &raw.c3].concat());
    }),
    ("envelope.order", "epcc", "101_sm.txt", |bench| {
        wrapped_as(bench, |raw| [&raw.c1[..], &raw.c2, &raw.c3].concat());
    }),
    ("envelope.prefix", "unionpay-quick", "sign_sm.txt", |bench| {
        wrapped_as(bench, |raw| [&raw.c1[..], &raw.c3, &raw.c2].concat());
    }),
    ("envelope.padding", "unionpay-quick", "sign_rsa.txt", |bench| {
        let (ours, key) = (RsaPrivate::from_pem(&read("rsa-seal.key.pem")).unwrap(), data_key(bench));
        let entropy = SeededEntropy::new(3);
        let again = ours.public().wrap(RsaPadding::OaepSha1, &key, &mut Random(&entropy)).unwrap();
        rewrap(bench, &again);
    }),
    ("seal.other_key", "epcc", "101_sm.txt", |bench| {
        let (private, _) = fresh(21);
        bench.know(LINK, Side::Ours, Usage::Seal, "4000000088", &private);
        let key = data_key(bench);
        let again = wrap(PrivateKey::from_pem(&private).unwrap().public(), &key);
        rewrap(bench, &ciphertext_to_der(&again));
    }),
    ("seal.key_form", "epcc", "101_sm.txt", |bench| {
        let key = data_key(bench);
        let bare = key.strip_prefix(b"02|").unwrap();
        rewrap(bench, &ciphertext_to_der(&wrap(&seal_key(), bare)));
    }),
    ("seal.filling", "unionpay-quick", "sign_sm.txt", |bench| {
        let message = bench.spec.parse(&bench.wire).unwrap();
        let sealed = base64(&message.sealed_blocks().unwrap()[0].ciphertext);
        let cipher = Sm4Cbc::new(&data_key(bench).try_into().unwrap());
        // The filling of zeros comes off, that of PKCS #7 goes on.
        let padded = [&unbase64(&sealed).unwrap()[..], &cipher.encrypt(&last_block(&sealed), b"")].concat();
        let clear = cipher.decrypt(&[0; 16], &padded).unwrap();
        let kept = clear.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        bench.put(&sealed, &base64(&cipher.encrypt(&[0; 16], &clear[..kept])));
        bench.sign(bench.text());
    }),
    ("seal.additional", "nps", "142_document.txt", |bench| {
        let cipher = Sm4Gcm::new(&data_key(bench).try_into().unwrap());
        let (spec, wire) = (bench.spec.clone(), bench.wire.clone());
        let message = spec.parse(&wire).unwrap();
        let fields = message.sealed_fields().unwrap();
        for field in &fields {
            let clear = cipher
                .open(&field.nonce, &field.additional, &field.ciphertext, &field.tag)
                .unwrap();
            let (ciphertext, tag) = cipher.seal(&field.nonce, b"", &clear);
            let old = [&field.nonce[..], &field.ciphertext, &field.tag].concat();
            bench.put(&base64(&old), &base64(&[&field.nonce[..], &ciphertext, &tag].concat()));
        }
        bench.sign(bench.text());
    }),
    ("seal.absent", "nps", "142_document.txt", |bench| {
        let sample = samples().iter().find(|sample| sample.file == "142_document.txt").unwrap();
        let clear = bench.spec.with_sealing(false);
        let payment = clear.parse(&sample.wire).unwrap().payment().unwrap();
        let signing = entry(Side::Ours, Usage::Sign, Algorithm::Sm2, "5000000001", 0);
        let signer = PrivateKey::from_pem(&bench.signer).unwrap();
        let keyring = Keyring::builder().add_private(signing, &signer).build().unwrap();
        let link = LinkView {
            name: LINK,
            spec: &clear,
            keyring: &keyring,
        };
        let code = payment.text(Attribute::MessageCode).unwrap().to_owned();
        let entropy = SeededEntropy::new(5);
        bench.wire = emit(&payment, &code, link, NOW, &mut Random(&entropy))
            .unwrap()
            .wire()
            .clone();
    }),
    ("each.other_key", "tenpay", "transfer_rsa.txt", |bench| {
        bench.keys[1].0.status = Status::Draining;
        let key = entry(Side::Ours, Usage::Seal, Algorithm::Rsa, "7", 2);
        bench.keys.push((key, read("rsa-sign.key.pem")));
        reseal(bench, RsaPadding::OaepSha1, &read("rsa-sign.key.pem"));
    }),
    ("each.padding", "unionpay-form", "payout_rsa.txt", |bench| {
        reseal(bench, RsaPadding::OaepSha1, &read("rsa-seal.key.pem"));
    }),
    ("capsule.other_key", "jdpay", "notice_pay.txt", |bench| {
        let mut key = bench.keys[1].0.clone();
        (key.id, key.serial, key.status) = ("retired".to_owned(), "2".to_owned(), Status::Retired);
        let other = "0123456789abcdeffedcba98765432100011223344556677".to_owned();
        bench.keys.push((key, other.clone()));
        bench.around = Some(other);
    }),
    ("signature.hex", "jdpay", "notice_pay.txt", |bench| {
        bench.put_signature(&hex(&bench.bytes()));
    }),
    ("whole.other_key", "tenpay", "notice_sm2.txt", |bench| {
        bench.keys[1].0.status = Status::Retired;
        let key = entry(Side::Shared, Usage::Seal, Algorithm::Sm4GcmText, "2", 2);
        bench.keys.push((key, "another-key-of-thirty-two-letter".to_owned()));
    }),
    ("whole.additional", "tenpay", "notice_sm2.txt", |bench| {
        let (sealed, clear) = (whole(bench), whole_clear(bench));
        let cipher = sm4_gcm_of_text(bench.keys[1].1.as_bytes()).unwrap();
        let (ciphertext, tag) = cipher.seal(&bound(&sealed).nonce, b"", &clear);
        put_whole(bench, &sealed, &[ciphertext.as_slice(), &tag].concat());
    }),
    ("whole.additional", "tenpay", "notice_rsa.txt", |bench| {
        bench.put("\"associated_data\":\"transaction\"", "\"associated_data\":\"other\"");
        bench.sign(bench.text());
    }),
    ("whole.derivation", "tenpay", "notice_sm2.txt", |bench| {
        let (sealed, clear) = (whole(bench), whole_clear(bench));
        let secret = bench.keys[1].1.clone();
        let cipher = Sm4Gcm::new(secret.as_bytes()[..16].try_into().unwrap());
        let (ciphertext, tag) = cipher.seal(&bound(&sealed).nonce, &bound(&sealed).additional, &clear);
        put_whole(bench, &sealed, &[ciphertext.as_slice(), &tag].concat());
    }),
    ("whole.tag_first", "tenpay", "notice_rsa.txt", |bench| {
        let sealed = whole(bench);
        put_whole(bench, &sealed, &[&bound(&sealed).tag[..], &sealed.ciphertext].concat());
    }),
];

/// Seals the one value by itself anew, after it was opened.
fn reseal(bench: &mut Bench, padding: RsaPadding, pem: &str) {
    let message = bench.spec.parse(&bench.wire).unwrap();
    let Wrapped::Rsa(old) = message.sealed_each().unwrap()[0].wrapped.clone() else {
        panic!("sealed with SM2")
    };
    let own = if message.kind().code == "payout" {
        RsaPadding::Pkcs1
    } else {
        RsaPadding::OaepSha1
    };
    let ours = RsaPrivate::from_pem(&read("rsa-seal.key.pem")).unwrap();
    let clear = ours.unwrap(own, &old, &mut Unrandom).unwrap();
    let entropy = SeededEntropy::new(3);
    let theirs = RsaPrivate::from_pem(pem).unwrap();
    let again = theirs
        .public()
        .wrap(padding, clear.danger_expose(), &mut Random(&entropy))
        .unwrap();
    bench.put(&base64(&old), &base64(&again));
    bench.sign(bench.text());
}

fn whole(bench: &Bench) -> SealedWhole {
    bench.spec.parse(&bench.wire).unwrap().sealed_whole().unwrap().unwrap()
}

fn bound(sealed: &SealedWhole) -> &Bound {
    sealed.bound.as_ref().unwrap()
}

/// What is sealed by SM4-GCM.
fn whole_clear(bench: &Bench) -> Vec<u8> {
    let (sealed, cipher) = (whole(bench), sm4_gcm_of_text(bench.keys[1].1.as_bytes()).unwrap());
    cipher
        .open(
            &bound(&sealed).nonce,
            &bound(&sealed).additional,
            &sealed.ciphertext,
            &bound(&sealed).tag,
        )
        .unwrap()
}

fn put_whole(bench: &mut Bench, sealed: &SealedWhole, bytes: &[u8]) {
    let old = [sealed.ciphertext.as_slice(), &bound(sealed).tag].concat();
    bench.put(&base64(&old), &base64(bytes));
    bench.sign(bench.text());
}

/// The key of the message's envelope.
fn data_key(bench: &Bench) -> Vec<u8> {
    let message = bench.spec.parse(&bench.wire).unwrap();
    let ours = &bench.keys[1].1;
    let secret = match message.wrapped_key().unwrap().unwrap().1 {
        Wrapped::Rsa(bytes) => RsaPrivate::from_pem(ours)
            .unwrap()
            .unwrap(RsaPadding::Pkcs1, &bytes, &mut Unrandom),
        Wrapped::Sm2(RawCiphertext { c1, c3, c2 }) => {
            let key = PrivateKey::from_pem(ours).unwrap();
            Engine::Reference.unwrapper(&key).unwrap(&Ciphertext { c1, c3, c2 })
        }
    };
    secret.unwrap().danger_expose().to_vec()
}

fn seal_key() -> PublicKey {
    PublicKey::from_pem(&read("sm2-seal.pub.pem")).unwrap()
}

fn wrap(key: &PublicKey, clear: &[u8]) -> RawCiphertext {
    let entropy = SeededEntropy::new(4);
    let Ciphertext { c1, c3, c2 } = Engine::Reference.wrapper(key).wrap(clear, &mut Random(&entropy)).unwrap();
    RawCiphertext { c1, c3, c2 }
}

fn rewrap(bench: &mut Bench, bytes: &[u8]) {
    let message = bench.spec.parse(&bench.wire).unwrap();
    let old = message.wrapped_text().unwrap().1.to_owned();
    bench.put(&old, &base64(bytes));
    bench.sign(bench.text());
}

/// The wrapped key of the message in another layout.
fn wrapped_as(bench: &mut Bench, layout: fn(&RawCiphertext) -> Vec<u8>) {
    let message = bench.spec.parse(&bench.wire).unwrap();
    let Some((_, Wrapped::Sm2(raw))) = message.wrapped_key().unwrap() else {
        panic!("not wrapped with SM2")
    };
    rewrap(bench, &layout(&raw));
}

fn last_block(sealed: &str) -> [u8; 16] {
    let bytes = unbase64(sealed).unwrap();
    bytes[bytes.len() - 16..].try_into().unwrap()
}
