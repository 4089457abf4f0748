//! How the other side behaves: the clearing centre, the bank's platform, institutions; their books, faults and load.
//!
//! It uses `codecs` and `keys` and never the gateway, so that it is a second reader of the same specs. Read in this order.
#![forbid(unsafe_code)]

// What a run is given: the time, random bytes, queues, a watcher.
pub mod queues;
pub mod traffic;
pub mod witness;
pub mod world;

// What a party says, and how: identifiers, customers, institutions' requests, seals and signatures.
pub mod counterparty;
pub mod frames;
mod http;
pub mod ids;
pub mod institution;
pub mod people;

// The two other sides, with their books.
pub mod centre;
pub mod ledger;
pub mod platform;

// What a run is: faults, the mix or a scenario, arrivals, what became of each payment, the books compared.
pub mod drive;
pub mod fault;
pub mod load;
pub mod mix;
pub mod play;
pub mod proxy;
pub mod report;
pub mod scenario;
pub mod statement;

// How people are told of it: pages and charts.
pub mod page;

#[cfg(test)]
mod testing;
