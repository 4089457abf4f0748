//! Certificates of keys, from the request to the revocation; authorities are openssl's.

use super::*;
use crate::certificate::SerialForm;
use crate::intake::{Openers, bring};
use crate::keyring::Keyring;
use crate::request::Request;
use crate::revocation::RevocationList;
use crate::store::Encoding;
use crate::testing::{AUTHORITY, OpenSsl, revoking};

const SIGN: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n";
const SEAL: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,keyEncipherment\n";

fn id(serial: &str) -> String {
    signing(Status::Pending, serial).id
}

/// A store that trusts an authority, with our key pending; `csr` of that key lies beside the authority.
fn asked(status: Status) -> (Stage, OpenSsl) {
    let (mut stage, openssl) = (Stage::new(3), OpenSsl::new());
    openssl.certificate("root", None, "sm2", AUTHORITY);
    stage.add(signing(status, "1"));
    trust(&mut stage, &openssl);
    let all = filed(&stage.folder(), &stage.state(), &stage.master).unwrap();
    let request = Request::made("CN=pay,O=Bank,C=CN", &all[0].material, &mut stage.rng).unwrap();
    openssl.write("own.csr", request.to_pem().as_bytes());
    openssl.write("own.kind", b"sm2");
    (stage, openssl)
}

fn trust(stage: &mut Stage, openssl: &OpenSsl) {
    let anchor = Anchor {
        name: "root".to_owned(),
        certificate: openssl.text("root.pem"),
    };
    stage.change(Change::Anchor(anchor)).unwrap();
}

fn certified(stage: &mut Stage, pem: &str, form: Option<SerialForm>) -> Result<Certified, GuardedError> {
    let state = stage.state();
    let kept = Kept {
        folder: &stage.folder(),
        state: &state,
        master: &stage.master,
    };
    certify(kept, &id("1"), pem, form, &mut stage.rng)
}

fn proposed(stage: &mut Stage, certified: &Certified) -> Result<u64, GuardedError> {
    stage
        .writer()
        .propose_certificate(&stage.li, certified, terms(), &mut stage.rng)
}

#[test]
fn a_key_gets_its_certificate_and_the_serial_number_of_it() {
    let (mut stage, openssl) = asked(Status::Pending);
    openssl.issue("own", Some("root"), SIGN, "-days 300 -set_serial 4000000001");
    let before = stage.state().key(&id("1")).unwrap().clone();
    let certified = certified(&mut stage, &openssl.text("own.pem"), Some(SerialForm::Decimal)).unwrap();
    let number = proposed(&mut stage, &certified).unwrap();
    stage.agree(number);
    let state = stage.state();
    let after = state.key(&id("1")).unwrap();
    assert_eq!(
        (after.entry.serial.as_str(), &after.fingerprint),
        ("4000000001", &before.fingerprint)
    );
    assert_eq!(after.entry.not_after - after.entry.not_before, Duration::days(300));
    assert_eq!(state.chain(after).unwrap().unwrap().members().len(), 2);
    let keyring = stage.keyring().unwrap();
    assert_eq!(
        keyring.infos().map(|info| info.serial.as_str()).collect::<Vec<_>>(),
        ["4000000001"]
    );
}

#[test]
fn a_certificate_that_does_not_count_is_refused() {
    let (mut stage, openssl) = asked(Status::Pending);
    openssl.issue("own", Some("root"), SEAL, "-days 300 -set_serial 1");
    let other_usage = certified(&mut stage, &openssl.text("own.pem"), None).unwrap();
    assert!(refused(proposed(&mut stage, &other_usage)).to_string().contains("key usage"));
    openssl.certificate("other", Some("root"), "sm2", SIGN);
    let other_key = certified(&mut stage, &openssl.text("other.pem"), Some(SerialForm::Hex)).unwrap();
    assert!(
        refused(proposed(&mut stage, &other_key))
            .to_string()
            .contains("another public key")
    );
    openssl.issue("own", Some("root"), SIGN, "-days 300 -set_serial 2");
    let other_serial = certified(&mut stage, &openssl.text("own.pem"), None).unwrap();
    assert!(
        refused(proposed(&mut stage, &other_serial))
            .to_string()
            .contains("has the serial 1")
    );
    openssl.certificate("stranger", None, "sm2", AUTHORITY);
    openssl.issue("own", Some("stranger"), SIGN, "-days 300 -set_serial 1");
    let refusal = refused(certified(&mut stage, &openssl.text("own.pem"), None));
    assert!(refusal.to_string().contains("no trust anchor"), "{refusal}");
}

#[test]
fn a_key_in_use_keeps_its_serial_number() {
    let (mut stage, openssl) = asked(Status::Accepted);
    openssl.issue("own", Some("root"), SIGN, "-days 300 -set_serial 2");
    let other = certified(&mut stage, &openssl.text("own.pem"), Some(SerialForm::Decimal)).unwrap();
    assert!(refused(proposed(&mut stage, &other)).to_string().contains("keeps it"));
    openssl.issue("own", Some("root"), SIGN, "-days 300 -set_serial 1");
    let same = certified(&mut stage, &openssl.text("own.pem"), None).unwrap();
    assert_eq!(same.change.wrapped, None);
    let number = proposed(&mut stage, &same).unwrap();
    stage.agree(number);
    stage.keyring().unwrap();
}

/// Where a store says who counts, a certificate that comes with a key must count too.
#[test]
fn a_counterpartys_certificate_leads_to_an_anchor_or_stays_out() {
    let (mut stage, openssl) = asked(Status::Pending);
    openssl.certificate("theirs", Some("root"), "sm2", SIGN);
    openssl.certificate("stranger", None, "sm2", AUTHORITY);
    for (name, is_taken) in [("theirs", true), ("stranger", false)] {
        let pem = openssl.text(&format!("{name}.pem"));
        let certificate = crate::certificate::Certificate::from_pem(&pem).unwrap();
        let mut entry = entry(
            "centre",
            Side::Theirs,
            Usage::Sign,
            Status::Accepted,
            &certificate.serial_hex(),
        );
        entry.not_before = certificate.not_before().unwrap();
        entry.not_after = certificate.not_after().unwrap();
        let key = import(&stage.state(), &stage.master, &entry, &pem, Encoding::Hex, &mut stage.rng).unwrap();
        let outcome = stage.writer().propose_key(&stage.li, &key, terms(), &mut stage.rng);
        assert_eq!(outcome.is_ok(), is_taken, "{name}");
    }
}

/// A store with the key pairs of `bad` and `good`, which came in with their certificates by PKCS #12.
fn two(openssl: &OpenSsl) -> Stage {
    let mut stage = Stage::new(3);
    trust(&mut stage, openssl);
    for name in ["bad", "good"] {
        openssl.must(&format!(
            "pkcs12 -export -in {name}.pem -inkey {name}.key -passout pass:x -out a.p12"
        ));
        let openers = Openers {
            passphrase: Some("x"),
            key: None,
        };
        let brought = bring(&openssl.read("a.p12"), openers).unwrap();
        let certificate = crate::certificate::Certificate::from_pem(&brought.certificates).unwrap();
        let mut entry = signing(Status::Accepted, &certificate.serial_hex());
        entry.id = name.to_owned();
        entry.not_after = entry.not_before + Duration::days(3650);
        let private = brought.private.unwrap();
        let key = import(&stage.state(), &stage.master, &entry, &private, Encoding::Hex, &mut stage.rng).unwrap();
        let key = with_certificates(&stage.state(), key, &brought.certificates).unwrap();
        let number = stage.writer().propose_key(&stage.li, &key, terms(), &mut stage.rng).unwrap();
        stage.agree(number);
    }
    stage
}

fn under(stage: &Stage, crl: &[u8], stale: Stale) -> Result<(Keyring, Vec<Effect>), GuardedError> {
    let listed = Listed {
        name: "root.crl".to_owned(),
        list: RevocationList::from_bytes(crl)?,
    };
    let (state, effects) = stage.state().under(&[listed], stale)?;
    Ok((keyring(&stage.folder(), &state, &stage.master, Engine::Reference)?, effects))
}

#[test]
fn a_listed_certificate_stops_its_key_and_no_other() {
    let openssl = revoking("sm2");
    let stage = two(&openssl);
    let (keyring, effects) = under(&stage, &openssl.read("root.crl"), Stale::Warn).unwrap();
    let status = |id: &str| keyring.infos().find(|info| info.id == id).unwrap().status;
    assert_eq!((status("bad"), status("good")), (Status::Revoked, Status::Accepted));
    assert_eq!(effects[0].revoked, ["bad"]);
    assert_eq!(effects[0].keys, ["bad", "good"]);
    assert_ne!(
        keyring.version(),
        stage.keyring().unwrap().version(),
        "a gateway sees that it is another one"
    );
    assert_eq!(
        stage.state().key("bad").unwrap().entry.status,
        Status::Accepted,
        "the log is as it was"
    );
}

#[test]
fn a_list_counts_until_its_next_update_where_that_is_wanted() {
    let openssl = revoking("rsa");
    let sm2 = revoking("sm2");
    let stage = two(&sm2);
    let until = |stale| {
        let (keyring, effects) = under(&stage, &sm2.read("root.crl"), stale).unwrap();
        let info = keyring.infos().find(|info| info.id == "good").unwrap().not_after;
        (info, effects[0].next_update.unwrap())
    };
    let (ends, next) = until(Stale::Warn);
    assert!(ends > next);
    assert_eq!(until(Stale::Refuse), (next, next));
    let sign = "-sigopt distid:1234567812345678 -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z";
    sm2.must(&format!(
        "ca -config ca.cnf -keyfile root.key -cert root.pem -gencrl -out old.crl {sign}"
    ));
    let (keyring, _) = under(&stage, &sm2.read("old.crl"), Stale::Refuse).unwrap();
    for info in keyring.infos() {
        assert_eq!(
            info.not_after, info.not_before,
            "a list from before the key leaves it no time"
        );
    }
    let forged = under(&stage, &openssl.read("root.crl"), Stale::Warn);
    assert!(
        matches!(forged, Err(GuardedError::Revocation(_))),
        "signed by another key under the same name"
    );
}
