//! Who plays a load: the centre, the platform and institutions of links, against the tester's gateway or one in this process.

use super::super::{centre, institution, platform, queue_link};
use super::view::Remembering;
use super::{Exit, Failure, Settings};
use crate::cli::demo::stage::{self, Folder, Stage};
use crate::cli::output;
use hangu::config::Config;
use hangu::mq::SharedMq;
use simulators::centre::{CentreHandle, Desk};
use simulators::drive::{Ended, Mixture, Order};
use simulators::institution::direct::Direct;
use simulators::mix::Flow;
use simulators::platform::{PlatformClient, PlatformHandle, SharedLedger, lock};
use simulators::report::{BookFile, NoShelf, Shelf};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything that runs, until `end`.
pub(super) struct Field {
    pub(super) players: Players,
    /// The queues and how to look at them.
    pub(super) queues: (SharedMq, Vec<String>),
    parties: Parties,
    /// The platform's ledger, if the platform is here.
    ledger: Option<SharedLedger>,
    keep: Option<PathBuf>,
}

/// Who plays an order; cheap to clone.
#[derive(Clone)]
pub(super) struct Players {
    desk: Desk,
    client: Option<PlatformClient>,
    directs: BTreeMap<String, Direct>,
}

enum Parties {
    /// Against a gateway that the tester started.
    Ours {
        centre: CentreHandle,
        platform: Option<PlatformHandle>,
    },
    /// With a gateway of their own.
    Embedded { stage: Box<Stage>, folder: Folder },
}

impl Field {
    /// Takes the parties' places around the gateway of a configuration.
    pub(super) async fn against(
        settings: &Settings,
        config: &Config,
        mix: &Mixture,
        has_platform: bool,
        keep: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (name, _, mq) = queue_link(config)?;
        let queues = (hangu::start::connect(name, mq)?, mq.queues(&config.instance));
        let started = if has_platform {
            Some(platform::start(&platform::Args::of(settings), config).await?)
        } else {
            None
        };
        let (platform, client) = started.unzip();
        let mut directs = BTreeMap::new();
        for link in mix.links() {
            let direct = institution::start(&institution::Args::of(link, settings), config).await?;
            directs.insert(link.to_owned(), direct);
        }
        let centre = centre::start(settings, config)?;
        centre::announce(&centre).await?;
        let field = Self {
            players: Players {
                desk: centre.desk(),
                client,
                directs,
            },
            queues,
            ledger: platform.as_ref().map(PlatformHandle::ledger),
            parties: Parties::Ours { centre, platform },
            keep: keep.map(Path::to_owned),
        };
        field.remember(settings.rate)?;
        Ok(field)
    }

    /// Everything in this process, on queues in memory.
    pub(super) async fn embedded(settings: &Settings, mix: &Mixture, keep: Option<&Path>) -> Result<Self, Failure> {
        let folder = stage::folder(None)?;
        let stage = Stage::set(folder.path(), &tokio::runtime::Handle::current()).await?;
        let mut directs = BTreeMap::new();
        for link in mix.links() {
            let direct = stage.institution(link);
            let direct =
                direct.ok_or_else(|| Failure::config("mix", format!("{link}: the embedded gateway has no such link")))?;
            directs.insert(link.to_owned(), direct);
        }
        let field = Self {
            players: Players {
                desk: stage.desk(),
                client: Some(stage.client()),
                directs,
            },
            queues: stage.queues(),
            ledger: Some(stage.ledger()),
            parties: Parties::Embedded {
                stage: Box::new(stage),
                folder,
            },
            keep: keep.map(Path::to_owned),
        };
        field.remember(settings.rate)?;
        Ok(field)
    }

    /// Payments that are over leave the parties' memory for their books' files, or for good where no books are kept.
    fn remember(&self, rate_per_s: u32) -> Result<(), Failure> {
        let size = (rate_per_s as usize).saturating_mul(REMEMBERED_S).max(REMEMBERED_MIN);
        self.players.desk.remember(size, self.shelf("centre")?);
        if let Some(ledger) = &self.ledger {
            lock(ledger).remember(size, self.shelf("platform")?);
        }
        for (link, direct) in &self.players.directs {
            direct.remember(size, self.shelf(link)?);
        }
        Ok(())
    }

    pub(super) fn remembering(&self) -> Remembering {
        Remembering {
            desk: self.players.desk.clone(),
            ledger: self.ledger.clone(),
        }
    }

    fn shelf(&self, party: &str) -> Result<Box<dyn Shelf>, Failure> {
        let Some(folder) = &self.keep else {
            return Ok(Box::new(NoShelf));
        };
        let file = folder.join(format!("{party}.json"));
        let created = std::fs::create_dir_all(folder).and_then(|()| BookFile::create(&file));
        created.map_or_else(
            |error| Err(unwritten(&file, &error)),
            |file| Ok(Box::new(file) as Box<dyn Shelf>),
        )
    }

    /// Stops everything, and ends the books.
    pub(super) async fn end(self) -> Result<(), Failure> {
        for direct in self.players.directs.values() {
            direct.stop().await;
        }
        match self.parties {
            Parties::Ours { centre, platform } => {
                centre.stop().await;
                if let Some(platform) = platform {
                    platform.stop().await;
                }
                self.queues.0.close().await;
            }
            Parties::Embedded { stage, folder } => {
                let end = stage.end(Vec::new()).await?;
                if let Some(keep) = &self.keep {
                    let file = keep.join("gateway.json");
                    std::fs::write(&file, output::json(&end.gateway_book)).map_err(|error| unwritten(&file, &error))?;
                }
                drop(folder);
            }
        }
        let place = self.keep.unwrap_or_default();
        let unkept = |error: String| unwritten(&place, &error);
        self.players.desk.shelve().map_err(unkept)?;
        if let Some(ledger) = &self.ledger {
            lock(ledger).shelve().map_err(unkept)?;
        }
        for direct in self.players.directs.values() {
            direct.shelve().map_err(unkept)?;
        }
        Ok(())
    }
}

impl Players {
    pub(super) async fn play(&self, order: Order) -> Ended {
        match order {
            Order::Planned(planned) => match (planned.flow, &self.client) {
                (Flow::PlatformToCentre, Some(client)) => Ended::planned(client.play(&planned).await),
                (Flow::CentreToPlatform, _) | (_, None) => Ended::planned(self.desk.play(&planned).await),
            },
            Order::Course { link, n } => match self.directs.get(&link) {
                Some(direct) => Ended::course(direct.play(n).await),
                None => Ended {
                    complaints: vec![format!("nobody stands at link {link}")],
                    ..Ended::default()
                },
            },
        }
    }
}

fn unwritten(place: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, place.display().to_string(), error)
}

/// Longer than a gateway needs to ask again for what it lost; what is asked for later still is known by its digest.
const REMEMBERED_S: usize = 60;
const REMEMBERED_MIN: usize = 5_000;
