//! What the tests of this package share: a fixed time, reproducible random bytes, small requests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use crate::counterparty::Party;
use crate::ids::Numbering;
use crate::institution::{INSTITUTIONS, Order, Sending};
use crate::people::Person;
use crate::platform::{self, PlatformClient, PlatformClientConfig, PlatformHandle};
use crate::world::World;
use codecs::payment::{Money, Operation, Payment};
use codecs::spec::Specs;
use keys::keyring::Keyring;
use keys::sm3::sm3;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use time::OffsetDateTime;
use time::macros::{date, datetime};
use tokio::net::TcpListener;

pub(crate) const NOW: OffsetDateTime = datetime!(2030-01-01 18:30:05 +8);

/// A world at a fixed moment whose random bytes are SM3 over a counter.
pub(crate) fn world(seed: u64) -> World {
    let drawn = AtomicU64::new(0);
    let fill = move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(32) {
            let place = drawn.fetch_add(1, Ordering::SeqCst);
            let block = sm3(&[&seed.to_le_bytes(), &place.to_le_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    };
    World::new(Arc::new(|| NOW), Arc::new(fill))
}

pub(crate) fn sending() -> Sending {
    Sending {
        member: "900584099999".to_owned(),
        application: "NPS".to_owned(),
        counter_member: "402100088888".to_owned(),
        counter_application: "MPS".to_owned(),
        numbering: Numbering {
            mfe: 'B',
            settlement_date: date!(2030 - 01 - 02),
        },
    }
}

/// A request of the centre: `serial` gives its ids, `person` its customer.
pub(crate) fn request(operation: Operation, serial: u64, person: u64, fen: i64, original: Option<&Payment>) -> Payment {
    let order = Order {
        serial,
        institution: INSTITUTIONS[0],
        person: Person::at(person),
        amount: Money::from_fen(fen),
    };
    sending().request(operation, &order, original, NOW)
}

/// The parties of a demo, with fresh keys: who signs as whom on which link.
pub(crate) struct Parties {
    pub(crate) centre: Party,
    /// The gateway's side of the centre's link.
    pub(crate) bank: Party,
    pub(crate) platform: Party,
    /// The gateway's side of the platform's link.
    pub(crate) caller: Party,
    _folder: tempfile::TempDir,
}

pub(crate) fn parties(seed: u64) -> Parties {
    let folder = tempfile::tempdir().unwrap();
    keys::store::generate_demo(folder.path(), &mut world(seed).rng()).unwrap();
    let specs = Arc::new(Specs::embedded().unwrap());
    let keyring = |name: &str| Arc::new(keys::store::load(&folder.path().join(name)).unwrap());
    let (centre, gateway, platform) = (keyring("centre"), keyring("gateway"), keyring("platform"));
    let party =
        |codec: &str, keyring: &Arc<Keyring>, link: &str| Party::new(Arc::clone(&specs), codec, Arc::clone(keyring), link);
    Parties {
        centre: party("nps", &centre, "centre"),
        bank: party("nps", &gateway, "centre"),
        platform: party("platform", &platform, "platform"),
        caller: party("platform", &gateway, "platform"),
        _folder: folder,
    }
}

/// A platform on a free port of this machine.
pub(crate) async fn platform(parties: &Parties) -> PlatformHandle {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    platform::start(listener, parties.platform.clone(), world(11), 1_000_000).unwrap()
}

/// A caller of that platform, as the gateway is one.
pub(crate) fn caller(parties: &Parties, platform: &PlatformHandle, attempt_ms: u64, final_ms: u64) -> PlatformClient {
    let base_url = format!("http://{}", platform.address());
    let config = PlatformClientConfig {
        attempt_ms,
        final_ms,
        pause_ms: 20,
        ..PlatformClientConfig::new(&base_url, date!(2030 - 01 - 02))
    };
    PlatformClient::new(config, parties.caller.clone(), world(12), platform.ledger())
}
