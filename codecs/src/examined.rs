//! A message that fails, as whoever looks for the reason sees it: the same parts as `Message` gives, before they are decoded.
//!
//! No key is needed here, and nothing here says that a message is good.

use crate::mapping;
use crate::message::Message;
use crate::payment::{Attribute, Value};
use crate::spec::plan::Over;
use crate::values::Item;
use crate::wire::Start;

/// What the signed text of a message is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SignedAs {
    /// The `value|value|` string.
    Fields,
    /// Start line, headers, the body's exact bytes.
    Http,
    /// The exact bytes of the XML root element.
    Document,
    /// The exact bytes of the JSON member of this name.
    Member(String),
    /// Lines before the body, which is a line of its own; the first two are method and target where `call` says so.
    Lines {
        call: bool,
    },
    Pairs(SignedPairs),
    /// Bytes or values chosen otherwise; nothing is known of how such a text goes wrong.
    Other,
}

/// The pairs of a form or of a flat document, decoded, in the order of the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedPairs {
    pub pairs: Vec<(String, String)>,
    /// Keys that the signed text leaves out.
    pub excluded: Vec<String>,
    /// Key of the signature itself.
    pub signature: String,
    /// What the text ends with.
    pub suffix: String,
}

/// A value that stands in the clear, under its canonical name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stated {
    pub attribute: Attribute,
    pub value: Value,
    /// As it stands on the wire, and where, if that is known.
    pub sent: String,
    pub offset: Option<usize>,
}

impl Message<'_> {
    /// What can be read without a key, in the order of the document.
    pub fn stated(&self) -> Vec<Stated> {
        let stated = |item: &Item<'_>| {
            let field = self.kind.plan.field(item.field)?;
            Some(Stated {
                attribute: field.map?,
                value: mapping::value(field, item).ok()?,
                sent: item.sent.clone().into_owned(),
                offset: item.offset,
            })
        };
        let clear = self.values.items().iter().filter(|item| !item.sealed);
        clear.filter_map(stated).collect()
    }

    /// The signature as it stands, whatever its encoding.
    pub fn signature_text(&self) -> Option<&str> {
        let at = self.kind.plan.signing.signature?;
        self.values.get(at).map(|item| item.sent.as_ref())
    }

    /// The serial number of the signer as it stands.
    pub fn signer_text(&self) -> Option<&str> {
        let at = self.kind.plan.signing.serial?;
        self.values.get(at).map(|item| item.sent.as_ref())
    }

    /// The serial number of our key and the wrapped key as they stand.
    pub fn wrapped_text(&self) -> Option<(&str, &str)> {
        let sealing = self.spec.envelope.sealing.as_ref()?;
        let sent = |at| self.values.get(at).map(|item| item.sent.as_ref());
        Some((sent(sealing.serial)?, sent(sealing.key?)?))
    }

    /// What its signed text is made of.
    pub fn signed_as(&self) -> SignedAs {
        let signing = &self.kind.plan.signing;
        match signing.over {
            Over::Fields => SignedAs::Fields,
            Over::Http => SignedAs::Http,
            Over::Document => SignedAs::Document,
            Over::Member => SignedAs::Member(self.kind.plan.root.clone().unwrap_or_default()),
            Over::Lines => SignedAs::Lines { call: false },
            Over::CallLines => SignedAs::Lines { call: true },
            Over::Pairs => SignedAs::Pairs(self.signed_pairs()),
            Over::Around | Over::Values | Over::Content | Over::BeforeMac => SignedAs::Other,
        }
    }

    fn signed_pairs(&self) -> SignedPairs {
        let signing = &self.kind.plan.signing;
        let is_answer = matches!(self.wire.start, Start::Status(_));
        let pairs = self
            .spec
            .format_of(is_answer)
            .pairs(&self.wire.body, is_answer)
            .unwrap_or_default();
        let owned = |pair: crate::format::Pair<'_>| (pair.key.into_owned(), pair.value.into_owned());
        let signature = signing.signature.and_then(|at| self.kind.plan.field(at));
        SignedPairs {
            pairs: pairs.into_iter().map(owned).collect(),
            excluded: signing.excluded.clone(),
            signature: signature.map(|field| field.path.clone()).unwrap_or_default(),
            suffix: signing.suffix.clone(),
        }
    }
}
