//! Finds every folder that holds a `spec.toml` and embeds it with its samples: adding an institution edits no other file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut specs = String::new();
    let mut samples = String::new();
    for folder in sorted(root)? {
        let spec = folder.join("spec.toml");
        if !spec.is_file() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", folder.display());
        let codec = name(&folder);
        line(&mut specs, &[&codec], &spec)?;
        for sample in sorted(&folder.join("samples")).unwrap_or_default() {
            line(&mut samples, &[&codec, &name(&sample)], &sample)?;
        }
    }
    println!("cargo::rerun-if-changed={}", root.display());
    let text = format!(
        "pub(crate) const SPECS: &[(&str, &str)] = &[\n{specs}];\n\
         #[allow(dead_code, reason = \"read by tests and by tools\")]\n\
         pub(crate) const SAMPLES: &[(&str, &str, &str)] = &[\n{samples}];\n"
    );
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("embedded.rs"), text)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn line(out: &mut String, names: &[&str], path: &Path) -> io::Result<()> {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let names = names.join(", ");
    writeln!(out, "    ({names}, include_str!({:?})),", path.display().to_string()).map_err(io::Error::other)
}
