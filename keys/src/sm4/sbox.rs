//! The substitution of SM4 (GB/T 32907 6.2) as a circuit of AND, XOR and NOT over bits, many bytes at once: no table, no
//! branch.
//!
//! It is an affine map, an inversion in GF(2^8) and an affine map (Liu and others, "Analysis of the SMS4 Block Cipher", 2007).
//! The inversion is that of Boyar and Peralta ("A Small Depth-16 Circuit for the AES S-Box", 2012) over the tower field of AES;
//! the two linear layers around it bring SM4's field to that of AES, chosen among all maps that do as those with the fewest
//! gates (common sums by Paar's greedy method).

use std::ops::{BitAnd, BitXor, Not};

/// Bits of as many bytes as it is wide.
pub(super) trait Lanes: Copy + BitXor<Output = Self> + BitAnd<Output = Self> + Not<Output = Self> {}

impl Lanes for u32 {}

/// x[i] and the result's [i] hold bit i of every byte, the lowest first.
#[expect(clippy::inline_always, reason = "lanes stay in registers")]
#[inline(always)]
pub(super) fn substitute<T: Lanes>(x: &[T; 8]) -> [T; 8] {
    let y = top(x);
    bottom(&products(&y, &inverse(&y)))
}

/// The sums of bits that the inversion multiplies.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn top<T: Lanes>(x: &[T; 8]) -> [T; 22] {
    let a0 = x[2] ^ x[3];
    let a1 = x[4] ^ x[7];
    let a2 = x[0] ^ x[5];
    let a3 = x[1] ^ x[6];
    let a4 = x[6] ^ a2;
    let a5 = a0 ^ a3;
    let a6 = x[5] ^ a1;
    let a7 = x[0] ^ x[3];
    let a8 = a0 ^ a4;
    let a9 = a1 ^ a5;
    let a10 = x[0] ^ a9;
    let a11 = x[1] ^ x[4];
    let a12 = x[1] ^ x[5];
    let a13 = x[1] ^ a6;
    let a14 = x[2] ^ x[6];
    let a15 = x[2] ^ a3;
    let a16 = x[3] ^ a2;
    let a17 = x[4] ^ a0;
    let a18 = x[4] ^ a3;
    let a19 = x[7] ^ a8;
    let a20 = a0 ^ a12;
    let a21 = a1 ^ a4;
    let a22 = a1 ^ a7;
    let a23 = a2 ^ a11;
    let a24 = a5 ^ a6;
    [
        a16, !a1, !a23, !a4, !a9, a14, a22, a19, a21, a8, a10, a18, a5, a17, x[1], a6, a13, !a7, x[7], a20, a24, a15,
    ]
}

/// The inverse in GF(2^4), with sums of its parts.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn inverse<T: Lanes>(y: &[T; 22]) -> [T; 9] {
    let t2 = y[11] & y[14];
    let t3 = y[2] & y[5];
    let t4 = t3 ^ t2;
    let t5 = y[3] & y[21];
    let t6 = t5 ^ t2;
    let t7 = y[12] & y[15];
    let t8 = y[4] & y[0];
    let t9 = t8 ^ t7;
    let t10 = y[1] & y[6];
    let t11 = t10 ^ t7;
    let t12 = y[8] & y[10];
    let t13 = y[13] & y[16];
    let t14 = t13 ^ t12;
    let t15 = y[7] & y[9];
    let t16 = t15 ^ t12;
    let t17 = t4 ^ t14;
    let t18 = t6 ^ t16;
    let t19 = t9 ^ t14;
    let t20 = t11 ^ t16;
    let t21 = t17 ^ y[19];
    let t22 = t18 ^ y[18];
    let t23 = t19 ^ y[20];
    let t24 = t20 ^ y[17];
    let t25 = t21 ^ t22;
    let t26 = t21 & t23;
    let t27 = t24 ^ t26;
    let t28 = t25 & t27;
    let t29 = t28 ^ t22;
    let t30 = t23 ^ t24;
    let t31 = t22 ^ t26;
    let t32 = t31 & t30;
    let t33 = t32 ^ t24;
    let t34 = t23 ^ t33;
    let t35 = t27 ^ t33;
    let t36 = t24 & t35;
    let t37 = t36 ^ t34;
    let t38 = t27 ^ t36;
    let t39 = t29 & t38;
    let t40 = t25 ^ t39;
    let t41 = t40 ^ t37;
    let t42 = t29 ^ t33;
    let t43 = t29 ^ t40;
    let t44 = t33 ^ t37;
    let t45 = t42 ^ t41;
    [t29, t33, t37, t40, t41, t42, t43, t44, t45]
}

/// The inverse in GF(2^8), in parts.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn products<T: Lanes>(y: &[T; 22], t: &[T; 9]) -> [T; 18] {
    [
        t[7] & y[14],
        t[2] & y[5],
        t[1] & y[21],
        t[6] & y[15],
        t[3] & y[0],
        t[0] & y[6],
        t[5] & y[10],
        t[8] & y[16],
        t[4] & y[9],
        t[7] & y[11],
        t[2] & y[2],
        t[1] & y[3],
        t[6] & y[12],
        t[3] & y[4],
        t[0] & y[1],
        t[5] & y[8],
        t[8] & y[13],
        t[4] & y[7],
    ]
}

/// Sums the parts to bits.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn bottom<T: Lanes>(z: &[T; 18]) -> [T; 8] {
    let b0 = z[0] ^ z[1];
    let b1 = z[6] ^ z[10];
    let b2 = z[3] ^ z[4];
    let b3 = z[5] ^ z[8];
    let b4 = z[7] ^ z[11];
    let b5 = z[13] ^ z[14];
    let b6 = z[15] ^ b0;
    let b7 = b1 ^ b5;
    let b8 = z[3] ^ b3;
    let b9 = z[9] ^ z[17];
    let b10 = b2 ^ b7;
    let b11 = b6 ^ b9;
    let b12 = z[1] ^ z[2];
    let b13 = z[4] ^ z[6];
    let b14 = z[6] ^ b8;
    let b15 = z[7] ^ b7;
    let b16 = z[8] ^ z[11];
    let b17 = z[12] ^ z[13];
    let b18 = z[16] ^ z[17];
    let b19 = z[16] ^ b2;
    let b20 = b0 ^ b1;
    let b21 = b0 ^ b3;
    let b22 = b4 ^ b8;
    let b23 = b4 ^ b10;
    let b24 = b4 ^ b18;
    let b25 = b6 ^ b17;
    let b26 = b10 ^ b12;
    let b27 = b11 ^ b15;
    let b28 = b11 ^ b22;
    let b29 = b13 ^ b21;
    let b30 = b16 ^ b26;
    let b31 = b19 ^ b25;
    let b32 = b20 ^ b24;
    [!b28, !b23, b27, b14, !b30, b31, !b32, !b29]
}
