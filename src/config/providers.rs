//! `[keys.provider.NAME]`: devices in which keys lie.

use super::{ConfigError, wrong};
use crate::secret::read_secret;
use keys::pkcs11::{Pkcs11Context, Pkcs11Token};
use keys::provider::{Device, DevicePassword, Devices, Limits};
use keys::sdf::{Opening, SdfDevice, SdfShared};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    pub kind: ProviderKind,
    /// The vendor's library.
    pub library: PathBuf,
    /// File of mode 0600 with the PIN (pkcs11) or the password for private keys (sdf).
    pub password_file: PathBuf,
    /// Sessions that are used at once.
    #[serde(default = "sessions")]
    pub sessions: usize,
    /// How long a call may take, waiting for a session included.
    #[serde(default = "call_ms")]
    pub call_ms: u64,
    /// pkcs11: the token by its label.
    #[serde(default)]
    pub token: Option<String>,
    /// pkcs11: number of the vendor's mechanism that signs e with SM2.
    #[serde(default)]
    pub sm2_sign_mechanism: Option<u64>,
    /// sdf: the function that opens SM2 ciphertexts, where it is not `SDF_InternalDecrypt_ECC`.
    #[serde(default)]
    pub decrypt_function: Option<String>,
    /// sdf: whether that function takes the kind of key (`SGD_SM2_3`) after the index.
    #[serde(default = "yes")]
    pub decrypt_takes_kind: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    Pkcs11,
    Sdf,
}

impl ProviderConfig {
    pub(super) fn check(&self, name: &str) -> Result<(), ConfigError> {
        let place = |key: &str| format!("keys.provider.{name}.{key}");
        let is_pkcs11 = self.kind == ProviderKind::Pkcs11;
        if !(1..=SESSIONS_MAX).contains(&self.sessions) {
            return Err(wrong(&place("sessions"), &format!("1 to {SESSIONS_MAX}")));
        }
        if !(10..=CALL_MS_MAX).contains(&self.call_ms) {
            return Err(wrong(&place("call_ms"), &format!("10 to {CALL_MS_MAX}")));
        }
        if self.token.is_some() != is_pkcs11 {
            return Err(wrong(
                &place("token"),
                "the label of a token for kind pkcs11, and for no other",
            ));
        }
        if self
            .sm2_sign_mechanism
            .is_some_and(|number| !is_pkcs11 || number < VENDOR_DEFINED)
        {
            return Err(wrong(
                &place("sm2_sign_mechanism"),
                "a number from 0x80000000 on, for kind pkcs11",
            ));
        }
        if self.decrypt_function.is_some() && is_pkcs11 {
            return Err(wrong(&place("decrypt_function"), "a function's name for kind sdf"));
        }
        Ok(())
    }

    pub(super) fn take_files_from(&mut self, folder: &Path) {
        self.password_file = folder.join(&self.password_file);
        // A name without a folder is left to the system's search.
        if self.library.components().count() > 1 {
            self.library = folder.join(&self.library);
        }
    }

    /// Whether the file of the password is there, as private as it must be, and says something.
    pub fn check_password(&self) -> Result<(), String> {
        let text = read_secret(&self.password_file)?;
        if text.lines().next().unwrap_or_default().is_empty() {
            return Err(format!("{} is empty", self.password_file.display()));
        }
        Ok(())
    }

    fn device(&self, name: &str) -> Device {
        let limits = Limits {
            sessions: self.sessions,
            call: Duration::from_millis(self.call_ms),
        };
        let file = self.password_file.clone();
        let password = DevicePassword::new(move || {
            let text = read_secret(&file).ok()?;
            Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
        });
        match self.kind {
            ProviderKind::Pkcs11 => Device::new(name, limits, self.token(password)),
            ProviderKind::Sdf => Device::new(name, limits, self.sdf(password)),
        }
    }

    fn token(&self, password: DevicePassword) -> Pkcs11Token {
        Pkcs11Token {
            library: self.library.clone(),
            token: self.token.clone().unwrap_or_default(),
            password,
            sm2_sign: self.sm2_sign_mechanism,
            context: Pkcs11Context::default(),
        }
    }

    fn sdf(&self, password: DevicePassword) -> SdfDevice {
        let opening = Opening::default();
        SdfDevice {
            library: self.library.clone(),
            password: Arc::new(password),
            opening: Opening {
                function: self.decrypt_function.clone().unwrap_or(opening.function),
                takes_kind: self.decrypt_takes_kind,
            },
            shared: SdfShared::default(),
        }
    }
}

/// The devices of one process: made once, and shared by every copy of the configuration.
#[derive(Clone, Default)]
pub(super) struct SharedDevices(Arc<OnceLock<Devices>>);

impl SharedDevices {
    pub(super) fn of(&self, configs: &BTreeMap<String, ProviderConfig>) -> &Devices {
        let made = || Devices::of(configs.iter().map(|(name, config)| config.device(name)));
        self.0.get_or_init(made)
    }
}

impl fmt::Debug for SharedDevices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedDevices")
    }
}

const fn sessions() -> usize {
    4
}

const fn call_ms() -> u64 {
    2_000
}

const fn yes() -> bool {
    true
}

const SESSIONS_MAX: usize = 64;
const CALL_MS_MAX: u64 = 60_000;
/// Vendors' mechanisms of PKCS #11 begin here.
const VENDOR_DEFINED: u64 = 0x8000_0000;
