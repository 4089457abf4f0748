//! Changes to a guarded store: each becomes a proposal that other officers approve.

use super::Place;
use super::create::Description;
use super::sign::Signer;
use super::words::{described, failure, page, parse_roles, rows, told};
use crate::cli::output::{self, Exit, Failure, Form};
use hangu::clock::{Clock, Random};
use hangu::config::KeysConfig;
use hangu::secret::read_public;
use hangu::shell::{SystemClock, SystemEntropy};
use keys::guarded::{Anchor, Change, FileDisk, GuardedKey, Named, Officer, OfficerKey, Stamp, Step, Terms, Writer, fresh, read};
use keys::key::Status;
use keys::store::NewKey;
use std::path::PathBuf;
use time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Who proposes, for how long, where.
#[derive(clap::Args)]
pub(super) struct Hand {
    #[command(flatten)]
    signer: Signer,
    /// Days for which the proposal may be approved.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=30))]
    open_days: i64,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(clap::Args)]
pub(super) struct StatusArgs {
    /// Keys with the status each is to have; several take effect together.
    #[arg(required = true, value_name = "ID=STATUS", value_parser = wish)]
    wishes: Vec<(String, Status)>,
    #[command(flatten)]
    hand: Hand,
}

#[derive(clap::Args)]
pub(super) struct RevokeArgs {
    /// Keys that may never be used again.
    #[arg(required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    hand: Hand,
}

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Another validity of a key.
    Validity {
        id: String,
        /// First instant, RFC 3339.
        #[arg(long, value_parser = instant)]
        from: OffsetDateTime,
        /// Last instant, RFC 3339.
        #[arg(long, value_parser = instant)]
        to: OffsetDateTime,
        #[command(flatten)]
        hand: Hand,
    },
    /// A new officer, or other roles or another key of one.
    Officer {
        name: String,
        /// As `hangu key officer` printed it.
        #[arg(long)]
        public_key: String,
        /// custodian, approver, auditor, operator; several with `+`.
        #[arg(long)]
        roles: String,
        #[command(flatten)]
        hand: Hand,
    },
    /// An officer fewer.
    RemoveOfficer {
        name: String,
        #[command(flatten)]
        hand: Hand,
    },
    /// How many officers must sign a change.
    Threshold {
        count: u8,
        #[command(flatten)]
        hand: Hand,
    },
    /// A certificate whose holder's certificates count.
    Anchor {
        name: String,
        /// PEM.
        #[arg(long)]
        file: PathBuf,
        #[command(flatten)]
        hand: Hand,
    },
    /// A trust anchor fewer.
    RemoveAnchor {
        name: String,
        #[command(flatten)]
        hand: Hand,
    },
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let named = |name: &String| Named { name: name.clone() };
    let (hand, change) = match &args.what {
        What::Validity { id, from, to, hand } => (hand, validity(id, *from, *to)),
        What::Officer {
            name,
            public_key,
            roles,
            hand,
        } => (hand, officer(name, public_key, roles)?),
        What::RemoveOfficer { name, hand } => (hand, Change::OfficerRemoved(named(name))),
        What::Threshold { count, hand } => (hand, Change::Threshold(*count)),
        What::Anchor { name, file, hand } => {
            let certificate = read_public(file).map_err(|detail| Failure::new(Exit::Usage, "--file", detail))?;
            let name = name.clone();
            (hand, Change::Anchor(Anchor { name, certificate }))
        }
        What::RemoveAnchor { name, hand } => (hand, Change::AnchorRemoved(named(name))),
    };
    put(hand, change, form)
}

/// A key made here.
pub(super) fn create(description: &Description, bits: u32, hand: &Hand, form: Form) -> Result<Exit, Failure> {
    let keys = hand.guarded()?;
    let new = NewKey {
        entry: description.entry()?,
        bits,
    };
    let master = keys.master()?;
    let failed = |error| failure(&keys.folder, error);
    let (_, state) = read(&keys.folder).map_err(failed)?;
    let key = fresh(&state, &master, &new, &mut Random(&SystemEntropy)).map_err(failed)?;
    put_key(hand, &keys, &key, form)
}

pub(super) fn status(args: &StatusArgs, form: Form) -> Result<Exit, Failure> {
    let steps = steps(&args.hand, &args.wishes)?;
    put(&args.hand, Change::Status(steps), form)
}

pub(super) fn revoke(args: &RevokeArgs, form: Form) -> Result<Exit, Failure> {
    let wishes: Vec<_> = args.ids.iter().map(|id| (id.clone(), Status::Revoked)).collect();
    let steps = steps(&args.hand, &wishes)?;
    put(&args.hand, Change::Status(steps), form)
}

/// Each key from the status that it has.
fn steps(hand: &Hand, wishes: &[(String, Status)]) -> Result<Vec<Step>, Failure> {
    let keys = hand.guarded()?;
    let (_, state) = read(&keys.folder).map_err(|error| failure(&keys.folder, error))?;
    let step = |(id, to): &(String, Status)| {
        let held = state.key(id);
        let held = held.ok_or_else(|| Failure::new(Exit::CheckFailed, id.clone(), "no key has this id"))?;
        Ok(Step {
            id: id.clone(),
            from: held.entry.status.name().to_owned(),
            to: to.name().to_owned(),
            primary_from: None,
        })
    };
    wishes.iter().map(step).collect()
}

fn put(hand: &Hand, change: Change, form: Form) -> Result<Exit, Failure> {
    let keys = hand.guarded()?;
    let officer = hand.signer.open(&told(&change))?;
    let failed = |error| failure(&keys.folder, error);
    let mut writer = Writer::open(&keys.folder, &FileDisk).map_err(failed)?;
    let number = writer.propose(&officer, change, hand.terms(), &mut Random(&SystemEntropy));
    show(&writer, number.map_err(failed)?, form)
}

pub(super) fn put_key(hand: &Hand, keys: &KeysConfig, key: &GuardedKey, form: Form) -> Result<Exit, Failure> {
    let officer = hand.signer.open(&told(&Change::Key(Box::new(key.change.clone()))))?;
    let failed = |error| failure(&keys.folder, error);
    let mut writer = Writer::open(&keys.folder, &FileDisk).map_err(failed)?;
    let number = writer.propose_key(&officer, key, hand.terms(), &mut Random(&SystemEntropy));
    show(&writer, number.map_err(failed)?, form)
}

pub(super) fn show(writer: &Writer<'_>, number: u64, form: Form) -> Result<Exit, Failure> {
    let state = writer.state();
    let open = state.proposal(number);
    let open = open.map_err(|refusal| Failure::new(Exit::CheckFailed, number.to_string(), refusal))?;
    output::say(&page(form, &described(open, state), &rows(open, state)));
    Ok(Exit::Ok)
}

impl Hand {
    /// The guarded folder that is meant.
    pub(super) fn guarded(&self) -> Result<KeysConfig, Failure> {
        self.place.guarded()
    }

    pub(super) fn officer(&self, about: &str) -> Result<OfficerKey, Failure> {
        self.signer.open(about)
    }

    pub(super) fn terms(&self) -> Terms {
        let now = SystemClock.now();
        Terms {
            now,
            expires: now + Duration::days(self.open_days),
        }
    }
}

fn validity(id: &str, from: OffsetDateTime, to: OffsetDateTime) -> Change {
    Change::Validity {
        id: id.to_owned(),
        not_before: Stamp::new(from),
        not_after: Stamp::new(to),
    }
}

fn officer(name: &str, public_key: &str, roles: &str) -> Result<Change, Failure> {
    let roles = parse_roles(roles).map_err(|detail| Failure::new(Exit::Usage, "--roles", detail))?;
    Ok(Change::Officer(Officer {
        name: name.to_owned(),
        public_key: public_key.to_ascii_lowercase(),
        roles,
    }))
}

fn wish(argument: &str) -> Result<(String, Status), String> {
    let (id, name) = argument.rsplit_once('=').ok_or("is not ID=STATUS")?;
    let known = || Status::ALL.map(Status::name).join(", ");
    let status = Status::parse(name).ok_or_else(|| format!("`{name}` is not one of {}", known()))?;
    Ok((id.to_owned(), status))
}

pub(super) fn instant(argument: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(argument, &Rfc3339).map_err(|error| format!("{error}; wanted as 2026-05-01T10:00:00+08:00"))
}
