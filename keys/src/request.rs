//! Certificate requests (RFC 2986, PKCS #10): what an authority gets to know of a key of ours, signed by that key.

use crate::certificate::CertificateKey;
use crate::certificate::signed::{first_value, key_of, seal, verify};
use crate::error::CryptoError;
use crate::pem;
use crate::store::Material;
use rand_core::CryptoRng;
use x509_cert::attr::Attributes;
use x509_cert::der::{Decode, Encode};
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, Version};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// A request read once, or made here.
pub struct Request {
    parsed: CertReq,
    /// The exact bytes that the key signed.
    signed: Vec<u8>,
    der: Vec<u8>,
}

impl Request {
    /// Signs one for a private key, with SM2 over SM3 or `SHA256withRSA`. The subject is written as RFC 4514 has it, the most
    /// specific name first.
    pub fn made(subject: &str, key: &Material, rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let subject: Name = subject.parse().map_err(|_| CryptoError::Key)?;
        if subject.is_empty() {
            return Err(CryptoError::Key);
        }
        let info = CertReqInfo {
            version: Version::V1,
            subject,
            public_key: public(key)?,
            attributes: Attributes::default(),
        };
        let text = info.to_der().map_err(|_| CryptoError::Key)?;
        let request = Self::from_der(&seal(key, &text, rng)?)?;
        // What no authority would take is not handed out.
        request.check()?;
        Ok(request)
    }

    /// From the first block of a PEM text, under either of the labels in use.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        let block = LABELS.iter().find_map(|label| pem::block(text, label));
        Self::from_der(&block.ok_or(CryptoError::Key)?)
    }

    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            parsed: CertReq::from_der(der).map_err(|_| CryptoError::Key)?,
            signed: first_value(der)?,
            der: der.to_vec(),
        })
    }

    pub fn to_pem(&self) -> String {
        pem::encode(LABELS[0], &self.der)
    }

    pub fn subject(&self) -> String {
        self.parsed.info.subject.to_string()
    }

    /// Its public key, once its signature is found to be that key's.
    pub fn check(&self) -> Result<CertificateKey, CryptoError> {
        let key = key_of(&self.parsed.info.public_key)?;
        let signature = self.parsed.signature.as_bytes().ok_or(CryptoError::Signature)?;
        verify(&key, self.parsed.algorithm.oid, &self.signed, signature)?;
        Ok(key)
    }
}

fn public(key: &Material) -> Result<SubjectPublicKeyInfoOwned, CryptoError> {
    let text = match key {
        Material::Sm2Private(key) => key.public().to_spki_pem()?,
        Material::RsaPrivate(key) => key.public().to_spki_pem()?,
        Material::Sm2Placed(..)
        | Material::RsaPlaced(..)
        | Material::MacPlaced(_)
        | Material::Sm2Public(_)
        | Material::RsaPublic(_)
        | Material::Secret(_) => return Err(CryptoError::Key),
    };
    let der = pem::block(&text, "PUBLIC KEY").ok_or(CryptoError::Key)?;
    SubjectPublicKeyInfoOwned::from_der(&der).map_err(|_| CryptoError::Key)
}

const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

#[cfg(test)]
mod tests;
