//! `hangu mq`: an operator's acts on the queues of the links. `run` never declares a queue.

use super::output::{self, Exit, Failure, Form};
use super::texts::{table, text, titles};
use hangu::config::{Config, MqConfig};
use hangu::mq::{MqError, QueueState, SharedMq};
use hangu::start::connect;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make the durable queues of every link, where they are not there yet.
    #[command(after_help = "Examples:\n  hangu mq declare\n  hangu mq declare -c hangu.toml -o json")]
    Declare(Place),
    /// Show how many messages and consumers the queues have.
    #[command(after_help = "Examples:\n  hangu mq show\n  hangu mq show -c hangu.toml -o json")]
    Show(Place),
}

#[derive(clap::Args)]
struct Place {
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let (place, declares) = match &args.command {
        Command::Declare(place) => (place, true),
        Command::Show(place) => (place, false),
    };
    let config = Config::load(&place.config)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let mut found = Vec::new();
    for (name, link) in &config.link {
        if let Some(mq) = &link.mq {
            let states = runtime.block_on(ask(name, mq, &config.instance, declares))?;
            found.extend(states.into_iter().map(|state| (name.clone(), state)));
        }
    }
    if declares && form == Form::Text && !found.is_empty() {
        output::say(&text("mq.declared").to_string());
    }
    print(&found, form);
    Ok(Exit::Ok)
}

async fn ask(link: &str, config: &MqConfig, instance: &str, declares: bool) -> Result<Vec<QueueState>, Failure> {
    let mq = connect(link, config)?;
    let queues = config.queues(instance);
    let declared = if declares {
        declare(&mq, config, instance).await
    } else {
        Ok(())
    };
    let states = match declared {
        Ok(()) => mq.check(&queues).await,
        Err(error) => Err(error),
    };
    mq.close().await;
    states.map_err(|error| refused(link, config, &error))
}

/// What the bank consumes gets a delivery limit where its dead letters are parked; the counterparty's queue is its own affair.
async fn declare(mq: &SharedMq, config: &MqConfig, instance: &str) -> Result<(), MqError> {
    let inbound = config.inbound_queues();
    if config.has_dead_letters() {
        mq.declare_limited(&inbound, config.delivery_limit).await?;
    } else {
        mq.declare(&inbound).await?;
    }
    let others = [config.outbound_queue.clone()];
    let others: Vec<String> = others.into_iter().chain(config.hand_off_queue(instance)).collect();
    mq.declare(&others).await
}

fn refused(link: &str, config: &MqConfig, error: &MqError) -> Failure {
    let place = format!("link.{link}.mq");
    match error {
        MqError::Unavailable(_) => {
            let detail = format!("{error} ({}); {}", config.addresses.join(", "), text("do.broker"));
            Failure::new(Exit::Unavailable, place, detail)
        }
        MqError::Queue { .. } => Failure::new(Exit::Unavailable, place, format!("{error}; {}", text("do.queue"))),
    }
}

fn print(found: &[(String, QueueState)], form: Form) {
    let row = |(link, state): &(String, QueueState)| {
        vec![
            link.clone(),
            state.queue.clone(),
            state.messages.to_string(),
            state.consumers.to_string(),
        ]
    };
    let object = |(link, state): &(String, QueueState)| json!({ "link": link, "queue": state.queue, "messages": state.messages, "consumers": state.consumers });
    output::say(&match form {
        Form::Json => output::json(&json!({ "queues": found.iter().map(object).collect::<Vec<_>>() })),
        Form::Text if found.is_empty() => text("mq.none").to_string(),
        Form::Text => {
            let columns = ["key.link", "mq.queue", "mq.messages", "mq.consumers"];
            table(&titles(&columns), &found.iter().map(row).collect::<Vec<_>>())
        }
    });
}
