#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::super::{bring, certificates_for, certificates_of};
use super::*;
use crate::chain::Chain;
use crate::key::Usage;
use crate::pem;
use crate::testing::{OpenSsl, altered, hex};

fn by(key: &PrivateKey) -> Openers<'_> {
    Openers {
        passphrase: None,
        key: Some(key),
    }
}

fn key(pem: &str) -> PrivateKey {
    PrivateKey::from_pem(pem).unwrap()
}

fn error(outcome: Result<Brought, IntakeError>) -> IntakeError {
    outcome.err().expect("it was taken")
}

/// The seal half of a double certificate in PEM, by its own key pair.
fn seal_certificate(brought: &Brought, certificates: &str) -> Certificate {
    let private = key(brought.private.as_ref().unwrap());
    let all = certificates_of(certificates, &CertificateKey::Sm2(private.public().clone())).unwrap();
    Certificate::from_pem(&all).unwrap()
}

#[test]
fn a_key_pair_that_an_authority_signed_and_sealed_comes_in() {
    let own = key(GMCERT_KEY);
    let brought = bring(GMCERT.as_bytes(), by(&own)).unwrap();
    let certificate = seal_certificate(&brought, GMCERT_CERTIFICATES);
    crate::chain::check_usage(&certificate, Usage::Seal).unwrap();
    let signer = Certificate::from_pem(brought.signer.as_ref().unwrap()).unwrap();
    certificate.check_issued_by(&signer).unwrap();
    assert_eq!(brought.own_certificates(), None, "the authority's alone came with it");
    let der = pem::block(GMCERT, "PKCS7").unwrap();
    assert!(bring(&der, by(&own)).is_ok(), "DER");
    assert_eq!(error(bring(&der, Openers::default())), IntakeError::Envelope);
    assert_eq!(error(bring(&der, by(&crate::testing::gmt_key()))), IntakeError::OtherKey);
    let mut forged = der.to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(error(bring(&forged, by(&own))), IntakeError::Signature);
}

#[test]
fn key_pairs_that_gmssl_sealed_come_in_by_either_length() {
    let own = key(SIGN_KEY);
    let bag = bring(PAIR, Openers::default()).unwrap().certificates;
    for sealed in [GMSSL, GMSSL_64] {
        let brought = bring(sealed.as_bytes(), by(&own)).unwrap();
        let certificate = seal_certificate(&brought, &bag);
        assert_eq!(certificate.serial_decimal(), "4000000002");
        assert!(brought.signer.is_none(), "nobody signed it");
    }
}

/// Names SM4 alone and means CBC by its parameter; the recipient is named by a key identifier.
#[test]
fn an_envelope_of_gmsm_opens_and_holds_no_key() {
    let own = PrivateKey::from_bytes(&hex(GMSM_KEY.trim())).unwrap();
    let der = pem::block(GMSM, "PKCS7").unwrap();
    let mut info = Values::in_sequence(&der).unwrap();
    info.oid().unwrap();
    let mut parts = info.tagged().unwrap().sequence().unwrap();
    parts.count().unwrap();
    let recipients = Values::of(parts.content(Tag::Set).unwrap());
    let clear = decrypted(recipients, parts.sequence().unwrap(), by(&own)).unwrap();
    assert_eq!(clear.as_slice(), b"Hello World!");
    assert_eq!(error(bring(&der, by(&own))), IntakeError::Form);
}

#[test]
fn a_bag_of_certificates_gives_the_one_that_is_meant() {
    let bag = bring(PAIR, Openers::default()).unwrap().certificates;
    for (usage, serial) in [(Usage::Sign, "4000000001"), (Usage::Seal, "4000000002")] {
        let certificates = certificates_for(&bag, usage).unwrap();
        let all = Certificate::all_from_pem(&certificates).unwrap();
        assert_eq!((all[0].serial_decimal().as_str(), all.len()), (serial, 3));
        let root = Certificate::from_pem(ROOT).unwrap();
        assert_eq!(Chain::build(&all[0], &all[1..], &[root]).unwrap().members().len(), 2);
    }
    let stranger = CertificateKey::Sm2(crate::testing::gmt_public());
    assert_eq!(certificates_of(&bag, &stranger).err(), Some(IntakeError::Certificate));
    // Neither of two authorities is for sealing; the root issued the other.
    let authorities = bring(GMSSL_CN.as_bytes(), Openers::default()).unwrap().certificates;
    assert_eq!(
        certificates_for(&authorities, Usage::Seal).err(),
        Some(IntakeError::Certificate)
    );
    let all = Certificate::all_from_pem(&certificates_for(&authorities, Usage::Sign).unwrap()).unwrap();
    all[0].check_issued_by(&all[1]).unwrap();
}

#[test]
fn bags_that_openssl_packs_come_in_by_pem_and_der() {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, "rsa", crate::testing::AUTHORITY);
    openssl.certificate("a", Some("root"), "rsa", "basicConstraints=CA:FALSE\n");
    for form in ["PEM", "DER"] {
        openssl.must(&format!(
            "crl2pkcs7 -nocrl -certfile root.pem -certfile a.pem -outform {form} -out bag"
        ));
        let certificates = bring(&openssl.read("bag"), Openers::default()).unwrap().certificates;
        let own = Certificate::from_pem(&certificates_for(&certificates, Usage::Sign).unwrap()).unwrap();
        assert_eq!(own.subject(), "CN=a,O=Test,C=CN");
    }
    openssl.must("crl2pkcs7 -nocrl -out bag");
    assert_eq!(error(bring(&openssl.read("bag"), Openers::default())), IntakeError::Form);
}

/// Whatever is done to the bytes, nothing panics, and no key comes in that is not the one that was sealed: the signature and C3
/// see to it, and without a signature the certificate that it has to fit.
#[test]
fn altered_envelopes_never_panic_and_signed_ones_bring_no_other_key() {
    let own = key(GMCERT_KEY);
    let der = pem::block(GMCERT, "PKCS7").unwrap();
    let wanted = bring(&der, by(&own)).unwrap().private.unwrap();
    let mut refused = 0;
    for altered in altered(&der, 61, 600) {
        match bring(&altered, by(&own)) {
            Err(_) => refused += 1,
            Ok(brought) => assert_eq!(*brought.private.unwrap(), *wanted, "seed 61"),
        }
    }
    assert!(refused > 400, "seed 61: {refused}");
    for (seed, file) in [(62, PAIR.to_vec()), (63, pem::block(GMSSL, "PKCS7").unwrap().to_vec())] {
        let own = key(SIGN_KEY);
        let outcomes = altered(&file, seed, 600).map(|altered| bring(&altered, by(&own)).is_err());
        assert!(outcomes.filter(|is_refused| *is_refused).count() > 100, "seed {seed}");
    }
}

const GMCERT: &str = include_str!("../../../testdata/pkcs7/gmcert.p7.pem");
const GMCERT_KEY: &str = include_str!("../../../testdata/pkcs7/gmcert.key.pem");
const GMCERT_CERTIFICATES: &str = include_str!("../../../testdata/pkcs7/gmcert.cert.pem");
const GMSSL: &str = include_str!("../../../testdata/pkcs7/gmssl.p7.pem");
const GMSSL_64: &str = include_str!("../../../testdata/pkcs7/gmssl-64.p7.pem");
const GMSSL_CN: &str = include_str!("../../../testdata/pkcs7/gmssl-cn.p7b.pem");
const GMSM: &str = include_str!("../../../testdata/pkcs7/gmsm.p7.pem");
const GMSM_KEY: &str = include_str!("../../../testdata/pkcs7/gmsm.key.hex");
const PAIR: &[u8] = include_bytes!("../../../testdata/pkcs7/pair.p7b");
const ROOT: &str = include_str!("../../../testdata/pkcs7/root.cert.pem");
const SIGN_KEY: &str = include_str!("../../../testdata/pkcs7/sign.key.pem");
