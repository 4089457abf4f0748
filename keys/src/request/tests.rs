#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use super::*;
use crate::legacy::RsaPrivate;
use crate::sm2::PrivateKey;
use crate::testing::{OpenSsl, SeededRng, altered};

const SUBJECT: &str = "CN=pay,OU=clearing,O=Rural Bank,C=CN";

fn sm2(rng: &mut SeededRng) -> Material {
    Material::Sm2Private(Box::new(PrivateKey::generate(rng).unwrap()))
}

#[test]
fn openssl_verifies_requests_for_sm2_and_rsa() {
    let (mut rng, openssl) = (SeededRng::new(31), OpenSsl::new());
    let rsa = Material::RsaPrivate(Box::new(RsaPrivate::generate(2048, &mut rng).unwrap()));
    for (key, options) in [(sm2(&mut rng), "-sm3 -vfyopt distid:1234567812345678"), (rsa, "-sha256")] {
        let request = Request::made(SUBJECT, &key, &mut rng).unwrap();
        assert_eq!(request.subject(), SUBJECT);
        openssl.write("a.csr", request.to_pem().as_bytes());
        openssl.must(&format!("req -in a.csr -verify -noout {options}"));
        openssl.must("req -in a.csr -noout -subject -nameopt RFC2253 -out subject");
        assert_eq!(openssl.text("subject").trim(), format!("subject={SUBJECT}"));
    }
}

/// openssl's own request is one for us too.
#[test]
fn requests_of_openssl_are_checked() {
    let openssl = OpenSsl::new();
    openssl.must("ecparam -name SM2 -genkey -noout -out a.key");
    openssl.must("req -new -key a.key -sm3 -sigopt distid:1234567812345678 -subj /C=CN/O=Bank/CN=pay -out a.csr");
    let request = Request::from_pem(&openssl.text("a.csr")).unwrap();
    assert_eq!(request.subject(), "CN=pay,O=Bank,C=CN");
    let CertificateKey::Sm2(key) = request.check().unwrap() else {
        panic!("not SM2")
    };
    assert_eq!(key, *PrivateKey::from_pem(&openssl.text("a.key")).unwrap().public());
}

#[test]
fn no_name_and_no_private_key_is_refused() {
    let mut rng = SeededRng::new(32);
    let key = sm2(&mut rng);
    for subject in ["", "pay", "XX-NOT-KNOWN=1", "CN"] {
        assert!(Request::made(subject, &key, &mut rng).is_err(), "{subject}");
    }
    let secret = Material::Secret(crate::secret::Secret::new(vec![1; 16]));
    assert!(Request::made(SUBJECT, &secret, &mut rng).is_err());
}

/// Any byte altered: it is refused, or its signature does not hold.
#[test]
fn altered_requests_are_refused_without_a_panic() {
    let mut rng = SeededRng::new(33);
    let request = Request::made(SUBJECT, &sm2(&mut rng), &mut rng).unwrap();
    for der in altered(&request.der, 33, 3000) {
        let outcome = Request::from_der(&der).and_then(|request| request.check());
        // The outer algorithm is named outside of the signature and must not count when it is another.
        assert!(outcome.is_err() || der == request.der);
    }
}
