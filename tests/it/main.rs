//! The one integration binary: everything that needs the built gateway, a broker or a journal on a disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

mod added;
mod bench;
mod broker;
mod bulkheads;
mod certificates;
mod cli;
mod database;
mod devices;
mod driving;
mod envelopes;
mod hostile;
mod https;
mod instances;
mod institutions;
mod journal;
mod journal_crash;
mod journal_database;
mod journal_verify;
mod mq_amqp;
mod mq_conformance;
mod mq_dead_letters;
mod mq_every_byte;
mod mq_faults;
mod mq_memory;
mod mq_refusals;
mod mq_storm;
mod mq_tls;
mod overload;
mod pack;
mod pages;
mod power_cuts;
mod process;
mod processes;
mod proxy;
mod raw_amqp;
mod releasing;
mod revoking;
mod rotation;
mod samples;
mod scenarios;
mod settling;
mod simulation;
mod stand;
mod straight;
mod tidy;
mod torture;
mod traffic;
mod web;
