//! Officers' keys and their passphrases. A passphrase is typed without echo, or comes from a file or an open descriptor; never
//! from an argument, which every user of the machine could read.

use crate::cli::output::{Exit, Failure, complain};
use crate::cli::texts::text;
use hangu::secret::read_secret;
use keys::guarded::OfficerKey;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Who signs.
#[derive(clap::Args)]
pub(super) struct Signer {
    /// Key file of the officer who signs.
    #[arg(long, value_name = "FILE")]
    officer_key: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// Where a passphrase comes from; without either it is asked for.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(super) struct Source {
    /// File (mode 0600) whose first line is the passphrase.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Open file descriptor whose first line is the passphrase.
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
}

/// Where the passphrase comes from that takes the place of another.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(super) struct NewSource {
    /// File (mode 0600) whose first line is the new passphrase.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Open file descriptor whose first line is the new passphrase.
    #[arg(long, value_name = "FD")]
    new_passphrase_fd: Option<u32>,
}

impl NewSource {
    pub(super) fn read(&self, whose: &str) -> Result<Zeroizing<String>, Failure> {
        let source = Source {
            passphrase_file: self.new_passphrase_file.clone(),
            passphrase_fd: self.new_passphrase_fd,
        };
        source.read_new(whose)
    }
}

impl Signer {
    /// Opens the officer's key; `about` is shown to an officer who types the passphrase.
    pub(super) fn open(&self, about: &str) -> Result<OfficerKey, Failure> {
        let Some(file) = &self.officer_key else {
            let detail = "is needed: an officer signs what is done to a guarded store";
            return Err(Failure::new(Exit::Usage, "--officer-key", detail));
        };
        if self.source.is_typed() && !about.is_empty() {
            complain(about);
        }
        open(file, &self.source)
    }
}

impl Source {
    pub(super) fn of_file(file: &Path) -> Self {
        Self {
            passphrase_file: Some(file.to_path_buf()),
            passphrase_fd: None,
        }
    }

    pub(super) fn typed() -> Self {
        Self {
            passphrase_file: None,
            passphrase_fd: None,
        }
    }

    fn is_typed(&self) -> bool {
        self.passphrase_file.is_none() && self.passphrase_fd.is_none()
    }

    pub(super) fn read(&self, whose: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Usage, "passphrase", error);
        if let Some(file) = &self.passphrase_file {
            let all = read_secret(file).map_err(|detail| Failure::new(Exit::Usage, "--passphrase-file", detail))?;
            return Ok(Zeroizing::new(all.lines().next().unwrap_or_default().to_owned()));
        }
        if let Some(descriptor) = self.passphrase_fd {
            let file = File::open(format!("/dev/fd/{descriptor}")).map_err(failed)?;
            return first_line(file).map_err(failed);
        }
        typed(&format!("{} ({whose}): ", text("key.passphrase"))).map_err(failed)
    }

    /// A passphrase that is typed is typed twice before a key is sealed under it.
    pub(super) fn read_new(&self, whose: &str) -> Result<Zeroizing<String>, Failure> {
        let first = self.read(whose)?;
        if self.is_typed() && *self.read(whose)? != *first {
            return Err(Failure::new(Exit::Usage, "passphrase", "the two are not the same"));
        }
        Ok(first)
    }
}

/// Opens an officer's key file.
pub(super) fn open(file: &Path, source: &Source) -> Result<OfficerKey, Failure> {
    let place = file.display().to_string();
    let sealed = read_secret(file).map_err(|detail| Failure::new(Exit::Usage, "--officer-key", detail))?;
    let passphrase = source.read(&place)?;
    OfficerKey::from_file(&sealed, &passphrase).map_err(|refusal| Failure::new(Exit::CheckFailed, place, refusal))
}

fn typed(prompt: &str) -> std::io::Result<Zeroizing<String>> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    std::io::Write::write_all(&mut &terminal, prompt.as_bytes())?;
    let shown = tcgetattr(&terminal)?;
    let mut hidden = shown.clone();
    hidden.local_modes -= LocalModes::ECHO;
    tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
    let line = first_line(&terminal);
    tcsetattr(&terminal, OptionalActions::Now, &shown)?;
    std::io::Write::write_all(&mut &terminal, b"\n")?;
    line
}

fn first_line(source: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(PASSPHRASE_BYTES_MAX));
    BufReader::with_capacity(PASSPHRASE_BYTES_MAX, source.take(PASSPHRASE_BYTES_MAX as u64)).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

const PASSPHRASE_BYTES_MAX: usize = 1024;
