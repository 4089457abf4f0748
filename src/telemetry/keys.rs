//! What the keys do: metrics of this instance, and `GET /keys` over all instances. Serial numbers and ids only, never a key.

use super::{Page, Watched};
use crate::admin::answer;
use crate::clock::{from_millis, millis};
use crate::exchange::{Gateway, Instance, instances};
use crate::journal::Millis;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use keys::guarded::Effect;
use keys::key::KeyInfo;
use keys::provider::{Device, DeviceFault, Health};
use serde_json::{Value, json};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `GET /keys`: every instance with its keyring, every key of this instance's keyring with what all instances saw of it.
pub(super) async fn page(Shared(watched): Shared<Watched>) -> Response {
    let gateway = &watched.gateway;
    match instances(&**gateway.journal()).await {
        Ok(all) => answer(StatusCode::OK, &shown(gateway, &all)),
        Err(trouble) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": trouble.to_string() })),
    }
}

fn shown(gateway: &Gateway, all: &[Instance]) -> Value {
    let (keyring, now) = (gateway.keyring(), millis(gateway.now()));
    let keys: Vec<Value> = keyring.infos().map(|info| key(info, all, now)).collect();
    let instances: Vec<Value> = all.iter().map(|instance| told(instance, now)).collect();
    json!({
        "version": keyring.version(), "refused": gateway.keyring_refused(), "outdated": gateway.is_outdated(),
        "instances": instances, "keys": keys,
    })
}

fn told(instance: &Instance, now: Millis) -> Value {
    json!({
        "name": instance.name, "live": instance.is_live(now), "version": instance.told.version,
        "counting_since": instant(instance.told.since), "refused": instance.told.refused,
    })
}

fn key(info: &KeyInfo, all: &[Instance], now: Millis) -> Value {
    let (mut received, mut sent, mut last_at) = (0, 0, 0);
    for instance in all {
        for seen in instance.told.keys.iter().filter(|seen| seen.is_of(info)) {
            received += seen.received;
            sent += seen.sent;
            last_at = last_at.max(instance.last_at(seen, now));
        }
    }
    json!({
        "id": info.id, "link": info.link, "side": info.side.name(), "usage": info.usage.name(), "serial": info.serial,
        "status": info.status.name(), "primary_from": info.primary_from.map(|from| instant(millis(from))),
        "not_after": instant(millis(info.not_after)), "received": received, "sent": sent,
        "last_seen": (last_at > 0).then(|| instant(last_at)),
    })
}

/// What this instance alone saw; a collector adds the instances.
pub(super) fn exposition(page: &mut Page, gateway: &Gateway) {
    let keyring = gateway.keyring();
    page.head("hangu_keyring_info", "gauge", "the keyring in use, by its version");
    page.line("hangu_keyring_info", &format!("version=\"{}\"", keyring.version()), 1);
    let is_refused = u8::from(gateway.keyring_refused().is_some());
    page.one(
        "hangu_keyring_refused",
        "gauge",
        "whether the key folder as it stands is refused",
        is_refused,
    );
    let is_outdated = u8::from(gateway.is_outdated());
    page.one(
        "hangu_keyring_outdated",
        "gauge",
        "whether another instance has a newer keyring",
        is_outdated,
    );
    page.head(
        "hangu_key_expires_seconds",
        "gauge",
        "when a key's validity ends, in seconds since 1970",
    );
    for info in keyring.infos() {
        page.line("hangu_key_expires_seconds", &labels(info), info.not_after.unix_timestamp());
    }
    let all = gateway.key_traffic();
    let seen = |info: &KeyInfo| all.iter().find(|seen| seen.is_of(info)).cloned().unwrap_or_default();
    page.head("hangu_key_messages_total", "counter", "messages under a key, by direction");
    for info in keyring.infos() {
        let seen = seen(info);
        for (direction, count) in [("received", seen.received), ("sent", seen.sent)] {
            let labels = format!("{},direction=\"{direction}\"", labels(info));
            page.line("hangu_key_messages_total", &labels, count);
        }
    }
    page.head(
        "hangu_key_last_seen_seconds",
        "gauge",
        "when a key was last used, in seconds since 1970; 0 for never",
    );
    for info in keyring.infos() {
        page.line("hangu_key_last_seen_seconds", &labels(info), seen(info).last_at() / 1000);
    }
}

/// The certificates of a guarded store: every member of a key's chain, and the revocation lists that speak of them.
pub(super) fn certificates(page: &mut Page, gateway: &Gateway) {
    let noted = gateway.config().keys.certificates();
    if !noted.members.is_empty() {
        let name = "hangu_certificate_expires_seconds";
        let help =
            "when a certificate of a key's chain ends, in seconds since 1970; member 0 is the key's own, the last the anchor";
        page.head(name, "gauge", help);
        for member in &noted.members {
            let labels = format!(
                "{},member=\"{}\",certificate=\"{}\"",
                labels(&member.key),
                member.place,
                member.serial
            );
            page.line(name, &labels, member.not_after.unix_timestamp());
        }
    }
    if !noted.lists.is_empty() {
        lists(page, &noted.lists);
    }
}

fn lists(page: &mut Page, lists: &[Effect]) {
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&Effect) -> Option<i64>| {
        page.head(name, "gauge", help);
        for list in lists {
            if let Some(value) = value(list) {
                page.line(name, &format!("list=\"{}\"", quoted(&list.name)), value);
            }
        }
    };
    let count = |ids: &[String]| i64::try_from(ids.len()).ok();
    gauge(
        "hangu_revocation_list_next_update_seconds",
        "until when a revocation list counts, in seconds since 1970",
        &|list| list.next_update.map(OffsetDateTime::unix_timestamp),
    );
    gauge(
        "hangu_revocation_list_this_update_seconds",
        "when a revocation list was made, in seconds since 1970",
        &|list| Some(list.this_update.unix_timestamp()),
    );
    gauge(
        "hangu_revocation_list_keys",
        "keys that a revocation list speaks of",
        &|list| count(&list.keys),
    );
    gauge(
        "hangu_revocation_list_revoked",
        "keys that a revocation list revokes",
        &|list| count(&list.revoked),
    );
}

/// The devices that keys lie in. One that nothing has called yet is neither up nor down.
pub(super) fn devices(page: &mut Page, gateway: &Gateway) {
    let devices: Vec<_> = gateway
        .config()
        .keys
        .devices()
        .iter()
        .map(|device| (device.name(), device.health()))
        .collect();
    if devices.is_empty() {
        return;
    }
    let gauge = |page: &mut Page, name: &str, help: &str, value: &dyn Fn(&Health) -> Option<u64>| {
        page.head(name, "gauge", help);
        for (device, health) in &devices {
            if let Some(value) = value(health) {
                page.line(name, &format!("device=\"{device}\""), value);
            }
        }
    };
    gauge(
        page,
        "hangu_device_up",
        "whether the last call found the device there",
        &|health| health.is_up.map(u64::from),
    );
    gauge(page, "hangu_device_threads", "threads that can take a call", &|health| {
        u64::try_from(health.able).ok()
    });
    gauge(page, "hangu_device_threads_stuck", "threads that hang in a call", &|health| {
        u64::try_from(health.stuck).ok()
    });
    page.head("hangu_device_calls_total", "counter", "calls of a device");
    for (device, health) in &devices {
        page.line("hangu_device_calls_total", &format!("device=\"{device}\""), health.calls);
    }
    page.head(
        "hangu_device_faults_total",
        "counter",
        "calls that a device did not answer rightly, by fault",
    );
    for (device, health) in &devices {
        for (fault, count) in &health.faults {
            page.line(
                "hangu_device_faults_total",
                &format!("device=\"{device}\",fault=\"{fault}\""),
                *count,
            );
        }
    }
}

/// Devices that the last call did not find, a line each. One that is only overrun is there.
pub(super) fn devices_away(gateway: &Gateway) -> Vec<String> {
    let away = |device: &Arc<Device>| {
        let health = device.health();
        let fault = health.last.filter(|fault| *fault != DeviceFault::Busy)?;
        (health.is_up == Some(false)).then(|| format!("device {}: {fault}", device.name()))
    };
    gateway.config().keys.devices().iter().filter_map(away).collect()
}

fn labels(info: &KeyInfo) -> String {
    let (side, usage) = (info.side.name(), info.usage.name());
    // A serial number is whatever visible characters the counterparty chose.
    let serial = quoted(&info.serial);
    format!("link=\"{}\",side=\"{side}\",usage=\"{usage}\",serial=\"{serial}\"", info.link)
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn instant(at: Millis) -> String {
    from_millis(at).format(&Rfc3339).unwrap_or_default()
}
