//! Throw-away key folders for a gateway, a clearing centre and a platform that know each other.
//!
//! Serial numbers are fixed, so that configurations, simulators and tests can name them; the keys are fresh each time.

use super::entries::Encoding;
use super::{KEYRING_FILE, StoreError, files};
use crate::algorithm::Algorithm;
use crate::hex;
use crate::key::{Side, Status, Usage};
use crate::keyring::JOURNAL_LINK;
use crate::sm2::PrivateKey;
use rand_core::CryptoRng;
use std::fmt::Write;
use std::path::Path;
use zeroize::Zeroizing;

mod link; // the keys of one more link

pub use link::{DemoKey, DemoKeys, DemoLink};

/// Writes a complete throw-away key folder for a set of parties; for `demo`, `config init` and tests.
/// Returns nothing secret. Files get mode 0600.
///
/// The sub-folders are `gateway`, `centre` and `platform`; links are named `centre` and `platform` in all of them, and the side
/// is seen from the folder's owner. Existing key files are never replaced.
pub fn generate_demo(folder: &Path, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
    let mut gateway = Folder::new(folder, "gateway")?;
    let mut centre = Folder::new(folder, "centre")?;
    let mut platform = Folder::new(folder, "platform")?;
    for pair in BANK_PAIRS {
        pair.generate(&mut gateway, &mut centre, rng)?;
    }
    for pair in CENTRE_PAIRS {
        pair.generate(&mut centre, &mut gateway, rng)?;
    }
    let mac = random_hex::<32>(rng)?;
    for holder in [&mut gateway, &mut platform] {
        holder.add(&PLATFORM_MAC, Side::Shared, &mac)?;
    }
    gateway.add(&JOURNAL, Side::Shared, &random_hex::<16>(rng)?)?;
    gateway.finish()?;
    centre.finish()?;
    platform.finish()
}

/// What all holders of a key agree on.
struct Demo {
    name: &'static str,
    link: &'static str,
    usage: Usage,
    status: Status,
    serial: &'static str,
}

impl Demo {
    fn generate(&self, owner: &mut Folder, other: &mut Folder, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let refuse = |error: crate::error::CryptoError| StoreError {
            file: self.name.to_owned(),
            detail: error.to_string(),
        };
        let key = PrivateKey::generate(rng).map_err(refuse)?;
        owner.add(self, Side::Ours, &key.danger_to_pkcs8_pem().map_err(refuse)?)?;
        other.add(self, Side::Theirs, &key.public().to_spki_pem().map_err(refuse)?)
    }
}

/// What one holder's list says of a key.
struct Row<'a> {
    id: &'a str,
    link: &'a str,
    side: Side,
    usage: Usage,
    algorithm: Algorithm,
    status: Status,
    serial: &'a str,
    user_id: Option<&'a str>,
    encoding: Option<Encoding>,
}

/// One party's key folder while it is written.
struct Folder {
    path: std::path::PathBuf,
    list: String,
    /// Its list stands, and is put in place anew at the end.
    stands: bool,
}

impl Folder {
    fn new(parent: &Path, name: &str) -> Result<Self, StoreError> {
        let path = parent.join(name);
        files::make_folder(&path)?;
        let list = path.join(KEYRING_FILE);
        if list.exists() {
            return Err(StoreError::new(&list, "is there already; key files are never replaced"));
        }
        Ok(Self {
            path,
            list: HEADER.to_owned(),
            stands: false,
        })
    }

    /// A folder to which keys are added; it is made if it is not there.
    fn open(parent: &Path, name: &str) -> Result<Self, StoreError> {
        let path = parent.join(name);
        let list = path.join(KEYRING_FILE);
        if !list.exists() {
            return Self::new(parent, name);
        }
        Ok(Self {
            list: files::read_public(&list)?,
            path,
            stands: true,
        })
    }

    fn add(&mut self, demo: &Demo, side: Side, text: &str) -> Result<(), StoreError> {
        let unknown = || StoreError::new(&self.path, format!("key {} has no algorithm", demo.name));
        let row = Row {
            id: demo.name,
            link: demo.link,
            side,
            usage: demo.usage,
            algorithm: Algorithm::default_of(side, demo.usage).ok_or_else(unknown)?,
            status: demo.status,
            serial: demo.serial,
            user_id: None,
            encoding: None,
        };
        self.put(&row, text)
    }

    fn put(&mut self, row: &Row<'_>, text: &str) -> Result<(), StoreError> {
        let file = match row.side {
            Side::Ours => format!("{}.key.pem", row.id),
            Side::Theirs => format!("{}.pub.pem", row.id),
            Side::Shared => format!("{}.hex", row.id),
        };
        let path = self.path.join(&file);
        files::write_new(&path, text)?;
        let mut rows = vec![
            ("id", row.id),
            ("link", row.link),
            ("side", row.side.name()),
            ("usage", row.usage.name()),
            ("algorithm", row.algorithm.name()),
            ("serial", row.serial),
            ("status", row.status.name()),
            ("not_before", NOT_BEFORE),
            ("not_after", NOT_AFTER),
            ("file", &file),
        ];
        rows.extend(row.user_id.map(|user_id| ("user_id", user_id)));
        rows.extend(row.encoding.map(|encoding| ("encoding", encoding.name())));
        self.list.push_str("\n[[key]]\n");
        for (name, value) in rows {
            writeln!(self.list, "{name} = \"{value}\"").map_err(|error| StoreError::new(&path, error.to_string()))?;
        }
        Ok(())
    }

    /// The list comes last: a folder without it is plainly unfinished.
    fn finish(self) -> Result<(), StoreError> {
        let list = self.path.join(KEYRING_FILE);
        if self.stands {
            files::replace(&list, &self.list)?;
        } else {
            files::write_new(&list, &self.list)?;
        }
        files::sync_folder(&self.path)
    }
}

/// A secret as its file holds it.
fn random_hex<const BYTES: usize>(rng: &mut dyn CryptoRng) -> Result<Zeroizing<String>, StoreError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    rng.fill_bytes(bytes.as_mut_slice());
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(StoreError {
            file: "secret".to_owned(),
            detail: "random source failed".to_owned(),
        });
    }
    let digits = Zeroizing::new(hex::encode(bytes.as_slice()));
    Ok(Zeroizing::new([digits.as_str(), "\n"].concat()))
}

const BANK_PAIRS: [Demo; 2] = [
    Demo {
        name: "bank-sign",
        link: "centre",
        usage: Usage::Sign,
        status: Status::Primary,
        serial: "4000000001",
    },
    Demo {
        name: "bank-seal",
        link: "centre",
        usage: Usage::Seal,
        status: Status::Primary,
        serial: "4000000002",
    },
];

/// The third is what a rotation promotes: both sides have it, and the centre does not sign with it yet.
const CENTRE_PAIRS: [Demo; 3] = [
    Demo {
        name: "centre-sign",
        link: "centre",
        usage: Usage::Sign,
        status: Status::Primary,
        serial: "5000000001",
    },
    Demo {
        name: "centre-seal",
        link: "centre",
        usage: Usage::Seal,
        status: Status::Primary,
        serial: "5000000002",
    },
    Demo {
        name: "centre-sign-next",
        link: "centre",
        usage: Usage::Sign,
        status: Status::Accepted,
        serial: "5000000003",
    },
];

const PLATFORM_MAC: Demo = Demo {
    name: "platform-mac",
    link: "platform",
    usage: Usage::Mac,
    status: Status::Primary,
    serial: "platform-mac-1",
};

const JOURNAL: Demo = Demo {
    name: "journal",
    link: JOURNAL_LINK,
    usage: Usage::Journal,
    status: Status::Primary,
    serial: "journal-1",
};

const NOT_BEFORE: &str = "2020-01-01T00:00:00Z";
const NOT_AFTER: &str = "2049-12-31T23:59:59Z";

const HEADER: &str = "# Throw-away keys for a demonstration. Never use them for money.\n";
