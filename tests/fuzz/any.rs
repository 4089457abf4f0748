//! The entry points of `codecs::fuzz` under libFuzzer: the one that `HANGU_FUZZ_TARGET` names, or all of them.
#![no_main]

use codecs::fuzz::{Target, targets};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CHOSEN: LazyLock<Vec<&Target>> = LazyLock::new(|| {
    let name = std::env::var("HANGU_FUZZ_TARGET").unwrap_or_default();
    targets().iter().filter(|target| name.is_empty() || target.name == name).collect()
});

fuzz_target!(|bytes: &[u8]| {
    for target in CHOSEN.iter() {
        target.run(bytes);
    }
});
