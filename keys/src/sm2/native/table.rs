//! Tables of multiples of one point, for points that are met again and again: G, and the keys of counterparties.
//!
//! For every window i of W bits a row holds d 2^(Wi) P for d = 1, 3, ..., 2^W - 1, in affine form, so that a multiplication
//! is one addition a window and no doubling (the fixed-base windowing method of Brickell and others, 1992, with odd signed
//! digits).

use super::digits::{Digit, Digits};
use super::field::Field;
use super::jacobian::Jacobian;
use super::point::{Affine, Extended};
use super::scalar::Scalar;
use super::search;
use zeroize::Zeroizing;

/// Takes `BYTES` of memory.
pub(crate) struct Table<const W: usize> {
    rows: Vec<Affine>,
}

impl<const W: usize> Table<W> {
    pub(super) const BYTES: usize = Digits::<W>::WINDOWS * Self::ROW * size_of::<Affine>();

    const ROW: usize = 1 << (W - 1);

    pub(super) fn new(point: &Affine) -> Self {
        let mut rows = Vec::with_capacity(Digits::<W>::WINDOWS * Self::ROW);
        let mut base = *point;
        for _ in 0..Digits::<W>::WINDOWS {
            base = push_row(&mut rows, Self::ROW, &base);
        }
        Self { rows }
    }

    /// [k]P for a secret k in [1, n-1]: every row is read whole.
    ///
    /// With i windows added, the sum is A P with A odd and |A| < 2^(Wi), and the next addend is E P with |E| >= 2^(Wi), so that
    /// A + E and A - E differ from 0; and as they are below n in size until the last window, `add` never meets infinity, equal or
    /// opposite points. In the last one A + E is k or n - k, not 0 modulo n, but A - E may be n: equal points, once.
    #[inline]
    pub(super) fn multiply(&self, k: &Scalar) -> Zeroizing<Extended> {
        let digits = Digits::<W>::new(k);
        let last = Digits::<W>::WINDOWS - 1;
        let mut sum = Zeroizing::new(Extended::of_two(&self.find(0, &digits.at(0)), &self.find(1, &digits.at(1))));
        for window in 2..last {
            sum.add(&self.find(window, &digits.at(window)));
        }
        sum.add_complete(&self.find(last, &digits.at(last)));
        sum
    }

    /// Adds [k]P to a sum, for a public k in [1, n-1]: only one entry of each row is read.
    pub(super) fn add_public(&self, sum: &mut Extended, k: &Scalar) {
        let digits = Digits::<W>::new(k);
        for (window, row) in self.rows.chunks_exact(Self::ROW).enumerate() {
            let digit = digits.at(window);
            let mut entry = row[usize::try_from(digit.index).unwrap_or(usize::MAX)];
            if digit.negative != 0 {
                entry.y = -entry.y;
            }
            sum.add_public(&entry);
        }
    }

    #[inline(never)]
    fn find(&self, window: usize, digit: &Digit) -> Zeroizing<Affine> {
        let row = &self.rows[window * Self::ROW..][..Self::ROW];
        let mut found = Zeroizing::new(search::find(row, digit.index));
        found.negate_if(digit.negative);
        found
    }
}

/// Pushes d B for odd d below 2 * length, and gives 2 * length * B. These are all small multiples of a point of order n, so
/// that no two of those added are equal, opposite or infinity.
fn push_row(rows: &mut Vec<Affine>, length: usize, base: &Affine) -> Affine {
    let double = Jacobian::from(base).double_times(1);
    let double = double.to_affine(double.z.invert());
    let mut multiples = Vec::with_capacity(length + 1);
    let mut multiple = Jacobian::from(base);
    for _ in 1..length {
        multiples.push(multiple);
        multiple = multiple.add_affine(&double);
    }
    multiples.push(multiple);
    multiples.push(multiple.add_affine(base));
    let mut affine = normalize(&multiples);
    let next = affine[length];
    affine.truncate(length);
    rows.append(&mut affine);
    next
}

/// Affine forms with one inversion for all (Montgomery's trick). No point may be infinity.
fn normalize(points: &[Jacobian]) -> Vec<Affine> {
    let mut product = Field::ONE;
    let mut products = Vec::with_capacity(points.len());
    for point in points {
        products.push(product);
        product = product * point.z;
    }
    let mut inverse = product.invert();
    let mut affine = vec![Affine::default(); points.len()];
    for ((place, point), before) in affine.iter_mut().zip(points).zip(products).rev() {
        *place = point.to_affine(inverse * before);
        inverse = inverse * point.z;
    }
    affine
}
