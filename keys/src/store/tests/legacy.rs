//! Key folders with other algorithms than those that go without saying, and keys that are made into them.

use super::*;
use crate::algorithm::Algorithm;
use crate::key::{KeyEntry, Side, Status};
use crate::legacy::RsaScheme;
use crate::testing::entry;

fn testdata(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/legacy");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn outcome(changes: &[(&str, &str)], text: &str) -> Result<Keyring, String> {
    listed(changes, text).load().map_err(|error| error.to_string())
}

/// One key, listed with these changes and with this in its file.
fn listed(changes: &[(&str, &str)], text: &str) -> Case {
    let list = changes.iter().fold(GOOD.to_owned(), |list, (old, new)| {
        assert!(list.contains(old), "{old}");
        list.replacen(old, new, 1)
    });
    let case = Case::new(&list);
    std::fs::write(case.path("k.pem"), text).unwrap();
    set_mode(&case.path("k.pem"), 0o600);
    case
}

#[test]
fn rsa_keys_and_certificates_load() {
    let rsa = ("file =", "algorithm = \"rsa\"\nfile =");
    let public = outcome(&[rsa], &testdata("jdpay.pub.pem")).unwrap();
    let info = public.infos().next().unwrap();
    assert_eq!((info.algorithm, info.bits), (Algorithm::Rsa, Some(1024)));
    let private = outcome(&[rsa, ("theirs", "ours")], &testdata("wechatpay-go.key.pem")).unwrap();
    assert_eq!(private.infos().next().unwrap().bits, Some(2048));
    for (text, side, expected) in [
        (testdata("jdpay.pub.pem"), "ours", "needs an RSA private key"),
        (testdata("wechatpay-go.key.pem"), "theirs", "needs an RSA public key"),
        (
            include_str!("../../../testdata/openssl.pub.pem").to_owned(),
            "theirs",
            "needs an RSA public key",
        ),
    ] {
        let error = outcome(&[rsa, ("theirs", side)], &text).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
    let error = outcome(&[], &testdata("jdpay.pub.pem")).err().unwrap();
    assert!(error.contains("needs an SM2 public key"), "{error}");
}

#[test]
fn a_certificate_must_bear_the_entry_out() {
    let rsa = ("file =", "algorithm = \"rsa\"\nfile =");
    let within = [
        ("2026-01-01T00:00:00+08:00", "2023-01-01T00:00:00Z"),
        ("2026-12-31T00:00:00Z", "2025-01-01T00:00:00Z"),
    ];
    let certificate = testdata("wechatpay-java.cert.pem");
    let with = |serial: &str, extra: &[(&str, &str)]| {
        let serial = format!("serial = \"{serial}\"");
        let changes = [&[("serial = \"1\"", serial.as_str())], extra].concat();
        outcome(&changes, &certificate)
    };
    let decimal = "542988552022308884687871296268698514612802908437";
    for serial in [
        "5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
        "5f1c72e2a8931b72a2e13af8dee92471eb397115",
    ] {
        assert!(with(serial, &[rsa, within[0], within[1]]).is_ok());
    }
    let error = with("1", &[rsa, within[0], within[1]]).err().unwrap();
    assert!(
        error.contains("has the serial 1, but its certificate 5F1C72E2A893"),
        "{error}"
    );
    assert!(error.contains(decimal), "{error}");
    let error = with("5F1C72E2A8931B72A2E13AF8DEE92471EB397115", &[rsa]).err().unwrap();
    assert!(error.contains("longer than its certificate"), "{error}");
    let error = with("5F1C72E2A8931B72A2E13AF8DEE92471EB397115", &within).err().unwrap();
    assert!(
        error.contains("is of algorithm sm2, which is not its certificate's"),
        "{error}"
    );
    let sm2 = [
        ("serial = \"1\"", "serial = \"3F1E989910B253E069A11568C91C57CA44568158\""),
        ("2026-01-01T00:00:00+08:00", "2022-04-01T00:00:00Z"),
        ("2026-12-31T00:00:00Z", "2023-04-01T00:00:00Z"),
    ];
    assert!(outcome(&sm2, &testdata("wechatpay-sm2.cert.pem")).is_ok());
    assert!(outcome(&sm2, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_err());
}

#[test]
fn algorithms_and_encodings_are_named_or_refused() {
    let shared = [("theirs", "shared"), ("\"sign\"", "\"mac\"")];
    let with = |extra: &str, text: &str| {
        let file = format!("{extra}\nfile =");
        outcome(&[shared[0], shared[1], ("file =", &file)], text)
    };
    let key = "192006250b4c09247ec02edce69f6a2d";
    assert!(with("algorithm = \"md5-key\"\nencoding = \"text\"", key).is_ok());
    assert!(
        with(
            "algorithm = \"hmac-sha256\"\nencoding = \"base64\"",
            "ta4E/aspLA3lgFGKmNDNRYU92RkZ4w2t"
        )
        .is_ok()
    );
    assert!(with("algorithm = \"cup-ecb-sm4\"", key).is_ok());
    for (extra, text, expected) in [
        ("algorithm = \"md5-kye\"", key, "did you mean \"md5-key\"?"),
        ("algorithm = \"hmac-md5\"", key, "but must be one of sm2, rsa, hmac-sm3"),
        ("algorithm = \"rsa\"", key, "must be one of hmac-sm3, hmac-sha256"),
        ("encoding = \"hexx\"", key, "did you mean \"hex\"?"),
        ("encoding = \"text\"", "two words", "visible ASCII"),
        ("encoding = \"base64\"", "a", "base64"),
        (
            "algorithm = \"md5-key\"\nencoding = \"text\"",
            "short",
            "at least 16 characters",
        ),
    ] {
        let error = with(extra, text).err().expect(expected);
        assert!(error.contains(expected), "{error}\nwanted: {expected}");
    }
    let error = outcome(&[("file =", "encoding = \"hex\"\nfile =")], "").err().unwrap();
    assert!(error.contains("is for shared secrets"), "{error}");
    let seal = [("theirs", "shared"), ("\"sign\"", "\"seal\"")];
    let error = outcome(&seal, key).err().unwrap();
    assert!(error.contains("field `algorithm` is missing"), "{error}");
}

fn new(id: &str, side: Side, usage: Usage, algorithm: Algorithm) -> NewKey {
    let entry = KeyEntry {
        id: id.to_owned(),
        algorithm,
        user_id: (algorithm == Algorithm::Sm2 && usage == Usage::Sign).then(|| "a \"b\"".to_owned()),
        ..entry("tenpay", side, usage, Status::Accepted, id)
    };
    NewKey { entry, bits: 2048 }
}

/// Every algorithm is made, loads, and is only readable by its owner.
#[test]
fn keys_are_made_for_every_algorithm() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new");
    let mut rng = SeededRng::new(60);
    for algorithm in Algorithm::ALL {
        let (side, usage) = match algorithm.secret_bytes() {
            None => (Side::Ours, Usage::Sign),
            Some(_) if algorithm.serves(Side::Shared, Usage::Mac) => (Side::Shared, Usage::Mac),
            Some(_) => (Side::Shared, Usage::Seal),
        };
        let made = create(&place, &new(algorithm.name(), side, usage, algorithm), &mut rng).unwrap();
        let mode = std::fs::metadata(&made.secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{}", algorithm.name());
        assert_eq!(made.public.is_some(), side == Side::Ours);
    }
    let keyring = load(&place).unwrap();
    assert_eq!(keyring.infos().count(), Algorithm::ALL.len());
    let signer = keyring.signer_with("tenpay", "rsa", NOW).unwrap();
    let signature = signer.rsa().unwrap().sign(RsaScheme::Pkcs1Sha256, b"m", &mut rng).unwrap();
    let public = crate::legacy::RsaPublic::from_pem(&std::fs::read_to_string(place.join("rsa.pub.pem")).unwrap()).unwrap();
    assert_eq!(public.verify(RsaScheme::Pkcs1Sha256, b"m", &signature), Ok(()));
    assert_eq!(list_mode(&place), 0o600);
}

fn list_mode(folder: &Path) -> u32 {
    let metadata = std::fs::metadata(folder.join("keyring.toml")).unwrap();
    metadata.permissions().mode() & 0o7777
}

#[test]
fn what_cannot_be_made_leaves_the_folder_as_it_was() {
    let folder = demo();
    let gateway = folder.path().join("gateway");
    let files = || {
        let names = std::fs::read_dir(&gateway).unwrap().map(|file| file.unwrap().path());
        names
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect::<BTreeMap<_, _>>()
    };
    let before = files();
    let mut rng = SeededRng::new(61);
    let sign = |id: &str, side, algorithm| new(id, side, Usage::Sign, algorithm);
    let twice = NewKey {
        entry: KeyEntry {
            link: "centre".to_owned(),
            serial: "4000000001".to_owned(),
            primary_from: None,
            ..sign("other", Side::Ours, Algorithm::Sm2).entry
        },
        bits: 2048,
    };
    let small = NewKey {
        bits: 1024,
        ..sign("small", Side::Ours, Algorithm::Rsa)
    };
    for (new, expected) in [
        (sign("bank-sign", Side::Ours, Algorithm::Sm2), "is there already"),
        (sign("../x", Side::Ours, Algorithm::Sm2), "needs an id of letters"),
        (sign(".x", Side::Ours, Algorithm::Sm2), "needs an id of letters"),
        (sign("x", Side::Theirs, Algorithm::Sm2), "is theirs"),
        (sign("x", Side::Ours, Algorithm::AesCbc), "take sm2, rsa"),
        (
            sign("x", Side::Shared, Algorithm::Sm2),
            "cannot have side shared and usage sign",
        ),
        (twice, "has the serial 4000000001 of key bank-sign"),
        (small, "cannot be made: not a valid key"),
    ] {
        let error = create(&gateway, &new, &mut rng).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\nwanted: {expected}");
        assert_eq!(files(), before, "{expected}");
    }
    let error = create(&gateway, &sign("x", Side::Ours, Algorithm::Rsa), &mut ZeroRng)
        .err()
        .unwrap();
    assert!(error.to_string().contains("random source failed"), "{error}");
    let made = create(&gateway, &sign("x", Side::Ours, Algorithm::Sm2), &mut rng).unwrap();
    assert_eq!(made.public, Some(gateway.join("x.pub.pem")));
    let text = std::fs::read_to_string(gateway.join("keyring.toml")).unwrap();
    assert!(
        text.as_bytes().starts_with(&before[&gateway.join("keyring.toml")]),
        "what was there stays, byte for byte"
    );
    assert_eq!(load(&gateway).unwrap().infos().count(), 8);
}
