//! Which keys a message of ours names, read off its bytes: for bytes that were written some time ago.

use super::{LinkView, Under, capsule};
use codecs::envelope::SignatureScheme;
use codecs::wire::Wire;
use keys::key::{Side, Usage};

/// What the bytes tell of the keys that they stand under.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Names {
    /// Every key that they were written with; none where nothing is signed or sealed.
    Keys(Vec<Under>),
    /// They are signed, but do not say by which key.
    Nothing,
}

/// Reads the serial numbers off a message of ours.
pub fn named(wire: &Wire, link: LinkView<'_>) -> Names {
    let Ok(wire) = capsule::open_stored(wire, link) else {
        return Names::Nothing;
    };
    let Ok(message) = link.spec.parse(&wire) else {
        return Names::Nothing;
    };
    let mut keys = Vec::new();
    match message.signature() {
        Ok(None) => {}
        Ok(Some(found)) => {
            let Some(serial) = found.signer.serial() else {
                return Names::Nothing;
            };
            let (side, usage) = filed(found.scheme);
            let serial = serial.to_owned();
            keys.push(Under {
                side,
                usage,
                serial,
                working: None,
            });
        }
        Err(_) => return Names::Nothing,
    }
    match message.wrapped_key() {
        Ok(None) => {}
        Ok(Some((serial, _))) => keys.push(Under {
            side: Side::Theirs,
            usage: Usage::Seal,
            serial,
            working: None,
        }),
        Err(_) => return Names::Nothing,
    }
    match (message.sealed_each(), message.sealed_for()) {
        (Ok(each), _) if each.is_empty() => {}
        (Ok(_), Some(serial)) => keys.push(Under {
            side: Side::Theirs,
            usage: Usage::Seal,
            serial: serial.to_owned(),
            working: None,
        }),
        (Ok(_), None) | (Err(_), _) => return Names::Nothing,
    }
    Names::Keys(keys)
}

/// Where the keyring files the key that made a signature of ours.
const fn filed(scheme: SignatureScheme) -> (Side, Usage) {
    match scheme {
        SignatureScheme::Mac(_) => (Side::Shared, Usage::Mac),
        SignatureScheme::None | SignatureScheme::Sm2(_) | SignatureScheme::Rsa(_) => (Side::Ours, Usage::Sign),
    }
}
