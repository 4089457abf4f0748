//! Double certificates: both halves or none. The key pairs were sealed by GmSSL and gmcert.org, the certificates are openssl's.

use super::*;
use crate::certificate::SerialForm;
use crate::intake::{Brought, Openers, bring};
use crate::sm2::PrivateKey;
use crate::store::Encoding;
use crate::testing::gmt_key;

fn asked(has_anchor: bool) -> Stage {
    let mut stage = Stage::new(3);
    let mut entry = signing(Status::Pending, "new");
    entry.id = "sign-2".to_owned();
    let key = import(&stage.state(), &stage.master, &entry, SIGN_KEY, Encoding::Hex, &mut stage.rng).unwrap();
    let number = stage.writer().propose_key(&stage.li, &key, terms(), &mut stage.rng).unwrap();
    stage.agree(number);
    if has_anchor {
        anchor(&mut stage, ROOT);
    }
    stage
}

fn anchor(stage: &mut Stage, certificate: &str) {
    let anchor = Anchor {
        name: "root".to_owned(),
        certificate: certificate.to_owned(),
    };
    stage.change(Change::Anchor(anchor)).unwrap();
}

fn handed_out() -> Brought {
    let own = PrivateKey::from_pem(SIGN_KEY).unwrap();
    opened(SEALED, &own)
}

fn opened(sealed: &str, own: &PrivateKey) -> Brought {
    let openers = Openers {
        passphrase: None,
        key: Some(own),
    };
    bring(sealed.as_bytes(), openers).unwrap()
}

fn bag() -> String {
    bring(BAG, Openers::default()).unwrap().certificates
}

fn pair(stage: &mut Stage, brought: &Brought) -> Result<Pair, GuardedError> {
    let state = stage.state();
    let kept = Kept {
        folder: &stage.folder(),
        state: &state,
        master: &stage.master,
    };
    let handed = Handed {
        sign_id: "sign-2",
        seal_id: "seal-2",
        brought,
        certificates: &bag(),
        form: SerialForm::Decimal,
    };
    paired(kept, &handed, &mut stage.rng)
}

fn proposed(stage: &mut Stage, pair: &Pair) -> Result<u64, GuardedError> {
    stage.writer().propose_pair(&stage.li, pair, terms(), &mut stage.rng)
}

#[test]
fn a_double_certificate_comes_in_by_one_proposal() {
    let mut stage = asked(true);
    let made = pair(&mut stage, &handed_out()).unwrap();
    let number = proposed(&mut stage, &made).unwrap();
    assert!(stage.state().key("seal-2").is_none());
    let state = stage.state();
    let about = |usage| state.open_about(("centre", Side::Ours, usage), NOW).count();
    assert_eq!([about(Usage::Sign), about(Usage::Seal), about(Usage::Mac)], [1, 1, 0]);
    stage.agree(number);
    let state = stage.state();
    let told = |id: &str| {
        let held = state.key(id).unwrap();
        let members = state.chain(held).unwrap().unwrap().members().len();
        (held.entry.serial.clone(), held.entry.usage, held.entry.status, members)
    };
    assert_eq!(told("sign-2"), ("4000000001".to_owned(), Usage::Sign, Status::Pending, 2));
    assert_eq!(told("seal-2"), ("4000000002".to_owned(), Usage::Seal, Status::Pending, 2));
    assert_eq!(stage.keyring().unwrap().infos().count(), 2, "both open under the master key");
}

#[test]
fn neither_half_of_a_double_certificate_comes_in_alone() {
    let mut stage = asked(true);
    let mut other = handed_out();
    other.private = Some(gmt_key().danger_to_pkcs8_pem().unwrap());
    let refusal = refused(pair(&mut stage, &other)).to_string();
    assert!(refusal.contains("has no certificate of its own"), "{refusal}");
    let made = pair(&mut stage, &handed_out()).unwrap();
    let whole = made.change();
    for spoil in [
        |pair: &mut PairChange| pair.key.usage = "sign".to_owned(),
        |pair: &mut PairChange| pair.key.link = "other".to_owned(),
        |pair: &mut PairChange| pair.key.fingerprint = "0".repeat(64),
        |pair: &mut PairChange| pair.key.id = "sign-2".to_owned(),
        |pair: &mut PairChange| pair.key.material.public = pair.certificate.certificates.clone().into(),
        |pair: &mut PairChange| pair.certificate.serial = "5".to_owned(),
    ] {
        let mut spoiled = whole.clone();
        spoil(&mut spoiled);
        refused(stage.propose(Change::Pair(Box::new(spoiled))));
    }
    assert_eq!(stage.state().key("sign-2").unwrap().entry.serial, "new");
    proposed(&mut stage, &made).unwrap();
}

#[test]
fn a_store_without_an_anchor_takes_no_double_certificate() {
    let mut stage = asked(false);
    let refusal = refused(pair(&mut stage, &handed_out())).to_string();
    assert!(refusal.contains("no trust anchor"), "{refusal}");
}

#[test]
fn whoever_signed_a_key_pair_must_lead_to_an_anchor() {
    let brought = opened(GMCERT, &PrivateKey::from_pem(GMCERT_KEY).unwrap());
    let signer = brought.signer.unwrap();
    for (anchored, counts) in [(signer.clone(), true), (ROOT.to_owned(), false)] {
        let mut stage = asked(false);
        assert!(!is_authority(&stage.state(), &signer, &signer), "nobody is trusted");
        anchor(&mut stage, &anchored);
        assert_eq!(is_authority(&stage.state(), &signer, &signer), counts);
    }
}

const SIGN_KEY: &str = include_str!("../../../testdata/pkcs7/sign.key.pem");
const SEALED: &str = include_str!("../../../testdata/pkcs7/gmssl.p7.pem");
const BAG: &[u8] = include_bytes!("../../../testdata/pkcs7/pair.p7b");
const ROOT: &str = include_str!("../../../testdata/pkcs7/root.cert.pem");
const GMCERT: &str = include_str!("../../../testdata/pkcs7/gmcert.p7.pem");
const GMCERT_KEY: &str = include_str!("../../../testdata/pkcs7/gmcert.key.pem");
