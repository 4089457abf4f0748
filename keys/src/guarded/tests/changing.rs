//! What a change may do: the life of a key, officers who stay able to act, trust anchors.

use super::*;

/// The life of design and documents, and nothing else.
#[test]
fn statuses_go_step_by_step_and_back_until_retired() {
    let allowed = [
        (Status::Accepted, Status::Pending),
        (Status::Primary, Status::Accepted),
        (Status::Draining, Status::Primary),
        (Status::Pending, Status::Accepted),
        (Status::Accepted, Status::Primary),
        (Status::Primary, Status::Draining),
        (Status::Draining, Status::Retired),
        (Status::Pending, Status::Retired),
    ];
    for from in Status::ALL {
        for to in Status::ALL {
            let revokes = to == Status::Revoked && from != Status::Revoked;
            let expected = revokes || allowed.contains(&(from, to));
            assert_eq!(from.may_become(to), expected, "{from:?} {to:?}");
        }
    }
}

#[test]
fn a_promotion_and_its_draining_are_one_change() {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Primary, "1"));
    stage.add(signing(Status::Pending, "2"));
    let [old, new] = ["1", "2"].map(|serial| signing(Status::Pending, serial).id);
    let jump = stage.change(Change::Status(vec![step(&new, Status::Pending, Status::Primary)]));
    let (id, from, to) = (new.clone(), "pending", "primary");
    assert_eq!(refused(jump), Refusal::Transition { id, from, to });
    stage
        .change(Change::Status(vec![step(&new, Status::Pending, Status::Accepted)]))
        .unwrap();
    let stale = stage.change(Change::Status(vec![step(&new, Status::Pending, Status::Accepted)]));
    assert!(matches!(refused(stale), Refusal::Transition { from: "accepted", .. }));
    let second = stage.change(Change::Status(vec![step(&new, Status::Accepted, Status::Primary)]));
    assert!(matches!(refused(second), Refusal::SecondPrimary(..)));
    let both = vec![
        step(&new, Status::Accepted, Status::Primary),
        step(&old, Status::Primary, Status::Draining),
    ];
    stage.change(Change::Status(both)).unwrap();
    let keyring = stage.keyring().unwrap();
    assert_eq!(keyring.signer("centre", NOW).unwrap().info.serial, "2");
    assert!(keyring.signer_with("centre", "1", NOW).is_ok(), "it drains");
    let back = vec![
        step(&new, Status::Primary, Status::Accepted),
        step(&old, Status::Draining, Status::Primary),
    ];
    stage.change(Change::Status(back)).unwrap();
    assert_eq!(stage.keyring().unwrap().signer("centre", NOW).unwrap().info.serial, "1");
    let again = vec![
        step(&new, Status::Accepted, Status::Primary),
        step(&old, Status::Primary, Status::Draining),
    ];
    stage.change(Change::Status(again)).unwrap();
    stage
        .change(Change::Status(vec![step(&old, Status::Draining, Status::Revoked)]))
        .unwrap();
    assert!(stage.keyring().unwrap().signer_with("centre", "1", NOW).is_err());
    assert_eq!(refused(stage.change(Change::Status(Vec::new()))), Refusal::Nothing);
    let unknown = stage.change(Change::Status(vec![step("nobody", Status::Pending, Status::Accepted)]));
    assert_eq!(refused(unknown), Refusal::UnknownKey("nobody".to_owned()));
}

/// Two proposals that each could take effect, but not both: the second approval is refused, and nothing is written.
#[test]
fn a_proposal_that_no_longer_fits_takes_no_effect() {
    let mut stage = Stage::new(3);
    let first = stage.propose_key(signing(Status::Primary, "1"));
    let second = stage.propose_key(signing(Status::Primary, "2"));
    stage.agree(first);
    stage.writer().approve(&stage.wang, second, NOW, &mut stage.rng).unwrap();
    let length = stage.state().length();
    let last = stage.writer().approve(&stage.chen, second, NOW, &mut stage.rng);
    assert!(matches!(refused(last), Refusal::SecondPrimary(..)));
    assert_eq!(stage.state().length(), length);
    assert_eq!(stage.state().keys().count(), 1);
}

#[test]
fn keys_are_refused_by_rule() {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Pending, "1"));
    let key = stage.fresh(signing(Status::Pending, "2"));
    let theirs = entry("centre", Side::Theirs, Usage::Sign, Status::Pending, "2");
    let with = |change: fn(&mut KeyChange)| {
        let mut key = key.change.clone();
        change(&mut key);
        key
    };
    let cases = [
        (with(|key| key.id = "../x".to_owned()), "needs an id"),
        (with(|key| key.status = "retired".to_owned()), "starts as"),
        (with(|key| key.status = "sleeping".to_owned()), "has the status sleeping"),
        (with(|key| key.serial = "1".to_owned()), "has the serial 1"),
        (with(|key| key.fingerprint = "00".to_owned()), "has a fingerprint"),
        (with(|key| key.material.public = None), "needs a public"),
        (with(|key| key.material.wrapped = None), "needs a public"),
        (with(|key| key.algorithm = "sm4-gcm".to_owned()), ""),
        (with(|key| key.side = "theirs".to_owned()), "needs a public"),
        (
            with(|key| key.not_after = Stamp::new(NOW - Duration::days(900))),
            "ends its validity",
        ),
    ];
    for (key, expected) in cases {
        let refusal = refused(stage.propose(Change::Key(Box::new(key))));
        let Refusal::Key { rule, .. } = &refusal else {
            panic!("{refusal}")
        };
        assert!(rule.starts_with(expected), "{rule}");
    }
    // The same public key is welcome as the counterparty's.
    let public = key.change.material.public.clone().unwrap();
    let mut rng = SeededRng::new(71);
    let encoding = crate::store::Encoding::Hex;
    let theirs = import(&stage.state(), &stage.master, &theirs, &public, encoding, &mut rng).unwrap();
    stage
        .writer()
        .propose_key(&stage.li, &theirs, terms(), &mut stage.rng)
        .unwrap();
}

#[test]
fn validity_is_changed_within_reason() {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Primary, "1"));
    let id = signing(Status::Primary, "1").id;
    let set = |days| Change::Validity {
        id: id.clone(),
        not_before: Stamp::new(NOW - Duration::days(2)),
        not_after: Stamp::new(NOW + Duration::days(days)),
    };
    assert!(matches!(refused(stage.change(set(-3))), Refusal::Key { .. }));
    stage.change(set(-1)).unwrap();
    assert!(stage.keyring().unwrap().signer("centre", NOW).is_err(), "expired");
    stage.change(set(1)).unwrap();
    assert!(stage.keyring().unwrap().signer("centre", NOW).is_ok());
}

#[test]
fn officers_stay_able_to_act_and_unable_alone() {
    let mut stage = Stage::new(3);
    let named = |name: &str| Named { name: name.to_owned() };
    for threshold in [0, 1, 4] {
        assert!(
            matches!(refused(stage.change(Change::Threshold(threshold))), Refusal::Officers(_)),
            "{threshold}"
        );
    }
    // Li and Wang propose; with three signatures each needs both other approvers.
    assert!(matches!(
        refused(stage.change(Change::OfficerRemoved(named("chen")))),
        Refusal::Officers(_)
    ));
    let unknown = stage.change(Change::OfficerRemoved(named("sun")));
    assert_eq!(refused(unknown), Refusal::UnknownOfficer("sun".to_owned()));
    let sun = OfficerKey::generate("sun", &mut stage.rng).unwrap();
    for wrong in [&[][..], &[Role::Auditor, Role::Approver], &[Role::Operator, Role::Custodian]] {
        let refusal = refused(stage.change(Change::Officer(sun.officer(roles(wrong)))));
        assert!(matches!(refusal, Refusal::Officers(_)), "{wrong:?}");
    }
    let twin = Officer {
        name: "twin".to_owned(),
        ..stage.wang.officer(roles(&[Role::Approver]))
    };
    assert!(matches!(refused(stage.change(Change::Officer(twin))), Refusal::Officers(_)));
    stage.change(Change::Officer(sun.officer(roles(&[Role::Approver])))).unwrap();
    stage.change(Change::OfficerRemoved(named("chen"))).unwrap();
    let number = stage.propose(Change::Threshold(2)).unwrap();
    let gone = stage.writer().approve(&stage.chen, number, NOW, &mut stage.rng);
    assert_eq!(refused(gone), Refusal::UnknownOfficer("chen".to_owned()));
    stage.writer().approve(&sun, number, NOW, &mut stage.rng).unwrap();
}

#[test]
fn trust_anchors_come_and_go() {
    let mut stage = Stage::new(3);
    let certificate = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(ROOT)).unwrap();
    let anchor = |certificate: &str| {
        Change::Anchor(Anchor {
            name: "root".to_owned(),
            certificate: certificate.to_owned(),
        })
    };
    assert!(matches!(refused(stage.change(anchor("none"))), Refusal::Anchor(_)));
    stage.change(anchor(&certificate)).unwrap();
    assert!(matches!(refused(stage.change(anchor(&certificate))), Refusal::Anchor(_)));
    assert_eq!(
        stage.state().anchors().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(),
        ["root"]
    );
    let name = "root".to_owned();
    stage.change(Change::AnchorRemoved(Named { name })).unwrap();
    assert_eq!(stage.state().anchors().count(), 0);
}

const ROOT: &str = "testdata/legacy/alipay-root.cert.pem";
