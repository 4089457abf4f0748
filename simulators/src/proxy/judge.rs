//! Decides over each message in turn. The same seed and the same order of messages give the same mishaps.

use super::content::Fields;
use super::rules::{Direction, Mishap, Rule, Rules, Told};
use crate::world::Dice;

/// What is to be done with one message.
pub(super) struct Verdict {
    pub(super) rule: Rule,
    pub(super) dice: Dice,
}

pub(super) struct Judge {
    rules: Vec<State>,
    seed: u64,
    carried: [u64; 2],
    told: Box<dyn FnMut(Told) + Send>,
}

struct State {
    rule: Rule,
    /// Messages that fitted so far, and those that it happened to.
    fitting: u64,
    applied: u64,
}

impl Judge {
    pub(super) fn new(rules: Rules, seed: u64, told: Box<dyn FnMut(Told) + Send>) -> Self {
        let states = rules.rule.into_iter().map(|rule| State {
            rule,
            fitting: 0,
            applied: 0,
        });
        Self {
            rules: states.collect(),
            seed,
            carried: [0, 0],
            told,
        }
    }

    pub(super) const fn carried(&self) -> [u64; 2] {
        self.carried
    }

    /// Every rule counts the message; the first that holds decides.
    pub(super) fn over(&mut self, direction: Direction, message: &[u8], fields: Option<&Fields>) -> Option<Verdict> {
        let [requests, replies] = &mut self.carried;
        let number = match direction {
            Direction::Request => requests,
            Direction::Reply => replies,
        };
        *number += 1;
        let (number, seed) = (*number, self.seed);
        let mut taken = None;
        for (place, state) in self.rules.iter_mut().enumerate() {
            let Some(dice) = state.draw(direction, message, fields, seed ^ (place as u64 + 1) << 48) else {
                continue;
            };
            if taken.is_none() {
                state.applied += 1;
                taken = Some((place, state.rule.clone(), dice));
            }
        }
        let (place, rule, dice) = taken?;
        (self.told)(Told {
            direction,
            message: number,
            rule: place + 1,
            fault: rule.fault,
            bytes: message.len(),
        });
        Some(Verdict { rule, dice })
    }
}

impl State {
    /// The dice of this rule at this message, if its conditions hold.
    fn draw(&mut self, direction: Direction, message: &[u8], fields: Option<&Fields>, seed: u64) -> Option<Dice> {
        let rule = &self.rule;
        if rule.on != direction || !rule.fits(message, fields) {
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

impl Rule {
    /// Whether all that it says of the content holds. What cannot be read does not fit.
    fn fits(&self, message: &[u8], fields: Option<&Fields>) -> bool {
        let stands = |wanted: &String| message.windows(wanted.len()).any(|part| part == wanted.as_bytes());
        let read = |holds: &dyn Fn(&Fields) -> bool| fields.is_some_and(holds);
        self.contains.as_ref().is_none_or(stands)
            && self
                .operation
                .is_none_or(|operation| read(&|fields| fields.operation() == operation))
            && self.institution.as_ref().is_none_or(|id| read(&|fields| fields.is_of(id)))
            && self
                .amount()
                .is_none_or(|amount| read(&|fields| fields.amount() == Some(amount)))
            && self
                .account
                .as_ref()
                .is_none_or(|account| read(&|fields| fields.names(account)))
            && self.field().is_none_or(|field| read(&|fields| fields.states(field)))
    }
}

impl Verdict {
    /// Another byte somewhere in the content.
    pub(super) fn corrupt(&mut self, content: &mut [u8]) {
        let place = usize::try_from(self.dice.below(content.len() as u64)).unwrap_or(0);
        if let Some(byte) = content.get_mut(place) {
            *byte = if *byte == b'#' { b'%' } else { b'#' };
        }
    }

    /// How much of a message of this length goes out before it breaks off.
    pub(super) fn beginning(&self, length: usize) -> usize {
        let usual = if self.rule.fault == Mishap::Stall {
            length / 2
        } else {
            length * 2 / 3
        };
        self.rule.bytes.unwrap_or(usual).min(length.saturating_sub(1))
    }
}
