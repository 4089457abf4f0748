//! Types with secrets have neither `Debug` nor `Clone` nor `PartialEq`. Checked when the tests are compiled.

use crate::keyring::{MacKey, SealKey, SignKey, UnwrapKey};
use crate::legacy::aead::AesGcm;
use crate::legacy::aes::{AesCbc, AesEcb};
use crate::legacy::des::TripleDes;
use crate::legacy::hedged::Hedged;
use crate::legacy::mac::{CupEcb, HmacSha256, KeySuffix};
use crate::legacy::zero_padded::ZeroPaddedCbc;
use crate::legacy::{RsaPrivate, RsaPublic};
use std::fmt::{Debug, Display};
use zeroize::ZeroizeOnDrop;

/// An inherent constant hides one of a trait, but only where its bounds hold.
macro_rules! implements {
    ($type:ty, $trait:path) => {{
        #[allow(dead_code, reason = "unused where the trait is present")]
        trait Absent {
            const PRESENT: bool = false;
        }
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        impl<T: ?Sized> Absent for Probe<T> {}
        #[allow(dead_code, reason = "unused where the trait is absent")]
        impl<T: ?Sized + $trait> Probe<T> {
            const PRESENT: bool = true;
        }
        Probe::<$type>::PRESENT
    }};
}

macro_rules! assert_secret {
    ($($type:ty),+) => {
        $(const {
            assert!(!implements!($type, Debug));
            assert!(!implements!($type, Display));
            assert!(!implements!($type, Clone));
            assert!(!implements!($type, PartialEq));
            assert!(!implements!($type, AsRef<[u8]>));
        })+
    };
}

#[test]
fn secrets_cannot_be_printed_or_copied() {
    assert_secret!(
        RsaPrivate,
        AesGcm,
        AesCbc,
        AesEcb,
        TripleDes,
        ZeroPaddedCbc,
        HmacSha256,
        KeySuffix,
        CupEcb,
        Hedged
    );
    assert_secret!(SignKey, UnwrapKey, MacKey, SealKey);
    const { assert!(implements!(RsaPublic, Debug) && implements!(RsaPublic, Clone)) };
}

/// The crates' feature for it could be switched off by a slip in a manifest.
#[test]
fn what_the_crates_hold_is_wiped() {
    const {
        assert!(implements!(rsa::PrivateKey, ZeroizeOnDrop));
        assert!(implements!(aes::Aes128, ZeroizeOnDrop) && implements!(aes::Aes256, ZeroizeOnDrop));
        assert!(implements!(des::Des, ZeroizeOnDrop) && implements!(des::TdesEde2, ZeroizeOnDrop));
        assert!(implements!(des::TdesEde3, ZeroizeOnDrop) && implements!(sm4::Sm4, ZeroizeOnDrop));
        assert!(implements!(sha2::Sha256, ZeroizeOnDrop) && implements!(sha1::Sha1, ZeroizeOnDrop));
        assert!(implements!(md5::Md5, ZeroizeOnDrop));
    }
}
