//! What concerns all of SM2: no secret can be printed or copied, and OpenSSL agrees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod constant_time;
mod hygiene;
mod openssl;
