//! Every stage with what it waits for, forwards and back.

use super::{Instance, Measured, Plan, Proposed, Situation, Stage, Wait, plan};
use crate::algorithm::Algorithm;
use crate::key::{KeyInfo, Side, Status, Usage};
use std::collections::{BTreeMap, BTreeSet};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
const QUIET: Duration = Duration::minutes(10);
const LEAD: Duration = Duration::seconds(30);

fn key(serial: &str, status: Status, primary_from: Option<OffsetDateTime>) -> KeyInfo {
    KeyInfo {
        id: format!("k{serial}"),
        link: "centre".to_owned(),
        side: Side::Ours,
        usage: Usage::Sign,
        algorithm: Algorithm::Sm2,
        bits: None,
        status,
        serial: serial.to_owned(),
        primary_from,
        not_before: datetime!(2026-01-01 0:00 UTC),
        not_after: datetime!(2027-01-01 0:00 UTC),
        fingerprint: String::new(),
    }
}

fn instance(name: &str, version: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        version: version.to_owned(),
        counting_since: NOW - Duration::days(1),
    }
}

/// What one test says of the world; two instances are up to date unless it says otherwise.
struct World {
    keys: Vec<KeyInfo>,
    instances: Vec<Instance>,
    proposed: Vec<Proposed>,
    traffic: BTreeMap<String, Measured>,
    names_keys: bool,
    confirmed: Option<BTreeSet<String>>,
    now: OffsetDateTime,
}

impl World {
    fn of(keys: &[KeyInfo]) -> Self {
        Self {
            keys: keys.to_vec(),
            instances: vec![instance("one", "v"), instance("two", "v")],
            proposed: Vec::new(),
            traffic: BTreeMap::new(),
            names_keys: true,
            confirmed: None,
            now: NOW,
        }
    }

    fn seen(mut self, serial: &str, measured: Measured) -> Self {
        self.traffic.insert(serial.to_owned(), measured);
        self
    }

    fn plan(&self) -> Plan<'_> {
        plan(&Situation {
            keys: self.keys.iter().collect(),
            version: "v",
            instances: &self.instances,
            proposed: &self.proposed,
            traffic: &self.traffic,
            names_keys: self.names_keys,
            confirmed: self.confirmed.as_ref(),
            successor: None,
            quiet: QUIET,
            lead: LEAD,
            now: self.now,
        })
    }
}

/// The statuses that a plan's steps lead to.
fn steps(plan: &Plan<'_>) -> [Option<(String, Status)>; 2] {
    [&plan.forward, &plan.back].map(|change| change.as_ref().map(|change| (change.id.clone(), change.status)))
}

#[test]
fn a_rotation_goes_through_its_stages() {
    let (old, at) = (key("1", Status::Primary, None), NOW + LEAD);
    let world = World::of(std::slice::from_ref(&old));
    assert_eq!(
        (world.plan().stage, world.plan().waits),
        (Stage::Prepare, vec![Wait::Successor])
    );

    let world = World::of(&[old.clone(), key("2", Status::Pending, None)]);
    let pending = world.plan();
    assert_eq!((pending.stage, &pending.waits), (Stage::Distribute, &vec![]));
    assert_eq!(
        steps(&pending),
        [Some(("k2".into(), Status::Accepted)), Some(("k2".into(), Status::Retired))]
    );

    let world = World::of(&[old.clone(), key("2", Status::Accepted, None)]);
    let accepted = world.plan();
    assert_eq!((accepted.stage, &accepted.waits), (Stage::Accept, &vec![]));
    assert_eq!(
        steps(&accepted),
        [Some(("k2".into(), Status::Primary)), Some(("k2".into(), Status::Pending))]
    );
    assert_eq!(accepted.forward.unwrap().primary_from, Some(at));

    let mut world = World::of(&[old, key("2", Status::Primary, Some(at))]);
    let ahead = world.plan();
    assert_eq!((ahead.stage, &ahead.waits), (Stage::Promote, &vec![Wait::Until(at)]));
    assert_eq!(
        ahead.back.unwrap().status,
        Status::Accepted,
        "what has not come is taken back"
    );
    world.now = at;
    let come = world.plan();
    assert_eq!((come.stage, &come.waits), (Stage::Promote, &vec![]));
    assert_eq!(
        steps(&come),
        [Some(("k1".into(), Status::Draining)), Some(("k1".into(), Status::Primary))]
    );
    assert!(
        come.back.unwrap().primary_from > Some(at),
        "a rollback is a promotion of its own"
    );
}

#[test]
fn a_key_is_retired_when_it_was_quiet_for_long_enough() {
    let keys = [
        key("1", Status::Draining, None),
        key("2", Status::Primary, Some(NOW - Duration::hours(1))),
    ];
    let measured = |ago: Duration, open| Measured {
        received: 5,
        sent: 7,
        last_seen: Some(NOW - ago),
        open,
    };
    let waits = |measured| World::of(&keys).seen("1", measured).plan().waits;
    assert_eq!(waits(measured(QUIET, Some(0))), []);
    let left = Duration::minutes(4);
    let since = NOW - Duration::minutes(6);
    let serial = || "1".to_owned();
    assert_eq!(
        waits(measured(Duration::minutes(6), Some(0))),
        [Wait::Quiet {
            serial: serial(),
            since,
            left
        }]
    );
    assert_eq!(
        waits(measured(QUIET, Some(3))),
        [Wait::Open {
            serial: serial(),
            count: 3
        }]
    );
    assert_eq!(waits(measured(QUIET, None)), [Wait::Uncounted { serial: serial() }]);
    // A key that nobody saw may have been used before counting began.
    let mut young = World::of(&keys).seen(
        "1",
        Measured {
            open: Some(0),
            ..Measured::default()
        },
    );
    young.instances[0].counting_since = NOW - Duration::minutes(1);
    assert!(matches!(young.plan().waits[..], [Wait::Quiet { .. }]));
    let retired = World::of(&keys).seen("1", measured(QUIET, Some(0)));
    let plan = retired.plan();
    assert_eq!(
        steps(&plan),
        [Some(("k1".into(), Status::Retired)), Some(("k1".into(), Status::Primary))]
    );
}

#[test]
fn nothing_goes_on_while_an_instance_is_behind() {
    let stages = [
        vec![key("1", Status::Primary, None), key("2", Status::Pending, None)],
        vec![key("1", Status::Primary, None), key("2", Status::Accepted, None)],
        vec![key("1", Status::Primary, None), key("2", Status::Primary, Some(NOW))],
        vec![key("1", Status::Draining, None), key("2", Status::Primary, Some(NOW))],
    ];
    for keys in stages {
        let quiet = Measured {
            open: Some(0),
            ..Measured::default()
        };
        let mut world = World::of(&keys).seen("1", quiet);
        assert_eq!(world.plan().waits, [], "{:?}", world.plan().stage);
        world.instances[1].version = "older".to_owned();
        assert_eq!(world.plan().waits, [Wait::Behind(vec!["two".to_owned()])]);
        world.instances.clear();
        assert_eq!(world.plan().waits, [Wait::NoInstance]);
    }
}

#[test]
fn the_counterparty_shows_that_it_uses_its_key() {
    for (side, usage) in [(Side::Theirs, Usage::Sign), (Side::Ours, Usage::Seal)] {
        let filed = |info: KeyInfo| KeyInfo { side, usage, ..info };
        let keys = [
            filed(key("1", Status::Primary, None)),
            filed(key("2", Status::Accepted, None)),
        ];
        let serial = "2".to_owned();
        assert_eq!(World::of(&keys).plan().waits, [Wait::Unused { serial }]);
        let used = Measured {
            received: 1,
            ..Measured::default()
        };
        assert_eq!(World::of(&keys).seen("2", used).plan().waits, []);
    }
}

#[test]
fn two_keys_do_not_work_where_messages_name_none() {
    let shelves = [
        (Side::Theirs, Usage::Sign, true),
        (Side::Shared, Usage::Mac, true),
        (Side::Shared, Usage::Seal, true),
        (Side::Ours, Usage::Sign, false),
    ];
    for (side, usage, waits) in shelves {
        let filed = |info: KeyInfo| KeyInfo { side, usage, ..info };
        let mut world = World::of(&[filed(key("1", Status::Primary, None)), filed(key("2", Status::Pending, None))]);
        world.names_keys = false;
        assert_eq!(world.plan().waits == [Wait::Unnamed], waits, "{side:?} {usage:?}");
    }
}

#[test]
fn what_is_not_clear_waits() {
    assert_eq!(World::of(&[]).plan().waits, [Wait::NoPrimary]);
    let keys = [
        key("1", Status::Primary, None),
        key("2", Status::Accepted, None),
        key("3", Status::Accepted, None),
    ];
    let world = World::of(&keys);
    assert_eq!(world.plan().waits, [Wait::Several(vec!["2".to_owned(), "3".to_owned()])]);
    assert_eq!(steps(&world.plan()), [None, None]);
    let situation = Situation {
        proposed: &[],
        keys: world.keys.iter().collect(),
        version: "v",
        instances: &world.instances,
        traffic: &world.traffic,
        names_keys: true,
        confirmed: None,
        successor: Some("3"),
        quiet: QUIET,
        lead: LEAD,
        now: NOW,
    };
    assert_eq!(plan(&situation).successor.map(|info| info.serial.as_str()), Some("3"));
}

#[test]
fn no_step_goes_beside_a_proposal() {
    let mut world = World::of(&[key("1", Status::Primary, None), key("2", Status::Pending, None)]);
    assert_eq!(world.plan().waits, []);
    world.proposed = vec![Proposed { number: 7, needed: 1 }];
    assert_eq!(world.plan().waits, [Wait::Approval(Proposed { number: 7, needed: 1 })]);
    assert_eq!(world.plan().stage, Stage::Distribute);
}

/// Where the counterparty is told by message its word is waited for: of this very key, and of ours alone.
#[test]
fn a_key_that_is_announced_waits_for_its_answer() {
    let announced = |serial: &str, status| KeyInfo {
        fingerprint: format!("print of {serial}"),
        ..key(serial, status, None)
    };
    let unconfirmed = Wait::Unconfirmed { serial: "2".to_owned() };
    let keys = [announced("1", Status::Primary), announced("2", Status::Pending)];
    let mut world = World::of(&keys);
    for (confirmed, waits) in [
        (None, vec![]),
        (Some("print of 1"), vec![unconfirmed.clone()]),
        (Some("print of 2"), vec![]),
    ] {
        world.confirmed = confirmed.map(|print| BTreeSet::from([print.to_owned()]));
        assert_eq!(world.plan().waits, waits, "{confirmed:?}");
    }
    world.confirmed = Some(BTreeSet::new());
    for info in &mut world.keys {
        info.side = Side::Theirs;
    }
    assert!(world.plan().waits.is_empty());
}
