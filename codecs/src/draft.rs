//! One message to be sent: drafted from a payment, then sealed, then signed, then written.
//!
//! The draft knows what to seal and what to sign; it does neither.

use crate::envelope::gcm_fields::additional;
use crate::envelope::session::ciphertext_to_raw;
use crate::envelope::{RawCiphertext, RawSignature, SealingScheme, SignatureScheme, SignatureValue, ciphertext_to_der};
use crate::error::BuildError;
use crate::field::{Broken, base64_encode, canonical, hex_encode};
use crate::format::write_parts;
use crate::mapping;
use crate::payment::{Payment, Value};
use crate::signed;
use crate::spec::plan::{Field, FieldId, Http, Over, Piece, Place};
use crate::spec::{MessageSpec, Spec};
use crate::values::Values;
use crate::wire::{Start, Wire};
use std::cell::OnceCell;
use time::OffsetDateTime;

/// A message under construction: seal, then sign, then `finish`.
pub struct Draft<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) kind: &'a MessageSpec,
    pub(crate) values: Values<'a>,
    /// The body as signed, where the signature covers its bytes and stands outside of it.
    pub(crate) signed_body: OnceCell<Vec<u8>>,
}

impl std::fmt::Debug for Draft<'_> {
    /// Names the message and nothing that it says.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("code", &self.kind.code).finish_non_exhaustive()
    }
}

/// A field that the spec wants sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SealTarget {
    pub slot: usize,
    pub clear: String,
    pub additional: Vec<u8>,
}

impl Spec {
    /// Starts a message of type `code` from a payment: maps, checks kinds, lengths and required fields.
    pub fn draft<'a>(&'a self, code: &str, payment: &'a Payment) -> Result<Draft<'a>, BuildError> {
        let kind = self.message(code);
        let kind = kind.ok_or_else(|| Broken::new("message.unknown", "the spec has no message of this code").built(code))?;
        if !kind.operations.contains(&payment.operation) {
            return Err(Broken::new("message.operation", format!("it does not carry {}", payment.operation)).built(code));
        }
        let values = mapping::values(self, kind, payment)?;
        Ok(Draft {
            spec: self,
            kind,
            values,
            signed_body: OnceCell::new(),
        })
    }

    /// Whether a message is only good for some time after it was authenticated (a signed timestamp).
    pub fn authentication_ages(&self) -> bool {
        self.envelope.signing.made_at.is_some()
    }

    /// A draft of a message of ours as it was written before, to be authenticated anew. Single sealed values stay as they are;
    /// where a signature covers their clear text, or an object is sealed whole, it cannot be written again without the key.
    pub fn redraft(&self, wire: &Wire) -> Result<Draft<'_>, BuildError> {
        let message = self.parse(wire).map_err(|error| BuildError {
            rule: error.rule,
            field: error.field.unwrap_or_default(),
            detail: error.detail,
        })?;
        let kind = message.kind.code.clone();
        let is_sealed = message.values.items().iter().any(|item| item.sealed);
        if (is_sealed && message.signs_clear_values()) || message.kind.plan.whole.is_some() {
            return Err(Broken::new("seal.missing", "a sealed message cannot be authenticated anew").built(&kind));
        }
        let missing = || Broken::new("message.unknown", "the spec has no message of this code").built(&kind);
        let kind = self.message(&kind).ok_or_else(missing)?;
        Ok(Draft {
            spec: self,
            kind,
            values: message.values.to_owned_values(),
            signed_body: OnceCell::new(),
        })
    }
}

impl Draft<'_> {
    pub fn kind(&self) -> &MessageSpec {
        self.kind
    }

    /// `None` also for an acknowledgement that is one word, and for what its seal alone vouches for.
    pub fn signature_scheme(&self) -> SignatureScheme {
        if self.kind.plan.literal.is_some() || self.kind.plan.signing.by_seal {
            SignatureScheme::None
        } else {
            self.spec.envelope.scheme
        }
    }

    /// How its sensitive fields are to be sealed.
    pub fn sealing_scheme(&self) -> Option<SealingScheme> {
        self.spec.envelope.sealing.as_ref().map(|sealing| sealing.scheme)
    }

    pub fn user_id(&self) -> &[u8] {
        &self.spec.envelope.user_id
    }

    /// The fields to seal; empty when sealing is off for this spec or nothing sensitive is present.
    pub fn seal_targets(&self) -> Vec<SealTarget> {
        let mut targets = Vec::new();
        for (slot, item) in self.values.items().iter().enumerate() {
            if let (true, Some(clear), Some(field)) = (item.sealed, &item.clear, self.kind.plan.field(item.field)) {
                let additional = additional(self.kind, &self.values, &field.path, item.occurrence);
                targets.push(SealTarget {
                    slot,
                    clear: clear.clone(),
                    additional,
                });
            }
        }
        targets
    }

    /// Puts a value sealed under SM4-GCM in place.
    pub fn set_sealed(&mut self, slot: usize, nonce: &[u8; 12], ciphertext: &[u8], tag: &[u8; 16]) {
        self.signed_body.take();
        if let Some(item) = self.values.item_mut(slot).filter(|item| item.sealed) {
            item.sent = base64_encode(&[nonce, ciphertext, tag].concat()).into();
        }
    }

    /// Puts a value sealed under a block cipher in place, or one sealed by itself under the receiver's key.
    pub fn set_sealed_blocks(&mut self, slot: usize, ciphertext: &[u8]) {
        self.signed_body.take();
        if let Some(item) = self.values.item_mut(slot).filter(|item| item.sealed) {
            item.sent = base64_encode(ciphertext).into();
        }
    }

    /// The serial of the receiver's key and the wrapped data key.
    pub fn set_envelope(&mut self, serial: &str, wrapped: &RawCiphertext) {
        self.signed_body.take();
        if let Some(sealing) = &self.spec.envelope.sealing {
            self.values.set(sealing.serial, serial.to_owned());
            let bytes = match sealing.scheme {
                SealingScheme::Session(_) => ciphertext_to_raw(wrapped),
                SealingScheme::Sm4Gcm | SealingScheme::TextKey(_) | SealingScheme::Each(_) => ciphertext_to_der(wrapped),
            };
            self.wrap(&bytes);
        }
    }

    /// The serial of the receiver's key that every value is sealed under by itself, where such a message names it.
    pub fn set_sealed_for(&mut self, serial: &str) {
        self.signed_body.take();
        let sealing = self.spec.envelope.sealing.as_ref();
        if let Some(field) = sealing.and_then(|sealing| sealing.serial_in(self.kind.role)) {
            self.values.set(field, serial.to_owned());
        }
    }

    fn wrap(&mut self, wrapped: &[u8]) {
        if let Some(key) = self.spec.envelope.sealing.as_ref().and_then(|sealing| sealing.key) {
            self.values.set(key, base64_encode(wrapped));
        }
    }

    /// The same for a data key that is wrapped with RSA.
    pub fn set_rsa_envelope(&mut self, serial: &str, wrapped: &[u8]) {
        self.signed_body.take();
        if let Some(sealing) = &self.spec.envelope.sealing {
            self.values.set(sealing.serial, serial.to_owned());
            self.wrap(wrapped);
        }
    }

    /// The serial number or key id of the signing key, and the moment of signing; both are part of the signed text.
    pub fn set_signer(&mut self, serial: &str, made_at: OffsetDateTime) {
        self.signed_body.take();
        let signing = &self.kind.plan.signing;
        if let Some(field) = signing.serial.filter(|_| !signing.is_shared) {
            self.values.set(field, serial.to_owned());
        }
        let written = |id: FieldId| {
            let kind = &self.kind.plan.field(id)?.rules.kind;
            Some((id, kind.text(&Value::text(canonical(made_at)?))?.into_owned()))
        };
        if let Some((field, moment)) = signing.made_at.and_then(written) {
            self.values.set(field, moment);
        }
    }

    /// The serial of the key that must authenticate it, where the message itself says so by a field like any other.
    pub fn named_signer(&self) -> Option<&str> {
        let signing = &self.kind.plan.signing;
        let serial = signing.serial.filter(|_| signing.is_shared)?;
        self.values.get(serial).map(|item| item.sent.as_ref())
    }

    /// Puts a text in place that is new in every message, where the spec has one; the bytes are the caller's randomness.
    pub fn set_nonce(&mut self, random: &[u8; 16]) {
        self.signed_body.take();
        if let Some(field) = self.kind.plan.signing.nonce {
            self.values.set(field, hex_encode(random));
        }
    }

    /// The exact text to sign. Refuses a `|` inside a signed value.
    pub fn signed_text(&self) -> Result<Vec<u8>, BuildError> {
        self.complete()?;
        // A text over fields does not look at the body, so it need not be written yet.
        let body = if self.kind.plan.signing.over == Over::Fields {
            &[][..]
        } else {
            self.written_body()?
        };
        let text = signed::text(self.spec, self.kind, &self.values, &self.start()?, body);
        let text = text.map_err(|(field, broken)| self.broken(field, broken))?;
        self.mappable()?;
        let encoded = self.spec.charset.encoded(text);
        encoded.map_err(|broken| broken.built(&self.kind.code))
    }

    /// Writes the bytes with an SM2 signature (r||s).
    pub fn finish_sm2(self, signature: &RawSignature) -> Result<Wire, BuildError> {
        self.finish(&SignatureValue::Sm2(*signature))
    }

    /// Writes the bytes with a MAC or an RSA signature.
    pub fn finish_bytes(self, signature: &[u8]) -> Result<Wire, BuildError> {
        self.finish(&SignatureValue::Bytes(signature.to_vec()))
    }

    /// Writes the bytes of a message without a signature, as its spec says.
    pub fn finish_unsigned(self) -> Result<Wire, BuildError> {
        if self.signature_scheme() != SignatureScheme::None {
            return Err(self.scheme_error());
        }
        self.complete()?;
        self.wire()
    }

    fn finish(mut self, signature: &SignatureValue) -> Result<Wire, BuildError> {
        let text = self.spec.envelope.encoding.write(signature);
        let text = text.ok_or_else(|| self.scheme_error())?;
        self.complete()?;
        let at = self.kind.plan.signing.signature.filter(|_| self.kind.plan.literal.is_none());
        let at = at.ok_or_else(|| self.scheme_error())?;
        self.values.set(at, text);
        let field = self.kind.plan.field(at);
        if field.is_some_and(|field| !matches!(field.place, Place::Head(_))) {
            self.signed_body.take();
        }
        self.wire()
    }

    fn wire(mut self) -> Result<Wire, BuildError> {
        let body = match self.signed_body.take() {
            Some(body) => body,
            None => self.body()?,
        };
        self.mappable()?;
        let encoded = self.spec.charset.encoded(body);
        let body = encoded.map_err(|broken| broken.built(&self.kind.code))?;
        let max = self.spec.limits.message_bytes_max;
        if body.len() > max {
            let broken = Broken::new("limit.bytes", format!("{} bytes, allowed {max}", body.len()));
            return Err(broken.built(&self.kind.code));
        }
        let start = self.start()?;
        let headers = self.headers();
        Ok(Wire { start, headers, body })
    }

    /// Whether the charset of the wire has every character of every value.
    fn mappable(&self) -> Result<(), BuildError> {
        if self.spec.charset.is_utf8() {
            return Ok(());
        }
        for item in self.values.items() {
            let encoded = self.spec.charset.encoded(item.sent.as_bytes().to_vec());
            encoded.map_err(|broken| self.broken(item.field, broken))?;
        }
        Ok(())
    }

    /// The body as it stands, written once until something changes.
    fn written_body(&self) -> Result<&[u8], BuildError> {
        if let Some(body) = self.signed_body.get() {
            return Ok(body);
        }
        let body = self.body()?;
        Ok(self.signed_body.get_or_init(|| body))
    }

    fn body(&self) -> Result<Vec<u8>, BuildError> {
        match &self.kind.plan.literal {
            Some(word) => Ok(word.clone().into_bytes()),
            None => self.spec.format_of(self.kind.is_answer()).write(self.kind, &self.values),
        }
    }

    /// Takes the values out: nothing is asked of the draft after its headers.
    fn headers(&mut self) -> Vec<(String, String)> {
        let Some(http) = &self.spec.http else { return Vec::new() };
        let mut headers = Vec::with_capacity(self.kind.plan.signing.first.len() + 2);
        if !self.kind.is_bodyless() {
            let content_type = http.answer_type.as_ref().filter(|_| self.kind.is_answer());
            let content_type = content_type.unwrap_or(&http.content_type);
            headers.push(("content-type".to_owned(), content_type.clone()));
        }
        for (id, field) in self.kind.plan.fields.iter().enumerate() {
            match &field.place {
                Place::Head(name) => headers.extend(self.values.take(id).map(|sent| (name.clone(), sent))),
                Place::Part { header, .. } if self.values.get(id).is_some() && headers.iter().all(|(name, _)| name != header) => {
                    headers.push((header.clone(), write_parts(self.parts(header))));
                }
                Place::Part { .. }
                | Place::Body(_)
                | Place::Inside(..)
                | Place::Whole(_)
                | Place::Target
                | Place::Trailer
                | Place::Fixed { .. }
                | Place::Labelled(_) => {}
            }
        }
        headers
    }

    /// The named values of one header, in the spec's order.
    fn parts<'d>(&'d self, of: &'d str) -> impl Iterator<Item = (&'d str, &'d str)> {
        let part = move |(id, field): (usize, &'d Field)| match &field.place {
            Place::Part { header, name } if header == of => Some((name.as_str(), self.values.get(id)?.sent.as_ref())),
            Place::Head(_)
            | Place::Part { .. }
            | Place::Body(_)
            | Place::Inside(..)
            | Place::Whole(_)
            | Place::Target
            | Place::Trailer
            | Place::Fixed { .. }
            | Place::Labelled(_) => None,
        };
        self.kind.plan.fields.iter().enumerate().filter_map(part)
    }

    fn start(&self) -> Result<Start, BuildError> {
        let Some(http) = &self.spec.http else {
            return Ok(Start::Queue);
        };
        let Some(target) = &self.kind.plan.target else {
            return Ok(self.common_start(http));
        };
        let mut written = String::new();
        for piece in &target.pieces {
            match piece {
                Piece::Fixed(text) => written.push_str(text),
                Piece::Field(field) => {
                    let missing = || self.broken(*field, Broken::new("field.missing", "the target needs it"));
                    written.push_str(self.values.get(*field).map(|item| item.sent.as_ref()).ok_or_else(missing)?);
                }
            }
        }
        let (method, target) = (target.method.clone(), written);
        Ok(Start::Request { method, target })
    }

    /// An answer, or a request that is posted where all are.
    fn common_start(&self, http: &Http) -> Start {
        match &http.target {
            Some(target) if !self.kind.is_answer() => Start::Request {
                method: "POST".to_owned(),
                target: target.clone(),
            },
            Some(_) | None => Start::Status(mapping::status(self.spec, self.kind, &self.values, http)),
        }
    }

    /// What sealing and signing must have put in place by the time the text to sign exists.
    fn complete(&self) -> Result<(), BuildError> {
        let (envelope, signing) = (&self.spec.envelope, &self.kind.plan.signing);
        if self.kind.plan.literal.is_some() {
            return Ok(());
        }
        let sealed = self.values.items().iter().any(|item| item.sealed);
        let due = envelope
            .sealing
            .as_ref()
            .filter(|_| sealed)
            .map(|sealing| [sealing.serial_in(self.kind.role), sealing.key]);
        let due = due
            .into_iter()
            .flatten()
            .chain([signing.serial, signing.made_at, signing.nonce])
            .chain([self.kind.plan.whole.as_ref().map(|whole| whole.ciphertext)]);
        for id in due.flatten() {
            let Some(item) = self.values.get(id) else {
                return Err(self.broken(id, Broken::new("field.missing", "sealing and signing come before it")));
            };
            if let Some(field) = self.kind.plan.field(id) {
                field.rules.check(&item.sent).map_err(|broken| broken.built(&field.path))?;
            }
        }
        match self.values.items().iter().find(|item| item.sealed && item.sent.is_empty()) {
            Some(item) => Err(self.broken(item.field, Broken::new("seal.missing", "it has not been sealed yet"))),
            None => Ok(()),
        }
    }

    fn scheme_error(&self) -> BuildError {
        Broken::new("signature.scheme", "the spec signs in another way").built(&self.kind.code)
    }

    fn broken(&self, field: FieldId, broken: Broken) -> BuildError {
        let path = self
            .kind
            .plan
            .field(field)
            .map_or_else(|| self.kind.code.clone(), |field| field.path.clone());
        broken.built(&path)
    }
}
