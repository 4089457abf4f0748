//! Keys that lie in devices: the same rules as for keys from files, and a note of where each lies.

use super::{KeyringBuilder, info, mismatch, rsa_info, text, user_id};
use crate::algorithm::Algorithm;
use crate::hex;
use crate::key::{KeyEntry, Side, Usage};
use crate::keyring::{KeyPair, MacKey, Placement};
use crate::legacy::RsaPublic;
use crate::provider::{DeviceMac, DeviceRsaSigner, DeviceSigner, DeviceUnwrapper, Placed, Probe};
use crate::sm2::PublicKey;
use crate::sm3::sm3;
use std::sync::Arc;

impl KeyringBuilder {
    /// Adds a private SM2 key of ours in a device, by its public half: usage sign or seal.
    #[must_use]
    pub fn add_placed(mut self, entry: KeyEntry, key: &PublicKey, placed: Placed) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_placed(entry, key, placed);
        self.note(id, outcome)
    }

    /// Adds a private RSA key of ours in a device: usage sign.
    #[must_use]
    pub fn add_placed_rsa(mut self, entry: KeyEntry, key: &RsaPublic, placed: Placed) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_placed_rsa(entry, key, placed);
        self.note(id, outcome)
    }

    /// Adds a MAC key in a device.
    #[must_use]
    pub fn add_placed_mac(mut self, entry: KeyEntry, placed: Placed) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_placed_mac(entry, placed);
        self.note(id, outcome)
    }

    fn place_placed(&mut self, entry: KeyEntry, key: &PublicKey, placed: Placed) -> Result<(), String> {
        self.check(&entry, Side::Ours, Algorithm::Sm2)?;
        self.keyring.publics.insert(entry.id.clone(), key.clone());
        let (id, at) = (entry.id.clone(), placed.clone());
        let fingerprint = super::point_fingerprint(key);
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        let probe: Arc<dyn Probe> = match entry.usage {
            Usage::Sign => {
                let signer = DeviceSigner::new(placed, key, user_id(&entry), self.engine).map_err(text)?;
                let signer = Arc::new(signer);
                keys.sign_ours
                    .place(info(entry, fingerprint), KeyPair::Sm2(Box::new(signer.clone())))?;
                signer
            }
            Usage::Seal => {
                let unwrapper = Arc::new(DeviceUnwrapper::new(placed, key, self.engine));
                keys.seal_ours
                    .place(info(entry, fingerprint), KeyPair::Sm2(Box::new(unwrapper.clone())))?;
                unwrapper
            }
            Usage::Mac | Usage::Journal => return Err(mismatch(&entry)),
        };
        self.keyring.placements.push(Placement { id, placed: at, probe });
        Ok(())
    }

    fn place_placed_rsa(&mut self, entry: KeyEntry, key: &RsaPublic, placed: Placed) -> Result<(), String> {
        self.check(&entry, Side::Ours, Algorithm::Rsa)?;
        if entry.usage != Usage::Sign {
            return Err(PKCS1.to_owned());
        }
        let (id, at) = (entry.id.clone(), placed.clone());
        let signer = Arc::new(DeviceRsaSigner::new(placed, key.clone()));
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        keys.sign_ours
            .place(rsa_info(entry, key)?, KeyPair::Rsa(Box::new(signer.clone())))?;
        self.keyring.placements.push(Placement {
            id,
            placed: at,
            probe: signer,
        });
        Ok(())
    }

    fn place_placed_mac(&mut self, entry: KeyEntry, placed: Placed) -> Result<(), String> {
        let algorithm = entry.algorithm;
        self.check(&entry, Side::Shared, algorithm)?;
        if algorithm != Algorithm::HmacSha256 || entry.usage != Usage::Mac {
            return Err(ONLY_HMAC.to_owned());
        }
        let (id, at) = (entry.id.clone(), placed.clone());
        // Nothing of the key is known but its place.
        let place = [MAC_LABEL, placed.device.name().as_bytes(), b"|", placed.label.as_bytes()];
        let fingerprint = hex::encode(&sm3(&place)[..16]);
        let mac = DeviceMac::new(placed);
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        keys.mac.place(info(entry, fingerprint), MacKey::Device(mac.clone()))?;
        let probe = Arc::new(mac);
        self.keyring.placements.push(Placement { id, placed: at, probe });
        Ok(())
    }
}

const MAC_LABEL: &[u8] = b"hangu device key|";
const PKCS1: &str = "is to open RSA envelopes in a device: those of links are padded by PKCS #1 v1.5, and an error of a device for \
                     wrong padding would help to open them; keep this key in a file";
const ONLY_HMAC: &str =
    "lies in a device, which holds secrets for hmac-sha256 alone; with `file` it is kept there under the device's key";
