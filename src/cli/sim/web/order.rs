//! One hand-made message: what the page's form says, written as a scenario of the same language and checked as one.

use codecs::payment::Operation;
use serde::Deserialize;
use simulators::scenario::{Flaw, Scenario};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// What a tester chose; empty texts are as good as absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    operation: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    customer: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    fault: String,
    #[serde(default)]
    corrupt: String,
    /// Fields that differ from the template.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// How the other side answers it.
    #[serde(default)]
    reply: Option<Reply>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    how: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    after_ms: u32,
}

impl Order {
    /// What is about another message is sent after a good one of its kind.
    pub(super) fn scenario(&self) -> Result<Scenario, Vec<Flaw>> {
        let mut steps = Vec::new();
        if let Some(original) = self.original() {
            steps.push(self.send(original, "original"));
            steps.push(table(&[("expect", "reply"), ("to", "original")]));
        }
        steps.extend(
            self.reply
                .as_ref()
                .filter(|reply| !reply.how.is_empty())
                .map(|reply| self.replies(reply)),
        );
        steps.push(self.sent());
        let mut file = table(&[
            ("name", &format!("{}-by-hand", self.operation)),
            ("about_zh", "\u{624b}\u{5de5}\u{62a5}\u{6587}"),
            ("about_en", "A message made by hand"),
            ("institution", "nps"),
            ("operation", &self.operation),
        ]);
        file.insert("step".to_owned(), Value::Array(steps.into_iter().map(Value::Table).collect()));
        let scenarios = Scenario::parse(FILE, &file.to_string())?;
        scenarios.into_iter().next().ok_or_else(Vec::new)
    }

    fn sent(&self) -> Table {
        let mut send = self.send(&self.operation, "message");
        if self.original().is_some() {
            send.insert("of".to_owned(), Value::String("original".to_owned()));
        }
        for (key, text) in [("amount", &self.amount), ("fault", &self.fault), ("corrupt", &self.corrupt)] {
            if !text.is_empty() {
                send.insert(key.to_owned(), Value::String(text.clone()));
            }
        }
        if !self.set.is_empty() {
            let set = self.set.iter().map(|(key, text)| (key.clone(), Value::String(text.clone())));
            send.insert("set".to_owned(), Value::Table(set.collect()));
        }
        send
    }

    fn send(&self, operation: &str, name: &str) -> Table {
        let mut send = table(&[("send", operation), ("name", name)]);
        for (key, text) in [("by", &self.by), ("customer", &self.customer)] {
            if !text.is_empty() {
                send.insert(key.to_owned(), Value::String(text.clone()));
            }
        }
        send
    }

    fn original(&self) -> Option<&'static str> {
        let about = [Operation::Refund, Operation::Cancel, Operation::Query].map(Operation::name);
        about
            .contains(&self.operation.as_str())
            .then_some(if self.by == "platform" { "credit" } else { "debit" })
    }

    fn replies(&self, reply: &Reply) -> Table {
        let party = if self.by == "platform" { "centre" } else { "platform" };
        let mut step = table(&[("reply", party), ("how", &reply.how)]);
        if !reply.reason.is_empty() {
            step.insert("reason".to_owned(), Value::String(reply.reason.clone()));
        }
        if reply.after_ms > 0 {
            step.insert("after_ms".to_owned(), Value::Integer(i64::from(reply.after_ms)));
        }
        step
    }
}

fn table(entries: &[(&str, &str)]) -> Table {
    let entry = |(key, text): &(&str, &str)| ((*key).to_owned(), Value::String((*text).to_owned()));
    entries.iter().map(entry).collect()
}

/// What a flaw names in the place of a file.
const FILE: &str = "message";
