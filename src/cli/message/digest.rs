//! Z and e of GB/T 32918.2 (5.5, 6.1) for a public key and a user id, to be compared with a counterparty's figures.
//!
//! Public values only; signing and verifying are the business of `keys`.

use keys::sm2::PublicKey;
use keys::sm3::sm3;

/// Z = SM3(ENTL || ID || a || b || xG || yG || xA || yA).
pub(super) fn z(key: &PublicKey, user_id: &[u8]) -> Option<[u8; 32]> {
    let bits = u16::try_from(user_id.len().checked_mul(8)?).ok()?;
    let curve: Vec<u8> = CURVE.iter().flat_map(|word| word.to_be_bytes()).collect();
    Some(sm3(&[&bits.to_be_bytes(), user_id, &curve, &key.point()]))
}

/// e = SM3(Z || M).
pub(super) fn e(z: &[u8; 32], message: &[u8]) -> [u8; 32] {
    sm3(&[z, message])
}

/// a, b, xG and yG of the recommended curve (GB/T 32918.5), 256 bits each.
const CURVE: [u128; 8] = [
    0xffff_fffe_ffff_ffff_ffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000_ffff_ffff_ffff_fffc,
    0x28e9_fa9e_9d9f_5e34_4d5a_9e4b_cf65_09a7,
    0xf397_89f5_15ab_8f92_ddbc_bd41_4d94_0e93,
    0x32c4_ae2c_1f19_8119_5f99_0446_6a39_c994,
    0x8fe3_0bbf_f266_0be1_715a_4589_334c_74c7,
    0xbc37_36a2_f4f6_779c_59bd_cee3_6b69_2153,
    0xd0a9_877c_c62a_4740_02df_32e5_2139_f0a0,
];
