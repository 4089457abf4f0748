//! The effective configuration as a table. Secrets are kept by reference, so that only a URL's user part needs care.

use hangu::config::{
    Config, HttpConfig, InstitutionSettleConfig, LinkConfig, LinkSettleConfig, MasterConfig, MqConfig, PostgresConfig,
    ProviderConfig, ProviderKind, RevocationConfig, RouteConfig, TcpConfig,
};
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

pub(super) fn table(config: &Config) -> Table {
    let Config {
        instance,
        journal,
        keys,
        codecs,
        admin,
        settle,
        stop,
        runtime,
        link,
        route,
    } = config;
    let links = link
        .iter()
        .map(|(name, link)| (name.clone(), Value::Table(of_link(link))))
        .collect();
    rows([
        ("instance", string(instance)),
        (
            "journal",
            nested([
                ("file", journal.file.as_deref().and_then(path)),
                ("keep_days", number(journal.keep_days)),
                ("rewrap_per_s", number(journal.rewrap_per_s)),
                ("gather_us", number(journal.gather_us)),
                ("postgres", journal.postgres.as_ref().map(of_postgres)),
            ]),
        ),
        (
            "keys",
            nested([
                ("folder", path(&keys.folder)),
                ("engine", string(keys.engine.name())),
                ("master", keys.master.as_ref().map(of_master)),
                ("provider", of_providers(&keys.provider)),
                ("revocation", of_revocation(&keys.revocation)),
            ]),
        ),
        ("codecs", nested([("folder", codecs.folder.as_deref().and_then(path))])),
        ("admin", nested([("listen", admin.listen.as_deref().and_then(string))])),
        (
            "settle",
            nested([
                ("query_after_ms", Some(waits(&settle.query_after_ms))),
                ("queries_max", Some(Value::Integer(settle.queries_max))),
                ("resend_after_ms", Some(Value::Integer(settle.resend_after_ms))),
                ("wait_ms", number(settle.wait_ms)),
            ]),
        ),
        ("stop", nested([("grace_s", number(stop.grace_s))])),
        ("runtime", nested([("workers", number(runtime.workers))])),
        ("link", Some(Value::Table(links))),
        ("route", Some(Value::Array(route.iter().map(of_route).collect()))),
    ])
}

fn of_master(master: &MasterConfig) -> Value {
    let shares = master.shares.iter().filter_map(|file| path(file)).collect::<Vec<_>>();
    Value::Table(rows([
        ("file", master.file.as_deref().and_then(path)),
        ("credential", master.credential.as_deref().and_then(string)),
        ("shares", (!shares.is_empty()).then_some(Value::Array(shares))),
    ]))
}

fn of_providers(providers: &BTreeMap<String, ProviderConfig>) -> Option<Value> {
    let shown = providers.iter().map(|(name, provider)| (name.clone(), of_provider(provider)));
    (!providers.is_empty()).then(|| Value::Table(shown.collect()))
}

fn of_provider(provider: &ProviderConfig) -> Value {
    let kind = match provider.kind {
        ProviderKind::Pkcs11 => "pkcs11",
        ProviderKind::Sdf => "sdf",
    };
    Value::Table(rows([
        ("kind", string(kind)),
        ("library", path(&provider.library)),
        ("password_file", path(&provider.password_file)),
        ("sessions", number(provider.sessions)),
        ("call_ms", number(provider.call_ms)),
        ("token", provider.token.as_deref().and_then(string)),
        ("sm2_sign_mechanism", provider.sm2_sign_mechanism.and_then(number)),
        ("decrypt_function", provider.decrypt_function.as_deref().and_then(string)),
        ("decrypt_takes_kind", Some(Value::Boolean(provider.decrypt_takes_kind))),
    ]))
}

fn of_revocation(revocation: &RevocationConfig) -> Option<Value> {
    let lists = revocation.lists.iter().filter_map(|file| path(file)).collect();
    nested([
        ("lists", Some(Value::Array(lists))),
        ("stale", string(revocation.stale.name())),
    ])
}

fn of_postgres(postgres: &PostgresConfig) -> Value {
    Value::Table(rows([
        ("addresses", Some(strings(&postgres.addresses))),
        ("database", string(&postgres.database)),
        ("user", string(&postgres.user)),
        ("password_file", postgres.password_file.as_deref().and_then(path)),
        ("password_env", postgres.password_env.as_deref().and_then(string)),
        ("schema", string(&postgres.schema)),
        ("connections", number(u64::try_from(postgres.connections).unwrap_or(u64::MAX))),
        ("tls_ca_file", postgres.tls_ca_file.as_deref().and_then(path)),
    ]))
}

fn of_link(link: &LinkConfig) -> Table {
    rows([
        ("codec", string(&link.codec)),
        ("member", string(&link.member)),
        ("counterparty", string(&link.counterparty)),
        ("app", string(&link.app)),
        ("counterparty_app", string(&link.counterparty_app)),
        ("channel", string(&link.channel)),
        ("origin", string(&link.origin)),
        ("sealing", Some(Value::Boolean(link.sealing))),
        ("announce_keys", Some(Value::Boolean(link.announce_keys))),
        (
            "envelope_reuse",
            nested([
                ("messages", number(link.envelope_reuse.messages)),
                ("kept", number(u64::try_from(link.envelope_reuse.kept).unwrap_or(u64::MAX))),
                ("seconds", number(link.envelope_reuse.seconds)),
            ]),
        ),
        ("suite", link.suite.clone().map(Value::String)),
        ("answer_ms", number(link.answer_ms)),
        ("in_flight_max", number(u64::try_from(link.in_flight_max).unwrap_or(u64::MAX))),
        ("settle", of_settle(&link.settle)),
        (
            "bulkhead",
            nested([
                ("institution_max", link.bulkhead.institution_max.and_then(number)),
                ("operation_max", link.bulkhead.operation_max.and_then(number)),
                ("line_max", number(link.bulkhead.line_max)),
            ]),
        ),
        ("mq", link.mq.as_ref().map(of_mq)),
        ("http", link.http.as_ref().map(of_http)),
        ("tcp", link.tcp.as_ref().map(of_tcp)),
    ])
}

/// What a link has otherwise than `[settle]`; nothing when that is nothing.
fn of_settle(settle: &LinkSettleConfig) -> Option<Value> {
    let of_institution = |own: &InstitutionSettleConfig| {
        Value::Table(rows([
            ("query_after_ms", own.query_after_ms.as_deref().map(waits)),
            ("queries_max", own.queries_max.and_then(number)),
            ("resend_after_ms", own.resend_after_ms.and_then(number)),
            ("wait_ms", own.wait_ms.and_then(number)),
        ]))
    };
    let institutions = settle.institution.iter();
    let institutions: Table = institutions.map(|(name, own)| (name.clone(), of_institution(own))).collect();
    let shown = rows([
        ("query_after_ms", settle.query_after_ms.as_deref().map(waits)),
        ("queries_max", settle.queries_max.and_then(number)),
        ("resend_after_ms", settle.resend_after_ms.and_then(number)),
        ("wait_ms", settle.wait_ms.and_then(number)),
        (
            "institution",
            Some(Value::Table(institutions)).filter(|_| !settle.institution.is_empty()),
        ),
    ]);
    Some(Value::Table(shown)).filter(|_| *settle != LinkSettleConfig::default())
}

fn waits(waits: &[i64]) -> Value {
    Value::Array(waits.iter().map(|&wait| Value::Integer(wait)).collect())
}

fn of_mq(mq: &MqConfig) -> Value {
    Value::Table(rows([
        ("addresses", Some(strings(&mq.addresses))),
        ("vhost", string(&mq.vhost)),
        ("user", string(&mq.user)),
        ("password_file", mq.password_file.as_deref().and_then(path)),
        ("password_env", mq.password_env.as_deref().and_then(string)),
        ("tls_ca_file", mq.tls_ca_file.as_deref().and_then(path)),
        ("tls_server_name", mq.tls_server_name.as_deref().and_then(string)),
        ("tls_cert_file", mq.tls_cert_file.as_deref().and_then(path)),
        ("tls_key_file", mq.tls_key_file.as_deref().and_then(path)),
        ("heartbeat_s", number(mq.heartbeat_s)),
        ("confirm_ms", number(mq.confirm_ms)),
        ("prefetch", number(mq.prefetch)),
        ("queue_type", string(&mq.queue_type)),
        ("delivery_limit", number(mq.delivery_limit)),
        ("dead_letters", mq.dead_letters.map(Value::Boolean)),
        ("request_queue", string(&mq.request_queue)),
        ("reply_queue", string(&mq.reply_queue)),
        ("outbound_queue", string(&mq.outbound_queue)),
        ("hand_off_prefix", mq.hand_off_prefix.as_deref().and_then(string)),
    ]))
}

fn of_http(http: &HttpConfig) -> Value {
    Value::Table(rows([
        ("base_url", string(&redacted(&http.base_url))),
        ("tls_ca_file", http.tls_ca_file.as_deref().and_then(path)),
        ("tls_server_name", http.tls_server_name.as_deref().and_then(string)),
        ("tls_cert_file", http.tls_cert_file.as_deref().and_then(path)),
        ("tls_key_file", http.tls_key_file.as_deref().and_then(path)),
        ("connect_ms", number(http.connect_ms)),
        ("listen", string(&http.listen)),
        ("listen_cert_file", http.listen_cert_file.as_deref().and_then(path)),
        ("listen_key_file", http.listen_key_file.as_deref().and_then(path)),
        ("listen_client_ca_file", http.listen_client_ca_file.as_deref().and_then(path)),
        ("listen_client", string(&http.listen_client)),
        (
            "listen_client_subject",
            http.listen_client_subject.as_deref().and_then(string),
        ),
        ("listen_client_serials", Some(strings(&http.listen_client_serials))),
        ("connections_max", http.connections_max.and_then(number)),
        ("handshake_ms", number(http.handshake_ms)),
        ("head_ms", number(http.head_ms)),
        ("body_ms", number(http.body_ms)),
    ]))
}

fn of_tcp(tcp: &TcpConfig) -> Value {
    Value::Table(rows([
        ("listen", string(&tcp.listen)),
        ("connect", tcp.connect.as_deref().and_then(string)),
        ("tpdu", Some(Value::Boolean(tcp.tpdu))),
        ("idle_s", number(tcp.idle_s)),
    ]))
}

fn of_route(route: &RouteConfig) -> Value {
    Value::Table(rows([
        ("from", string(&route.from)),
        ("to", string(&route.to)),
        ("operations", route.operations.as_deref().map(strings)),
    ]))
}

/// `http://user:password@host` without what stands before the `@`.
pub(super) fn redacted(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}/{path}"),
        None => url.to_owned(),
    }
}

fn rows<const N: usize>(rows: [(&str, Option<Value>); N]) -> Table {
    rows.into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

#[expect(clippy::unnecessary_wraps, reason = "every row is optional")]
fn nested<const N: usize>(values: [(&str, Option<Value>); N]) -> Option<Value> {
    Some(Value::Table(rows(values)))
}

#[expect(clippy::unnecessary_wraps, reason = "every row is optional")]
fn string(text: &str) -> Option<Value> {
    Some(Value::String(text.to_owned()))
}

fn strings(texts: &[String]) -> Value {
    Value::Array(texts.iter().cloned().map(Value::String).collect())
}

fn path(path: &Path) -> Option<Value> {
    string(&path.display().to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "every row is optional")]
fn number(number: impl TryInto<i64>) -> Option<Value> {
    Some(Value::Integer(number.try_into().unwrap_or(i64::MAX)))
}
