//! What a change may do to the state. Each rule has its own refusal.

use super::change::{Anchor, Change, KeyChange, Officer, Role, Step};
use super::record::Stamp;
use super::refusal::Refusal;
use super::state::{Held, Member, State};
use crate::certificate::Certificate;
use crate::key::{KeyEntry, Side, Status};
use crate::keyring::Keyring;
use crate::sm2::Engine;
use crate::store::Held as Filed;
use crate::store::material;
use std::collections::BTreeSet;

impl State {
    pub(super) fn apply(&mut self, change: &Change, number: u64) -> Result<(), Refusal> {
        match change {
            Change::Key(key) => self.add_key(key, number),
            Change::Status(steps) => self.step(steps, number),
            Change::Validity {
                id,
                not_before,
                not_after,
            } => self.set_validity(id, *not_before, *not_after, number),
            Change::Officer(officer) => self.set_officer(officer),
            Change::OfficerRemoved(named) => self.remove_officer(&named.name),
            Change::Threshold(threshold) => self.set_threshold(*threshold),
            Change::Certificate(change) => self.certify(change, number),
            Change::Pair(pair) => self.add_pair(pair, number),
            Change::Master(change) => self.replace_master(change, number),
            Change::Anchor(anchor) => self.add_anchor(anchor),
            Change::AnchorRemoved(named) => match self.anchors.remove(&named.name) {
                Some(_) => Ok(()),
                None => Err(Refusal::Anchor(format!("{} is not there", named.name))),
            },
        }
    }

    pub(super) fn add_key(&mut self, key: &KeyChange, number: u64) -> Result<(), Refusal> {
        let entry = key.entry()?;
        let refuse = |rule: &str| Refusal::Key {
            id: entry.id.clone(),
            rule: rule.to_owned(),
        };
        if !is_name(&entry.id) {
            return Err(refuse(
                "needs an id of letters, digits, `-`, `_` and `.`: its file is named after it",
            ));
        }
        if !matches!(entry.status, Status::Pending | Status::Accepted | Status::Primary) {
            return Err(refuse("starts as pending, accepted or primary"));
        }
        if self.keys.contains_key(&entry.id) {
            return Err(refuse("is there already; an id names one key for ever"));
        }
        self.is_free(&entry)?;
        fits(key, &entry)?;
        self.counts(&entry, key.material.public.as_deref())?;
        let id = entry.id.clone();
        let held = Held {
            entry,
            fingerprint: key.fingerprint.clone(),
            material: key.material.clone(),
            changed_by: number,
        };
        self.keys.insert(id.clone(), held);
        self.is_last_primary(&id)
    }

    /// Whether no other key of the same place has the serial number.
    pub(super) fn is_free(&self, entry: &KeyEntry) -> Result<(), Refusal> {
        let is_same = |held: &&Held| held.entry.id != entry.id && held.entry.serial == entry.serial && is_neighbour(held, entry);
        match self.keys.values().find(is_same) {
            None => Ok(()),
            Some(held) => Err(Refusal::Key {
                id: entry.id.clone(),
                rule: format!("has the serial {} of key {}", entry.serial, held.entry.id),
            }),
        }
    }

    fn step(&mut self, steps: &[Step], number: u64) -> Result<(), Refusal> {
        if steps.is_empty() {
            return Err(Refusal::Nothing);
        }
        for step in steps {
            let held = self
                .keys
                .get_mut(&step.id)
                .ok_or_else(|| Refusal::UnknownKey(step.id.clone()))?;
            let from = held.entry.status;
            let refused = |to| Refusal::Transition {
                id: step.id.clone(),
                from: from.name(),
                to,
            };
            let to = Status::parse(&step.to).ok_or_else(|| refused("what there is not"))?;
            // A predecessor that takes its place again at an instant has not left it yet.
            let is_again = step.primary_from.is_some() && (from, to) == (Status::Primary, Status::Primary);
            if from.name() != step.from || !(from.may_become(to) || is_again) {
                return Err(refused(to.name()));
            }
            held.stand(step, to)?;
            held.changed_by = number;
        }
        steps.iter().try_for_each(|step| self.is_last_primary(&step.id))
    }

    fn set_validity(&mut self, id: &str, from: Stamp, to: Stamp, number: u64) -> Result<(), Refusal> {
        let held = self.keys.get_mut(id).ok_or_else(|| Refusal::UnknownKey(id.to_owned()))?;
        held.entry.not_before = from.at();
        held.entry.not_after = to.at();
        held.changed_by = number;
        let (entry, public) = (held.entry.clone(), held.material.public.clone());
        match &public {
            Some(public) => fingerprint(&entry, public).and_then(|_| self.counts(&entry, Some(public))),
            None if to < from => Err(Refusal::Key {
                id: id.to_owned(),
                rule: "ends its validity before it starts".to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn set_officer(&mut self, officer: &Officer) -> Result<(), Refusal> {
        self.officers.insert(officer.name.clone(), Member::new(officer)?);
        self.workable()
    }

    fn remove_officer(&mut self, name: &str) -> Result<(), Refusal> {
        let removed = self.officers.remove(name);
        removed.ok_or_else(|| Refusal::UnknownOfficer(name.to_owned()))?;
        self.workable()
    }

    fn set_threshold(&mut self, threshold: u8) -> Result<(), Refusal> {
        self.threshold = threshold;
        self.workable()
    }

    fn add_anchor(&mut self, anchor: &Anchor) -> Result<(), Refusal> {
        let refuse = |rule: &str| Err(Refusal::Anchor(format!("{} {rule}", anchor.name)));
        if !is_name(&anchor.name) {
            return refuse("needs a name of letters, digits, `-`, `_` and `.`");
        }
        if Certificate::from_pem(&anchor.certificate).is_err() {
            return refuse("is no certificate in PEM");
        }
        if self.anchors.contains_key(&anchor.name) {
            return refuse("is there already");
        }
        self.anchors.insert(anchor.name.clone(), anchor.certificate.clone());
        Ok(())
    }

    /// Nobody may be able to change anything alone, and the officers must be able to change something together.
    pub(super) fn workable(&self) -> Result<(), Refusal> {
        let refuse = |rule: &str| Err(Refusal::Officers(rule.to_owned()));
        if self.threshold < 2 {
            return refuse("the threshold is at least two");
        }
        if self.officers.len() < 2 {
            return refuse("a store has at least two officers");
        }
        let keys: BTreeSet<_> = self.officers.values().map(|member| &member.officer.public_key).collect();
        if keys.len() < self.officers.len() {
            return refuse("two officers have the same key");
        }
        for member in self.officers.values() {
            alone(&member.officer)?;
        }
        let others = usize::from(self.threshold) - 1;
        let can = |member: &Member| member.officer.has(Role::Custodian) && self.approvers_beside(&member.officer.name) >= others;
        if self.officers.values().any(can) {
            Ok(())
        } else {
            refuse("no custodian would have as many other approvers as the threshold asks for")
        }
    }

    fn approvers_beside(&self, name: &str) -> usize {
        let approvers = self.officers.values().filter(|member| member.officer.has(Role::Approver));
        approvers.filter(|member| member.officer.name != name).count()
    }

    /// At any instant one key of a link, side and usage is primary: whichever becomes it does so after all that are.
    fn is_last_primary(&self, id: &str) -> Result<(), Refusal> {
        let Some(held) = self.keys.get(id).filter(|held| held.entry.status == Status::Primary) else {
            return Ok(());
        };
        let entry = &held.entry;
        let others = self
            .keys
            .values()
            .filter(|other| other.entry.id != id && is_neighbour(other, entry));
        let mut primaries = others.filter(|other| other.entry.status == Status::Primary);
        match primaries.find(|other| other.entry.primary_from >= entry.primary_from) {
            None => Ok(()),
            Some(other) => Err(Refusal::SecondPrimary(entry.id.clone(), other.entry.id.clone())),
        }
    }
}

impl Held {
    /// The status, and with it the instant: a promotion's own, none before there was one, and the last one ever after.
    fn stand(&mut self, step: &Step, to: Status) -> Result<(), Refusal> {
        match to {
            Status::Primary => self.entry.primary_from = step.primary_from.map(Stamp::at),
            Status::Pending | Status::Accepted => self.entry.primary_from = None,
            Status::Draining | Status::Retired | Status::Revoked => {}
        }
        self.entry.status = to;
        if step.primary_from.is_none() || to == Status::Primary {
            return Ok(());
        }
        Err(Refusal::Key {
            id: step.id.clone(),
            rule: format!("has an instant, but becomes {}, which it does at once", to.name()),
        })
    }
}

impl Change {
    /// A promotion is known to every instance before its instant comes, or it would not be the same one for all.
    pub(super) fn in_time(&self, at: Stamp) -> Result<(), Refusal> {
        match self.instants().min() {
            Some(instant) if at.at() + LEAD > instant.at() => Err(Refusal::Passed(instant.to_string())),
            Some(_) | None => Ok(()),
        }
    }

    /// The instants at which promotions take effect.
    pub(super) fn instants(&self) -> impl Iterator<Item = Stamp> {
        let steps = match self {
            Self::Status(steps) => steps.as_slice(),
            Self::Key(_)
            | Self::Validity { .. }
            | Self::Officer(_)
            | Self::OfficerRemoved(_)
            | Self::Threshold(_)
            | Self::Anchor(_)
            | Self::AnchorRemoved(_)
            | Self::Certificate(_)
            | Self::Pair(_)
            | Self::Master(_) => &[],
        };
        steps.iter().filter_map(|step| step.primary_from)
    }
}

impl Status {
    /// The life of a key: step by step, a step back until it is retired, and revoked from anywhere. One that never worked may
    /// be retired as it is.
    pub fn may_become(self, to: Self) -> bool {
        let goes_on = LIFE.windows(2).any(|step| step == [self, to]);
        let goes_back = self != Self::Retired && LIFE.windows(2).any(|step| step == [to, self]);
        let is_dropped = (self, to) == (Self::Pending, Self::Retired);
        goes_on || goes_back || is_dropped || (to == Self::Revoked && self != Self::Revoked)
    }
}

const LIFE: [Status; 5] = [
    Status::Pending,
    Status::Accepted,
    Status::Primary,
    Status::Draining,
    Status::Retired,
];

/// Whoever watches or runs has no hand in what is watched or run.
fn alone(officer: &Officer) -> Result<(), Refusal> {
    let name = &officer.name;
    let changes = officer.has(Role::Custodian) || officer.has(Role::Approver);
    let watches = officer.has(Role::Auditor) || officer.has(Role::Operator);
    let rule = if !is_name(name) {
        "needs a name of letters, digits, `-`, `_` and `.`"
    } else if officer.roles.is_empty() {
        "has no role"
    } else if changes && watches {
        "is auditor or operator, and cannot be custodian or approver beside it"
    } else {
        return Ok(());
    };
    Err(Refusal::Officers(format!("{name} {rule}")))
}

/// Whether the bytes are there that a key of this side has, and the public ones are those of the fingerprint.
fn fits(key: &KeyChange, entry: &KeyEntry) -> Result<(), Refusal> {
    let refuse = |rule: &str| Refusal::Key {
        id: entry.id.clone(),
        rule: rule.to_owned(),
    };
    let material = (&key.material.public, &key.material.wrapped);
    match (entry.side, material) {
        (Side::Ours, (Some(public), Some(_))) | (Side::Theirs, (Some(public), None)) => {
            if fingerprint(entry, public)? == key.fingerprint {
                Ok(())
            } else {
                Err(refuse("has a fingerprint that is not its public key's"))
            }
        }
        (Side::Shared, (None, Some(_))) => Ok(()),
        (Side::Ours | Side::Theirs | Side::Shared, _) => Err(refuse(
            "needs a public and a wrapped half (ours), a public key (theirs), or a wrapped secret (shared)",
        )),
    }
}

/// The fingerprint of a public half, by the keyring's own rules: what it refuses, the log does not take.
pub(super) fn fingerprint(entry: &KeyEntry, public: &str) -> Result<String, Refusal> {
    let refuse = |rule: String| Refusal::Key {
        id: entry.id.clone(),
        rule,
    };
    let as_theirs = KeyEntry {
        side: Side::Theirs,
        ..entry.clone()
    };
    let material = material::public(&as_theirs, public).map_err(refuse)?;
    let filed = Filed {
        entry: as_theirs,
        material,
    };
    let keyring = filed.add_to(Keyring::builder().engine(Engine::Reference));
    let keyring = keyring.build().map_err(|error| refuse(error.rule))?;
    let found = keyring.infos().next().map(|info| info.fingerprint.clone());
    found.ok_or_else(|| refuse("has no public half".to_owned()))
}

fn is_neighbour(held: &Held, entry: &KeyEntry) -> bool {
    (&held.entry.link, held.entry.side, held.entry.usage) == (&entry.link, entry.side, entry.usage)
}

pub(super) fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.bytes().all(is_of_name)
}

const NAME_BYTES_MAX: usize = 64;
/// A running gateway looks at its store more often than this.
const LEAD: time::Duration = time::Duration::seconds(3);
