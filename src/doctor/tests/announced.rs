//! Mistakes with keys that are announced.

use super::Seeded;
use time::macros::datetime;

pub(super) const SEEDED: &[Seeded] = &[
    ("announce.unproven", "nps", "903_document.txt", |bench| {
        // Another serial number than the one that was signed apart.
        bench.put("<KeySN>5000000009<", "<KeySN>5000000008<");
        let text = bench.text();
        bench.sign(text);
    }),
    ("announce.expired", "nps", "903_document.txt", |bench| {
        bench.now = datetime!(2033-01-02 18:30:10 +8);
    }),
    ("announce.other_key", "nps", "903_document.txt", |bench| {
        bench.know_as("5000000009");
    }),
];
