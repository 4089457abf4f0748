//! A disk for tests of what must survive a power cut: an SQLite VFS over the operating system's own.
//!
//! `Disk` passes every call on, records writes, truncations, syncs, creations and deletions in order, and fails them on
//! demand. `Platter` replays a record up to a moment and says what could be on the disk if the power went then.
//!
//! What it is not: it knows nothing of journals, and no production code may use it.

mod platter;
mod random;
mod record;
mod vfs;

pub use platter::{Cut, Image, Platter};
pub use random::Random;
pub use record::{Answer, Event, Fault, FileId, Operation};
pub use vfs::Disk;
