//! Opening a connection: the addresses in turn, the settings that a lane rests on, the checks before the first use.

use super::failure::describe;
use super::session::Session;
use super::{Options, schema, tls};
use crate::journal::JournalError;
use crate::secret::Password;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, Error};
use tokio_util::sync::CancellationToken;

/// Where and as whom to connect, and what a connection is for.
pub(super) struct Target {
    nodes: Vec<Node>,
    tls: Option<tls::Connector>,
    schema: String,
    transaction_ms: u64,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Only a server that takes writes will do, also for reads: they must see what was just written.
    Writing,
    /// A server that takes writes is preferred.
    Reading,
}

struct Node {
    address: String,
    config: Config,
    /// Read at every connection, so that a changed file counts from the next one on.
    password: Option<Password>,
}

/// What a server says of itself.
struct Server {
    version: String,
    number: i64,
    encoding: String,
    synchronous_commit: String,
    fsync: String,
    read_only: bool,
}

impl Target {
    pub(super) fn writing(options: &Options) -> Result<Self, JournalError> {
        Self::new(options, Purpose::Writing)
    }

    pub(super) fn reading(options: &Options) -> Result<Self, JournalError> {
        Self::new(options, Purpose::Reading)
    }

    fn new(options: &Options, purpose: Purpose) -> Result<Self, JournalError> {
        if options.addresses.is_empty() || options.connections == 0 {
            return Err(JournalError::Refused("at least one address and one connection".into()));
        }
        let nodes = options.addresses.iter().map(|address| Node::new(address, options));
        Ok(Self {
            nodes: nodes.collect::<Result<_, _>>()?,
            tls: options.tls_ca_file.as_deref().map(tls::Connector::new).transpose()?,
            schema: options.schema.clone(),
            transaction_ms: options.transaction_ms,
            purpose,
        })
    }
}

impl Node {
    fn new(address: &str, options: &Options) -> Result<Self, JournalError> {
        let wrong = || JournalError::Refused(format!("{address:?} is not host:port"));
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let mut config = Config::new();
        // An IPv6 address stands in brackets, which a connection takes without them.
        config.host(host.trim_matches(['[', ']'])).port(port);
        config.dbname(&options.database).user(&options.user).application_name("hangu");
        let encrypted = options.tls_ca_file.is_some() && !Path::new(host).is_absolute();
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT_MAX).tcp_user_timeout(SILENCE_MAX);
        config.keepalives(true).keepalives_idle(SILENCE_MAX / 2);
        config.keepalives_interval(SILENCE_MAX / 4).keepalives_retries(2);
        Ok(Self {
            address: address.to_owned(),
            config,
            password: options.password.clone(),
        })
    }

    fn login(&self) -> Result<Config, String> {
        let mut config = self.config.clone();
        if let Some(password) = &self.password {
            config.password(password.read()?.as_str());
        }
        Ok(config)
    }
}

/// A connection to tables that are as this version knows them.
pub(super) async fn checked(target: &Target) -> Result<Session, JournalError> {
    let session = connected(target).await?;
    let checked = timeout(CHECK_MAX, schema::check_current(&session, &target.schema)).await;
    unless_wrong(session, checked.unwrap_or_else(|_| late()))
}

/// A connection to tables that were brought to this version first.
pub(super) async fn migrated(target: &Target) -> Result<Session, JournalError> {
    let session = connected(target).await?;
    let migrated = timeout(MIGRATE_MAX, schema::migrate(&session, &target.schema)).await;
    unless_wrong(session, migrated.unwrap_or_else(|_| late()))
}

/// What is there, for people; nothing is changed.
pub(super) async fn inspected(target: &Target) -> Result<String, JournalError> {
    let session = connected(target).await?;
    let version = schema::version(&session, &target.schema).await?;
    schema::check_known(version)?;
    let server = asked(&session).await.map_err(|error| said(&error))?;
    let product = server.version.split(" on ").next().unwrap_or_default();
    Ok(match version {
        0 => format!("{product}; no tables yet: the gateway makes them at its first start"),
        version => format!("{product}; schema version {version}"),
    })
}

fn unless_wrong(session: Session, done: Result<(), JournalError>) -> Result<Session, JournalError> {
    if done.is_err() {
        session.give_up();
    }
    done.map(|()| session)
}

fn late() -> Result<(), JournalError> {
    Err(JournalError::Refused("the database did not answer in time".into()))
}

/// The first node that will do; with all their troubles if none does.
async fn connected(target: &Target) -> Result<Session, JournalError> {
    let mut troubles = Vec::new();
    let mut reserve = None;
    for node in &target.nodes {
        match timeout(CONNECT_MAX, reached(node, target)).await {
            Ok(Ok((session, false))) => return Ok(session),
            Ok(Ok((session, true))) if target.purpose == Purpose::Reading => reserve = Some(session),
            Ok(Ok((session, true))) => {
                session.give_up();
                troubles.push(format!(
                    "{}: the server takes no writes (it is read-only or a standby)",
                    node.address
                ));
            }
            Ok(Err(trouble)) => troubles.push(format!("{}: {trouble}", node.address)),
            Err(_elapsed) => troubles.push(format!("{}: no answer within {} s", node.address, CONNECT_MAX.as_secs())),
        }
    }
    reserve.ok_or_else(|| JournalError::Refused(troubles.join("; ")))
}

/// One node's connection, set up and checked, and whether it is read-only.
async fn reached(node: &Node, target: &Target) -> Result<(Session, bool), String> {
    let login = node.login()?;
    let session = opened(&login, target).await.map_err(|error| describe(&error))?;
    let server = match settle(&session, target).await {
        Ok(server) => server,
        Err(error) => {
            session.give_up();
            return Err(describe(&error));
        }
    };
    match server.objection() {
        Some(objection) if target.purpose == Purpose::Writing => {
            session.give_up();
            Err(objection)
        }
        Some(_) | None => Ok((session, server.read_only)),
    }
}

/// Connects, and drives the connection until either side ends it.
async fn opened(login: &Config, target: &Target) -> Result<Session, Error> {
    let lost = CancellationToken::new();
    let ended = lost.clone();
    let connector = target.tls.clone().unwrap_or_default();
    let (client, connection) = login.connect(connector).await?;
    tokio::spawn(async move {
        tokio::select! {
            over = connection => {
                if let Err(error) = over {
                    tracing::debug!(error = %describe(&error), "the connection to the database ended");
                }
            }
            () = ended.cancelled() => {}
        }
        ended.cancel();
    });
    Ok(Session::new(client, lost))
}

/// Everything that a transaction of ours rests on and an administrator may have set otherwise.
///
/// Our own limits are shorter than the server's, so that the server never turns a wait for its standbys into a success; its
/// limits free what a vanished gateway still holds. Statistics of a young journal mislead the planner, and every statement
/// here has an index: scans of whole tables are ruled out, and joins that make them. So are bitmaps: rows are to be locked in the
/// order of their keys, not of their places. One plan does for all parameters: by itself the server makes a new one at each
/// execution of a statement over arrays. And none is compiled: what is ruled out counts as so dear that the server would take a
/// tenth of a second to compile each small statement that has nothing else.
async fn settle(session: &Session, target: &Target) -> Result<Server, Error> {
    let server_ms = target.transaction_ms.saturating_mul(2);
    let schema = quoted(&target.schema);
    let settings = format!(
        "SET search_path TO {schema}; SET statement_timeout = {server_ms}; SET lock_timeout = {LOCK_MS};
         SET idle_in_transaction_session_timeout = {server_ms}; SET enable_seqscan = off;
         SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
         SET plan_cache_mode = force_generic_plan; SET client_encoding = 'UTF8';
         SELECT set_config('jit', 'off', false) FROM pg_settings WHERE name = 'jit'"
    );
    session.batch(&settings).await?;
    let server = asked(session).await?;
    let pinned = match target.purpose {
        Purpose::Reading => "SET default_transaction_read_only = on".to_owned(),
        // What was checked must not become less while the connection lasts.
        Purpose::Writing => format!("SET synchronous_commit = '{}'", server.synchronous_commit),
    };
    session.batch(&pinned).await?;
    Ok(server)
}

async fn asked(session: &Session) -> Result<Server, Error> {
    let rows = session.ask(SERVER, &[]).await?;
    let text = |column: usize| -> Result<String, Error> {
        let row = rows.first().map(|row| row.try_get::<_, Option<String>>(column));
        Ok(row.transpose()?.flatten().unwrap_or_default())
    };
    Ok(Server {
        version: text(0)?,
        number: text(1)?.parse().unwrap_or_default(),
        encoding: text(2)?,
        synchronous_commit: text(3)?,
        fsync: text(4)?,
        read_only: text(5)? == "on",
    })
}

impl Server {
    /// Why no payment may be entrusted to this server as it is set up.
    fn objection(&self) -> Option<String> {
        let version = self.version.split(" on ").next().unwrap_or_default();
        if self.number < VERSION_MIN && self.version.starts_with("PostgreSQL") {
            return Some(format!("{version} is too old: 12 or newer is needed"));
        }
        if self.encoding != "UTF8" {
            return Some(format!(
                "the database's encoding is {}: create it with encoding UTF8",
                self.encoding
            ));
        }
        if ["off", "local"].contains(&self.synchronous_commit.as_str()) {
            let found = &self.synchronous_commit;
            return Some(format!(
                "synchronous_commit is {found}: a commit would be answered before it is durable; set it to on"
            ));
        }
        if self.fsync != "on" {
            return Some("fsync is off: a commit would not survive a power cut; set it to on".into());
        }
        None
    }
}

fn said(error: &Error) -> JournalError {
    JournalError::Refused(describe(error))
}

/// An identifier as SQL takes any name.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const SERVER: &str = "SELECT version(), current_setting('server_version_num'), current_setting('server_encoding'),
    current_setting('synchronous_commit'), current_setting('fsync'), current_setting('transaction_read_only')";

const VERSION_MIN: i64 = 120_000;

/// For reaching a node, with everything that it must answer before it is used.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// For looking at the schema's version, and for making it.
const CHECK_MAX: Duration = Duration::from_secs(3);
const MIGRATE_MAX: Duration = Duration::from_hours(1);

/// How long a connection may be silent, or what we sent unacknowledged, before the network counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(8);

/// How long a statement waits for another writer.
const LOCK_MS: u64 = 1_500;
