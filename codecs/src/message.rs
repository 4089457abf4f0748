//! One parsed message: its values, what it is signed with, what is sealed in it, and the payment that it stands for.
//!
//! No key is needed here. A draft of a message to be sent is in `draft.rs`.

pub use crate::describe::DescribedField;
pub use crate::draft::{Draft, SealTarget};

use crate::envelope::{RawCiphertext, RawSignature, SignatureScheme, ciphertext_from_der, signature_from_der};
use crate::error::ParseError;
use crate::field::{Broken, base64_decode, is_base64};
use crate::mapping;
use crate::payment::{Operation, Outcome, Payment, Role};
use crate::signed;
use crate::spec::plan::{FieldId, Place, SignatureEncoding};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::{Start, Wire};
use time::OffsetDateTime;

/// A message as parsed: every slot borrowed from the wire bytes, kinds and lengths of clear fields checked.
pub struct Message<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) kind: &'a MessageSpec,
    pub(crate) values: Values<'a>,
    wire: &'a Wire,
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
    /// Serial number (SM2) or key id (HMAC) that the message names.
    pub serial: String,
    /// SM2: r||s. HMAC: the tag is in `tag`.
    pub sm2: Option<RawSignature>,
    pub tag: Option<[u8; 32]>,
    /// When the message says it was made, for schemes with a freshness window (platform: `Hangu-Timestamp`).
    pub made_at: Option<OffsetDateTime>,
    /// Allowed distance of `made_at` from now, in seconds.
    pub window_s: Option<u32>,
}

/// The digital envelope that a message carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvelopeFound {
    /// Serial number of our key under which the data key is wrapped.
    pub serial: String,
    pub wrapped: RawCiphertext,
}

/// One sealed field: SM4-GCM parts and the additional data that binds it to its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedField {
    /// Handle for `set_opened`.
    pub slot: usize,
    pub path: String,
    pub nonce: [u8; 12],
    pub ciphertext: Vec<u8>,
    pub tag: [u8; 16],
    pub additional: Vec<u8>,
}

impl Spec {
    /// Parses strictly; no key is needed. Refuses what the spec's limits and kinds refuse.
    pub fn parse<'a>(&'a self, wire: &'a Wire) -> Result<Message<'a>, ParseError> {
        let (kind, values) = self.format.read(self, wire)?;
        let mut message = Message {
            spec: self,
            kind,
            values,
            wire,
        };
        message.check()?;
        Ok(message)
    }

    /// Reads only the communication header of a message that `parse` refused, for an answer such as NPS.900.
    /// Returns com.* attributes; `None` when not even the header can be trusted to be readable.
    /// A code that the spec does not know gives operation `notice`.
    pub fn peek(&self, wire: &Wire) -> Option<Payment> {
        let values = self.format.peek(self, wire)?;
        let code = values.get(self.code_field)?.sent.as_ref();
        let known = self.message(code);
        let any = known.or_else(|| self.messages().next())?;
        let (operation, role) = known.map_or((Operation::Notice, Role::Request), |kind| {
            (mapping::operation(kind, &values).unwrap_or(kind.operation), kind.role)
        });
        let mut payment = Payment::new(operation, role);
        for (id, field) in any.plan.fields.iter().enumerate().take(self.frame_count) {
            let Some(item) = values.get(id) else {
                // The transport's own fields suffice where the body cannot be read.
                if field.required && !(self.http.is_some() && matches!(field.place, Place::Body(_))) {
                    return None;
                }
                continue;
            };
            if field.rules.check(&item.sent).is_err() {
                return None;
            }
            if let (Some(attribute), Some(value)) = (field.map, field.rules.kind.value(&item.sent)) {
                payment.put(attribute, value).ok()?;
            }
        }
        Some(payment)
    }
}

impl<'a> Message<'a> {
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
            .peek(self.wire)
            .unwrap_or_else(|| Payment::new(self.operation(), self.kind.role))
    }

    /// The exact text that the signature covers, from the bytes as received.
    pub fn signed_text(&self) -> Result<Vec<u8>, ParseError> {
        signed::text(self.spec, &self.kind.plan, &self.values, &self.wire.start, &self.wire.body)
            .map_err(|(field, broken)| self.broken(field, broken))
    }

    /// `Ok(None)` only when the spec says `signature = "none"`.
    pub fn signature(&self) -> Result<Option<SignatureFound>, ParseError> {
        let envelope = &self.spec.envelope;
        let (Some(at), Some(serial)) = (envelope.signature, envelope.serial) else {
            return Ok(None);
        };
        let bytes = self.signature_bytes(at)?;
        let (sm2, tag) = match envelope.encoding {
            SignatureEncoding::Der => (Some(signature_from_der(&bytes).map_err(|error| self.at(at, error))?), None),
            SignatureEncoding::Raw => (Some(self.exact(at, &bytes)?), None),
            SignatureEncoding::Hex => (None, Some(self.exact(at, &bytes)?)),
        };
        let made_at = envelope.made_at.map(|field| self.sent(field)).transpose()?;
        Ok(Some(SignatureFound {
            scheme: envelope.scheme,
            serial: self.sent(serial)?.to_owned(),
            sm2,
            tag,
            made_at: made_at.and_then(crate::field::rfc3339),
            window_s: envelope.window_s,
        }))
    }

    /// The user id for SM2's Z value, from the spec.
    pub fn user_id(&self) -> &[u8] {
        &self.spec.envelope.user_id
    }

    /// `Ok(None)` when nothing is sealed (no sealed field present).
    pub fn envelope(&self) -> Result<Option<EnvelopeFound>, ParseError> {
        let Some(sealing) = self.spec.envelope.sealing.as_ref() else {
            return Ok(None);
        };
        if !self.values.items().iter().any(|item| item.sealed) {
            return Ok(None);
        }
        let serial = self.sent(sealing.serial)?.to_owned();
        let der = base64_decode(self.sent(sealing.key)?);
        let der = der.ok_or_else(|| self.broken(sealing.key, Broken::new("field.kind", "expected base64")))?;
        let wrapped = ciphertext_from_der(&der).map_err(|error| self.at(sealing.key, error))?;
        Ok(Some(EnvelopeFound { serial, wrapped }))
    }

    pub fn sealed_fields(&self) -> Result<Vec<SealedField>, ParseError> {
        let sealed = self.values.items().iter().enumerate().filter(|(_, item)| item.sealed);
        sealed.map(|(slot, item)| self.sealed_field(slot, item)).collect()
    }

    /// Puts the clear value of a sealed field in place; kind, charset and length rules apply to it here.
    pub fn set_opened(&mut self, slot: usize, clear: &[u8]) -> Result<(), ParseError> {
        let kind = self.kind;
        let item = self.values.item_mut(slot).filter(|item| item.sealed);
        let item = item.ok_or_else(|| Broken::new("seal.slot", "no sealed field has this slot").read("", None))?;
        let Some(field) = kind.plan.field(item.field) else {
            return Ok(());
        };
        let text = std::str::from_utf8(clear).map_err(|_| Broken::new("encoding.utf8", "its clear value is not UTF-8"));
        let checked = text.and_then(|text| field.rules.check(text).map(|()| text.to_owned()));
        item.clear = Some(checked.map_err(|broken| broken.read(&field.path, item.offset))?);
        Ok(())
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
    fn check(&mut self) -> Result<(), ParseError> {
        self.mark_sealed()?;
        for item in self.values.items() {
            let Some(field) = self.kind.plan.field(item.field) else {
                continue;
            };
            let checked = if item.sealed {
                sealed_form(&item.sent, field.rules.length.sealed_max())
            } else {
                field.rules.check(&item.sent)
            };
            checked.map_err(|broken| broken.read(&field.path, item.offset))?;
            if self.spec.envelope.over == crate::spec::plan::Over::Fields
                && field.signed
                && !field.counted
                && item.sent.contains('|')
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
        let absent = |&(id, field): &(usize, &crate::spec::plan::Field)| field.required && self.values.get(id).is_none();
        let skipped = |field: &crate::spec::plan::Field| self.kind.is_bodyless() && matches!(field.place, Place::Body(_));
        for (_, field) in self.kind.plan.fields.iter().enumerate().filter(absent) {
            let optional = field.group.is_some_and(|group| self.group_absent(group));
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

    /// Marks what the spec seals; refuses clear values where sealed ones are due, and an envelope where none is.
    fn mark_sealed(&mut self) -> Result<(), ParseError> {
        let Some(sealing) = self.spec.envelope.sealing.as_ref() else {
            return Ok(());
        };
        let enveloped = self.values.get(sealing.key).is_some();
        if !sealing.on && enveloped {
            return Err(self.broken(
                sealing.key,
                Broken::new("seal.unexpected", "an envelope, but sealing is off for this link"),
            ));
        }
        if !sealing.on || !self.kind.plan.seals() {
            return Ok(());
        }
        let kind = self.kind;
        for slot in 0..self.values.items().len() {
            let Some(item) = self.values.item_mut(slot) else { continue };
            let Some(field) = kind.plan.field(item.field).filter(|field| field.seal) else {
                continue;
            };
            item.sealed = true;
            if !enveloped {
                sealed_form(&item.sent, field.rules.length.sealed_max())
                    .map_err(|broken| broken.read(&field.path, item.offset))?;
                return Err(Broken::new("seal.envelope", "a sealed value without an envelope").read(&field.path, item.offset));
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
        if *status == expected {
            return Ok(());
        }
        Err(crate::format::fault(
            "http.status",
            None,
            format!("status {status}, but the outcome calls for {expected}"),
        ))
    }

    fn sealed_field(&self, slot: usize, item: &Item<'a>) -> Result<SealedField, ParseError> {
        let field = self.kind.plan.field(item.field);
        let (path, max) = field.map_or((String::new(), 0), |field| {
            (field.path.clone(), field.rules.length.sealed_max())
        });
        let (nonce, ciphertext, tag) = sealed_parts(&item.sent, max).map_err(|broken| broken.read(&path, item.offset))?;
        Ok(SealedField {
            slot,
            additional: additional(self.kind, &self.values, &path, item.occurrence),
            path,
            nonce,
            ciphertext,
            tag,
        })
    }

    fn signature_bytes(&self, at: FieldId) -> Result<Vec<u8>, ParseError> {
        let text = self.sent(at)?;
        let (bytes, wanted) = match self.spec.envelope.encoding {
            SignatureEncoding::Der | SignatureEncoding::Raw => (base64_decode(text), "base64"),
            SignatureEncoding::Hex => (crate::field::hex_decode(text), "lower-case hex"),
        };
        bytes.ok_or_else(|| self.broken(at, Broken::new("signature.encoding", format!("expected {wanted}"))))
    }

    fn exact<const N: usize>(&self, at: FieldId, bytes: &[u8]) -> Result<[u8; N], ParseError> {
        let exact = bytes.try_into();
        exact.map_err(|_| {
            self.broken(
                at,
                Broken::new("signature.encoding", format!("{} bytes, expected {N}", bytes.len())),
            )
        })
    }

    /// The text of a field that must be there.
    fn sent(&self, field: FieldId) -> Result<&str, ParseError> {
        let item = self.values.get(field);
        item.map(|item| item.sent.as_ref())
            .ok_or_else(|| self.broken(field, Broken::new("field.missing", "it is missing")))
    }

    fn broken(&self, field: FieldId, broken: Broken) -> ParseError {
        let path = self
            .kind
            .plan
            .field(field)
            .map(|field| field.path.as_str())
            .unwrap_or_default();
        broken.read(path, self.values.get(field).and_then(|item| item.offset))
    }

    fn at(&self, field: FieldId, error: ParseError) -> ParseError {
        self.broken(
            field,
            Broken {
                rule: error.rule,
                detail: error.detail,
            },
        )
    }
}

/// Nonce, ciphertext and tag of a sealed value.
type SealedParts = ([u8; 12], Vec<u8>, [u8; 16]);

/// Checks what `sealed_parts` needs, without decoding.
fn sealed_form(text: &str, max: usize) -> Result<(), Broken> {
    let padding = text.bytes().rev().take_while(|&b| b == b'=').count();
    let length = (text.len() / 4 * 3).saturating_sub(padding);
    if text.len() > max {
        return Err(Broken::new(
            "field.length",
            format!("{} characters, allowed {max} when sealed", text.len()),
        ));
    }
    if length <= 12 + 16 || !is_base64(text) {
        return Err(Broken::new("seal.missing", SEALED_FORM));
    }
    Ok(())
}

const SEALED_FORM: &str = "a sealed value is expected: base64 of nonce, ciphertext and tag";

/// Takes base64(nonce || ciphertext || tag) apart; the ciphertext is never empty.
fn sealed_parts(text: &str, max: usize) -> Result<SealedParts, Broken> {
    sealed_form(text, max)?;
    let missing = || Broken::new("seal.missing", SEALED_FORM);
    let bytes = base64_decode(text).ok_or_else(missing)?;
    let (nonce, rest) = bytes.split_first_chunk::<12>().ok_or_else(missing)?;
    let (ciphertext, tag) = rest.split_last_chunk::<16>().ok_or_else(missing)?;
    Ok((*nonce, ciphertext.to_vec(), *tag))
}

/// `MsgId|path[n]`: binds a sealed value to its message and its place.
pub(crate) fn additional(kind: &MessageSpec, values: &Values<'_>, path: &str, occurrence: usize) -> Vec<u8> {
    let msg_id = kind
        .plan
        .msg_id
        .and_then(|field| values.get(field))
        .map_or("", |item| &item.sent);
    format!("{msg_id}|{path}[{occurrence}]").into_bytes()
}
