//! An object of a message that is sealed whole under a key that both sides hold: its fields are inside, and there are none
//! before it is opened. No cryptography happens here.

use crate::draft::Draft;
use crate::envelope::WholeScheme;
use crate::error::ParseError;
use crate::field::{Broken, base64_decode, base64_encode};
use crate::format::{inside_read, inside_write};
use crate::message::Message;
use crate::spec::plan::{Field, FieldId, Place};
use crate::values::Values;

/// What opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedWhole {
    pub scheme: WholeScheme,
    pub ciphertext: Vec<u8>,
    /// For schemes that authenticate.
    pub bound: Option<Bound>,
}

/// What a ciphertext is authenticated with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    pub nonce: [u8; 12],
    pub additional: Vec<u8>,
    pub tag: [u8; 16],
}

impl Message<'_> {
    /// `Ok(None)` for a message that has nothing of the kind.
    pub fn sealed_whole(&self) -> Result<Option<SealedWhole>, ParseError> {
        let (Some(plan), Some(scheme)) = (&self.kind.plan.whole, self.spec.envelope.whole) else {
            return Ok(None);
        };
        let wrong = |field, detail: &str| self.broken(field, Broken::new("seal.missing", detail));
        let bytes = base64_decode(self.sent(plan.ciphertext)?);
        let Some(bound) = plan.bound else {
            let ciphertext = bytes.filter(|bytes| !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK_BYTES));
            let ciphertext = ciphertext.ok_or_else(|| wrong(plan.ciphertext, "expected base64 of whole cipher blocks"))?;
            return Ok(Some(SealedWhole {
                scheme,
                ciphertext,
                bound: None,
            }));
        };
        let nonce = self.sent(bound.nonce)?.as_bytes().try_into();
        let (ciphertext, tag) = bytes
            .as_deref()
            .and_then(<[u8]>::split_last_chunk)
            .ok_or_else(|| wrong(plan.ciphertext, "expected base64 of ciphertext and tag"))?;
        Ok(Some(SealedWhole {
            scheme,
            ciphertext: ciphertext.to_vec(),
            bound: Some(Bound {
                nonce: nonce.map_err(|_| wrong(bound.nonce, "expected 12 characters"))?,
                additional: additional(&self.values, bound.additional),
                tag: *tag,
            }),
        }))
    }

    /// Puts the opened fields in place, all of them or none; the rules of a body apply to them here.
    pub fn set_whole(&mut self, clear: &[u8]) -> Result<(), ParseError> {
        let kind = self.kind;
        let items = inside_read(self.spec, kind, clear)?;
        for item in &items {
            if let Some(field) = kind.plan.field(item.field) {
                field
                    .rules
                    .check(&item.sent)
                    .map_err(|broken| broken.read(&field.path, None))?;
            }
        }
        let inside = |field: &&Field| field.required && matches!(field.place, Place::Whole(_));
        for (id, field) in kind.plan.fields.iter().enumerate().filter(|(_, field)| inside(field)) {
            if !items.iter().any(|item| item.field == id) {
                return Err(Broken::new("field.missing", "a required field is missing").read(&field.path, None));
            }
        }
        for item in items {
            self.values.push(item);
        }
        Ok(())
    }
}

/// What a draft wants sealed whole.
#[derive(Clone, PartialEq, Eq)]
pub struct WholeTarget {
    pub scheme: WholeScheme,
    pub clear: Vec<u8>,
    /// Empty for schemes that do not authenticate.
    pub additional: Vec<u8>,
}

impl Draft<'_> {
    /// `None` for a message that has nothing of the kind.
    pub fn whole_target(&self) -> Option<WholeTarget> {
        let plan = self.kind.plan.whole.as_ref()?;
        Some(WholeTarget {
            scheme: self.spec.envelope.whole?,
            clear: inside_write(self.kind, &self.values),
            additional: plan
                .bound
                .map_or(Vec::new(), |bound| additional(&self.values, bound.additional)),
        })
    }

    /// Puts it in place. The nonce travels as text, so its bytes are visible characters.
    pub fn set_whole(&mut self, nonce: &str, ciphertext: &[u8], tag: &[u8; 16]) {
        self.signed_body.take();
        if let Some((plan, bound)) = self.kind.plan.whole.as_ref().and_then(|plan| Some((plan, plan.bound?))) {
            self.values.set(bound.nonce, nonce.to_owned());
            self.values.set(plan.ciphertext, base64_encode(&[ciphertext, tag].concat()));
        }
    }

    /// The same for a scheme that does not authenticate.
    pub fn set_whole_blocks(&mut self, ciphertext: &[u8]) {
        self.signed_body.take();
        if let Some(plan) = self.kind.plan.whole.as_ref().filter(|plan| plan.bound.is_none()) {
            self.values.set(plan.ciphertext, base64_encode(ciphertext));
        }
    }
}

fn additional(values: &Values<'_>, field: FieldId) -> Vec<u8> {
    values.get(field).map_or(Vec::new(), |item| item.sent.as_bytes().to_vec())
}

const BLOCK_BYTES: usize = 16;
