//! `JUnit`'s XML, as continuous integration reads it: one test case for each scenario.

use super::super::Verdict;
use super::{Language, line, reasons, seconds};
use crate::page::escaped;

pub fn junit(verdicts: &[Verdict]) -> String {
    let failures = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let total = seconds(verdicts.iter().map(|verdict| verdict.took_ms).sum());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"hangu sim\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{total}\">\n",
        verdicts.len()
    );
    for verdict in verdicts {
        xml.push_str(&case(verdict));
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

fn case(verdict: &Verdict) -> String {
    let head = format!(
        "<testcase classname=\"{}.{}\" name=\"{}\" time=\"{}\"",
        escaped(&verdict.institution),
        escaped(&verdict.operation),
        escaped(&verdict.name),
        seconds(verdict.took_ms)
    );
    if verdict.passed {
        return format!("{head}/>\n");
    }
    let reasons = reasons(verdict, Language::En);
    let first = reasons.first().cloned().unwrap_or_default();
    let all = escaped(&line(verdict));
    format!(
        "{head}>\n<failure message=\"{}\">{all}</failure>\n</testcase>\n",
        escaped(&first)
    )
}
