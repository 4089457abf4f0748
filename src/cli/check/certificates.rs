//! What can be said of the certificates of a guarded store's keys: chains, what ends first, revocation lists, double
//! certificates.

use super::Check;
use hangu::config::KeysConfig;
use keys::chain::Chain;
use keys::guarded::{Effect, Held, Stale, State, read};
use keys::key::{Side, Usage};
use time::OffsetDateTime;

/// Nothing for a plain folder, and nothing where a store cannot be read, which `hold` tells.
pub(crate) fn certificate_checks(keys: &KeysConfig, now: OffsetDateTime) -> Vec<Check> {
    let state = keys
        .is_guarded()
        .then(|| read(&keys.folder).ok().map(|(_, state)| state))
        .flatten();
    let Some(state) = state else { return Vec::new() };
    let used = |held: &&Held| held.entry.status.is_live() || held.entry.status.name() == "pending";
    let chains = state.keys().filter(used).filter_map(|held| {
        let check = match state.chain(held)? {
            Ok(chain) => of_chain(held, &chain, now),
            Err(error) => Check::fail(
                "check.key.chain",
                &held.entry.link,
                format!("{}: {error}", held.entry.id),
                "do.key.anchor",
            ),
        };
        Some(check)
    });
    let effects = keys.under_lists(&state).map(|(_, effects)| effects).unwrap_or_default();
    let stale = keys.revocation.stale;
    let lists = effects.iter().flat_map(|effect| of_list(effect, stale, now));
    chains.chain(lists).chain(doubles(&state)).collect()
}

/// By the certificate that ends first; the anchor is one of them.
fn of_chain(held: &Held, chain: &Chain, now: OffsetDateTime) -> Check {
    let ends = chain.members().iter().filter_map(|member| member.not_after().ok());
    let days: Vec<_> = ends.map(|end| (end - now).whole_days()).collect();
    let first = days.iter().min().copied().unwrap_or_default();
    let listed = days.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let detail = format!(
        "{}: {listed} days left, from the key's certificate to the trust anchor",
        held.entry.id
    );
    if first < EXPIRY_WARNING_DAYS {
        Check::warn("check.key.chain", &held.entry.link, detail, "do.key.expiring")
    } else {
        Check::ok("check.key.chain", &held.entry.link, detail)
    }
}

/// Where keys end with their list, one that is past its time forbids a start. Where they go on, it is a warning.
fn of_list(effect: &Effect, stale: Stale, now: OffsetDateTime) -> Vec<Check> {
    let until = effect
        .next_update
        .map_or_else(|| "without an end".to_owned(), |until| format!("until {until}"));
    let detail = format!("{}, {until}, for {} keys", effect.issuer, effect.keys.len());
    let is_stale = effect.next_update.is_some_and(|until| until < now);
    let list = if is_stale && stale == Stale::Refuse && !effect.keys.is_empty() {
        Check::fail("check.revocation", &effect.name, detail, "do.revocation")
    } else if is_stale || effect.this_update > now || effect.keys.is_empty() {
        Check::warn("check.revocation", &effect.name, detail, "do.revocation")
    } else {
        Check::ok("check.revocation", &effect.name, detail)
    };
    let revoked = effect.revoked.iter();
    let revoked = revoked.map(|id| Check::fail("check.revocation", &effect.name, format!("{id} is revoked"), "do.key.revoked"));
    std::iter::once(list).chain(revoked).collect()
}

/// Signing and opening by one SM2 key pair: double certificates are there so that the authority may keep the one and not the
/// other.
fn doubles(state: &State) -> Vec<Check> {
    let ours = |usage| {
        let fits = move |held: &&Held| held.entry.usage == usage && held.entry.side == Side::Ours && held.entry.status.is_live();
        state.keys().filter(fits)
    };
    let same = |sign: &Held| {
        let other = ours(Usage::Seal).find(|seal| seal.fingerprint == sign.fingerprint)?;
        let detail = format!("{} and {} are one key pair", sign.entry.id, other.entry.id);
        Some(Check::warn("check.key.double", &sign.entry.link, detail, "do.key.double"))
    };
    ours(Usage::Sign).filter_map(same).collect()
}

/// An authority takes weeks.
const EXPIRY_WARNING_DAYS: i64 = 30;
