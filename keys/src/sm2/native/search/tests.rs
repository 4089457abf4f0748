use super::*;
use crate::testing::SeededRng;
use rand_core::Rng;

/// Every place of rows of random limbs, by each form.
#[test]
fn each_form_finds_every_place() {
    const SEED: u64 = 61;
    let mut rng = SeededRng::new(SEED);
    for length in [1, 2, 7, 32, 128] {
        let row: Vec<Affine> = (0..length).map(|_| random(&mut rng)).collect();
        for (index, entry) in (0u64..).zip(&row) {
            let place = format!("{index} of {length}, seed {SEED}");
            assert_eq!(find(&row, index).stored(), entry.stored(), "{place}");
            assert_eq!(find_plain(&row, index).stored(), entry.stored(), "{place}");
            #[cfg(target_arch = "x86_64")]
            if let Some(found) = vector::find(&row, index) {
                assert_eq!(found.stored(), entry.stored(), "{place}");
            }
        }
    }
}

fn random(rng: &mut SeededRng) -> Affine {
    let mut limbs = || std::array::from_fn(|_| rng.next_u64());
    Affine::from_stored(limbs(), limbs())
}
