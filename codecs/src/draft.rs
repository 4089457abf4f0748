//! One message to be sent: drafted from a payment, then sealed, then signed, then written.
//!
//! The draft knows what to seal and what to sign; it does neither.

use crate::envelope::{RawCiphertext, RawSignature, SignatureScheme, ciphertext_to_der, signature_to_der};
use crate::error::BuildError;
use crate::field::{Broken, base64_encode, canonical, hex_encode};
use crate::mapping;
use crate::message::additional;
use crate::payment::Payment;
use crate::signed;
use crate::spec::plan::{FieldId, Over, Place, SignatureEncoding};
use crate::spec::{MessageSpec, Spec};
use crate::values::Values;
use crate::wire::{Start, Wire};
use std::cell::OnceCell;
use time::OffsetDateTime;

/// A message under construction: seal, then sign, then `finish`.
pub struct Draft<'a> {
    spec: &'a Spec,
    kind: &'a MessageSpec,
    values: Values<'static>,
    /// The body as signed, where the signature covers its bytes and stands outside of it.
    signed_body: OnceCell<Vec<u8>>,
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
    pub fn draft(&self, code: &str, payment: &Payment) -> Result<Draft<'_>, BuildError> {
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
        self.envelope.made_at.is_some()
    }

    /// A draft of a message of ours as it was written before, to be authenticated anew. What is sealed cannot be written
    /// again without its key and is refused.
    pub fn redraft(&self, wire: &Wire) -> Result<Draft<'_>, BuildError> {
        let message = self.parse(wire).map_err(|error| BuildError {
            rule: error.rule,
            field: error.field.unwrap_or_default(),
            detail: error.detail,
        })?;
        let kind = message.kind.code.clone();
        if message.values.items().iter().any(|item| item.sealed) {
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

    pub fn signature_scheme(&self) -> SignatureScheme {
        self.spec.envelope.scheme
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

    pub fn set_sealed(&mut self, slot: usize, nonce: &[u8; 12], ciphertext: &[u8], tag: &[u8; 16]) {
        self.signed_body.take();
        if let Some(item) = self.values.item_mut(slot).filter(|item| item.sealed) {
            item.sent = base64_encode(&[nonce, ciphertext, tag].concat()).into();
        }
    }

    /// The serial of the receiver's key and the wrapped data key.
    pub fn set_envelope(&mut self, serial: &str, wrapped: &RawCiphertext) {
        self.signed_body.take();
        if let Some(sealing) = &self.spec.envelope.sealing {
            self.values.set(sealing.serial, serial.to_owned());
            self.values.set(sealing.key, base64_encode(&ciphertext_to_der(wrapped)));
        }
    }

    /// The serial number or key id of the signing key, and the moment of signing; both are part of the signed text.
    pub fn set_signer(&mut self, serial: &str, made_at: OffsetDateTime) {
        self.signed_body.take();
        if let Some(field) = self.spec.envelope.serial {
            self.values.set(field, serial.to_owned());
        }
        if let (Some(field), Some(moment)) = (self.spec.envelope.made_at, canonical(made_at)) {
            self.values.set(field, moment);
        }
    }

    /// The exact text to sign. Refuses a `|` inside a signed value.
    pub fn signed_text(&self) -> Result<Vec<u8>, BuildError> {
        self.complete()?;
        // A text over fields does not look at the body, so it need not be written yet.
        let body = if self.spec.envelope.over == Over::Http {
            self.signed_body.get_or_init(|| self.body())
        } else {
            &[][..]
        };
        let text = signed::text(self.spec, &self.kind.plan, &self.values, &self.start()?, body);
        text.map_err(|(field, broken)| self.broken(field, broken))
    }

    /// Writes the bytes with an SM2 signature (r||s).
    pub fn finish_sm2(self, signature: &RawSignature) -> Result<Wire, BuildError> {
        let text = match self.spec.envelope.encoding {
            SignatureEncoding::Der => base64_encode(&signature_to_der(signature)),
            SignatureEncoding::Raw => base64_encode(signature),
            SignatureEncoding::Hex => return Err(self.scheme_error()),
        };
        self.finish(SignatureScheme::Sm2Sm3, text)
    }

    /// Writes the bytes with a MAC tag.
    pub fn finish_mac(self, tag: &[u8; 32]) -> Result<Wire, BuildError> {
        self.finish(SignatureScheme::HmacSm3, hex_encode(tag))
    }

    /// Writes the bytes of a spec whose `signature = "none"`.
    pub fn finish_unsigned(self) -> Result<Wire, BuildError> {
        if self.spec.envelope.scheme != SignatureScheme::None {
            return Err(self.scheme_error());
        }
        self.complete()?;
        self.wire()
    }

    fn finish(mut self, scheme: SignatureScheme, signature: String) -> Result<Wire, BuildError> {
        if self.spec.envelope.scheme != scheme {
            return Err(self.scheme_error());
        }
        self.complete()?;
        let at = self.spec.envelope.signature.ok_or_else(|| self.scheme_error())?;
        self.values.set(at, signature);
        if self
            .kind
            .plan
            .field(at)
            .is_some_and(|field| matches!(field.place, Place::Body(_)))
        {
            self.signed_body.take();
        }
        self.wire()
    }

    fn wire(mut self) -> Result<Wire, BuildError> {
        let body = self.signed_body.take().unwrap_or_else(|| self.body());
        let max = self.spec.limits.message_bytes_max;
        if body.len() > max {
            let broken = Broken::new("limit.bytes", format!("{} bytes, allowed {max}", body.len()));
            return Err(broken.built(&self.kind.code));
        }
        Ok(Wire {
            start: self.start()?,
            headers: self.headers(),
            body,
        })
    }

    fn body(&self) -> Vec<u8> {
        self.spec.format.write(self.kind, &self.values)
    }

    fn headers(&self) -> Vec<(String, String)> {
        let Some(http) = &self.spec.http else { return Vec::new() };
        let content_type = (!self.kind.is_bodyless()).then(|| ("content-type".to_owned(), http.content_type.clone()));
        let mut headers: Vec<(String, String)> = content_type.into_iter().collect();
        for (id, field) in self.kind.plan.fields.iter().enumerate() {
            if let (Place::Head(name), Some(item)) = (&field.place, self.values.get(id)) {
                headers.push((name.clone(), item.sent.to_string()));
            }
        }
        headers
    }

    fn start(&self) -> Result<Start, BuildError> {
        let Some(http) = &self.spec.http else {
            return Ok(Start::Queue);
        };
        let Some(target) = &self.kind.plan.target else {
            return Ok(Start::Status(mapping::status(self.spec, self.kind, &self.values, http)));
        };
        let parameter = match target.parameter {
            None => "",
            Some(field) => {
                let missing = || self.broken(field, Broken::new("field.missing", "the target needs it"));
                self.values.get(field).map(|item| item.sent.as_ref()).ok_or_else(missing)?
            }
        };
        Ok(Start::Request {
            method: target.method.clone(),
            target: format!("{}{parameter}", target.prefix),
        })
    }

    /// What sealing and signing must have put in place by the time the text to sign exists.
    fn complete(&self) -> Result<(), BuildError> {
        let envelope = &self.spec.envelope;
        let sealed = self.values.items().iter().any(|item| item.sealed);
        let due = envelope
            .sealing
            .as_ref()
            .filter(|_| sealed)
            .map(|sealing| [Some(sealing.serial), Some(sealing.key)]);
        let due = due.into_iter().flatten().chain([envelope.serial, envelope.made_at]);
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
