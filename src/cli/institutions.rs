//! An institution with a link of its own beside centre and platform: its keys, what hangu.toml says of it, and its simulator. The
//! demo sets up all of them, a scenario the one that it is about.

use super::output::{Exit, Failure};
use super::parties::party;
use codecs::payment::Operation;
use codecs::spec::{Spec, Specs};
use hangu::start::Assembled;
use keys::algorithm::Algorithm;
use keys::key::Usage;
use keys::store::{DemoKey, DemoKeys, DemoLink};
use rand_core::CryptoRng;
use simulators::institution::direct::{self, Direct, DirectConfig, asked};
use simulators::platform::{PlatformClient, PlatformClientConfig, SharedLedger};
use simulators::world::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Every institution that can be stood in for, in the suite to try it out with.
pub(crate) fn all() -> Result<Vec<Arc<Spec>>, Failure> {
    let specs = Specs::embedded().map_err(|error| Failure::config("codecs", error))?;
    let played = specs.iter().filter(|spec| direct::is_played(spec));
    Ok(played.map(|spec| direct::suite(spec).clone()).collect())
}

/// Its own link, and the platform's link for what the bank asks of it.
pub(crate) fn give_keys(keys: &mut DemoKeys, folder: &Path, spec: &Spec, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
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
        keys.add(folder, &link, rng).map_err(|error| unavailable("keys", &error))?;
    }
    Ok(())
}

/// One that is to play, before the gateway runs.
pub(crate) struct Ready {
    pub(crate) spec: Arc<Spec>,
    /// Where the gateway calls it; terminals are not called.
    listener: Option<TcpListener>,
}

/// What surrounds it when it starts.
pub(crate) struct Setting<'a> {
    pub(crate) keys_folder: &'a Path,
    pub(crate) gateway: &'a Addresses,
    pub(crate) ledger: &'a SharedLedger,
    pub(crate) world: World,
    /// Of the platform that asks it.
    pub(crate) bank_world: World,
    pub(crate) final_ms: u64,
    pub(crate) pause_ms: u64,
}

/// One that plays.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) spec: Arc<Spec>,
    pub(crate) direct: Direct,
    /// Asks the gateway for what goes to this institution, if it is one that the bank calls.
    pub(crate) platform: Option<PlatformClient>,
}

impl Ready {
    pub(crate) async fn bind(spec: Arc<Spec>) -> Result<Self, Failure> {
        let listener = if spec.speaks_frames() {
            None
        } else {
            let bound = TcpListener::bind("127.0.0.1:0").await;
            Some(bound.map_err(|error| unavailable(&spec.codec, &error))?)
        };
        Ok(Self { spec, listener })
    }

    /// What hangu.toml says of its links; `bank` is the platform's address.
    pub(crate) fn links(&self, bank: &str) -> Result<String, Failure> {
        let address = self.listener.as_ref().map(TcpListener::local_addr).transpose();
        let address = address.map_err(|error| unavailable(&self.spec.codec, &error))?;
        Ok(links(&self.spec, address, bank))
    }

    /// Starts it against the gateway's listeners, with serials of its own.
    pub(crate) fn start(self, setting: &Setting<'_>, first_serial: u64) -> Result<Member, Failure> {
        let spec = self.spec;
        let name = spec.codec.clone();
        let party = party(&name, &name, &setting.keys_folder.join(&name))?.in_suite(&spec.suite);
        let config = DirectConfig {
            final_ms: setting.final_ms,
            ..DirectConfig::new(&setting.gateway.of_institution(&spec)?, first_serial)
        };
        let direct = direct::start(self.listener, party, setting.world.clone(), config);
        let direct = direct.map_err(|refusal| unavailable(&name, &refusal))?;
        let is_called = !asked(&spec).is_empty();
        let platform = is_called.then(|| setting.platform_side(&spec)).transpose()?;
        Ok(Member { spec, direct, platform })
    }
}

impl Setting<'_> {
    fn platform_side(&self, spec: &Spec) -> Result<PlatformClient, Failure> {
        let link = platform_link(spec);
        let config = PlatformClientConfig {
            final_ms: self.final_ms,
            pause_ms: self.pause_ms,
            ..PlatformClientConfig::new(&self.gateway.url(&link)?, self.bank_world.now().date())
        };
        let party = party("platform", &link, &self.keys_folder.join("platform"))?;
        Ok(PlatformClient::new(
            config,
            party,
            self.bank_world.clone(),
            self.ledger.clone(),
        ))
    }
}

/// Where the gateway listens, by link.
pub(crate) struct Addresses(BTreeMap<String, SocketAddr>);

impl Addresses {
    pub(crate) fn of(assembled: &Assembled) -> Self {
        let bound = assembled.https.iter();
        Self(
            bound
                .filter_map(|link| Some((link.name.clone(), link.listener.local_addr().ok()?)))
                .collect(),
        )
    }

    pub(crate) fn url(&self, link: &str) -> Result<String, Failure> {
        self.address(link).map(|address| format!("http://{address}"))
    }

    /// For an institution whose link has its codec's name, by the transport that it speaks.
    fn of_institution(&self, spec: &Spec) -> Result<String, Failure> {
        let scheme = if spec.speaks_frames() { "tcp" } else { "http" };
        self.address(&spec.codec).map(|address| format!("{scheme}://{address}"))
    }

    fn address(&self, link: &str) -> Result<&SocketAddr, Failure> {
        let address = self.0.get(link);
        address.ok_or_else(|| Failure::new(Exit::Unavailable, "gateway", format!("no listener for {link}")))
    }
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
    let asked: Vec<&str> = asked(spec).into_iter().map(Operation::name).collect();
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

fn unavailable(place: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, place, error)
}
