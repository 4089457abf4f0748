//! Who may send and do what in a scenario: it follows from the institution that it is about, and from that one's spec.

use super::language::nearest;
use super::{PartyName, Send};
use crate::fault::Fault;
use crate::institution::BY_PLATFORM;
use crate::institution::direct::{asked, is_played};
use codecs::payment::Operation;
use codecs::spec::{MessageSpec, Spec, Specs};
use std::sync::{Arc, OnceLock};

/// The parties of one scenario.
pub(super) struct Parties {
    /// The institution's name, and its spec where it has a link of its own.
    name: String,
    own: Option<Arc<Spec>>,
}

impl Parties {
    /// Of the institution that a file names, or what is wrong with that name.
    pub(super) fn of(name: &str) -> Result<Self, String> {
        let Some(spec) = specs().iter().find(|spec| spec.codec == name) else {
            let known: Vec<&str> = specs().iter().map(|spec| spec.codec.as_str()).collect();
            return Err(match nearest(name, known.iter().copied()) {
                Some(meant) => format!("no institution `{name}`; did you mean `{meant}`?"),
                None => format!("no institution `{name}`; one of {}", known.join(", ")),
            });
        };
        Ok(Self {
            name: name.to_owned(),
            own: is_played(spec).then(|| spec.clone()),
        })
    }

    /// Why this party takes no part.
    pub(super) fn absent(&self, party: PartyName) -> Option<String> {
        if party != PartyName::Institution || self.own.is_some() {
            return None;
        }
        let with: Vec<&str> = specs()
            .iter()
            .filter(|spec| is_played(spec))
            .map(|spec| spec.codec.as_str())
            .collect();
        let with = with.join(", ");
        Some(format!(
            "`{}` has no link of its own for an `institution`; these have one: {with}",
            self.name
        ))
    }

    /// What this party does not send.
    pub(super) fn unsendable(&self, send: &Send) -> Option<String> {
        match (send.by, &self.own) {
            (PartyName::Centre, _) if send.operation == Operation::Notice => {
                Some("the centre sends no notice of an outcome".to_owned())
            }
            (PartyName::Platform | PartyName::Institution, _)
                if matches!(send.fault, Some(Fault::Reorder | Fault::NackStorm)) =>
            {
                Some(format!(
                    "only a broker puts messages back or out of their order; the {} has none",
                    send.by.name()
                ))
            }
            (PartyName::Platform, Some(spec)) if !asked(spec).is_empty() => self.not_of(send, &asked(spec)),
            (PartyName::Platform, _) if send.operation != Operation::Notice && !BY_PLATFORM.contains(&send.operation) => {
                Some(format!("the platform does not send a {}", send.operation))
            }
            (PartyName::Platform, _) if send.fault == Some(Fault::WrongSealKey) => {
                Some("the platform's link seals nothing".to_owned())
            }
            (PartyName::Institution, Some(spec)) => self.not_of(send, &sent_by(spec)),
            (PartyName::Centre | PartyName::Platform | PartyName::Institution, _) => None,
        }
    }

    fn not_of(&self, send: &Send, known: &[Operation]) -> Option<String> {
        if known.contains(&send.operation) {
            return None;
        }
        let names: Vec<&str> = known.iter().map(|operation| operation.name()).collect();
        let (whom, names) = (send.by.name(), names.join(", "));
        Some(format!(
            "with {} the {whom} does not send a {}; it sends {names}",
            self.name, send.operation
        ))
    }
}

/// What an institution sends by itself: its requests, and notices if it has some.
fn sent_by(spec: &Spec) -> Vec<Operation> {
    let mut sent: Vec<Operation> = spec.requests_to_us().flat_map(MessageSpec::operations).copied().collect();
    if Operation::ALL.iter().any(|operation| spec.notice_of(*operation).is_some()) {
        sent.push(Operation::Notice);
    }
    sent
}

/// The specs of this program, read once: every file is held against them.
fn specs() -> &'static Specs {
    static SPECS: OnceLock<Specs> = OnceLock::new();
    SPECS.get_or_init(|| Specs::embedded().unwrap_or_default())
}
