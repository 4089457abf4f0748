//! From a key's file to the key: PEM and certificates for key pairs, hex, base64 or characters for secrets.

use super::entries::{Encoding, Listed, Place};
use super::held::{Held, Material};
use super::{StoreError, files};
use crate::algorithm::Algorithm;
use crate::certificate::{Certificate, CertificateKey};
use crate::error::CryptoError;
use crate::hex;
use crate::key::{KeyEntry, Side};
use crate::legacy::{RsaPrivate, RsaPublic};
use crate::provider::{self, Devices, Placed};
use crate::secret::Secret;
use crate::sm2::{PrivateKey, PublicKey};
use base64ct::{Base64, Encoding as _};
use std::path::Path;
use zeroize::Zeroizing;

pub(super) fn read(listed: Listed, folder: &Path, devices: &Devices) -> Result<Held, StoreError> {
    let list = || super::KEYRING_FILE.to_owned();
    let file = folder.join(listed.file.clone().unwrap_or_else(list));
    let (entry, id) = (&listed.entry, &listed.entry.id);
    let refuse = |rule: String| StoreError::new(&file, format!("key {id} {rule}"));
    if let Some(place) = &listed.place {
        let placed = placed(place, devices).map_err(refuse)?;
        let material = of_device(&listed, &file, placed)?.map_err(refuse)?;
        return Ok(Held {
            entry: listed.entry,
            material,
        });
    }
    let material = match entry.side {
        Side::Ours => private(entry, &files::read_secret(&file)?).map_err(refuse)?,
        Side::Theirs => public(entry, &files::read_public(&file)?).map_err(refuse)?,
        Side::Shared => {
            let mut secret = secret(listed.encoding, &files::read_secret(&file)?).map_err(refuse)?;
            Material::Secret(Secret::new(std::mem::take(&mut *secret)))
        }
    };
    Ok(Held {
        entry: listed.entry,
        material,
    })
}

fn placed(place: &Place, devices: &Devices) -> Result<Placed, String> {
    let device = devices.get(&place.provider).cloned();
    let device = device.ok_or_else(|| {
        format!(
            "lies in `{}`, which no [keys.provider] of the configuration is named",
            place.provider
        )
    })?;
    let label = place.label.clone();
    Ok(Placed { device, label })
}

/// Of a key pair the file has the public half; of a secret it has all, under a key of the device.
fn of_device(listed: &Listed, file: &Path, placed: Placed) -> Result<Result<Material, String>, StoreError> {
    let entry = &listed.entry;
    if listed.file.is_none() {
        return Ok(Ok(Material::MacPlaced(placed)));
    }
    let text = files::read_public(file)?;
    Ok(if entry.side == Side::Shared {
        provider::open_text(&placed, &text).map(Material::Secret)
    } else {
        public(entry, &text).map(|half| half.placed(placed))
    })
}

pub(crate) fn private(entry: &KeyEntry, text: &str) -> Result<Material, String> {
    if entry.algorithm == Algorithm::Rsa {
        let key = RsaPrivate::from_pem(text).map_err(|_| NOT_RSA_PRIVATE)?;
        return Ok(Material::RsaPrivate(Box::new(key)));
    }
    let key = PrivateKey::from_pem(text).map_err(|_| NOT_PRIVATE)?;
    Ok(Material::Sm2Private(Box::new(key)))
}

pub(crate) fn public(entry: &KeyEntry, text: &str) -> Result<Material, String> {
    let is_rsa = entry.algorithm == Algorithm::Rsa;
    match public_key(entry, text)? {
        Some(CertificateKey::Rsa(key)) if is_rsa => Ok(Material::RsaPublic(key)),
        Some(CertificateKey::Sm2(key)) if !is_rsa => Ok(Material::Sm2Public(key)),
        Some(_) => Err(format!(
            "is of algorithm {}, which is not its certificate's",
            entry.algorithm.name()
        )),
        None if is_rsa => {
            let key = RsaPublic::from_pem(text).map_err(|_| NOT_RSA_PUBLIC)?;
            Ok(Material::RsaPublic(key))
        }
        None => {
            let key = PublicKey::from_pem(text).map_err(|_| NOT_PUBLIC)?;
            Ok(Material::Sm2Public(key))
        }
    }
}

/// The key of a certificate, if the file is one and agrees with the entry.
fn public_key(entry: &KeyEntry, text: &str) -> Result<Option<CertificateKey>, String> {
    if !text.contains(CERTIFICATE) {
        return Ok(None);
    }
    let unreadable = |_: CryptoError| NOT_CERTIFICATE.to_owned();
    let certificate = Certificate::from_pem(text).map_err(unreadable)?;
    if !certificate.has_serial(&entry.serial) {
        let forms = [
            certificate.serial_hex(),
            certificate.serial_decimal(),
            certificate.issuer_and_serial_md5(),
        ];
        return Err(format!(
            "has the serial {}, but its certificate {}",
            entry.serial,
            forms.join(" or ")
        ));
    }
    let (from, to) = (
        certificate.not_before().map_err(unreadable)?,
        certificate.not_after().map_err(unreadable)?,
    );
    if entry.not_before < from || entry.not_after > to {
        return Err(format!(
            "is to be valid longer than its certificate, which is from {from} to {to}"
        ));
    }
    certificate.public_key().map(Some).map_err(unreadable)
}

pub(crate) fn secret(encoding: Encoding, text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = text.trim_ascii();
    match encoding {
        Encoding::Hex => hex::decode(text).ok_or_else(|| NOT_HEX.to_owned()),
        Encoding::Base64 => Base64::decode_vec(text)
            .map(Zeroizing::new)
            .map_err(|_| NOT_BASE64.to_owned()),
        Encoding::Text if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Zeroizing::new(text.as_bytes().to_vec())),
        Encoding::Text => Err(NOT_TEXT.to_owned()),
    }
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const NOT_PRIVATE: &str =
    "needs an SM2 private key: PEM, `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC1), not encrypted, public half fitting";
const NOT_PUBLIC: &str = "needs an SM2 public key: PEM, `PUBLIC KEY` (SPKI), with a point on the curve, or a certificate";
const NOT_RSA_PRIVATE: &str = "needs an RSA private key of 1024 to 4096 bits: PEM, `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` \
                               (PKCS#1), not encrypted, its parts fitting";
const NOT_RSA_PUBLIC: &str = "needs an RSA public key of 1024 to 4096 bits: PEM, `PUBLIC KEY` (SPKI) or `RSA PUBLIC KEY` \
                              (PKCS#1), or a certificate";
const NOT_CERTIFICATE: &str = "needs a certificate of an SM2 or RSA key (1024 to 4096 bits) that can be read";
const NOT_HEX: &str = "needs a secret written as hex digits on one line";
const NOT_BASE64: &str = "needs a secret written as base64 on one line";
const NOT_TEXT: &str = "needs a secret of visible ASCII characters on one line";
