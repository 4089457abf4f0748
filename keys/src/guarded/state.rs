//! The fold: what the store holds, from the records in order. Pure; the writer asks it before it writes.

use super::change::{Change, Genesis, Material, Officer, Proposal, Role, Verdict, Witness, read};
use super::record::{Broken, Kind, Log, Record, Signed, Stamp};
use super::refusal::Refusal;
use crate::hex;
use crate::key::{KeyEntry, KeyInfo, Side, Usage};
use crate::sm2::{DEFAULT_USER_ID, Engine, Verify};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// Everything that a store holds, at one record of its log.
#[derive(Clone, Default)]
pub struct State {
    pub(super) store: String,
    pub(super) master_check: String,
    pub(super) threshold: u8,
    pub(super) officers: BTreeMap<String, Member>,
    pub(super) keys: BTreeMap<String, Held>,
    pub(super) anchors: BTreeMap<String, String>,
    open: BTreeMap<u64, Open>,
    closed: BTreeMap<u64, Ending>,
    length: u64,
    head: String,
}

/// An officer with the prepared key.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) officer: Officer,
    verifier: Arc<dyn Verify>,
}

/// A key that the store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub entry: KeyEntry,
    pub fingerprint: String,
    pub material: Material,
    /// The proposal that made it what it is.
    pub changed_by: u64,
}

impl Held {
    /// Its public description. How long an RSA key is, only the keyring knows.
    pub fn info(&self) -> KeyInfo {
        let entry = self.entry.clone();
        KeyInfo {
            id: entry.id,
            link: entry.link,
            side: entry.side,
            usage: entry.usage,
            algorithm: entry.algorithm,
            bits: None,
            status: entry.status,
            serial: entry.serial,
            primary_from: entry.primary_from,
            not_before: entry.not_before,
            not_after: entry.not_after,
            fingerprint: self.fingerprint.clone(),
        }
    }
}

/// A proposal that waits for approvals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    pub number: u64,
    /// SM3 of its record.
    pub hash: String,
    pub proposal: Proposal,
    pub approved_by: BTreeSet<String>,
}

/// How a proposal ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Applied,
    Withdrawn,
    /// Officers, the threshold or the master key changed under it.
    Void,
}

impl Ending {
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "it took effect",
            Self::Withdrawn => "it was withdrawn",
            Self::Void => "the officers, the threshold or the master key changed after it was made",
        }
    }
}

impl Member {
    pub(super) fn new(officer: &Officer) -> Result<Self, Refusal> {
        let verifier = Engine::default().verifier(&officer.public()?, DEFAULT_USER_ID);
        let refused = |_| Refusal::Officers(format!("the public key of {} cannot be used", officer.name));
        Ok(Self {
            officer: officer.clone(),
            verifier: verifier.map_err(refused)?.into(),
        })
    }
}

impl State {
    /// Folds a log; every signature and every rule is checked.
    pub fn of(log: &Log) -> Result<Self, Broken> {
        Self::until(log, u64::MAX)
    }

    /// The state behind a record.
    pub(super) fn until(log: &Log, last: u64) -> Result<Self, Broken> {
        let mut state = Self {
            head: super::record::hash(super::record::HEADER),
            ..Self::default()
        };
        for (number, record) in (0..=last).zip(log.records()) {
            let head = log.head_at(number).unwrap_or_default().to_owned();
            state.take(record, head).map_err(|refusal| Broken { number, refusal })?;
        }
        if log.records().is_empty() {
            return Err(Broken {
                number: 0,
                refusal: Refusal::Genesis,
            });
        }
        Ok(state)
    }

    pub fn store(&self) -> &str {
        &self.store
    }

    /// The version of everything here: SM3 of the last record.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// How many records the log has.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    pub fn officers(&self) -> impl Iterator<Item = &Officer> {
        self.officers.values().map(|member| &member.officer)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Held> {
        self.keys.values()
    }

    pub fn key(&self, id: &str) -> Option<&Held> {
        self.keys.get(id)
    }

    /// Certificates of authorities in PEM, by name.
    pub fn anchors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.anchors.iter().map(|(name, pem)| (name.as_str(), pem.as_str()))
    }

    /// Proposals that wait, expired ones too.
    pub fn open(&self) -> impl Iterator<Item = &Open> {
        self.open.values()
    }

    /// Proposals about the keys of one link, side and usage that can still be approved.
    pub fn open_about(&self, (link, side, usage): (&str, Side, Usage), now: OffsetDateTime) -> impl Iterator<Item = &Open> {
        let is_there = move |entry: &KeyEntry| (entry.link.as_str(), entry.side, entry.usage) == (link, side, usage);
        let names = move |id: &String| self.keys.get(id).is_some_and(|held| is_there(&held.entry));
        let is_about = move |open: &&Open| match &open.proposal.change {
            Change::Key(key) => key.entry().is_ok_and(|entry| is_there(&entry)),
            Change::Status(steps) => steps.iter().any(|step| names(&step.id)),
            Change::Certificate(change) => names(&change.id),
            Change::Pair(pair) => names(&pair.certificate.id) || pair.key.entry().is_ok_and(|entry| is_there(&entry)),
            Change::Validity { .. }
            | Change::Officer(_)
            | Change::OfficerRemoved(_)
            | Change::Threshold(_)
            | Change::Anchor(_)
            | Change::AnchorRemoved(_)
            | Change::Master(_) => false,
        };
        let at = Stamp::new(now);
        let is_open = move |open: &&Open| at <= open.proposal.expires && open.proposal.change.in_time(at).is_ok();
        self.open.values().filter(is_about).filter(is_open)
    }

    /// How many officers must still sign a proposal.
    pub fn needed(&self, open: &Open) -> usize {
        usize::from(self.threshold).saturating_sub(1 + open.approved_by.len())
    }

    pub fn proposal(&self, number: u64) -> Result<&Open, Refusal> {
        if let Some(ending) = self.closed.get(&number) {
            let ending = ending.name();
            return Err(Refusal::Closed { number, ending });
        }
        self.open.get(&number).ok_or(Refusal::UnknownProposal(number))
    }

    pub fn ending(&self, number: u64) -> Option<Ending> {
        self.closed.get(&number).copied()
    }

    /// Takes the next record; `head` is the hash of its line. On a refusal the state is worth nothing: ask a clone.
    pub(super) fn take(&mut self, record: &Record, head: String) -> Result<(), Refusal> {
        if (record.kind == Kind::Genesis) != (self.length == 0) {
            return Err(Refusal::Genesis);
        }
        match record.kind {
            Kind::Genesis => self.found(record)?,
            Kind::Proposal => self.propose(record, &head)?,
            Kind::Approval => self.approve(record)?,
            Kind::Withdrawal => self.withdraw(record)?,
            Kind::Checkpoint => self.witness(record)?,
        }
        self.head = head;
        self.length += 1;
        Ok(())
    }

    fn found(&mut self, record: &Record) -> Result<(), Refusal> {
        let genesis: Genesis = read(&record.content)?;
        for officer in &genesis.officers {
            if self.officers.insert(officer.name.clone(), Member::new(officer)?).is_some() {
                return Err(Refusal::Officers(format!("{} is named twice", officer.name)));
            }
        }
        self.store = genesis.store;
        self.master_check = genesis.master_check;
        self.threshold = genesis.threshold;
        self.workable()?;
        let names: Vec<_> = self.officers.keys().map(String::as_str).collect();
        self.signed_by(record, &names)
    }

    fn propose(&mut self, record: &Record, head: &str) -> Result<(), Refusal> {
        let proposal: Proposal = read(&record.content)?;
        self.signed_by(record, &[&proposal.officer])?;
        self.is_ours(&proposal.store)?;
        self.is_role(&proposal.officer, Role::Custodian)?;
        if proposal.follows != self.head {
            return Err(Refusal::Follows);
        }
        if proposal.expires.at() - record.at.at() > Duration::days(OPEN_DAYS_MAX) {
            return Err(Refusal::OpenTooLong(OPEN_DAYS_MAX));
        }
        // What could not take effect is not put before anybody.
        proposal.change.in_time(record.at)?;
        self.clone().apply(&proposal.change, record.number)?;
        let open = Open {
            number: record.number,
            hash: head.to_owned(),
            proposal,
            approved_by: BTreeSet::new(),
        };
        self.open.insert(record.number, open);
        Ok(())
    }

    fn approve(&mut self, record: &Record) -> Result<(), Refusal> {
        let verdict = self.verdict(record)?;
        let (officer, number, at) = (verdict.officer, verdict.proposal, verdict.at.max(record.at));
        self.is_role(&officer, Role::Approver)?;
        let open = self.proposal(number)?.clone();
        if open.proposal.officer == officer {
            return Err(Refusal::SelfApproval(officer));
        }
        if at > open.proposal.expires {
            let at = open.proposal.expires.to_string();
            return Err(Refusal::Expired { number, at });
        }
        let mut approved_by = open.approved_by;
        if !approved_by.insert(officer.clone()) {
            return Err(Refusal::Duplicate { officer, number });
        }
        // The proposer's own signature is the first of those that the threshold counts.
        if approved_by.len() + 1 < usize::from(self.threshold) {
            if let Some(open) = self.open.get_mut(&number) {
                open.approved_by = approved_by;
            }
            return Ok(());
        }
        open.proposal.change.in_time(at)?;
        self.open.remove(&number);
        self.closed.insert(number, Ending::Applied);
        self.apply(&open.proposal.change, number)?;
        self.void_after(&open.proposal.change);
        Ok(())
    }

    /// The proposer takes it back, or an approver turns it down.
    fn withdraw(&mut self, record: &Record) -> Result<(), Refusal> {
        let verdict = self.verdict(record)?;
        let proposer = self.proposal(verdict.proposal)?.proposal.officer.clone();
        if verdict.officer != proposer {
            self.is_role(&verdict.officer, Role::Approver)?;
        }
        self.open.remove(&verdict.proposal);
        self.closed.insert(verdict.proposal, Ending::Withdrawn);
        Ok(())
    }

    fn witness(&mut self, record: &Record) -> Result<(), Refusal> {
        let witness: Witness = read(&record.content)?;
        self.signed_by(record, &[&witness.officer])?;
        self.is_ours(&witness.store)?;
        if witness.head == self.head && witness.number + 1 == self.length {
            Ok(())
        } else {
            Err(Refusal::Checkpoint)
        }
    }

    /// A verdict with a signature that holds, over a proposal of this store that is open and has this very content.
    fn verdict(&self, record: &Record) -> Result<Verdict, Refusal> {
        let verdict: Verdict = read(&record.content)?;
        self.signed_by(record, &[&verdict.officer])?;
        self.is_ours(&verdict.store)?;
        if self.proposal(verdict.proposal)?.hash == verdict.hash {
            Ok(verdict)
        } else {
            Err(Refusal::Altered(verdict.proposal))
        }
    }

    /// Exactly these officers, in this order, and every signature holds.
    fn signed_by(&self, record: &Record, names: &[&str]) -> Result<(), Refusal> {
        let signers: Vec<_> = record.signatures.iter().map(|signed| signed.officer.as_str()).collect();
        if signers != names {
            return Err(Refusal::Signers(names.join(", ")));
        }
        let text = record.kind.signed_text(&record.content);
        record.signatures.iter().try_for_each(|signed| self.holds(signed, &text))
    }

    pub(super) fn holds(&self, signed: &Signed, text: &str) -> Result<(), Refusal> {
        let member = self.officers.get(&signed.officer);
        let member = member.ok_or_else(|| Refusal::UnknownOfficer(signed.officer.clone()))?;
        let bytes = hex::decode(&signed.signature);
        let signature = bytes.as_ref().and_then(|bytes| bytes.as_slice().try_into().ok());
        let verified = signature.map(|signature| member.verifier.verify(text.as_bytes(), signature));
        match verified {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Refusal::Signature(signed.officer.clone())),
        }
    }

    fn is_ours(&self, store: &str) -> Result<(), Refusal> {
        if store == self.store {
            Ok(())
        } else {
            Err(Refusal::OtherStore)
        }
    }

    pub(super) fn is_role(&self, officer: &str, role: Role) -> Result<(), Refusal> {
        let is_so = self.officers.get(officer).is_some_and(|member| member.officer.has(role));
        let officer = officer.to_owned();
        if is_so { Ok(()) } else { Err(Refusal::Role { officer, role }) }
    }

    /// What was proposed to other officers, under another threshold or another master key, must be proposed anew.
    fn void_after(&mut self, change: &Change) {
        match change {
            Change::Officer(_) | Change::OfficerRemoved(_) | Change::Threshold(_) | Change::Master(_) => {
                let open = std::mem::take(&mut self.open);
                self.closed.extend(open.into_keys().map(|number| (number, Ending::Void)));
            }
            Change::Key(_)
            | Change::Certificate(_)
            | Change::Pair(_)
            | Change::Status(_)
            | Change::Validity { .. }
            | Change::Anchor(_)
            | Change::AnchorRemoved(_) => {}
        }
    }
}

/// The stamp of a record that is written now: never before the one that stands.
pub(super) fn not_before(log: &Log, now: Stamp) -> Stamp {
    log.records().last().map_or(now, |last| last.at.max(now))
}

/// A proposal that lies about for longer is proposed again.
pub(super) const OPEN_DAYS_MAX: i64 = 30;
