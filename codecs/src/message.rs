//! One parsed message: its values, what it is signed with, what is sealed in it, and the payment that it stands for.
//!
//! No key is needed here. A draft of a message to be sent is in `draft.rs`.

pub use crate::describe::DescribedField;
pub use crate::draft::{Draft, SealTarget};
pub use crate::sealed::{EnvelopeFound, SealedBlocks, SealedEach, SealedField};
pub use crate::signed::SignedForm;
pub use crate::whole::{Bound, SealedWhole, WholeTarget};

use crate::envelope::{SignatureScheme, SignatureValue};
use crate::error::ParseError;
use crate::field::Broken;
use crate::mapping;
use crate::payment::{Operation, Outcome, Payment};
use crate::sealed::sealed_form;
use crate::signed;
use crate::spec::plan::{Field, FieldId, Over, Place};
use crate::spec::{MessageSpec, Spec};
use crate::values::Values;
use crate::wire::{Start, Wire};
use std::borrow::Cow;
use time::OffsetDateTime;

/// A message as parsed: every slot borrowed from the wire bytes, kinds and lengths of clear fields checked.
pub struct Message<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) kind: &'a MessageSpec,
    pub(crate) values: Values<'a>,
    /// In UTF-8, whatever the charset of the wire.
    pub(crate) wire: Cow<'a, Wire>,
}

impl std::fmt::Debug for Message<'_> {
    /// Names the message and nothing that it says.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("code", &self.kind.code)
            .field("values", &self.values.items().len())
            .finish_non_exhaustive()
    }
}

/// The signature that a message carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureFound {
    pub scheme: SignatureScheme,
    pub signer: Signer,
    pub value: SignatureValue,
    /// When the message says it was made, for schemes with a freshness window (platform: `Hangu-Timestamp`).
    pub made_at: Option<OffsetDateTime>,
    /// Allowed distance of `made_at` from now, in seconds.
    pub window_s: Option<u32>,
}

/// How a message says under which key it is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signer {
    /// The serial number or key id that it names.
    Named(String),
    /// It names none, and the spec says that its link has one key.
    OneKey,
}

impl Signer {
    /// The serial number, if one is named.
    pub fn serial(&self) -> Option<&str> {
        match self {
            Self::Named(serial) => Some(serial),
            Self::OneKey => None,
        }
    }
}

impl Message<'_> {
    pub fn kind(&self) -> &MessageSpec {
        self.kind
    }

    /// The operation that the message carries, also where a field selects among several.
    pub fn operation(&self) -> Operation {
        mapping::operation(self.kind, &self.values).unwrap_or(self.kind.operation)
    }

    /// Whether the spec says `signed = "clear"`: the signature covers opened values, so opening comes first.
    pub fn signs_clear_values(&self) -> bool {
        self.spec.envelope.covers == crate::spec::plan::Covers::Clear
    }

    /// The com.* and ref.* attributes, for answers and records; no business field.
    pub fn header(&self) -> Payment {
        self.spec
            .peek_content(&self.wire)
            .unwrap_or_else(|| Payment::new(self.operation(), self.kind.role))
    }

    /// The exact text that the signature covers, from the bytes as received.
    pub fn signed_text(&self) -> Result<Vec<u8>, ParseError> {
        let text = signed::text(self.spec, self.kind, &self.values, &self.wire.start, &self.wire.body)
            .map_err(|(field, broken)| self.broken(field, broken))?;
        self.spec
            .charset
            .encoded(text)
            .map_err(|broken| self.broken(self.spec.code_field, broken))
    }

    /// `Ok(None)` only when the spec says `signature = "none"`, and for an acknowledgement that is one word.
    pub fn signature(&self) -> Result<Option<SignatureFound>, ParseError> {
        let (envelope, signing) = (&self.spec.envelope, &self.kind.plan.signing);
        let Some(at) = signing.signature.filter(|_| self.kind.plan.literal.is_none()) else {
            return Ok(None);
        };
        let signer = match signing
            .serial
            .filter(|&serial| self.values.get(serial).is_some() || !signing.one_key)
        {
            Some(serial) => Signer::Named(self.sent(serial)?.to_owned()),
            None => Signer::OneKey,
        };
        if envelope
            .probe
            .as_ref()
            .is_some_and(|probe| self.values.get(at).is_some_and(|item| item.sent.starts_with(probe)))
        {
            let probe = Broken::new("signature.invalid", "a probe: its sender means to see it refused");
            return Err(self.broken(at, probe));
        }
        let value = envelope.encoding.read(self.sent(at)?).map_err(|error| self.at(at, error))?;
        let made_at = signing.made_at.map(|field| Ok((field, self.sent(field)?))).transpose()?;
        Ok(Some(SignatureFound {
            scheme: envelope.scheme,
            signer,
            value,
            made_at: made_at.and_then(|(field, text)| self.kind.plan.field(field)?.rules.kind.moment(text)),
            window_s: envelope.window_s.filter(|_| signing.made_at.is_some()),
        }))
    }

    /// The user id for SM2's Z value, from the spec.
    pub fn user_id(&self) -> &[u8] {
        &self.spec.envelope.user_id
    }

    /// By what an answer is matched to a request of ours: the serial, or what the spec derives it from.
    pub fn serial(&self) -> Option<String> {
        mapping::serial(self.kind, &self.values)
    }

    /// Translates to the canonical form. Sealed fields must have been opened.
    pub fn payment(&self) -> Result<Payment, ParseError> {
        mapping::payment(self.spec, self.kind, &self.values)
    }

    /// The outcome that an answer states; needs no opened field. `None` for what states none.
    pub fn outcome(&self) -> Option<Outcome> {
        mapping::outcome(self.spec, self.kind, &self.values)
    }

    /// Path, name, value (masked unless `danger_unmasked`) and byte offset of every field present, in order.
    pub fn describe(&self, danger_unmasked: bool) -> Vec<DescribedField> {
        crate::describe::fields(self, danger_unmasked)
    }

    /// The fields of the signed text in order, for `explain`: path and the text of the slot (masked).
    pub fn signed_fields(&self) -> Vec<DescribedField> {
        crate::describe::signed(self)
    }

    /// Rules of every value, sealing, required fields, separators, and the status line of an answer.
    pub(crate) fn check(&mut self) -> Result<(), ParseError> {
        self.mark_sealed()?;
        for item in self.values.items() {
            let Some(field) = self.kind.plan.field(item.field) else {
                continue;
            };
            let checked = if let (true, Some(sealing)) = (item.sealed, &self.spec.envelope.sealing) {
                sealed_form(sealing, field, &item.sent)
            } else {
                field.rules.check(&item.sent)
            };
            checked.map_err(|broken| broken.read(&field.path, item.offset))?;
            if self.kind.plan.signing.over == Over::Fields
                && field.signed
                && !field.counted
                && item.sent.as_bytes().contains(&b'|')
            {
                return Err(
                    Broken::new("signed.separator", "a signed value holds the separator `|`").read(&field.path, item.offset)
                );
            }
        }
        self.required()?;
        mapping::operation(self.kind, &self.values)?;
        self.status()
    }

    fn required(&self) -> Result<(), ParseError> {
        let absent = |&(id, field): &(usize, &Field)| {
            field.required && !matches!(field.place, Place::Inside(..)) && self.values.get(id).is_none()
        };
        let skipped = |field: &Field| self.kind.is_bodyless() && matches!(field.place, Place::Body(_));
        for (_, field) in self.kind.plan.fields.iter().enumerate().filter(absent) {
            let optional = field.group.is_some_and(|group| self.group_absent(group)) || matches!(field.place, Place::Whole(_));
            if !optional && !skipped(field) {
                return Err(Broken::new("field.missing", "a required field is missing").read(&field.path, None));
            }
        }
        self.whole_groups()
    }

    fn group_absent(&self, group: usize) -> bool {
        let group = self.kind.plan.groups.get(group);
        group.is_none_or(|group| group.fields.iter().all(|&field| self.values.get(field).is_none()))
    }

    /// Every repeat of an element holds every field of it.
    fn whole_groups(&self) -> Result<(), ParseError> {
        for group in &self.kind.plan.groups {
            let counts: Vec<usize> = group.fields.iter().map(|&field| self.values.all(field).count()).collect();
            if counts.windows(2).any(|pair| matches!(pair, [a, b] if a != b)) {
                return Err(Broken::new("field.missing", "a repeat lacks one of its fields").read(&group.path, None));
            }
        }
        Ok(())
    }

    /// An answer's status line must say what its outcome says.
    fn status(&self) -> Result<(), ParseError> {
        let (Some(http), Start::Status(status)) = (&self.spec.http, &self.wire.start) else {
            return Ok(());
        };
        let expected = mapping::status(self.spec, self.kind, &self.values, http);
        let is_success = mapping::outcome(self.spec, self.kind, &self.values) == Some(Outcome::Success);
        if *status == expected || (http.status_free && (*status < 400 || !is_success)) {
            return Ok(());
        }
        Err(crate::format::fault(
            "http.status",
            None,
            format!("status {status}, but the outcome calls for {expected}"),
        ))
    }

    /// The text of a field that must be there.
    pub(crate) fn sent(&self, field: FieldId) -> Result<&str, ParseError> {
        let item = self.values.get(field);
        item.map(|item| item.sent.as_ref())
            .ok_or_else(|| self.broken(field, Broken::new("field.missing", "it is missing")))
    }

    pub(crate) fn broken(&self, field: FieldId, broken: Broken) -> ParseError {
        let path = self
            .kind
            .plan
            .field(field)
            .map(|field| field.path.as_str())
            .unwrap_or_default();
        broken.read(path, self.values.get(field).and_then(|item| item.offset))
    }

    pub(crate) fn at(&self, field: FieldId, error: ParseError) -> ParseError {
        self.broken(
            field,
            Broken {
                rule: error.rule,
                detail: error.detail,
            },
        )
    }
}
