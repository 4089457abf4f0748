//! What is sealed in a message field by field: the envelope, the ciphertexts, and the clear values in their places. What is
//! sealed whole is in `whole.rs`. No cryptography happens here.

use crate::envelope::{
    RawCiphertext, SealingScheme, SessionCipher, TextCipher, Wrapped, ciphertext_from_der, each, gcm_fields, session, text_key,
};
use crate::error::ParseError;
use crate::field::{Broken, base64_decode};
use crate::message::Message;
use crate::spec::plan::{Field, FieldId, Place};
use crate::spec::sealing::SealingPlan;
use crate::values::Item;

/// The digital envelope that a message carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvelopeFound {
    /// Serial number of our key under which the data key is wrapped.
    pub serial: String,
    pub wrapped: RawCiphertext,
}

/// One sealed field: SM4-GCM parts and the additional data that binds it to its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedField<'s> {
    /// Handle for `set_opened`.
    pub slot: usize,
    pub path: &'s str,
    pub nonce: [u8; 12],
    pub ciphertext: Vec<u8>,
    pub tag: [u8; 16],
    pub additional: Vec<u8>,
}

/// One sealed field under a block cipher without a nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedBlocks {
    /// Handle for `set_opened`.
    pub slot: usize,
    pub path: String,
    pub ciphertext: Vec<u8>,
}

/// One field of `SealingScheme::Each`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedEach {
    /// Handle for `set_opened`.
    pub slot: usize,
    pub path: String,
    pub wrapped: Wrapped,
}

impl<'a> Message<'a> {
    /// The envelope of `SealingScheme::Sm4Gcm`; `Ok(None)` when nothing is sealed (no sealed field present).
    pub fn envelope(&self) -> Result<Option<EnvelopeFound>, ParseError> {
        match self.wrapped_key()? {
            Some((serial, Wrapped::Sm2(wrapped))) => Ok(Some(EnvelopeFound { serial, wrapped })),
            Some((_, Wrapped::Rsa(_))) | None => Ok(None),
        }
    }

    /// The serial of our key and what is wrapped for it; `Ok(None)` when nothing is sealed.
    pub fn wrapped_key(&self) -> Result<Option<(String, Wrapped)>, ParseError> {
        let Some((sealing, key)) = self.spec.envelope.sealing.as_ref().and_then(|plan| Some((plan, plan.key?))) else {
            return Ok(None);
        };
        if self.sealed().next().is_none() {
            return Ok(None);
        }
        let serial = self.sent(sealing.serial)?.to_owned();
        let bytes = base64_decode(self.sent(key)?);
        let bytes = bytes.ok_or_else(|| self.broken(key, Broken::new("field.kind", "expected base64")))?;
        let wrapped = match sealing.scheme {
            SealingScheme::TextKey(TextCipher::Aes256) | SealingScheme::Session(SessionCipher::TripleDes) => {
                Ok(Wrapped::Rsa(bytes))
            }
            SealingScheme::Session(SessionCipher::Sm4) => session::ciphertext_from_raw(&bytes).map(Wrapped::Sm2),
            SealingScheme::Sm4Gcm | SealingScheme::TextKey(_) => ciphertext_from_der(&bytes).map(Wrapped::Sm2),
            // A value by itself has no key that is wrapped.
            SealingScheme::Each(_) => return Ok(None),
        };
        Ok(Some((serial, wrapped.map_err(|error| self.at(key, error))?)))
    }

    /// How the sealed fields are sealed.
    pub fn sealing_scheme(&self) -> Option<SealingScheme> {
        self.spec.envelope.sealing.as_ref().map(|sealing| sealing.scheme)
    }

    /// The sealed fields of `SealingScheme::Sm4Gcm`.
    pub fn sealed_fields(&self) -> Result<Vec<SealedField<'a>>, ParseError> {
        let mut fields = Vec::with_capacity(self.sealed().count());
        for (slot, item) in self.sealed() {
            fields.push(self.sealed_field(slot, item)?);
        }
        Ok(fields)
    }

    /// The sealed fields of `SealingScheme::TextKey` and `SealingScheme::Session`.
    pub fn sealed_blocks(&self) -> Result<Vec<SealedBlocks>, ParseError> {
        let block = self.sealing_scheme().map_or(1, SealingScheme::block_bytes);
        let blocks = |(slot, item): (usize, &Item<'a>)| {
            let (path, clear) = self.sealed_place(item);
            let ciphertext = text_key::ciphertext(&item.sent, text_key::sealed_max(clear), block)
                .map_err(|broken| broken.read(path, item.offset))?;
            Ok(SealedBlocks {
                slot,
                path: path.to_owned(),
                ciphertext,
            })
        };
        self.sealed().map(blocks).collect()
    }

    /// The sealed fields of `SealingScheme::Each`; none of any other.
    pub fn sealed_each(&self) -> Result<Vec<SealedEach>, ParseError> {
        let Some(SealingScheme::Each(cipher)) = self.sealing_scheme() else {
            return Ok(Vec::new());
        };
        let each = |(slot, item): (usize, &Item<'a>)| {
            let (path, clear) = self.sealed_place(item);
            let wrapped = each::ciphertext(cipher, &item.sent, clear).map_err(|broken| broken.read(path, item.offset))?;
            Ok(SealedEach {
                slot,
                path: path.to_owned(),
                wrapped,
            })
        };
        self.sealed().map(each).collect()
    }

    /// The serial of our key that values are sealed under each by itself; `None` where such a message names none.
    pub fn sealed_for(&self) -> Option<&str> {
        let sealing = self.spec.envelope.sealing.as_ref()?;
        let serial = sealing.serial_in(self.kind.role)?;
        self.values.get(serial).map(|item| item.sent.as_ref())
    }

    /// How many values have been opened: sealed ones, and those inside what is sealed whole.
    pub fn opened_values(&self) -> usize {
        let is_whole = |item: &Item<'a>| {
            let field = self.kind.plan.field(item.field);
            field.is_some_and(|field| matches!(field.place, Place::Whole(_)))
        };
        let is_opened = |item: &&Item<'a>| (item.sealed && item.clear.is_some()) || is_whole(item);
        self.values.items().iter().filter(is_opened).count()
    }

    fn sealed(&self) -> impl Iterator<Item = (usize, &Item<'a>)> {
        self.values.items().iter().enumerate().filter(|(_, item)| item.sealed)
    }

    /// Path and longest clear value of a sealed item's field.
    fn sealed_place(&self, item: &Item<'a>) -> (&'a str, usize) {
        let field = self.kind.plan.field(item.field);
        field.map_or(("", 0), |field| (&field.path, field.rules.length.clear_bytes_max()))
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
        let id = item.field;
        self.disclose(id)
    }

    /// Takes the fields out of the clear text of the field that encloses them.
    pub(crate) fn disclose(&mut self, outer: FieldId) -> Result<(), ParseError> {
        let plan = &self.kind.plan;
        let clear = self
            .values
            .get(outer)
            .and_then(Item::clear)
            .filter(|_| plan.inside(outer).next().is_some());
        let Some(clear) = clear.map(ToOwned::to_owned) else {
            return Ok(());
        };
        let elements = crate::format::xml_fragment(&clear, &self.spec.limits).map_err(|error| self.at(outer, error))?;
        for (name, text) in elements {
            let Some((id, _)) = plan.inside(outer).find(|(_, element)| *element == name) else {
                continue;
            };
            if let Some(field) = plan.field(id) {
                field.rules.check(&text).map_err(|broken| broken.read(&field.path, None))?;
            }
            self.values.push(Item::new(id, text));
        }
        let lacking = plan
            .inside(outer)
            .filter_map(|(id, _)| plan.field(id).filter(|_| self.values.get(id).is_none()));
        match lacking.into_iter().find(|field| field.required) {
            Some(field) => Err(Broken::new("field.missing", "a required field is missing").read(&field.path, None)),
            None => Ok(()),
        }
    }

    /// Marks what the spec seals; refuses clear values where sealed ones are due, and an envelope where none is.
    pub(crate) fn mark_sealed(&mut self) -> Result<(), ParseError> {
        let Some(sealing) = self.spec.envelope.sealing.as_ref() else {
            return Ok(());
        };
        let sign = sealing.key.or_else(|| sealing.serial_in(self.kind.role));
        let found = sign.filter(|&field| self.values.get(field).is_some());
        if let (false, Some(field)) = (sealing.on, found.filter(|_| sealing.key.is_some())) {
            return Err(self.broken(
                field,
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
            if sign.is_some() && found.is_none() {
                sealed_form(sealing, field, &item.sent).map_err(|broken| broken.read(&field.path, item.offset))?;
                return Err(Broken::new("seal.envelope", "a sealed value without an envelope").read(&field.path, item.offset));
            }
        }
        Ok(())
    }

    fn sealed_field(&self, slot: usize, item: &Item<'a>) -> Result<SealedField<'a>, ParseError> {
        let (path, clear) = self.sealed_place(item);
        let parts = gcm_fields::parts(&item.sent, gcm_fields::sealed_max(clear));
        let (nonce, ciphertext, tag) = parts.map_err(|broken| broken.read(path, item.offset))?;
        Ok(SealedField {
            slot,
            additional: gcm_fields::additional(self.kind, &self.values, path, item.occurrence),
            path,
            nonce,
            ciphertext,
            tag,
        })
    }
}

/// Whether a text can be a sealed value of a field, before anything is decoded.
pub(crate) fn sealed_form(sealing: &SealingPlan, field: &Field, text: &str) -> Result<(), Broken> {
    let clear = field.rules.length.clear_bytes_max();
    match sealing.scheme {
        SealingScheme::Sm4Gcm => gcm_fields::form(text, gcm_fields::sealed_max(clear)),
        SealingScheme::TextKey(_) | SealingScheme::Session(_) => {
            text_key::form(text, text_key::sealed_max(clear), sealing.scheme.block_bytes())
        }
        SealingScheme::Each(cipher) => each::ciphertext(cipher, text, clear).map(drop),
    }
}
