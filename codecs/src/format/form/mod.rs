//! `application/x-www-form-urlencoded`: one pair a key, percent-decoding that refuses what it does not know, UTF-8. A key whose
//! path goes on below it holds JSON.

mod escape;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use read::{pairs, read};
pub(crate) use write::write;

/// How a spec's messages stand in a form.
#[derive(Clone, Debug)]
pub(crate) struct FormPlan {
    pub(crate) reject_unknown: bool,
}
