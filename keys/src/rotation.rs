//! Staged rotation of the keys of one link, side and usage: the stage, what it waits for, and what the next step changes.
//!
//! Pure: statuses, what the instances have acknowledged, measured traffic and time go in, a plan comes out. Where a figure is
//! not there, the plan waits for it. Nothing is carried out here.
//!
//! ```text
//! prepare -> distribute -> accept -> promote -> drain -> (retired)
//!   one       pending      accepted  primary    draining
//!   primary   successor    successor from an    predecessor
//!                                    instant
//! ```
//!
//! Until its key is retired a predecessor can be promoted again, which is what `rollback` does.

use crate::key::{KeyInfo, Side, Status, Usage};
use crate::store::Change;
use std::collections::{BTreeMap, BTreeSet};
use time::{Duration, OffsetDateTime};

/// Where a rotation stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// No rotation is under way; a successor is to be made.
    Prepare,
    /// The successor is there and does not work yet; the counterparty gets it, or confirms it.
    Distribute,
    /// Both keys work when a message names them; the predecessor signs and seals.
    Accept,
    /// The successor takes its place at an instant, or has taken it.
    Promote,
    /// The predecessor only serves what is still on its way.
    Drain,
}

impl Stage {
    pub const ALL: [Self; 5] = [Self::Prepare, Self::Distribute, Self::Accept, Self::Promote, Self::Drain];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Distribute => "distribute",
            Self::Accept => "accept",
            Self::Promote => "promote",
            Self::Drain => "drain",
        }
    }
}

/// What is known of one instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    pub name: String,
    /// Version of the keyring that it uses.
    pub version: String,
    /// Since when it counts messages.
    pub counting_since: OffsetDateTime,
}

/// What all instances together saw of one key.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Measured {
    pub received: u64,
    pub sent: u64,
    pub last_seen: Option<OffsetDateTime>,
    /// Exchanges under way that may still send bytes under it, or for a journal key none as soon as the journal holds nothing
    /// under it; none where that was not counted, or is not so.
    pub open: Option<u64>,
}

/// A change that waits for officers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposed {
    pub number: u64,
    /// Signatures that it still needs.
    pub needed: usize,
}

/// What a plan is made from.
pub struct Situation<'a, 's> {
    /// The keys of one link, side and usage.
    pub keys: Vec<&'a KeyInfo>,
    /// Version of the keyring that these keys are from.
    pub version: &'s str,
    /// Instances whose lease runs.
    pub instances: &'s [Instance],
    /// Proposals about these keys that officers have not approved yet.
    pub proposed: &'s [Proposed],
    /// By serial number.
    pub traffic: &'s BTreeMap<String, Measured>,
    /// Whether messages of the link say which key they are under; where they do not, only one may work at a time.
    pub names_keys: bool,
    /// Fingerprints of those keys of ours that the counterparty says it has; none where it is not told of them by message.
    pub confirmed: Option<&'s BTreeSet<String>>,
    /// Which successor is meant, where there are several.
    pub successor: Option<&'s str>,
    /// How long a key must not have been seen before it is retired.
    pub quiet: Duration,
    /// How far ahead the instant of a promotion lies.
    pub lead: Duration,
    pub now: OffsetDateTime,
}

/// What a step waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Other officers approve a step that was proposed.
    Approval(Proposed),
    /// There is no key that works.
    NoPrimary,
    /// There is no successor.
    Successor,
    /// Several keys could be the successor: their serials.
    Several(Vec<String>),
    /// No instance has a running lease, so nothing is known of any.
    NoInstance,
    /// These instances use another keyring.
    Behind(Vec<String>),
    /// Messages that name no key: two keys cannot work at a time, so the change over is agreed and the link stopped for it.
    Unnamed,
    /// The counterparty decides when it uses the key, and has not used it yet.
    Unused { serial: String },
    /// The counterparty was told of our key by message, and has not said that it took it.
    Unconfirmed { serial: String },
    /// The successor takes its place later.
    Until(OffsetDateTime),
    /// The predecessor was seen, or counting began, less than the quiet time ago.
    Quiet {
        serial: String,
        since: OffsetDateTime,
        left: Duration,
    },
    /// Exchanges under way may still send bytes under the predecessor.
    Open { serial: String, count: u64 },
    /// The journal holds bytes under it that do not stand under the successor yet.
    Rewrap { serial: String },
    /// It was not counted how many may.
    Uncounted { serial: String },
}

/// The stage, and what the steps from here change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan<'a> {
    pub stage: Stage,
    pub predecessor: Option<&'a KeyInfo>,
    pub successor: Option<&'a KeyInfo>,
    /// Why the next step cannot be taken yet; empty when it can.
    pub waits: Vec<Wait>,
    /// What the next step changes; none where it makes a key.
    pub forward: Option<Change>,
    /// What a rollback changes.
    pub back: Option<Change>,
}

/// Says where a rotation stands. What was proposed and not approved yet has not happened, but no further step goes beside it.
pub fn plan<'a>(situation: &Situation<'a, '_>) -> Plan<'a> {
    let mut plan = standing(situation);
    let approvals = situation.proposed.iter().cloned().map(Wait::Approval);
    plan.waits.splice(..0, approvals);
    plan
}

fn standing<'a>(situation: &Situation<'a, '_>) -> Plan<'a> {
    let primaries = situation.primaries();
    if let Some(draining) = situation.with(Status::Draining).max_by_key(|info| info.primary_from) {
        return situation.draining(draining, primaries.last().copied());
    }
    match primaries[..] {
        [.., predecessor, successor] => situation.promoted(predecessor, successor),
        [primary] => situation.following(primary),
        [] => Plan {
            waits: vec![Wait::NoPrimary],
            ..Plan::at(Stage::Prepare)
        },
    }
}

impl<'a> Situation<'a, '_> {
    /// In the order in which they take their place.
    fn primaries(&self) -> Vec<&'a KeyInfo> {
        let mut primaries: Vec<_> = self.with(Status::Primary).collect();
        primaries.sort_by_key(|info| info.primary_from);
        primaries
    }

    fn with(&self, status: Status) -> impl Iterator<Item = &'a KeyInfo> {
        self.keys.iter().copied().filter(move |info| info.status == status)
    }

    /// One key works; is there another one to take its place?
    fn following(&self, primary: &'a KeyInfo) -> Plan<'a> {
        for (status, stage) in [(Status::Accepted, Stage::Accept), (Status::Pending, Stage::Distribute)] {
            let meant = |info: &&KeyInfo| self.successor.is_none_or(|serial| serial == info.serial);
            let found: Vec<_> = self.with(status).filter(meant).collect();
            match found[..] {
                [] => {}
                [successor] => return self.succeeding(primary, successor, stage),
                [..] => {
                    let serials = found.iter().map(|info| info.serial.clone()).collect();
                    return Plan {
                        predecessor: Some(primary),
                        waits: vec![Wait::Several(serials)],
                        ..Plan::at(stage)
                    };
                }
            }
        }
        Plan {
            predecessor: Some(primary),
            waits: vec![Wait::Successor],
            ..Plan::at(Stage::Prepare)
        }
    }

    fn succeeding(&self, primary: &'a KeyInfo, successor: &'a KeyInfo, stage: Stage) -> Plan<'a> {
        let mut waits = self.unacknowledged();
        let is_theirs_to_use = matches!(
            (successor.side, successor.usage),
            (Side::Theirs, Usage::Sign) | (Side::Ours, Usage::Seal)
        );
        let is_checked = matches!(
            (successor.side, successor.usage),
            (Side::Theirs, Usage::Sign) | (Side::Shared, Usage::Mac | Usage::Seal)
        );
        if is_checked && !self.names_keys {
            waits.push(Wait::Unnamed);
        }
        let (forward, back) = if stage == Stage::Accept {
            let was_used = self.measured(successor).received > 0;
            if is_theirs_to_use && !was_used {
                let serial = successor.serial.clone();
                waits.push(Wait::Unused { serial });
            }
            (self.promotion(successor), change(successor, Status::Pending, None))
        } else {
            waits.extend(self.unconfirmed(successor));
            (
                change(successor, Status::Accepted, None),
                change(successor, Status::Retired, None),
            )
        };
        Plan {
            predecessor: Some(primary),
            successor: Some(successor),
            waits,
            forward: Some(forward),
            back: Some(back),
            stage,
        }
    }

    fn promoted(&self, predecessor: &'a KeyInfo, successor: &'a KeyInfo) -> Plan<'a> {
        let mut waits = self.unacknowledged();
        let is_ahead = successor.primary_from.filter(|from| *from > self.now);
        waits.extend(is_ahead.map(Wait::Until));
        let back = if is_ahead.is_some() {
            // It has not come yet: nobody has used it in this place.
            change(successor, Status::Accepted, None)
        } else {
            self.promotion(predecessor)
        };
        Plan {
            predecessor: Some(predecessor),
            successor: Some(successor),
            waits,
            forward: Some(change(predecessor, Status::Draining, predecessor.primary_from)),
            back: Some(back),
            stage: Stage::Promote,
        }
    }

    fn draining(&self, predecessor: &'a KeyInfo, successor: Option<&'a KeyInfo>) -> Plan<'a> {
        let (mut waits, serial) = (self.unacknowledged(), || predecessor.serial.clone());
        let measured = self.measured(predecessor);
        let counting = self.instances.iter().map(|instance| instance.counting_since).max();
        if let Some(since) = measured.last_seen.max(counting) {
            let left = self.quiet - (self.now - since);
            if left.is_positive() {
                let serial = serial();
                waits.push(Wait::Quiet { serial, since, left });
            }
        }
        match measured.open {
            Some(0) => {}
            Some(count) => waits.push(Wait::Open { serial: serial(), count }),
            None if predecessor.usage == Usage::Journal => waits.push(Wait::Rewrap { serial: serial() }),
            None => waits.push(Wait::Uncounted { serial: serial() }),
        }
        Plan {
            predecessor: Some(predecessor),
            successor,
            waits,
            forward: Some(change(predecessor, Status::Retired, predecessor.primary_from)),
            back: Some(self.promotion(predecessor)),
            stage: Stage::Drain,
        }
    }

    /// Takes its place at one instant for all; never before one that another key has already.
    fn promotion(&self, info: &KeyInfo) -> Change {
        let taken = self.keys.iter().filter_map(|other| other.primary_from).max();
        let at = (self.now + self.lead).replace_nanosecond(0).unwrap_or(self.now);
        let at = taken.map_or(at, |taken| at.max(taken + Duration::seconds(1)));
        change(info, Status::Primary, Some(at))
    }

    /// Every instance must say that it uses this very keyring.
    fn unacknowledged(&self) -> Vec<Wait> {
        if self.instances.is_empty() {
            return vec![Wait::NoInstance];
        }
        let behind = self.instances.iter().filter(|instance| instance.version != self.version);
        let names: Vec<_> = behind.map(|instance| instance.name.clone()).collect();
        if names.is_empty() {
            Vec::new()
        } else {
            vec![Wait::Behind(names)]
        }
    }

    fn unconfirmed(&self, successor: &KeyInfo) -> Option<Wait> {
        let is_told = successor.side == Side::Ours && matches!(successor.usage, Usage::Sign | Usage::Seal);
        let confirmed = self.confirmed.filter(|_| is_told)?;
        let serial = successor.serial.clone();
        (!confirmed.contains(&successor.fingerprint)).then_some(Wait::Unconfirmed { serial })
    }

    fn measured(&self, info: &KeyInfo) -> Measured {
        self.traffic.get(&info.serial).copied().unwrap_or_default()
    }
}

impl Plan<'_> {
    const fn at(stage: Stage) -> Self {
        Self {
            stage,
            predecessor: None,
            successor: None,
            waits: Vec::new(),
            forward: None,
            back: None,
        }
    }
}

fn change(info: &KeyInfo, status: Status, primary_from: Option<OffsetDateTime>) -> Change {
    Change {
        id: info.id.clone(),
        status,
        primary_from,
    }
}

#[cfg(test)]
mod tests;
