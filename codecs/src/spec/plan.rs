//! A spec compiled: fields with their rules, the tree that finds a field by its path, the order of the signed text.
//!
//! Only `load` makes these; whoever reads them may rely on what `load` and `check` have proved.

use super::capsule::CapsulePlan;
use super::sealing::SealingPlan;
use super::whole::WholePlan;
use crate::envelope::{SignatureEncoding, SignatureScheme, WholeScheme};
use crate::field::{Mask, Rules};
use crate::format::Charset;
use crate::payment::{Attribute, Operation, Reason, Role};
use std::collections::BTreeMap;

/// Index of a field in its message's plan. Frame fields come first and have the same index in every message.
pub(crate) type FieldId = usize;

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) message_bytes_max: usize,
    pub(crate) depth_max: usize,
    pub(crate) attributes_max: usize,
    pub(crate) attribute_bytes_max: usize,
    pub(crate) nodes_max: usize,
    /// What documents declare, where they do.
    pub(crate) charset: Charset,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            depth_max: 32,
            attributes_max: 64,
            attribute_bytes_max: 4096,
            nodes_max: 20_000,
            charset: Charset::Utf8,
        }
    }
}

/// One field of a message.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the spec")]
pub(crate) struct Field {
    /// As the spec writes it, a tag added as a last step: `RmtInf/Ustrd/SttlmDt`.
    pub(crate) path: String,
    pub(crate) place: Place,
    pub(crate) tag: Tag,
    pub(crate) name_zh: String,
    pub(crate) name_en: String,
    pub(crate) rules: Rules,
    pub(crate) mask: Mask,
    pub(crate) seal: bool,
    pub(crate) signed: bool,
    pub(crate) unsigned: Option<String>,
    /// Its length in bytes is signed before it; only then may it hold the separator.
    pub(crate) counted: bool,
    pub(crate) required: bool,
    /// Read into and written from this attribute.
    pub(crate) map: Option<Attribute>,
    /// Written from this attribute, never read into it.
    pub(crate) fill: Option<Attribute>,
    /// The attribute that it is written from where the payment has no other.
    pub(crate) fill_else: Option<Attribute>,
    pub(crate) default: Option<String>,
    pub(crate) group: Option<usize>,
    /// Frame fields: the roles of the messages that have it; all when empty.
    pub(crate) roles: Vec<Role>,
    /// Frame fields: the field of the message that says the same.
    pub(crate) same_as: Option<SameAs>,
}

/// A field must hold what another one of its message holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SameAs {
    /// The other's path, by message; in a message without such a field nothing is compared.
    pub(crate) paths: Vec<String>,
    /// What it may hold instead.
    pub(crate) besides: Vec<String>,
}

impl Field {
    /// Whether messages of a role have this field of the frame.
    pub(crate) fn belongs_to(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }

    /// Whether an amount of this field names its currency (an element's attribute; tagged texts have none).
    pub(crate) fn has_currency(&self) -> bool {
        self.rules.kind == crate::field::Kind::AmountYuan && self.tag == Tag::None
    }

    pub(crate) fn name(&self) -> &str {
        if self.name_en.is_empty() { &self.path } else { &self.name_en }
    }
}

/// Where a field stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Steps from the root of the body.
    Body(Vec<String>),
    /// A header of the transport.
    Head(String),
    /// One `name="value"` of a header that holds several after a word; the word itself is its `scheme`.
    Part { header: String, name: String },
    /// Steps from the root of the object that is sealed whole.
    Whole(Vec<String>),
    /// A segment of the request's target.
    Target,
    /// `{S:...}` after the document, or between a fixed header and the document.
    Trailer,
    /// Characters of the fixed header before the document: where they begin, and how many they are.
    Fixed { at: usize, width: usize },
    /// A part of `{S::NAME:...}` that its name stands before.
    Labelled(String),
    /// An element inside the clear text of the sealed field at these steps.
    Inside(Vec<String>, String),
}

impl Place {
    pub(crate) fn steps(&self) -> &[String] {
        match self {
            Self::Body(steps) => steps,
            Self::Head(_)
            | Self::Part { .. }
            | Self::Inside(..)
            | Self::Whole(_)
            | Self::Target
            | Self::Trailer
            | Self::Fixed { .. }
            | Self::Labelled(_) => &[],
        }
    }
}

/// Whether a field is one of several `/Tag/value` texts that share a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    None,
    Named(String),
    /// Every text whose tag no other field names.
    Rest,
}

/// A run of repeats: a repeated leaf, a repeated element with leaves, or the rest of tagged texts.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) path: String,
    /// Number of steps of the element that repeats.
    pub(crate) depth: usize,
    pub(crate) max: usize,
    pub(crate) fields: Vec<FieldId>,
}

/// Finds fields by path, one step at a time.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    name: String,
    children: Vec<usize>,
    pub(crate) field: Option<FieldId>,
    pub(crate) tags: Vec<(String, FieldId)>,
    pub(crate) rest: Option<FieldId>,
    pub(crate) group: Option<usize>,
}

impl Node {
    /// Whether text is expected here.
    pub(crate) fn is_leaf(&self) -> bool {
        self.field.is_some() || self.is_tagged()
    }

    pub(crate) fn is_tagged(&self) -> bool {
        !self.tags.is_empty() || self.rest.is_some()
    }
}

impl Tree {
    pub(crate) const ROOT: usize = 0;

    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }

    pub(crate) fn node(&self, id: usize) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(crate) fn child(&self, id: usize, name: &str) -> Option<usize> {
        let children = &self.nodes.get(id)?.children;
        children
            .iter()
            .copied()
            .find(|&child| self.nodes.get(child).is_some_and(|node| node.name == name))
    }

    /// The node of a path, made where it is missing.
    pub(super) fn grow(&mut self, steps: &[String]) -> Option<&mut Node> {
        let mut at = Self::ROOT;
        for step in steps {
            at = match self.child(at, step) {
                Some(child) => child,
                None => self.add(at, step)?,
            };
        }
        self.nodes.get_mut(at)
    }

    fn add(&mut self, parent: usize, name: &str) -> Option<usize> {
        let id = self.nodes.len();
        self.nodes.push(Node {
            name: name.to_owned(),
            ..Node::default()
        });
        self.nodes.get_mut(parent)?.children.push(id);
        Some(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// One piece of the signed text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignItem {
    Field(FieldId),
    /// The count of a run, then its values in document order.
    Run(usize),
}

/// How a reply's outcome stands in its fields.
#[derive(Clone, Debug)]
pub(crate) struct OutcomePlan {
    pub(crate) status: FieldId,
    pub(crate) table: Vec<Status>,
    pub(crate) code: Option<FieldId>,
    pub(crate) text: Option<FieldId>,
    /// Where the status stands when `status` is absent: only read, never written.
    pub(crate) otherwise: Option<(FieldId, Vec<Status>)>,
}

impl OutcomePlan {
    /// Every field that the outcome is read from.
    pub(crate) fn fields(&self) -> [Option<FieldId>; 4] {
        let otherwise = self.otherwise.as_ref().map(|(field, _)| *field);
        [Some(self.status), self.code, self.text, otherwise]
    }
}

/// One row of a status table; the first row that fits an outcome is the one that is written.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) code: String,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<Reason>,
    /// Failed only where the business code beside it has this reason; with any other it settles nothing.
    pub(crate) code_says: Option<Reason>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Success,
    Failed,
    Unknown,
}

/// The field whose value selects among several operations.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    pub(crate) field: FieldId,
    pub(crate) values: Vec<(String, Operation)>,
}

/// How an HTTP request names its message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) method: String,
    pub(crate) pieces: Vec<Piece>,
}

impl Target {
    /// The fields that stand in it, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = FieldId> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Fixed(_) => None,
            Piece::Field(id) => Some(*id),
        })
    }

    /// The target with a mark where a field stands; two that look alike are one.
    pub(crate) fn pattern(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Fixed(text) => text.clone(),
            Piece::Field(_) => ":".to_owned(),
        };
        self.pieces.iter().map(text).collect()
    }
}

/// A part of a request's target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    Fixed(String),
    Field(FieldId),
}

/// How a form is known as this message, where the field of the code does not hold its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    /// At least one; the first is written.
    pub(crate) values: Vec<String>,
    /// A key by which it is known whatever that field holds.
    pub(crate) with: Option<String>,
}

/// Everything about one message that is not its public face.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) fields: Vec<Field>,
    pub(crate) groups: Vec<Group>,
    pub(crate) tree: Tree,
    /// Finds the fields of what is sealed whole.
    pub(crate) inside: Tree,
    /// Where that stands, if the message has it.
    pub(crate) whole: Option<WholePlan>,
    /// Field ids in the order of writing.
    pub(crate) written: Vec<FieldId>,
    pub(crate) signed: Vec<SignItem>,
    /// The element or member under which the message's own fields stand.
    pub(crate) root: Option<String>,
    /// The whole body of an acknowledgement that is one word and states nothing else.
    pub(crate) literal: Option<String>,
    pub(crate) named: Option<Named>,
    pub(crate) target: Option<Target>,
    pub(crate) outcome: Option<OutcomePlan>,
    pub(crate) selector: Option<Selector>,
    pub(crate) signing: Signing,
    /// What the message means without saying it.
    pub(crate) constants: Vec<(Attribute, String)>,
    pub(crate) derive: Vec<(Attribute, Attribute)>,
    pub(crate) msg_id: Option<FieldId>,
    pub(crate) alternative: bool,
}

impl Plan {
    pub(crate) fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.get(id)
    }

    /// The fields inside the clear text of a sealed field.
    pub(crate) fn inside(&self, id: FieldId) -> impl Iterator<Item = (FieldId, &str)> {
        let outer = self.field(id).map(|field| field.place.steps()).unwrap_or_default();
        self.fields.iter().enumerate().filter_map(move |(id, field)| {
            let Place::Inside(steps, element) = &field.place else {
                return None;
            };
            (steps.as_slice() == outer).then_some((id, element.as_str()))
        })
    }

    /// The sealed fields whose clear text is made of fields.
    pub(crate) fn enclosing(&self) -> impl Iterator<Item = FieldId> {
        let encloses = |&id: &FieldId| self.inside(id).next().is_some();
        // Hardly any message has a field inside another, and most of them are asked.
        let has_any = self.fields.iter().any(|field| matches!(field.place, Place::Inside(..)));
        (0..if has_any { self.fields.len() } else { 0 }).filter(encloses)
    }

    pub(crate) fn seals(&self) -> bool {
        self.fields.iter().any(|field| field.seal)
    }
}

/// The envelope of a spec: its schemes, and how the messages of each part are signed.
#[derive(Clone, Debug)]
pub(crate) struct EnvelopePlan {
    pub(crate) scheme: SignatureScheme,
    pub(crate) encoding: SignatureEncoding,
    pub(crate) user_id: Vec<u8>,
    pub(crate) window_s: Option<u32>,
    pub(crate) covers: Covers,
    pub(crate) signing: Signing,
    /// By the name that a message's `signed_as` gives.
    pub(crate) parts: BTreeMap<String, Signing>,
    pub(crate) sealing: Option<SealingPlan>,
    /// How an object is sealed whole, where messages have one.
    pub(crate) whole: Option<WholeScheme>,
    /// How a signature begins that its sender means to be refused.
    pub(crate) probe: Option<String>,
    /// The document around the sealed content of every message.
    pub(crate) capsule: Option<CapsulePlan>,
}

/// What the signature of a message covers, and where it and its signer's name stand.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    pub(crate) signature: Option<FieldId>,
    pub(crate) serial: Option<FieldId>,
    /// The serial names a party whose key serves both ways: it is a field like any other, and the key of that name signs.
    pub(crate) is_shared: bool,
    /// A message that names no serial is verified under the link's one key.
    pub(crate) one_key: bool,
    pub(crate) made_at: Option<FieldId>,
    /// A text that is new in every message.
    pub(crate) nonce: Option<FieldId>,
    /// The message carries no signature: what is sealed whole in it was made by one who holds the key.
    pub(crate) by_seal: bool,
    pub(crate) over: Over,
    /// Frame fields of the signed text, in order (`fields`, `http`).
    pub(crate) first: Vec<FieldId>,
    /// Keys that sorted pairs leave out.
    pub(crate) excluded: Vec<String>,
    /// What sorted pairs end with.
    pub(crate) suffix: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// The `value|value|` string.
    Fields,
    /// Start line, chosen headers and the body's bytes.
    Http,
    /// The exact bytes of the XML document, its declaration and what follows it left out.
    Document,
    /// The exact bytes of the XML body around the element of the signature.
    Around,
    /// `k=v&k=v` over the pairs of a form, sorted by key.
    Pairs,
    /// The exact bytes of the answer's own member of a JSON object.
    Member,
    /// Chosen headers and the body's bytes, each ended by a line feed.
    Lines,
    /// The same, method and target before them.
    CallLines,
    /// Chosen values with `|` between them.
    Values,
    /// Every byte behind a fixed header and its signature line.
    Content,
    /// The body's bytes from the message type to before the MAC, which is its last element.
    BeforeMac,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Covers {
    Sealed,
    Clear,
}

#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// An absent value is skipped instead of signed as an empty slot.
    pub(crate) skip_absent: bool,
    pub(crate) strip_tags: bool,
}

/// Institution code <-> our reason.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the institution calls it a code")]
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) name_zh: String,
    /// `None` for a code that leaves the outcome unknown.
    pub(crate) reason: Option<Reason>,
}

#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) content_type: String,
    /// The content type of answers, where it differs.
    pub(crate) answer_type: Option<String>,
    /// Where every request goes that has no target of its own.
    pub(crate) target: Option<String>,
    /// What a refused request is answered with: content type and body.
    pub(crate) refused: Option<(String, String)>,
    pub(crate) status_final: u16,
    pub(crate) status_unknown: u16,
    /// Answers come with any status; only a success never comes with that of an error.
    pub(crate) status_free: bool,
}
