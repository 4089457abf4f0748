//! What goes wrong, and with which messages. The same seed and the same order of messages give the same mishaps.

use crate::world::Dice;
use serde::{Deserialize, Serialize};

/// The rules of a proxy, in order: the first whose conditions hold is taken.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    pub rule: Vec<Rule>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub fault: Mishap,
    #[serde(default)]
    pub on: Direction,
    /// Every n-th message that fits.
    pub nth: Option<u64>,
    /// Of those that fit, by the seed.
    pub chance_percent: Option<u64>,
    /// These bytes stand in the message.
    pub contains: Option<String>,
    /// Not more often than this.
    pub times: Option<u64>,
    /// Of a delay, between two pieces of a drip, or of a death.
    #[serde(default = "wait_ms")]
    pub ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mishap {
    /// Swallowed, and the connection is cut.
    Drop,
    /// Swallowed, and the connection stays open.
    Never,
    Delay,
    /// Passed on twice: of HTTP a request, whose second answer nobody gets.
    Repeat,
    /// Two thirds of it, then the connection is cut.
    Truncate,
    /// One byte of the content is another one.
    CorruptByte,
    /// Sixteen bytes at a time.
    Drip,
    /// Passed on; then every connection is cut, and none taken for a while.
    Die,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From whoever connects.
    #[default]
    Request,
    Reply,
}

/// A mishap that happened; nothing of the message is in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Told {
    pub direction: Direction,
    /// Its number among the messages of its direction, from 1.
    pub message: u64,
    /// The rule's place in the file, from 1.
    pub rule: usize,
    pub fault: Mishap,
    pub bytes: usize,
}

/// What is to be done with one message.
pub(super) struct Verdict {
    pub(super) fault: Mishap,
    pub(super) ms: u64,
    pub(super) dice: Dice,
}

/// Decides over each message in turn.
pub(super) struct Judge {
    rules: Vec<State>,
    seed: u64,
    carried: [u64; 2],
    told: Box<dyn FnMut(Told) + Send>,
}

struct State {
    rule: Rule,
    fitting: u64,
    applied: u64,
}

impl Rules {
    pub fn parse(text: &str) -> Result<Self, String> {
        let rules: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (place, rule) in rules.rule.iter().enumerate() {
            let wrong = if rule.nth == Some(0) {
                "nth counts from 1"
            } else if rule.chance_percent.is_some_and(|chance| chance > 100) {
                "chance_percent is at most 100"
            } else if rule.contains.as_deref() == Some("") {
                "contains nothing"
            } else {
                continue;
            };
            return Err(format!("rule {}: {wrong}", place + 1));
        }
        Ok(rules)
    }
}

impl Judge {
    pub(super) fn new(rules: Rules, seed: u64, told: Box<dyn FnMut(Told) + Send>) -> Self {
        let state = |rule| State {
            rule,
            fitting: 0,
            applied: 0,
        };
        Self {
            rules: rules.rule.into_iter().map(state).collect(),
            seed,
            carried: [0; 2],
            told,
        }
    }

    pub(super) const fn carried(&self) -> [u64; 2] {
        self.carried
    }

    /// Every rule counts every message that fits it, whichever rule is taken in the end.
    pub(super) fn over(&mut self, direction: Direction, message: &[u8]) -> Option<Verdict> {
        let [requests, replies] = &mut self.carried;
        let number = match direction {
            Direction::Request => requests,
            Direction::Reply => replies,
        };
        *number += 1;
        let (number, seed) = (*number, self.seed);
        let mut taken = None;
        for (place, state) in self.rules.iter_mut().enumerate() {
            let Some(dice) = state.draw(direction, message, seed ^ (place as u64 + 1) << 48) else {
                continue;
            };
            if taken.is_none() {
                state.applied += 1;
                taken = Some((place, state.rule.fault, state.rule.ms, dice));
            }
        }
        let (place, fault, ms, dice) = taken?;
        (self.told)(Told {
            direction,
            message: number,
            rule: place + 1,
            fault,
            bytes: message.len(),
        });
        Some(Verdict { fault, ms, dice })
    }
}

impl State {
    /// The dice of this rule at this message, if its conditions hold.
    fn draw(&mut self, direction: Direction, message: &[u8], seed: u64) -> Option<Dice> {
        let rule = &self.rule;
        let is_in = |wanted: &String| message.windows(wanted.len()).any(|part| part == wanted.as_bytes());
        if rule.on != direction || !rule.contains.as_ref().is_none_or(is_in) {
            return None;
        }
        self.fitting += 1;
        let mut dice = Dice::new(seed, self.fitting);
        let is_due = rule.nth.is_none_or(|nth| self.fitting.is_multiple_of(nth));
        let is_drawn = rule.chance_percent.is_none_or(|chance| dice.below(100) < chance);
        let is_left = rule.times.is_none_or(|times| self.applied < times);
        (is_due && is_drawn && is_left).then_some(dice)
    }
}

impl Verdict {
    /// Another byte somewhere in the content, whose first byte stands at `from`.
    pub(super) fn corrupt(&mut self, message: &mut [u8], from: usize) {
        let Some(content) = message.get_mut(from..).filter(|content| !content.is_empty()) else {
            return;
        };
        let place = usize::try_from(self.dice.below(content.len() as u64)).unwrap_or(0);
        if let Some(byte) = content.get_mut(place) {
            *byte = if *byte == b'#' { b'%' } else { b'#' };
        }
    }
}

const fn wait_ms() -> u64 {
    1_000
}
