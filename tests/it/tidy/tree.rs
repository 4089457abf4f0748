//! The files of the repository, each as its text and as its code alone.

use super::text::code;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(super) type Tree = BTreeMap<String, File>;

pub(super) struct File {
    pub(super) text: String,
    /// The text of a Rust file with comments and literals blanked, every byte at its place; empty for others.
    pub(super) code: String,
}

/// Code of the Rust files.
pub(super) fn rust(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let files = tree.iter().filter(|(path, _)| is_rust(path));
    files.map(|(path, file)| (path.as_str(), file.code.as_str()))
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "rs")
}

/// Text of every file but the lock file, which cargo writes.
pub(super) fn written(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let files = tree.iter().filter(|(path, _)| !path.ends_with("Cargo.lock"));
    files.map(|(path, file)| (path.as_str(), file.text.as_str()))
}

/// Every file but git's own and what `.gitignore` names; bytes that are no text count as an empty file.
pub(super) fn read(root: &Path) -> Tree {
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let mut tree = Tree::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            if path == ".git" || ignored.lines().any(|pattern| ignores(pattern, &path)) {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path + "/");
            } else if let Ok(bytes) = fs::read(entry.path()) {
                let file = file(&path, String::from_utf8(bytes).unwrap_or_default());
                tree.insert(path, file);
            }
        }
    }
    tree
}

/// The patterns that we use: `/path`, `name` and either with one `*`.
fn ignores(pattern: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (whole, pattern) = pattern.strip_prefix('/').map_or((name, pattern), |rooted| (path, rooted));
    match pattern.trim_end_matches('/').split_once('*') {
        Some((before, after)) => whole.len() >= before.len() && whole.starts_with(before) && whole.ends_with(after),
        None => !pattern.is_empty() && whole == pattern.trim_end_matches('/'),
    }
}

pub(super) fn file(path: &str, text: String) -> File {
    let code = if is_rust(path) { code(&text) } else { String::new() };
    File { text, code }
}
