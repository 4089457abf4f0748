//! The one door by which a bit about a secret may steer what is done next.
//!
//! Through it go: whether a drawn k is in range and gives a signature or a mask that may be used, and whether C3 fits. Each says
//! what an observer learns anyhow, or has a chance of 2^-32. Everything else about a secret is computed without branches; the
//! test of constant time counts on this being the only exception.

use subtle::Choice;

pub(crate) fn reveal(bit: Choice) -> bool {
    #[cfg(test)]
    let bit = super::memcheck::defined(bit);
    bool::from(bit)
}
