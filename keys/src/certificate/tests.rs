#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::pem::block;
use std::process::Command;
use time::macros::datetime;

fn pem(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/legacy");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn certificate(name: &str) -> Certificate {
    Certificate::from_pem(&pem(name)).unwrap()
}

/// `facts` 4b: `alipay-sdk-nodejs-all : test/antcertutil.test.ts`.
#[test]
fn alipay_sdk_nodejs_antcertutil() {
    let alipay = certificate("alipay.cert.pem");
    assert_eq!(alipay.issuer_and_serial_md5(), "7513daaaa48aa3ba2e4018d84402479c");
    let roots = Certificate::all_from_pem(&pem("alipay-root.cert.pem")).unwrap();
    assert_eq!(roots.len(), 4);
    let rsa = "687b59193f3f462dd5336e5abf83c5d8_02941eef3187dddf3d3b83462e1dfcf6";
    assert_eq!(root_serials(&roots, RootKind::Rsa), rsa);
    assert_eq!(root_serials(&roots, RootKind::Sm2), "9e64d67d36446de33aae13a33a89e5a7");
}

/// `facts` 4c: NRCAC ROOTCA, a production root that signs itself with SM2 and SM3.
#[test]
fn nrcac_root_verifies_itself() {
    let roots = Certificate::all_from_pem(&pem("alipay-root.cert.pem")).unwrap();
    let [nrcac, ant_rsa, ant_ec, itrus] = roots.as_slice() else {
        panic!("four roots");
    };
    assert_eq!(nrcac.serial_hex(), "69E2FEC0170AC67B");
    assert_eq!(nrcac.subject(), "CN=ROOTCA,O=NRCAC,C=CN");
    assert_eq!(nrcac.check_issued_by(nrcac), Ok(()));
    assert_eq!(nrcac.not_before(), Ok(datetime!(2012-07-14 03:11:59 UTC)));
    assert_eq!(nrcac.not_after(), Ok(datetime!(2042-07-07 03:11:59 UTC)));
    assert!(matches!(nrcac.public_key(), Ok(CertificateKey::Sm2(_))));
    assert_eq!(ant_rsa.check_issued_by(ant_rsa), Ok(()), "SHA256withRSA, 4096 bits");
    assert_eq!(itrus.check_issued_by(itrus), Ok(()), "SHA1withRSA");
    assert!(
        ant_ec.public_key().is_err() && ant_ec.check_issued_by(ant_ec).is_err(),
        "P-384"
    );
    for other in [ant_rsa, itrus] {
        assert_eq!(nrcac.check_issued_by(other), Err(CryptoError::Signature));
    }
}

/// Each bit of what is signed, and of the signature, matters.
#[test]
fn altered_certificates_are_not_issued() {
    let whole = block(&pem("alipay-root.cert.pem"), LABEL).unwrap();
    let root = Certificate::from_der(&whole).unwrap();
    let (mut read, mut issued) = (0, 0);
    for at in 4..whole.len() {
        let mut altered = whole.to_vec();
        altered[at] ^= 1;
        let Ok(certificate) = Certificate::from_der(&altered) else {
            continue;
        };
        read += 1;
        issued += u32::from(certificate.check_issued_by(&root).is_ok());
    }
    assert!(read > 100, "{read} of them can be read");
    assert_eq!(issued, 0);
    for cut in 0..whole.len() {
        assert!(Certificate::from_der(&whole[..cut]).is_err());
    }
    assert!(Certificate::from_der(&[&whole[..], &[0]].concat()).is_err());
}

#[test]
fn serial_numbers_as_messages_carry_them() {
    let unionpay = certificate("unionpay.cert.pem");
    assert_eq!(unionpay.serial_decimal(), "69678957876");
    assert_eq!(unionpay.serial_hex(), "1039308534");
    for serial in ["69678957876", "1039308534", "001039308534", &unionpay.issuer_and_serial_md5()] {
        assert!(unionpay.has_serial(serial), "{serial}");
    }
    for serial in ["", "0", "69678957877", "1039308535", " 1039308534"] {
        assert!(!unionpay.has_serial(serial), "{serial}");
    }
    let sm2 = certificate("wechatpay-sm2.cert.pem");
    assert!(sm2.has_serial("3f1e989910b253e069a11568c91c57ca44568158"));
    assert!(matches!(sm2.public_key(), Ok(CertificateKey::Sm2(_))));
    assert_eq!(decimal(&[]), "0");
    assert_eq!(decimal(&[1, 0]), "256");
    assert_eq!(decimal(&[0xff; 20]), "1461501637330902918203684832716283019655932542975");
}

/// Certificates that the machine's `openssl` makes, of either kind and with an awkward issuer.
#[test]
fn openssl_s_certificates_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output();
        let output = output.expect("this test needs OpenSSL 3 with SM2: apt-get install openssl");
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    run(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        "rsa.pem",
    ]);
    run(&["genpkey", "-algorithm", "SM2", "-out", "sm2.pem"]);
    for (key, digest) in [("rsa.pem", "-sha256"), ("sm2.pem", "-sm3")] {
        let make = [
            "req",
            "-new",
            "-x509",
            "-key",
            key,
            "-out",
            "cert.pem",
            "-days",
            "10",
            "-set_serial",
            "0x00ff01",
        ];
        let options = ["-subj", "/C=CN/O=a, b+c/CN= x ", digest];
        let user_id: &[&str] = if key == "sm2.pem" {
            &["-sigopt", "distid:1234567812345678"]
        } else {
            &[]
        };
        run(&[make.as_slice(), &options, user_id].concat());
        let certificate = Certificate::from_pem(&read("cert.pem")).unwrap();
        assert_eq!(
            (certificate.serial_decimal().as_str(), certificate.serial_hex().as_str()),
            ("65281", "FF01")
        );
        let subject = run(&["x509", "-in", "cert.pem", "-noout", "-subject", "-nameopt", "RFC2253"]);
        assert_eq!(format!("subject={}", certificate.subject()), subject.trim_end_matches('\n'));
        run(&["pkey", "-in", key, "-pubout", "-out", "pub.pem"]);
        let spki = match certificate.public_key().unwrap() {
            CertificateKey::Rsa(key) => key.to_spki_pem().unwrap(),
            CertificateKey::Sm2(key) => key.to_spki_pem().unwrap(),
        };
        assert_eq!(spki, read("pub.pem"));
        assert_eq!(certificate.check_issued_by(&certificate), Ok(()), "{key}");
    }
}
