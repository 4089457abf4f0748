//! Whose signature counts, for what, and until when.

use super::super::change::write;
use super::*;

#[test]
fn a_change_takes_effect_when_enough_have_signed() {
    let mut stage = Stage::new(3);
    let number = stage.propose_key(signing(Status::Primary, "1"));
    assert_eq!(stage.state().open().count(), 1);
    stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    assert_eq!(stage.state().keys().count(), 0, "two of three");
    assert!(stage.keyring().unwrap().signer("centre", NOW).is_err());
    stage.writer().approve(&stage.chen, number, NOW, &mut stage.rng).unwrap();
    let keyring = stage.keyring().unwrap();
    assert_eq!(keyring.signer("centre", NOW).unwrap().info.serial, "1");
    let state = stage.state();
    assert_eq!((state.open().count(), state.ending(number)), (0, Some(Ending::Applied)));
}

#[test]
fn approvals_that_do_not_count_are_told_apart() {
    let mut stage = Stage::new(3);
    let number = stage.propose_key(signing(Status::Pending, "1"));
    let other = stage.propose_key(signing(Status::Pending, "2"));
    let (state, rng) = (stage.state(), &mut stage.rng);
    let carry = |statement: &Statement, days| {
        let mut writer = Writer::open(&stage.place.path().join("store"), &FileDisk).unwrap();
        writer.carry(statement, NOW + Duration::days(days))
    };
    let mut approval = |key: &OfficerKey, number| Statement::approval(&state, key, number, NOW, rng).unwrap();

    let own = approval(&stage.li, number);
    assert_eq!(refused(carry(&own, 0)), Refusal::SelfApproval("li".to_owned()));
    let watching = approval(&stage.zhao, number);
    let (officer, role) = ("zhao".to_owned(), Role::Approver);
    assert_eq!(refused(carry(&watching, 0)), Refusal::Role { officer, role });

    let good = approval(&stage.wang, number);
    let mut altered = good.clone();
    altered.content = altered
        .content
        .replace(&format!("\"proposal\":{number}"), &format!("\"proposal\":{other}"));
    assert_ne!(altered, good);
    assert_eq!(refused(carry(&altered, 0)), Refusal::Signature("wang".to_owned()));
    let mut renamed = good.clone();
    renamed.kind = Kind::Withdrawal;
    assert_eq!(refused(carry(&renamed, 0)), Refusal::Signature("wang".to_owned()));
    let mut unsigned = good.clone();
    unsigned.signatures.clear();
    assert_eq!(refused(carry(&unsigned, 0)), Refusal::Signers("wang".to_owned()));
    let mut blank = good.clone();
    blank.content.push(' ');
    assert!(matches!(refused(carry(&blank, 0)), Refusal::Form(_)));

    let at = (NOW + Duration::days(7)).date().to_string();
    let late = refused(carry(&good, 8));
    assert!(matches!(&late, Refusal::Expired { number: found, at: found_at } if *found == number && found_at.starts_with(&at)));

    carry(&good, 0).unwrap();
    let officer = "wang".to_owned();
    assert_eq!(refused(carry(&good, 0)), Refusal::Duplicate { officer, number });
    let again = approval(&stage.wang, number);
    assert!(matches!(refused(carry(&again, 0)), Refusal::Duplicate { .. }));
    carry(&approval(&stage.chen, number), 0).unwrap();
    let ending = Ending::Applied.name();
    assert_eq!(refused(carry(&good, 0)), Refusal::Closed { number, ending });
}

#[test]
fn an_approval_is_of_one_content_in_one_store_by_a_known_officer() {
    let mut stage = Stage::new(3);
    let number = stage.propose_key(signing(Status::Pending, "1"));
    let other = stage.propose_key(signing(Status::Pending, "2"));
    let state = stage.state();
    let verdict = |store: &str, officer: &str, proposal, of: u64| {
        let hash = state.proposal(of).unwrap().hash.clone();
        let (store, officer, at) = (store.to_owned(), officer.to_owned(), Stamp::new(NOW));
        write(&Verdict {
            store,
            officer,
            proposal,
            hash,
            at,
        })
        .unwrap()
    };
    let stranger = OfficerKey::generate("sun", &mut stage.rng).unwrap();
    let impostor = OfficerKey::generate("wang", &mut stage.rng).unwrap();
    let cases = [
        (
            &stage.wang,
            verdict(state.store(), "wang", number, other),
            Refusal::Altered(number),
        ),
        (&stage.wang, verdict("another", "wang", number, number), Refusal::OtherStore),
        (
            &stage.wang,
            verdict(state.store(), "wang", 99, number),
            Refusal::UnknownProposal(99),
        ),
        (
            &stage.wang,
            verdict(state.store(), "wang", 0, number),
            Refusal::UnknownProposal(0),
        ),
        (
            &stage.wang,
            verdict(state.store(), "chen", number, number),
            Refusal::Signers("chen".to_owned()),
        ),
        (
            &stranger,
            verdict(state.store(), "sun", number, number),
            Refusal::UnknownOfficer("sun".to_owned()),
        ),
        (
            &impostor,
            verdict(state.store(), "wang", number, number),
            Refusal::Signature("wang".to_owned()),
        ),
    ];
    for (key, content, expected) in cases {
        let statement = Statement::signed(Kind::Approval, content, key, &mut stage.rng).unwrap();
        assert_eq!(refused(stage.writer().carry(&statement, NOW)), expected);
    }
    assert_eq!(stage.state().length(), state.length(), "nothing was written");
}

#[test]
fn only_custodians_propose_and_not_for_ever() {
    let mut stage = Stage::new(3);
    for (key, name) in [(&stage.chen, "chen"), (&stage.zhao, "zhao")] {
        let outcome = stage.writer().propose(key, Change::Threshold(2), terms(), &mut stage.rng);
        let (officer, role) = (name.to_owned(), Role::Custodian);
        assert_eq!(refused(outcome), Refusal::Role { officer, role });
    }
    let expires = NOW + Duration::days(31);
    let outcome = stage
        .writer()
        .propose(&stage.li, Change::Threshold(2), Terms { now: NOW, expires }, &mut stage.rng);
    assert_eq!(refused(outcome), Refusal::OpenTooLong(30));
}

/// A proposal that was signed over one state of the log counts in no other.
#[test]
fn a_proposal_is_not_replayed() {
    let mut stage = Stage::new(3);
    let number = stage.propose(Change::Threshold(2)).unwrap();
    let (log, _) = read(&stage.folder()).unwrap();
    let record = &log.records()[usize::try_from(number).unwrap()];
    let statement = Statement {
        kind: record.kind,
        content: record.content.clone(),
        signatures: record.signatures.clone(),
    };
    assert_eq!(refused(stage.writer().carry(&statement, NOW)), Refusal::Follows);
    // Neither does it count in a store of the same officers, whose log starts otherwise.
    stage.place = tempfile::tempdir().unwrap();
    stage.found(3, &FileDisk).unwrap();
    assert_eq!(refused(stage.writer().carry(&statement, NOW)), Refusal::OtherStore);
}

#[test]
fn a_proposal_is_taken_back_or_turned_down() {
    let mut stage = Stage::new(3);
    let [first, second] = [(); 2].map(|()| stage.propose(Change::Threshold(2)).unwrap());
    let watching = stage.writer().withdraw(&stage.zhao, first, NOW, &mut stage.rng);
    assert!(matches!(refused(watching), Refusal::Role { .. }));
    stage.writer().withdraw(&stage.li, first, NOW, &mut stage.rng).unwrap();
    stage.writer().withdraw(&stage.chen, second, NOW, &mut stage.rng).unwrap();
    for number in [first, second] {
        let late = stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng);
        let ending = Ending::Withdrawn.name();
        assert_eq!(refused(late), Refusal::Closed { number, ending });
    }
}

/// What was signed under other officers or another threshold is worth nothing.
#[test]
fn other_officers_close_what_is_open() {
    let mut stage = Stage::new(3);
    let number = stage.propose_key(signing(Status::Pending, "1"));
    stage.change(Change::Threshold(2)).unwrap();
    let late = stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng);
    let ending = Ending::Void.name();
    assert_eq!(refused(late), Refusal::Closed { number, ending });
    let next = stage.propose_key(signing(Status::Pending, "1"));
    stage.writer().approve(&stage.wang, next, NOW, &mut stage.rng).unwrap();
    assert_eq!(stage.state().keys().count(), 1, "two are enough");
}
