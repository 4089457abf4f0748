//! MACs: under a working key of the party that a message names, where that has signed in, or else under a key of the keyring.

use super::{Fault, LinkView, Rejection, Step, Under, scheme};
use codecs::envelope::MacKind;
use keys::error::{CryptoError, KeyError};
use keys::keyring::{MacKey, WorkingKey};
use time::OffsetDateTime;

/// Where the message names the party that it is for, that party's key authenticates it and no other.
pub(super) fn tag(
    kind: MacKind,
    named: Option<&str>,
    text: &[u8],
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<(Vec<u8>, Under), Fault> {
    let wanted = scheme::mac(kind);
    if let Some(holder) = named
        && let Some(working) = link.keyring.working(link.name, holder, now).first()
    {
        let tag = working.of(wanted)?.tag(&[text])?;
        return Ok((tag, Under::of_working(holder, working)));
    }
    let mac = match named {
        Some(serial) => link.keyring.mac_with(link.name, serial, now)?,
        None => link.keyring.mac(link.name, now)?,
    };
    Ok((mac.of(wanted)?.tag(&[text])?, Under::of(mac.info)))
}

/// Checks a tag under the key of the party that the message names, or the one key of a link whose messages name none.
pub(super) fn check(
    kind: MacKind,
    named: Option<&str>,
    (text, tag): (&[u8], &[u8]),
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<Under, Box<Rejection>> {
    let wanted = scheme::mac(kind);
    let key_error = |error: KeyError| Rejection::of_key(Step::Verify, &error);
    let invalid = |error| Rejection::of_crypto(Step::Verify, "signature.invalid", "signature", error);
    let checked = |key: &MacKey| key.check(&[text], tag);
    let working = named.map(|holder| (holder, link.keyring.working(link.name, holder, now)));
    if let Some((holder, working)) = working.filter(|(_, working)| !working.is_empty()) {
        let mut last = CryptoError::Signature;
        for key in &working {
            match checked(key.of(wanted).map_err(key_error)?) {
                Ok(()) => return Ok(Under::of_working(holder, key)),
                Err(error) => last = error,
            }
        }
        return Err(invalid(last));
    }
    let mac = match named {
        Some(serial) => link.keyring.mac_with(link.name, serial, now),
        None => link.keyring.one_mac(link.name, now),
    };
    let mac = mac.map_err(key_error)?;
    checked(mac.of(wanted).map_err(key_error)?).map_err(invalid)?;
    Ok(Under::of(mac.info))
}

impl Under {
    fn of_working(holder: &str, key: &WorkingKey) -> Self {
        Self {
            side: keys::key::Side::Shared,
            usage: keys::key::Usage::Mac,
            serial: holder.to_owned(),
            working: Some(key.mark.clone()),
        }
    }
}
