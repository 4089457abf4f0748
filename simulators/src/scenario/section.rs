//! One table of a file whose keys and kinds were held against the language: from its values to what a step does.

use super::conduct::How;
use super::rotate::{Rotate, Rotated, Stage};
use super::{Act, Announce, Awaited, Books, Customer, Expect, PartyName, Reply, Send};
use crate::fault::Fault;
use codecs::payment::{Attribute, Operation, Reason, Role};
use std::collections::BTreeMap;

/// One value of a section, its kind held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    Text(String),
    Number(u64),
    Bool(bool),
    Texts(Vec<String>),
    Table(BTreeMap<String, String>),
    Counts(BTreeMap<String, u64>),
}

/// The values of the head or of one step.
pub(super) struct Section {
    pub(super) items: BTreeMap<String, Item>,
}

impl Section {
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.items.get(key)? {
            Item::Text(text) => Some(text.clone()),
            Item::Number(_) | Item::Bool(_) | Item::Texts(_) | Item::Table(_) | Item::Counts(_) => None,
        }
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.items.get(key)? {
            Item::Number(number) => Some(*number),
            Item::Text(_) | Item::Bool(_) | Item::Texts(_) | Item::Table(_) | Item::Counts(_) => None,
        }
    }

    fn is(&self, key: &str) -> bool {
        self.items.get(key) == Some(&Item::Bool(true))
    }

    fn parsed<T>(&self, key: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.text(key).and_then(|text| parse(&text))
    }

    fn fields(&self, key: &str) -> BTreeMap<Attribute, String> {
        let Some(Item::Table(table)) = self.items.get(key) else {
            return BTreeMap::new();
        };
        let named = |(name, text): (&String, &String)| Some((Attribute::parse(name)?, text.clone()));
        table.iter().filter_map(named).collect()
    }

    pub(super) fn act(&self, verb: &str) -> Option<Act> {
        Some(match verb {
            "send" => Act::Send(Box::new(self.send()?)),
            "expect" => Act::Expect(Box::new(self.expect()?)),
            "reply" => Act::Reply(Box::new(self.reply()?)),
            "wait_ms" => Act::Wait {
                milliseconds: self.number("wait_ms")?,
            },
            "date" | "status" => Act::Announce(self.announce()),
            "rotate" => Act::Rotate(self.rotate()?),
            "books" => Act::Books(self.books()),
            _ => return None,
        })
    }

    fn send(&self) -> Option<Send> {
        Some(Send {
            operation: self.parsed("send", Operation::parse)?,
            by: self.parsed("by", PartyName::parse).unwrap_or(PartyName::Centre),
            name: self.text("name"),
            of: self.text("of"),
            again: self.text("again"),
            is_fresh: self.is("fresh"),
            customer: self.parsed("customer", customer).unwrap_or(Customer::Plain),
            amount: self.text("amount"),
            set: self.fields("set"),
            fault: self.parsed("fault", Fault::parse),
            corrupt: self.parsed("corrupt", Attribute::parse),
            outcome: self.text("outcome"),
        })
    }

    fn expect(&self) -> Option<Expect> {
        let is_none = self.is("none");
        let within_ms = if is_none { NONE_MS } else { WITHIN_MS };
        Some(Expect {
            awaited: self.parsed("expect", awaited)?,
            at: self.parsed("at", PartyName::parse),
            is_sent: self.is("sent"),
            to: self.text("to"),
            about: self.text("about"),
            operation: self.parsed("operation", Operation::parse),
            code: self.text("code"),
            outcome: self.text("outcome"),
            reason: self.parsed("reason", Reason::parse),
            fields: self.fields("fields"),
            within_ms: self.number("within_ms").unwrap_or(within_ms),
            is_none,
            after: self.text("after"),
            same_as: self.text("same_as"),
            name: self.text("name"),
        })
    }

    fn reply(&self) -> Option<Reply> {
        Some(Reply {
            party: self.parsed("reply", PartyName::parse)?,
            how: self.parsed("how", How::parse)?,
            operation: self.parsed("operation", Operation::parse),
            about: self.text("about"),
            amount: self.text("amount"),
            institution: self.text("institution"),
            account: self.text("account"),
            nth: self.number("nth"),
            reason: self.parsed("reason", Reason::parse).unwrap_or(Reason::Other),
            after_ms: self.number("after_ms").unwrap_or(AFTER_MS),
            dies: self.is("then_die"),
        })
    }

    fn announce(&self) -> Announce {
        let days = self.text("date").map(|day| match day.as_str() {
            "next" => 1,
            "last" => -1,
            _ => 0,
        });
        Announce {
            days,
            stops: self.text("status").map(|status| status == "stop"),
            is_stale: self.is("stale"),
        }
    }

    fn rotate(&self) -> Option<Rotate> {
        Some(Rotate {
            key: self.parsed("rotate", Rotated::parse)?,
            stage: self.parsed("stage", Stage::parse)?,
        })
    }

    fn books(&self) -> Books {
        let executed = match self.items.get("executed") {
            Some(Item::Counts(counts)) => counts.clone(),
            _ => BTreeMap::new(),
        };
        let refused = match self.items.get("refused") {
            Some(Item::Texts(steps)) => Some(steps.clone()),
            _ => None,
        };
        Books { executed, refused }
    }
}

fn customer(name: &str) -> Option<Customer> {
    Some(match name {
        "plain" => Customer::Plain,
        "poor" => Customer::Poor,
        "frozen" => Customer::Frozen,
        "unknown" => Customer::Unknown,
        _ => return None,
    })
}

fn awaited(name: &str) -> Option<Awaited> {
    if name == "unsigned" {
        return Some(Awaited::Unsigned);
    }
    Role::parse(name).map(Awaited::Role)
}

const WITHIN_MS: u64 = 20_000;
const NONE_MS: u64 = 700;
const AFTER_MS: u64 = 3_500;
