//! Every byte layout and no secret: specs of institutions, parsing, building, describing.
//!
//! Read in this order.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod capsule; // messages whose whole content is sealed
mod describe; // a message shown to people
mod draft; // one message to be sent
pub mod envelope; // named schemes: encodings of signatures and wrapped keys, strings to sign
pub mod error; // what can be wrong with bytes, a build, a spec: field, offset, rule
pub mod examined; // a message that fails, before its parts are decoded
mod field; // what one field may hold
mod format; // containers: xml, json
pub mod fuzz;
mod mapping; // between values and the payment
pub mod message; // one parsed message
pub mod payment; // the canonical form
mod reading; // from bytes to a message
pub mod sample; // text files beside each spec: bytes and what is expected of them
mod sealed; // what is sealed field by field
pub mod sign_in; // how a terminal asks for its working keys
mod signed; // the exact text that a signature covers
pub mod spec; // spec.toml: loaded, wholly checked, compiled to a plan
mod values; // the values of one message, and the order in which they are signed
mod whole; // an object of a message that is sealed whole
pub mod wire; // bytes of one message with what the transport says about them // entry points for fuzzing

pub use field::digits; // numbers and dates as texts, for whoever writes many of them

/// Specs and samples of every institution's folder, found by `build.rs`.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}
