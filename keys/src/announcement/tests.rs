use super::*;
use crate::sm2::{DEFAULT_USER_ID, Engine, PrivateKey};
use crate::testing::{SeededRng, gmt_key};
use time::macros::datetime;

/// How an announcement is spoiled, and what is then found.
type Spoiled = (fn(&mut Announcement), Flaw);

const NOW: OffsetDateTime = datetime!(2030-01-15 10:00 +8);

fn announced(seed: u64) -> Announcement {
    let key = PrivateKey::generate(&mut SeededRng::new(seed)).unwrap();
    Announcement {
        sender: "900584099999".to_owned(),
        receiver: "402100088888".to_owned(),
        usage: "SIGN".to_owned(),
        serial: "5000000009".to_owned(),
        key: key.public().to_announced().unwrap(),
        from: stamp(NOW),
        to: "2032-01-15T10:00:00".to_owned(),
    }
}

#[test]
fn what_is_announced_is_read_back() {
    let key = PrivateKey::generate(&mut SeededRng::new(1)).unwrap();
    let found = announced(1).key(NOW).unwrap();
    assert_eq!((found.usage, &found.public), (Usage::Sign, key.public()));
    assert_eq!(found.pem.replace("\r\n", "\n"), key.public().to_spki_pem().unwrap());
    assert_eq!((found.not_before, found.not_after), (NOW, datetime!(2032-01-15 10:00 +8)));
    assert_eq!(found.fingerprint, hex::encode(&sm3(&[&key.public().point()])[..16]));
}

/// Every value is under the signature, and none can move into another's place.
#[test]
fn no_value_can_be_altered() {
    let known = gmt_key();
    let signer = Engine::Native.signer(&known, DEFAULT_USER_ID).unwrap();
    let verifier = Engine::Reference.verifier(known.public(), DEFAULT_USER_ID).unwrap();
    let whole = announced(1);
    let signature = whole.signed(&*signer, &mut SeededRng::new(2)).unwrap();
    assert_eq!(whole.check(&*verifier, &signature), Ok(()));
    let alter: [fn(&mut Announcement) -> &mut String; 7] = [
        |one| &mut one.sender,
        |one| &mut one.receiver,
        |one| &mut one.usage,
        |one| &mut one.serial,
        |one| &mut one.key,
        |one| &mut one.from,
        |one| &mut one.to,
    ];
    for value in alter {
        let mut other = whole.clone();
        value(&mut other).push('0');
        assert_eq!(other.check(&*verifier, &signature), Err(Flaw::Signature), "{other:?}");
    }
    let stranger = PrivateKey::generate(&mut SeededRng::new(3)).unwrap();
    let other = Engine::Native.signer(&stranger, DEFAULT_USER_ID).unwrap();
    for wrong in [
        whole.signed(&*other, &mut SeededRng::new(4)).unwrap(),
        String::new(),
        "AAAA".to_owned(),
    ] {
        assert_eq!(whole.check(&*verifier, &wrong), Err(Flaw::Signature), "{wrong}");
    }
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let cases: [Spoiled; 7] = [
        (|one| one.usage = "MAC".to_owned(), Flaw::Usage),
        (|one| one.key = "AAAA".to_owned(), Flaw::Key),
        (|one| one.key.replace_range(90..94, "AAAA"), Flaw::Key),
        (|one| one.from = "2030-01-15".to_owned(), Flaw::Validity),
        (|one| one.to.clone_from(&one.from), Flaw::Validity),
        (|one| one.from = "2033-01-01T00:00:00".to_owned(), Flaw::Validity),
        (
            |one| (one.from, one.to) = ("2028-01-01T00:00:00".to_owned(), "2030-01-15T10:00:00".to_owned()),
            Flaw::Expired,
        ),
    ];
    for (nth, (spoil, flaw)) in cases.into_iter().enumerate() {
        let mut one = announced(1);
        spoil(&mut one);
        assert_eq!(one.key(NOW).unwrap_err(), flaw, "{nth}");
    }
}
