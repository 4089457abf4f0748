//! An object of a message that is sealed whole under a key that both sides hold: its fields are inside, and there are none
//! before it is opened. No cryptography happens here.

use crate::draft::Draft;
use crate::envelope::WholeScheme;
use crate::error::ParseError;
use crate::field::{Broken, base64_decode, base64_encode};
use crate::format::{inside_read, inside_write};
use crate::message::Message;
use crate::spec::plan::Place;

/// What opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedWhole {
    pub scheme: WholeScheme,
    pub nonce: [u8; 12],
    pub additional: Vec<u8>,
    pub ciphertext: Vec<u8>,
    pub tag: [u8; 16],
}

impl Message<'_> {
    /// `Ok(None)` for a message that has nothing of the kind.
    pub fn sealed_whole(&self) -> Result<Option<SealedWhole>, ParseError> {
        let (Some(plan), Some(scheme)) = (self.kind.plan.whole, self.spec.envelope.whole) else {
            return Ok(None);
        };
        let wrong = |field, detail: &str| self.broken(field, Broken::new("seal.missing", detail));
        let nonce = self.sent(plan.nonce)?.as_bytes().try_into();
        let bytes = base64_decode(self.sent(plan.ciphertext)?);
        let (ciphertext, tag) = bytes
            .as_deref()
            .and_then(<[u8]>::split_last_chunk)
            .ok_or_else(|| wrong(plan.ciphertext, "expected base64 of ciphertext and tag"))?;
        Ok(Some(SealedWhole {
            scheme,
            nonce: nonce.map_err(|_| wrong(plan.nonce, "expected 12 characters"))?,
            additional: self
                .values
                .get(plan.additional)
                .map_or(Vec::new(), |item| item.sent.as_bytes().to_vec()),
            ciphertext: ciphertext.to_vec(),
            tag: *tag,
        }))
    }

    /// Puts the opened fields in place; the rules of a body apply to them here.
    pub fn set_whole(&mut self, clear: &[u8]) -> Result<(), ParseError> {
        let kind = self.kind;
        for item in inside_read(self.spec, kind, clear)? {
            if let Some(field) = kind.plan.field(item.field) {
                field
                    .rules
                    .check(&item.sent)
                    .map_err(|broken| broken.read(&field.path, None))?;
            }
            self.values.push(item);
        }
        let inside = |field: &&crate::spec::plan::Field| field.required && matches!(field.place, Place::Whole(_));
        for (id, field) in kind.plan.fields.iter().enumerate().filter(|(_, field)| inside(field)) {
            if self.values.get(id).is_none() {
                return Err(Broken::new("field.missing", "a required field is missing").read(&field.path, None));
            }
        }
        Ok(())
    }
}

/// What a draft wants sealed whole.
#[derive(Clone, PartialEq, Eq)]
pub struct WholeTarget {
    pub scheme: WholeScheme,
    pub clear: Vec<u8>,
    pub additional: Vec<u8>,
}

impl Draft<'_> {
    /// `None` for a message that has nothing of the kind.
    pub fn whole_target(&self) -> Option<WholeTarget> {
        let plan = self.kind.plan.whole?;
        Some(WholeTarget {
            scheme: self.spec.envelope.whole?,
            clear: inside_write(self.kind, &self.values),
            additional: self
                .values
                .get(plan.additional)
                .map_or(Vec::new(), |item| item.sent.as_bytes().to_vec()),
        })
    }

    /// Puts it in place. The nonce travels as text, so its bytes are visible characters.
    pub fn set_whole(&mut self, nonce: &str, ciphertext: &[u8], tag: &[u8; 16]) {
        self.signed_body.take();
        if let Some(plan) = self.kind.plan.whole {
            self.values.set(plan.nonce, nonce.to_owned());
            self.values.set(plan.ciphertext, base64_encode(&[ciphertext, tag].concat()));
        }
    }
}
