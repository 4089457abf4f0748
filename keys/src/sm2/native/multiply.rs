//! [k]P for a point that is new each time and a secret k: what opening an envelope takes.
//!
//! Windows of five odd signed bits from the top down (Joye and Tunstall 2009), with the sixteen odd multiples of P searched
//! whole.

use super::digits::Digits;
use super::jacobian::{Jacobian, Powers};
use super::limbs::{self, opaque};
use super::point::Affine;
use super::scalar::Scalar;
use zeroize::Zeroizing;

/// [k]P for k in [1, n-1] and P on the curve.
///
/// The digits read so far make A >= 1, the next digit is odd with |d| <= 31, and A is doubled five times: 32 A + d and
/// 32 A - d are above 0. Until the last digit they are below n in size, so that `add` never meets infinity, equal or opposite
/// points. At the last one 32 A + d is k or n - k, not 0 modulo n, but 32 A - d may be n: equal points, for k = 6 or n - 6.
pub(super) fn multiply(point: &Affine, k: &Scalar) -> Zeroizing<Jacobian> {
    let multiples = odd_multiples(point);
    let digits = Digits::<WINDOW>::new(k);
    let last = Digits::<WINDOW>::WINDOWS - 1;
    let mut product = Zeroizing::new(find(&multiples, &digits, last).to_jacobian());
    for window in (1..last).rev() {
        *product = product.double_times(WINDOW_BITS);
        *product = product.add(&find(&multiples, &digits, window));
    }
    *product = product.double_times(WINDOW_BITS);
    *product = product.add_complete(&find(&multiples, &digits, 0));
    product
}

/// P, 3P, ..., 31P.
fn odd_multiples(point: &Affine) -> [Powers; MULTIPLES] {
    let double = Powers::from(Jacobian::from(point).double_times(1));
    let mut multiples = [Powers::default(); MULTIPLES];
    let mut multiple = Jacobian::from(point);
    for place in &mut multiples {
        *place = Powers::from(multiple);
        multiple = multiple.add(&double);
    }
    multiples
}

fn find(multiples: &[Powers; MULTIPLES], digits: &Digits<WINDOW>, window: usize) -> Zeroizing<Powers> {
    let digit = digits.at(window);
    let mut found = Zeroizing::new(Powers::default());
    for (at, multiple) in (0u64..).zip(multiples) {
        found.merge(opaque(limbs::equal(at, digit.index)), multiple);
    }
    found.negate_if(digit.negative);
    found
}

const WINDOW: usize = 5;
const WINDOW_BITS: u32 = 5;
const MULTIPLES: usize = 1 << (WINDOW - 1);
