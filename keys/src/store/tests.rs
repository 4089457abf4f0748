#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::error::KeyError;
use crate::key::Usage;
use crate::testing::{NOW, SeededRng, ZeroRng};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

mod changing; // a folder that changes
mod legacy; // other algorithms, certificates, keys that are made

fn demo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    generate_demo(folder.path(), &mut SeededRng::new(40)).unwrap();
    folder
}

/// A folder is read for either engine, and what one does the other understands.
#[test]
fn engines_are_chosen_by_name_and_understand_each_other() {
    let folder = demo();
    let mut rng = SeededRng::new(43);
    for engine in Engine::ALL {
        let text = format!("engine = '{}'", engine.name());
        let parsed: BTreeMap<String, Engine> = toml::from_str(&text).unwrap();
        assert_eq!(parsed["engine"], engine);
        let gateway = load_for(&folder.path().join("gateway"), engine).unwrap();
        for other in Engine::ALL {
            let centre = load_for(&folder.path().join("centre"), other).unwrap();
            let signer = gateway.signer("centre", NOW).unwrap();
            let signature = signer.sm2().unwrap().sign(b"m", &mut rng).unwrap();
            let verifier = centre.verifier("centre", &signer.info.serial, NOW).unwrap();
            assert_eq!(
                verifier.sm2().unwrap().verify(b"m", &signature),
                Ok(()),
                "{engine:?} {other:?}"
            );
            let wrapper = gateway.wrapper("centre", NOW).unwrap();
            let wrapped = wrapper.sm2().unwrap().wrap(b"data key", &mut rng).unwrap();
            let unwrapper = centre.unwrapper("centre", &wrapper.info.serial, NOW).unwrap();
            assert_eq!(
                unwrapper.sm2().unwrap().unwrap(&wrapped).unwrap().danger_expose(),
                b"data key"
            );
        }
    }
    assert!(toml::from_str::<BTreeMap<String, Engine>>("engine = 'fast'").is_err());
}

/// One by one, the keys of a folder are those of its keyring, and make the same one again.
#[test]
fn held_keys_are_those_of_the_keyring() {
    let folder = demo();
    let place = folder.path().join("gateway");
    let ids = |keyring: &Keyring| keyring.infos().map(|info| info.id.clone()).collect::<Vec<_>>();
    let keyring = load(&place).unwrap();
    let held = held(&place, &Devices::default()).unwrap();
    assert!(held.iter().any(|held| matches!(held.material, Material::Secret(_))));
    let again = held
        .into_iter()
        .fold(Keyring::builder(), |builder, held| held.add_to(builder));
    assert_eq!(ids(&again.build().unwrap()), ids(&keyring));
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn demo_parties_understand_each_other() {
    let folder = demo();
    let [gateway, centre, platform] = ["gateway", "centre", "platform"].map(|party| load(&folder.path().join(party)).unwrap());
    let mut rng = SeededRng::new(41);
    for (from, to, sealed_for) in [(&gateway, &centre, "5000000002"), (&centre, &gateway, "4000000002")] {
        let signer = from.signer("centre", NOW).unwrap();
        let signature = signer.sm2().unwrap().sign(b"m", &mut rng).unwrap();
        let verifier = to.verifier("centre", &signer.info.serial, NOW).unwrap();
        assert_eq!(verifier.sm2().unwrap().verify(b"m", &signature), Ok(()));
        let wrapper = from.wrapper("centre", NOW).unwrap();
        assert_eq!(wrapper.info.serial, sealed_for);
        let wrapped = wrapper.sm2().unwrap().wrap(b"data key", &mut rng).unwrap();
        let opened = to
            .unwrapper("centre", sealed_for, NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .unwrap(&wrapped)
            .unwrap();
        assert_eq!(opened.danger_expose(), b"data key");
    }
    let next = centre
        .signer_with("centre", "5000000003", NOW)
        .unwrap()
        .sm2()
        .unwrap()
        .sign(b"m", &mut rng)
        .unwrap();
    assert_eq!(
        gateway
            .verifier("centre", "5000000003", NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .verify(b"m", &next),
        Ok(())
    );
    assert!(
        gateway
            .verifier("centre", "5000000001", NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .verify(b"m", &next)
            .is_err()
    );
    let tag = gateway.mac("platform", NOW).unwrap().hmac_sm3().unwrap().tag(&[b"m"]);
    assert_eq!(
        platform
            .mac_with("platform", "platform-mac-1", NOW)
            .unwrap()
            .hmac_sm3()
            .unwrap()
            .check(&[b"m"], &tag),
        Ok(())
    );
    let (ciphertext, tag) = gateway.journal(NOW).unwrap().key.seal(&[0; 12], b"", b"m");
    let journal = gateway.journal_with("journal-1").unwrap();
    assert_eq!(journal.key.open(&[0; 12], b"", &ciphertext, &tag), Ok(b"m".to_vec()));
    assert!(gateway.digest().is_ok());
    assert!(
        matches!(centre.journal(NOW).err(), Some(KeyError::NoPrimary { .. })),
        "only the gateway keeps a journal"
    );
    assert_eq!(
        [&gateway, &centre, &platform].map(|keyring| keyring.infos().count()),
        [7, 5, 1]
    );
}

#[test]
fn demo_files_are_private_and_never_replaced() {
    let folder = demo();
    for party in ["gateway", "centre", "platform"] {
        for file in std::fs::read_dir(folder.path().join(party)).unwrap() {
            let file = file.unwrap();
            assert_eq!(
                file.metadata().unwrap().permissions().mode() & 0o7777,
                0o600,
                "{:?}",
                file.path()
            );
            assert!(!file.file_name().to_string_lossy().ends_with(".new"), "{:?}", file.path());
        }
    }
    let before = std::fs::read(folder.path().join("gateway/bank-sign.key.pem")).unwrap();
    let error = generate_demo(folder.path(), &mut SeededRng::new(42)).unwrap_err();
    assert!(
        error.to_string().contains("gateway/keyring.toml: is there already"),
        "{error}"
    );
    std::fs::remove_file(folder.path().join("gateway/keyring.toml")).unwrap();
    std::fs::remove_file(folder.path().join("centre/keyring.toml")).unwrap();
    std::fs::remove_file(folder.path().join("platform/keyring.toml")).unwrap();
    assert!(
        generate_demo(folder.path(), &mut SeededRng::new(42)).is_err(),
        "the keys are still there"
    );
    assert_eq!(
        std::fs::read(folder.path().join("gateway/bank-sign.key.pem")).unwrap(),
        before
    );
    let other = tempfile::tempdir().unwrap();
    assert!(generate_demo(other.path(), &mut ZeroRng).is_err());
}

#[test]
fn others_may_not_read_secrets() {
    let folder = demo();
    let gateway = folder.path().join("gateway");
    for secret in ["bank-sign.key.pem", "platform-mac.hex", "journal.hex"] {
        let path = gateway.join(secret);
        for mode in [0o640, 0o604, 0o620, 0o601, 0o777] {
            set_mode(&path, mode);
            let error = load(&gateway).err().unwrap();
            assert_eq!(error.file, path.display().to_string());
            assert!(error.detail.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
        set_mode(&path, 0o400);
        assert!(load(&gateway).is_ok());
    }
    set_mode(&gateway.join("centre-sign.pub.pem"), 0o644);
    assert!(load(&gateway).is_ok(), "a public key may be public");
}

/// A folder with one public key, described by `list`.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new(list: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keyring.toml"), list).unwrap();
        std::fs::write(folder.path().join("k.pem"), include_str!("../../testdata/openssl.pub.pem")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Result<Keyring, StoreError> {
        load(self.folder.path())
    }
}

const GOOD: &str = r#"[[key]]
id = "k"
link = "centre"
side = "theirs"
usage = "sign"
serial = "1"
status = "primary"
not_before = 2026-01-01T00:00:00+08:00
not_after = "2026-12-31T00:00:00Z"
file = "k.pem"
"#;

#[test]
fn a_good_list_loads() {
    let keyring = Case::new(GOOD).load().unwrap();
    let info = keyring.infos().next().unwrap();
    assert_eq!((info.id.as_str(), info.usage), ("k", Usage::Sign));
    assert_eq!(info.not_before, time::macros::datetime!(2025-12-31 16:00 UTC));
    assert!(
        Case::new(&format!("{GOOD}algorithm = \"sm2\"\nuser_id = \"bank\"\n"))
            .load()
            .is_ok()
    );
    assert_eq!(Case::new("").load().unwrap().infos().count(), 0);
}

#[test]
fn wrong_lists_name_line_entry_and_rule() {
    let check = |old: &str, new: &str, expected: &str| {
        assert!(GOOD.contains(old));
        let case = Case::new(&GOOD.replacen(old, new, 1));
        let error = case.load().err().expect(expected).to_string();
        assert!(
            error.contains("keyring.toml: ") && error.contains(expected),
            "{error}\nwanted: {expected}"
        );
    };
    check(
        "serial =",
        "serail =",
        "line 6: unknown field `serail`; did you mean `serial`?",
    );
    check(
        "serial =",
        "passphrase =",
        "line 6: unknown field `passphrase`; known are algorithm, encoding, file",
    );
    check("[[key]]", "[[keys]]", "line 1: unknown field `keys`; did you mean `key`?");
    check("[[key]]", "key = 1\n[other]", "line 1: `key` must be a list of tables");
    check("[[key]]", "[key]", "line 1: `key` must be a list of tables");
    check("id = \"k\"\n", "", "line 1: field `id` is missing");
    check("serial = \"1\"\n", "", "line 1: key k: field `serial` is missing");
    check("serial = \"1\"", "serial = 1", "line 6: key k: `serial` must be a string");
    check(
        "\"primary\"",
        "\"primry\"",
        "line 7: key k: `status` is \"primry\" but must be one of pending, accepted",
    );
    check("\"primary\"", "\"primry\"", "did you mean \"primary\"?");
    check("\"theirs\"", "\"them\"", "line 4: key k: `side` is \"them\"");
    check("\"sign\"", "\"encrypt\"", "line 5: key k: `usage` is \"encrypt\"");
    check(
        "2026-01-01T00:00:00+08:00",
        "2026-01-01",
        "line 8: key k: `not_before` must be a date and time with an offset",
    );
    check(
        "2026-01-01T00:00:00+08:00",
        "2026-01-01T00:00:00",
        "line 8: key k: `not_before` must be",
    );
    check("2026-12-31T00:00:00Z", "tomorrow", "line 9: key k: `not_after` must be");
    check(
        "2026-12-31T00:00:00Z",
        "2025-01-01T00:00:00Z",
        "key k ends its validity before it starts",
    );
    check(
        "file =",
        "algorithm = \"hmac-sm3\"\nfile =",
        "line 10: key k: `algorithm` is \"hmac-sm3\" but must be one of sm2, rsa for side theirs and usage sign",
    );
    for file in ["../k.pem", "/etc/passwd", "", ".", "a/../../k.pem"] {
        check(
            "\"k.pem\"",
            &format!("\"{file}\""),
            "line 10: key k: `file` must be a path inside the key folder",
        );
    }
    check("file =", "file", "line 10: ");
    check("serial =", "id = \"twice\"\nserial =", "line 6: ");
    let twice = Case::new(&[GOOD, &GOOD.replace("\"k\"", "\"other\"").replace("\"1\"", "\"2\"")].concat());
    let error = twice.load().err().unwrap().to_string();
    assert!(error.contains("key other is a second primary key beside k"), "{error}");
}

#[test]
fn wrong_key_files_name_file_and_entry() {
    let check = |text: &[u8], list: &str, expected: &str| {
        let case = Case::new(list);
        std::fs::write(case.path("k.pem"), text).unwrap();
        set_mode(&case.path("k.pem"), 0o600);
        let error = case.load().err().expect(expected).to_string();
        assert!(
            error.contains("k.pem: ") && error.contains(expected),
            "{error}\nwanted: {expected}"
        );
    };
    let ours = GOOD.replace("theirs", "ours");
    let mac = GOOD.replace("theirs", "shared").replace("\"sign\"", "\"mac\"");
    check(b"no key", GOOD, "key k needs an SM2 public key");
    check(
        include_bytes!("../../testdata/off-curve.pub.pem"),
        GOOD,
        "with a point on the curve",
    );
    check(b"\xff\xfe", GOOD, "is not text");
    check(&vec![b'a'; (1 << 20) + 1], GOOD, "is longer than");
    check(
        include_bytes!("../../testdata/openssl.pub.pem"),
        &ours,
        "key k needs an SM2 private key",
    );
    check(include_bytes!("../../testdata/encrypted.key.pem"), &ours, "not encrypted");
    check(b"0g", &mac, "key k needs a secret written as hex");
    check(b"abc", &mac, "key k needs a secret written as hex");
    let missing = Case::new(GOOD);
    std::fs::remove_file(missing.path("k.pem")).unwrap();
    assert!(missing.load().err().unwrap().to_string().ends_with("k.pem: is not there"));
    let empty = tempfile::tempdir().unwrap();
    assert!(
        load(empty.path())
            .err()
            .unwrap()
            .to_string()
            .ends_with("keyring.toml: is not there")
    );
    let short = Case::new(&mac);
    std::fs::write(short.path("k.pem"), "00ff").unwrap();
    set_mode(&short.path("k.pem"), 0o600);
    assert!(short.load().err().unwrap().to_string().contains("key k must be 32 bytes"));
}
