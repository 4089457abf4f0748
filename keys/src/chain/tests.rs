#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::testing::{AUTHORITY as ROOT, OpenSsl, altered};

const SIGN: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n";
const SEAL: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,keyEncipherment,dataEncipherment\n";

fn read(openssl: &OpenSsl, name: &str) -> Certificate {
    Certificate::from_pem(&openssl.text(&format!("{name}.pem"))).unwrap()
}

/// root > middle > leaf, in one algorithm.
fn three(algorithm: &str, middle: &str) -> (OpenSsl, [Certificate; 3]) {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, algorithm, ROOT);
    openssl.certificate("middle", Some("root"), algorithm, middle);
    openssl.certificate("leaf", Some("middle"), algorithm, SIGN);
    let all = ["leaf", "middle", "root"].map(|name| read(&openssl, name));
    (openssl, all)
}

#[test]
fn a_chain_leads_to_an_anchor_by_sm2_and_by_rsa() {
    for algorithm in ["sm2", "rsa"] {
        let (_, [leaf, middle, root]) = three(algorithm, ROOT);
        let anchors = [root.clone()];
        let chain = Chain::build(&leaf, &[root.clone(), middle.clone()], &anchors).unwrap();
        assert_eq!(chain.members().len(), 3);
        assert_eq!(chain.issued().count(), 2);
        let (from, to) = chain.validity().unwrap();
        assert!(from <= to && to <= root.not_after().unwrap());
        check_usage(&leaf, Usage::Sign).unwrap();
        assert!(matches!(check_usage(&leaf, Usage::Seal), Err(ChainError::Usage(_))));
        assert!(
            matches!(Chain::build(&leaf, &[], &anchors), Err(ChainError::NoAnchor(_))),
            "the middle one is missing"
        );
        assert!(
            matches!(
                Chain::build(&leaf, &[middle.clone(), root], &[]),
                Err(ChainError::NoAnchor(_))
            ),
            "nobody is trusted"
        );
        assert_eq!(
            Chain::build(&leaf, &[], &[middle]).unwrap().members().len(),
            2,
            "an anchor need not be a root"
        );
        assert_eq!(
            Chain::build(&leaf, &[], std::slice::from_ref(&leaf)).unwrap().members().len(),
            1,
            "a pinned certificate"
        );
    }
}

#[test]
fn double_certificates_are_told_apart_by_their_usage() {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, "sm2", ROOT);
    openssl.certificate("seal", Some("root"), "sm2", SEAL);
    let seal = read(&openssl, "seal");
    check_usage(&seal, Usage::Seal).unwrap();
    assert!(matches!(check_usage(&seal, Usage::Sign), Err(ChainError::Usage(_))));
}

#[test]
fn issuers_must_be_authorities() {
    let cases = [
        ("basicConstraints=CA:FALSE\n", "no authority"),
        ("keyUsage=keyCertSign\n", "no basic constraints"),
        (
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n",
            "may not sign certificates",
        ),
        (
            "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:a.cn\n",
            "not understood",
        ),
    ];
    for (middle, why) in cases {
        let (_, [leaf, middle, root]) = three("sm2", middle);
        let refused = Chain::build(&leaf, &[middle], &[root]).err();
        let is_refused = matches!(refused, Some(ChainError::NoAuthority(_) | ChainError::Extension(_)));
        assert!(is_refused, "{why}: {refused:?}");
    }
}

#[test]
fn a_path_is_no_longer_than_its_authority_allows() {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, "sm2", "basicConstraints=critical,CA:TRUE,pathlen:0\n");
    openssl.certificate("middle", Some("root"), "sm2", ROOT);
    openssl.certificate("leaf", Some("middle"), "sm2", SIGN);
    openssl.certificate("near", Some("root"), "sm2", SIGN);
    let [root, middle, leaf, near] = ["root", "middle", "leaf", "near"].map(|name| read(&openssl, name));
    assert!(matches!(
        Chain::build(&leaf, &[middle], std::slice::from_ref(&root)),
        Err(ChainError::TooLong(_))
    ));
    assert!(Chain::build(&near, &[], &[root]).is_ok());
}

#[test]
fn another_authority_of_the_same_name_is_not_it() {
    let (_, [leaf, middle, _]) = three("sm2", ROOT);
    let (_, [_, _, other]) = three("sm2", ROOT);
    assert!(matches!(
        Chain::build(&leaf, &[middle], &[other]),
        Err(ChainError::NoAnchor(_))
    ));
}

#[test]
fn sha_1_and_validities_apart_are_refused() {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, "rsa", ROOT);
    openssl.must("req -new -newkey rsa:2048 -nodes -keyout old.key -subj /CN=old -out old.csr");
    openssl.must("x509 -req -in old.csr -CA root.pem -CAkey root.key -CAcreateserial -sha1 -days 9 -out old.pem");
    let root = read(&openssl, "root");
    let refused = Chain::build(&read(&openssl, "old"), &[], std::slice::from_ref(&root)).err();
    assert!(matches!(refused, Some(ChainError::WeakSignature(_))), "{refused:?}");
    openssl.must("x509 -req -in old.csr -CA root.pem -CAkey root.key -CAcreateserial -sha256 -days -1 -out old.pem");
    let refused = Chain::build(&read(&openssl, "old"), &[], &[root]).err();
    assert_eq!(refused, Some(ChainError::Validity));
}

/// CFCA's test authority and a certificate of it, which its toolkit made (`intake/tests.rs` has the key).
#[test]
fn certificates_of_cfca_lead_to_its_test_authority() {
    let authority = Certificate::from_pem(crate::intake::CFCA_TEST_AUTHORITY).unwrap();
    let leaf = Certificate::from_pem(&crate::intake::cfca_test().certificates).unwrap();
    let chain = Chain::build(&leaf, &[], &[authority]).unwrap();
    assert_eq!(chain.members().len(), 2);
    check_usage(&leaf, Usage::Sign).unwrap();
    assert!(check_usage(&leaf, Usage::Seal).is_err());
}

/// Any byte altered: no chain, and no panic.
#[test]
fn altered_certificates_lead_nowhere() {
    let (_, [leaf, middle, root]) = three("sm2", ROOT);
    let der = crate::pem::block(&leaf.to_pem(), "CERTIFICATE").unwrap();
    let (others, anchors) = ([middle], [root]);
    let mut read = 0;
    for altered in altered(&der, 51, 3000).filter(|altered| *altered != *der) {
        let Ok(certificate) = Certificate::from_der(&altered) else {
            continue;
        };
        read += 1;
        assert!(Chain::build(&certificate, &others, &anchors).is_err());
        let (usage, key) = (check_usage(&certificate, Usage::Sign), certificate.public_key().is_ok());
        assert!(!format!("{usage:?} {key} {}", certificate.serial_decimal()).is_empty());
    }
    assert!(read > 100, "{read}");
}
