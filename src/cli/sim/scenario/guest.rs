//! The institution of a scenario that has a link of its own, beside centre and platform.

#[cfg(test)]
mod tests;

use super::stage::FIRST_MOMENT;
use crate::cli::institutions::{self, Addresses, Member, Ready, Setting};
use crate::cli::output::{Exit, Failure};
use codecs::spec::Spec;
use hangu::clock::{Entropy, Random, SeededEntropy};
use keys::store::DemoKeys;
use simulators::platform::SharedLedger;
use simulators::scenario::tape::Tape;
use simulators::world::World;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Who is to come, and where the keys of all parties lie.
pub(super) struct Guest {
    ready: Option<Ready>,
    pub(super) keys: PathBuf,
}

impl Guest {
    /// The institution of this name, if it has a link of its own. `folder` has the keys of whoever is always there.
    pub(super) async fn invite(institution: &str, folder: &Path, seed: u64) -> Result<Self, Failure> {
        let Some(spec) = institutions::all()?.into_iter().find(|spec| spec.codec == institution) else {
            let keys = folder.join("keys");
            return Ok(Self { ready: None, keys });
        };
        let (own, kind) = (folder.join(format!("keys-{institution}")), spec.clone());
        let made = {
            let own = own.clone();
            tokio::task::spawn_blocking(move || make_keys(&own, &kind, seed)).await
        };
        made.map_err(|error| Failure::new(Exit::Unavailable, "keys", error))??;
        Ok(Self {
            ready: Some(Ready::bind(spec).await?),
            keys: own,
        })
    }

    /// What hangu.toml says of it; nothing of nobody.
    pub(super) fn links(&self, bank: &str) -> Result<String, Failure> {
        self.ready
            .as_ref()
            .map_or_else(|| Ok(String::new()), |ready| ready.links(bank))
    }

    /// Starts it against the gateway's listeners.
    pub(super) fn start(
        self,
        gateway: &Addresses,
        ledger: &SharedLedger,
        bank_world: World,
        (seed, tape): (u64, Arc<Tape>),
    ) -> Result<Option<Member>, Failure> {
        let setting = Setting {
            keys_folder: &self.keys,
            gateway,
            ledger,
            world: still_world(seed).watched(tape),
            bank_world,
            final_ms: 60_000,
            pause_ms: 150,
        };
        self.ready.map(|ready| ready.start(&setting, FIRST_SERIAL)).transpose()
    }
}

/// Once for all scenarios about it that a run plays at a time.
fn make_keys(folder: &Path, spec: &Spec, seed: u64) -> Result<(), Failure> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if folder.join(&spec.codec).exists() {
        return Ok(());
    }
    let entropy = SeededEntropy::new(seed);
    keys::store::generate_demo(folder, &mut Random(&entropy)).map_err(|error| Failure::new(Exit::Unavailable, "keys", error))?;
    institutions::give_keys(&mut DemoKeys::default(), folder, spec, &mut Random(&entropy))
}

/// No time passes in it, and nobody else draws from its random source: its messages have the same bytes in every run.
fn still_world(seed: u64) -> World {
    let entropy = SeededEntropy::new(seed.wrapping_add(1));
    World::new(
        Arc::new(|| FIRST_MOMENT),
        Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes)),
    )
}

const FIRST_SERIAL: u64 = 500_000;
