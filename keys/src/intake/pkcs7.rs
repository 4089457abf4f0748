//! PKCS #7 (RFC 2315) and its twin of GM/T 0010, which has the same structures under names of its own: a bag of certificates
//! (`SignedData`, the files called `.p7b`), and the key pair that an authority made for encryption, sealed for the signing key
//! pair (`EnvelopedData`) and signed by the authority too (`SignedAndEnvelopedData`).
//!
//! A signature is SM2 over the content itself, with the usual user id. Attributes, and RSA, are not read.

use super::values::{CONTEXT_0, Values};
use super::{Brought, IntakeError, KEY_BYTES, Openers, gmt0009, sm2_pem};
use crate::certificate::signed::{two_numbers, verify_sm2};
use crate::certificate::{Certificate, CertificateKey};
use crate::secret::Secret;
use crate::sm2::{Engine, PrivateKey};
use crate::sm4::Sm4Cbc;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Tag, TagNumber, Tagged};
use zeroize::Zeroizing;

/// A `ContentInfo`.
pub(super) fn open(der: &[u8], openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let mut info = Values::in_sequence(der)?;
    let kind = info.oid()?;
    let mut content = info.tagged()?;
    let content = content.sequence()?;
    match Kind::of(kind) {
        Some(Kind::Signed) => signed(content, openers),
        Some(Kind::Enveloped) => enveloped(content, openers),
        Some(Kind::SignedAndEnveloped) => signed_and_enveloped(content, openers),
        None => Err(IntakeError::Form),
    }
}

/// What stands in a `ContentInfo`, by either standard's name.
enum Kind {
    Signed,
    Enveloped,
    SignedAndEnveloped,
}

impl Kind {
    fn of(oid: ObjectIdentifier) -> Option<Self> {
        let is_of = |standard: ObjectIdentifier| standard.len() + 1 == oid.len() && oid.starts_with(standard);
        match oid.arcs().last().filter(|_| is_of(PKCS7) || is_of(GMT0010))? {
            2 => Some(Self::Signed),
            3 => Some(Self::Enveloped),
            4 => Some(Self::SignedAndEnveloped),
            _ => None,
        }
    }

    /// Of a content that is one of these structures again. They are not nested without end.
    fn within(content: &[u8]) -> Option<Self> {
        Self::of(Values::in_sequence(content).ok()?.oid().ok()?)
    }
}

/// A bag of certificates; where it has a content, that is signed, and one of the other forms.
fn signed(mut parts: Values<'_>, openers: Openers<'_>) -> Result<Brought, IntakeError> {
    parts.count()?;
    parts.content(Tag::Set)?;
    let mut info = parts.sequence()?;
    info.oid()?;
    let content = if info.is_finished() {
        None
    } else {
        Some(info.tagged()?.octets()?)
    };
    let (certificates, signers) = behind(&mut parts)?;
    let Some(content) = content else {
        let certificates = certificates.iter().map(Certificate::to_pem).collect();
        return Ok(Brought {
            certificates,
            ..Brought::default()
        });
    };
    let signer = signed_by(signers, &certificates, content)?;
    let mut brought = match Kind::within(content) {
        Some(Kind::Signed | Kind::SignedAndEnveloped) => return Err(IntakeError::Form),
        Some(Kind::Enveloped) | None => super::bring(content, openers)?,
    };
    brought.take_signed(&certificates, &signer);
    Ok(brought)
}

fn enveloped(mut parts: Values<'_>, openers: Openers<'_>) -> Result<Brought, IntakeError> {
    parts.count()?;
    let clear = decrypted(Values::of(parts.content(Tag::Set)?), parts.sequence()?, openers)?;
    key_in(&clear, openers)
}

fn signed_and_enveloped(mut parts: Values<'_>, openers: Openers<'_>) -> Result<Brought, IntakeError> {
    parts.count()?;
    let recipients = Values::of(parts.content(Tag::Set)?);
    parts.content(Tag::Set)?;
    let clear = decrypted(recipients, parts.sequence()?, openers)?;
    let (certificates, signers) = behind(&mut parts)?;
    let signer = signed_by(signers, &certificates, &clear)?;
    let mut brought = key_in(&clear, openers)?;
    brought.take_signed(&certificates, &signer);
    Ok(brought)
}

impl Brought {
    fn take_signed(&mut self, certificates: &[Certificate], signer: &Certificate) {
        self.certificates.extend(certificates.iter().map(Certificate::to_pem));
        self.signer = Some(signer.to_pem());
    }
}

/// What ends both signed structures: certificates, revocation lists, which are left where they are, and signers.
fn behind<'a>(parts: &mut Values<'a>) -> Result<(Vec<Certificate>, Values<'a>), IntakeError> {
    let mut certificates = Vec::new();
    if parts.peek() == Some(CONTEXT_0) {
        let mut bag = Values::of(parts.content(CONTEXT_0)?);
        while !bag.is_finished() {
            let certificate = Certificate::from_der(bag.whole()?).map_err(|_| IntakeError::Form)?;
            certificates.push(certificate);
        }
    }
    if parts.peek() == Some(CONTEXT_1) {
        parts.content(CONTEXT_1)?;
    }
    Ok((certificates, Values::of(parts.content(Tag::Set)?)))
}

/// The one signer, once the signature is found to hold: `SignerInfo` names one of the certificates that came with it.
fn signed_by(mut signers: Values<'_>, certificates: &[Certificate], content: &[u8]) -> Result<Certificate, IntakeError> {
    let refused = IntakeError::Signature;
    let mut signer = signers.sequence().map_err(|_| refused)?;
    signer.count()?;
    let mut named = signer.sequence()?;
    let (issuer, serial) = (named.whole()?, named.content(Tag::Integer)?);
    let digest = signer.sequence()?.oid()?;
    if !signers.is_finished() || digest != SM3 || signer.peek() != Some(Tag::Sequence) {
        return Err(refused);
    }
    signer.sequence()?;
    let signature = two_numbers(signer.octets()?).map_err(|_| refused)?;
    let mut named = certificates.iter().filter(|certificate| certificate.is_named(issuer, serial));
    let holds = |certificate: &&Certificate| match certificate.public_key() {
        Ok(CertificateKey::Sm2(key)) => verify_sm2(&key, content, &signature).is_ok(),
        Ok(CertificateKey::Rsa(_)) | Err(_) => false,
    };
    named.find(holds).cloned().ok_or(refused)
}

/// `EncryptedContentInfo`, under the key that one of the recipients' envelopes holds for us.
fn decrypted(recipients: Values<'_>, mut info: Values<'_>, openers: Openers<'_>) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let key = openers.key.ok_or(IntakeError::Envelope)?;
    info.oid()?;
    let mut algorithm = info.sequence()?;
    let (cipher, iv) = (algorithm.oid()?, algorithm.octets().ok());
    let sealed = sealed(&mut info)?;
    let content_key = content_key(recipients, key)?;
    match iv {
        // Programs name SM4 alone too, and mean what its parameter says.
        Some(iv) if cipher == SM4 || cipher == SM4_CBC => {
            let key: &[u8; 16] = content_key.danger_expose().try_into().map_err(|_| IntakeError::OtherKey)?;
            let iv = iv.try_into().map_err(|_| IntakeError::Form)?;
            let clear = Sm4Cbc::new(key).decrypt(iv, &sealed);
            clear.map(Zeroizing::new).map_err(|_| IntakeError::OtherKey)
        }
        None if cipher == SM4 || cipher == SM4_ECB => gmt0009::decrypted(content_key.danger_expose(), &sealed),
        Some(_) | None => Err(IntakeError::Algorithm),
    }
}

/// An octet string behind an implicit `[0]`, in one piece or in several.
fn sealed(info: &mut Values<'_>) -> Result<Vec<u8>, IntakeError> {
    let content = info.any()?;
    if content.tag() == IMPLICIT_0 {
        return Ok(content.value().to_vec());
    }
    let mut pieces = Some(content)
        .filter(|content| content.tag() == CONTEXT_0)
        .map(|content| Values::of(content.value()));
    let pieces = pieces.as_mut().ok_or(IntakeError::Form)?;
    let mut all = Vec::new();
    while !pieces.is_finished() {
        all.extend_from_slice(pieces.octets()?);
    }
    Ok(all)
}

/// Of several recipients one may be us; C3 tells.
fn content_key(mut recipients: Values<'_>, key: &PrivateKey) -> Result<Secret, IntakeError> {
    let unwrapper = Engine::default().unwrapper(key);
    for _ in 0..RECIPIENTS_MAX {
        if recipients.is_finished() {
            return Err(IntakeError::OtherKey);
        }
        let mut recipient = recipients.sequence()?;
        recipient.count()?;
        // By issuer and serial number, or by a key identifier.
        recipient.any()?;
        recipient.sequence()?;
        let Ok(ciphertext) = Values::in_sequence(recipient.octets()?).and_then(gmt0009::cipher) else {
            continue;
        };
        if let Ok(opened) = unwrapper.unwrap(&ciphertext) {
            return Ok(opened);
        }
    }
    Err(IntakeError::OtherKey)
}

/// An SM2 private key as authorities put it there: its 32 bytes, these behind 32 zeroes as a device has them, or a structure.
fn key_in(clear: &[u8], openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let content = unpadded(clear);
    for bytes in [clear, content] {
        let d = match bytes.split_at_checked(KEY_BYTES) {
            Some((d, [])) => d,
            Some((zeroes, d)) if d.len() == KEY_BYTES && zeroes.iter().all(|byte| *byte == 0) => d,
            Some(_) | None => continue,
        };
        return sm2_pem(d).map(super::private).map_err(|_| IntakeError::OtherKey);
    }
    match Kind::within(content) {
        None => super::bring(content, openers),
        Some(_) => Err(IntakeError::Form),
    }
}

/// Without the padding of PKCS #7, where there is one.
fn unpadded(clear: &[u8]) -> &[u8] {
    let count = clear.last().map_or(0, |last| usize::from(*last));
    let Some(length) = clear.len().checked_sub(count).filter(|_| (1..=16).contains(&count)) else {
        return clear;
    };
    let (content, padding) = clear.split_at(length);
    if padding.iter().all(|byte| usize::from(*byte) == count) {
        content
    } else {
        clear
    }
}

const IMPLICIT_0: Tag = Tag::ContextSpecific {
    constructed: false,
    number: TagNumber(0),
};
const CONTEXT_1: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(1),
};
const PKCS7: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7");
const GMT0010: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2");
const SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401");
const SM4: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104");
const SM4_ECB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.1");
const SM4_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.2");
/// Of whom a key pair is handed to there is one; a few more are read past.
const RECIPIENTS_MAX: usize = 16;

#[cfg(test)]
mod tests;
