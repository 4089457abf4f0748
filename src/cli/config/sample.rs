//! The text of a first hangu.toml, made from the table of keys: a centre over a local broker, a platform over HTTP.

use crate::cli::texts::{ConfigKey, config_keys, text};

/// One table of the file with what the demonstration sets; every other key stands behind `#` with its default.
struct Section {
    head: &'static str,
    /// Parent of its keys in the table of keys.
    parent: &'static str,
    /// Comments stand where a key comes first; later sections of the same parent show only what is set.
    commented: bool,
    /// The other choice beside a section that is on: all of it stands behind `#`.
    off: bool,
    set: &'static [(&'static str, &'static str)],
}

/// The file. It parses as it stands, and also with every `#key = value` made active but for sections that are off.
pub(super) fn file() -> String {
    let head = text("sample.head");
    let sections = SECTIONS.iter().map(section).collect::<Vec<_>>().join("\n");
    format!("# {}\n# {}\n\n{sections}", head.en, head.zh)
}

fn section(section: &Section) -> String {
    let head = if section.head.is_empty() {
        String::new()
    } else {
        format!("{}\n", section.head)
    };
    let keys = config_keys().iter().filter_map(|key| Some((key, leaf(key, section.parent)?)));
    let lines = keys.filter_map(|(key, name)| line(key, name, section));
    let text = head + &lines.collect::<String>();
    if section.off { switched_off(&text) } else { text }
}

fn switched_off(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let mark = if line.starts_with('#') { "" } else { "#" };
        format!("{mark}{line}\n")
    });
    lines.collect()
}

/// The last part of a key that stands directly under `parent`.
fn leaf<'a>(key: &'a ConfigKey, parent: &str) -> Option<&'a str> {
    match key.key.rsplit_once('.') {
        Some((above, name)) if above == parent => Some(name),
        None if parent.is_empty() => Some(&key.key),
        Some(_) | None => None,
    }
}

fn line(key: &ConfigKey, name: &str, section: &Section) -> Option<String> {
    let set = section.set.iter().find(|(set, _)| *set == name).map(|(_, value)| *value);
    let comment = if section.commented { comment(key) } else { String::new() };
    match (set, key.default.as_deref()) {
        (Some(value), _) => Some(format!("{comment}{name} = {value}\n")),
        (None, Some(default)) if section.commented => {
            let value = if default == "none" { &key.example } else { default };
            Some(format!("{comment}#{name} = {value}\n"))
        }
        (None, _) => None,
    }
}

fn comment(key: &ConfigKey) -> String {
    let default = match key.default.as_deref() {
        None => text("sample.required").to_string(),
        Some("none") => format!("{}: {}", text("sample.default"), text("sample.none")),
        Some(default) => format!("{}: {default}", text("sample.default")),
    };
    let example = format!("{}: {}", text("sample.example"), key.example);
    format!("# {}\n# {}\n# {default}; {example}\n", key.en, key.zh)
}

const SECTIONS: [Section; 21] = [
    Section {
        head: "",
        parent: "",
        commented: true,
        off: false,
        set: &[("instance", "\"hangu-1\"")],
    },
    Section {
        head: "[journal]",
        parent: "journal",
        commented: true,
        off: false,
        set: &[("file", "\"hangu.db\"")],
    },
    Section {
        head: "[journal.postgres]",
        parent: "journal.postgres",
        commented: true,
        off: true,
        set: &[
            ("addresses", "[\"127.0.0.1:5432\"]"),
            ("database", "\"hangu\""),
            ("user", "\"hangu\""),
        ],
    },
    Section {
        head: "[keys]",
        parent: "keys",
        commented: true,
        off: false,
        set: &[("folder", "\"keys/gateway\"")],
    },
    Section {
        head: "[keys.master]",
        parent: "keys.master",
        commented: true,
        off: true,
        set: &[("file", "\"master.key\"")],
    },
    Section {
        head: "[keys.provider.hsm1]",
        parent: "keys.provider.*",
        commented: true,
        off: true,
        set: &[
            ("kind", "\"pkcs11\""),
            ("library", "\"libsofthsm2.so\""),
            ("password_file", "\"hsm.pin\""),
        ],
    },
    Section {
        head: "[keys.revocation]",
        parent: "keys.revocation",
        commented: true,
        off: true,
        set: &[],
    },
    Section {
        head: "[codecs]",
        parent: "codecs",
        commented: true,
        off: false,
        set: &[],
    },
    Section {
        head: "[admin]",
        parent: "admin",
        commented: true,
        off: false,
        set: &[("listen", "\"127.0.0.1:9180\"")],
    },
    Section {
        head: "[settle]",
        parent: "settle",
        commented: true,
        off: false,
        set: &[],
    },
    Section {
        head: "[stop]",
        parent: "stop",
        commented: true,
        off: false,
        set: &[],
    },
    Section {
        head: "[runtime]",
        parent: "runtime",
        commented: true,
        off: false,
        set: &[],
    },
    Section {
        head: "[link.centre]",
        parent: "link.*",
        commented: true,
        off: false,
        set: &[
            ("codec", "\"nps\""),
            ("member", "\"402100088888\""),
            ("counterparty", "\"900584099999\""),
            ("app", "\"MPS\""),
            ("counterparty_app", "\"NPS\""),
            ("channel", "\"B\""),
        ],
    },
    Section {
        head: "[link.centre.envelope_reuse]",
        parent: "link.*.envelope_reuse",
        commented: true,
        off: false,
        set: &[],
    },
    Section {
        head: "[link.centre.bulkhead]",
        parent: "link.*.bulkhead",
        commented: true,
        off: false,
        set: &[],
    },
    Section {
        head: "[link.centre.mq]",
        parent: "link.*.mq",
        commented: true,
        off: false,
        set: &[
            ("addresses", "[\"127.0.0.1:5672\"]"),
            ("request_queue", "\"nps.b.req\""),
            ("reply_queue", "\"nps.b.rsp\""),
            ("outbound_queue", "\"nps.centre.b\""),
        ],
    },
    Section {
        head: "[link.platform]",
        parent: "link.*",
        commented: false,
        off: false,
        set: &[("codec", "\"platform\"")],
    },
    Section {
        head: "[link.platform.http]",
        parent: "link.*.http",
        commented: true,
        off: false,
        set: &[("base_url", "\"http://127.0.0.1:8200\""), ("listen", "\"127.0.0.1:8100\"")],
    },
    Section {
        head: "[link.platform.tcp]",
        parent: "link.*.tcp",
        commented: true,
        off: true,
        set: &[("listen", "\"127.0.0.1:8583\"")],
    },
    Section {
        head: "[[route]]",
        parent: "route",
        commented: true,
        off: false,
        set: &[("from", "\"centre\""), ("to", "\"platform\"")],
    },
    Section {
        head: "[[route]]",
        parent: "route",
        commented: false,
        off: false,
        set: &[("from", "\"platform\""), ("to", "\"centre\"")],
    },
];
