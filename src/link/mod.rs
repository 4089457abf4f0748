//! How bytes of a link come and go. No layout, no keys, no order of steps.

mod dial; // reaching a counterparty's port
pub mod door; // what a listener allows and counts
mod frame; // length, address, message
pub mod http; // HTTP/1.1: pooled client, server
pub(crate) mod line; // a connection, in clear or under TLS
pub(crate) mod patient; // not waiting for ever for a reader
mod pool; // connections kept for calls
pub mod tcp; // frames on kept connections

pub use frame::Framing;
