//! Keys of several algorithms behind the same doors.

use super::*;
use crate::algorithm::Algorithm;
use crate::legacy::{RsaPadding, RsaPrivate, RsaScheme};

fn rsa() -> RsaPrivate {
    RsaPrivate::from_pem(include_str!("../../../testdata/legacy/wechatpay-java.key.pem")).unwrap()
}

fn described(side: Side, usage: Usage, algorithm: Algorithm, serial: &str) -> KeyEntry {
    KeyEntry {
        algorithm,
        ..entry("tenpay", side, usage, Status::Primary, serial)
    }
}

/// RSA and shared keys of one link.
fn mixed(mac: Algorithm, seal: Algorithm, secret: &[u8]) -> Result<Keyring, BuildError> {
    let pair = |side, usage| described(side, usage, Algorithm::Rsa, "1");
    Keyring::builder()
        .add_rsa_private(pair(Side::Ours, Usage::Sign), rsa())
        .add_rsa_private(pair(Side::Ours, Usage::Seal), rsa())
        .add_rsa_public(pair(Side::Theirs, Usage::Sign), rsa().public().clone())
        .add_rsa_public(pair(Side::Theirs, Usage::Seal), rsa().public().clone())
        .add_secret(described(Side::Shared, Usage::Mac, mac, "m"), secret)
        .add_secret(described(Side::Shared, Usage::Seal, seal, "s"), secret)
        .build()
}

#[test]
fn rsa_stands_behind_the_doors_of_sm2() {
    let keyring = mixed(Algorithm::HmacSha256, Algorithm::Aes256Gcm, &[7; 32]).unwrap();
    let mut rng = SeededRng::new(50);
    let signer = keyring.signer("tenpay", NOW).unwrap();
    assert_eq!((signer.info.algorithm, signer.info.bits), (Algorithm::Rsa, Some(2048)));
    let signature = signer.rsa().unwrap().sign(RsaScheme::Pkcs1Sha256, b"m", &mut rng).unwrap();
    let verifier = keyring.verifier("tenpay", "1", NOW).unwrap();
    assert_eq!(
        verifier.rsa().unwrap().verify(RsaScheme::Pkcs1Sha256, b"m", &signature),
        Ok(())
    );
    let wrapper = keyring.wrapper("tenpay", NOW).unwrap();
    let wrapped = wrapper
        .rsa()
        .unwrap()
        .wrap(RsaPadding::OaepSha1, b"data key", &mut rng)
        .unwrap();
    let unwrapper = keyring.unwrapper("tenpay", "1", NOW).unwrap();
    let opened = unwrapper
        .rsa()
        .unwrap()
        .unwrap(RsaPadding::OaepSha1, &wrapped, &mut rng)
        .unwrap();
    assert_eq!(opened.danger_expose(), b"data key");
    assert_eq!(signer.info.fingerprint, verifier.info.fingerprint);
    assert_eq!(keyring.infos().count(), 6);
}

#[test]
fn a_scheme_that_does_not_fit_a_key_names_both() {
    let keyring = mixed(Algorithm::Md5Key, Algorithm::AesCbc, &[7; 32]).unwrap();
    let error = keyring.signer("tenpay", NOW).and_then(|found| found.sm2()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "key tenpay-ours-sign-1 is of algorithm rsa, but the message asks for sm2"
    );
    let verifier = keyring.verifier("tenpay", "1", NOW).unwrap();
    assert!(matches!(
        verifier.sm2().err(),
        Some(KeyError::Algorithm { wanted: "sm2", .. })
    ));
    let mac = keyring.mac("tenpay", NOW).unwrap();
    let error = mac.hmac_sm3().err().unwrap().to_string();
    assert!(
        error.contains("algorithm md5-key") && error.contains("asks for hmac-sm3"),
        "{error}"
    );
    for wanted in Algorithm::ALL {
        assert_eq!(mac.of(wanted).is_ok(), wanted == Algorithm::Md5Key, "{}", wanted.name());
    }
    let seal = keyring.sealer("tenpay", NOW).unwrap();
    assert!(matches!(seal.of(Algorithm::AesCbc), Ok(SealKey::AesCbc(_))));
    assert!(seal.of(Algorithm::AesEcb).is_err());
    let sm2 = super::keyring(Status::Primary);
    let error = sm2
        .signer("centre", NOW)
        .and_then(|found| found.rsa())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("algorithm sm2") && error.contains("asks for rsa"), "{error}");
}

#[test]
fn shared_keys_are_found_by_serial_and_status() {
    let keyring = mixed(Algorithm::Sm3KeyDigest, Algorithm::Sm4GcmText, &[b'k'; 32]).unwrap();
    assert!(matches!(
        keyring.sealer_with("tenpay", "s", NOW).unwrap().key,
        SealKey::Sm4Gcm(_)
    ));
    assert_eq!(kind(&keyring.sealer_with("tenpay", "m", NOW)), "unknown");
    assert_eq!(kind(&keyring.sealer("centre", NOW)), "no primary");
    let tag = keyring.mac("tenpay", NOW).unwrap().key.tag(&[b"text&"]).unwrap();
    let mac = keyring.mac_with("tenpay", "m", NOW).unwrap();
    assert_eq!(mac.key.check(&[b"text", b"&"], &tag), Ok(()));
    assert!(mac.key.check(&[b"text"], &tag).is_err());
}

/// Every shared algorithm takes a secret of its own length and refuses one that is a byte short.
#[test]
fn lengths_of_secrets() {
    for algorithm in Algorithm::ALL {
        let Some(length) = algorithm.secret_bytes() else { continue };
        let usage = Usage::ALL
            .into_iter()
            .find(|usage| algorithm.serves(Side::Shared, *usage))
            .unwrap();
        let build = |length: usize| {
            let secret: Vec<u8> = (0..length).map(|at| u8::try_from(at * 7 + 1).unwrap()).collect();
            let entry = described(Side::Shared, usage, algorithm, "1");
            Keyring::builder().add_secret(entry, &secret).build()
        };
        assert!(build(length).is_ok(), "{}", algorithm.name());
        assert!(build(7).is_err(), "{}", algorithm.name());
        let is_open = [Algorithm::Md5Key, Algorithm::Sha256Key, Algorithm::Sha256KeyDigest].contains(&algorithm)
            || [Algorithm::Sm3KeyDigest, Algorithm::HmacSha256, Algorithm::AesEcbMd5].contains(&algorithm)
            || algorithm == Algorithm::HmacSha256Key;
        let error = build(length - 1).err().map(|error| error.to_string());
        assert_eq!(error.is_none(), is_open, "{}: {error:?}", algorithm.name());
        assert!(error.is_none_or(|error| error.contains("must be")));
    }
}

#[test]
fn entries_and_keys_must_agree() {
    let (sm2, new) = (gmt_key(), Keyring::builder);
    let pair = |algorithm| described(Side::Ours, Usage::Sign, algorithm, "1");
    refused(
        new().add_private(pair(Algorithm::Rsa), &sm2),
        "is of algorithm sm2, but its entry says rsa",
    );
    refused(
        new().add_rsa_private(pair(Algorithm::Sm2), rsa()),
        "is of algorithm rsa, but its entry says sm2",
    );
    refused(
        new().add_private(pair(Algorithm::HmacSm3), &sm2),
        "is of algorithm sm2, but its entry says hmac-sm3",
    );
    let mac = described(Side::Shared, Usage::Mac, Algorithm::AesCbc, "1");
    refused(
        new().add_secret(mac, &[1; 32]),
        "usage mac, which algorithm aes-cbc does not serve",
    );
    let named = KeyEntry {
        user_id: Some("bank".to_owned()),
        ..pair(Algorithm::Rsa)
    };
    refused(new().add_rsa_private(named, rsa()), "only SM2 signing keys");
}
