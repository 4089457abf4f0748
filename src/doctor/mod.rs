//! Why a message fails: known mistakes are tried one at a time, and the one under which everything holds is named.
//!
//! Pure like the pipeline, and beside it: nothing here makes a payment or lets a message through. Keys are tried one after the
//! other, which the pipeline never does, so nothing of this may ever stand on a message's way.

mod announced; // keys that are announced
mod body; // the same message in other bytes
mod capsule; // messages whose whole content is sealed
mod coding; // hex, base64 and GBK, strict and not
mod key; // another key, or the right one at a wrong time
mod link; // another suite, link or codec
mod mistakes; // the closed table
mod proof; // whether a signature holds if it was made in another way
mod seal; // sealed under another key, or in another way
mod seen; // the parts of a message that are compared
mod signing; // another user id, digest or algorithm
mod text; // another signed text
mod value; // the signature in another encoding

#[cfg(test)]
mod tests;

pub use mistakes::{MISTAKES, Mistake, Proof};

use crate::pipeline::{LinkView, Rejection, receive};
use codecs::spec::Spec;
use codecs::wire::Wire;
use keys::keyring::Keyring;
use keys::store::Held;
use seen::Seen;
use std::sync::Arc;
use time::OffsetDateTime;

/// A message with everything that is known where it arrived.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub wire: &'a Wire,
    /// Name of the link, by which the keyring knows its keys.
    pub link: &'a str,
    pub spec: &'a Arc<Spec>,
    /// Links by name, and codecs by their own, with their specs; this one may be among them.
    pub others: &'a [(String, Arc<Spec>)],
    pub keyring: &'a Keyring,
    /// The same keys, one by one.
    pub held: &'a [Held],
    pub now: OffsetDateTime,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Finding {
    /// The pipeline takes the message.
    Sound,
    Explained(Explanation),
    /// No mistake of the table explains the refusal.
    Unknown(Box<Rejection>),
}

/// The mistake that explains a refusal.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub mistake: &'static Mistake,
    /// The variant under which it held: names of fields, keys and encodings, never a value of the message.
    pub variant: String,
    /// Mistakes that would explain it as well.
    pub also: Vec<&'static Mistake>,
    pub rejection: Box<Rejection>,
}

/// Tries every mistake of the table on a message that is refused.
pub fn examine(case: &Case<'_>) -> Finding {
    let Err(rejection) = case.receive(case.wire) else {
        return Finding::Sound;
    };
    match capsule::inside(case) {
        Some(inside) => {
            let spec = Arc::new(case.spec.without_capsule());
            let inner = Case {
                wire: &inside,
                spec: &spec,
                ..*case
            };
            explained(&inner, rejection)
        }
        None => explained(case, rejection),
    }
}

fn explained(case: &Case<'_>, rejection: Box<Rejection>) -> Finding {
    let lenient = case.spec.with_any_signature();
    let seen = Seen::of(case, &lenient, case.wire);
    let refused = Refused {
        case,
        rejection: &rejection,
        seen: seen.as_ref(),
    };
    let explain = |mistake: &'static Mistake| Some((mistake, mistake.explains(&refused)?));
    let mut found = MISTAKES.iter().filter_map(explain);
    let Some((mistake, variant)) = found.next() else {
        return Finding::Unknown(rejection);
    };
    let also = found.map(|(mistake, _)| mistake).collect();
    Finding::Explained(Explanation {
        mistake,
        variant,
        also,
        rejection,
    })
}

/// A message that the pipeline refused, and how.
struct Refused<'a> {
    case: &'a Case<'a>,
    rejection: &'a Rejection,
    /// Absent where it does not parse or carries no signature.
    seen: Option<&'a Seen<'a>>,
}

/// A message in other bytes, and what is other about them.
struct Variant<T> {
    what: String,
    form: T,
}

impl<T> Variant<T> {
    fn new(what: impl Into<String>, form: T) -> Self {
        Self { what: what.into(), form }
    }
}

impl Case<'_> {
    fn receive(&self, wire: &Wire) -> Result<(), Box<Rejection>> {
        self.receive_as(wire, self.link, self.spec, self.now)
    }

    fn receive_as(&self, wire: &Wire, link: &str, spec: &Spec, now: OffsetDateTime) -> Result<(), Box<Rejection>> {
        let view = LinkView {
            name: link,
            spec,
            keyring: self.keyring,
        };
        receive(wire, view, now).map(drop)
    }

    fn with_body(&self, body: Vec<u8>) -> Wire {
        Wire {
            body,
            ..self.wire.clone()
        }
    }
}
