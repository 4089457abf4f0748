//! `hangu journal park`: messages that were refused and are kept for a person.

use super::find::instant;
use super::show::Reader;
use super::{Opened, reader};
use crate::cli::key;
use crate::cli::message::{lines, objects};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, text, titles};
use codecs::message::DescribedField;
use hangu::config::Config;
use hangu::journal::{Found, Parked, Read};
use hangu::record;
use serde_json::{Value, json};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List parked messages, newest first.
    #[command(after_help = "Examples:\n  hangu journal park list\n  hangu journal park list --all --limit 100 -o json")]
    List {
        /// Also those released or discarded.
        #[arg(long)]
        all: bool,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one parked message: why it was refused, and its fields as far as they can be read.
    #[command(after_help = "Examples:\n  hangu journal park show 3\n  hangu journal park show 3 -o json")]
    Show {
        /// Id of the parked message, as `park list` prints it.
        id: i64,
    },
}

pub(super) fn run(args: &Args, config: &Config, form: Form) -> Result<Exit, Failure> {
    match args.command {
        Command::List { all: true, limit } => list(config, None, limit, form),
        Command::List { all: false, limit } => list(config, Some(WAITING), limit, form),
        Command::Show { id } => show(id, config, form),
    }
}

pub(super) fn list(config: &Config, status: Option<&'static str>, limit: u32, form: Form) -> Result<Exit, Failure> {
    let read = Read::Parked { id: None, status, limit };
    let found = reader(config)?.ask(read, Found::parked)?;
    output::say(&match form {
        Form::Json => output::json(&json!({ "parked": found.iter().map(object).collect::<Vec<_>>() })),
        Form::Text if found.is_empty() => text("journal.nothing").to_string(),
        Form::Text => table(&titles(&COLUMNS), &found.iter().map(cells).collect::<Vec<_>>()),
    });
    Ok(Exit::Ok)
}

/// One parked message.
pub(super) fn one(journal: &Opened, id: i64) -> Result<Parked, Failure> {
    let read = Read::Parked {
        id: Some(id),
        status: None,
        limit: 1,
    };
    let found = journal.ask(read, Found::parked)?;
    let missing = || Failure::new(Exit::CheckFailed, id.to_string(), "no message was parked under this id");
    found.into_iter().next().ok_or_else(missing)
}

/// One parked message on which nobody has decided yet.
pub(super) fn waiting(journal: &Opened, id: i64) -> Result<Parked, Failure> {
    let parked = one(journal, id)?;
    if parked.status == WAITING {
        return Ok(parked);
    }
    let note = parked.note.unwrap_or_default();
    let detail = format!("is already {} ({note}); nothing was done", parked.status);
    Err(Failure::new(Exit::CheckFailed, id.to_string(), detail))
}

fn show(id: i64, config: &Config, form: Form) -> Result<Exit, Failure> {
    let parked = one(&reader(config)?, id)?;
    let fields = fields(config, &parked);
    output::say(&match form {
        Form::Json => {
            let mut object = object(&parked);
            let (shown, closed) = fields.map_or_else(|reason| (Vec::new(), Some(reason)), |fields| (objects(&fields), None));
            if let Value::Object(map) = &mut object {
                map.insert("fields".to_owned(), json!(shown));
                map.insert("unreadable".to_owned(), json!(closed));
            }
            output::json(&object)
        }
        Form::Text => {
            let facts = COLUMNS
                .iter()
                .zip(cells(&parked))
                .map(|(key, cell)| format!("{}: {cell}", text(key)));
            let exchange = parked.exchange.map(|id| format!("{}: {id}", text("journal.exchange")));
            let body = fields.map_or_else(|reason| reason, |fields| lines(&fields));
            facts
                .chain(exchange)
                .chain([format!("\n{body}")])
                .collect::<Vec<_>>()
                .join("\n")
        }
    });
    Ok(Exit::Ok)
}

/// Most refused messages do not parse; then the reason is what there is to see.
fn fields(config: &Config, parked: &Parked) -> Result<Vec<DescribedField>, String> {
    let text = |failure: Failure| format!("{}: {}", failure.place, failure.detail);
    let keyring = key::load(&config.keys).map_err(text)?;
    let wire = record::open_parked(&keyring, &parked.park.link, &parked.park.record).map_err(|error| error.to_string())?;
    Reader::new(config, &keyring).map_err(text)?.fields(&parked.park.link, &wire)
}

fn cells(parked: &Parked) -> Vec<String> {
    let park = &parked.park;
    vec![
        parked.id.to_string(),
        parked.status.clone(),
        instant(park.at),
        park.link.clone(),
        park.source.clone(),
        park.step.clone(),
        park.code.clone(),
        park.field.clone().unwrap_or_default(),
        park.reason.clone(),
        parked.note.clone().unwrap_or_default(),
    ]
}

fn object(parked: &Parked) -> Value {
    let park = &parked.park;
    json!({
        "id": parked.id, "status": parked.status, "note": parked.note, "at": instant(park.at), "link": park.link,
        "exchange": parked.exchange, "source": park.source, "step": park.step, "code": park.code, "field": park.field, "reason": park.reason,
    })
}

/// Status of a message that waits for a person.
pub(super) const WAITING: &str = "parked";

const COLUMNS: [&str; 10] = [
    "journal.id",
    "journal.state",
    "journal.at",
    "key.link",
    "journal.source",
    "journal.step",
    "journal.code",
    "message.field",
    "journal.reason",
    "journal.note",
];
