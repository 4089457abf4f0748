//! One party at the other end of a link: it reads, verifies and opens what it gets, and seals and signs what it sends.
//!
//! It is built on `codecs` and `keys` alone and shares no code with the gateway's pipeline: what both agree on, two
//! readers of the same specs agree on.

mod announced; // keys that the other side announced
mod capsule; // messages whose whole content is sealed
mod each; // values under the receiver's own key
mod session; // sealing under a session key whose bytes are wrapped
mod sign_in; // a terminal's working keys
#[cfg(test)]
mod tests;
mod text_key; // sealing under a key that travels as text
mod whole; // objects sealed under a key that both sides hold

pub use announced::NotTaken;

use announced::Announced;
use codecs::envelope::{MacKind, RawCiphertext, RawSignature, RsaKind, SealingScheme, SignatureScheme, SignatureValue, Sm2Input};
use codecs::error::{BuildError, ParseError};
use codecs::message::{Draft, EnvelopeFound, Message, SignatureFound};
use codecs::payment::{Operation, Payment, Reason, Role};
use codecs::spec::{Spec, Specs};
use codecs::wire::Wire;
use keys::algorithm::Algorithm;
use keys::keyring::Keyring;
use keys::legacy::RsaScheme;
use keys::sm2::Ciphertext;
use keys::sm4::Sm4Gcm;
use rand_core::CryptoRng;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use time::OffsetDateTime;

/// At which step a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    Parse,
    Verify,
    Open,
    Translate,
    Build,
    Seal,
    Sign,
}

impl Step {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Verify => "verify",
            Self::Open => "open",
            Self::Translate => "translate",
            Self::Build => "build",
            Self::Seal => "seal",
            Self::Sign => "sign",
        }
    }
}

/// Why a message was refused, or could not be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Refusal {
    pub step: Step,
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.name(), self.text)
    }
}

impl Refusal {
    fn new(step: Step, text: impl fmt::Display) -> Self {
        Self {
            step,
            text: text.to_string(),
        }
    }

    fn parse(error: &ParseError) -> Self {
        Self::new(Step::Parse, error)
    }

    fn build(error: &BuildError) -> Self {
        Self::new(Step::Build, error)
    }

    /// What the refused side is told.
    pub const fn reason(&self) -> Reason {
        match self.step {
            Step::Verify => Reason::SignatureInvalid,
            Step::Parse | Step::Open | Step::Translate => Reason::InvalidMessage,
            Step::Build | Step::Seal | Step::Sign => Reason::Other,
        }
    }
}

/// A deliberate error in a message that is otherwise made correctly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Twist {
    None,
    /// One bit of the signature or tag is flipped.
    BadSignature,
    /// Correctly signed, but it names a key serial that the receiver does not know.
    UnknownSerial,
    /// The data key is wrapped so that the receiver's key does not open it.
    WrongSealKey,
}

/// A party: which codec it speaks on which link, and its keys.
#[derive(Clone)]
pub struct Party {
    specs: Arc<Specs>,
    codec: String,
    /// The suite of the codec; its first when empty.
    suite: String,
    /// Shared by all copies of the party, so that its keys can change while it runs.
    keyring: Arc<RwLock<Arc<Keyring>>>,
    announced: Announced,
    link: String,
}

impl Party {
    pub fn new(specs: Arc<Specs>, codec: &str, keyring: Arc<Keyring>, link: &str) -> Self {
        Self {
            specs,
            codec: codec.to_owned(),
            suite: String::new(),
            keyring: Arc::new(RwLock::new(keyring)),
            announced: Announced::default(),
            link: link.to_owned(),
        }
    }

    /// The same party with another suite of its codec.
    #[must_use]
    pub fn in_suite(mut self, suite: &str) -> Self {
        suite.clone_into(&mut self.suite);
        self
    }

    pub fn link(&self) -> &str {
        &self.link
    }

    /// Gives this party and every copy of it other keys.
    pub fn replace_keyring(&self, keyring: Arc<Keyring>) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = keyring;
    }

    fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn spec(&self) -> Result<&Spec, Refusal> {
        let spec = self.specs.spec(&self.codec);
        let spec = spec.and_then(|spec| {
            if self.suite.is_empty() {
                Some(spec)
            } else {
                spec.in_suite(&self.suite)
            }
        });
        let spec = spec.map(AsRef::as_ref);
        spec.ok_or_else(|| Refusal::new(Step::Parse, format!("no codec {}", self.codec)))
    }

    /// The message code that carries an operation in a role.
    pub fn code(&self, operation: Operation, role: Role) -> Result<String, Refusal> {
        let found = self.spec()?.message_for(operation, role).map(|kind| kind.code.clone());
        found.ok_or_else(|| Refusal::new(Step::Build, format!("codec {} has no {operation} {role}", self.codec)))
    }

    /// Parses, verifies, opens and translates a message, in that order; nothing unverified is opened.
    pub fn receive(&self, wire: &Wire, now: OffsetDateTime) -> Result<Payment, Refusal> {
        let content = self.content(wire, now)?;
        let mut message = self.spec()?.parse(&content).map_err(|error| Refusal::parse(&error))?;
        self.verify(&message, now)?;
        self.open(&mut message, now)?;
        message.payment().map_err(|error| Refusal::new(Step::Translate, error))
    }

    /// What a party that verifies nothing would read: for tests that plant just this mistake.
    pub fn receive_unverified(&self, wire: &Wire, now: OffsetDateTime) -> Result<Payment, Refusal> {
        let content = self.content(wire, now)?;
        let mut message = self.spec()?.parse(&content).map_err(|error| Refusal::parse(&error))?;
        self.open(&mut message, now)?;
        message.payment().map_err(|error| Refusal::new(Step::Translate, error))
    }

    /// Parses and verifies a message, and gives its header and what outcome it states. What is sealed stays so: for a driver of
    /// loads, which must cost less than what it drives.
    pub fn receive_unopened(&self, wire: &Wire, now: OffsetDateTime) -> Result<Payment, Refusal> {
        let content = self.content(wire, now)?;
        let message = self.spec()?.parse(&content).map_err(|error| Refusal::parse(&error))?;
        self.verify(&message, now)?;
        let mut header = message.header();
        (header.operation, header.role) = (message.operation(), message.kind().role);
        header.outcome = message.outcome();
        Ok(header)
    }

    /// Writes a message of type `code`, sealed and signed.
    pub fn emit(&self, code: &str, payment: &Payment, now: OffsetDateTime, rng: &mut dyn CryptoRng) -> Result<Wire, Refusal> {
        self.emit_twisted(code, payment, now, rng, Twist::None)
    }

    /// Writes a message with one deliberate error.
    pub fn emit_twisted(
        &self,
        code: &str,
        payment: &Payment,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
        twist: Twist,
    ) -> Result<Wire, Refusal> {
        let mut draft = self.spec()?.draft(code, payment).map_err(|error| Refusal::build(&error))?;
        self.seal(&mut draft, now, rng, twist)?;
        let wire = self.sign(draft, now, rng, twist)?;
        let sealed = capsule::seal(self.spec()?, wire, (&*self.keyring(), &self.link), now, twist);
        sealed.map_err(|error| Refusal::new(Step::Seal, error))
    }

    /// What is to be read, where the whole of it is sealed.
    fn content<'w>(&self, wire: &'w Wire, now: OffsetDateTime) -> Result<Cow<'w, Wire>, Refusal> {
        let opened = capsule::open(self.spec()?, wire, (&*self.keyring(), &self.link), now);
        opened.map_err(|error| Refusal::new(Step::Open, error))
    }

    fn verify(&self, message: &Message<'_>, now: OffsetDateTime) -> Result<(), Refusal> {
        let refuse = |text: &dyn fmt::Display| Refusal::new(Step::Verify, text);
        let Some(found) = message.signature().map_err(|error| refuse(&error))? else {
            return Ok(());
        };
        check_freshness(&found, now)?;
        let text = message.signed_text().map_err(|error| refuse(&error))?;
        self.check(&found, &text, now).map_err(|error| refuse(&error))
    }

    fn check(&self, found: &SignatureFound, text: &[u8], now: OffsetDateTime) -> Result<(), Box<dyn std::error::Error>> {
        let keyring = self.keyring();
        let verifier = || match found.signer.serial() {
            Some(serial) => keyring.verifier(&self.link, serial, now),
            None => keyring.one_verifier(&self.link, now),
        };
        match (found.scheme, &found.value) {
            (SignatureScheme::Sm2(input), SignatureValue::Sm2(signature)) => {
                let text = sm2_input(input, text);
                match self.announced_verifier(found.signer.serial()) {
                    Some(verifier) => Ok(verifier.verify(&text, signature)?),
                    None => Ok(verifier()?.sm2()?.verify(&text, signature)?),
                }
            }
            (SignatureScheme::Rsa(kind), SignatureValue::Bytes(signature)) => {
                Ok(verifier()?.rsa()?.verify(rsa(kind), text, signature)?)
            }
            (SignatureScheme::Mac(kind), SignatureValue::Bytes(tag)) => {
                let named = found.signer.serial();
                if let Some(working) = self.working(named, now) {
                    return Ok(working.of(mac_algorithm(kind))?.check(&[text], tag)?);
                }
                let mac = match named {
                    Some(serial) => keyring.mac_with(&self.link, serial, now)?,
                    None => keyring.one_mac(&self.link, now)?,
                };
                Ok(mac.of(mac_algorithm(kind))?.check(&[text], tag)?)
            }
            _ => Err("the message carries no signature of a scheme that this party knows".into()),
        }
    }

    fn open(&self, message: &mut Message<'_>, now: OffsetDateTime) -> Result<(), Refusal> {
        let refuse = |text: &dyn fmt::Display| Refusal::new(Step::Open, text);
        let keyring = self.keyring();
        whole::open(message, (&keyring, &self.link), now).map_err(|error| refuse(&error))?;
        if let Some(SealingScheme::TextKey(cipher)) = message.sealing_scheme() {
            let keys = (keyring.as_ref(), self.link.as_str());
            return text_key::open(message, cipher, keys, now).map_err(|error| refuse(&error));
        }
        if let Some(SealingScheme::Session(cipher)) = message.sealing_scheme() {
            let keys = (keyring.as_ref(), self.link.as_str());
            return session::open(message, cipher, keys, now).map_err(|error| refuse(&error));
        }
        if let Some(SealingScheme::Each(cipher)) = message.sealing_scheme() {
            let keys = (keyring.as_ref(), self.link.as_str());
            return each::open(message, cipher, keys, now).map_err(|error| refuse(&error));
        }
        let Some(EnvelopeFound { serial, wrapped }) = message.envelope().map_err(|error| refuse(&error))? else {
            return Ok(());
        };
        let unwrapper = keyring
            .unwrapper(&self.link, &serial, now)
            .and_then(|found| found.sm2())
            .map_err(|error| refuse(&error))?;
        let secret = unwrapper.unwrap(&ciphertext(wrapped)).map_err(|error| refuse(&error))?;
        let data_key = <&[u8; 16]>::try_from(secret.danger_expose()).map_err(|_| refuse(&"data key is not 16 bytes"))?;
        let cipher = Sm4Gcm::new(data_key);
        for field in message.sealed_fields().map_err(|error| refuse(&error))? {
            let clear = cipher.open(&field.nonce, &field.additional, &field.ciphertext, &field.tag);
            let clear = clear.map_err(|error| refuse(&format_args!("{}: {error}", field.path)))?;
            message.set_opened(field.slot, &clear).map_err(|error| refuse(&error))?;
        }
        Ok(())
    }

    /// A fresh data key seals every field of one message (design.md 7).
    fn seal(&self, draft: &mut Draft<'_>, now: OffsetDateTime, rng: &mut dyn CryptoRng, twist: Twist) -> Result<(), Refusal> {
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        draft.set_nonce(&random);
        let keyring = self.keyring();
        whole::seal(draft, (&keyring, &self.link), now, twist).map_err(|error| Refusal::new(Step::Seal, error))?;
        let targets = draft.seal_targets();
        if targets.is_empty() {
            return Ok(());
        }
        if let Some(SealingScheme::TextKey(cipher)) = draft.sealing_scheme() {
            let keys = (keyring.as_ref(), self.link.as_str());
            let sealed = text_key::seal(draft, &targets, cipher, keys, (now, twist), rng);
            return sealed.map_err(|error| Refusal::new(Step::Seal, error));
        }
        if let Some(SealingScheme::Session(cipher)) = draft.sealing_scheme() {
            let keys = (keyring.as_ref(), self.link.as_str());
            let sealed = session::seal(draft, &targets, cipher, keys, (now, twist), rng);
            return sealed.map_err(|error| Refusal::new(Step::Seal, error));
        }
        if let Some(SealingScheme::Each(cipher)) = draft.sealing_scheme() {
            let keys = (keyring.as_ref(), self.link.as_str());
            let sealed = each::seal(draft, &targets, cipher, keys, (now, twist), rng);
            return sealed.map_err(|error| Refusal::new(Step::Seal, error));
        }
        let mut data_key = [0; 16];
        rng.fill_bytes(&mut data_key);
        let cipher = Sm4Gcm::new(&data_key);
        for target in targets {
            let mut nonce = [0; 12];
            rng.fill_bytes(&mut nonce);
            let (sealed, tag) = cipher.seal(&nonce, &target.additional, target.clear.as_bytes());
            draft.set_sealed(target.slot, &nonce, &sealed, &tag);
        }
        let wrapper = keyring
            .wrapper(&self.link, now)
            .map_err(|error| Refusal::new(Step::Seal, error))?;
        let mut wrapped = wrapper
            .sm2()
            .map_err(|error| Refusal::new(Step::Seal, error))?
            .wrap(&data_key, rng)
            .map_err(|error| Refusal::new(Step::Seal, error))?;
        text_key::misfit(&mut wrapped.c2, twist);
        draft.set_envelope(
            &wrapper.info.serial,
            &RawCiphertext {
                c1: wrapped.c1,
                c3: wrapped.c3,
                c2: wrapped.c2,
            },
        );
        Ok(())
    }

    fn sign(&self, mut draft: Draft<'_>, now: OffsetDateTime, rng: &mut dyn CryptoRng, twist: Twist) -> Result<Wire, Refusal> {
        let refuse = |text: &dyn fmt::Display| Refusal::new(Step::Sign, text);
        let keyring = self.keyring();
        match draft.signature_scheme() {
            SignatureScheme::None => draft.finish_unsigned(),
            SignatureScheme::Sm2(input) => {
                let signer = keyring.signer(&self.link, now).map_err(|error| refuse(&error))?;
                draft.set_signer(&named_serial(&signer.info.serial, twist), now);
                let text = draft.signed_text().map_err(|error| refuse(&error))?;
                let key = signer.sm2().map_err(|error| refuse(&error))?;
                let mut signature: RawSignature = key.sign(&sm2_input(input, &text), rng).map_err(|error| refuse(&error))?;
                spoil(&mut signature, twist);
                draft.finish_sm2(&signature)
            }
            SignatureScheme::Rsa(kind) => {
                let signer = keyring.signer(&self.link, now).map_err(|error| refuse(&error))?;
                draft.set_signer(&named_serial(&signer.info.serial, twist), now);
                let text = draft.signed_text().map_err(|error| refuse(&error))?;
                let key = signer.rsa().map_err(|error| refuse(&error))?;
                let mut signature = key.sign(rsa(kind), &text, rng).map_err(|error| refuse(&error))?;
                spoil(&mut signature, twist);
                draft.finish_bytes(&signature)
            }
            SignatureScheme::Mac(kind) => {
                let mut tag = match self.working(draft.named_signer(), now) {
                    Some(working) => {
                        let text = draft.signed_text().map_err(|error| refuse(&error))?;
                        let key = working.of(mac_algorithm(kind)).map_err(|error| refuse(&error))?;
                        key.tag(&[&text]).map_err(|error| refuse(&error))?
                    }
                    None => self.tag(&mut draft, kind, now, twist)?,
                };
                spoil(&mut tag, twist);
                draft.finish_bytes(&tag)
            }
        }
        .map_err(|error| Refusal::build(&error))
    }
}

impl Party {
    /// The tag of a draft under a MAC key of the keyring.
    fn tag(&self, draft: &mut Draft<'_>, kind: MacKind, now: OffsetDateTime, twist: Twist) -> Result<Vec<u8>, Refusal> {
        let refuse = |text: &dyn fmt::Display| Refusal::new(Step::Sign, text);
        let keyring = self.keyring();
        let mac = match draft.named_signer() {
            Some(serial) => keyring.mac_with(&self.link, serial, now),
            None => keyring.mac(&self.link, now),
        };
        let mac = mac.map_err(|error| refuse(&error))?;
        draft.set_signer(&named_serial(&mac.info.serial, twist), now);
        let text = draft.signed_text().map_err(|error| refuse(&error))?;
        let key = mac.of(mac_algorithm(kind)).map_err(|error| refuse(&error))?;
        key.tag(&[&text]).map_err(|error| refuse(&error))
    }
}

fn check_freshness(found: &SignatureFound, now: OffsetDateTime) -> Result<(), Refusal> {
    let Some(window_s) = found.window_s else {
        return Ok(());
    };
    let fresh = found
        .made_at
        .is_some_and(|made_at| (now - made_at).abs() <= time::Duration::seconds(i64::from(window_s)));
    if fresh {
        Ok(())
    } else {
        Err(Refusal::new(
            Step::Verify,
            format_args!("time stamp is not within {window_s} s"),
        ))
    }
}

/// What SM2 signs of a text.
fn sm2_input(input: Sm2Input, text: &[u8]) -> Vec<u8> {
    match input {
        Sm2Input::Text => text.to_vec(),
        Sm2Input::Digest => keys::sm3::sm3(&[text]).to_vec(),
    }
}

fn rsa(kind: RsaKind) -> RsaScheme {
    match kind {
        RsaKind::Sha256 => RsaScheme::Pkcs1Sha256,
        RsaKind::Sha1 => RsaScheme::Pkcs1Sha1,
        RsaKind::RawHexDigest => RsaScheme::Pkcs1RawHexDigest,
        RsaKind::Sha256OfHex => RsaScheme::Pkcs1Sha256OfHex,
        RsaKind::Sha1OfHex => RsaScheme::Pkcs1Sha1OfHex,
        RsaKind::Sha256OfDigest => RsaScheme::Pkcs1Sha256OfDigest,
    }
}

pub(crate) fn mac_algorithm(kind: MacKind) -> Algorithm {
    match kind {
        MacKind::HmacSm3 => Algorithm::HmacSm3,
        MacKind::HmacSha256 => Algorithm::HmacSha256,
        MacKind::HmacSha256Key => Algorithm::HmacSha256Key,
        MacKind::Md5Key => Algorithm::Md5Key,
        MacKind::Sha256Key => Algorithm::Sha256Key,
        MacKind::Sha256KeyDigest => Algorithm::Sha256KeyDigest,
        MacKind::Sm3KeyDigest => Algorithm::Sm3KeyDigest,
        MacKind::CupEcbDes => Algorithm::CupEcbDes,
        MacKind::CupEcbTripleDes => Algorithm::CupEcbTripleDes,
        MacKind::CupEcbSm4 => Algorithm::CupEcbSm4,
        MacKind::CupEcbSm4Bytes => Algorithm::CupEcbSm4Bytes,
    }
}

fn ciphertext(raw: RawCiphertext) -> Ciphertext {
    Ciphertext {
        c1: raw.c1,
        c3: raw.c3,
        c2: raw.c2,
    }
}

/// The serial that a message names: as long as the real one, and another one under `UnknownSerial`.
fn named_serial(serial: &str, twist: Twist) -> String {
    if twist != Twist::UnknownSerial {
        return serial.to_owned();
    }
    let mut named = serial.to_owned();
    let last = named.pop();
    named.push(if last == Some('9') { '8' } else { '9' });
    named
}

fn spoil(authentication: &mut [u8], twist: Twist) {
    if let (Twist::BadSignature, Some(last)) = (twist, authentication.last_mut()) {
        *last ^= 1;
    }
}
