//! Digests by name: MD5, SHA-1, SHA-256, and SM3 beside them for schemes that exist in both worlds.

use crate::hex;
use crate::sm3::sm3;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sm3,
}

impl Digest {
    pub const ALL: [Self; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sm3];

    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sm3 => "sm3",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.name() == name)
    }

    /// Digest of the parts in order.
    pub fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Md5 => md5(parts).to_vec(),
            Self::Sha1 => sha1(parts).to_vec(),
            Self::Sha256 => sha256(parts).to_vec(),
            Self::Sm3 => sm3(parts).to_vec(),
        }
    }

    /// The digest as text of lower-case hexadecimal digits, which some institutions sign in place of the digest.
    pub fn hex_of(self, parts: &[&[u8]]) -> String {
        hex::encode(&self.of(parts))
    }
}

pub fn md5(parts: &[&[u8]]) -> [u8; 16] {
    digest::<Md5>(parts).into()
}

pub fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    digest::<Sha1>(parts).into()
}

pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest::<Sha256>(parts).into()
}

fn digest<D: sha2::Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut state = D::new();
    for part in parts {
        state.update(part);
    }
    state.finalize()
}
