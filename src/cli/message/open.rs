//! Sealed fields of a message that is shown to a person, opened with our keys as far as we hold them.
//!
//! This leads to no payment: the pipeline alone makes those, and it verifies first.

use codecs::message::{EnvelopeFound, Message};
use keys::keyring::Keyring;
use keys::sm2::Ciphertext;
use keys::sm4::Sm4Gcm;
use time::OffsetDateTime;

/// Opens what is sealed; says how many fields that were, or why they stay closed.
pub(crate) fn open_fields(
    message: &mut Message<'_>,
    link: &str,
    keyring: &Keyring,
    now: OffsetDateTime,
) -> Result<usize, String> {
    let Some(envelope) = message.envelope().map_err(|error| error.to_string())? else {
        return Ok(0);
    };
    let cipher = data_key(envelope, link, keyring, now)?;
    let sealed = message.sealed_fields().map_err(|error| error.to_string())?;
    let count = sealed.len();
    for field in sealed {
        let clear = cipher
            .open(&field.nonce, &field.additional, &field.ciphertext, &field.tag)
            .map_err(|error| format!("{}: {error}", field.path))?;
        message.set_opened(field.slot, &clear).map_err(|error| error.to_string())?;
    }
    Ok(count)
}

fn data_key(envelope: EnvelopeFound, link: &str, keyring: &Keyring, now: OffsetDateTime) -> Result<Sm4Gcm, String> {
    let unwrapper = keyring
        .unwrapper(link, &envelope.serial, now)
        .and_then(|found| found.sm2())
        .map_err(|error| error.to_string())?;
    let wrapped = Ciphertext {
        c1: envelope.wrapped.c1,
        c3: envelope.wrapped.c3,
        c2: envelope.wrapped.c2,
    };
    let secret = unwrapper.unwrap(&wrapped).map_err(|error| format!("wrapped key: {error}"))?;
    let key: &[u8; 16] = secret
        .danger_expose()
        .try_into()
        .map_err(|_wrong_length| "wrapped key: not 16 bytes".to_owned())?;
    Ok(Sm4Gcm::new(key))
}
