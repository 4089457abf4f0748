//! The institutions with links of their own: every codec that goes by HTTP or as frames, with keys made for this run.

mod rows;

pub(super) use rows::{Row, rows, title};

use super::stage::Addresses;
use crate::cli::output::{Exit, Failure};
use crate::cli::parties::{party, world};
use codecs::payment::Operation;
use codecs::spec::{MessageSpec, Spec, Specs};
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use keys::algorithm::Algorithm;
use keys::key::Usage;
use keys::store::{DemoKey, DemoKeys, DemoLink};
use simulators::institution::direct::{self, Direct, DirectConfig, DirectFigures, DirectPlayed};
use simulators::platform::{PlatformClient, PlatformClientConfig, SharedLedger};
use simulators::report::Book;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Who is to play, before the gateway runs.
pub(super) struct Cast {
    members: Vec<(Arc<Spec>, Option<TcpListener>)>,
}

impl Cast {
    /// Makes every institution's keys, and binds the listener at which the gateway calls it.
    pub(super) async fn call(keys_folder: &Path) -> Result<Self, Failure> {
        let specs = Specs::embedded().map_err(|error| Failure::config("codecs", error))?;
        let mut keys = DemoKeys::default();
        let mut members = Vec::new();
        for spec in specs.iter().filter(|spec| direct::is_played(spec)) {
            let spec = direct::suite(spec).clone();
            give_keys(&mut keys, keys_folder, &spec)?;
            let listener = if spec.speaks_frames() {
                None
            } else {
                let bound = TcpListener::bind("127.0.0.1:0").await;
                Some(bound.map_err(|error| unavailable("institutions", &error))?)
            };
            members.push((spec, listener));
        }
        Ok(Self { members })
    }

    /// What hangu.toml says of their links; `bank` is the platform's address.
    pub(super) fn configuration(&self, bank: &str) -> Result<String, Failure> {
        let mut text = String::new();
        for (spec, listener) in &self.members {
            let address = listener.as_ref().map(TcpListener::local_addr).transpose();
            let address = address.map_err(|error| unavailable("institutions", &error))?;
            // Writing to a String cannot fail.
            let _written = text.write_str(&links(spec, address, bank));
        }
        Ok(text)
    }

    /// Starts them against the gateway's listeners.
    pub(super) fn start(self, keys_folder: &Path, gateway: &Addresses, ledger: &SharedLedger) -> Result<Company, Failure> {
        let mut members = Vec::new();
        for ((spec, listener), place) in self.members.into_iter().zip(1..) {
            let name = spec.codec.clone();
            let party = party(&name, &name, &keys_folder.join(&name))?.in_suite(&spec.suite);
            let config = DirectConfig {
                final_ms: FINAL_MS,
                ..DirectConfig::new(&gateway.of_institution(&spec)?, place * SERIALS_EACH)
            };
            let direct = direct::start(listener, party, world(), config).map_err(|refusal| unavailable(&name, &refusal))?;
            let is_called = !asked(&spec).is_empty();
            let platform = is_called
                .then(|| platform_side(&spec, keys_folder, gateway, ledger))
                .transpose()?;
            members.push(Member { spec, direct, platform });
        }
        Ok(Company { members })
    }
}

/// The institutions as they run.
pub(crate) struct Company {
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    spec: Arc<Spec>,
    direct: Direct,
    /// Asks the gateway for what goes to this institution, if it is one that the bank calls.
    platform: Option<PlatformClient>,
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

/// Its own link, and the platform's link for what the bank asks of it.
fn give_keys(keys: &mut DemoKeys, folder: &Path, spec: &Spec) -> Result<(), Failure> {
    let mac = DemoKey {
        usage: Usage::Mac,
        algorithm: Algorithm::HmacSm3,
        holder: None,
        named_by_serial: false,
    };
    let own = direct::keys(spec);
    let bank = platform_link(spec);
    let to_it = DemoLink {
        link: &spec.codec,
        parties: ["gateway", &spec.codec],
        keys: &own,
    };
    let from_bank = DemoLink {
        link: &bank,
        parties: ["gateway", "platform"],
        keys: &[mac],
    };
    let from_bank = Some(from_bank).filter(|_| !asked(spec).is_empty());
    for link in [to_it].into_iter().chain(from_bank) {
        let added = keys.add(folder, &link, &mut Random(&SystemEntropy));
        added.map_err(|error| unavailable("keys", &error))?;
    }
    Ok(())
}

/// The operations that the bank asks of it. One that is asked for outcomes alone is not called.
fn asked(spec: &Spec) -> Vec<&'static str> {
    let operations: BTreeSet<Operation> = spec.requests_of_ours().flat_map(MessageSpec::operations).copied().collect();
    if operations.iter().all(|operation| *operation == Operation::Query) {
        return Vec::new();
    }
    operations.into_iter().map(Operation::name).collect()
}

fn platform_link(spec: &Spec) -> String {
    format!("platform-{}", spec.codec)
}

/// `institution` is where it is called, if it is.
fn links(spec: &Spec, institution: Option<SocketAddr>, bank: &str) -> String {
    let Spec { codec, suite, .. } = spec;
    let suite = if suite.is_empty() {
        String::new()
    } else {
        format!("suite = \"{suite}\"\n")
    };
    let (member, bank_link) = (direct::member(spec), platform_link(spec));
    let towards_us = format!("\n[[route]]\nfrom = \"{codec}\"\nto = \"platform\"\n");
    let asked = asked(spec);
    let of_ours = format!("\n[[route]]\nfrom = \"{bank_link}\"\nto = \"{codec}\"\noperations = {asked:?}\n");
    let link = |name: &str, codec: &str, more: &str, transport: &str| {
        format!("\n[link.{name}]\ncodec = \"{codec}\"\n{more}answer_ms = 2500\n{transport}\n")
    };
    let http = |address: &str| format!("http = {{ base_url = \"http://{address}\", listen = \"127.0.0.1:0\" }}");
    let transport = institution.map_or_else(
        || "tcp = { listen = \"127.0.0.1:0\" }".to_owned(),
        |address| http(&address.to_string()),
    );
    let own = link(codec, codec, &format!("{suite}member = \"{member}\"\n"), &transport);
    let from_bank = link(&bank_link, "platform", "", &http(bank)) + &of_ours;
    let parts = [
        Some(own),
        Some(from_bank).filter(|_| !asked.is_empty()),
        Some(towards_us).filter(|_| spec.requests_to_us().next().is_some()),
    ];
    parts.into_iter().flatten().collect()
}

fn platform_side(spec: &Spec, keys_folder: &Path, gateway: &Addresses, ledger: &SharedLedger) -> Result<PlatformClient, Failure> {
    let link = platform_link(spec);
    let config = PlatformClientConfig {
        final_ms: FINAL_MS,
        pause_ms: PAUSE_MS,
        ..PlatformClientConfig::new(&gateway.url(&link)?, world().now().date())
    };
    let party = party("platform", &link, &keys_folder.join("platform"))?;
    Ok(PlatformClient::new(config, party, world(), ledger.clone()))
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
