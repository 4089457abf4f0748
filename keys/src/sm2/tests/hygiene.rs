//! Types with secrets have neither `Debug` nor `Clone` nor `PartialEq` (`facts/reliability.md` section 4: the crate's own
//! decrypting key prints its scalar). Checked when the tests are compiled.

use crate::envelope::{Envelope, Envelopes};
use crate::guarded::{MasterKey, OfficerKey, Share};
use crate::keyring::{Keyring, KeyringBuilder};
use crate::secret::Secret;
use crate::sm2::curve::Curve;
use crate::sm2::encrypt::Unwrapper;
use crate::sm2::native::Native;
use crate::sm2::nonce::{HedgedDraws, NonceKey};
use crate::sm2::reference::Reference;
use crate::sm2::sign::Signer;
use crate::sm2::{PrivateKey, PublicKey};
use crate::sm3::HmacSm3;
use crate::sm4::{Sm4Cbc, Sm4Gcm};
use std::fmt::{Debug, Display};

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
        Secret,
        PrivateKey,
        Signer<Native>,
        Signer<Reference>,
        Unwrapper<Native>,
        Unwrapper<Reference>,
        <Native as Curve>::Scalar,
        NonceKey,
        HedgedDraws<'static>
    );
    assert_secret!(MasterKey, OfficerKey, Share);
    assert_secret!(HmacSm3, Sm4Gcm, Sm4Cbc, Envelope, Envelopes, Keyring, KeyringBuilder);
}

#[test]
fn the_probe_sees_what_is_there() {
    const { assert!(implements!(PublicKey, Debug) && implements!(PublicKey, Clone) && implements!(PublicKey, PartialEq)) };
    const { assert!(implements!(Keyring, Send) && implements!(Keyring, Sync)) };
}
