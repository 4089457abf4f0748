//! Secrets that come from files: read when they are needed, so that a changed file counts from the next connection on.

use crate::config::ConfigError;
use serde::Deserialize;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A bundle of all public authorities has some hundred kilobytes.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// A password that no `Debug` prints.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Password(Source);

#[derive(Clone)]
enum Source {
    Clear(Zeroizing<String>),
    File(PathBuf),
}

impl Password {
    pub fn new(clear: impl Into<String>) -> Self {
        Self(Source::Clear(Zeroizing::new(clear.into())))
    }

    /// The first line of a file that only its owner may read.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    pub(crate) fn read(&self) -> Result<Zeroizing<String>, String> {
        match &self.0 {
            Source::Clear(clear) => Ok(clear.clone()),
            Source::File(path) => {
                let text = read_secret(path)?;
                Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
            }
        }
    }
}

impl Default for Password {
    fn default() -> Self {
        Self::new("")
    }
}

impl From<String> for Password {
    fn from(clear: String) -> Self {
        Self::new(clear)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// The password that the table `table` names: a file, or an environment variable. None where neither is named.
pub fn password(table: &str, file: Option<&Path>, variable: Option<&str>) -> Result<Option<Password>, ConfigError> {
    if let Some(file) = file {
        return Ok(Some(Password::file(file)));
    }
    let Some(variable) = variable else { return Ok(None) };
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration names this variable as the place of a secret"
    )]
    let value = std::env::var(variable);
    let value = value.map_err(|_absent| ConfigError {
        place: format!("{table}.password_env"),
        detail: format!("{variable} is not set"),
    })?;
    Ok(Some(Password::new(value)))
}

/// Permissions are read from the open file, so that what is checked is what is read.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let mut bytes = read_secret_bytes(path)?;
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(format!("{} cannot be read: it is not text", path.display()))
        }
    }
}

/// As `read_secret`, for files that are not text.
pub fn read_secret_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let place = path.display();
    let file = File::open(path).map_err(|error| format!("{place} cannot be read: {error}"))?;
    let metadata = file.metadata().map_err(|error| format!("{place} cannot be read: {error}"))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{place} holds a secret, but its mode {mode:04o} lets others read it; run: chmod 600 {place}"
        ));
    }
    read_limited(file).map_err(|error| format!("{place} cannot be read: {error}"))
}

/// Reads a file that holds no secret.
pub fn read_public(path: &Path) -> Result<String, String> {
    let bytes = read_public_bytes(path)?;
    String::from_utf8(bytes).map_err(|_| format!("{} cannot be read: it is not text", path.display()))
}

/// As `read_public`, for files that are not text.
pub fn read_public_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = File::open(path).and_then(read_limited);
    let mut bytes = bytes.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(std::mem::take(&mut *bytes))
}

fn read_limited(file: File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if bytes > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "it has {bytes} bytes, over the limit of {FILE_BYTES_MAX}"
        )));
    }
    // Room for all of it at once, so that no piece of a secret is left behind where it grew; and for more, since the standard
    // library first reads into 32 bytes of its stack where there is less room than that.
    let mut content = Zeroizing::new(Vec::with_capacity(bytes + STACK_PROBE));
    file.take(FILE_BYTES_MAX as u64).read_to_end(&mut content)?;
    Ok(content)
}

/// More than the standard library's probe.
const STACK_PROBE: usize = 64;
