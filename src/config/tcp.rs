//! `[link.*.tcp]`: frames over TCP, as ISO 8583 comes.

use super::{ConfigError, wrong};
use crate::limits;
use serde::Deserialize;
use std::net::SocketAddr;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpConfig {
    /// Where the counterparty calls us.
    pub listen: String,
    /// Where we call it, one connection a call; never when absent.
    #[serde(default)]
    pub connect: Option<String>,
    /// Whether the network's address stands between the length and each message.
    #[serde(default = "yes")]
    pub tpdu: bool,
    /// A connection without a frame for so long is closed.
    #[serde(default = "idle_s")]
    pub idle_s: u64,
}

pub(super) fn check(name: &str, tcp: &TcpConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.tcp.{key}");
    if tcp.listen.parse::<SocketAddr>().is_err() {
        return Err(wrong(&place("listen"), "address:port"));
    }
    let named = |address: &str| {
        let (host, port) = address.rsplit_once(':')?;
        Some(!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    if tcp.connect.as_deref().is_some_and(|address| named(address) != Some(true)) {
        return Err(wrong(&place("connect"), "host:port"));
    }
    if !(1..=limits::IDLE_S_MAX).contains(&tcp.idle_s) {
        return Err(wrong(&place("idle_s"), &format!("1 to {}", limits::IDLE_S_MAX)));
    }
    Ok(())
}

const fn yes() -> bool {
    true
}
const fn idle_s() -> u64 {
    300
}
