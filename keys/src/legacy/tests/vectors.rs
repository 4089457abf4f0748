//! Named after where they are published.

use super::*;
use crate::certificate::{Certificate, CertificateKey};
use crate::legacy::aead::{AesGcm, sm4_gcm_of_text};
use crate::legacy::aes::{AesCbc, AesEcb};
use crate::legacy::des::TripleDes;
use crate::legacy::digest::{Digest, md5, sha1, sha256};
use crate::legacy::mac::{CupEcb, CupForm, HmacSha256, KeySuffix};
use crate::legacy::zero_padded::ZeroPaddedCbc;
use crate::testing::{bytes, hex};

mod jdpay;
mod unionpay;

#[test]
fn rfc_1321_fips_180_4_and_rfc_4231() {
    let check = |digest: Digest, text: &[u8], expected: &str| assert_eq!(digest.hex_of(&[text]), expected);
    check(Digest::Md5, b"", "d41d8cd98f00b204e9800998ecf8427e");
    check(Digest::Md5, b"message digest", "f96b697d7cb7938d525a2f31aaf161d0");
    check(Digest::Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    let abc = concat!("ba7816bf8f01cfea414140de5dae2223", "b00361a396177a9cb410ff61f20015ad");
    check(Digest::Sha256, b"abc", abc);
    assert_eq!(
        md5(&[b"message", b" digest"]),
        md5(&[b"message digest"]),
        "parts are one text"
    );
    assert_eq!(
        (sha1(&[b"a", b"bc"]), sha256(&[b"", b"abc"])),
        (sha1(&[b"abc"]), sha256(&[b"abc"]))
    );
    let tag = HmacSha256::new(&[0x0b; 20]).unwrap().tag(&[b"Hi ", b"There"]);
    let expected = concat!("b0344c61d8db38535ca8afceaf0bf12b", "881dc200c9833da726e9376c2e32cff7");
    assert_eq!(tag, hex(expected));
}

/// NIST SP 800-38A F.1.1, F.1.5, F.2.1 and F.2.5, first blocks; the padding adds one.
#[test]
fn nist_sp_800_38a() {
    let clear = bytes("6bc1bee22e409f96e93d7e117393172a");
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    let small = bytes("2b7e151628aed2a6abf7158809cf4f3c");
    let large = bytes(concat!(
        "603deb1015ca71be2b73aef0857d7781",
        "1f352c073b6108d72d9810a30914dff4"
    ));
    let first = |sealed: Vec<u8>| crate::hex::encode(&sealed[..16]);
    for (key, ecb, cbc) in [
        (small, "3ad77bb40d7a3660a89ecaf32466ef97", "7649abac8119b246cee98e9b12e9197d"),
        (large, "f3eed1bdb5d2a03c064b5a7e3db181f8", "f58c4c04d6e5f1ba779eabfb5f7bfbd6"),
    ] {
        assert_eq!(first(AesEcb::new(&key).unwrap().encrypt(&clear).unwrap()), ecb);
        let cipher = AesCbc::new(&key).unwrap();
        assert_eq!(first(cipher.encrypt(&iv, &clear).unwrap()), cbc);
        let sealed = cipher.encrypt(&iv, &clear).unwrap();
        assert_eq!((sealed.len(), cipher.decrypt(&iv, &sealed)), (32, Ok(clear.clone())));
    }
}

/// `facts` 1a: WeChat Pay's documented sample.
#[test]
fn wechat_pay_api_v2_sign_sample() {
    let text = b"appid=wxd930ea5d5a258f4f&body=test&device_info=1000&mch_id=10000100&nonce_str=ibuaiVcKdpRxkhJA&key=";
    let key = b"192006250b4c09247ec02edce69f6a2d";
    let shown = |tag: &[u8]| crate::hex::encode(tag).to_ascii_uppercase();
    let md5 = KeySuffix::new(Digest::Md5, key).unwrap();
    assert_eq!(shown(&md5.tag(&[text])), "9A0A8659F005D6984697E2CA0A9CF3B7");
    let hmac = HmacSha256::new(key).unwrap().tag(&[text, key]);
    let expected = concat!("6A9AE1657590FD6257D693A078E1C3E4", "BB6BA4DC30B23E0EE2496E54170DACD6");
    assert_eq!(shown(&hmac), expected);
}

/// `facts` 1b: `wechatpay-php : tests/Crypto/AesEcbTest.php`.
#[test]
fn wechatpay_php_aes_ecb_test() {
    let cipher = AesEcb::new(b"0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!(to_base64(&cipher.encrypt(b"hello").unwrap()), "pZwJZBLuy3mDACEQT4YTBw==");
    assert_eq!(cipher.decrypt(&base64("pZwJZBLuy3mDACEQT4YTBw==")), Ok(b"hello".to_vec()));
    // A refund notice is under the hex digits of the key's MD5.
    let notice = AesEcb::of_md5(b"192006250b4c09247ec02edce69f6a2d").unwrap();
    let same = AesEcb::new(Digest::Md5.hex_of(&[b"192006250b4c09247ec02edce69f6a2d"]).as_bytes()).unwrap();
    assert_eq!(same.decrypt(&notice.encrypt(b"<root/>").unwrap()), Ok(b"<root/>".to_vec()));
}

fn opens(cipher: &AesGcm, nonce: &[u8; 12], additional: &[u8], sealed: &str, clear: &[u8]) {
    let sealed = base64(sealed);
    let (ciphertext, tag) = sealed.split_last_chunk().unwrap();
    assert_eq!(cipher.open(nonce, additional, ciphertext, tag), Ok(clear.to_vec()));
    let (again, tag_again) = cipher.seal(nonce, additional, clear).unwrap();
    assert_eq!((again.as_slice(), &tag_again), (ciphertext, tag));
    assert!(cipher.open(nonce, b"other", ciphertext, tag).is_err());
}

/// `facts` 2a and 2c: `wechatpay-java : AeadAesCipherTest`, `wechatpay-go : utils/aes_test.go` (whose key has 16 bytes).
#[test]
fn wechatpay_java_and_go_aead_aes_256_gcm() {
    let java = AesGcm::new(b"a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb").unwrap();
    let sealed = "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI=";
    opens(&java, b"uluk4a9R25RW", b"associatedData", sealed, b"message");
    let go = AesGcm::new(b"testAPIv3Key0000").unwrap();
    let sealed = "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC";
    opens(
        &go,
        b"wCq51qZv4Yfg",
        b"Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8",
        sealed,
        b"Hello World",
    );
}

/// `facts` 3a: `wechatpay-java : shangmi-testing/.../BaseAeadSM4Test.java`.
#[test]
fn wechatpay_java_base_aead_sm4_test() {
    let cipher = sm4_gcm_of_text(b"a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb").unwrap();
    let open = |sealed: &str| {
        let sealed = base64(sealed);
        let (ciphertext, tag) = sealed.split_last_chunk().unwrap();
        cipher.open(b"uluk4a9R25RW", b"associatedData", ciphertext, tag)
    };
    assert_eq!(open("+lcLNfkZQQx+iQm20Apa3x9Mb/5L7PgZ7w=="), Ok(b"plaintext".to_vec()));
    assert!(open("+lcLNfkZQQx+iQm20Apa3x9Mb/5L7PgZ8w==").is_err());
}

/// `facts` 2d: `wechatpay-go : utils/sign_test.go`.
#[test]
fn wechatpay_go_sign_test() {
    let key = private("wechatpay-go.key.pem");
    let expected = concat!(
        "BKyAfU4iMCuvXMXS0Wzam3V/cnxZ+JaqigPM5OhljS2iOT95OO6Fsuml2JkFANJU9K6q9bLlDhPXuoVz+pp4hAm6pHU4ld815U4jsKu1RkyaII+1",
        "CYBUYC8TK0XtJ8FwUXXz8vZHh58rrAVN1XwNyvD1vfpxrMT4SL536GLwvpUHlCqIMzoZUguLli/K8V29QiOhuH6IEqLNJn8e9b3nwNcQ7be3CzYG",
        "pDAKBfDGPCqCv8Rw5zndhlffk2FEA70G4hvMwe51qMN/RAJbknXG23bSlObuTCN7Ndj1aJGH6/L+hdwfLpUtJm4QYVazzW7DFD27EpSQEqA8bX9+8m1r",
        "Lg=="
    );
    let signature = key.sign(RsaScheme::Pkcs1Sha256, b"source", &mut rng(1)).unwrap();
    assert_eq!(to_base64(&signature), expected);
    assert_eq!(key.public().verify(RsaScheme::Pkcs1Sha256, b"source", &signature), Ok(()));
}

/// `facts` 2f: `wechatpay-java : RSAVerifierTest`, `RSAPrivacyDecryptorTest`.
#[test]
fn wechatpay_java_rsa_verifier_and_privacy_decryptor() {
    let certificate = Certificate::from_pem(&pem("wechatpay-java.cert.pem")).unwrap();
    assert_eq!(certificate.serial_hex(), "5F1C72E2A8931B72A2E13AF8DEE92471EB397115");
    let CertificateKey::Rsa(public) = certificate.public_key().unwrap() else {
        panic!("not an RSA key");
    };
    let signature = base64(concat!(
        "Rq+5ZpWV6IHTWE1+9gCrYJKguNgbItpMdlIA+PVCPCdUAKNlohZz7CL7Y8xWDIFJjdGnErMj6Z+Q/h9CF5MV+nAVkqDmBR0uP5pp",
        "sUEzco4ijvKHsvI2ro4boSW6vSfQs3W8I4QSI9a0/NFIgvj83Fv27LIYZf7deaFWmEwd1fpAeJRCyoKyBeJPdsjVx0//Lqe6",
        "Wze2zVdliLcBvaHCfpd8+rAVGS+FQDeWgHqJ7n/Zy09LmV1/ghs7pO1mdjdD16SHKlysAD3K5hNGUJX/SHrEXEcu1yO1AOb/",
        "YvOVkjNh8243rcfXNE5L4ph2XS11vS+2aToKYSOcKUagf0LLaw=="
    ));
    assert_eq!(public.verify(RsaScheme::Pkcs1Sha256, b"message", &signature), Ok(()));
    assert!(public.verify(RsaScheme::Pkcs1Sha256, b"massage", &signature).is_err());
    let sealed = base64(concat!(
        "Qqsluo7R1IZyAqdkm/jBzwXDP5VndCwwFbRA+yILFTYciZzrRChQIQ7SKuI2k3YSR5auB3Zsp",
        "djR1WPB3PTCKe6BCFx3NnaPWhSwonYTmW8ZseXjkbcYSbKL5O/6dr6Zftg3t2A2FUd97acjM1fr2EIvIvRieQ3Hl8qVkDBY9520wm1rz",
        "vePUnxQWN70RZiBcqr7O7Gb0gU3l7FkvoUFSbY44HgDJetmVow3yGIV3Tcd45o2MNQ+5F1qvjIjb3/6dkGKce4/kNTYraUMO6o6kfFXl",
        "fg+bFRIiz8hiUpbToWdu7g0R5Hq0/YIE5vw/5Ms4gbk2HIQIfOLkY8sEPjYHA=="
    ));
    let key = private("wechatpay-java.key.pem");
    assert_eq!(key.public(), &public);
    let opened = key.unwrap(RsaPadding::OaepSha1, &sealed, &mut rng(2)).unwrap();
    assert_eq!(opened.danger_expose(), b"plaintext");
    assert!(key.unwrap(RsaPadding::OaepSha256, &sealed, &mut rng(3)).is_err());
}

/// `facts` 4a: `alipay-sdk-nodejs-all : test/alipay.test.ts`, a signature of production.
#[test]
fn alipay_sdk_nodejs_response_signature() {
    let key = RsaPublic::from_pem(&pem("alipay.pub.pem")).unwrap();
    let text = br#"{"code":"10000","msg":"Success","file_id":"CAxAToWB1JsAAAAAAAAAAAAADgSLAQBr"}"#;
    let signature = base64(concat!(
        "F+LDzpTNiavn7xVZPGuPCSSVRSmWzJGgtuji6tVELGEaqMaNj0jRKXUEr5nloZJBBmwEnddOyCjjepMmrTKTvoOqQ0Efxpr/R1iEeHTHVbb/Q8TT",
        "h6Up5gHJDkILdaWS2q1cWeQ6VT+HQY9P3WRXS7uhILHuDODIhpAyCu5KhWGt0rMCIG+Im6NODJP2oohtSCtmTFXg58HH587Z2y2bdbjzOxLvzD9IrU1i",
        "mghXQ2S/Q+wMIvRk9on6cWnBLkrNvJKapA2ReNGWOwyuASvB9zDVzhMPbR+3mfRGkVDxsq5HYLjBKGskJMXHw0HuugZij6ScRuaLPODhmHwr/pJ9yw=="
    ));
    assert_eq!(key.verify(RsaScheme::Pkcs1Sha256, text, &signature), Ok(()));
    assert!(
        key.verify(RsaScheme::Pkcs1Sha256, &text[..text.len() - 1], &signature)
            .is_err()
    );
    for scheme in RsaScheme::ALL.into_iter().filter(|scheme| *scheme != RsaScheme::Pkcs1Sha256) {
        assert!(key.verify(scheme, text, &signature).is_err(), "{}", scheme.name());
    }
}

/// `facts` 8a to 8d: the MAC field of real terminals, and the published steps of the SM4 variant.
#[test]
fn cup_ecb_of_terminals() {
    let frame = bytes(concat!(
        "007f600003000060321032007202003020048000c080150000000000000012340000020300993030303030303031393532373138313832323137",
        "38373531353600192600000100060000000000435f01123238343431323334353637383930313233345f03063136303033365f04063230303832",
        "365c0230314233413039324145"
    ));
    let (message, mac) = frame[13..].split_last_chunk::<8>().unwrap();
    for key in ["0723C80DB5F4CD3D", "0723C80DB5F4CD3D0723C80DB5F4CD3D"] {
        let key = CupEcb::des(&bytes(key)).unwrap();
        assert_eq!(key.tag(&[message]), Ok(*mac), "cnblogs 128930");
        assert_eq!(key.check(&[message], mac), Ok(()));
        assert!(key.check(&[&message[1..]], mac).is_err() && key.check(&[message], &mac[..7]).is_err());
    }
    let key = CupEcb::des(&bytes("55036372B17543ECB173730768B8D6C4")).unwrap();
    assert_eq!(
        key.tag(&[&bytes("1212B04E1227809C")]),
        Ok(hex("3546453035384442")),
        "csdn 94665452"
    );
    let text = b"6000112018111411003020170930101010120171025000755000000005553";
    let key = bytes("12345678901234567890123456789012");
    let digits = CupEcb::sm4(&key, CupForm::Digits).unwrap().tag(&[text]);
    assert_eq!(digits, Ok(*b"1E80F373"), "jianshu cff10e8594dd");
    let raw = CupEcb::sm4(&key, CupForm::Bytes).unwrap().tag(&[text]);
    assert_eq!(raw, Ok(hex("1E80F37340B0FEE6")));
}
