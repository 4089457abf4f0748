//! Appends to a store's log, one program at a time. Every record is put to the fold before it is written.

use super::certificates::Certified;
use super::change::{Change, Genesis, Proposal, Role, Witness, write};
use super::disk::{Disk, append_line, place};
use super::error::GuardedError;
use super::fresh::GuardedKey;
use super::master::MasterKey;
use super::officer::OfficerKey;
use super::offline::Statement;
use super::pairing::Pair;
use super::record::{HEADER, Kind, Log, Record, Stamp, hash};
use super::replacing::Replacement;
use super::ring::wrapped;
use super::state::{Held, State, not_before};
use super::{LOG_FILE, MATERIAL_FOLDER};
use crate::hex;
use crate::store::{StoreError, files};
use rand_core::CryptoRng;
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// A guarded folder that this program alone may append to.
pub struct Writer<'a> {
    folder: PathBuf,
    disk: &'a dyn Disk,
    log: Log,
    state: State,
    /// Held until this is dropped.
    _lock: Lock,
    /// A write that failed may have left anything behind the last line feed.
    is_failed: bool,
}

/// A lock that ends with this, also where another thread has begun a program that still holds a copy of the file.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked by the system, when the last copy is closed.
        drop(self.0.unlock());
    }
}

/// What a store begins with.
pub struct Founding<'a> {
    pub founders: Vec<Founder<'a>>,
    pub threshold: u8,
    pub master: &'a MasterKey,
    pub now: OffsetDateTime,
}

/// An officer of the first hour, who signs the first record.
pub struct Founder<'a> {
    pub key: &'a OfficerKey,
    pub roles: BTreeSet<Role>,
}

/// When a proposal is made, and until when it may be approved.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub now: OffsetDateTime,
    pub expires: OffsetDateTime,
}

/// Whether a folder is a guarded one.
pub fn is_guarded(folder: &Path) -> bool {
    folder.join(LOG_FILE).exists()
}

/// Reads and wholly verifies a store's log. Needs no lock: a record that is being written does not count yet.
pub fn read(folder: &Path) -> Result<(Log, State), GuardedError> {
    permitted(folder, 0o022)?;
    let path = folder.join(LOG_FILE);
    permitted(&path, 0o022)?;
    let bytes = std::fs::read(&path).map_err(|error| StoreError::new(&path, error.to_string()))?;
    let log = Log::read(&bytes)?;
    let state = State::of(&log)?;
    Ok((log, state))
}

impl<'a> Writer<'a> {
    /// Makes a guarded folder. What stands is never replaced.
    pub fn found(
        folder: &Path,
        founding: &Founding<'_>,
        disk: &'a dyn Disk,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, GuardedError> {
        let record = genesis(founding, rng)?;
        let line = record.line()?;
        State::default().take(&record, hash(&line))?;
        files::make_folder(folder)?;
        files::make_folder(&folder.join(MATERIAL_FOLDER))?;
        let path = folder.join(LOG_FILE);
        if path.exists() {
            return Err(StoreError::new(&path, "is there already; a store is never replaced").into());
        }
        let text = format!("{HEADER}\n{line}\n");
        place(disk, &path, text.as_bytes()).map_err(|error| StoreError::new(&path, error.to_string()))?;
        Self::open(folder, disk)
    }

    pub fn open(folder: &Path, disk: &'a dyn Disk) -> Result<Self, GuardedError> {
        let path = folder.join(LOG_FILE);
        let failed = |error: std::io::Error| StoreError::new(&path, error.to_string());
        let lock = File::open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(GuardedError::Locked),
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        let (log, state) = read(folder)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            disk,
            log,
            state,
            _lock: Lock(lock),
            is_failed: false,
        })
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Proposes a change; gives the proposal's number.
    pub fn propose(
        &mut self,
        officer: &OfficerKey,
        change: Change,
        terms: Terms,
        rng: &mut dyn CryptoRng,
    ) -> Result<u64, GuardedError> {
        let record = self.proposal(officer, change, terms, rng)?;
        self.append(record)
    }

    /// Proposes a key. Its wrapped file is durable before the record that names it.
    pub fn propose_key(
        &mut self,
        officer: &OfficerKey,
        key: &GuardedKey,
        terms: Terms,
        rng: &mut dyn CryptoRng,
    ) -> Result<u64, GuardedError> {
        let change = Change::Key(Box::new(key.change.clone()));
        let record = self.proposal(officer, change, terms, rng)?;
        let named = key.change.file().zip(key.wrapped.as_deref());
        self.append_with(record, named.as_slice())
    }

    /// Proposes a certificate for a key, with what is wrapped anew for it.
    pub fn propose_certificate(
        &mut self,
        officer: &OfficerKey,
        certified: &Certified,
        terms: Terms,
        rng: &mut dyn CryptoRng,
    ) -> Result<u64, GuardedError> {
        let change = Change::Certificate(Box::new(certified.change.clone()));
        let record = self.proposal(officer, change, terms, rng)?;
        let named = certified.change.file().zip(certified.wrapped.as_deref());
        self.append_with(record, named.as_slice())
    }

    /// Proposes a double certificate, with what is wrapped for it.
    pub fn propose_pair(
        &mut self,
        officer: &OfficerKey,
        pair: &Pair,
        terms: Terms,
        rng: &mut dyn CryptoRng,
    ) -> Result<u64, GuardedError> {
        let record = self.proposal(officer, Change::Pair(Box::new(pair.change())), terms, rng)?;
        self.append_with(record, &pair.files())
    }

    /// Proposes another master key, with every key wrapped under it.
    pub fn propose_master(
        &mut self,
        officer: &OfficerKey,
        replacement: &Replacement,
        terms: Terms,
        rng: &mut dyn CryptoRng,
    ) -> Result<u64, GuardedError> {
        let record = self.proposal(officer, Change::Master(replacement.change.clone()), terms, rng)?;
        let files = replacement.files.iter();
        let files: Vec<_> = files.map(|(name, text)| (name.clone(), text.as_str())).collect();
        self.append_with(record, &files)
    }

    pub fn approve(
        &mut self,
        officer: &OfficerKey,
        number: u64,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), GuardedError> {
        let statement = Statement::approval(&self.state, officer, number, now, rng)?;
        self.carry(&statement, now)
    }

    pub fn withdraw(
        &mut self,
        officer: &OfficerKey,
        number: u64,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), GuardedError> {
        let statement = Statement::withdrawal(&self.state, officer, number, now, rng)?;
        self.carry(&statement, now)
    }

    /// Signs the head of the log and enters that too; the statement is for a witness outside.
    pub fn checkpoint(
        &mut self,
        officer: &OfficerKey,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<Statement, GuardedError> {
        let witness = Witness {
            store: self.state.store().to_owned(),
            officer: officer.name().to_owned(),
            number: self.log.length() - 1,
            head: self.log.head(),
            at: Stamp::new(now),
        };
        let statement = Statement::signed(Kind::Checkpoint, write(&witness)?, officer, rng)?;
        self.carry(&statement, now)?;
        Ok(statement)
    }

    /// Enters what an officer signed elsewhere.
    pub fn carry(&mut self, statement: &Statement, now: OffsetDateTime) -> Result<(), GuardedError> {
        let record = self.next(statement.clone(), now);
        self.append(record).map(drop)
    }

    fn proposal(
        &self,
        officer: &OfficerKey,
        change: Change,
        terms: Terms,
        rng: &mut dyn CryptoRng,
    ) -> Result<Record, GuardedError> {
        let proposal = Proposal {
            store: self.state.store().to_owned(),
            officer: officer.name().to_owned(),
            follows: self.log.head(),
            expires: Stamp::new(terms.expires),
            change,
        };
        let statement = Statement::signed(Kind::Proposal, write(&proposal)?, officer, rng)?;
        Ok(self.next(statement, terms.now))
    }

    fn next(&self, statement: Statement, now: OffsetDateTime) -> Record {
        Record {
            number: self.log.length(),
            previous: self.log.head(),
            at: not_before(&self.log, Stamp::new(now)),
            kind: statement.kind,
            content: statement.content,
            signatures: statement.signatures,
        }
    }

    /// The log and the state with one record more, as every reader will see them.
    fn tried(&self, record: &Record) -> Result<(Log, State, String), GuardedError> {
        let line = record.line()?;
        let log = self.log.with_line(&line)?;
        let mut state = self.state.clone();
        state.take(record, log.head())?;
        Ok((log, state, line))
    }

    /// Wrapped files are durable before the record that names them.
    fn append_with(&mut self, record: Record, files: &[(String, &str)]) -> Result<u64, GuardedError> {
        self.tried(&record)?;
        for (name, text) in files {
            let path = self.folder.join(name);
            let placed = place(self.disk, &path, text.as_bytes());
            placed.map_err(|error| StoreError::new(&path, error.to_string()))?;
        }
        self.append(record)
    }

    /// Gives the record's number.
    fn append(&mut self, record: Record) -> Result<u64, GuardedError> {
        let (log, state, line) = self.tried(&record)?;
        // What takes effect must be there, or no gateway could load the store any more.
        let is_as_before = |held: &Held| {
            let before = self.state.key(&held.entry.id);
            before.is_some_and(|before| before.material.wrapped == held.material.wrapped)
        };
        for held in state.keys().filter(|held| !is_as_before(held)) {
            wrapped(&self.folder, held)?;
        }
        let path = self.folder.join(LOG_FILE);
        if std::mem::replace(&mut self.is_failed, true) {
            return Err(StoreError::new(&path, "could not be written a moment ago; open the store again").into());
        }
        self.write(&path, &line)
            .map_err(|error| StoreError::new(&path, error.to_string()))?;
        (self.log, self.state, self.is_failed) = (log, state, false);
        Ok(record.number)
    }

    fn write(&self, path: &Path, line: &str) -> std::io::Result<()> {
        if self.log.torn_bytes() > 0 {
            self.disk.cut(path, self.log.whole_bytes() as u64)?;
            self.disk.sync(path)?;
        }
        append_line(self.disk, path, line)
    }
}

fn genesis(founding: &Founding<'_>, rng: &mut dyn CryptoRng) -> Result<Record, GuardedError> {
    let mut name = [0; 16];
    rng.fill_bytes(&mut name);
    let store = hex::encode(&name);
    let genesis = Genesis {
        master_check: founding.master.check(&store),
        store,
        threshold: founding.threshold,
        officers: founding
            .founders
            .iter()
            .map(|one| one.key.officer(one.roles.clone()))
            .collect(),
    };
    let content = write(&genesis)?;
    let mut signatures = Vec::new();
    for founder in &founding.founders {
        signatures.push(founder.key.sign(Kind::Genesis, &content, rng)?);
    }
    signatures.sort_by(|left, right| left.officer.cmp(&right.officer));
    Ok(Record {
        number: 0,
        previous: hash(HEADER),
        at: Stamp::new(founding.now),
        kind: Kind::Genesis,
        content,
        signatures,
    })
}

/// Refuses a file or folder that others may write to (0o022) or open at all (0o077).
pub(super) fn permitted(path: &Path, forbidden: u32) -> Result<(), StoreError> {
    let metadata = std::fs::metadata(path).map_err(|error| StoreError::new(path, error.to_string()))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    let rule = format!(
        "has mode {mode:04o}, which lets others in; run: chmod go-rwx {}",
        path.display()
    );
    Err(StoreError::new(path, rule))
}
