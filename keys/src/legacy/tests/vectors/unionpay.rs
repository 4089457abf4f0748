//! `facts` 6a and 6b: `yansongda/pay : VerifySignaturePluginTest`, and `UnionPay`'s own example without a card, `CupSecTest`.

use super::*;

/// An answer of `UnionPay`'s test gateway, version 5.1.0, signMethod 01.
#[test]
fn answer_of_the_test_gateway() {
    let certificate = pem("unionpay.cert.pem");
    let CertificateKey::Rsa(key) = Certificate::from_pem(&certificate).unwrap().public_key().unwrap() else {
        panic!("not an RSA key");
    };
    let text = [
        "accNo=dZRvehtDtCcBPbPBVJk+ezkyeXkF07UnbKwr8/012R5XSsDLE4RqpHSLis7WCItKIf6SYUcXCLHYpV9deIfnJfziDGpUdQXnlPfejrw5pKgl",
        "zjKI/pRYg0ApNomryVBIoUIdTwlpELh048ITEojRgJwzaazWdLaB5iZPeN22E2KP7JkfwsYHEclVpLY4tYEc35IjMpWCs0i8U5KY4qAJ3zXpCFIur4x+",
        "9z4gyK89Mwf+csowScvfDbFBsqTpClQlNRJ6lLWOrISNnlCdc1ONK4QVhabDTTWsemM7PSuya2e3imeZFfRYDmSv6W1eMIs0gbRo8BxOr3suUhb2ukPL",
        "7w==&accessType=0&bizType=000000&currencyCode=156&encoding=utf-8&issuerIdentifyMode=0&merId=777290058167151",
        "&orderId=pay20220911041647&origRespCode=00&origRespMsg=\u{6210}\u{529f}[0000000]&queryId=512209110416475616528",
        "&respCode=00&respMsg=\u{6210}\u{529f}[0000000]&settleAmt=1&settleCurrencyCode=156&settleDate=0911&signMethod=01",
        "&signPubKeyCert=",
        certificate.trim_end().replace('\n', "\r\n").as_str(),
        "&traceNo=561652&traceTime=0911041647&txnAmt=1&txnSubType=01&txnTime=20220911041647&txnType=01&version=5.1.0",
    ]
    .concat();
    let signature = base64(concat!(
        "b59zh7aztBFNDNmCBOR4189VeG3Vypvuf7H3izqA4etA0AtsjtzV7RXigEFlNXaIHSTSkbAUfPXevY3nX18umwQSFsSphF5C+DiMzBmEJNo9vNiX",
        "1kpaeQPlXQfXTDQqmDjdQ4lyeNw/aDx6MHww2D8wpkUem+50cyWOeO1/brHDxwt8N/R2LMRC8QTFIg48N+9UZu6QDIUybQYBAoVS6F0emMxFTpAhVi85",
        "RVqIDofStiGhHZw7UocW0hw96+JSExyhc6WXEvmLW41DI3PqRxVu+HacjZqeU+siH7V9pdTPV7Yi3ATznzRhmufvN7r1LJmf/4GkGI1ayM3WLubZjg=="
    ));
    assert_eq!(key.verify(RsaScheme::Pkcs1Sha256OfHex, text.as_bytes(), &signature), Ok(()));
    assert!(key.verify(RsaScheme::Pkcs1Sha256, text.as_bytes(), &signature).is_err());
    let lines = text.replace("\r\n", "\n");
    assert!(key.verify(RsaScheme::Pkcs1Sha256OfHex, lines.as_bytes(), &signature).is_err());
}

/// What is signed is a digest of the message, by `SHA256withRSA`: the second of the two hashes.
#[test]
fn double_hash_without_a_card() {
    let key = private("unionpay-quick.key.pem");
    let digest = bytes(concat!(
        "8a832653b2af780a66bde8fe00c3927e",
        "28acc8bcd7bd296e86d0bd23c1ad5e8a"
    ));
    let expected = concat!(
        "kU1SRKzUqpUf2K2X9C7awGgVkgHaUBP/dlQnzQ0hlGa8qAF6mqh3B5keYWqqCol9rWZ2bS8Gu/sVF19zcQAq856L071MM0VkRoMiggGjXc43uc1K",
        "C/EtDFo1emJoA/U2TWshDD5OvhHBOVeebXZlvCBD6CnMkTZTaJw1a+oOy30="
    );
    let signature = key.sign(RsaScheme::Pkcs1Sha256, &digest, &mut rng(5)).unwrap();
    assert_eq!(to_base64(&signature), expected);
    let twice = key.sign(RsaScheme::Pkcs1Sha256OfDigest, b"<root/>", &mut rng(6)).unwrap();
    let once = key.sign(RsaScheme::Pkcs1Sha256, &sha256(&[b"<root/>"]), &mut rng(7)).unwrap();
    assert_eq!(twice, once);
}

/// The same with SM2: the digest by SM3 is the text, and the example's user id is one zero byte.
#[test]
fn double_hash_without_a_card_by_sm2() {
    use crate::sm2::{Engine, PrivateKey};
    let d = hex(concat!(
        "9db5db4c74141ab033132c1eb11ed6a5",
        "c77c0f7652df0715a6735d606a61fce5"
    ));
    let key = PrivateKey::from_bytes(&d).unwrap();
    let digest = bytes(concat!(
        "322c722c393c7cc01f32ae346e5d37ee",
        "67d1f74988a3f384751d25e7369998a6"
    ));
    let signature = base64("IUu0jFXHRGrPweCezQY9/Ntef3AVNWkmKmA5QUksCdGRPhtSx8MKBec9hOCq3FIthpaGctYzZLeKlkzZmEnpLQ==");
    let signature: [u8; 64] = signature.try_into().unwrap();
    for engine in [Engine::Native, Engine::Reference] {
        let verified = |user_id: &[u8]| engine.verifier(key.public(), user_id).unwrap().verify(&digest, &signature);
        assert_eq!(verified(&[0]), Ok(()));
        assert!(verified(b"1234567812345678").is_err());
    }
}

#[test]
fn sensitive_element() {
    let clear = b"<ExpDt>a022</ExpDt><CvnNo></CvnNo>";
    let check = |cipher: ZeroPaddedCbc, sealed: &str| {
        assert_eq!(to_base64(&cipher.encrypt(clear).unwrap()), sealed);
        assert_eq!(cipher.decrypt(&base64(sealed)), Ok(clear.to_vec()));
    };
    check(
        ZeroPaddedCbc::triple_des(b"123456782234567832345678").unwrap(),
        "cgmlbh1cMcuA4l46nGHpjjrlF7PBh0cusu6Xu3q6/bNRUxehOVY4OQ==",
    );
    check(
        ZeroPaddedCbc::sm4(b"1234567890123456").unwrap(),
        "U7OeiVFSnYTImx5JjhvlhUQM8GxD2PLCeVD9MJ6X5w5I4GRMm2JySzGnxxtHyb+f",
    );
}

/// signMethod 11 and 12 as the specification states them; no vector with its key is published.
#[test]
fn digest_over_text_and_hashed_key() {
    for digest in [Digest::Sha256, Digest::Sm3] {
        let key = KeySuffix::of_hashed_key(digest, b"979da4cfccbae7923641daa5dd7047c2").unwrap();
        let hashed = digest.hex_of(&[b"979da4cfccbae7923641daa5dd7047c2"]);
        let expected = digest.of(&[format!("a=1&b=2&{hashed}").as_bytes()]);
        assert_eq!(key.tag(&[b"a=1&b=2", b"&"]), expected);
        assert_eq!(key.check(&[b"a=1&b=2&"], &expected), Ok(()));
        assert!(key.check(&[b"a=1&b=3&"], &expected).is_err());
    }
}
