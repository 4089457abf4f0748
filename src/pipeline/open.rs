//! Step 3: the digital envelope. The wrapped SM4 key is opened once, then every sealed field in its place.

use super::parse::Parsed;
use super::verify::Verified;
use super::{LinkView, Rejection, Step, Under, each, session, text_key, whole};
use codecs::envelope::{RawCiphertext, SealingScheme};
use codecs::message::{EnvelopeFound, Message};
use keys::envelope;
use keys::error::{CryptoError, KeyError};
use keys::keyring::{UnwrapKey, Usable};
use keys::sm2::{Ciphertext, Unwrap};
use keys::sm4::Sm4Gcm;
use std::cell::RefCell;
use std::sync::Arc;
use time::OffsetDateTime;

/// A verified message with every sealed field opened. Only this file and `verify` can bring it about.
pub struct Opened<'a> {
    message: Message<'a>,
    signed_by: Option<Under>,
    keys: Vec<Under>,
}

impl<'a> Opened<'a> {
    pub(super) fn of_verified(verified: Verified<'a>, keys: Vec<Under>) -> Self {
        let (message, signed_by) = verified.into_parts();
        Self {
            message,
            signed_by,
            keys,
        }
    }

    pub(super) fn message(&self) -> &Message<'a> {
        &self.message
    }

    pub(super) fn signed_by(&self) -> &str {
        self.signed_by.as_ref().map_or("", |key| &key.serial)
    }

    pub(super) fn under(&self) -> Vec<Under> {
        self.signed_by.iter().chain(&self.keys).cloned().collect()
    }
}

/// Opened, but not verified: leads nowhere but to `verify::verify_opened`.
pub(super) struct Unverified<'a> {
    message: Message<'a>,
    keys: Vec<Under>,
}

impl<'a> Unverified<'a> {
    pub(super) fn into_parts(self) -> (Message<'a>, Vec<Under>) {
        (self.message, self.keys)
    }
}

pub(super) fn open<'a>(verified: Verified<'a>, link: LinkView<'_>, now: OffsetDateTime) -> Result<Opened<'a>, Box<Rejection>> {
    let (mut message, signed_by) = verified.into_parts();
    let keys = open_usable(&mut message, link, now)?;
    Ok(Opened {
        message,
        signed_by,
        keys,
    })
}

pub(super) fn open_unverified<'a>(
    parsed: Parsed<'a>,
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<Unverified<'a>, Box<Rejection>> {
    let mut message = parsed.message;
    let keys = open_usable(&mut message, link, now)?;
    Ok(Unverified { message, keys })
}

/// Opens what the journal vouches for, with any key that we still hold.
pub(super) fn open_stored<'a>(parsed: Parsed<'a>, link: LinkView<'_>) -> Result<Opened<'a>, Box<Rejection>> {
    let mut message = parsed.message;
    disclose_stored(&mut message, link)?;
    Ok(Opened {
        message,
        signed_by: None,
        keys: Vec::new(),
    })
}

/// In place, for whoever shows it.
pub(super) fn disclose(message: &mut Message<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<(), Box<Rejection>> {
    open_usable(message, link, now).map(drop)
}

pub(super) fn disclose_stored(message: &mut Message<'_>, link: LinkView<'_>) -> Result<(), Box<Rejection>> {
    let choose = |serial: &str| link.keyring.held_unwrapper(link.name, serial);
    let chosen = |serial: Option<&str>| match serial {
        Some(serial) => choose(serial).map(|key| vec![key]),
        None => Ok(link.keyring.held_unwrappers(link.name).collect()),
    };
    let find = |ours: &Usable<'_, dyn Unwrap>, wrapped: &Ciphertext| envelope::unwrapped(ours.key, wrapped).map(Arc::new);
    open_fields(message, &choose, &chosen, &find)?;
    whole::open_stored(message, link)
}

/// Which key opens an envelope that names this serial.
pub(super) type Choose<'k> = dyn Fn(&str) -> Result<Usable<'k, UnwrapKey>, KeyError> + 'k;

/// Which keys may open values that are sealed each by itself, by the serial that the message names.
pub(super) type Chosen<'k> = dyn Fn(Option<&str>) -> Result<Vec<Usable<'k, UnwrapKey>>, KeyError> + 'k;

/// The key in an envelope.
type Find<'f> = dyn Fn(&Usable<'_, dyn Unwrap>, &Ciphertext) -> Result<Arc<Sm4Gcm>, CryptoError> + 'f;

/// By a private key that may be used now, and what the link keeps of envelopes that it unwrapped; gives the keys used.
fn open_usable(message: &mut Message<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<Vec<Under>, Box<Rejection>> {
    let used = RefCell::new(Vec::new());
    let choose = |serial: &str| {
        let chosen = link.keyring.unwrapper(link.name, serial, now)?;
        used.borrow_mut().push(Under::of(chosen.info));
        Ok(chosen)
    };
    let chosen = |serial: Option<&str>| {
        if let Some(serial) = serial {
            return choose(serial).map(|key| vec![key]);
        }
        let one = link.keyring.one_unwrapper(link.name, now)?;
        used.borrow_mut().push(Under::of(one.info));
        Ok(vec![one])
    };
    let envelopes = link.keyring.envelopes(link.name);
    let find = |ours: &Usable<'_, dyn Unwrap>, wrapped: &Ciphertext| envelopes.inbound(ours, wrapped, now);
    let opened = open_fields(message, &choose, &chosen, &find);
    let whole = opened.and_then(|()| whole::open(message, link, now));
    let whole = whole.map_err(|rejection| rejection.with_header(Some(message.header())))?;
    Ok(used.into_inner().into_iter().chain(whole).collect())
}

fn open_fields(
    message: &mut Message<'_>,
    choose: &Choose<'_>,
    chosen: &Chosen<'_>,
    find: &Find<'_>,
) -> Result<(), Box<Rejection>> {
    let refused = |error| Rejection::of_parse(Step::Open, error);
    match message.sealing_scheme() {
        Some(SealingScheme::TextKey(cipher)) => return text_key::open(message, cipher, choose),
        Some(SealingScheme::Session(cipher)) => return session::open(message, cipher, choose),
        Some(SealingScheme::Each(cipher)) => return each::open(message, cipher, chosen),
        Some(SealingScheme::Sm4Gcm) | None => {}
    }
    let Some(EnvelopeFound { serial, wrapped, .. }) = message.envelope().map_err(refused)? else {
        return Ok(());
    };
    let RawCiphertext { c1, c3, c2 } = wrapped;
    let ours = choose(&serial).and_then(|found| found.as_sm2()).map_err(of_key)?;
    let cipher = find(&ours, &Ciphertext { c1, c3, c2 }).map_err(of_envelope)?;
    for field in message.sealed_fields().map_err(refused)? {
        let clear = cipher
            .open(&field.nonce, &field.additional, &field.ciphertext, &field.tag)
            .map_err(|error| Rejection::of_crypto(Step::Open, "seal.invalid", field.path, error))?;
        message.set_opened(field.slot, &clear).map_err(refused)?;
    }
    Ok(())
}

fn of_key(error: KeyError) -> Box<Rejection> {
    Rejection::of_key(Step::Open, &error)
}

fn of_envelope(error: CryptoError) -> Box<Rejection> {
    Rejection::of_crypto(Step::Open, "envelope.invalid", "dgtlEnvlp", error)
}
