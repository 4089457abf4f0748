//! What each instance tells the others of its keys, beside its claim on its name in the journal: which keyring it uses, and
//! what it saw of every key. Whoever reads the journal sees all instances at once.

use super::traffic::Seen;
use super::{Claim, Gateway, Trouble};
use crate::clock::millis;
use crate::journal::{Journal, Millis, Read};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What one instance tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Version of the keyring in use.
    pub version: String,
    /// Its latest promotion, and the latest that has come; 0 where there is none.
    pub promoted: Millis,
    pub in_force: Millis,
    /// Since when this life counts.
    pub since: Millis,
    /// Why the folder as it stands is not in use.
    pub refused: Option<String>,
    pub keys: Vec<Seen>,
}

/// One instance as the journal knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    pub name: String,
    pub told: Told,
    /// Until when its name is claimed; none where it was given up, and with it the last word on its keys.
    pub claimed_until: Option<Millis>,
}

impl Instance {
    pub fn is_live(&self, now: Millis) -> bool {
        self.claimed_until.is_some_and(|until| until >= now)
    }

    /// The promotion that it holds the others to. What an instance knew that is gone counts if it had come: it may have been
    /// taken back since.
    fn promotion(&self, now: Millis) -> Millis {
        if self.is_live(now) {
            self.told.promoted
        } else {
            self.told.in_force
        }
    }

    /// When it last used a key, at the latest: an instance that ended without a word may have used it to the end of its lease.
    pub fn last_at(&self, seen: &Seen, now: Millis) -> Millis {
        match self.claimed_until {
            Some(until) if until < now && seen.last_at() > 0 => until.max(seen.last_at()),
            Some(_) | None => seen.last_at(),
        }
    }
}

/// Every instance that ever told something, by name.
pub async fn instances(journal: &dyn Journal) -> Result<Vec<Instance>, Trouble> {
    let read = async |prefix: &str| -> Result<Vec<(String, String)>, Trouble> {
        Ok(journal.read(Read::Settings(prefix.to_owned())).await?.settings()?)
    };
    let claims: BTreeMap<String, String> = read(CLAIMS).await?.into_iter().collect();
    let mut found = Vec::new();
    for (setting, text) in read(TOLD).await? {
        let name = setting.strip_prefix(TOLD).unwrap_or_default().to_owned();
        let Ok(told) = serde_json::from_str(&text) else {
            return Err(Trouble::Reread(format!(
                "what instance {name} tells of its keys is not in its form"
            )));
        };
        let claim = claims.get(&format!("{CLAIMS}{name}")).and_then(|text| Claim::parse(text));
        let claimed_until = claim.map(|claim| claim.until);
        found.push(Instance {
            name,
            told,
            claimed_until,
        });
    }
    Ok(found)
}

/// What this instance last wrote, and since when it counts.
#[derive(Default)]
pub(super) struct Telling {
    written: Mutex<Option<String>>,
    since: Mutex<Millis>,
}

impl Gateway {
    /// Goes on from what an earlier life under this name told, and tells the keyring in use.
    pub async fn begin_telling(&self) -> Result<(), Trouble> {
        let stored = self.setting(&self.told_setting()).await?;
        if let Some(told) = stored.as_deref().and_then(|text| serde_json::from_str::<Told>(text).ok()) {
            self.traffic.restore(told.keys);
        }
        *self.telling.since.lock().unwrap_or_else(PoisonError::into_inner) = millis(self.clock.now());
        self.telling.store(stored);
        self.tell_keys().await
    }

    /// Tells what this instance uses and saw, if that has changed, and hears what the others use.
    pub async fn tell_keys(&self) -> Result<(), Trouble> {
        let told = self.told();
        let text = serde_json::to_string(&told).map_err(|error| Trouble::Reread(error.to_string()))?;
        let stands = self.telling.load();
        if stands.as_ref() != Some(&text) {
            let name = self.told_setting();
            if self.set(&name, stands, text.clone()).await? {
                self.telling.store(Some(text));
            } else {
                // The word of an earlier write was lost; the next look writes over what stands.
                self.telling.store(self.setting(&name).await?);
            }
        }
        let all = instances(&*self.journal).await?;
        let others = all.iter().filter(|other| other.name != self.config.instance);
        let now = millis(self.clock.now());
        self.compare_promotions(others.map(|other| other.promotion(now)));
        Ok(())
    }

    fn told(&self) -> Told {
        let keyring = self.keyring();
        Told {
            version: keyring.version().to_owned(),
            promoted: keyring.promoted().map_or(0, millis),
            in_force: keyring.promoted_by(self.clock.now()).map_or(0, millis),
            since: *self.telling.since.lock().unwrap_or_else(PoisonError::into_inner),
            refused: self.keyring_refused(),
            keys: self.traffic.all(),
        }
    }

    fn told_setting(&self) -> String {
        format!("{TOLD}{}", self.config.instance)
    }
}

impl Telling {
    fn load(&self) -> Option<String> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn store(&self, text: Option<String>) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// Settings by which instances claim their names, and in which they tell of their keys.
const CLAIMS: &str = "instance:";
const TOLD: &str = "keys:";
