//! `hangu sim record`: the journal's exchanges as traffic that can be replayed, masked.

use super::{Exit, Failure, Form};
use crate::cli::journal::reader;
use crate::cli::key;
use crate::cli::output;
use codecs::payment::{Attribute, Operation, Payment};
use codecs::spec::Specs;
use hangu::clock::Entropy;
use hangu::config::Config;
use hangu::journal::{Exchange, Found, MessageRecord, Read, Search};
use hangu::pipeline::{self, LinkView};
use hangu::record;
use hangu::shell::SystemEntropy;
use hangu::start::spec_of;
use keys::keyring::Keyring;
use serde_json::json;
use simulators::traffic::mask::Mask;
use simulators::traffic::{self, By, Line, PLAYED};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The gateway's configuration: its journal and its keys are read.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
    /// Where the recording goes; a file that exists is not overwritten.
    #[arg(long)]
    to: PathBuf,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let (lines, left_out) = lines(&config)?;
    let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, args.to.display().to_string(), error);
    let mut file = std::fs::File::create_new(&args.to).map_err(failed)?;
    std::io::Write::write_all(&mut file, traffic::write(&lines, left_out).as_bytes()).map_err(failed)?;
    output::say(&match form {
        Form::Json => json!({ "exchanges": lines.len(), "left_out": left_out }).to_string(),
        Form::Text => format!("{} exchanges recorded, masked; {left_out} left out", lines.len()),
    });
    Ok(Exit::Ok)
}

fn lines(config: &Config) -> Result<(Vec<Line>, usize), Failure> {
    let journal = reader(config)?;
    let search = Search {
        limit: u32::MAX,
        ..Search::default()
    };
    let mut exchanges = journal.ask(Read::Search(Box::new(search)), Found::exchanges)?;
    exchanges.sort_by_key(|exchange| (exchange.accepted_at, exchange.id));
    let (keyring, specs) = (key::load(&config.keys)?, config.specs()?);
    let mut key = [0; 32];
    SystemEntropy.fill(&mut key);
    let mut recorder = Recorder {
        config,
        keyring: &keyring,
        specs: &specs,
        mask: Mask::new(key),
        lines: Vec::new(),
        answered: Vec::new(),
        places: BTreeMap::new(),
        began: exchanges.first().map_or(0, |exchange| exchange.accepted_at),
    };
    let all = exchanges.len();
    for page in exchanges.chunks(PAGE) {
        let ids = page.iter().map(|exchange| exchange.id).collect();
        let kept = journal.ask(Read::Kept(ids), Found::kept)?;
        let messages: BTreeMap<_, _> = kept.into_iter().map(|kept| (kept.exchange, kept.messages)).collect();
        for exchange in page {
            let messages = messages.get(&exchange.id).map_or(&[][..], Vec::as_slice);
            // What cannot be read is counted as left out.
            let _recorded: Option<()> = recorder.add(exchange, messages);
        }
    }
    let left_out = all - recorder.lines.len();
    Ok((recorder.lines, left_out))
}

struct Recorder<'a> {
    config: &'a Config,
    keyring: &'a Keyring,
    specs: &'a Specs,
    mask: Mask,
    lines: Vec<Line>,
    /// When the exchange of each line was answered.
    answered: Vec<Option<i64>>,
    /// Places of lines by what later ones call them.
    places: BTreeMap<String, usize>,
    began: i64,
}

impl Recorder<'_> {
    fn add(&mut self, exchange: &Exchange, messages: &[MessageRecord]) -> Option<()> {
        let operation = Operation::parse(&exchange.operation).filter(|operation| PLAYED.contains(operation))?;
        let by = self.by(&exchange.link_in)?;
        if let Some(link) = &exchange.link_out {
            // An institution with a link of its own has no part in a replay.
            self.by(link)?;
        }
        let first = messages
            .iter()
            .find(|message| message.direction == "received" && message.part == "request")?;
        let request = self.request(first)?;
        let of = self.original(&request);
        if of.is_none() && matches!(operation, Operation::Refund | Operation::Cancel | Operation::Query) {
            return None;
        }
        let original = of
            .and_then(|of| self.lines.get(of))
            .map(|line| (line.person, line.amount_fen, line.institution));
        let is_answered = |answered: &Option<i64>| answered.is_some_and(|at| at <= exchange.accepted_at);
        let outcome = exchange.outcome.as_ref();
        let line = Line {
            at_ms: span(self.began, exchange.accepted_at),
            by,
            operation: exchange.operation.clone(),
            institution: self
                .institution(exchange)
                .or_else(|| original.map(|(.., institution)| institution))
                .unwrap_or(0),
            person: self.person(by, &request).or_else(|| original.map(|(person, ..)| person))?,
            amount_fen: exchange
                .amount_fen
                .or_else(|| original.map(|(_, amount, _)| amount))
                .unwrap_or(0),
            after_answer: of.and_then(|of| self.answered.get(of)).is_some_and(is_answered),
            of,
            answer_ms: exchange
                .sent_at
                .zip(exchange.answered_at)
                .map(|(sent, answered)| span(sent, answered)),
            outcome: outcome.map_or_else(|| "unknown".to_owned(), |outcome| outcome.name.clone()),
            reason: outcome.and_then(|outcome| outcome.reason.clone()),
        };
        let place = self.lines.len();
        for name in [Attribute::MsgId, Attribute::EndToEndId]
            .into_iter()
            .filter_map(|attribute| request.text(attribute))
        {
            self.places.entry(name.to_owned()).or_insert(place);
        }
        self.lines.push(line);
        self.answered.push(exchange.answered_at);
        Some(())
    }

    fn institution(&mut self, exchange: &Exchange) -> Option<usize> {
        let real = exchange.institution.as_deref()?;
        (!real.is_empty()).then(|| self.mask.institution(real))
    }

    fn by(&self, link: &str) -> Option<By> {
        match self.config.link.get(link)?.codec.as_str() {
            "nps" => Some(By::Centre),
            "platform" => Some(By::Platform),
            _ => None,
        }
    }

    fn request(&self, message: &MessageRecord) -> Option<Payment> {
        let stored = record::open_stored(self.keyring, message).ok()?;
        let config = self.config.link.get(&message.link)?;
        let spec = spec_of(self.specs, &message.link, config).ok()?;
        let view = LinkView {
            name: &message.link,
            spec: &spec,
            keyring: self.keyring,
        };
        pipeline::reopen(&stored, view).ok().map(|received| received.payment)
    }

    fn original(&self, request: &Payment) -> Option<usize> {
        let names = [Attribute::OriginalMsgId, Attribute::OriginalEndToEndId];
        let mut found = names.into_iter().filter_map(|name| self.places.get(request.text(name)?));
        found.next().copied()
    }

    /// The customer, by the agreement or else the account that is the customer's.
    fn person(&mut self, by: By, request: &Payment) -> Option<u64> {
        let is_paid = request.operation == Operation::Credit && by == By::Centre;
        let account = if is_paid {
            Attribute::PayeeAccount
        } else {
            Attribute::PayerAccount
        };
        let mut named = [Attribute::Agreement, account]
            .into_iter()
            .filter_map(|name| request.text(name));
        let real = named.find(|text| !text.is_empty())?;
        Some(self.mask.person(real))
    }
}

fn span(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0)
}

/// Exchanges whose messages are in memory at a time.
const PAGE: usize = 500;
