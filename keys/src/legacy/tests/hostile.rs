//! What must be refused, and that refusals do not tell more than that.

use super::openssl::OpenSsl;
use super::*;
use crate::error::CryptoError;
use crate::legacy::aead::{AesGcm, sm4_gcm_of_text};
use crate::legacy::aes::{AesCbc, AesEcb};
use crate::legacy::des::TripleDes;
use crate::legacy::digest::Digest;
use crate::legacy::mac::{CupEcb, CupForm, HmacSha256, KeySuffix};
use crate::legacy::zero_padded::ZeroPaddedCbc;
use crate::testing::{ZeroRng, bytes};
use ::rsa::BoxedUint;

/// SPKI with any modulus and exponent, big-endian.
fn spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let sign: &[u8] = if number.first().is_some_and(|first| *first >= 0x80) {
            &[0]
        } else {
            &[]
        };
        value(2, &[sign, number].concat())
    };
    let key = value(0x30, &[integer(modulus), integer(exponent)].concat());
    let algorithm = bytes("300d06092a864886f70d0101010500");
    let bits = value(3, &[&[0], key.as_slice()].concat());
    value(0x30, &[algorithm, bits].concat())
}

fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match content.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [header, content.to_vec()].concat()
}

#[test]
fn public_keys_that_are_none() {
    let mut modulus = vec![0x91; 256];
    let check = |modulus: &[u8], exponent: &[u8]| RsaPublic::from_spki_der(&spki(modulus, exponent)).err();
    assert_eq!(check(&modulus, &[1, 0, 1]), None);
    assert_eq!(check(&modulus, &[3]), None);
    let refused = Some(CryptoError::Key);
    assert_eq!(check(&modulus, &[1]), refused, "e = 1 makes every text its own signature");
    assert_eq!(check(&modulus, &[0]), refused);
    assert_eq!(check(&modulus, &[2]), refused, "even exponent");
    assert_eq!(check(&modulus, &[2, 0, 0, 0, 1]), refused, "exponent above 2^33");
    assert_eq!(check(&modulus, &modulus), refused);
    for length in [0, 1, 8, 64, 127, 513, 1024, 2048] {
        assert_eq!(check(&vec![0x91; length], &[1, 0, 1]), refused, "{length} bytes");
    }
    assert_eq!(check(&[0x91; 128], &[1, 0, 1]), None);
    assert_eq!(check(&[0x91; 512], &[1, 0, 1]), None);
    *modulus.last_mut().unwrap() = 0x90;
    assert_eq!(check(&modulus, &[1, 0, 1]), refused, "even modulus");
    let good = spki(&[0x91; 256], &[1, 0, 1]);
    for cut in 0..good.len() {
        assert!(RsaPublic::from_spki_der(&good[..cut]).is_err(), "cut at {cut}");
    }
    assert!(
        RsaPublic::from_spki_der(&[good.as_slice(), &[0]].concat()).is_err(),
        "bytes behind"
    );
}

#[test]
fn private_keys_that_are_none() {
    let good = pem("wechatpay-java.key.pem");
    assert!(RsaPrivate::from_pem(&good).is_ok());
    assert!(RsaPrivate::from_pem(&format!("remarks before\n{}", good.replace('\n', "\r\n"))).is_ok());
    assert!(RsaPrivate::from_pem("").is_err());
    assert!(RsaPrivate::from_pem(&pem("alipay.pub.pem")).is_err());
    assert!(
        RsaPrivate::from_pem(include_str!("../../../testdata/openssl.key.pem")).is_err(),
        "SM2"
    );
    assert!(RsaPrivate::from_pem(&good.replace("-----END", "-----ENDE")).is_err());
    let der = crate::pem::block(&good, "PRIVATE KEY").unwrap();
    // Modulus, exponents, primes: whatever is altered does not fit the rest. What the crate derives anew is not looked at.
    let derived = der.len() - 3 * 132;
    let mut accepted = 0;
    for at in (30..derived).step_by(17) {
        let mut altered = der.to_vec();
        altered[at] ^= 4;
        let text = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
            to_base64(&altered)
        );
        accepted += u32::from(RsaPrivate::from_pem(&text).is_ok());
    }
    assert_eq!(accepted, 0);
    assert!(
        RsaPrivate::generate(1024, &mut rng(20)).is_err(),
        "too small to be made today"
    );
    assert!(RsaPrivate::generate(2047, &mut rng(20)).is_err());
    assert_eq!(RsaPrivate::generate(2048, &mut ZeroRng).err(), Some(CryptoError::Random));
}

/// Signatures as numbers at the edges of [0, n), with leading zeroes too many or too few, and of every wrong length.
#[test]
fn signatures_that_are_none() {
    let key = private("wechatpay-java.key.pem");
    let public = key.public();
    let modulus = BoxedUint::from_be_slice(&public.modulus(), 2048).unwrap();
    let sized = |number: &BoxedUint| number.to_be_bytes().to_vec();
    let one = BoxedUint::one_with_precision(modulus.bits_precision());
    let edges = [
        vec![0; 256],
        sized(&one),
        sized(&modulus.wrapping_sub(&one)),
        sized(&modulus),
        vec![0xff; 256],
    ];
    for scheme in RsaScheme::ALL {
        let check = |signature: &[u8]| public.verify(scheme, b"text", signature);
        let good = key.sign(scheme, b"text", &mut rng(21)).unwrap();
        assert_eq!(check(&good), Ok(()));
        for edge in &edges {
            assert_eq!(check(edge), Err(CryptoError::Signature));
        }
        let longer = [&[0], good.as_slice()].concat();
        for wrong in [
            longer.as_slice(),
            &good[1..],
            &good[..255],
            &[],
            &[good.as_slice(), &[0]].concat(),
        ] {
            assert_eq!(check(wrong), Err(CryptoError::Signature), "{} bytes", wrong.len());
        }
        for bit in (0..2048).step_by(31) {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&flipped), Err(CryptoError::Signature));
        }
        // s + n is the same number modulo n, and not a signature.
        let shifted = BoxedUint::from_be_slice(&good, 2048).unwrap().wrapping_add(&modulus);
        assert_eq!(check(&sized(&shifted)), Err(CryptoError::Signature));
    }
}

/// The schemes do not verify each other, so that a message cannot choose one.
#[test]
fn schemes_are_apart() {
    let key = private("jdpay.key.pem");
    for made in RsaScheme::ALL {
        let signature = key.sign(made, b"text", &mut rng(22)).unwrap();
        for read in RsaScheme::ALL {
            assert_eq!(
                key.public().verify(read, b"text", &signature).is_ok(),
                made == read,
                "{made:?} {read:?}"
            );
        }
        assert_eq!(RsaScheme::parse(made.name()), Some(made));
    }
    let longest = vec![b'x'; 1024 / 8 - 11];
    assert!(key.sign(RsaScheme::Pkcs1Raw, &longest, &mut rng(23)).is_ok());
    let too_long = [longest.as_slice(), b"x"].concat();
    assert_eq!(
        key.sign(RsaScheme::Pkcs1Raw, &too_long, &mut rng(24)),
        Err(CryptoError::TooLong)
    );
    assert!(key.public().verify(RsaScheme::Pkcs1Raw, &too_long, &[1; 128]).is_err());
}

/// Blocks with any content between the padding: type 1 instead of 2, too little filling, no end.
fn encrypted(public: &RsaPublic, blocks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let openssl = OpenSsl::new();
    openssl.write("pub.pem", public.to_spki_pem().unwrap().as_bytes());
    let encrypt = |block: &Vec<u8>| {
        openssl.write("m", block);
        openssl.must("pkeyutl -encrypt -pkeyopt rsa_padding_mode:none -pubin -inkey pub.pem -in m -out c");
        openssl.read("c")
    };
    blocks.iter().map(encrypt).collect()
}

#[test]
fn no_padding_tells_itself_apart() {
    let key = private("wechatpay-java.key.pem");
    let filled = |head: &[u8], zero_at: Option<usize>| {
        let mut block = vec![0x5a; 256];
        block[..head.len()].copy_from_slice(head);
        if let Some(at) = zero_at {
            block[at] = 0;
        }
        block
    };
    let wrong = [
        filled(&[0, 1], Some(100)),
        filled(&[0, 2], None),
        filled(&[0, 2], Some(9)),
        filled(&[0, 2], Some(2)),
        filled(&[1, 2], Some(100)),
        filled(&[0, 0], Some(100)),
    ];
    for ciphertext in &encrypted(key.public(), &wrong) {
        let unwrap = |padding, seed| {
            key.unwrap(padding, ciphertext, &mut rng(seed))
                .map(|secret| secret.danger_expose().to_vec())
        };
        for padding in [RsaPadding::OaepSha1, RsaPadding::OaepSha256] {
            assert_eq!(unwrap(padding, 25), Err(CryptoError::Ciphertext));
        }
        // Other bytes instead of an error, the same at each attempt: nothing to compare.
        let first = unwrap(RsaPadding::Pkcs1, 26).unwrap();
        assert_eq!(unwrap(RsaPadding::Pkcs1, 27).unwrap(), first);
        assert!(
            !first.windows(8).any(|bytes| bytes == [0x5a; 8]),
            "nothing of the content comes out"
        );
    }
    let fitting = &encrypted(key.public(), &[filled(&[0, 2], Some(10))])[0];
    let good = key.unwrap(RsaPadding::Pkcs1, fitting, &mut rng(28)).unwrap();
    assert_eq!(good.danger_expose(), [0x5a; 245]);
}

#[test]
fn ciphertexts_of_wrong_lengths_and_numbers() {
    let key = private("wechatpay-java.key.pem");
    let modulus = key.public().modulus();
    for padding in RsaPadding::ALL {
        let good = key.public().wrap(padding, b"data key", &mut rng(29)).unwrap();
        for wrong in [&good[1..], &[&[0], good.as_slice()].concat(), &[], &modulus, &[0xff; 256]] {
            let refused = key.unwrap(padding, wrong, &mut rng(30)).err();
            assert_eq!(refused, Some(CryptoError::Ciphertext), "{} {}", padding.name(), wrong.len());
        }
        assert_eq!(key.public().wrap(padding, &[1; 246], &mut rng(31)), Err(CryptoError::TooLong));
        assert_eq!(key.public().wrap(padding, b"x", &mut ZeroRng), Err(CryptoError::Random));
        let again = key.public().wrap(padding, b"data key", &mut rng(32)).unwrap();
        assert_ne!(good, again);
    }
}

/// A broken source of randomness neither stops a private operation nor changes its result.
#[test]
fn constant_randomness_is_hedged() {
    let key = private("jdpay.key.pem");
    let signature = key.sign(RsaScheme::Pkcs1Sha256, b"text", &mut ZeroRng).unwrap();
    assert_eq!(key.sign(RsaScheme::Pkcs1Sha256, b"text", &mut rng(33)), Ok(signature));
    let wrapped = key.public().wrap(RsaPadding::Pkcs1, b"data key", &mut rng(34)).unwrap();
    let opened = key.unwrap(RsaPadding::Pkcs1, &wrapped, &mut ZeroRng).unwrap();
    assert_eq!(opened.danger_expose(), b"data key");
}

#[test]
fn keys_of_wrong_lengths() {
    for length in (0..40).filter(|length| ![16, 32].contains(length)) {
        let key = vec![7; length];
        assert!(AesCbc::new(&key).is_err() && AesEcb::new(&key).is_err() && AesGcm::new(&key).is_err());
        assert!(ZeroPaddedCbc::sm4(&key).is_err() && CupEcb::sm4(&key, CupForm::Digits).is_err());
        assert!(sm4_gcm_of_text(&key).is_err());
    }
    assert!(sm4_gcm_of_text(&[7; 16]).is_err() && ZeroPaddedCbc::sm4(&[7; 32]).is_err());
    for length in (0..40).filter(|length| ![8, 16, 24].contains(length)) {
        assert!(CupEcb::des(&vec![7; length]).is_err());
        assert!(TripleDes::new(&vec![7; length]).is_err());
    }
    let same = |left: &[u8; 8], middle: &[u8; 8], right: &[u8; 8]| [*left, *middle, *right].concat();
    let (a, b, c) = (b"abcdefgh", b"12345678", b"ABCDEFGH");
    let parity = &a.map(|byte| byte ^ 1);
    assert!(TripleDes::new(&same(a, b, c)).is_ok() && TripleDes::new(&same(a, b, a)).is_ok());
    for key in [same(a, a, c), same(a, c, c), same(a, a, a), same(a, parity, c)] {
        assert!(TripleDes::new(&key).is_err());
    }
    assert!(TripleDes::new(&[*a, *a].concat()).is_err(), "single DES under another name");
    assert!(HmacSha256::new(b"").is_err() && AesEcb::of_md5(b"").is_err());
    assert!(KeySuffix::new(Digest::Md5, b"short").is_err() && KeySuffix::of_hashed_key(Digest::Sm3, b"").is_err());
}

/// Every way to be wrong is the same error.
#[test]
fn block_paddings() {
    let (cbc, ecb) = (AesCbc::new(&[7; 16]).unwrap(), AesEcb::new(&[7; 16]).unwrap());
    let refused = Err(CryptoError::Ciphertext);
    for length in [0, 1, 15, 17, 31] {
        assert_eq!(cbc.decrypt(&[0; 16], &vec![1; length]), refused);
        assert_eq!(ecb.decrypt(&vec![1; length]), refused);
    }
    for (last, fits) in [
        ([1; 16], true),
        ([16; 16], true),
        ([0; 16], false),
        ([17; 16], false),
        ([0xff; 16], false),
        ([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3], false),
        ([16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 15, 16], false),
    ] {
        let mut block = last;
        ecb.encrypt_blocks(&mut block).unwrap();
        assert_eq!(ecb.decrypt(&block).is_ok(), fits, "{last:?}");
        let opened = cbc.decrypt(&[0; 16], &block);
        assert_eq!(opened.is_ok(), fits);
        assert!(fits || opened == refused);
    }
    let zero = ZeroPaddedCbc::sm4(&[7; 16]).unwrap();
    assert!(zero.encrypt(b"").is_err() && zero.encrypt(b"ends with \0").is_err());
    assert_eq!(zero.decrypt(&[]), refused);
    assert_eq!(zero.decrypt(&[1; 15]), refused);
}

#[test]
fn frames_of_triple_des() {
    let cipher = TripleDes::new(b"abcdefgh12345678ABCDEFGH").unwrap();
    let raw = |clear: &[u8]| {
        // What `encrypt_framed` would make of any block: found by its inverse on the frame of CBC with one block.
        let cbc = ZeroPaddedCbc::triple_des(b"abcdefgh12345678ABCDEFGH").unwrap();
        let mut sealed = Vec::new();
        for block in clear.chunks(8) {
            let mut block = block.to_vec();
            // The cipher takes no text that ends with zero, so a second block keeps the end.
            block.extend_from_slice(&[1; 8]);
            sealed.extend_from_slice(&cbc.encrypt(&block).unwrap()[..8]);
        }
        sealed
    };
    assert_eq!(raw(b"\0\0\0\x01a\0\0\0"), cipher.encrypt_framed(b"a").unwrap());
    assert_eq!(cipher.decrypt_framed(&raw(b"\0\0\0\x04abcd")), Ok(b"abcd".to_vec()));
    assert_eq!(cipher.decrypt_framed(&raw(&[0; 8])), Ok(Vec::new()));
    let refused = Err(CryptoError::Ciphertext);
    for wrong in [
        b"\0\0\0\x05abcd".as_slice(),
        b"\xff\xff\xff\xffabcd",
        b"\x80\0\0\x01abcd",
        b"\0\0\0\x01abcd",
        b"\0\0\0\x02ab\0\x01",
        b"\0\0\0\x01a\0\0\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(cipher.decrypt_framed(&raw(wrong)), refused, "{wrong:?}");
    }
    for length in [0, 1, 7, 9] {
        assert_eq!(cipher.decrypt_framed(&vec![1; length]), refused);
    }
}

#[test]
fn authenticated_parts() {
    let cipher = AesGcm::new(&[7; 32]).unwrap();
    let (sealed, tag) = cipher.seal(&[1; 12], b"aad", b"clear").unwrap();
    let refused = Err(CryptoError::Ciphertext);
    assert_eq!(cipher.open(&[1; 12], b"aad", &sealed, &tag), Ok(b"clear".to_vec()));
    assert_eq!(cipher.open(&[2; 12], b"aad", &sealed, &tag), refused);
    assert_eq!(cipher.open(&[1; 12], b"", &sealed, &tag), refused);
    assert_eq!(cipher.open(&[1; 12], b"aad", &sealed[1..], &tag), refused);
    for bit in 0..128 {
        let mut flipped = tag;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(cipher.open(&[1; 12], b"aad", &sealed, &flipped), refused);
    }
    let mac = CupEcb::des(&[7; 8]).unwrap();
    assert_eq!(mac.tag(&[]), Err(CryptoError::TooLong));
    assert!(mac.check(&[b"x"], &[]).is_err());
}
