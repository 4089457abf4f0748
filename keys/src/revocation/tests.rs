#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use super::*;
use crate::testing::{OpenSsl, altered, revoking};

fn certificate(openssl: &OpenSsl, name: &str) -> Certificate {
    Certificate::from_pem(&openssl.text(&format!("{name}.pem"))).unwrap()
}

#[test]
fn lists_of_openssl_say_who_is_revoked() {
    for algorithm in ["sm2", "rsa"] {
        let openssl = revoking(algorithm);
        let list = RevocationList::from_bytes(&openssl.read("root.crl")).unwrap();
        let [root, bad, good] = ["root", "bad", "good"].map(|name| certificate(&openssl, name));
        list.check_issued_by(&root).unwrap();
        assert!(list.revokes(&bad) && !list.revokes(&good) && !list.revokes(&root));
        let days = (list.next_update().unwrap().unwrap() - list.this_update().unwrap()).whole_days();
        assert_eq!(days, 9);
        openssl.must("crl -in root.crl -outform DER -out root.der");
        assert!(RevocationList::from_bytes(&openssl.read("root.der")).unwrap().revokes(&bad));
        assert!(list.check_issued_by(&good).is_err(), "another name");
        let other = certificate(&revoking(algorithm), "root");
        assert!(list.check_issued_by(&other).is_err(), "another key under the same name");
        assert!(!list.revokes(&other));
    }
}

#[test]
fn an_authority_that_may_not_sign_lists_does_not() {
    let openssl = revoking("sm2");
    openssl.issue(
        "root",
        None,
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n",
        "-days 365",
    );
    let list = RevocationList::from_bytes(&openssl.read("root.crl")).unwrap();
    assert_eq!(
        list.check_issued_by(&certificate(&openssl, "root")),
        Err(CryptoError::Signature)
    );
}

#[test]
fn changes_to_another_list_are_not_understood() {
    let openssl = revoking("rsa");
    for extension in ["2.5.29.27=critical,DER:020101", "2.5.29.28=critical,DER:30038401FF"] {
        let settings = openssl.text("ca.cnf");
        openssl.write(
            "delta.cnf",
            format!("{settings}crl_extensions=e\n[e]\n{extension}\n").as_bytes(),
        );
        openssl.must("ca -config delta.cnf -keyfile root.key -cert root.pem -gencrl -out delta.crl");
        assert!(RevocationList::from_bytes(&openssl.read("delta.crl")).is_err(), "{extension}");
    }
}

#[test]
fn altered_lists_are_refused_without_a_panic() {
    let openssl = revoking("sm2");
    openssl.must("crl -in root.crl -outform DER -out root.der");
    let (der, root, bad) = (
        openssl.read("root.der"),
        certificate(&openssl, "root"),
        certificate(&openssl, "bad"),
    );
    for altered in altered(&der, 52, 3000).filter(|altered| *altered != der) {
        let Ok(list) = RevocationList::from_bytes(&altered) else {
            continue;
        };
        assert!(list.check_issued_by(&root).is_err());
        let _ = list.revokes(&bad);
    }
}
