//! `facts` 5: `genkin-he/jdpay : test/jd_pay/{des,sign,service}_test.rb`, JD's public test merchant.

use super::*;

const RESULT: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><jdpay><version>V2.0</version><merchant>22294531</merchant><result><code>000000</code>"#,
    "<desc>\u{6210}\u{529f}</desc></result><tradeNum>1494236491939_r</tradeNum><oTradeNum>1494236491939</oTradeNum>",
    "<amount>1</amount><currency>CNY</currency><tradeTime>20170508180239</tradeTime><note></note><status>1</status></jdpay>"
);

#[test]
fn signature_of_jd_s_server() {
    let key = RsaPublic::from_pem(&pem("jdpay.pub.pem")).unwrap();
    assert_eq!(key.bits(), 1024);
    let signature = base64(concat!(
        "W4g4PwHlh7OM60uz72MYH4+5PW1lJyFoHiKGFczOGDHdATqAAqbRy4p+sXU04FlsA29UpEfY3Fsct1IAhL5D7y1/tgZDRB+tGe1Tm0zTeFcK",
        "QjV8UU7bfRC+Mi3OdQgQvJ2JIIJcsxpXyQmeG2Vr/77aPhCY8hNEQObDp8fDDFc="
    ));
    let digest = concat!("399694d732bcf5cceaa1b0dd65759371", "8f35f00b858133407d8543ec82517943");
    assert_eq!(Digest::Sha256.hex_of(&[RESULT.as_bytes()]), digest);
    assert_eq!(
        key.verify(RsaScheme::Pkcs1RawHexDigest, RESULT.as_bytes(), &signature),
        Ok(())
    );
    assert_eq!(key.verify(RsaScheme::Pkcs1Raw, digest.as_bytes(), &signature), Ok(()));
    for scheme in RsaScheme::ALL
        .into_iter()
        .filter(|scheme| *scheme != RsaScheme::Pkcs1RawHexDigest)
    {
        assert!(
            key.verify(scheme, RESULT.as_bytes(), &signature).is_err(),
            "{}",
            scheme.name()
        );
    }
}

#[test]
fn signature_of_the_merchant() {
    let text = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><jdpay><amount>1</amount><currency>CNY</currency><merchant>22294531</merchant>"#,
        "<note></note><notifyUrl>http://10.13.81.116:63917/AsynNotifyHandler.ashx</notifyUrl><oTradeNum>1494236491939</oTradeNum>",
        "<tradeNum>1494236491939_r</tradeNum><tradeTime>20170508174906</tradeTime><version>V2.0</version></jdpay>"
    );
    let expected = concat!(
        "UlcPzSqTH+E/zCqZFUFsY+zZ7mj7sS1XF9By2HEb9a0v6s0px6cUjTMU8J5YmJ521DkePRDiA3XXISls9XDISsZvRXJBfBe9pOLf09HzJza4",
        "5x4iMuuSyxeaGEGLHo5b9bAGslcwFPNZ14yxbGcptQ4tcvO30yNDbsWroTMzGZo="
    );
    let key = private("jdpay.key.pem");
    let signature = key.sign(RsaScheme::Pkcs1RawHexDigest, text.as_bytes(), &mut rng(4)).unwrap();
    assert_eq!(to_base64(&signature), expected);
}

#[test]
fn framed_triple_des() {
    let cipher = TripleDes::new(&base64("ta4E/aspLA3lgFGKmNDNRYU92RkZ4w2t")).unwrap();
    for (clear, sealed) in [
        ("CNY", "ac7132c57f10d3ce"),
        ("1", "e5a6c3761ab9ddaf"),
        ("0", "e00c693e6c5b8a60"),
        ("20170718101010", "d9668085c69c2ecb73421627b78590400135be4ad908a2a7"),
        ("12345678", "b9a9953b73f9f8eb3612d06b873f74e9"),
        ("\u{6d4b}\u{8bd5}\u{5546}\u{54c1}", "25fc4ff3e72f364fc1d80691e88fd7df"),
        ("0000001", "29d899fc35dc7aa50640156c06e5ec0f"),
    ] {
        assert_eq!(crate::hex::encode(&cipher.encrypt_framed(clear.as_bytes()).unwrap()), sealed);
        assert_eq!(cipher.decrypt_framed(&bytes(sealed)), Ok(clear.as_bytes().to_vec()));
    }
}
