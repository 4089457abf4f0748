//! `hangu check`: whatever can be known before a start, one line each, with what to do about it.

mod certificates;
mod descriptors;
mod keys;
mod links;
mod report;
mod services;
mod tls;

pub(crate) use certificates::certificate_checks;
pub(crate) use keys::{days_left, hold, keyring_checks, store_check};
pub(crate) use report::{Check, Report};

use super::output::{Exit, Failure, Form};
use hangu::clock::Clock;
use hangu::config::Config;
use hangu::shell::SystemClock;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
    /// Also reach for the journal's database, the broker, its queues and the counterparties' ports.
    #[arg(long)]
    connect: bool,
}

/// What must hold before a start, of everything that needs no service: the findings that forbid one.
pub(crate) fn obstacles(config: &Config) -> Vec<String> {
    let mut report = Report::default();
    config_checks(config, &mut report);
    report.failures()
}

/// Exit 78 when the configuration, a spec, a key or a route is wrong; 69 when only services are away.
pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let mut report = Report::default();
    let place = args.config.display().to_string();
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            report.add(Check::fail("check.config", &error.place, error.detail, "do.config"));
            report.print(form);
            return Ok(Exit::Config);
        }
    };
    report.add(Check::ok(
        "check.config",
        &place,
        format!("{} links, {} routes", config.link.len(), config.route.len()),
    ));
    config_checks(&config, &mut report);
    links::journal_check(&config, &mut report);
    links::hand_off_check(&config, &mut report);
    descriptors::check(&config, &mut report);
    tls::expiry_checks(&config, SystemClock.now(), &mut report);
    if args.connect {
        services::checks(&config, &mut report)?;
    }
    report.print(form);
    Ok(report.exit())
}

/// Specs, keys, routes, secrets and certificates of a configuration: what needs no service.
fn config_checks(config: &Config, report: &mut Report) {
    let specs = links::spec_checks(config, report);
    report.extend(keys::password_checks(config));
    keys::link_checks(config, &specs, SystemClock.now(), report);
    links::route_checks(config, &specs, report);
    links::broker_checks(config, report);
    tls::file_checks(config, report);
}
