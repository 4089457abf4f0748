//! `hangu journal release` and `discard`: a person's decision about a parked message, with the reason on record.
//!
//! A release goes through the gateway (`ask.rs`), or hands the bytes to a file or their queue. That hands them over first and
//! marks afterwards: a crash in between leaves the message parked, and handing the
//! same bytes over twice is a repeat that the gateway answers from its journal. Nothing is lost either way.

use super::ask::Asked;
use super::park::waiting;
use super::{Opened, writer};
use crate::cli::key;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{Text, text};
use codecs::payment::Attribute;
use codecs::wire::{Start, Wire};
use hangu::admin::Order;
use hangu::clock::{Clock, millis};
use hangu::config::{Config, MqConfig};
use hangu::journal::{Parked, Resolution, Write, Written};
use hangu::limits::PARKED_BYTES_OF_TOO_LARGE;
use hangu::mq::{Publication, Published};
use hangu::record;
use hangu::shell::SystemClock;
use hangu::start::{connect, spec_of};
use keys::keyring::Keyring;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct ReleaseArgs {
    /// Id of the parked message.
    id: i64,
    /// Why, for the record.
    #[arg(long)]
    note: String,
    #[command(flatten)]
    way: Way,
}

/// Where the bytes go; without one of the two, through the gateway's pipeline.
#[derive(clap::Args)]
#[group(multiple = false)]
struct Way {
    /// Write the exact bytes to a new file (mode 0600).
    #[arg(long)]
    to: Option<PathBuf>,
    /// Publish the exact bytes to the queue they came from.
    #[arg(long)]
    publish: bool,
}

#[derive(clap::Args)]
pub(super) struct DiscardArgs {
    /// Id of the parked message.
    id: i64,
    /// Why, for the record.
    #[arg(long)]
    note: String,
}

pub(super) fn release(args: &ReleaseArgs, config: &Config, form: Form) -> Result<Exit, Failure> {
    let (id, note) = (args.id, args.note.as_str());
    if args.way.to.is_none() && !args.way.publish {
        let order = Order::Release;
        return Asked { order, id, note }.give(config, form);
    }
    let journal = writer(config)?;
    let parked = waiting(&journal, id)?;
    let keyring = key::load(&config.keys)?;
    let wire = whole(&keyring, &parked)?;
    let (done, place) = match &args.way.to {
        Some(file) => (text("journal.written"), save(file, &wire)?),
        None => (text("journal.published"), publish(config, &parked, &wire)?),
    };
    resolve(&journal, id, Resolution::Released(None), note)?;
    report(form, id, (&done, &place));
    Ok(Exit::Ok)
}

pub(super) fn discard(args: &DiscardArgs, config: &Config, form: Form) -> Result<Exit, Failure> {
    let asked = Asked {
        order: Order::Discard,
        id: args.id,
        note: &args.note,
    };
    asked.give(config, form)
}

/// The bytes as they came. Of what was too large to be read only the beginning stands: handing that over would lose the rest.
fn whole(keyring: &Keyring, parked: &Parked) -> Result<Wire, Failure> {
    let refuse = |detail: String| Failure::new(Exit::CheckFailed, parked.id.to_string(), detail);
    let wire = record::open_parked(keyring, &parked.park.link, &parked.park.record).map_err(|error| refuse(error.to_string()))?;
    let digest = record::parked_digest(keyring, &wire.body).map_err(|error| refuse(error.to_string()))?;
    let length = wire.body.len();
    // A digest alone says nothing: one made under a former digest key differs too.
    if length == PARKED_BYTES_OF_TOO_LARGE && digest != parked.park.digest {
        let detail =
            format!("only its first {length} bytes were kept, for the message was too large to be read; nothing was done");
        return Err(refuse(detail));
    }
    Ok(wire)
}

/// The body of a queue message; the recorded form, head and body, of an HTTP message. Never replaces a file.
fn save(file: &Path, wire: &Wire) -> Result<String, Failure> {
    let bytes = match wire.start {
        Start::Queue => wire.body.clone(),
        Start::Request { .. } | Start::Status(_) => record::encode(wire),
    };
    let place = file.display().to_string();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
    match written {
        Ok(()) => Ok(place),
        Err(error) => Err(Failure::new(
            Exit::CheckFailed,
            place,
            format!("{error}; the message stays parked"),
        )),
    }
}

fn publish(config: &Config, parked: &Parked, wire: &Wire) -> Result<String, Failure> {
    let queue = &parked.park.source;
    let mq = queue_link(config, parked)?;
    let (message_id, correlation_id) = identity(config, parked, wire);
    let publication = Publication {
        queue: queue.clone(),
        message_id,
        correlation_id,
        content_type: "application/xml",
        body: wire.body.clone().into(),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let published = runtime.block_on(async {
        let mq = connect(&parked.park.link, mq)?;
        let published = mq.publish(publication).await;
        mq.close().await;
        Ok::<_, Failure>(published)
    })?;
    match published {
        Published::Confirmed => Ok(queue.clone()),
        Published::Refused(reason) => {
            let detail = format!("the broker did not take it: {reason}; the message stays parked");
            Err(Failure::new(Exit::Unavailable, queue.clone(), detail))
        }
        Published::Unknown(reason) => {
            let detail =
                format!("the broker may have taken it: {reason}; the message stays parked, a second release is harmless");
            Err(Failure::new(Exit::Unavailable, queue.clone(), detail))
        }
    }
}

fn queue_link<'a>(config: &'a Config, parked: &Parked) -> Result<&'a MqConfig, Failure> {
    let (link, source) = (&parked.park.link, &parked.park.source);
    let mq = config.link.get(link).and_then(|link| link.mq.as_ref());
    let refuse = |detail: &str| Failure::new(Exit::CheckFailed, source.clone(), detail);
    let mq = mq.ok_or_else(|| refuse("is not a queue of a configured link; use --to FILE"))?;
    if [&mq.request_queue, &mq.reply_queue].contains(&source) {
        Ok(mq)
    } else {
        Err(refuse("is no longer a queue that the link consumes; use --to FILE"))
    }
}

/// The identity that the message has in its own header, as its sender gave it to the broker.
fn identity(config: &Config, parked: &Parked, wire: &Wire) -> (String, Option<String>) {
    let link = &parked.park.link;
    let specs = config.specs().ok();
    let spec = specs
        .zip(config.link.get(link))
        .and_then(|(specs, config)| spec_of(&specs, link, config).ok());
    let header = spec.and_then(|spec| spec.peek(wire));
    let named = |attribute| {
        header
            .as_ref()
            .and_then(|header| header.text(attribute))
            .map(ToOwned::to_owned)
    };
    let message_id = named(Attribute::Serial).unwrap_or_else(|| format!("parked-{}", parked.id));
    (message_id, named(Attribute::RefSerial))
}

pub(super) fn resolve(journal: &Opened, id: i64, to: Resolution, note: &str) -> Result<(), Failure> {
    let write = Write::Resolve {
        id,
        to,
        note: Some(note.to_owned()),
        at: millis(SystemClock.now()),
    };
    let failed = |detail: String| Failure::new(Exit::Unavailable, id.to_string(), format!("not marked: {detail}"));
    match journal.write(write).map_err(|error| failed(error.to_string()))? {
        Written::Stored => Ok(()),
        Written::Conflict(standing) => Err(failed(format!("it is {}", standing.as_deref().unwrap_or("gone")))),
        Written::Accepted(_)
        | Written::Moved
        | Written::Stale(_)
        | Written::Parked { .. }
        | Written::Reserved(_)
        | Written::Taken(_)
        | Written::Pruned(_) => Err(failed("the journal gave an answer to another question".to_owned())),
    }
}

fn report(form: Form, id: i64, (done, place): (&Text, &str)) {
    output::say(&match form {
        Form::Json => output::json(&json!({ "id": id, "status": "released", "handed_to": place })),
        Form::Text => format!("{id}: {done} {place}\n{id}: {}", text("journal.released")),
    });
}
