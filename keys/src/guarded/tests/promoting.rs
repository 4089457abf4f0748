//! Promotions at an instant that officers sign: known before it comes, one primary at any moment, back until retired.

use super::*;
use crate::store::{Applied, Change as StatusChange, Changes};
use std::cell::RefCell;
use time::OffsetDateTime;

const LEAD: Duration = Duration::hours(1);

fn to(id: &str, status: Status, primary_from: Option<OffsetDateTime>) -> StatusChange {
    StatusChange {
        id: id.to_owned(),
        status,
        primary_from,
    }
}

fn number(proposal: &str) -> u64 {
    proposal.parse().unwrap()
}

/// A key in use and an accepted one.
fn two_keys() -> (Stage, String, String) {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Primary, "1"));
    stage.add(signing(Status::Accepted, "2"));
    let [old, new] = ["1", "2"].map(|serial| signing(Status::Pending, serial).id);
    (stage, old, new)
}

impl Stage {
    /// As `hangu key rotate` proposes it.
    fn plan(&mut self, change: &StatusChange) -> Result<u64, GuardedError> {
        let head = self.state().head().to_owned();
        let proposing = Proposing {
            folder: &self.folder(),
            officer: &self.li,
            terms: terms(),
            head: &head,
            rng: RefCell::new(&mut self.rng),
        };
        match proposing.apply(std::slice::from_ref(change))? {
            Applied::Proposed { proposal } => Ok(number(&proposal)),
            Applied::InForce { version } => unreachable!("in force by one officer: {version}"),
        }
    }

    fn rotate(&mut self, change: &StatusChange) -> Result<(), GuardedError> {
        let number = self.plan(change)?;
        self.agree(number);
        Ok(())
    }

    fn signer(&self, at: OffsetDateTime) -> String {
        self.keyring().unwrap().signer("centre", at).unwrap().info.serial.clone()
    }
}

#[test]
fn a_promotion_takes_effect_at_its_instant_and_goes_back_until_retired() {
    let (mut stage, old, new) = two_keys();
    let number = stage.plan(&to(&new, Status::Primary, Some(NOW + LEAD))).unwrap();
    assert_eq!(stage.signer(NOW + LEAD), "1", "one officer alone changes nothing");
    stage.agree(number);
    assert_eq!(stage.signer(NOW + LEAD - Duration::SECOND), "1");
    assert_eq!(stage.signer(NOW + LEAD), "2");
    // What officers signed is what the keyring has, and it stands in the log.
    let text = String::from_utf8(stage.log_bytes()).unwrap();
    let instant = Stamp::new(NOW + LEAD).to_string();
    assert!(text.contains(&format!("primary_from\\\":\\\"{instant}")), "{text}");
    let back = to(&old, Status::Primary, Some(NOW + LEAD * 2));
    stage.rotate(&back).unwrap();
    assert_eq!(
        (stage.signer(NOW + LEAD), stage.signer(NOW + LEAD * 2)),
        ("2".to_owned(), "1".to_owned())
    );
    stage.rotate(&to(&new, Status::Draining, None)).unwrap();
    stage.rotate(&to(&new, Status::Primary, Some(NOW + LEAD * 3))).unwrap();
    stage.rotate(&to(&old, Status::Draining, None)).unwrap();
    assert_eq!(stage.signer(NOW + LEAD * 3), "2");
    stage.rotate(&to(&old, Status::Retired, None)).unwrap();
    let gone = stage.plan(&to(&old, Status::Primary, Some(NOW + LEAD * 4)));
    assert!(matches!(refused(gone), Refusal::Transition { from: "retired", .. }));
    let keyring = stage.keyring().unwrap();
    assert!(keyring.signer_with("centre", "1", NOW).is_err());
}

#[test]
fn a_promotion_that_has_not_come_is_taken_back() {
    let (mut stage, _, new) = two_keys();
    stage.rotate(&to(&new, Status::Primary, Some(NOW + LEAD))).unwrap();
    stage.rotate(&to(&new, Status::Accepted, None)).unwrap();
    assert_eq!(stage.signer(NOW + LEAD * 2), "1");
    assert_eq!(stage.state().key(&new).unwrap().entry.primary_from, None);
}

/// An instant that not every instance could learn of in time is nobody's instant.
#[test]
fn an_instant_that_has_passed_takes_no_effect() {
    let (mut stage, _, new) = two_keys();
    for late in [NOW, NOW + Duration::seconds(2)] {
        let passed = stage.plan(&to(&new, Status::Primary, Some(late)));
        assert!(matches!(refused(passed), Refusal::Passed(_)));
    }
    let number = stage.plan(&to(&new, Status::Primary, Some(NOW + LEAD))).unwrap();
    stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    let length = stage.state().length();
    let late = stage.writer().approve(&stage.chen, number, NOW + LEAD, &mut stage.rng);
    assert!(matches!(refused(late), Refusal::Passed(_)));
    assert_eq!(stage.state().length(), length);
    let about = |now| stage.state().open_about(("centre", Side::Ours, Usage::Sign), now).count();
    assert_eq!(
        (about(NOW), about(NOW + LEAD)),
        (1, 0),
        "a dead proposal keeps no rotation waiting"
    );
}

#[test]
fn at_any_instant_one_key_is_primary() {
    let (mut stage, old, new) = two_keys();
    stage.rotate(&to(&new, Status::Primary, Some(NOW + LEAD))).unwrap();
    for at in [Some(NOW + LEAD), Some(NOW + LEAD / 2)] {
        let second = stage.plan(&to(&old, Status::Primary, at));
        assert!(matches!(refused(second), Refusal::SecondPrimary(..)), "{at:?}");
    }
    let third = stage.fresh(signing(Status::Primary, "3"));
    let third = stage.writer().propose_key(&stage.li, &third, terms(), &mut stage.rng);
    assert!(matches!(refused(third), Refusal::SecondPrimary(..)));
    let mut instant = step(&old, Status::Primary, Status::Draining);
    instant.primary_from = Some(Stamp::new(NOW + LEAD));
    assert!(matches!(
        refused(stage.change(Change::Status(vec![instant]))),
        Refusal::Key { .. }
    ));
}

#[test]
fn what_was_planned_over_another_state_is_planned_anew() {
    let (mut stage, _, new) = two_keys();
    let stale = stage.state().head().to_owned();
    stage.rotate(&to(&new, Status::Pending, None)).unwrap();
    let proposing = Proposing {
        folder: &stage.folder(),
        officer: &stage.li,
        terms: terms(),
        head: &stale,
        rng: RefCell::new(&mut stage.rng),
    };
    assert_eq!(
        refused(proposing.apply(&[to(&new, Status::Accepted, None)])),
        Refusal::Follows
    );
}
