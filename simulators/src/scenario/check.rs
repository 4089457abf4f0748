//! What holds between the steps of a scenario: names are given before they are used, and each verb's keys fit together.

use super::check_parties::Parties;
use super::language::nearest;
use super::read::Reader;
use super::{Act, Expect, PartyName, Reply, Scenario, Send, Step};
use codecs::payment::{Attribute, Operation};

/// Adds the flaws that only the whole shows.
pub(super) fn check(scenario: &Scenario, reader: &mut Reader<'_>) {
    let parties = match Parties::of(&scenario.institution) {
        Ok(parties) => parties,
        Err(flaw) => return reader.flaw(1, flaw),
    };
    let mut known = Vec::new();
    for step in &scenario.steps {
        let mut checked = Checked {
            line: step.line,
            known: &known,
            parties: &parties,
            reader,
        };
        checked.step(step);
        if let Some(name) = named(step) {
            if known.contains(&name) || name == DAY {
                reader.flaw(step.line, format!("the name `{name}` is taken"));
            }
            known.push(name);
        }
    }
}

/// The message that a step keeps.
fn named(step: &Step) -> Option<String> {
    match &step.act {
        Act::Send(send) => send.name.clone(),
        Act::Expect(expect) => expect.name.clone(),
        Act::Reply(_) | Act::Wait { .. } | Act::Announce(_) | Act::Rotate(_) | Act::Books(_) => None,
    }
}

struct Checked<'a, 'r, 't> {
    line: usize,
    known: &'a [String],
    parties: &'a Parties,
    reader: &'r mut Reader<'t>,
}

impl Checked<'_, '_, '_> {
    fn step(&mut self, step: &Step) {
        match &step.act {
            Act::Send(send) => self.send(send),
            Act::Expect(expect) => self.expect(expect),
            Act::Reply(reply) => self.reply(reply),
            Act::Wait { .. } | Act::Announce(_) | Act::Rotate(_) => {}
            Act::Books(books) => books.executed.keys().for_each(|name| self.refers(name)),
        }
    }

    fn send(&mut self, send: &Send) {
        for name in [&send.of, &send.again].into_iter().flatten() {
            self.refers(name);
        }
        self.amount(send.amount.as_ref());
        send.set
            .iter()
            .for_each(|(attribute, text)| self.value(*attribute, text, true));
        let needs_original = matches!(
            send.operation,
            Operation::Refund | Operation::Cancel | Operation::Query | Operation::Notice
        );
        if needs_original && send.of.is_none() && send.again.is_none() {
            self.flaw(format!("a {} names its original with `of`", send.operation));
        }
        if matches!(send.operation, Operation::Status | Operation::Ack) {
            self.flaw(format!("{} is not sent by `send`; see `date` and `status`", send.operation));
        }
        if send.is_fresh && send.again.is_none() {
            self.flaw("`fresh` goes with `again`".to_owned());
        }
        if send.outcome.is_some() != (send.operation == Operation::Notice && send.again.is_none()) {
            self.flaw("`outcome` is what a notice says, and a notice says one".to_owned());
        }
        self.takes_part(send.by);
        if let Some(text) = self.parties.unsendable(send) {
            self.flaw(text);
        }
    }

    fn expect(&mut self, expect: &Expect) {
        let names = [&expect.to, &expect.about, &expect.after, &expect.same_as];
        names.into_iter().flatten().for_each(|name| self.refers(name));
        expect
            .fields
            .iter()
            .for_each(|(attribute, text)| self.value(*attribute, text, false));
        expect.at.iter().for_each(|party| self.takes_part(*party));
        if expect.at.is_none() && expect.to.is_none() {
            self.flaw("`at` says who gets it; only with `to` is it known".to_owned());
        }
        if expect.is_none && expect.name.is_some() {
            self.flaw("what does not come has no name".to_owned());
        }
        if expect.reason.is_some() && expect.outcome.as_deref().is_some_and(|outcome| outcome != "failed") {
            self.flaw("only what failed has a reason".to_owned());
        }
    }

    fn reply(&mut self, reply: &Reply) {
        self.takes_part(reply.party);
        reply.about.iter().for_each(|name| self.refers(name));
        self.amount(reply.amount.as_ref());
        for text in [&reply.account, &reply.institution].into_iter().flatten() {
            self.references(text);
        }
        if !reply.how.is_for(reply.party) {
            self.flaw(format!("the {} cannot answer `{}`", reply.party.name(), reply.how.name()));
        }
        if reply.nth == Some(0) {
            self.flaw("`nth` counts from 1".to_owned());
        }
    }

    fn takes_part(&mut self, party: PartyName) {
        if let Some(absence) = self.parties.absent(party) {
            self.flaw(absence);
        }
    }

    fn refers(&mut self, name: &str) {
        if self.known.iter().any(|known| known == name) {
            return;
        }
        let known = self.known.iter().map(String::as_str);
        self.flaw(match nearest(name, known) {
            Some(meant) => format!("no earlier step names `{name}`; did you mean `{meant}`?"),
            None => format!("no earlier step names `{name}`"),
        });
    }

    fn amount(&mut self, text: Option<&String>) {
        if let Some(text) = text {
            self.references(text);
        }
    }

    /// A text for a field: its references are known, and without any it is of the field's shape.
    fn value(&mut self, attribute: Attribute, text: &str, is_set: bool) {
        self.references(text);
        let is_plain = !text.contains("${") && !text.is_empty();
        if is_set && is_plain && super::kept::value_of(attribute, text).is_none() {
            self.flaw(format!("`{attribute}` cannot be `{text}`"));
        }
    }

    fn references(&mut self, text: &str) {
        for reference in references(text) {
            match reference.split_once('.') {
                Some((DAY, day)) if ["last", "same", "next"].contains(&day) => {}
                Some((DAY, day)) => self.flaw(format!("no day `{day}`; one of last, same, next")),
                Some((name, field)) => {
                    self.refers(name);
                    self.field(field);
                }
                None => self.flaw(format!("`${{{reference}}}` is not `${{name.field}}`")),
            }
        }
    }

    fn field(&mut self, field: &str) {
        if Attribute::parse(field).is_some() {
            return;
        }
        let names = Attribute::ALL.iter().map(|attribute| attribute.name());
        self.flaw(match nearest(field, names) {
            Some(meant) => format!("no field `{field}`; did you mean `{meant}`?"),
            None => format!("no field `{field}`"),
        });
    }

    fn flaw(&mut self, text: String) {
        self.reader.flaw(self.line, text);
    }
}

/// What stands in `${...}`.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|part| part.split_once('}').map(|(reference, _)| reference))
}

/// The name under which dates are referred to.
pub(super) const DAY: &str = "day";
