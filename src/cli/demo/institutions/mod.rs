//! The institutions with links of their own: every codec that goes by HTTP or as frames, with keys made for this run.

mod rows;

pub(super) use rows::{Row, rows, title};

use crate::cli::institutions::{self, Addresses, Member, Ready, Setting};
use crate::cli::output::{Exit, Failure};
use crate::cli::parties::world;
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use keys::store::DemoKeys;
use simulators::institution::direct::{Direct, DirectFigures, DirectPlayed};
use simulators::platform::SharedLedger;
use simulators::report::Book;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Who is to play, before the gateway runs.
pub(super) struct Cast {
    members: Vec<Ready>,
}

impl Cast {
    /// Makes every institution's keys, and binds the listener at which the gateway calls it.
    pub(super) async fn call(keys_folder: &Path) -> Result<Self, Failure> {
        let mut keys = DemoKeys::default();
        let mut members = Vec::new();
        for spec in institutions::all()? {
            institutions::give_keys(&mut keys, keys_folder, &spec, &mut Random(&SystemEntropy))?;
            members.push(Ready::bind(spec).await?);
        }
        Ok(Self { members })
    }

    /// What hangu.toml says of their links; `bank` is the platform's address.
    pub(super) fn configuration(&self, bank: &str) -> Result<String, Failure> {
        self.members.iter().map(|member| member.links(bank)).collect()
    }

    /// Starts them against the gateway's listeners.
    pub(super) fn start(self, keys_folder: &Path, gateway: &Addresses, ledger: &SharedLedger) -> Result<Company, Failure> {
        let setting = Setting {
            keys_folder,
            gateway,
            ledger,
            world: world(),
            bank_world: world(),
            final_ms: FINAL_MS,
            pause_ms: PAUSE_MS,
        };
        let started = self.members.into_iter().zip(1..);
        let members: Result<_, Failure> = started
            .map(|(member, place)| member.start(&setting, place * SERIALS_EACH))
            .collect();
        Ok(Company { members: members? })
    }
}

/// The institutions as they run.
pub(crate) struct Company {
    members: Vec<Member>,
}

/// What one institution did.
pub(crate) struct Performance {
    pub(crate) codec: String,
    pub(crate) suite: String,
    pub(crate) played: Vec<DirectPlayed>,
    pub(crate) figures: DirectFigures,
    pub(crate) book: Book,
}

impl Company {
    /// An institution by its link, which is named after its codec.
    pub(super) fn direct(&self, link: &str) -> Option<Direct> {
        let member = self.members.iter().find(|member| member.spec.codec == link);
        member.map(|member| member.direct.clone())
    }

    /// Lets all of them play, a few courses of each at a time.
    pub(super) async fn play(&self) -> Result<Vec<Performance>, Failure> {
        let mut performances = Vec::new();
        let mut acts = JoinSet::new();
        for (at, member) in self.members.iter().enumerate() {
            let name = member.spec.codec.as_str();
            let refused = |refusal| unavailable(name, &refusal);
            let places = Arc::new(Semaphore::new(COURSES_AT_A_TIME));
            let calling = member.direct.calling().map_err(refused)? * ROUNDS;
            let called = member.direct.called().map_err(refused)? * ROUNDS;
            for n in 0..calling {
                let (direct, place) = (member.direct.clone(), places.clone().acquire_owned());
                acts.spawn(async move {
                    let _place = place.await;
                    (at, direct.play(n).await)
                });
            }
            for n in 0..called {
                let Some(platform) = member.platform.clone() else { break };
                let (direct, place) = (member.direct.clone(), places.clone().acquire_owned());
                acts.spawn(async move {
                    let _place = place.await;
                    (at, direct.play_called(&platform, n).await)
                });
            }
            performances.push(Performance {
                codec: member.spec.codec.clone(),
                suite: member.spec.suite.clone(),
                played: Vec::new(),
                figures: DirectFigures::default(),
                book: Book::default(),
            });
        }
        while let Some(act) = acts.join_next().await {
            let (at, played) = act.map_err(|error| unavailable("institutions", &error))?;
            if let Some(performance) = performances.get_mut(at) {
                performance.played.extend(played);
            }
        }
        Ok(performances)
    }

    /// Stops them, and adds their books and figures to what they played.
    pub(super) async fn end(self, performances: &mut [Performance]) {
        for (member, performance) in self.members.iter().zip(performances) {
            member.direct.stop().await;
            performance.figures = member.direct.figures();
            performance.book = member.direct.books();
        }
    }
}

fn unavailable(place: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, place, error)
}

/// How often each course is played.
const ROUNDS: u64 = 2;
/// Numbers of one institution, apart from the next one's.
const SERIALS_EACH: u64 = 10_000;
const PAUSE_MS: u64 = 100;
const FINAL_MS: u64 = 20_000;
const COURSES_AT_A_TIME: usize = 4;
