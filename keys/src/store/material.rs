//! From a key's file to the keyring: PEM and certificates for key pairs, hex, base64 or characters for secrets.

use super::entries::{Encoding, Listed};
use super::{StoreError, files};
use crate::algorithm::Algorithm;
use crate::certificate::{Certificate, CertificateKey};
use crate::error::CryptoError;
use crate::hex;
use crate::key::{KeyEntry, Side};
use crate::keyring::KeyringBuilder;
use crate::legacy::{RsaPrivate, RsaPublic};
use crate::sm2::{PrivateKey, PublicKey};
use base64ct::{Base64, Encoding as _};
use std::path::Path;
use zeroize::Zeroizing;

pub(super) fn add(builder: KeyringBuilder, listed: Listed, folder: &Path) -> Result<KeyringBuilder, StoreError> {
    let file = folder.join(&listed.file);
    let id = listed.entry.id.clone();
    let refuse = |rule: String| StoreError::new(&file, format!("key {id} {rule}"));
    match listed.entry.side {
        Side::Ours => add_private(builder, listed.entry, &files::read_secret(&file)?).map_err(refuse),
        Side::Theirs => add_public(builder, listed.entry, &files::read_public(&file)?).map_err(refuse),
        Side::Shared => {
            let secret = secret(listed.encoding, &files::read_secret(&file)?).map_err(refuse)?;
            Ok(builder.add_secret(listed.entry, &secret))
        }
    }
}

pub(crate) fn add_private(builder: KeyringBuilder, entry: KeyEntry, text: &str) -> Result<KeyringBuilder, String> {
    if entry.algorithm == Algorithm::Rsa {
        let key = RsaPrivate::from_pem(text).map_err(|_| NOT_RSA_PRIVATE)?;
        return Ok(builder.add_rsa_private(entry, key));
    }
    let key = PrivateKey::from_pem(text).map_err(|_| NOT_PRIVATE)?;
    Ok(builder.add_private(entry, &key))
}

pub(crate) fn add_public(builder: KeyringBuilder, entry: KeyEntry, text: &str) -> Result<KeyringBuilder, String> {
    let is_rsa = entry.algorithm == Algorithm::Rsa;
    match public_key(&entry, text)? {
        Some(CertificateKey::Rsa(key)) if is_rsa => Ok(builder.add_rsa_public(entry, key)),
        Some(CertificateKey::Sm2(key)) if !is_rsa => Ok(builder.add_public(entry, &key)),
        Some(_) => Err(format!(
            "is of algorithm {}, which is not its certificate's",
            entry.algorithm.name()
        )),
        None if is_rsa => {
            let key = RsaPublic::from_pem(text).map_err(|_| NOT_RSA_PUBLIC)?;
            Ok(builder.add_rsa_public(entry, key))
        }
        None => {
            let key = PublicKey::from_pem(text).map_err(|_| NOT_PUBLIC)?;
            Ok(builder.add_public(entry, &key))
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
