//! The keys that links need, and the state of a key folder as a whole. No key material is ever shown.

use super::links::LinkSpecs;
use super::{Check, Report};
use codecs::envelope::SealingScheme;
use codecs::spec::Spec;
use hangu::config::{Config, KeysConfig, ProviderConfig};
use keys::error::KeyError;
use keys::key::{KeyInfo, Side, Status, Usage};
use keys::keyring::{JOURNAL_LINK, Keyring, Placement};
use time::OffsetDateTime;

/// A key folder as loaded, or why it was refused.
pub(crate) struct Held {
    pub(crate) keyring: Keyring,
}

/// Loads a key folder; a refusal names file and rule.
pub(crate) fn hold(keys: &KeysConfig) -> Result<Held, Check> {
    match keys.load() {
        Ok(keyring) => Ok(Held { keyring }),
        Err(error) => Err(Check::fail("check.keyring", &error.place, error.detail, "do.keyring")),
    }
}

/// What the log of a guarded store says; nothing for a plain folder, and nothing where `hold` has told why it cannot be read.
pub(crate) fn store_check(keys: &KeysConfig) -> Option<Check> {
    let (log, state) = keys.is_guarded().then(|| keys::guarded::read(&keys.folder))?.ok()?;
    let head: String = state.head().chars().take(HEAD_DIGITS).collect();
    let (records, waiting) = (log.length(), state.open().count());
    let told = format!("{records} records, head {head}, {waiting} proposals wait");
    Some(Check::ok("check.store", &keys.folder.display().to_string(), told))
}

/// Whether every link has the keys that its spec calls for.
pub(super) fn link_checks(config: &Config, specs: &LinkSpecs, now: OffsetDateTime, report: &mut Report) {
    let folder = config.keys.folder.display().to_string();
    let keyring = match hold(&config.keys) {
        Ok(held) => held.keyring,
        Err(check) => return report.add(check),
    };
    report.add(Check::ok(
        "check.keyring",
        &folder,
        format!("{} keys", keyring.infos().count()),
    ));
    report.extend(store_check(&config.keys));
    report.extend(super::certificate_checks(&config.keys, now));
    for (link, spec) in specs {
        let view = View {
            keyring: &keyring,
            link,
            now,
        };
        report.extend(view.of_link(spec));
    }
    let journal = keyring.journal(now).map(|usable| usable.info);
    report.add(stated("check.key.journal", JOURNAL_LINK, journal, now));
    report.extend(weak(&keyring));
    report.extend(strangers(config, &keyring));
}

/// Has every key that lies in a device used once. Nothing where the keys cannot be loaded, which is told by then.
pub(super) fn device_checks(config: &Config) -> Vec<Check> {
    let Ok(keyring) = config.keys.load() else { return Vec::new() };
    let of_placement = |placement: &Placement| {
        let subject = format!("{} {}", placement.placed.device.name(), placement.id);
        match placement.probe.probe() {
            Ok(()) => Check::ok("check.device", &subject, "used once, result verified"),
            Err(error) => Check::fail("check.device", &subject, error.to_string(), "do.device").of_service(),
        }
    };
    keyring.placements().iter().map(of_placement).collect()
}

/// The files of devices' passwords, of which no device is asked.
pub(super) fn password_checks(config: &Config) -> Vec<Check> {
    let of_provider = |(name, provider): (&String, &ProviderConfig)| {
        let subject = format!("keys.provider.{name}.password_file");
        match provider.check_password() {
            Ok(()) => Check::ok("check.device.password", &subject, "there, mode 0600"),
            Err(detail) => Check::fail("check.device.password", &subject, detail, "do.device.password"),
        }
    };
    config.keys.provider.iter().map(of_provider).collect()
}

/// Everything that can be said of a keyring without knowing its links.
pub(crate) fn keyring_checks(keyring: &Keyring, now: OffsetDateTime) -> Vec<Check> {
    let live = keyring
        .infos()
        .filter(|info| info.status.is_live() || info.status == Status::Pending);
    let validity = live.map(|info| of_validity(info, now));
    let links = primaries(keyring).into_iter().chain(pairs(keyring));
    validity.chain(links).chain(weak(keyring)).collect()
}

/// One link's keys at one moment.
struct View<'a> {
    keyring: &'a Keyring,
    link: &'a str,
    now: OffsetDateTime,
}

impl View<'_> {
    fn of_link(&self, spec: &Spec) -> Vec<Check> {
        let (keyring, link, now) = (self.keyring, self.link, self.now);
        let mut checks = Vec::new();
        match authentication(spec, keyring, link) {
            Authentication::None => {}
            Authentication::HandedOut => checks.push(self.live("check.key.master", Side::Shared, Usage::Seal)),
            Authentication::Mac if spec.has_key_for_each() => checks.push(self.live("check.key.mac", Side::Shared, Usage::Mac)),
            Authentication::Mac => checks.push(stated("check.key.mac", link, keyring.mac(link, now).map(|key| key.info), now)),
            Authentication::Signature => {
                checks.push(stated(
                    "check.key.sign",
                    link,
                    keyring.signer(link, now).map(|key| key.info),
                    now,
                ));
                checks.push(self.live("check.key.verify", Side::Theirs, Usage::Sign));
            }
        }
        if let Some(SealingScheme::Each(_)) = spec.sealing_scheme() {
            // Only messages that carry such a value need these, so a link starts without them.
            let theirs = keyring.wrapper(link, now).map(|key| key.info);
            checks.push(stated("check.key.seal", link, theirs, now).softened());
            if spec.seals_to_us() {
                checks.push(self.live("check.key.open", Side::Ours, Usage::Seal).softened());
            }
        } else if seals(spec) {
            checks.push(stated(
                "check.key.seal",
                link,
                keyring.wrapper(link, now).map(|key| key.info),
                now,
            ));
            checks.push(self.live("check.key.open", Side::Ours, Usage::Seal));
        }
        if spec.capsule().is_some() || spec.seals_every_content() {
            let shared = keyring.sealer(link, now).map(|key| key.info);
            checks.push(stated("check.key.seal", link, shared, now));
        }
        checks
    }

    /// Keys that messages pick by serial: at least one must work now.
    fn live(&self, name: &'static str, side: Side, usage: Usage) -> Check {
        let fits = |info: &&KeyInfo| info.link == self.link && info.side == side && info.usage == usage && info.status.is_live();
        let live: Vec<&KeyInfo> = self.keyring.infos().filter(fits).collect();
        let best = live
            .iter()
            .copied()
            .filter(|info| is_valid(info, self.now))
            .max_by_key(|info| (info.status == Status::Primary, info.not_after));
        match (best, live.first()) {
            (Some(info), _) => of_info(name, self.link, info, self.now),
            (None, Some(info)) => stated(name, self.link, Err(KeyError::Expired { id: info.id.clone() }), self.now),
            (None, None) => Check::fail(
                name,
                self.link,
                "there is none that is accepted, primary or draining",
                "do.key.missing",
            ),
        }
    }
}

enum Authentication {
    None,
    Mac,
    /// Under keys that terminals get when they sign in.
    HandedOut,
    Signature,
}

/// How a link's messages are authenticated. Between a signature and a MAC the key folder decides: a link has the one or the
/// other, and a folder with neither is reported as a missing signing key.
fn authentication(spec: &Spec, keyring: &Keyring, link: &str) -> Authentication {
    if spec.warnings().iter().any(|warning| warning.place == "envelope.signature") {
        return Authentication::None;
    }
    let has_mac = keyring.infos().any(|info| info.link == link && info.usage == Usage::Mac);
    let has_master = || keyring.held_sealers(link).next().is_some();
    if has_mac {
        Authentication::Mac
    } else if spec.has_sign_in() && has_master() {
        Authentication::HandedOut
    } else {
        Authentication::Signature
    }
}

/// Whether the spec seals: then, and only then, switching it off is worth a warning that was not there before.
fn seals(spec: &Spec) -> bool {
    let warned = |spec: &Spec| spec.warnings().iter().any(|warning| warning.place == "envelope.sealing");
    !warned(spec) && warned(&spec.with_sealing(false))
}

fn stated(name: &'static str, link: &str, found: Result<&KeyInfo, KeyError>, now: OffsetDateTime) -> Check {
    match found {
        Ok(info) => of_info(name, link, info, now),
        Err(error @ KeyError::Expired { .. }) => Check::fail(name, link, error.to_string(), "do.key.expired"),
        Err(error) => Check::fail(name, link, error.to_string(), "do.key.missing"),
    }
}

fn of_info(name: &'static str, link: &str, info: &KeyInfo, now: OffsetDateTime) -> Check {
    let days = days_left(info, now);
    let detail = format!("{} serial {}, {} days left", info.id, info.serial, days);
    if days < EXPIRY_WARNING_DAYS {
        Check::warn(name, link, detail, "do.key.expiring")
    } else {
        Check::ok(name, link, detail)
    }
}

fn of_validity(info: &KeyInfo, now: OffsetDateTime) -> Check {
    if is_valid(info, now) {
        return of_info("check.key.validity", &info.link, info, now);
    }
    let detail = format!(
        "{} is valid from {} to {}",
        info.id,
        info.not_before.date(),
        info.not_after.date()
    );
    if info.status == Status::Primary {
        Check::fail("check.key.validity", &info.link, detail, "do.key.expired")
    } else {
        Check::warn("check.key.validity", &info.link, detail, "do.key.expired")
    }
}

/// Every link, side and usage that has live keys has one primary.
fn primaries(keyring: &Keyring) -> Vec<Check> {
    let mut shelves: Vec<_> = keyring
        .infos()
        .map(|info| (info.link.as_str(), info.side, info.usage))
        .collect();
    shelves.sort_unstable();
    shelves.dedup();
    let of_shelf = |(link, side, usage): (&str, Side, Usage)| {
        let on_shelf = |info: &&KeyInfo| (info.link.as_str(), info.side, info.usage) == (link, side, usage);
        let shelf = format!("{link} {} {}", side.name(), usage.name());
        match keyring.infos().filter(on_shelf).find(|info| info.status == Status::Primary) {
            Some(info) => Check::ok("check.key.primary", &shelf, info.id.clone()),
            None => Check::fail("check.key.primary", &shelf, "no key is primary", "do.key.missing"),
        }
    };
    shelves.into_iter().map(of_shelf).collect()
}

/// A link that signs also verifies, and a link that opens also seals.
fn pairs(keyring: &Keyring) -> Vec<Check> {
    let paired = keyring.infos().filter(|info| info.side != Side::Shared);
    let mut halves: Vec<_> = paired.map(|info| (info.link.as_str(), info.usage)).collect();
    halves.sort_unstable();
    halves.dedup();
    let has = |link: &str, usage, side| {
        keyring
            .infos()
            .any(|info| info.link == link && info.usage == usage && info.side == side && info.status.is_live())
    };
    let mut checks = Vec::new();
    for (link, usage) in halves
        .into_iter()
        .filter(|(_, usage)| matches!(usage, Usage::Sign | Usage::Seal))
    {
        let subject = format!("{link} {}", usage.name());
        checks.push(match (has(link, usage, Side::Ours), has(link, usage, Side::Theirs)) {
            (true, true) => Check::ok("check.key.pair", &subject, "ours and theirs"),
            (true, false) => Check::fail("check.key.pair", &subject, "ours without theirs", "do.key.pair"),
            (false, true) => Check::fail("check.key.pair", &subject, "theirs without ours", "do.key.pair"),
            (false, false) => Check::fail("check.key.pair", &subject, "neither works", "do.key.pair"),
        });
    }
    checks
}

/// Keys that work and whose algorithm only an institution's age explains.
fn weak(keyring: &Keyring) -> Vec<Check> {
    let of_key = |info: &KeyInfo| {
        let weakness = info.algorithm.weakness(info.bits)?;
        let detail = format!("{} ({}): {weakness}", info.id, info.algorithm.name());
        Some(Check::warn("check.key.weak", &info.link, detail, "do.key.weak"))
    };
    keyring
        .infos()
        .filter(|info| info.status.is_live())
        .filter_map(of_key)
        .collect()
}

/// Keys whose link is not configured: most often a slip in a name.
fn strangers(config: &Config, keyring: &Keyring) -> Vec<Check> {
    let mut links: Vec<_> = keyring.infos().map(|info| info.link.as_str()).collect();
    links.sort_unstable();
    links.dedup();
    let is_stranger = |link: &&str| *link != JOURNAL_LINK && !config.link.contains_key(*link);
    let warn = |link: &str| Check::warn("check.key.link", link, "no link has this name", "do.key.link");
    links.into_iter().filter(is_stranger).map(warn).collect()
}

fn is_valid(info: &KeyInfo, now: OffsetDateTime) -> bool {
    (info.not_before..=info.not_after).contains(&now)
}

/// Whole days until a key may no longer be used; negative afterwards.
pub(crate) fn days_left(info: &KeyInfo, now: OffsetDateTime) -> i64 {
    (info.not_after - now).whole_days()
}

/// A rotation with a counterparty takes weeks.
const EXPIRY_WARNING_DAYS: i64 = 30;

/// Enough to compare two machines by eye.
const HEAD_DIGITS: usize = 16;

#[cfg(test)]
mod tests;
