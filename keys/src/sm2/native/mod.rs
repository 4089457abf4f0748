//! The native engine: SM2's curve in plain Rust, made for this prime and for the few keys that a gateway meets all day.
//!
//! A key is prepared once: a table of its multiples is built, of `TABLE_PUBLIC` or `TABLE_SECRET` bytes, in about a
//! millisecond. It is kept as long as the prepared key, and the keyring holds few keys, so that there is no cache to be
//! bounded. Two tables of G are built once a process.
//!
//! What takes a secret has no branch and no address that depends on it (`tests/constant_time.rs` shows it on the compiled
//! code); scalars, digits, looked-up points and sums are wiped. Single temporaries of a formula may stay on the stack until
//! it is used again.

mod digits; // a scalar as odd signed windows
mod field; // modulo p
mod inverse; // 1 / x modulo p
mod jacobian; // doublings
mod limbs; // 256 bits
mod multiply; // [k]P for a new P
mod point; // sums of affine points
mod scalar; // modulo n
mod search; // a row of a table by a secret place
mod table; // [k]P for a P that is known
#[cfg(target_arch = "x86_64")]
mod vector; // the search by vector instructions

use super::PublicKey;
use super::curve::Curve;
use super::kdf::Shared;
use field::{Field, P};
use point::{Affine, Extended};
use scalar::{N, Scalar};
use std::sync::LazyLock;
use table::Table;
use zeroize::Zeroizing;

pub(crate) struct Native;

impl Curve for Native {
    type Scalar = Scalar;
    type Verifying = PublicTable;
    type Wrapping = SecretTable;

    /// Builds the table of G for secret scalars, unless it is there.
    fn prepare() {
        LazyLock::force(&BASE_SECRET);
    }

    fn verifying(key: &PublicKey) -> PublicTable {
        LazyLock::force(&BASE_PUBLIC);
        Table::new(&Affine::from_key(key))
    }

    fn wrapping(key: &PublicKey) -> SecretTable {
        Self::prepare();
        Table::new(&Affine::from_key(key))
    }

    fn base_x(secret: &Scalar) -> Zeroizing<[u8; 32]> {
        let product = BASE_SECRET.multiply(secret);
        Zeroizing::new((product.x * product.zz.invert()).to_bytes())
    }

    /// x = X/ZZ is compared without inversion: X with c ZZ, for the one or two c below p that are `expected` modulo n.
    fn sum_has_x(key: &PublicTable, s: &Scalar, t: &Scalar, expected: &Scalar) -> bool {
        let mut sum = Extended::INFINITY;
        BASE_PUBLIC.add_public(&mut sum, s);
        key.add_public(&mut sum, t);
        if sum.zz.is_zero() != 0 {
            return false;
        }
        let has_x = |c| (Field::from_limbs(c) * sum.zz - sum.x).is_zero() != 0;
        let (above, carry) = limbs::add(*expected.limbs(), N);
        let is_field = !carry && limbs::sub(above, P).1;
        has_x(*expected.limbs()) || (is_field && has_x(above))
    }

    /// One inversion serves both points.
    fn base_and_shared(key: &SecretTable, secret: &Scalar) -> ([u8; 64], Shared) {
        let (base, shared) = (BASE_SECRET.multiply(secret), key.multiply(secret));
        let inverse = Zeroizing::new((base.zzz() * shared.zzz()).invert());
        let c1 = base.to_affine(*inverse * shared.zzz());
        let shared = Zeroizing::new(shared.to_affine(*inverse * base.zzz()));
        (c1.to_bytes(), Zeroizing::new(shared.to_bytes()))
    }

    fn shared(point: &[u8; 64], secret: &Scalar) -> Option<Shared> {
        let product = multiply::multiply(&Affine::from_bytes(point)?, secret);
        let product = Zeroizing::new(product.to_affine(product.z.invert()));
        Some(Zeroizing::new(product.to_bytes()))
    }
}

/// For public scalars one entry of a row is read, so that a wide window costs memory only.
pub(crate) type PublicTable = Table<8>;

/// For secret scalars whole rows are read: wider windows would cost more than they save.
pub(crate) type SecretTable = Table<6>;

static BASE_PUBLIC: LazyLock<PublicTable> = LazyLock::new(|| Table::new(&Affine::generator()));
static BASE_SECRET: LazyLock<SecretTable> = LazyLock::new(|| Table::new(&Affine::generator()));

/// Memory of a prepared verifier, and of G for all of them: 256 KiB.
const TABLE_PUBLIC: usize = PublicTable::BYTES;

/// Memory of a prepared wrapper, and of G for signing and wrapping: 86 KiB.
const TABLE_SECRET: usize = SecretTable::BYTES;

const _: () = assert!(TABLE_PUBLIC == 256 << 10 && TABLE_SECRET == 86 << 10);

#[cfg(test)]
mod tests;
