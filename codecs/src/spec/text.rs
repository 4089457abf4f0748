//! The tables of `spec.toml` as they are written. Nothing here is checked beyond names and types; `load` does that.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecText {
    pub(super) name: NameText,
    pub(super) format: String,
    pub(super) source: String,
    pub(super) confidence: Confidence,
    #[serde(default)]
    pub(super) limits: LimitsText,
    pub(super) xml: Option<XmlText>,
    pub(super) json: Option<JsonText>,
    pub(super) http: Option<HttpText>,
    pub(super) envelope: EnvelopeText,
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
        Self {
            message_bytes_max: 1 << 20,
            depth_max: 32,
            attributes_max: 64,
            attribute_bytes_max: 4096,
            nodes_max: 20_000,
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
    pub(super) order: Vec<String>,
    /// The child under which a message's own root element stands.
    pub(super) body: String,
    /// Attribute that carries the currency of an amount.
    pub(super) currency: String,
    #[serde(default)]
    pub(super) unknown: UnknownText,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonText {
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
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeText {
    pub(super) signature: String,
    pub(super) encoding: Option<String>,
    #[serde(default)]
    pub(super) user_id: String,
    /// Where the signature stands.
    pub(super) at: Option<String>,
    /// Where the serial number or key id of the signing key stands.
    pub(super) serial: Option<String>,
    /// Where the moment of signing stands, for schemes with a window.
    pub(super) made_at: Option<String>,
    pub(super) window_s: Option<u32>,
    /// `fields` or `http`.
    pub(super) over: Option<String>,
    /// `sealed` (as sent) or `clear`.
    pub(super) signed: Option<String>,
    /// Frame fields of the signed text, in order.
    #[serde(default)]
    pub(super) first: Vec<String>,
    pub(super) sealing: Option<SealingText>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct SealingText {
    pub(super) on: bool,
    pub(super) serial: String,
    pub(super) key: String,
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
    pub(super) default: Option<String>,
    pub(super) max: Option<usize>,
    pub(super) source: Option<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusText {
    pub(super) code: String,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    pub(super) source: Option<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeText {
    pub(super) code: String,
    pub(super) reason: String,
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
    /// A second message for the same operation and role, never chosen by `message_for`.
    #[serde(default)]
    pub(super) alternative: bool,
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// Paths that this message requires beyond what its fields say.
    #[serde(default)]
    pub(super) required: Vec<String>,
    #[serde(default)]
    pub(super) fields: Vec<FieldText>,
    #[serde(default)]
    pub(super) groups: Vec<GroupText>,
    pub(super) outcome: Option<OutcomeText>,
    /// Attribute = attribute: copied when the first is absent after parsing.
    #[serde(default)]
    pub(super) derive: BTreeMap<String, String>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
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
}
