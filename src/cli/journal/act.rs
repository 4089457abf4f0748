//! `hangu journal release` and `discard`: a person's decision about a parked message, with the reason on record.
//!
//! A release hands the bytes over first and marks afterwards: a crash in between leaves the message parked, and handing the
//! same bytes over twice is a repeat that the gateway answers from its journal. Nothing is lost either way.

use super::park::{WAITING, one};
use super::{Opened, writer};
use crate::cli::key;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{Text, text};
use codecs::payment::Attribute;
use codecs::spec::Specs;
use codecs::wire::{Start, Wire};
use hangu::clock::{Clock, millis};
use hangu::config::{Config, MqConfig};
use hangu::journal::{Parked, Resolution, Write, Written};
use hangu::mq::{Publication, Published};
use hangu::record;
use hangu::shell::SystemClock;
use hangu::start::{connect, spec_of};
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

/// Where the bytes go: one of the two.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
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
    let journal = writer(config)?;
    let parked = waiting(&journal, args.id)?;
    let keyring = key::load(&config.keys.folder)?;
    let wire = record::open_parked(&keyring, &parked.park.link, &parked.park.record)
        .map_err(|error| Failure::new(Exit::CheckFailed, args.id.to_string(), error))?;
    let (done, place) = match &args.way.to {
        Some(file) => (text("journal.written"), save(file, &wire)?),
        None => (text("journal.published"), publish(config, &parked, &wire)?),
    };
    resolve(&journal, args.id, Resolution::Released(None), &args.note)?;
    report(form, args.id, "released", &text("journal.released"), Some((&done, &place)));
    Ok(Exit::Ok)
}

pub(super) fn discard(args: &DiscardArgs, config: &Config, form: Form) -> Result<Exit, Failure> {
    let journal = writer(config)?;
    waiting(&journal, args.id)?;
    resolve(&journal, args.id, Resolution::Discarded, &args.note)?;
    report(form, args.id, "discarded", &text("journal.discarded"), None);
    Ok(Exit::Ok)
}

fn waiting(journal: &Opened, id: i64) -> Result<Parked, Failure> {
    let parked = one(journal, id)?;
    if parked.status == WAITING {
        return Ok(parked);
    }
    let note = parked.note.unwrap_or_default();
    let detail = format!("is already {} ({note}); nothing was done", parked.status);
    Err(Failure::new(Exit::CheckFailed, id.to_string(), detail))
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
    let specs = Specs::embedded().ok();
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

fn resolve(journal: &Opened, id: i64, to: Resolution, note: &str) -> Result<(), Failure> {
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

fn report(form: Form, id: i64, status: &str, marked: &Text, handed: Option<(&Text, &str)>) {
    output::say(&match form {
        Form::Json => output::json(&json!({ "id": id, "status": status, "handed_to": handed.map(|(_, place)| place) })),
        Form::Text => {
            let handed = handed
                .map(|(done, place)| format!("{id}: {done} {place}\n"))
                .unwrap_or_default();
            format!("{handed}{id}: {marked}")
        }
    });
}
