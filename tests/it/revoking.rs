//! A running gateway over a guarded store whose signing key has a certificate: what revocation lists do to it, what its metrics
//! tell, and what a wrong master key ends in. The authority is openssl.

use crate::devices::secret_file;
use crate::process::{Process, get, hangu, wait};
use crate::processes::configure;
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use keys::certificate::SerialForm;
use keys::guarded::{
    Anchor, Change, FileDisk, Founder, Founding, Kept, MasterKey, OfficerKey, Role, Terms, Writer, certify, import, read,
};
use keys::key::KeyEntry;
use keys::store::{Encoding, held};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use time::OffsetDateTime;

const LIMIT: Duration = Duration::from_mins(1);
/// 2020-02-01, when the old list ended.
const LONG_AGO: &str = "20200201000000Z";

#[test]
fn a_key_ends_with_its_revocation_list_and_goes_on_only_where_the_configuration_says_so() {
    let (folder, admin) = bank();
    let root = folder.path();
    list(root, "20491231000000Z");
    let mut gateway = Process::start(root, "gateway", &["run"]);
    let tells = |line: &str| get(&admin, "/metrics").is_some_and(|page| page.contains(line));
    let key = "{link=\"centre\",side=\"ours\",usage=\"sign\",serial=\"4000000001\"";
    wait(LIMIT, "the list counts", || {
        tells("hangu_revocation_list_next_update_seconds{list=\"root.crl\"} 2524521600\n")
    });
    for member in ["0\",certificate=\"EE6B2801\"} ", "1\",certificate=\"4D\"} "] {
        assert!(
            tells(&format!("hangu_certificate_expires_seconds{key},member=\"{member}")),
            "{member}"
        );
    }
    assert!(tells("hangu_revocation_list_keys{list=\"root.crl\"} 1\n"));
    assert!(tells("hangu_revocation_list_revoked{list=\"root.crl\"} 0\n"));
    assert!(check(root, 0).contains("ok    revocation list"));

    list(root, LONG_AGO);
    let ended = || {
        let page = get(&admin, "/metrics")?;
        let wanted = format!("hangu_key_expires_seconds{key}}} ");
        let until: i64 = page.lines().find_map(|line| line.strip_prefix(&wanted))?.parse().ok()?;
        Some(until < OffsetDateTime::now_utc().unix_timestamp() && page.contains("hangu_keyring_refused 0\n"))
    };
    wait(LIMIT, "the key has ended with its list", || ended() == Some(true));
    assert!(tells(
        "hangu_revocation_list_next_update_seconds{list=\"root.crl\"} 1580515200\n"
    ));
    gateway.terminate();
    assert!(check(root, 78).contains("FAIL  revocation list"));
    let told = refused(root);
    assert!(
        told.contains("revocation list") && told.contains("fetch the authority's present list"),
        "{told}"
    );

    let config = root.join("hangu.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}stale = \"warn\"\n")).unwrap();
    assert!(check(root, 0).contains("warn  revocation list"));
    let mut gateway = Process::start(root, "gateway-2", &["run"]);
    wait(LIMIT, "the key goes on", || ended() == Some(false));
    openssl(
        root,
        "ca -config ca.cnf -keyfile root.key -cert root.pem -revoke bank-sign.pem",
    );
    list(root, "20491231000000Z");
    wait(LIMIT, "the key is revoked", || {
        tells("hangu_revocation_list_revoked{list=\"root.crl\"} 1\n")
    });
    assert!(get(&admin, "/keys").unwrap().contains("\"status\":\"revoked\""));
    gateway.terminate();
}

#[test]
fn a_start_with_another_master_key_or_without_the_log_ends_with_78_and_shows_no_key() {
    let (folder, _) = bank();
    let root = folder.path();
    list(root, "20491231000000Z");
    let file = root.join("vault.key");
    let own = std::fs::read_to_string(&file).unwrap();
    let other = MasterKey::generate(&mut Random(&SystemEntropy)).unwrap().danger_to_hex();
    for (text, reason) in [
        (other.as_str(), "the master key is not this store's"),
        ("00", "needs 64 hex digits"),
    ] {
        secret_file(&file, text);
        let told = refused(root);
        assert!(
            told.contains(reason) && told.contains("\u{5bc6}\u{94a5}\u{76ee}\u{5f55}"),
            "{told}"
        );
        assert!(!told.contains(own.trim()) && !told.contains(other.as_str()), "{told}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(refused(root).contains("cannot be read"));
    secret_file(&file, &own);
    std::fs::copy(root.join("keys/gateway/keyring.toml"), root.join("vault/keyring.toml")).unwrap();
    std::fs::remove_file(root.join("vault/store.log")).unwrap();
    assert!(
        refused(root).contains("the folder has no store.log"),
        "no plain folder takes its place"
    );
}

/// A gateway's folder with its keys in a guarded store, and a certificate for the key that signs on the centre's link.
fn bank() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let admin = configure(root, "127.0.0.1:1");
    authority(root);
    found(root);
    let config = root.join("hangu.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("folder = \"keys/gateway\"", "folder = \"vault\"");
    let tables = "[keys.master]\nfile = \"vault.key\"\n[keys.revocation]\nlists = [\"root.crl\"]\n";
    std::fs::write(config, format!("{text}\n{tables}")).unwrap();
    (folder, admin)
}

fn authority(root: &Path) {
    let sign = "-sm3 -sigopt distid:1234567812345678";
    openssl(root, "ecparam -name SM2 -genkey -noout -out root.key");
    openssl(
        root,
        &format!("req -x509 -new -key root.key {sign} -days 3650 -set_serial 77 -subj /CN=root -out root.pem"),
    );
    let key = "keys/gateway/bank-sign.key.pem";
    openssl(root, &format!("req -new -key {key} {sign} -subj /CN=pay -out bank-sign.csr"));
    let verify = "-vfyopt distid:1234567812345678 -set_serial 4000000001 -days 365";
    openssl(
        root,
        &format!("x509 -req -in bank-sign.csr -CA root.pem -CAkey root.key {sign} {verify} -out bank-sign.pem"),
    );
    std::fs::write(root.join("index"), "").unwrap();
    std::fs::write(root.join("number"), "01\n").unwrap();
    let settings = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sm3\ndefault_crl_days=9\n";
    std::fs::write(root.join("ca.cnf"), settings).unwrap();
}

/// Puts a list in the place of the one that is there, in one step.
fn list(root: &Path, until: &str) {
    let times = format!("-crl_lastupdate 20200101000000Z -crl_nextupdate {until} -sigopt distid:1234567812345678");
    openssl(
        root,
        &format!("ca -config ca.cnf -keyfile root.key -cert root.pem -gencrl -out new.crl {times}"),
    );
    std::fs::rename(root.join("new.crl"), root.join("root.crl")).unwrap();
}

fn openssl(root: &Path, line: &str) {
    let ran = Command::new("openssl").args(line.split(' ')).current_dir(root).output();
    let ran = ran.expect("openssl: apt-get install openssl");
    assert!(
        ran.status.success(),
        "openssl {line}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

fn found(root: &Path) {
    let mut rng = Random(&SystemEntropy);
    let master = MasterKey::generate(&mut rng).unwrap();
    let [li, wang] = ["li", "wang"].map(|name| OfficerKey::generate(name, &mut rng).unwrap());
    let founder = |key| Founder {
        key,
        roles: BTreeSet::from([Role::Custodian, Role::Approver]),
    };
    let now = OffsetDateTime::now_utc();
    let founding = Founding {
        founders: vec![founder(&li), founder(&wang)],
        threshold: 2,
        master: &master,
        now,
    };
    let place = root.join("vault");
    let mut writer = Writer::found(&place, &founding, &FileDisk, &mut rng).unwrap();
    let terms = Terms {
        now,
        expires: now + time::Duration::DAY,
    };
    for (entry, text, encoding) in listed(&root.join("keys/gateway")) {
        let key = import(writer.state(), &master, &entry, &text, encoding, &mut rng).unwrap();
        let number = writer.propose_key(&li, &key, terms, &mut rng).unwrap();
        writer.approve(&wang, number, now, &mut rng).unwrap();
    }
    let anchor = Anchor {
        name: "root".to_owned(),
        certificate: std::fs::read_to_string(root.join("root.pem")).unwrap(),
    };
    let number = writer.propose(&li, Change::Anchor(anchor), terms, &mut rng).unwrap();
    writer.approve(&wang, number, now, &mut rng).unwrap();
    let (_, state) = read(&place).unwrap();
    let kept = Kept {
        folder: &place,
        state: &state,
        master: &master,
    };
    let certificate = std::fs::read_to_string(root.join("bank-sign.pem")).unwrap();
    let certified = certify(kept, "bank-sign", &certificate, Some(SerialForm::Decimal), &mut rng).unwrap();
    let number = writer.propose_certificate(&li, &certified, terms, &mut rng).unwrap();
    writer.approve(&wang, number, now, &mut rng).unwrap();
    secret_file(&root.join("vault.key"), &master.danger_to_hex());
}

/// Every key of an open folder with the text of its file.
fn listed(open: &Path) -> Vec<(KeyEntry, String, Encoding)> {
    let list: toml::Table = std::fs::read_to_string(open.join("keyring.toml")).unwrap().parse().unwrap();
    let files = list["key"].as_array().unwrap().iter();
    let both = files.zip(held(open, &keys::provider::Devices::default()).unwrap());
    both.map(|(table, held)| {
        let text = std::fs::read_to_string(open.join(table["file"].as_str().unwrap())).unwrap();
        (held.entry, text, Encoding::Hex)
    })
    .collect()
}

fn check(root: &Path, exit: i32) -> String {
    let output = hangu(root, &["check"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{told}");
    told
}

/// What a start says that must not succeed.
fn refused(root: &Path) -> String {
    let output = hangu(root, &["run"]).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(78), "{told}");
    told
}
