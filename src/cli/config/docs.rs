//! The table of keys, as Markdown or JSON.

use crate::cli::output::{Form, json};
use crate::cli::texts::{ConfigKey, config_keys, text};

pub(super) fn page(form: Form) -> String {
    match form {
        Form::Json => json(&serde_json::json!({ "keys": config_keys() })),
        Form::Text => {
            let titles = ["docs.key", "sample.default", "sample.example", "docs.meaning"].map(|key| text(key).to_string());
            let rows = config_keys().iter().map(row);
            let head = [format!("| {} |", titles.join(" | ")), "| --- | --- | --- | --- |".to_owned()];
            head.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
        }
    }
}

fn row(key: &ConfigKey) -> String {
    let default = match key.default.as_deref() {
        None => text("sample.required").to_string(),
        Some("none") => text("sample.none").to_string(),
        Some(default) => format!("`{default}`"),
    };
    format!("| `{}` | {default} | `{}` | {} {} |", key.key, key.example, key.en, key.zh)
}
