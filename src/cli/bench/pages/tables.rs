//! The tables by name, each over all runs of its kind, in the order of their names.

use super::Runs;
use serde_json::Value;

pub(super) const NAMES: [&str; 10] = [
    "gateway",
    "cost",
    "rate",
    "institutions",
    "bytes",
    "in_flight",
    "journal",
    "crypto",
    "codec",
    "codec_institutions",
];

/// A table in Markdown; none for an unknown name.
pub(super) fn table(name: &str, runs: &Runs) -> Option<String> {
    let made = match name {
        "gateway" => each(runs, &GATEWAY, gateway),
        "cost" => each(runs, &COST, processes),
        "rate" | "institutions" | "bytes" | "in_flight" => grown(name, runs),
        "journal" => journals(runs),
        "crypto" => listed(runs, "engine_us", &CRYPTO, crypto),
        "codec" => listed(runs, "us", &CODEC, codec),
        "codec_institutions" => institutions(runs),
        _ => return None,
    };
    Some(made)
}

fn each(runs: &Runs, titles: &[&str], row: fn(&str, &Value) -> Vec<String>) -> String {
    let gateways = runs.iter().filter(|(_, run)| run["latency_ms"].is_object());
    markdown(titles, gateways.map(|(name, run)| row(name, run)))
}

fn gateway(name: &str, run: &Value) -> Vec<String> {
    let (course, latency, inside) = (&run["course"], &run["latency_ms"], &run["inside_ms"]);
    let arrivals = match (course["rate"].as_u64(), course["concurrency"].as_u64()) {
        (Some(rate), _) => format!("{rate} a second"),
        (None, Some(concurrency)) => format!("{concurrency} at a time"),
        (None, None) => String::new(),
    };
    let gateways = run["setting"]["gateways"].as_u64().unwrap_or(1);
    vec![
        name.replace('_', " "),
        format!("{gateways} on {} + {}", word(&run["transport"]), word(&run["journal"])),
        arrivals,
        number(&run["tps"], 0),
        format!("{} of {}", run["succeeded"], run["payments"]),
        number(&latency["mean"], 1),
        number(&latency["p50"], 1),
        number(&latency["p99"], 1),
        number(&latency["p999"], 1),
        number(&inside["mean"], 1),
        number(&inside["p99"], 1),
        number(&run["gateway_cpu_percent"], 1),
        number(&run["rss_mib"], 0),
        number(&run["fsync_us"], 0),
        number(&run["load_average_before"], 1),
    ]
}

fn processes(name: &str, run: &Value) -> Vec<String> {
    let beside = |process: &str| number(&run["processes_cpu_us_per_payment"][process], 0);
    vec![
        name.replace('_', " "),
        number(&run["cpu_us_per_payment"], 0),
        number(&run["crypto_us_per_payment"], 0),
        number(&run["other_us_per_payment"], 0),
        beside("simulators"),
        beside("rabbitmq"),
        beside("postgres"),
    ]
}

fn grown(axis: &str, runs: &Runs) -> String {
    let rows = of_axis(runs, axis).map(|(name, row)| {
        let seen = &row["seen"];
        vec![
            name.replace('_', " "),
            row["value"].to_string(),
            number(&seen["tps"], 0),
            format!("{} of {}", seen["succeeded"], seen["payments"]),
            number(&seen["latency_ms"]["mean"], 1),
            number(&seen["latency_ms"]["p99"], 1),
            number(&seen["cpu_us_per_payment"], 0),
            number(&seen["other_us_per_payment"], 0),
            number(&seen["rss_mib"], 0),
        ]
    });
    let titles = [
        "run",
        axis,
        "a second",
        "succeeded",
        "mean ms",
        "p99 ms",
        "cpu us",
        "other us",
        "MiB",
    ];
    markdown(&titles, rows)
}

/// One row for each size.
fn journals(runs: &Runs) -> String {
    let rows = of_axis(runs, "journal").map(|(name, row)| {
        let median = |step: &str| number(&row["median_us"][step], 0);
        let mut cells = vec![name.replace('_', " "), row["exchanges"].to_string()];
        cells.push(format!("{:.1}", row["bytes"].as_f64().unwrap_or(0.0) / f64::from(1 << 30)));
        cells.extend(["accept", "sent", "answered", "delivered", "read_key", "read_messages"].map(median));
        cells
    });
    markdown(&JOURNAL, rows)
}

fn of_axis<'a>(runs: &'a Runs, axis: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let files = runs.iter().filter(move |(_, run)| run["axis"] == axis);
    files.flat_map(|(name, run)| run["rows"].as_array().into_iter().flatten().map(move |row| (name, row)))
}

fn listed(runs: &Runs, key: &str, titles: &[&str], row: fn(&Value) -> Vec<String>) -> String {
    let lists = runs.values().filter_map(|run| run["operations"].as_array());
    let rows = lists.flatten().filter(|operation| operation[key].is_number());
    markdown(titles, rows.map(row))
}

fn crypto(operation: &Value) -> Vec<String> {
    let figure = |key: &str| number(&operation[key], 2);
    vec![
        word(&operation["name"]),
        operation["input_bytes"].to_string(),
        figure("engine_us"),
        figure("engine_best_us"),
        figure("reference_us"),
        figure("ratio"),
    ]
}

fn codec(operation: &Value) -> Vec<String> {
    vec![
        word(&operation["name"]),
        number(&operation["us"], 1),
        number(&operation["best_us"], 1),
    ]
}

/// Every institution in each of its suites, by the rounds that nothing disturbed.
fn institutions(runs: &Runs) -> String {
    let lists = runs.values().filter_map(|run| run["institutions"].as_array());
    let row = |row: &Value| {
        let mut cells = vec![word(&row["codec"]), word(&row["suite"])];
        let times = [
            ("received", "received_bytes", "receive_best_us"),
            ("sent", "sent_bytes", "emit_best_us"),
        ];
        for (code, bytes, time) in times {
            cells.extend([word(&row[code]), row[bytes].to_string(), number(&row[time], 1)]);
        }
        let both: f64 = times.iter().filter_map(|(_, _, time)| row[*time].as_f64()).sum();
        cells.push(format!("{both:.1}"));
        cells
    };
    markdown(&CODEC_INSTITUTIONS, lists.flatten().map(row))
}

fn markdown(titles: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let rule: Vec<String> = titles.iter().map(|_| "---".to_owned()).collect();
    let mut text = line(&titles) + &line(&rule);
    for row in rows {
        text += &line(&row);
    }
    text
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A dash for what the run did not have.
fn number(value: &Value, decimals: usize) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

const GATEWAY: [&str; 15] = [
    "run",
    "gateways",
    "arrivals",
    "a second",
    "succeeded",
    "mean ms",
    "p50",
    "p99",
    "p99.9",
    "inside mean ms",
    "inside p99",
    "cpu %",
    "MiB",
    "fsync us",
    "load before",
];
const COST: [&str; 7] = [
    "run",
    "gateway cpu us",
    "crypto",
    "other",
    "simulators",
    "rabbitmq",
    "postgres",
];
const JOURNAL: [&str; 9] = [
    "run",
    "exchanges",
    "GiB",
    "accept us",
    "sent",
    "answered",
    "delivered",
    "read by key",
    "read messages",
];
const CRYPTO: [&str; 6] = ["operation", "bytes", "engine us", "best us", "reference us", "ratio"];
const CODEC_INSTITUTIONS: [&str; 9] = [
    "institution",
    "suite",
    "received",
    "bytes",
    "receive us",
    "sent",
    "bytes",
    "emit us",
    "both us",
];
const CODEC: [&str; 3] = ["step", "median us", "best us"];
