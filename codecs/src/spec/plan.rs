//! A spec compiled: fields with their rules, the tree that finds a field by its path, the order of the signed text.
//!
//! Only `load` makes these; whoever reads them may rely on what `load` and `check` have proved.

use crate::field::{Mask, Rules};
use crate::payment::{Attribute, Operation, Reason};

/// Index of a field in its message's plan. Frame fields come first and have the same index in every message.
pub(crate) type FieldId = usize;

#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "a limit names its unit and ends in max")]
pub(crate) struct Limits {
    pub(crate) message_bytes_max: usize,
    pub(crate) depth_max: usize,
    pub(crate) attributes_max: usize,
    pub(crate) attribute_bytes_max: usize,
    pub(crate) nodes_max: usize,
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
    pub(crate) default: Option<String>,
    pub(crate) group: Option<usize>,
}

impl Field {
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
    /// A segment of the request's target.
    Target,
}

impl Place {
    pub(crate) fn steps(&self) -> &[String] {
        match self {
            Self::Body(steps) => steps,
            Self::Head(_) | Self::Target => &[],
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
}

/// One row of a status table; the first row that fits an outcome is the one that is written.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) code: String,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<Reason>,
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
    /// Fixed text, and what follows it up to the end.
    pub(crate) prefix: String,
    pub(crate) parameter: Option<FieldId>,
}

/// Everything about one message that is not its public face.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) fields: Vec<Field>,
    pub(crate) groups: Vec<Group>,
    pub(crate) tree: Tree,
    /// Field ids in the order of writing.
    pub(crate) written: Vec<FieldId>,
    pub(crate) signed: Vec<SignItem>,
    pub(crate) root: Option<String>,
    pub(crate) target: Option<Target>,
    pub(crate) outcome: Option<OutcomePlan>,
    pub(crate) selector: Option<Selector>,
    pub(crate) derive: Vec<(Attribute, Attribute)>,
    pub(crate) msg_id: Option<FieldId>,
    pub(crate) alternative: bool,
}

impl Plan {
    pub(crate) fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.get(id)
    }

    pub(crate) fn seals(&self) -> bool {
        self.fields.iter().any(|field| field.seal)
    }
}

/// The frame's envelope fields and schemes.
#[derive(Clone, Debug)]
pub(crate) struct EnvelopePlan {
    pub(crate) scheme: crate::envelope::SignatureScheme,
    pub(crate) encoding: SignatureEncoding,
    pub(crate) user_id: Vec<u8>,
    pub(crate) signature: Option<FieldId>,
    pub(crate) serial: Option<FieldId>,
    pub(crate) made_at: Option<FieldId>,
    pub(crate) window_s: Option<u32>,
    pub(crate) over: Over,
    pub(crate) covers: Covers,
    pub(crate) first: Vec<FieldId>,
    pub(crate) sealing: Option<SealingPlan>,
}

/// How the signature is written as text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignatureEncoding {
    /// Base64 of ASN.1 DER.
    Der,
    /// Base64 of r||s.
    Raw,
    /// Lower-case hex of a MAC tag.
    Hex,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// The `value|value|` string.
    Fields,
    /// Start line, chosen headers and the body's bytes.
    Http,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Covers {
    Sealed,
    Clear,
}

#[derive(Clone, Debug)]
pub(crate) struct SealingPlan {
    pub(crate) on: bool,
    pub(crate) serial: FieldId,
    pub(crate) key: FieldId,
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
    pub(crate) reason: Reason,
}

#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) content_type: String,
    pub(crate) status_final: u16,
    pub(crate) status_unknown: u16,
}
