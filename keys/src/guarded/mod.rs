//! The guarded key store: a folder whose `store.log` is the store, and the audit at once (docs/key-store.md).
//!
//! The log is a chain of records, each naming the SM3 of the one before. Every change to a key, an officer, the threshold or a
//! trust anchor is a proposal that one officer signs and others approve by signatures over exactly that proposal. What the
//! store holds is a fold over the verified log and nothing else, so that no file can be edited into another role, status or
//! key. Private and shared keys lie beside it, wrapped under a master key. No time and no randomness is taken here: both are
//! arguments.

mod audit; // the log checked offline, with public keys alone
mod backup; // a copy of the folder, and the master key in shares
mod certificates; // which certificates of keys count
mod change; // what proposals, approvals and the first record say
mod disk; // the few file operations, in the order that a crash may not break
mod error; // what can go wrong with a guarded store
mod fresh; // a key made or brought in, as a change and a wrapped file
mod master; // the key over all keys, and what is wrapped under it
mod officer; // an officer's own key, under a passphrase
mod offline; // approvals and checkpoints carried as files
mod pairing; // double certificates
mod proposing; // what a rotation plans, as proposals
mod record; // one line of the log, and the chain
mod refusal; // why a record does not count
mod replacing; // another master key
mod revoking; // what revocation lists say of keys
mod ring; // from the state to the keyring
mod rules; // what a change may do to the state
mod shares; // Shamir's sharing over GF(2^8)
mod state; // the fold
mod writer; // appends, under a lock

pub use audit::{Audit, Finding, audit};
pub use backup::{Restored, back_up, restore, seal_shares};
pub use certificates::{Certified, Kept, certify, with_certificates};
pub use change::{
    Anchor, CertificateChange, Change, Genesis, KeyChange, MasterChange, Material, Named, Officer, PairChange, Proposal, Role,
    Step, Verdict, Witness,
};
pub use disk::{Disk, FileDisk};
pub use error::GuardedError;
pub use fresh::{GuardedKey, fresh, import};
pub use master::MasterKey;
pub use officer::{Cost, OfficerKey, PASSPHRASE_CHARS_MIN};
pub use offline::Statement;
pub use pairing::{Handed, Pair, is_authority, paired};
pub use proposing::Proposing;
pub use record::{Broken, Kind, Log, Record, Signed, Stamp};
pub use refusal::Refusal;
pub use replacing::{Replacement, replacement};
pub use revoking::{Effect, Listed, Stale};
pub use ring::{filed, keyring};
pub use shares::{SealedShare, Share};
pub use state::{Ending, Held, Open, State};
pub use writer::{Founder, Founding, Terms, Writer, is_guarded, read};

/// The log's name in a guarded folder; where it stands, the folder is guarded.
pub const LOG_FILE: &str = "store.log";

/// The folder of wrapped keys.
pub const MATERIAL_FOLDER: &str = "material";

#[cfg(test)]
mod tests;
