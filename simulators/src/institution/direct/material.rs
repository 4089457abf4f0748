//! Which keys a link with an institution needs, read from its spec.

use super::habits::named_by_serial;
use crate::counterparty::mac_algorithm;
use codecs::envelope::{
    CapsuleScheme, EachCipher, MacKind, SealingScheme, SessionCipher, SignatureScheme, TextCipher, WholeScheme,
};
use codecs::spec::Spec;
use keys::algorithm::Algorithm;
use keys::key::Usage;
use keys::store::DemoKey;
use std::sync::Arc;

/// The suite to try an institution out with: Chinese algorithms where it knows them, RSA last since its keys are slow to make.
pub fn suite(spec: &Arc<Spec>) -> &Arc<Spec> {
    let rank = |spec: &Arc<Spec>| match spec.signature_scheme() {
        SignatureScheme::Sm2(_) | SignatureScheme::Mac(MacKind::HmacSm3 | MacKind::Sm3KeyDigest) => 0,
        SignatureScheme::Mac(_) => 1,
        SignatureScheme::Rsa(_) | SignatureScheme::None => 2,
    };
    spec.suites().min_by_key(|spec| rank(spec)).unwrap_or(spec)
}

/// The kinds of keys that both ends of a link of this spec need.
pub fn keys(spec: &Spec) -> Vec<DemoKey> {
    let signs = match spec.signature_scheme() {
        SignatureScheme::None => None,
        SignatureScheme::Sm2(_) => Some((Usage::Sign, Algorithm::Sm2)),
        SignatureScheme::Rsa(_) => Some((Usage::Sign, Algorithm::Rsa)),
        SignatureScheme::Mac(kind) => Some((Usage::Mac, mac_algorithm(kind))),
    };
    let seals = spec.sealing_scheme().map(|scheme| (Usage::Seal, wrapping(scheme)));
    let whole = spec.whole_scheme().map(|scheme| (Usage::Seal, whole(scheme)));
    let capsule = spec.capsule().map(|scheme| (Usage::Seal, around(scheme)));
    // A terminal's own MAC key serves until it has signed in.
    let master = master(spec).map(|algorithm| (Usage::Seal, algorithm));
    let key = |(usage, algorithm)| DemoKey {
        usage,
        algorithm,
        holder: spec
            .example_signer()
            .map(ToOwned::to_owned)
            .filter(|_| algorithm.secret_bytes().is_some()),
        named_by_serial: usage == Usage::Sign && algorithm == Algorithm::Sm2 && named_by_serial(spec),
    };
    [signs, seals, whole, capsule, master]
        .into_iter()
        .flatten()
        .map(key)
        .collect()
}

/// Under which a terminal gets its working keys.
fn master(spec: &Spec) -> Option<Algorithm> {
    let SignatureScheme::Mac(kind) = spec.signature_scheme() else {
        return None;
    };
    let algorithm = match kind {
        MacKind::CupEcbDes => Algorithm::TerminalDes,
        MacKind::CupEcbTripleDes => Algorithm::TerminalTripleDes,
        MacKind::CupEcbSm4 | MacKind::CupEcbSm4Bytes => Algorithm::TerminalSm4,
        MacKind::HmacSm3
        | MacKind::HmacSha256
        | MacKind::HmacSha256Key
        | MacKind::Md5Key
        | MacKind::Sha256Key
        | MacKind::Sha256KeyDigest
        | MacKind::Sm3KeyDigest => return None,
    };
    Some(algorithm).filter(|_| spec.has_sign_in())
}

const fn wrapping(scheme: SealingScheme) -> Algorithm {
    match scheme {
        SealingScheme::Sm4Gcm
        | SealingScheme::TextKey(TextCipher::Sm4 | TextCipher::Sm4Bytes)
        | SealingScheme::Session(SessionCipher::Sm4)
        | SealingScheme::Each(EachCipher::Sm2) => Algorithm::Sm2,
        SealingScheme::TextKey(TextCipher::Aes256)
        | SealingScheme::Session(SessionCipher::TripleDes)
        | SealingScheme::Each(EachCipher::RsaOaepSha1 | EachCipher::RsaPkcs1) => Algorithm::Rsa,
    }
}

const fn whole(scheme: WholeScheme) -> Algorithm {
    match scheme {
        WholeScheme::Aes256Gcm => Algorithm::Aes256Gcm,
        WholeScheme::Sm4Gcm => Algorithm::Sm4GcmText,
        WholeScheme::AesCbc => Algorithm::AesCbc,
        WholeScheme::AesEcbMd5 => Algorithm::AesEcbMd5,
    }
}

const fn around(scheme: CapsuleScheme) -> Algorithm {
    match scheme {
        CapsuleScheme::TripleDesFramed => Algorithm::TripleDesEcb,
    }
}
