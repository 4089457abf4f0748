//! `hangu sim`: the counterparties as processes of their own, and messages that a tester chooses.

mod centre;
mod compare;
mod drive;
mod institution;
mod list;
mod pack;
mod plain;
mod platform;
mod proxy;
mod record;
mod replay;
mod scenario;
mod statement;
mod steer;
mod web;

use super::output::{Exit, Failure, Form};
use clap::Subcommand;
use hangu::clock::{BEIJING, Clock};
use hangu::config::{Config, LinkConfig, MqConfig};
use hangu::shell::SystemClock;
use simulators::centre::CentreConfig;
use simulators::mix::{Flow, Planned};
use simulators::page::Language;
use simulators::report::Book;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the shipped scenarios, and what can be driven: operations and faults.
    List,
    /// Check scenario files: every key, value and reference; nothing is sent.
    #[command(after_help = "Example:\n  hangu sim check my.toml")]
    Check(scenario::CheckArgs),
    /// Compare the books of centre, gateway and platform; exit 0 only if they agree.
    #[command(after_help = "Example:\n  hangu sim compare centre.json gateway.json platform.json")]
    Compare(compare::Args),
    /// Run scenarios, each in this process with a gateway of its own; or a counterparty against a gateway until SIGTERM.
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "Examples:\n  hangu sim run all\n  hangu sim run platform-answer my.toml --seed 7 --html report.html --lang zh\n  hangu sim run centre -c hangu.toml"
    )]
    Run(RunArgs),
    /// Send chosen messages to the gateway as the centre, good or bad, and print each reply explained; or a load at a rate.
    #[command(
        after_help = "Examples:\n  hangu sim drive --operation debit --count 3\n  hangu sim drive --operation debit --count 1 --fault bad_signature\n  \
                      hangu sim drive --rate 300 --duration 10m --mix mix.toml --html load.html --lang zh\n  hangu sim drive --rate 200 --duration 30s --arrivals ramp --poisson --embedded\n  hangu sim drive --ceiling\n  hangu sim drive --ceiling --accounts 1000000"
    )]
    Drive(Box<drive::Args>),
    /// Make a certification pack of one institution: cases, results, reports, every byte, versions, seed, sums.
    #[command(
        after_help = "Examples:\n  hangu sim pack nps --to nps-pack --seed 7\n  hangu sim pack nps --to nps-pack --with my.toml"
    )]
    Pack(pack::Args),
    /// Record the journal's exchanges as traffic for `replay`, masked: no name, account or id of a customer is kept.
    #[command(after_help = "Example:\n  hangu sim record -c hangu.toml --to traffic.jsonl")]
    Record(record::Args),
    /// Replay recorded traffic against a gateway in this process; exit 0 only if every exchange ends as recorded.
    #[command(after_help = "Example:\n  hangu sim replay traffic.jsonl --speed 10")]
    Replay(replay::Args),
    /// Open a console in the browser: counterparties, live messages, scenarios, faults, hand-made messages, books.
    #[command(after_help = "Examples:\n  hangu sim web\n  hangu sim web --port 9400 --seed 7")]
    Web(web::Args),
    /// Write the statement of a party from its book, of a day or an hour, right or wrong on purpose.
    #[command(
        after_help = "Examples:\n  hangu sim statement centre --date 2030-01-02 --out NPS.txt\n  hangu sim statement alipay --date 2030-01-02 --out bill.zip\n  \
                      hangu sim statement centre --date 2030-01-02 --hour 9 --out NPS.txt --missing 1 --surplus 1 --amount 2 --seed 7"
    )]
    Statement(statement::Args),
    /// Stand between a gateway and its counterparty, and go wrong: HTTP, TCP and AMQP, in clear or under TLS, and queues.
    #[command(
        after_help = "Examples:\n  hangu sim proxy --listen 127.0.0.1:9400 --to 127.0.0.1:8200 --rules rules.toml --seed 7\n  \
                      hangu sim proxy --listen 127.0.0.1:9401 --to 127.0.0.1:8583 --frames counted --rules rules.toml\n  \
                      hangu sim proxy --listen 127.0.0.1:9402 --to 127.0.0.1:5672 --frames amqp --rules rules.toml\n  hangu sim proxy -c hangu.toml --queues nps.B.req.raw=nps.B.req --rules rules.toml"
    )]
    Proxy(Box<proxy::Args>),
}

#[derive(clap::Args)]
struct RunArgs {
    #[command(subcommand)]
    party: Option<Run>,
    #[command(flatten)]
    scenarios: scenario::PlayArgs,
}

#[derive(Subcommand)]
enum Run {
    /// The clearing centre, over the gateway's broker.
    #[command(after_help = "Example:\n  hangu sim run centre -c hangu.toml --payments 2000 --rate 200 --books centre.json")]
    Centre(centre::Args),
    /// The bank's payment platform, over HTTP.
    #[command(after_help = "Example:\n  hangu sim run platform -c hangu.toml --payments 2000 --rate 200 --books platform.json")]
    Platform(platform::Args),
    /// An institution with a link of its own, over HTTP or TCP: it calls the gateway, or is called by it, as its codec says.
    #[command(
        after_help = "Examples:\n  hangu sim run institution epcc -c hangu.toml --payments 100 --rate 20 --books epcc.json\n  hangu sim run institution alipay -c hangu.toml --books alipay.json"
    )]
    Institution(institution::Args),
}

/// The language of a report for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Lang {
    Zh,
    En,
}

impl Lang {
    const fn language(self) -> Language {
        match self {
            Self::Zh => Language::Zh,
            Self::En => Language::En,
        }
    }
}

/// What every simulated counterparty needs to know.
#[derive(clap::Args, Clone)]
pub(crate) struct Settings {
    /// The gateway's configuration: queues, addresses and member numbers are read from it.
    #[arg(short, long, default_value = "hangu.toml")]
    pub(crate) config: PathBuf,
    /// The counterparty's own key folder; by default `keys/<name>` beside the configuration.
    #[arg(long)]
    pub(crate) keys: Option<PathBuf>,
    /// Play this party's share of a mix of so many payments, then go on serving.
    #[arg(long, default_value_t = 0)]
    pub(crate) payments: u64,
    /// Arrivals per second over both parties' shares.
    #[arg(long, default_value_t = 200)]
    pub(crate) rate: u32,
    /// The same seed plays the same payments.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Settlement date; today in Beijing when absent.
    #[arg(long, value_parser = date)]
    pub(crate) settlement_date: Option<time::Date>,
    /// First serial of this run's own messages; by default taken from the time of day, so that runs do not meet.
    #[arg(long)]
    pub(crate) first_serial: Option<u64>,
    /// Write the party's book to this file at the end.
    #[arg(long)]
    pub(crate) books: Option<PathBuf>,
    /// Where the configuration asks for TLS, speak HTTP in clear all the same: at loopback addresses of this machine alone.
    #[arg(long)]
    pub(crate) without_tls: bool,
    /// error, warn, info, debug or trace.
    #[arg(long, default_value = "warn")]
    pub(crate) log: tracing::Level,
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let (settings, work): (&Settings, Work<'_>) = match &args.command {
        Command::List => return list::run(form),
        Command::Check(args) => return scenario::check(args, form),
        Command::Pack(args) => return pack::run(args, form),
        Command::Record(args) => return record::run(args, form),
        Command::Replay(args) => return replay::run(args, form),
        Command::Web(args) => return web::run(args, form),
        Command::Compare(args) => return compare::run(args, form),
        Command::Statement(args) => return statement::run(args, form),
        Command::Proxy(args) => return proxy::run(args, form),
        Command::Run(run) => match &run.party {
            None => return scenario::run(&run.scenarios, form),
            Some(Run::Centre(centre)) => (&centre.settings, Work::Centre(centre)),
            Some(Run::Platform(platform)) => (&platform.settings, Work::Platform(platform)),
            Some(Run::Institution(one)) => (&one.settings, Work::Institution(one)),
        },
        Command::Drive(drive) => (&drive.settings, Work::Drive(drive)),
    };
    hangu::telemetry::init_logs(settings.log, form == Form::Json);
    if let Work::Drive(drive) = &work
        && !drive.needs_config()
    {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
        return runtime.block_on(drive::run_alone(drive, form));
    }
    let config = Config::load(&settings.config)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    runtime.block_on(async {
        match work {
            Work::Centre(centre) => centre::run(centre, &config).await,
            Work::Platform(platform) => platform::run(platform, &config).await,
            Work::Institution(one) => institution::run(one, &config).await,
            Work::Drive(drive) => drive::run(drive, &config, form).await,
        }
    })
}

enum Work<'a> {
    Centre(&'a centre::Args),
    Platform(&'a platform::Args),
    Institution(&'a institution::Args),
    Drive(&'a drive::Args),
}

impl Settings {
    fn date(&self) -> time::Date {
        self.settlement_date
            .unwrap_or_else(|| SystemClock.now().to_offset(BEIJING).date())
    }

    /// Taken from the milliseconds of the day, so that runs that follow each other do not meet.
    fn first_serial(&self, base: u64, divisor: u64) -> u64 {
        let now = SystemClock.now().to_offset(BEIJING);
        let second = u64::from(now.hour()) * 3600 + u64::from(now.minute()) * 60 + u64::from(now.second());
        let millisecond = second * 1000 + u64::from(now.millisecond());
        self.first_serial.unwrap_or(base + 1 + millisecond / divisor)
    }

    fn keys(&self, name: &str) -> PathBuf {
        let beside = self.config.parent().unwrap_or_else(|| Path::new("."));
        self.keys.clone().unwrap_or_else(|| beside.join("keys").join(name))
    }

    /// This party's share of the mix. Both parties make the same plan, and each plays its own flow of it.
    fn share(&self, flow: Flow) -> Vec<Planned> {
        simulators::mix::plan(self.seed, self.payments)
            .into_iter()
            .filter(|planned| planned.flow == flow)
            .collect()
    }

    /// The rate of a share, so that both together arrive at the rate asked for.
    fn share_rate(&self, share: usize) -> u32 {
        let all = self.payments.max(1);
        let part = u64::from(self.rate).saturating_mul(share as u64) / all;
        u32::try_from(part.max(1)).unwrap_or(u32::MAX)
    }

    fn write_books(&self, book: &Book) -> Result<(), Failure> {
        let Some(file) = &self.books else { return Ok(()) };
        std::fs::write(file, super::output::json(book))
            .map_err(|error| Failure::new(Exit::Unavailable, file.display().to_string(), error))
    }
}

/// The first link over the wanted transport, which is the counterparty that is simulated.
fn queue_link(config: &Config) -> Result<(&str, &LinkConfig, &MqConfig), Failure> {
    let found = config
        .link
        .iter()
        .find_map(|(name, link)| Some((name.as_str(), link, link.mq.as_ref()?)));
    found.ok_or_else(|| Failure::config("link", "no link has an mq table"))
}

fn centre_config(settings: &Settings, link: &LinkConfig, mq: &MqConfig) -> CentreConfig {
    CentreConfig {
        member: link.counterparty.clone(),
        bank: link.member.clone(),
        mfe: link.channel.chars().next().unwrap_or('B'),
        queue_requests: mq.request_queue.clone(),
        queue_replies: mq.reply_queue.clone(),
        queue_in: mq.outbound_queue.clone(),
        first_serial: settings.first_serial(0, 2),
        ..CentreConfig::new(settings.date())
    }
}

fn date(text: &str) -> Result<time::Date, String> {
    time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).map_err(|error| error.to_string())
}

/// Writes a report if a file is named for it.
fn write_report(file: Option<&Path>, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(file, text()).map_err(|error| Failure::new(Exit::Unavailable, file.display().to_string(), error))
}

const CONCURRENCY_MAX: usize = 1_000;
