//! Writes every sample's bytes into a folder, for a fuzzer, and prints the names of the entry points.
#![expect(clippy::print_stdout, reason = "the names are what the caller wants")]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("a folder is wanted")?;
    std::fs::create_dir_all(&folder)?;
    for sample in codecs::sample::embedded()? {
        std::fs::write(
            Path::new(&folder).join(format!("{}-{}", sample.codec, sample.file)),
            &sample.wire.body,
        )?;
    }
    for target in codecs::fuzz::targets() {
        println!("{}", target.name);
    }
    Ok(())
}
