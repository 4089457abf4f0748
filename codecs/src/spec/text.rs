//! The tables of `spec.toml` as they are written. Nothing here is checked beyond names and types; `load` does that.

use super::capsule::CapsuleText;
use super::header::{HeaderText, SameAsText};
use super::iso8583::Iso8583Text;
use super::plan::Limits;
use super::sealing::SealingText;
use super::whole::WholeText;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecText {
    pub(super) name: NameText,
    pub(super) format: String,
    pub(super) charset: Option<String>,
    /// The format of answers, where it is not that of requests.
    pub(super) answers: Option<String>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
    #[serde(default)]
    pub(super) limits: LimitsText,
    pub(super) xml: Option<XmlText>,
    pub(super) json: Option<JsonText>,
    pub(super) form: Option<FormText>,
    pub(super) flat: Option<FlatText>,
    /// A fixed header before the documents of `xml`.
    pub(super) header: Option<HeaderText>,
    pub(super) iso8583: Option<Iso8583Text>,
    pub(super) http: Option<HttpText>,
    pub(super) envelope: EnvelopeText,
    /// Sets of algorithms, one of which a link uses; the first unless the link names another.
    #[serde(default)]
    pub(super) suite: Vec<SuiteText>,
    #[serde(default)]
    pub(super) habits: HabitsText,
    #[serde(default)]
    pub(super) types: BTreeMap<String, FieldText>,
    #[serde(default)]
    pub(super) sets: BTreeMap<String, Vec<FieldText>>,
    #[serde(default)]
    pub(super) frame: Vec<FieldText>,
    #[serde(default)]
    pub(super) status: BTreeMap<String, Vec<StatusText>>,
    #[serde(default)]
    pub(super) codes: Vec<CodeText>,
    /// Attribute = an invented value that fits this institution's fields; for tests, simulators and the docs page.
    #[serde(default)]
    pub(super) examples: BTreeMap<String, String>,
    pub(super) message: Vec<MessageText>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct NameText {
    pub(super) zh: String,
    pub(super) en: String,
}

/// How sure the source of a part is; the marks of `facts/`.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confidence {
    /// Several places agree, or a production log.
    #[serde(rename = "H")]
    High,
    /// One source.
    #[serde(rename = "M")]
    Medium,
    /// Inferred.
    #[serde(rename = "L")]
    Low,
    /// Not public: our own choice.
    #[serde(rename = "OWN")]
    Own,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "a limit names its unit and ends in max")]
pub(super) struct LimitsText {
    pub(super) message_bytes_max: usize,
    pub(super) depth_max: usize,
    pub(super) attributes_max: usize,
    pub(super) attribute_bytes_max: usize,
    pub(super) nodes_max: usize,
}

impl Default for LimitsText {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            message_bytes_max: limits.message_bytes_max,
            depth_max: limits.depth_max,
            attributes_max: limits.attributes_max,
            attribute_bytes_max: limits.attribute_bytes_max,
            nodes_max: limits.nodes_max,
        }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct XmlText {
    pub(super) root: String,
    /// `{code}` stands for the message code.
    pub(super) namespace: String,
    /// The children of the root, in their order.
    #[serde(default)]
    pub(super) order: Vec<String>,
    /// The child under which a message's own root element stands; absent where fields stand under the root.
    #[serde(default)]
    pub(super) body: String,
    /// Fields stand directly under `body`; no message has a root element of its own.
    #[serde(default)]
    pub(super) bare: bool,
    /// An empty element is an absent one.
    #[serde(default)]
    pub(super) empty_is_absent: bool,
    /// Attribute that carries the currency of an amount.
    #[serde(default)]
    pub(super) currency: String,
    #[serde(default)]
    pub(super) unknown: UnknownText,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonText {
    /// `field`: the frame field of `com.code` names the message. `member`: the one member that is a message's `root` does.
    /// `target`: its target does, and an answer is named by the request that it answers, which the transport says in the
    /// header of `com.code`.
    #[serde(default)]
    pub(super) named_by: NamedByText,
    #[serde(default)]
    pub(super) unknown: UnknownText,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum NamedByText {
    #[default]
    Field,
    Member,
    Target,
}

/// One element a field under one root.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct FlatText {
    pub(super) root: String,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct FormText {
    /// Answers hold their values as they are, without percent-encoding.
    #[serde(default)]
    pub(super) plain_answers: bool,
    #[serde(default)]
    pub(super) unknown: UnknownText,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum UnknownText {
    #[default]
    Ignore,
    Reject,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpText {
    pub(super) content_type: String,
    /// Status of an answer whose outcome is final, and of one whose outcome is unknown.
    pub(super) status_final: u16,
    pub(super) status_unknown: u16,
    /// Answers come with any status; only a success never comes with that of an error.
    #[serde(default)]
    pub(super) status_free: bool,
    /// Content type of answers, where it is not that of requests.
    pub(super) answer_type: Option<String>,
    /// The path of every request that has no target of its own; they are posted there.
    pub(super) target: Option<String>,
    pub(super) refused: Option<RefusedText>,
}

/// What a request that is refused before it becomes an exchange is answered with.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusedText {
    pub(super) content_type: String,
    pub(super) body: String,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeText {
    /// Named here, or by each suite.
    pub(super) signature: Option<String>,
    pub(super) encoding: Option<String>,
    #[serde(default)]
    pub(super) user_id: String,
    pub(super) window_s: Option<u32>,
    /// `sealed` (as sent) or `clear`.
    pub(super) signed: Option<String>,
    pub(super) at: Option<String>,
    pub(super) serial: Option<String>,
    #[serde(default)]
    pub(super) serial_is_shared: bool,
    pub(super) unnamed: Option<String>,
    pub(super) made_at: Option<String>,
    pub(super) over: Option<String>,
    #[serde(default)]
    pub(super) first: Vec<String>,
    #[serde(default)]
    pub(super) excluded: Vec<String>,
    #[serde(default)]
    pub(super) suffix: String,
    /// How the messages are signed whose `signed_as` names the part.
    #[serde(default)]
    pub(super) parts: BTreeMap<String, SigningText>,
    pub(super) sealing: Option<SealingText>,
    /// An object that is sealed whole.
    pub(super) whole: Option<WholeText>,
    /// How a signature begins that its sender means to be refused.
    pub(super) probe: Option<String>,
    pub(super) capsule: Option<CapsuleText>,
    pub(super) nonce: Option<String>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
}

const fn yes() -> bool {
    true
}

/// One set of algorithms of an institution that knows several.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct SuiteText {
    pub(super) name: String,
    pub(super) signature: String,
    pub(super) encoding: Option<String>,
    /// Sealing scheme.
    pub(super) sealing: Option<String>,
    /// Scheme of what is sealed whole.
    pub(super) whole: Option<String>,
    /// What the sorted pairs of this suite end with.
    #[serde(default)]
    pub(super) suffix: String,
    /// False: messages name no key, and a link has one.
    #[serde(default = "yes")]
    pub(super) names_key: bool,
    /// Path of a frame field = the one value that it has in this suite.
    #[serde(default)]
    pub(super) values: BTreeMap<String, String>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
}

impl EnvelopeText {
    /// How messages are signed that name no part.
    pub(super) fn signing(&self) -> SigningText {
        SigningText {
            at: self.at.clone(),
            serial: self.serial.clone(),
            serial_is_shared: self.serial_is_shared,
            unnamed: self.unnamed.clone(),
            made_at: self.made_at.clone(),
            nonce: self.nonce.clone(),
            by_seal: false,
            over: self.over.clone(),
            first: self.first.clone(),
            excluded: self.excluded.clone(),
            suffix: self.suffix.clone(),
        }
    }
}

/// What is signed, and where the signature and its signer's name stand.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SigningText {
    /// Where the signature stands.
    pub(super) at: Option<String>,
    /// Where the serial number or key id of the signing key stands.
    pub(super) serial: Option<String>,
    /// The serial names a party whose key serves both ways.
    pub(super) serial_is_shared: bool,
    /// `refused`, or `one_key`: what a message is that names no serial.
    pub(super) unnamed: Option<String>,
    /// Where the moment of signing stands, for schemes with a window.
    pub(super) made_at: Option<String>,
    /// Where a text stands that is new in every message.
    pub(super) nonce: Option<String>,
    /// No signature: only the seal vouches for what is inside.
    pub(super) by_seal: bool,
    /// One of the signed texts.
    pub(super) over: Option<String>,
    /// Frame fields of the signed text, in order.
    pub(super) first: Vec<String>,
    /// Keys that sorted pairs leave out.
    pub(super) excluded: Vec<String>,
    /// What sorted pairs end with, such as the `&` before a key.
    pub(super) suffix: String,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HabitsText {
    pub(super) absent: AbsentText,
    pub(super) strip_tags: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum AbsentText {
    #[default]
    Slot,
    Skip,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FieldText {
    pub(super) path: Option<String>,
    pub(super) tag: Option<String>,
    #[serde(rename = "type")]
    pub(super) base: Option<String>,
    pub(super) zh: Option<String>,
    pub(super) en: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) values: Option<Vec<String>>,
    pub(super) len: Option<String>,
    pub(super) bytes: Option<usize>,
    pub(super) charset: Option<String>,
    pub(super) mask: Option<String>,
    pub(super) seal: Option<bool>,
    pub(super) signed: Option<bool>,
    pub(super) unsigned: Option<String>,
    /// Signs the value with its length before it, so that it may hold the separator.
    pub(super) counted: Option<bool>,
    pub(super) required: Option<bool>,
    pub(super) map: Option<String>,
    pub(super) fill: Option<String>,
    pub(super) fill_else: Option<String>,
    pub(super) default: Option<String>,
    pub(super) max: Option<usize>,
    /// Frame fields: the roles of the messages that have it.
    pub(super) roles: Option<Vec<String>>,
    /// Fields of a fixed header: where they begin.
    pub(super) at: Option<usize>,
    /// Fields of a fixed header: how many characters they have, blanks included.
    pub(super) width: Option<usize>,
    pub(super) same_as: Option<SameAsText>,
    pub(super) source: Option<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusText {
    pub(super) code: String,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    pub(super) code_says: Option<String>,
    pub(super) source: Option<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeText {
    pub(super) code: String,
    /// Why it failed; a code without a reason says `outcome = "unknown"`.
    pub(super) reason: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) zh: Option<String>,
    pub(super) source: Option<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageText {
    pub(super) code: String,
    pub(super) zh: String,
    pub(super) en: String,
    pub(super) direction: String,
    pub(super) operation: Option<String>,
    pub(super) operations: Option<OperationsText>,
    pub(super) role: String,
    pub(super) root: Option<String>,
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    pub(super) reply: Option<String>,
    /// Never sealed at its root.
    #[serde(default)]
    pub(super) in_clear: bool,
    /// The whole body of an acknowledgement that states nothing else.
    pub(super) literal: Option<String>,
    /// How a form is known as this message, where the field of `com.code` does not hold its code.
    pub(super) named: Option<NamedText>,
    /// The part of the envelope that says how it is signed.
    pub(super) signed_as: Option<String>,
    /// Path = what a field of this message holds when the payment gives it nothing.
    #[serde(default)]
    pub(super) defaults: BTreeMap<String, String>,
    /// A second message for the same operation and role, never chosen by `message_for`.
    #[serde(default)]
    pub(super) alternative: bool,
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// Paths that this message requires beyond what its fields say.
    #[serde(default)]
    pub(super) required: Vec<String>,
    /// The fields that this message signs, in order, where its signature is over `values`.
    #[serde(default)]
    pub(super) signs: Vec<String>,
    #[serde(default)]
    pub(super) fields: Vec<FieldText>,
    #[serde(default)]
    pub(super) groups: Vec<GroupText>,
    pub(super) outcome: Option<OutcomeText>,
    /// Attribute = text: what the message means without saying it.
    #[serde(default)]
    pub(super) constants: BTreeMap<String, String>,
    /// Attribute = attribute: copied when the first is absent after parsing.
    #[serde(default)]
    pub(super) derive: BTreeMap<String, String>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedText {
    /// What the field of `com.code` may hold; the first is written.
    pub(super) values: Vec<String>,
    /// A key by which it is known whatever that field holds; such a message stands before those of its values.
    pub(super) with: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationsText {
    pub(super) field: String,
    pub(super) values: Vec<OperationText>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationText {
    pub(super) value: String,
    pub(super) operation: String,
    pub(super) source: Option<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupText {
    pub(super) path: String,
    pub(super) max: usize,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct OutcomeText {
    pub(super) status: String,
    pub(super) table: String,
    pub(super) code: Option<String>,
    pub(super) text: Option<String>,
    /// Where the status stands in an answer without `status`.
    pub(super) otherwise: Option<OtherwiseText>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherwiseText {
    pub(super) status: String,
    pub(super) table: String,
}
