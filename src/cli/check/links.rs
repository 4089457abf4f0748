//! Specs, routes, the files of broker connections and the journal's folder.

use super::{Check, Report};
use codecs::payment::{Operation, Role};
use codecs::spec::{Direction, MessageSpec, Spec};
use hangu::config::{Config, RouteConfig};
use hangu::journal::Chain;
use hangu::journal::open::postgres_options;
use hangu::start::{check_connection, spec_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Specs of the links that have one.
pub(crate) type LinkSpecs = BTreeMap<String, Arc<Spec>>;

pub(super) fn spec_checks(config: &Config, report: &mut Report) -> LinkSpecs {
    let specs = match config.specs() {
        Ok(specs) => specs,
        Err(error) => {
            report.add(Check::fail("check.spec", &error.place, error.detail, "do.codec"));
            return LinkSpecs::new();
        }
    };
    let mut found = LinkSpecs::new();
    for (name, link) in &config.link {
        match spec_of(&specs, name, link) {
            Err(error) => report.add(Check::fail("check.spec", &error.place, error.detail, "do.codec")),
            Ok(spec) => {
                report.extend(of_spec(name, &spec));
                found.insert(name.clone(), spec);
            }
        }
    }
    found
}

fn of_spec(link: &str, spec: &Spec) -> Vec<Check> {
    let warnings = spec.warnings();
    if warnings.is_empty() {
        return vec![Check::ok(
            "check.spec",
            link,
            format!("{}, {} messages", spec.codec, spec.messages().count()),
        )];
    }
    let warn = |warning: codecs::spec::SpecWarning| {
        let detail = format!("{} {}: {}", spec.codec, warning.place, warning.detail);
        Check::warn("check.spec", link, detail, "do.spec")
    };
    warnings.into_iter().map(warn).collect()
}

/// Each route's operations need a request on the target; each link's requests need a route.
pub(super) fn route_checks(config: &Config, specs: &LinkSpecs, report: &mut Report) {
    for (index, route) in config.route.iter().enumerate() {
        let subject = format!("[{index}] {} -> {}", route.from, route.to);
        if let (Some(source), Some(target)) = (specs.get(&route.from), specs.get(&route.to)) {
            report.add(of_route(&subject, route, source, target));
        }
    }
    for (link, spec) in specs {
        let missing: Vec<_> = forwarded(spec)
            .into_iter()
            .filter(|operation| !is_routed(config, link, *operation))
            .collect();
        if !missing.is_empty() {
            report.add(Check::warn(
                "check.route",
                link,
                format!("no route for {}", names(&missing)),
                "do.route.none",
            ));
        }
    }
}

fn of_route(subject: &str, route: &RouteConfig, source: &Spec, target: &Spec) -> Check {
    let named = route
        .operations
        .as_ref()
        .map(|names| names.iter().filter_map(|name| Operation::parse(name)).collect::<Vec<_>>());
    let is_named = named.is_some();
    let operations = named.unwrap_or_else(|| forwarded(source));
    let (served, missing): (Vec<_>, Vec<_>) = operations
        .into_iter()
        .partition(|&operation| target.message_for(operation, Role::Request).is_some());
    if missing.is_empty() {
        return Check::ok("check.route", subject, names(&served));
    }
    let detail = format!("{} has no request for {}", target.codec, names(&missing));
    if is_named {
        Check::fail("check.route", subject, detail, "do.route.missing")
    } else {
        Check::warn("check.route", subject, detail, "do.route.missing")
    }
}

/// The requests that come by a link and go on to another one; the gateway answers status, notices and echoes itself.
fn forwarded(spec: &Spec) -> Vec<Operation> {
    let is_own = |operation: &Operation| {
        matches!(
            operation,
            Operation::Status | Operation::Notice | Operation::Certificate | Operation::Ack | Operation::Echo
        )
    };
    let comes = |message: &&MessageSpec| message.role == Role::Request && message.direction != Direction::Outbound;
    let requests = spec.messages().filter(comes);
    let operations: BTreeSet<_> = requests.flat_map(|message| message.operations().iter().copied()).collect();
    operations.into_iter().filter(|operation| !is_own(operation)).collect()
}

fn is_routed(config: &Config, link: &str, operation: Operation) -> bool {
    let fits = |route: &RouteConfig| {
        let named = route
            .operations
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == operation.name()));
        route.from == link && named
    };
    config.route.iter().any(fits)
}

fn names(operations: &[Operation]) -> String {
    operations
        .iter()
        .map(|operation| operation.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a broker connection reads: only what is wrong is told, for a right one shows when it is connected.
pub(super) fn broker_checks(config: &Config, report: &mut Report) {
    for (name, link) in &config.link {
        if let Some(Err(error)) = link.mq.as_ref().map(|mq| check_connection(name, mq)) {
            report.add(Check::fail("check.broker", &error.place, error.detail, "do.config"));
        }
    }
}

/// The folder, not the file: a running gateway holds that. Of a database only what needs no connection.
pub(super) fn journal_check(config: &Config, report: &mut Report) {
    if let Some(postgres) = &config.journal.postgres {
        report.add(match postgres_options(postgres, Chain::unkeyed("check")) {
            Ok(_) => Check::ok("check.database", "journal.postgres", config.journal.place()),
            Err(error) => Check::fail("check.database", &error.place, error.detail, "do.config"),
        });
    }
    let Some(file) = &config.journal.file else { return };
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    let subject = folder.display().to_string();
    report.add(match write_probe(folder) {
        Ok(()) => Check::ok("check.journal", &subject, file.display().to_string()),
        Err(error) => Check::fail("check.journal", &subject, format!("cannot be written: {error}"), "do.journal"),
    });
}

/// Instances that share a journal should hear of one another's replies at once.
pub(super) fn hand_off_check(config: &Config, report: &mut Report) {
    let is_shared = config.journal.file.is_none();
    let queues = config.link.iter().filter_map(|(name, link)| Some((name, link.mq.as_ref()?)));
    for (name, _) in queues.filter(|(_, mq)| is_shared && mq.hand_off_prefix.is_none()) {
        let detail = "the journal may be shared, and no hand_off_prefix is set";
        report.add(Check::warn("check.hand_off", name, detail.to_owned(), "do.hand_off"));
    }
}

fn write_probe(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".hangu-check-{}", std::process::id()));
    std::fs::write(&probe, b"probe")?;
    std::fs::remove_file(&probe)
}
