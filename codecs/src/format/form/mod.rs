//! `application/x-www-form-urlencoded`: one pair a key, percent-decoding that refuses what it does not know, UTF-8. A key whose
//! path goes on below it holds JSON. Answers of some institutions are such pairs without any encoding.

mod escape;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use read::{Escaping, Pair, pairs, read};
pub(crate) use write::write;

/// How a spec's messages stand in a form.
#[derive(Clone, Debug)]
pub(crate) struct FormPlan {
    /// Answers hold their values as they are.
    pub(crate) plain_answers: bool,
    pub(crate) reject_unknown: bool,
}

impl FormPlan {
    pub(crate) fn escaping(&self, is_answer: bool) -> Escaping {
        if is_answer && self.plain_answers {
            Escaping::Plain
        } else {
            Escaping::Percent
        }
    }
}
