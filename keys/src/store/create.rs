//! A fresh key in a key folder: the secret half with mode 0600, the public half beside it, and its entry in `keyring.toml`.
//!
//! Nothing is ever replaced, and the list is written last and whole, so that a folder is loadable before and after.

use super::change::lock;
use super::entries::Encoding;
use super::{KEYRING_FILE, StoreError, build, files};
use crate::algorithm::Algorithm;
use crate::error::CryptoError;
use crate::hex;
use crate::key::{KeyEntry, Side};
use crate::legacy::RsaPrivate;
use crate::provider::Devices;
use crate::sm2::{Engine, PrivateKey};
use rand_core::CryptoRng;
use std::path::{Path, PathBuf};
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

/// What is to be made.
pub struct NewKey {
    /// Side ours or shared: a counterparty's key comes from the counterparty.
    pub entry: KeyEntry,
    /// Length of an RSA modulus: 2048, 3072 or 4096.
    pub bits: u32,
}

/// The files that were written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Created {
    pub secret: PathBuf,
    /// What the counterparty gets.
    pub public: Option<PathBuf>,
}

/// Makes a key and enters it. The folder is made if it is not there.
pub fn create(folder: &Path, new: &NewKey, rng: &mut dyn CryptoRng) -> Result<Created, StoreError> {
    let entry = &new.entry;
    let list = folder.join(KEYRING_FILE);
    let refuse = |rule: &str| StoreError::new(&list, format!("key {} {rule}", entry.id));
    checked(entry).map_err(|rule| refuse(&rule))?;
    let material = Material::fresh(new, rng).map_err(|error| refuse(&format!("cannot be made: {error}")))?;
    files::make_folder(folder)?;
    let _held = lock(folder)?;
    let before = if list.exists() {
        files::read_public(&list)?
    } else {
        String::new()
    };
    let written = material.write(folder, &entry.id)?;
    let entered = enter(folder, &before, entry, material.encoding, &written.secret);
    if entered.is_err() {
        // Nobody has the key: taking its files away again leaves the folder as it was.
        for path in [Some(&written.secret), written.public.as_ref()].into_iter().flatten() {
            files::remove(path)?;
        }
    }
    entered.map(|()| written)
}

/// The text of a fresh key as its file would hold it, and how that is written; its public half follows from it.
pub(crate) fn made(new: &NewKey, rng: &mut dyn CryptoRng) -> Result<(Zeroizing<String>, Encoding), String> {
    checked(&new.entry)?;
    let material = Material::fresh(new, rng).map_err(|error| format!("cannot be made: {error}"))?;
    Ok((material.secret, material.encoding.unwrap_or(Encoding::Hex)))
}

/// Enters a public key or certificate that a counterparty gave, in a file named after its id.
pub fn import(folder: &Path, entry: &KeyEntry, text: &str) -> Result<PathBuf, StoreError> {
    let list = folder.join(KEYRING_FILE);
    let refuse = |rule: &str| StoreError::new(&list, format!("key {} {rule}", entry.id));
    if entry.side != Side::Theirs {
        return Err(refuse("is not theirs: what is secret is made here"));
    }
    if !is_name(&entry.id) {
        return Err(refuse(NO_NAME));
    }
    let _held = lock(folder)?;
    let before = files::read_public(&list)?;
    let file = folder.join(format!("{}.pub.pem", entry.id));
    files::write_new(&file, text)?;
    let entered = enter(folder, &before, entry, None, &file);
    if entered.is_err() {
        files::remove(&file)?;
    }
    entered.map(|()| file)
}

/// The rules that can be seen before anything is made; the others are the keyring's.
fn checked(entry: &KeyEntry) -> Result<(), String> {
    if !is_name(&entry.id) {
        return Err(NO_NAME.to_owned());
    }
    if entry.side == Side::Theirs {
        return Err("is theirs: put the public key or certificate that they give into the folder".to_owned());
    }
    let serving: Vec<_> = Algorithm::serving(entry.side, entry.usage).map(Algorithm::name).collect();
    if serving.contains(&entry.algorithm.name()) {
        return Ok(());
    }
    let (side, usage) = (entry.side.name(), entry.usage.name());
    Err(match serving.join(", ") {
        none if none.is_empty() => format!("cannot have side {side} and usage {usage}"),
        some => format!(
            "is of algorithm {}, but side {side} and usage {usage} take {some}",
            entry.algorithm.name()
        ),
    })
}

/// Whether files may be named after an id.
fn is_name(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !id.is_empty() && !id.starts_with('.') && id.bytes().all(is_plain)
}

/// The texts of a key's files.
struct Material {
    secret: Zeroizing<String>,
    public: Option<String>,
    encoding: Option<Encoding>,
}

impl Material {
    fn fresh(new: &NewKey, rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let Some(bytes) = new.entry.algorithm.secret_bytes() else {
            return Self::fresh_pair(new, rng);
        };
        let is_text = new.entry.algorithm.is_text();
        // Hex digits as characters carry half as many bits as bytes do; 32 of them are 128 bits.
        let drawn = drawn(if is_text { bytes / 2 } else { bytes }, rng)?;
        let digits = Zeroizing::new(hex::encode(&drawn));
        Ok(Self {
            secret: Zeroizing::new([digits.as_str(), "\n"].concat()),
            public: None,
            encoding: is_text.then_some(Encoding::Text),
        })
    }

    fn fresh_pair(new: &NewKey, rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let (secret, public) = if new.entry.algorithm == Algorithm::Rsa {
            let key = RsaPrivate::generate(new.bits, rng)?;
            (key.danger_to_pkcs8_pem()?, key.public().to_spki_pem()?)
        } else {
            let key = PrivateKey::generate(rng)?;
            (key.danger_to_pkcs8_pem()?, key.public().to_spki_pem()?)
        };
        Ok(Self {
            secret,
            public: Some(public),
            encoding: None,
        })
    }

    fn write(&self, folder: &Path, id: &str) -> Result<Created, StoreError> {
        let ending = if self.public.is_some() { "key.pem" } else { "secret" };
        let secret = folder.join(format!("{id}.{ending}"));
        files::write_new(&secret, &self.secret)?;
        let Some(text) = &self.public else {
            return Ok(Created { secret, public: None });
        };
        let public = folder.join(format!("{id}.pub.pem"));
        if let Err(error) = files::write_new(&public, text) {
            files::remove(&secret)?;
            return Err(error);
        }
        let public = Some(public);
        Ok(Created { secret, public })
    }
}

/// Adds the entry and reads the whole folder as the gateway will, before the list changes.
fn enter(folder: &Path, before: &str, entry: &KeyEntry, encoding: Option<Encoding>, file: &Path) -> Result<(), StoreError> {
    let list = folder.join(KEYRING_FILE);
    let rows = rows(entry, encoding, file).map_err(|error| StoreError::new(&list, error.to_string()))?;
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let after = format!("{before}{gap}\n[[key]]\n{rows}");
    build(folder, &after, Engine::Reference, &Devices::assumed())?;
    files::replace(&list, &after)?;
    files::sync_folder(folder)
}

fn rows(entry: &KeyEntry, encoding: Option<Encoding>, file: &Path) -> Result<String, time::error::Format> {
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let not_before = entry.not_before.format(&Rfc3339)?;
    let not_after = entry.not_after.format(&Rfc3339)?;
    let mut rows = vec![
        ("id", entry.id.as_str()),
        ("link", &entry.link),
        ("side", entry.side.name()),
        ("usage", entry.usage.name()),
        ("algorithm", entry.algorithm.name()),
        ("serial", &entry.serial),
        ("status", entry.status.name()),
        ("not_before", &not_before),
        ("not_after", &not_after),
        ("file", &file),
    ];
    let primary_from = entry.primary_from.map(|from| from.format(&Rfc3339)).transpose()?;
    rows.extend(primary_from.as_deref().map(|from| ("primary_from", from)));
    rows.extend(encoding.map(|encoding| ("encoding", encoding.name())));
    rows.extend(entry.user_id.as_deref().map(|user_id| ("user_id", user_id)));
    let row = |(name, value): &(&str, &str)| format!("{name} = {}\n", toml::Value::String((*value).to_owned()));
    Ok(rows.iter().map(row).collect())
}

fn drawn(bytes: usize, rng: &mut dyn CryptoRng) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut drawn = Zeroizing::new(vec![0; bytes]);
    rng.fill_bytes(&mut drawn);
    let first = drawn.first().copied().unwrap_or_default();
    if drawn.iter().all(|byte| *byte == first) {
        return Err(CryptoError::Random);
    }
    Ok(drawn)
}

const NO_NAME: &str = "needs an id of letters, digits, `-`, `_` and `.`, since its files are named after it";
