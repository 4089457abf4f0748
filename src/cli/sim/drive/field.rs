//! Who plays a load: the centre, the platform and institutions of links, against the tester's gateway or one in this process.

use super::super::{centre, institution, platform, queue_link};
use super::{Exit, Failure, Settings};
use crate::cli::demo::stage::{self, Folder, Stage};
use crate::cli::output;
use hangu::config::Config;
use hangu::mq::SharedMq;
use simulators::centre::{CentreHandle, Desk};
use simulators::drive::{Ended, Mixture, Order};
use simulators::institution::direct::Direct;
use simulators::mix::Flow;
use simulators::platform::{PlatformClient, PlatformHandle};
use simulators::report::Book;
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that runs, until `end`.
pub(super) struct Field {
    pub(super) players: Players,
    /// The queues and how to look at them.
    pub(super) queues: (SharedMq, Vec<String>),
    parties: Parties,
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
        Ok(Self {
            players: Players {
                desk: centre.desk(),
                client,
                directs,
            },
            queues,
            parties: Parties::Ours { centre, platform },
        })
    }

    /// Everything in this process, on queues in memory.
    pub(super) async fn embedded(mix: &Mixture) -> Result<Self, Failure> {
        if let Some(link) = mix.links().next() {
            return Err(Failure::config(
                "mix",
                format!("{link}: the embedded gateway's institutions cannot be loaded"),
            ));
        }
        let folder = stage::folder(None)?;
        let stage = Stage::set(folder.path(), &tokio::runtime::Handle::current()).await?;
        Ok(Self {
            players: Players {
                desk: stage.desk(),
                client: Some(stage.client()),
                directs: BTreeMap::new(),
            },
            queues: stage.queues(),
            parties: Parties::Embedded {
                stage: Box::new(stage),
                folder,
            },
        })
    }

    /// Stops everything; the books go into a folder if they are to be kept.
    pub(super) async fn end(self, keep: Option<&Path>) -> Result<(), Failure> {
        let mut books: BTreeMap<String, Book> = BTreeMap::new();
        for (link, direct) in &self.players.directs {
            books.insert(link.clone(), direct.books());
            direct.stop().await;
        }
        match self.parties {
            Parties::Ours { centre, platform } => {
                books.insert("centre".to_owned(), centre.books());
                centre.stop().await;
                if let Some(platform) = platform {
                    books.insert("platform".to_owned(), platform.books());
                    platform.stop().await;
                }
                self.queues.0.close().await;
            }
            Parties::Embedded { stage, folder } => {
                let end = stage.end(Vec::new()).await?;
                let named = [
                    ("centre", end.centre_book),
                    ("gateway", end.gateway_book),
                    ("platform", end.platform_book),
                ];
                books.extend(named.map(|(name, book)| (name.to_owned(), book)));
                drop(folder);
            }
        }
        keep.map_or(Ok(()), |folder| write(folder, &books))
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

fn write(folder: &Path, books: &BTreeMap<String, Book>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, folder.display().to_string(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (party, book) in books {
        std::fs::write(folder.join(format!("{party}.json")), output::json(book)).map_err(failed)?;
    }
    Ok(())
}
