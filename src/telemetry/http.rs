//! HTTP listeners and certificates on the page of metrics.

use super::{Page, Watched};
use crate::tls::{Loaded, Renewing};
use std::sync::Arc;
use time::OffsetDateTime;

pub(super) fn figures(page: &mut Page, watched: &Watched) {
    page.head("hangu_http_connections", "gauge", "open connections of a listener");
    for (link, door) in &watched.doors {
        page.line("hangu_http_connections", &of_link(link), door.counts.open_now());
    }
    page.head(
        "hangu_tls_handshakes_failed_total",
        "counter",
        "handshakes that came to nothing",
    );
    for (link, door) in &watched.doors {
        let failed = door.counts.unshaken_so_far();
        page.line("hangu_tls_handshakes_failed_total", &of_link(link), failed);
    }
    certificates(page, watched);
}

/// What is in use, which is not always what stands in the files.
fn certificates(page: &mut Page, watched: &Watched) {
    let now = watched.gateway.now();
    page.head("hangu_tls_days_left", "gauge", "whole days until a certificate in use ends");
    for (link, door) in &watched.doors {
        days_left(page, link, door.listener.as_ref(), now);
        days_left(page, link, door.caller.as_ref(), now);
    }
    page.head(
        "hangu_tls_renewal_failed",
        "gauge",
        "1 while changed files do not work and the ones before are used",
    );
    for (link, door) in &watched.doors {
        let sides = [
            ("listener", door.listener.as_ref().map(|renewing| renewing.is_stale())),
            ("caller", door.caller.as_ref().map(|renewing| renewing.is_stale())),
        ];
        for (side, is_stale) in sides.into_iter().filter_map(|(side, is_stale)| Some((side, is_stale?))) {
            let labels = format!("{},side=\"{side}\"", of_link(link));
            page.line("hangu_tls_renewal_failed", &labels, u8::from(is_stale));
        }
    }
}

fn days_left<C>(page: &mut Page, link: &str, renewing: Option<&Arc<Renewing<C>>>, now: OffsetDateTime) {
    let loaded: Option<Arc<Loaded<C>>> = renewing.map(|renewing| renewing.current());
    for expiry in loaded.iter().flat_map(|loaded| &loaded.expiries) {
        let labels = format!("{},file=\"{}\"", of_link(link), expiry.field);
        page.line("hangu_tls_days_left", &labels, expiry.days_left(now));
    }
}

fn of_link(link: &str) -> String {
    format!("link=\"{link}\"")
}
