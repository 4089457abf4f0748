#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::testing::{OpenSsl, altered, bytes};

fn by(passphrase: &str) -> Openers<'_> {
    Openers {
        passphrase: Some(passphrase),
        key: None,
    }
}

fn error(outcome: Result<Brought, IntakeError>) -> IntakeError {
    outcome.err().expect("it was taken")
}

fn public(text: &str) -> [u8; 64] {
    PrivateKey::from_pem(text).unwrap().public().point()
}

/// A key of openssl's, in every form in which openssl writes it.
#[test]
fn keys_of_openssl_come_in_by_every_form() {
    let openssl = OpenSsl::new();
    openssl.certificate("a", None, "sm2", "basicConstraints=CA:FALSE\n");
    let wanted = public(&openssl.text("a.key"));
    let (out, passphrase) = ("-passout pass:correct_horse_9", "correct_horse_9");
    for command in [
        "pkcs8 -topk8 -nocrypt -in a.key -out a".to_owned(),
        "pkcs8 -topk8 -nocrypt -in a.key -outform DER -out a".to_owned(),
        "ec -in a.key -outform DER -out a".to_owned(),
        format!("pkcs8 -topk8 -in a.key -v2 aes-256-cbc {out} -out a"),
        format!("pkcs8 -topk8 -in a.key -v2 aes-128-cbc -v2prf hmacWithSHA1 {out} -outform DER -out a"),
        format!("pkcs8 -topk8 -in a.key -v2 sm4-cbc {out} -out a"),
        format!("pkcs8 -topk8 -in a.key -v2 des-ede3-cbc {out} -out a"),
        format!("pkcs8 -topk8 -in a.key -v1 PBE-SHA1-3DES {out} -out a"),
        format!("pkcs12 -export -in a.pem -inkey a.key {out} -out a"),
        format!("pkcs12 -export -in a.pem -inkey a.key -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 {out} -out a"),
        format!("pkcs12 -export -in a.pem -inkey a.key -keypbe sm4-cbc -certpbe sm4-cbc {out} -out a"),
        format!("pkcs12 -export -in a.pem -inkey a.key -keypbe NONE -certpbe NONE -macalg sm3 {out} -out a"),
    ] {
        openssl.must(&command);
        let brought = bring(&openssl.read("a"), by(passphrase));
        let brought = brought.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_eq!(public(brought.private.as_ref().unwrap()), wanted, "{command}");
        let has_certificate = brought.certificates.contains("BEGIN CERTIFICATE");
        assert_eq!(has_certificate, command.starts_with("pkcs12"), "{command}");
        if command.contains("pass:") && !command.contains("NONE") {
            assert_eq!(
                error(bring(&openssl.read("a"), Openers::default())),
                IntakeError::Passphrase,
                "{command}"
            );
            assert_eq!(
                error(bring(&openssl.read("a"), by("another"))),
                IntakeError::Closed,
                "{command}"
            );
        }
    }
}

#[test]
fn a_chain_and_an_rsa_key_come_in_by_pkcs12() {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, "rsa", "basicConstraints=critical,CA:TRUE\n");
    openssl.certificate("a", Some("root"), "rsa", "basicConstraints=CA:FALSE\n");
    openssl.must("pkcs12 -export -in a.pem -inkey a.key -certfile root.pem -passout pass:x -out a.p12");
    let brought = bring(&openssl.read("a.p12"), by("x")).unwrap();
    let all = Certificate::all_from_pem(&brought.certificates).unwrap();
    assert_eq!(
        all.iter().map(Certificate::subject).collect::<Vec<_>>(),
        ["CN=a,O=Test,C=CN", "CN=root,O=Test,C=CN"]
    );
    assert!(is_of(&all[0], brought.private.as_ref().unwrap()));
    openssl.must("pkcs12 -export -nokeys -in root.pem -passout pass:x -out root.p12");
    assert!(bring(&openssl.read("root.p12"), by("x")).unwrap().private.is_none());
}

/// A key that `gmsm` enveloped for another; the published text names SM4-CBC on purpose, which it did not use.
#[test]
fn enveloped_keys_of_gmsm_open() {
    let published = bytes(vector(1));
    let key = PrivateKey::from_bytes(&crate::testing::hex(vector(0))).unwrap();
    let openers = Openers {
        passphrase: None,
        key: Some(&key),
    };
    assert_eq!(error(bring(&published, openers)), IntakeError::Algorithm);
    let mut enveloped = published;
    enveloped[14] = 1;
    let brought = bring(&enveloped, openers).unwrap();
    assert_eq!(public(brought.private.as_ref().unwrap()), crate::testing::hex(vector(2)));
    let digits = Base64::encode_string(&enveloped);
    assert!(
        bring(digits.as_bytes(), openers).unwrap().private.is_some(),
        "as portals show it"
    );
    assert_eq!(error(bring(&enveloped, Openers::default())), IntakeError::Envelope);
    let other = crate::testing::gmt_key();
    let openers = Openers {
        key: Some(&other),
        ..openers
    };
    assert_eq!(error(bring(&enveloped, openers)), IntakeError::OtherKey);
    let last = enveloped.len() - 1;
    enveloped[last] ^= 1;
    let openers = Openers {
        key: Some(&key),
        ..openers
    };
    assert_eq!(
        error(bring(&enveloped, openers)),
        IntakeError::OtherKey,
        "its public key does not fit"
    );
}

#[test]
fn numbers_and_points_of_gmt_0009_are_keys() {
    let d = [vec![2, 32], bytes(crate::testing::GMT_D)].concat();
    let brought = bring(&d, Openers::default()).unwrap();
    assert_eq!(
        public(brought.private.as_ref().unwrap()),
        crate::testing::gmt_public().point()
    );
    let point = [vec![3, 66, 0, 4], crate::testing::gmt_public().point().to_vec()].concat();
    let brought = bring(&point, Openers::default()).unwrap();
    let found = PublicKey::from_pem(&brought.public.unwrap()).unwrap();
    assert_eq!(found, crate::testing::gmt_public());
}

/// A key file that CFCA's toolkit made, with the passphrase that is published with it.
#[test]
fn key_files_of_cfca_open() {
    let brought = cfca_test();
    let certificate = Certificate::from_pem(&brought.certificates).unwrap();
    assert_eq!(certificate.serial_decimal(), "69803247625");
    assert!(is_of(&certificate, brought.private.as_ref().unwrap()));
    assert_eq!(error(bring(CFCA_KEY.as_bytes(), by("1234567"))), IntakeError::Closed);
    assert_eq!(error(bring(CFCA_KEY.as_bytes(), Openers::default())), IntakeError::Passphrase);
}

/// Whatever is done to the bytes, nothing panics, and what a MAC or a second key protects does not come in altered.
#[test]
fn altered_files_never_panic() {
    let openssl = OpenSsl::new();
    openssl.certificate("a", None, "sm2", "basicConstraints=CA:FALSE\n");
    openssl.must("pkcs12 -export -in a.pem -inkey a.key -iter 1 -passout pass:x -out a.p12");
    openssl.must("pkcs8 -topk8 -in a.key -iter 1 -passout pass:x -outform DER -out a.p8");
    let key = PrivateKey::from_bytes(&crate::testing::hex(vector(0))).unwrap();
    let mut enveloped = bytes(vector(1));
    enveloped[14] = 1;
    let cfca = pem::block(CFCA_KEY, "CFCA KEY").unwrap().to_vec();
    let openers = Openers {
        passphrase: Some("x"),
        key: Some(&key),
    };
    for (seed, file) in (60..).zip([openssl.read("a.p12"), openssl.read("a.p8"), enveloped, cfca]) {
        // A count may be altered into one that takes a while, but not longer.
        let outcomes = altered(&file, seed, 600).map(|altered| bring(&altered, openers).is_err());
        assert!(outcomes.filter(|is_refused| *is_refused).count() > 300, "seed {seed}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for bytes in [
        &b""[..],
        b"0",
        b"\x30",
        b"\x30\x00",
        b"hello",
        b"-----BEGIN NOTHING-----",
        &[0xff; 40],
    ] {
        assert_eq!(error(bring(bytes, Openers::default())), IntakeError::Form);
    }
}

/// The key for which another is enveloped, the enveloped key, its public half.
fn vector(line: usize) -> &'static str {
    ENVELOPED.lines().nth(line).unwrap()
}

const ENVELOPED: &str = include_str!("../../testdata/enveloped.hex");

pub(crate) fn cfca_test() -> Brought {
    bring(CFCA_KEY.as_bytes(), by("123456")).unwrap()
}

const CFCA_KEY: &str = include_str!("../../testdata/cfca.key.pem");
pub(crate) const CFCA_TEST_AUTHORITY: &str = include_str!("../../testdata/cfca-authority.cert.pem");
