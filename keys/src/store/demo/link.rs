//! Throw-away keys for one more link of a demonstration, between two parties whose folders may stand already.

use super::{Encoding, Folder, Row, random_hex};
use crate::algorithm::Algorithm;
use crate::error::CryptoError;
use crate::key::{Side, Status, Usage};
use crate::legacy::RsaPrivate;
use crate::sm2::PrivateKey;
use crate::store::StoreError;
use rand_core::CryptoRng;
use std::path::Path;
use zeroize::Zeroizing;

/// A link and what its two parties need for it.
#[derive(Clone, Copy, Debug)]
pub struct DemoLink<'a> {
    /// Name of the link in both folders.
    pub link: &'a str,
    /// Folders of the parties that hold the two ends.
    pub parties: [&'a str; 2],
    pub keys: &'a [DemoKey],
}

/// One kind of key of a link: a pair of each party, or a secret that both hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DemoKey {
    pub usage: Usage,
    pub algorithm: Algorithm,
    /// The party that a shared key is known by, where the messages of a link name several.
    pub holder: Option<String>,
    /// The signer's serial number is its user id.
    pub named_by_serial: bool,
}

/// Makes the keys of several links. RSA keys are slow to make, so a party uses one pair for all of its links.
#[derive(Default)]
pub struct DemoKeys {
    rsa: Vec<(String, Halves)>,
}

impl DemoKeys {
    /// Adds a link's keys to both parties' folders, which are made if they are not there. Serial numbers are fixed.
    pub fn add(&mut self, folder: &Path, link: &DemoLink<'_>, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let [first, second] = link.parties;
        let mut folders = [Folder::open(folder, first)?, Folder::open(folder, second)?];
        for key in link.keys {
            if key.algorithm.secret_bytes().is_some() {
                share(&mut folders, link, key, rng)?;
                continue;
            }
            for owner in 0..link.parties.len() {
                self.give(&mut folders, owner, link, key, rng)?;
            }
        }
        folders.into_iter().try_for_each(Folder::finish)
    }

    /// One party's pair: the secret half to it, the public half to the other.
    fn give(
        &mut self,
        folders: &mut [Folder; 2],
        owner: usize,
        link: &DemoLink<'_>,
        key: &DemoKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let party = link.parties.get(owner).copied().unwrap_or_default();
        let id = format!("{}-{party}-{}", link.link, key.usage.name());
        let halves = self.halves(party, key.algorithm, rng).map_err(|error| refused(&id, error))?;
        let serial = serial(owner, key.usage);
        for (holder, folder) in folders.iter_mut().enumerate() {
            let (side, text) = if holder == owner {
                (Side::Ours, halves.secret.as_str())
            } else {
                (Side::Theirs, halves.public.as_str())
            };
            let row = Row {
                side,
                user_id: key.named_by_serial.then_some(&serial),
                ..row(&id, link.link, key, &serial)
            };
            folder.put(&row, text)?;
        }
        Ok(())
    }

    fn halves(&mut self, party: &str, algorithm: Algorithm, rng: &mut dyn CryptoRng) -> Result<Halves, CryptoError> {
        if algorithm != Algorithm::Rsa {
            let key = PrivateKey::generate(rng)?;
            return Ok(Halves {
                secret: key.danger_to_pkcs8_pem()?,
                public: key.public().to_spki_pem()?,
            });
        }
        if let Some((_, known)) = self.rsa.iter().find(|(name, _)| name == party) {
            return Ok(known.clone());
        }
        let key = RsaPrivate::generate(RSA_BITS, rng)?;
        let halves = Halves {
            secret: key.danger_to_pkcs8_pem()?,
            public: key.public().to_spki_pem()?,
        };
        self.rsa.push((party.to_owned(), halves.clone()));
        Ok(halves)
    }
}

/// A key pair as its files write it.
#[derive(Clone)]
struct Halves {
    secret: Zeroizing<String>,
    public: String,
}

/// The same secret to both. What a counterparty knows as characters is made of hex digits.
fn share(folders: &mut [Folder; 2], link: &DemoLink<'_>, key: &DemoKey, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
    let id = format!("{}-{}", link.link, key.usage.name());
    let bytes = key.algorithm.secret_bytes().unwrap_or_default();
    let drawn = if key.algorithm.is_text() { bytes / 2 } else { bytes };
    let text = match drawn {
        8 => random_hex::<8>(rng),
        16 => random_hex::<16>(rng),
        24 => random_hex::<24>(rng),
        _ => random_hex::<32>(rng),
    }?;
    let serial = key.holder.clone().unwrap_or_else(|| serial(0, key.usage));
    for folder in folders {
        let row = Row {
            side: Side::Shared,
            encoding: key.algorithm.is_text().then_some(Encoding::Text),
            ..row(&id, link.link, key, &serial)
        };
        folder.put(&row, &text)?;
    }
    Ok(())
}

fn row<'a>(id: &'a str, link: &'a str, key: &DemoKey, serial: &'a str) -> Row<'a> {
    Row {
        id,
        link,
        side: Side::Shared,
        usage: key.usage,
        algorithm: key.algorithm,
        status: Status::Primary,
        serial,
        user_id: None,
        encoding: None,
    }
}

/// Ten digits, which every institution's field of a serial number takes.
fn serial(owner: usize, usage: Usage) -> String {
    format!("4{}0000000{}", owner + 1, 1 + u8::from(usage == Usage::Seal))
}

fn refused(id: &str, error: CryptoError) -> StoreError {
    StoreError {
        file: id.to_owned(),
        detail: error.to_string(),
    }
}

const RSA_BITS: u32 = 2048;
