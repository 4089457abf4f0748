//! Multiplications against the reference: awkward and random scalars, awkward and random points.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::multiply::multiply;
use super::*;
use crate::sm2::curve::Scalar as _;
use crate::sm2::key;
use crate::sm2::reference::Reference;
use crate::sm2::testing::{awkward_scalars, base, cases, coordinates, number, random};
use crate::testing::SeededRng;
use ::sm2::elliptic_curve::Group;
use ::sm2::{ProjectivePoint, Scalar as Number};

/// G, -G, small multiples and their opposites, and some that are neither.
fn points() -> Vec<PublicKey> {
    let mut rng = SeededRng::new(37);
    let small = [1u64, 2, 31].map(Number::from);
    let mut multiples: Vec<_> = small.iter().flat_map(|k| [*k, -*k]).collect();
    multiples.extend((0..2).map(|_| number(&random(&mut rng))));
    let point = |k| PublicKey::from_point(&base(k).unwrap()).unwrap();
    multiples.iter().map(point).collect()
}

fn scalar(bytes: &[u8; 32]) -> Scalar {
    Scalar::reduced(bytes)
}

fn table_bytes<const W: usize>(table: &Table<W>, k: &[u8; 32]) -> [u8; 64] {
    let product = table.multiply(&scalar(k));
    product.to_affine(product.zzz().invert()).to_bytes()
}

fn public_bytes<const W: usize>(table: &Table<W>, k: &[u8; 32]) -> [u8; 64] {
    let mut sum = Extended::INFINITY;
    table.add_public(&mut sum, &scalar(k));
    sum.to_affine(sum.zzz().invert()).to_bytes()
}

fn multiplied(point: &Affine, k: &[u8; 32]) -> [u8; 64] {
    let product = multiply(point, &scalar(k));
    product.to_affine(product.z.invert()).to_bytes()
}

#[test]
fn every_multiplication_agrees_on_awkward_scalars() {
    let scalars = awkward_scalars();
    for key in points() {
        let point = Affine::from_key(&key);
        let (narrow, secret, public) = (Table::<4>::new(&point), SecretTable::new(&point), PublicTable::new(&point));
        for k in &scalars {
            let expected = coordinates(&(ProjectivePoint::from(key.affine()) * number(k))).unwrap();
            assert_eq!(table_bytes(&narrow, k), expected, "4 bits, {k:x?}");
            assert_eq!(table_bytes(&secret, k), expected, "secret, {k:x?}");
            assert_eq!(table_bytes(&public, k), expected, "8 bits, {k:x?}");
            assert_eq!(public_bytes(&public, k), expected, "public, {k:x?}");
            assert_eq!(multiplied(&point, k), expected, "new point, {k:x?}");
        }
    }
}

#[test]
fn agrees_with_the_reference_anywhere() {
    let mut rng = SeededRng::new(38);
    let d = number(&random(&mut rng));
    let key = PublicKey::from_point(&base(&d).unwrap()).unwrap();
    let (wrapping, other) = (Native::wrapping(&key), Reference::wrapping(&key));
    let mut point = key.point();
    for case in 0..cases(2_000) {
        let k = random(&mut rng);
        let (Some(ours), Some(theirs)) = (Scalar::in_range(&k), Number::in_range(&k)) else {
            continue;
        };
        let (c1, shared) = Native::base_and_shared(&wrapping, &ours);
        let expected = Reference::base_and_shared(&other, &theirs);
        assert_eq!((c1, *shared), (expected.0, *expected.1), "seed 38, case {case}");
        assert_eq!(Native::base_x(&ours).as_slice(), &c1[..32], "seed 38, case {case}");
        let opened = Native::shared(&point, &ours).unwrap();
        assert_eq!(*opened, *Reference::shared(&point, &theirs).unwrap(), "seed 38, case {case}");
        point = *opened;
    }
}

/// Sums that double, vanish and come back while they are built, and those whose x is what is expected, or not.
#[test]
fn public_sums_agree_with_the_reference() {
    let scalars: Vec<_> = awkward_scalars().into_iter().step_by(23).collect();
    for key in points() {
        let (ours, theirs) = (Native::verifying(&key), Reference::verifying(&key));
        let point = ProjectivePoint::from(key.affine());
        for s in &scalars {
            for t in scalars.iter().step_by(9).chain([s]) {
                let sum = ProjectivePoint::mul_by_generator(&number(s)) + point * number(t);
                let x = coordinates(&sum).map_or([0; 32], |bytes| bytes[..32].try_into().unwrap());
                for (expected, verdict) in [(x, coordinates(&sum).is_some()), (*s, x == *s)] {
                    let native = Native::sum_has_x(&ours, &scalar(s), &scalar(t), &scalar(&expected));
                    let reference = Reference::sum_has_x(&theirs, &number(s), &number(t), &number(&expected));
                    assert_eq!((native, reference), (verdict, verdict), "{s:x?} {t:x?}");
                }
            }
        }
    }
}

/// x in [n, p-1] is reduced before it is compared: one x in 2^32, so that the key is made for it.
#[test]
fn an_x_above_n_is_reduced() {
    let (mut found, s, t) = (0, Number::from(5u64), Number::from(7u64));
    for above in 0..64u64 {
        let x = limbs::to_bytes(limbs::add(N, [above, 0, 0, 0]).0);
        let Some(point) = lift(&x) else { continue };
        let difference = point - ProjectivePoint::mul_by_generator(&s);
        let key = coordinates(&(difference * t.invert().unwrap())).unwrap();
        let key = PublicKey::from_point(&key).unwrap();
        let bytes = [s, t, Number::from(above)].map(crate::sm2::testing::bytes);
        let [s, t, expected] = bytes.each_ref().map(scalar);
        assert!(Native::sum_has_x(&Native::verifying(&key), &s, &t, &expected), "n + {above}");
        let wrong = scalar(&crate::sm2::testing::bytes(Number::from(above + 1)));
        assert!(!Native::sum_has_x(&Native::verifying(&key), &s, &t, &wrong), "n + {above}");
        found += 1;
    }
    assert!(found > 10, "{found} points");
}

/// A point with that x: y is a square root, right^((p+1)/4).
fn lift(x: &[u8; 32]) -> Option<ProjectivePoint> {
    use ::sm2::elliptic_curve::point::DecompressPoint;
    let point = ::sm2::AffinePoint::decompress(&(*x).into(), 0.into()).into_option()?;
    assert_eq!(&key::coordinates(&point)[..32], x);
    Some(point.into())
}
