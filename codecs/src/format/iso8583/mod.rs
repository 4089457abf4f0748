//! ISO 8583 (1987): a header, the message type, one bitmap or two, then elements in the order of their numbers. What an element
//! is stands in a row of the spec's table; nothing is known here of any one of them.
//!
//! The length before a message and the address before its header are the transport's.

mod bcd;
mod read;
mod table; // rows of elements, places of fields
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::{peek, read, unpack};
pub(crate) use table::{Content, Element, IsoPlan, Length, Place};
pub(crate) use write::{pack, write};
