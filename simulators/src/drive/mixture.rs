//! Which payments a load consists of: shares in a file, or the mix of the demo.
//!
//! Customers and agreements are derived from numbers, so a million of them take no memory and no time to begin.

use crate::fault::Fault;
use crate::institution::{BY_CENTRE, BY_PLATFORM, INSTITUTIONS, Institution};
use crate::mix::{self, Draw, Flow, Planned};
use crate::world::Dice;
use codecs::payment::Operation;
use serde::Deserialize;

/// Parts and the customers that they are drawn from.
#[derive(Clone, Debug)]
pub struct Mixture {
    parts: Vec<Part>,
    people: u64,
}

/// Who begins a part's payments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    Centre,
    Platform,
    /// An institution with a link of its own, which plays what its codec knows.
    Link(String),
}

/// One payment to play.
#[derive(Clone)]
pub enum Order {
    Planned(Box<Planned>),
    /// The n-th course of an institution.
    Course {
        link: String,
        n: u64,
    },
}

#[derive(Clone, Debug)]
struct Part {
    share: u64,
    source: Source,
    send: Operation,
    fault: Option<Fault>,
    institution: Option<Institution>,
    amount_fen: (i64, i64),
}

/// A mix file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    people: Option<u64>,
    part: Vec<PartTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartTable {
    share: u64,
    from: String,
    send: Option<String>,
    fault: Option<Fault>,
    institution: Option<String>,
    amount_fen: Option<[i64; 2]>,
}

impl Mixture {
    /// Reads a mix file; what is wrong is said with its part.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let named = |(number, table): (usize, PartTable)| table.part().map_err(|error| format!("part {}: {error}", number + 1));
        let parts: Vec<Part> = file.part.into_iter().enumerate().map(named).collect::<Result<_, _>>()?;
        if parts.iter().map(|part| part.share).sum::<u64>() == 0 {
            return Err("the shares add up to nothing".to_owned());
        }
        let people = file.people.unwrap_or(PEOPLE);
        if (PEOPLE_MIN..=PEOPLE_MAX).contains(&people) {
            Ok(Self { parts, people })
        } else {
            Err(format!("people: {PEOPLE_MIN} to {PEOPLE_MAX}"))
        }
    }

    /// Without a file: the weights of the demo's mix, without what is wrong on purpose.
    pub fn usual() -> Self {
        let part = |(share, flow, send)| Part {
            share,
            source: match flow {
                Flow::CentreToPlatform => Source::Centre,
                Flow::PlatformToCentre => Source::Platform,
            },
            send,
            fault: None,
            institution: None,
            amount_fen: mix::AMOUNT_FEN,
        };
        Self {
            parts: mix::weights().map(part).collect(),
            people: PEOPLE,
        }
    }

    /// Only debits of the centre: what the driver's own ceiling is measured with.
    pub(super) fn debits() -> Self {
        let mut debits = Self::usual();
        debits
            .parts
            .retain(|part| part.source == Source::Centre && part.send == Operation::Debit);
        debits
    }

    /// The same without what the platform begins, for a platform that somebody else plays.
    #[must_use]
    pub fn without_platform(mut self) -> Self {
        self.parts.retain(|part| part.source != Source::Platform);
        self
    }

    pub fn people(&self) -> u64 {
        self.people
    }

    /// Links of institutions that take part.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match &part.source {
            Source::Link(link) => Some(link.as_str()),
            Source::Centre | Source::Platform => None,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The n-th payment: the same seed and number give the same one. Numbers are serials, so none is left out.
    pub fn order(&self, seed: u64, n: u64) -> Option<Order> {
        let mut dice = Dice::new(seed, n);
        let part = self.drawn(&mut dice)?;
        let flow = match &part.source {
            Source::Centre => Flow::CentreToPlatform,
            Source::Platform => Flow::PlatformToCentre,
            Source::Link(link) => return Some(Order::Course { link: link.clone(), n }),
        };
        let draw = Draw {
            flow,
            shape: mix::shape_of(part.send, part.fault),
            people: self.people,
            institution: part.institution,
            amount_fen: part.amount_fen,
        };
        Some(Order::Planned(Box::new(mix::drawn(&mut dice, n, draw))))
    }

    fn drawn(&self, dice: &mut Dice) -> Option<&Part> {
        let mut left = dice.below(self.parts.iter().map(|part| part.share).sum());
        self.parts.iter().find(|part| match left.checked_sub(part.share) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }
}

impl PartTable {
    fn part(self) -> Result<Part, String> {
        let source = match self.from.as_str() {
            "centre" => Source::Centre,
            "platform" => Source::Platform,
            link => Source::Link(link.to_owned()),
        };
        let institution = self.institution.as_deref().map(institution).transpose()?;
        let amount_fen = self.amount_fen.map_or(mix::AMOUNT_FEN, |[low, high]| (low, high));
        if amount_fen.0 < 1 || amount_fen.1 < amount_fen.0 {
            return Err("amount_fen: two numbers, the lower one first and above 0".to_owned());
        }
        let send = self.send.as_deref().map(|send| sendable(&source, send)).transpose()?;
        let send = match (&source, send) {
            (Source::Link(_), None) => Operation::Echo,
            (Source::Link(_), Some(_)) => return Err("an institution plays what its codec knows: no `send`".to_owned()),
            (Source::Platform, Some(_)) if self.fault.is_some() => {
                return Err("faults are the centre's: no `fault` of the platform".to_owned());
            }
            (Source::Centre | Source::Platform, Some(send)) => send,
            (Source::Centre | Source::Platform, None) => return Err("`send` is missing".to_owned()),
        };
        Ok(Part {
            share: self.share,
            source,
            send,
            fault: self.fault,
            institution,
            amount_fen,
        })
    }
}

fn sendable(source: &Source, name: &str) -> Result<Operation, String> {
    let known = if *source == Source::Platform {
        &BY_PLATFORM[..]
    } else {
        &BY_CENTRE
    };
    let found = known.iter().copied().find(|operation| operation.name() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|operation| operation.name()).collect();
        format!("send = \"{name}\": one of {}", names.join(", "))
    })
}

fn institution(id: &str) -> Result<Institution, String> {
    let found = INSTITUTIONS.into_iter().find(|institution| institution.id == id);
    found.ok_or_else(|| {
        let ids = INSTITUTIONS.map(|institution| institution.id);
        format!("institution = \"{id}\": one of {}", ids.join(", "))
    })
}

const PEOPLE: u64 = 1_000_000;
/// Two hundred customers hold one of each kind.
const PEOPLE_MIN: u64 = 200;
/// Account numbers have nine digits of their own, and agreements that end are drawn behind them.
const PEOPLE_MAX: u64 = 500_000_000;
