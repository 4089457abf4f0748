//! How bytes of a link come and go. No layout, no keys, no order of steps.

pub mod http; // HTTP/1.1: pooled client, server
