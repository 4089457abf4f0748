//! `[keys]`: a folder of keys, and for a guarded one where its master key comes from.

use super::certificates::{Certificates, SharedCertificates};
use super::providers::{ProviderConfig, SharedDevices};
use super::{ConfigError, wrong};
use crate::secret::{read_public_bytes, read_secret};
use keys::guarded::{self, Effect, GuardedError, Listed, MasterKey, Share, Stale, State};
use keys::keyring::Keyring;
use keys::provider::Devices;
use keys::revocation::RevocationList;
use keys::sm2::Engine;
use keys::store::{Held, Mark, OpenFolder, Source, StoreError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// Folder with keyring.toml and key files (mode 0600), or a guarded store.
    pub folder: PathBuf,
    /// Which implementation of SM2 the keys are prepared for.
    #[serde(default)]
    pub engine: Engine,
    /// Where the master key of a guarded store comes from.
    #[serde(default)]
    pub master: Option<MasterConfig>,
    /// Devices by the names that keyring.toml calls them.
    #[serde(default)]
    pub provider: BTreeMap<String, ProviderConfig>,
    /// The devices of this process, from the first use on.
    #[serde(skip)]
    devices: SharedDevices,
    /// What the last load found of certificates.
    #[serde(skip)]
    certificates: SharedCertificates,
    /// Which certificates of keys count no more.
    #[serde(default)]
    pub revocation: RevocationConfig,
}

/// For a guarded store, which has the authorities' certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationConfig {
    /// Files of revocation lists (DER or PEM), read anew when they change.
    #[serde(default)]
    pub lists: Vec<PathBuf>,
    /// What becomes of keys when their list is past its next update.
    #[serde(default)]
    pub stale: Stale,
}

/// Exactly one of the three.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterConfig {
    /// A file of mode 0600.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// A credential of the service, by its name.
    #[serde(default)]
    pub credential: Option<String>,
    /// Shares that officers opened for this start.
    #[serde(default)]
    pub shares: Vec<PathBuf>,
}

impl KeysConfig {
    /// A folder that no configuration names.
    pub fn of_folder(folder: &Path, master: Option<&Path>) -> Self {
        Self {
            folder: folder.to_path_buf(),
            engine: Engine::default(),
            master: master.map(|file| MasterConfig {
                file: Some(file.to_path_buf()),
                ..MasterConfig::default()
            }),
            revocation: RevocationConfig::default(),
            provider: BTreeMap::new(),
            devices: SharedDevices::default(),
            certificates: SharedCertificates::default(),
        }
    }

    /// The devices that keys may lie in. None is spoken to before a key of it is used.
    pub fn devices(&self) -> &Devices {
        self.devices.of(&self.provider)
    }

    /// The certificates behind the keys of a guarded store, as its last load found them.
    pub fn certificates(&self) -> Arc<Certificates> {
        self.certificates.noted()
    }

    pub fn is_guarded(&self) -> bool {
        guarded::is_guarded(&self.folder)
    }

    /// Loads and wholly checks the keys.
    pub fn load(&self) -> Result<Keyring, ConfigError> {
        match self.opened()? {
            None => keys::store::load_with(&self.folder, self.engine, self.devices()).map_err(of_folder),
            Some((state, master)) => {
                let (state, lists) = self.under_lists(&state)?;
                let keyring = guarded::keyring(&self.folder, &state, &master, self.engine);
                let keyring = keyring.map_err(|error| self.of_store(&error))?;
                self.certificates.note(Certificates::of(&state, lists));
                Ok(keyring)
            }
        }
    }

    /// What a running gateway looks at again and again.
    pub fn source(&self) -> Arc<dyn Source> {
        if self.is_guarded() || self.master.is_some() {
            Arc::new(Guarded(self.clone()))
        } else {
            Arc::new(OpenFolder::new(&self.folder, self.engine).with_devices(self.devices().clone()))
        }
    }

    /// Every key by itself, whatever its status: for finding out why a message fails, never to take one.
    pub fn held(&self) -> Result<Vec<Held>, ConfigError> {
        match self.opened()? {
            None => keys::store::held(&self.folder, self.devices()).map_err(of_folder),
            Some((state, master)) => guarded::filed(&self.folder, &state, &master).map_err(|error| self.of_store(&error)),
        }
    }

    /// The state of a guarded store as the revocation lists leave it, and what each list does.
    pub fn under_lists(&self, state: &State) -> Result<(State, Vec<Effect>), ConfigError> {
        let lists = self.revocation.lists.iter().map(|file| listed(file));
        let lists: Vec<_> = lists.collect::<Result<_, _>>()?;
        let outcome = state.under(&lists, self.revocation.stale);
        outcome.map_err(|error| refused(LISTS, error))
    }

    /// What a guarded store holds and its master key; none for a plain folder.
    fn opened(&self) -> Result<Option<(State, MasterKey)>, ConfigError> {
        if self.is_guarded() {
            let (_, state) = guarded::read(&self.folder).map_err(|error| self.of_store(&error))?;
            return Ok(Some((state, self.master()?)));
        }
        // Whoever takes the log away must not turn a guarded store into a plain folder with keys of one's own.
        if self.master.is_some() {
            return Err(refused(
                "keys.master",
                "is named, but the folder has no store.log: it is no guarded store",
            ));
        }
        Ok(None)
    }

    fn of_store(&self, error: &GuardedError) -> ConfigError {
        refused(self.folder.display().to_string(), error)
    }

    /// The master key of a guarded store.
    pub fn master(&self) -> Result<MasterKey, ConfigError> {
        let detail = "the folder is a guarded store: [keys.master] names where its master key comes from";
        let master = self.master.as_ref().ok_or_else(|| refused("keys.master", detail))?;
        master.read()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.master.is_none() && !self.revocation.lists.is_empty() {
            let detail = "are for a guarded store, which has the authorities' certificates";
            return Err(wrong(LISTS, detail));
        }
        for (name, provider) in &self.provider {
            provider.check(name)?;
        }
        self.master.as_ref().map_or(Ok(()), MasterConfig::check)
    }

    pub(super) fn take_files_from(&mut self, folder: &Path) {
        self.folder = folder.join(&self.folder);
        for file in &mut self.revocation.lists {
            *file = folder.join(&*file);
        }
        for provider in self.provider.values_mut() {
            provider.take_files_from(folder);
        }
        if let Some(master) = &mut self.master {
            master.file = master.file.take().map(|file| folder.join(file));
            for file in &mut master.shares {
                *file = folder.join(&*file);
            }
        }
    }
}

/// A guarded store: its log and the revocation lists say everything that can change, and its master key is read anew each time.
struct Guarded(KeysConfig);

impl Source for Guarded {
    fn mark(&self) -> Mark {
        let log = self.0.folder.join(guarded::LOG_FILE);
        let files = std::iter::once(&log).chain(&self.0.revocation.lists);
        let read = |file| std::fs::read(file).unwrap_or_else(|error| error.to_string().into_bytes());
        let looks: Vec<u8> = files.flat_map(|file| Mark::of(&read(file)).bytes()).collect();
        Mark::of(&looks)
    }

    fn load(&self) -> Result<Keyring, StoreError> {
        self.0.load().map_err(|error| StoreError {
            file: error.place,
            detail: error.detail,
        })
    }
}

impl MasterConfig {
    fn read(&self) -> Result<MasterKey, ConfigError> {
        if let Some(file) = &self.file {
            return of_file(file, "keys.master.file");
        }
        if let Some(name) = &self.credential {
            return of_file(&credentials()?.join(name), "keys.master.credential");
        }
        let shares = self.shares.iter().map(|file| of_share(file));
        let shares: Vec<Share> = shares.collect::<Result<_, _>>()?;
        let combined = MasterKey::combine(&shares);
        combined.map_err(|_| refused(SHARES, "too few shares, one twice, or not all of one split"))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let named = [self.file.is_some(), self.credential.is_some(), !self.shares.is_empty()];
        if named.iter().filter(|is_named| **is_named).count() != 1 {
            return Err(wrong("keys.master", "exactly one of file, credential and shares"));
        }
        match &self.credential {
            Some(name) if name.is_empty() || name.contains('/') || name.starts_with('.') => {
                Err(wrong("keys.master.credential", "a credential's name, without a path"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn of_file(file: &Path, place: &str) -> Result<MasterKey, ConfigError> {
    let text = read_secret(file).map_err(|detail| refused(place, detail))?;
    let key = MasterKey::from_hex(&text);
    key.map_err(|_| refused(place, format!("{} needs 64 hex digits on one line", file.display())))
}

fn listed(file: &Path) -> Result<Listed, ConfigError> {
    let bytes = read_public_bytes(file).map_err(|detail| refused(LISTS, detail))?;
    let list = RevocationList::from_bytes(&bytes);
    let list = list.map_err(|_| refused(LISTS, format!("{} is no revocation list that is understood", file.display())))?;
    let name = file.display().to_string();
    Ok(Listed { name, list })
}

fn of_share(file: &Path) -> Result<Share, ConfigError> {
    let text = read_secret(file).map_err(|detail| refused(SHARES, detail))?;
    Share::from_text(&text).map_err(|refusal| refused(SHARES, format!("{} {refusal}", file.display())))
}

/// Where the service manager puts what it hands to this service alone.
fn credentials() -> Result<PathBuf, ConfigError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the service manager names the folder of credentials by this variable"
    )]
    let folder = std::env::var("CREDENTIALS_DIRECTORY");
    folder.map(PathBuf::from).map_err(|_absent| {
        let detail = "CREDENTIALS_DIRECTORY is not set: start by a service with LoadCredential";
        refused("keys.master.credential", detail)
    })
}

fn of_folder(error: StoreError) -> ConfigError {
    refused(error.file, error.detail)
}

fn refused(place: impl Into<String>, detail: impl ToString) -> ConfigError {
    ConfigError {
        place: place.into(),
        detail: detail.to_string(),
    }
}

const LISTS: &str = "keys.revocation.lists";
const SHARES: &str = "keys.master.shares";
