//! Tests over the public face: every message there and back, every sample, every kind of wrong bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    reason = "tests fail by panicking"
)]

mod mutation;
mod payments;
mod round_trip;
mod samples;
mod strict_xml;
mod wrapping;
mod xml_suite;
