//! Searching a row of a table for a secret place: every entry is read, and a mask takes in one.

use super::limbs::{equal, opaque};
use super::point::Affine;
#[cfg(target_arch = "x86_64")]
use super::vector;

/// The entry at an index below the row's length.
#[inline]
pub(super) fn find(row: &[Affine], index: u64) -> Affine {
    #[cfg(target_arch = "x86_64")]
    if let Some(found) = vector::find(row, index) {
        return found;
    }
    find_plain(row, index)
}

#[inline(never)]
pub(super) fn find_plain(row: &[Affine], index: u64) -> Affine {
    let mut found = Affine::default();
    for (at, entry) in (0u64..).zip(row) {
        let mask = opaque(equal(at, index));
        found.x.merge(mask, &entry.x);
        found.y.merge(mask, &entry.y);
    }
    found
}

#[cfg(test)]
mod tests;
