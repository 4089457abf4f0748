//! No key and no clear byte steers a branch or an address of the sealing mode, as `sm2::tests::constant_time` shows it of SM2.
//! Valgrind knows no GFNI, so that this is the plain form; the other has no table and no branch at all.

use crate::sm2::memcheck;

#[test]
fn sealing_is_constant_time() {
    memcheck::check("sm4::tests::constant_time::watched::sealing");
}

/// Run by the above under valgrind; without it, it holds the result only.
mod watched {
    use crate::sm2::memcheck::{poison, publish};
    use crate::sm4::Sm4Gcm;

    #[test]
    fn sealing() {
        let (mut key, mut clear) = ([7; 16], [9; 700]);
        let expected = Sm4Gcm::new(&key).seal(&[3; 12], b"a", &clear);
        poison(&mut key);
        poison(&mut clear);
        let (mut ciphertext, mut tag) = Sm4Gcm::new(&key).seal(&[3; 12], b"a", &clear);
        publish(ciphertext.as_mut_slice());
        publish(&mut tag);
        assert_eq!((ciphertext, tag), expected);
    }
}
