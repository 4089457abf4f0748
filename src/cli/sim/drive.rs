//! `hangu sim drive`: chosen messages, good or bad, one after the other, each reply explained; or a load of them at a rate.

mod ceiling; // how fast the driver alone is
mod field; // who plays, and against which gateway
mod load; // the load itself
mod report; // what it came to
mod view; // what is seen of it while it runs

use super::{Exit, Failure, Form, Settings, centre};
use crate::cli::output;
use hangu::config::Config;
use simulators::fault::Fault;
use simulators::institution::BY_CENTRE;
use simulators::play::{Played, PlayedMessage};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) settings: Settings,
    /// debit, credit, refund, cancel, sign, terminate, verify, query or echo.
    #[arg(long, value_parser = operation, required_unless_present_any = ["duration", "ceiling"], conflicts_with_all = ["duration", "ceiling"])]
    operation: Option<codecs::payment::Operation>,
    /// How many.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// What is wrong with them; `hangu sim list` shows the faults.
    #[arg(long, value_parser = fault, requires = "operation")]
    fault: Option<Fault>,
    #[command(flatten)]
    load: load::LoadArgs,
}

impl Args {
    /// Whether a gateway's configuration is read.
    pub(super) const fn needs_config(&self) -> bool {
        !self.load.is_embedded()
    }
}

/// What needs no configuration: the driver alone, or a gateway of its own.
pub(super) async fn run_alone(args: &Args, form: Form) -> Result<Exit, Failure> {
    if let Some(customers) = args.load.accounts {
        Ok(ceiling::run_accounts(customers, form))
    } else if args.load.ceiling {
        ceiling::run(&args.settings, form).await
    } else {
        load::run(&args.settings, &args.load, None, form).await
    }
}

pub(super) async fn run(args: &Args, config: &Config, form: Form) -> Result<Exit, Failure> {
    match args.operation {
        Some(operation) => chosen(args, operation, config, form).await,
        None => load::run(&args.settings, &args.load, Some(config), form).await,
    }
}

async fn chosen(args: &Args, operation: codecs::payment::Operation, config: &Config, form: Form) -> Result<Exit, Failure> {
    let centre = centre::start(&args.settings, config)?;
    centre::announce(&centre).await?;
    let desk = centre.desk();
    let mut as_expected = true;
    for n in 0..args.count {
        let played = desk
            .play(&simulators::mix::chosen(args.settings.seed, n, operation, args.fault))
            .await;
        as_expected &= played.as_expected;
        match form {
            Form::Text => explain(&played),
            Form::Json => output::say(&serde_json::json!(played).to_string()),
        }
    }
    centre.stop().await;
    Ok(if as_expected { Exit::Ok } else { Exit::CheckFailed })
}

fn explain(played: &Played) {
    output::say(&format!("{} {} ({})", played.n + 1, played.shape, played.institution));
    for message in &played.messages {
        output::say(&format!("  {}", line(message)));
    }
    for remark in &played.remarks {
        output::say(&format!("  {remark}"));
    }
    if let Some(complaint) = &played.complaint {
        output::say(&format!("  not as expected: {complaint}"));
    }
}

fn line(message: &PlayedMessage) -> String {
    let PlayedMessage {
        operation,
        msg_id,
        outcome,
        detail,
        first_ms,
        final_ms,
        sends,
        interim,
        ..
    } = message;
    let time = |ms: &Option<u64>| ms.map_or_else(|| "none".to_owned(), |ms| format!("{ms} ms"));
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    };
    let interim = if *interim { ", first answered \"processing\"" } else { "" };
    format!(
        "{operation} {msg_id} -> {outcome}{detail}; first answer {}, final {}, sent {sends} times{interim}",
        time(first_ms),
        time(final_ms)
    )
}

fn operation(text: &str) -> Result<codecs::payment::Operation, String> {
    let found = BY_CENTRE.into_iter().find(|operation| operation.name() == text);
    found.ok_or_else(|| {
        let names = BY_CENTRE.map(codecs::payment::Operation::name);
        format!("one of: {}", names.join(", "))
    })
}

fn fault(text: &str) -> Result<Fault, String> {
    Fault::parse(text).ok_or_else(|| {
        let names = Fault::ALL.iter().map(|fault| fault.name()).collect::<Vec<_>>();
        format!("one of: {}", names.join(", "))
    })
}
