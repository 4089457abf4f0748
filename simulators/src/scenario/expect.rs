//! Expecting: waiting for a message that fits, or for none, and saying what came instead.

use super::kept::{Kept, Store, shown};
use super::run::{Miss, Run};
use super::tape::Event;
use super::verdict::{masked, outcome};
use super::{Awaited, Expect, PartyName};
use crate::ids::{communication_key, reference_key};
use codecs::payment::{Attribute, Outcome, Payment, Reason, Role};
use std::time::Duration;
use tokio::time::Instant;

impl Run<'_> {
    pub(super) async fn expect(&mut self, expect: &Expect) -> Result<(), Miss> {
        let wanted = Wanted::of(expect, &self.store);
        let deadline = Instant::now() + Duration::from_millis(expect.within_ms);
        let found = self.await_fitting(&wanted, deadline).await;
        match (found, expect.is_none) {
            (None, true) => Ok(()),
            (None, false) => Err(self.missed(&wanted, expect.within_ms)),
            (Some((_, event)), true) => Err(Miss {
                expected: vec![format!("nothing like this within {} ms: {}", expect.within_ms, wanted.text())],
                came: vec![told(&event)],
            }),
            (Some((place, event)), false) => {
                self.keep_expected(expect, &wanted, place, event);
                Ok(())
            }
        }
    }

    async fn await_fitting(&self, wanted: &Wanted, deadline: Instant) -> Option<(usize, Event)> {
        let tape = &self.stage.tape;
        loop {
            let seen = tape.length();
            let found = tape.take(|place, event| wanted.is_kind(event) && wanted.misses(place, event).is_empty());
            if found.is_some() || Instant::now() >= deadline {
                return found;
            }
            tape.more_than(seen, deadline).await;
        }
    }

    fn keep_expected(&mut self, expect: &Expect, wanted: &Wanted, place: usize, event: Event) {
        let (Some(name), Some(message)) = (&expect.name, event.seen.message) else {
            return;
        };
        let kept = Kept {
            message,
            party: wanted.party,
            wire: None,
            digest: event.seen.digest,
            is_spoiled: false,
            place,
        };
        self.store.kept.insert(name.clone(), kept);
    }

    /// What of that kind did come, the nearest first; or all that came there.
    fn missed(&self, wanted: &Wanted, within_ms: u64) -> Miss {
        let events = self.stage.tape.events();
        let untaken = || events.iter().enumerate().filter(|(_, event)| !event.is_taken);
        let mut near: Vec<(Vec<String>, &Event)> = untaken()
            .filter(|(_, event)| wanted.is_kind(event))
            .map(|(place, event)| (wanted.misses(place, event), event))
            .collect();
        near.sort_by_key(|(misses, _)| misses.len());
        let mut came: Vec<String> = near
            .iter()
            .take(NEAREST_SHOWN)
            .map(|(misses, event)| format!("{}: {}", told(event), misses.join("; ")))
            .collect();
        if came.is_empty() {
            came.push(format!("no such {} came", wanted.kind()));
            let there = untaken().filter(|(_, event)| event.seen.party == wanted.party.name() && !event.seen.is_sent);
            came.extend(there.map(|(_, event)| format!("not expected by any step: {}", told(event))));
        }
        Miss {
            expected: vec![format!("within {within_ms} ms {}", wanted.text())],
            came,
        }
    }
}

/// An expectation with its references replaced.
struct Wanted {
    party: PartyName,
    is_sent: bool,
    awaited: Awaited,
    operation: Option<codecs::payment::Operation>,
    code: Option<String>,
    outcome: Option<String>,
    reason: Option<Reason>,
    /// The name and the communication key of the message that it answers.
    to: Option<(String, String)>,
    about: Option<(String, Payment)>,
    fields: Vec<(Attribute, String)>,
    after: Option<(String, usize)>,
    same_as: Option<(String, [u8; 32])>,
}

impl Wanted {
    fn of(expect: &Expect, store: &Store) -> Self {
        let kept = |name: &Option<String>| Some((name.clone()?, store.get(name.as_deref())?));
        let to = kept(&expect.to);
        let asker = to.as_ref().map(|(_, kept)| kept.party);
        Self {
            party: expect.at.or(asker).unwrap_or(PartyName::Centre),
            is_sent: expect.is_sent,
            awaited: expect.awaited,
            operation: expect.operation,
            code: expect.code.clone(),
            outcome: expect.outcome.clone(),
            reason: expect.reason,
            to: to.map(|(name, kept)| (name, communication_key(&kept.message))),
            about: kept(&expect.about).map(|(name, kept)| (name, kept.message.clone())),
            fields: expect
                .fields
                .iter()
                .map(|(attribute, text)| (*attribute, store.resolve(text)))
                .collect(),
            after: kept(&expect.after).map(|(name, kept)| (name, kept.place)),
            same_as: kept(&expect.same_as).map(|(name, kept)| (name, kept.digest)),
        }
    }

    /// Whether it is the right kind of thing at the right party.
    fn is_kind(&self, event: &Event) -> bool {
        let seen = &event.seen;
        let role = seen.message.as_ref().map(|message| message.role);
        let fits = match self.awaited {
            Awaited::Role(role_wanted) => role == Some(role_wanted),
            Awaited::Unsigned => role.is_none(),
        };
        fits && seen.party == self.party.name() && seen.is_sent == self.is_sent
    }

    /// What of it is not as wanted.
    fn misses(&self, place: usize, event: &Event) -> Vec<String> {
        let mut misses = Vec::new();
        let mut miss = |is_missed: bool, text: String| {
            if is_missed {
                misses.push(text);
            }
        };
        if let Some((name, key)) = &self.to {
            miss(!answers(event, key), format!("it does not answer {name}"));
        }
        if let Some((name, after)) = &self.after {
            miss(place <= *after, format!("it came before {name}"));
        }
        if let Some((name, digest)) = &self.same_as {
            miss(event.seen.digest != *digest, format!("its bytes are not those of {name}"));
        }
        if let Some(message) = &event.seen.message {
            self.content_misses(message, event.seen.code(), &mut miss);
        }
        misses
    }

    fn content_misses(&self, message: &Payment, code: &str, miss: &mut dyn FnMut(bool, String)) {
        if let Some(operation) = self.operation {
            miss(
                message.operation != operation,
                format!("its operation is {}", message.operation),
            );
        }
        if let Some(pattern) = &self.code {
            miss(!fits(pattern, Some(code)), format!("its code is {code}"));
        }
        if let Some((name, about)) = &self.about {
            miss(!is_about(message, about), format!("it is not about {name}"));
        }
        let said = message.outcome.as_ref().map_or_else(|| "not stated".to_owned(), outcome);
        if let Some(wanted) = &self.outcome {
            miss(
                !is_outcome(message.outcome.as_ref(), wanted),
                format!("its outcome is {said}"),
            );
        }
        if let Some(reason) = self.reason {
            let fits = matches!(&message.outcome, Some(Outcome::Failed { reason: found, .. }) if *found == reason);
            miss(!fits, format!("its outcome is {said}"));
        }
        for (attribute, pattern) in &self.fields {
            let found = message.value(*attribute).map(shown);
            let text = found
                .as_deref()
                .map_or_else(|| "absent".to_owned(), |text| masked(*attribute, text));
            miss(!fits(pattern, found.as_deref()), format!("{attribute} is {text}"));
        }
    }

    fn kind(&self) -> String {
        let what = match self.awaited {
            Awaited::Role(role) => role.name(),
            Awaited::Unsigned => "unsigned answer",
        };
        let verb = if self.is_sent { "sent by" } else { "at" };
        format!("{what} {verb} the {}", self.party.name())
    }

    /// All that is wanted, in words.
    fn text(&self) -> String {
        let mut parts = vec![self.kind()];
        let mut add = |name: &str, value: Option<String>| parts.extend(value.map(|value| format!("{name} {value}")));
        add("to", self.to.as_ref().map(|(name, _)| name.clone()));
        add("about", self.about.as_ref().map(|(name, _)| name.clone()));
        add("operation", self.operation.map(|operation| operation.name().to_owned()));
        add("code", self.code.clone());
        add("outcome", self.outcome.clone());
        add("reason", self.reason.map(|reason| reason.name().to_owned()));
        add("after", self.after.as_ref().map(|(name, _)| name.clone()));
        add("with the bytes of", self.same_as.as_ref().map(|(name, _)| name.clone()));
        for (attribute, pattern) in &self.fields {
            add(attribute.name(), Some(masked(*attribute, pattern)));
        }
        parts.join(", ")
    }
}

/// By its reference, by its transport, or as the very request turned into a reply.
pub(super) fn answers(event: &Event, key: &str) -> bool {
    if event.seen.answers.as_deref() == Some(key) {
        return true;
    }
    let Some(message) = &event.seen.message else {
        return false;
    };
    let is_reply = matches!(message.role, Role::Reply | Role::Ack);
    is_reply && (reference_key(message).as_deref() == Some(key) || communication_key(message) == key)
}

/// One business, or one that names the other as its original.
pub(super) fn is_about(message: &Payment, other: &Payment) -> bool {
    let pairs = [
        (Attribute::EndToEndId, Attribute::EndToEndId),
        (Attribute::OriginalEndToEndId, Attribute::EndToEndId),
        (Attribute::MsgId, Attribute::MsgId),
        (Attribute::OriginalMsgId, Attribute::MsgId),
    ];
    pairs
        .iter()
        .any(|&(own, others)| message.text(own).is_some_and(|id| other.text(others) == Some(id)))
}

fn is_outcome(found: Option<&Outcome>, wanted: &str) -> bool {
    match found {
        Some(Outcome::Unknown) => wanted == "processing",
        Some(outcome) => outcome.name() == wanted,
        None => false,
    }
}

/// A text is exact, a `*` at either end stands for anything, an empty pattern means absent.
pub(super) fn fits(pattern: &str, found: Option<&str>) -> bool {
    let Some(found) = found.filter(|found| !found.is_empty()) else {
        return pattern.is_empty();
    };
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => found.contains(pattern.trim_matches('*')),
        (Some(end), None) => found.ends_with(end),
        (None, Some(start)) => found.starts_with(start),
        (None, None) => found == pattern,
    }
}

/// An event in a few words.
fn told(event: &Event) -> String {
    let shown = super::Shown::of(event);
    let mut text = format!("{} at {} ms", shown.what, shown.at_ms);
    for part in [&shown.outcome, &shown.remark].into_iter().filter(|part| !part.is_empty()) {
        text.push_str(&format!(", {part}"));
    }
    text
}

const NEAREST_SHOWN: usize = 3;
