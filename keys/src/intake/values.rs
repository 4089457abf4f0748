//! DER read value by value, for structures that no crate in use knows.

use super::IntakeError;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// The values inside another, one after the other.
pub(super) struct Values<'a>(Option<SliceReader<'a>>);

impl<'a> Values<'a> {
    /// Of the content of a constructed value.
    pub(super) fn of(content: &'a [u8]) -> Self {
        Self(SliceReader::new(content).ok())
    }

    /// The one value that bytes are.
    pub(super) fn only(der: &'a [u8]) -> Result<AnyRef<'a>, IntakeError> {
        AnyRef::from_der(der).map_err(|_| IntakeError::Form)
    }

    /// What is in the one sequence that bytes are.
    pub(super) fn in_sequence(der: &'a [u8]) -> Result<Self, IntakeError> {
        let whole = Self::only(der)?;
        if whole.tag() == Tag::Sequence {
            Ok(Self::of(whole.value()))
        } else {
            Err(IntakeError::Form)
        }
    }

    pub(super) fn any(&mut self) -> Result<AnyRef<'a>, IntakeError> {
        let reader = self.0.as_mut().ok_or(IntakeError::Form)?;
        AnyRef::decode(reader).map_err(|_| IntakeError::Form)
    }

    /// The next value with its header.
    pub(super) fn whole(&mut self) -> Result<&'a [u8], IntakeError> {
        let reader = self.0.as_mut().ok_or(IntakeError::Form)?;
        reader.tlv_bytes().map_err(|_| IntakeError::Form)
    }

    /// The content of the next value, which has this tag.
    pub(super) fn content(&mut self, tag: Tag) -> Result<&'a [u8], IntakeError> {
        let next = self.any()?;
        if next.tag() == tag {
            Ok(next.value())
        } else {
            Err(IntakeError::Form)
        }
    }

    pub(super) fn sequence(&mut self) -> Result<Self, IntakeError> {
        self.content(Tag::Sequence).map(Self::of)
    }

    /// What an explicit `[0]` holds.
    pub(super) fn tagged(&mut self) -> Result<Self, IntakeError> {
        self.content(CONTEXT_0).map(Self::of)
    }

    pub(super) fn octets(&mut self) -> Result<&'a [u8], IntakeError> {
        self.content(Tag::OctetString)
    }

    /// A bit string of whole bytes.
    pub(super) fn bits(&mut self) -> Result<&'a [u8], IntakeError> {
        match self.content(Tag::BitString)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(IntakeError::Form),
        }
    }

    /// A number that is not negative, without the zero that says so.
    pub(super) fn number(&mut self) -> Result<&'a [u8], IntakeError> {
        match self.content(Tag::Integer)? {
            [0, bytes @ ..] if !bytes.is_empty() => Ok(bytes),
            bytes if bytes.first().is_some_and(|first| *first < 0x80) => Ok(bytes),
            _ => Err(IntakeError::Form),
        }
    }

    /// A small number.
    pub(super) fn count(&mut self) -> Result<u32, IntakeError> {
        let bytes = self.number()?;
        if bytes.len() > 4 {
            return Err(IntakeError::Form);
        }
        Ok(bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }

    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, IntakeError> {
        ObjectIdentifier::from_bytes(self.content(Tag::ObjectIdentifier)?).map_err(|_| IntakeError::Form)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(Reader::is_finished)
    }

    /// The tag of the next value, if there is one.
    pub(super) fn peek(&self) -> Option<Tag> {
        let reader = self.0.as_ref().filter(|reader| !reader.is_finished())?;
        Tag::peek(reader).ok()
    }
}

pub(super) const CONTEXT_0: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(0),
};
