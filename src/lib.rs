//! The gateway. Read in this order.
#![forbid(unsafe_code)]

pub mod admin; // orders of an operator to a running gateway
pub mod clock; // time and randomness as arguments
pub mod config; // hangu.toml
pub mod doctor; // why a message fails: known mistakes, tried one at a time
pub mod exchange; // the life of one exchange
pub mod journal; // what is durable
pub mod limits; // every maximum
pub mod link; // how bytes of a link come and go
pub mod mq; // queues
pub mod numbering; // serials, never reused
pub mod pipeline; // PURE: parse, verify, open, translate, seal, sign
pub mod record; // exact bytes, sealed for the journal
pub mod secret; // passwords and keys of others, read when they are needed
pub mod shell; // tasks, clock, start and stop
pub mod start; // from a configuration to a gateway
pub mod telemetry; // logs, health, metrics
pub mod tls; // certificates and keys of connections, from files
