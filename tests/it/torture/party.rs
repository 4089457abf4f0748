//! A counterparty: `hangu sim run centre|platform` as a process, told what to do by its admin port.

use crate::process::{Process, free, hangu, request};
use serde_json::Value;
use std::path::Path;

pub(super) struct Party {
    name: &'static str,
    pub(super) admin: String,
    process: Process,
}

impl Party {
    pub(super) fn start(folder: &Path, name: &'static str, arguments: &[String]) -> Self {
        let admin = free();
        let head = ["sim", "run", name, "--endless", "--admin", &admin].map(ToOwned::to_owned);
        let arguments = [&head[..], arguments].concat();
        let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
        Self {
            name,
            process: Process::of(hangu(folder, &arguments), folder, name),
            admin,
        }
    }

    pub(super) fn figures(&self) -> Value {
        figures(&self.admin).unwrap_or_else(|| panic!("the {} tells no figures", self.name))
    }

    /// Writes the party's book.
    pub(super) fn write_book(&self, file: &Path) {
        let page = request(&self.admin, "GET", "/books", "").unwrap_or_else(|| panic!("the {} tells no book", self.name));
        std::fs::write(file, body(&page)).unwrap();
    }

    pub(super) fn tell(&self, path: &str) {
        tell(&self.admin, path, "");
    }

    pub(super) fn end(&mut self) {
        self.process.terminate();
    }
}

/// What a party counts; `None` while it cannot be reached.
pub(super) fn figures(admin: &str) -> Option<Value> {
    serde_json::from_str(body(&request(admin, "GET", "/figures", "")?)).ok()
}

pub(super) fn tell(admin: &str, path: &str, text: &str) {
    let page = request(admin, "POST", path, text).unwrap_or_default();
    assert!(page.starts_with("HTTP/1.1 200"), "{path} {text}: {page}");
}

fn body(page: &str) -> &str {
    page.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
