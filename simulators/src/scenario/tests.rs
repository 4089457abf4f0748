#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::language::{HEAD, Kind, language, nearest};
use super::report::{self, Language};
use super::{Act, Awaited, Check, Done, PartyName, Scenario, Shown, Verdict, expect, library};
use codecs::payment::{Attribute, Role};
use std::collections::BTreeSet;
use std::path::Path;

const HEAD_LINES: &str = "name = 'n'\nabout_zh = 'z'\nabout_en = 'e'\ninstitution = 'nps'\noperation = 'debit'\n";

fn parse(steps: &str) -> Result<Vec<Scenario>, String> {
    Scenario::parse("n.toml", &format!("{HEAD_LINES}{steps}")).map_err(|flaws| flaws[0].to_string())
}

#[test]
fn the_library_is_sound_and_whole() {
    let scenarios = library::embedded().unwrap();
    assert!(scenarios.len() >= 60, "{}", scenarios.len());
    let names: BTreeSet<&str> = scenarios.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.len(), scenarios.len(), "two scenarios have one name");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let listed: BTreeSet<String> = library::FILES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(files, listed, "src/scenario/library.rs lists every file");
    for one in &scenarios {
        assert!(
            listed.contains(&format!("{}.toml", one.file_name)),
            "{} is not called as its file",
            one.name
        );
        assert!(!one.about_en.is_empty() && !one.about_zh.is_ascii(), "{}", one.name);
        assert!(
            one.steps.iter().any(|step| matches!(step.act, Act::Expect(_))),
            "{} expects nothing",
            one.name
        );
    }
}

#[test]
fn each_makes_one_scenario_for_each_value() {
    let text = "each = { operation = ['debit', 'credit'], fault = ['bad_signature', 'gbk'] }\n\
                [[step]]\nsend = '${operation}'\nfault = '${fault}'\nname = 'pay'\n";
    let found = parse(text).unwrap();
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "n-bad-signature-debit",
            "n-bad-signature-credit",
            "n-gbk-debit",
            "n-gbk-credit"
        ]
    );
    let Act::Send(send) = &found[3].steps[0].act else { panic!() };
    assert_eq!(
        (send.operation.name(), send.fault.unwrap().name(), send.by),
        ("credit", "gbk", PartyName::Centre)
    );
    let Ok(one) = parse("[[step]]\nexpect = 'unsigned'\nat = 'platform'\nwithin_ms = 5\n") else {
        panic!()
    };
    let Act::Expect(expect) = &one[0].steps[0].act else { panic!() };
    assert_eq!(
        (expect.awaited, expect.at, expect.within_ms),
        (Awaited::Unsigned, Some(PartyName::Platform), 5)
    );
}

/// Institutions have different operations: each row of a list is multiplied by itself.
#[test]
fn each_may_be_a_list_of_tables() {
    let head = HEAD_LINES.replace("'nps'", "'${institution}'");
    let text = "each = [{ institution = ['epcc'], operation = ['debit', 'sign'] }, { institution = ['unionpay-pos'], operation = ['debit'] }]\n\
                [[step]]\nsend = '${operation}'\nby = 'institution'\n";
    let found = Scenario::parse("n.toml", &format!("{head}{text}")).unwrap();
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["n-epcc-debit", "n-epcc-sign", "n-unionpay-pos-debit"]);
    let told = Scenario::parse(
        "n.toml",
        &format!("{head}each = [{{ institution = 'epcc' }}]\n[[step]]\nwait_ms = 1\n"),
    );
    let told = told.unwrap_err()[0].to_string();
    assert!(
        told.starts_with("n.toml:6: `each`: takes a table of lists, or a list of such tables"),
        "{told}"
    );
}

/// Who takes part follows from the institution that the scenario is about.
#[test]
fn who_cannot_send_is_told_what_they_can() {
    let check = |institution: &str, steps: &str, expected: &str| {
        let head = HEAD_LINES.replace("nps", institution);
        let told = Scenario::parse("n.toml", &format!("{head}{steps}")).expect_err(steps);
        assert_eq!(told[0].to_string(), format!("n.toml:{expected}"), "{steps}");
    };
    check(
        "alypay",
        "[[step]]\nsend = 'debit'\n",
        "1: no institution `alypay`; did you mean `alipay`?",
    );
    check(
        "nps",
        "[[step]]\nreply = 'institution'\nhow = 'late'\n",
        "6: `nps` has no link of its own for an `institution`; these have one: alipay, epcc, jdpay, tenpay, tenpay-v2, \
         unionpay-form, unionpay-pos, unionpay-quick",
    );
    check(
        "unionpay-quick",
        "[[step]]\nsend = 'credit'\nby = 'institution'\n",
        "6: with unionpay-quick the institution does not send a credit; it sends sign, terminate, debit, refund",
    );
    check(
        "jdpay",
        "[[step]]\nsend = 'credit'\nby = 'platform'\n",
        "6: with jdpay the platform does not send a credit; it sends terminate, debit, refund, cancel, query",
    );
    check(
        "epcc",
        "[[step]]\nsend = 'sign'\nby = 'platform'\n",
        "6: the platform does not send a sign",
    );
}

/// Each flaw names its line and, where a word is nearly right, the right one.
#[test]
fn flaws_are_told_before_anything_is_sent() {
    let check = |steps: &str, expected: &str| {
        let told = parse(steps).expect_err(steps);
        assert_eq!(told, format!("n.toml:{expected}"), "{steps}");
    };
    check(
        "[[step]]\nexpct = 'reply'\n",
        "6: no verb in this step: `expct`, did you mean `expect`?",
    );
    check(
        "[[step]]\nsend = 'debit'\nnmae = 'x'\n",
        "8: unknown key `nmae`; did you mean `name`?",
    );
    check(
        "[[step]]\nsend = 'debt'\n",
        "7: `send`: no operation `debt`; did you mean `debit`?",
    );
    check(
        "[[step]]\nsend = 'debit'\nwait_ms = 5\n",
        "6: a step has one verb, this one has send and wait_ms",
    );
    check("[[step]]\nsend = 'refund'\n", "6: a refund names its original with `of`");
    check(
        "[[step]]\nsend = 'debit'\nname = 'pay'\n\n[[step]]\nsend = 'cancel'\nof = 'pey'\n",
        "10: no earlier step names `pey`; did you mean `pay`?",
    );
    check(
        "[[step]]\nsend = 'debit'\nname = 'pay'\n[[step]]\nexpect = 'reply'\nto = 'pay'\nfields = { remark = '${pay.amuont}' }\n",
        "9: no field `amuont`; did you mean `amount`?",
    );
    check(
        "[[step]]\nsend = 'debit'\nset = { payer.acount = 'x' }\n",
        "8: `set`: no field `payer.acount`; did you mean `payer.account`?",
    );
    check(
        "[[step]]\nsend = 'debit'\nset = { amount = 'much' }\n",
        "6: `amount` cannot be `much`",
    );
    check(
        "[[step]]\nsend = 'debit'\namount = '1.5'\n",
        "8: `amount`: takes an amount in yuan with two decimals, such as \"12.34\"",
    );
    check(
        "[[step]]\nexpect = 'reply'\n",
        "6: `at` says who gets it; only with `to` is it known",
    );
    check(
        "[[step]]\nreply = 'platform'\nhow = 'twice'\n",
        "6: the platform cannot answer `twice`",
    );
    check(
        "[[step]]\nreply = 'platform'\nhow = 'late'\nafter_ms = 'long'\n",
        "9: `after_ms`: takes a whole number, such as 3000",
    );
    check(
        "[[step]]\nbooks = 'equal'\nexecuted = { pay = 1 }\n",
        "6: no earlier step names `pay`",
    );
    check(
        "[[step]]\nsend = 'debit'\nset = { settlement_date = '${day.later}' }\n",
        "6: no day `later`; one of last, same, next",
    );
    check("step = 1\n", "1: there is no [[step]]");
    let told = Scenario::parse("n.toml", "name = 'n'\n[[step]]\nwait_ms = 1\n").unwrap_err();
    assert_eq!(told[0].to_string(), "n.toml:1: `about_zh` is missing");
    let told = Scenario::parse("n.toml", "name = \n").unwrap_err();
    assert_eq!(told[0].line, 1);
}

#[test]
fn the_page_holds_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md");
    let page = std::fs::read_to_string(file).unwrap();
    let table = language().page();
    let first_missing = table.lines().find(|line| !page.contains(*line));
    assert_eq!(
        first_missing, None,
        "docs/scenarios.md differs from the language's table; it should be:\n{table}"
    );
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(
        rows(&page),
        rows(&table),
        "docs/scenarios.md has keys that the language has not"
    );
}

#[test]
fn the_table_is_whole() {
    let language = language();
    assert!(language.sections.iter().any(|section| section.name == HEAD));
    for key in &language.keys {
        assert!(language.sections.iter().any(|section| section.name == key.at), "{}", key.key);
        assert!(!key.en.is_empty() && !key.zh.is_ascii(), "{}", key.key);
        let values = key.kind.values().unwrap_or_default();
        let example = key.example.trim_matches('"');
        assert!(values.is_empty() || values.contains(&example), "{}: {example}", key.key);
    }
    for verb in language.verbs() {
        assert!(language.key(verb, verb).is_some_and(|key| key.required), "{verb}");
    }
    assert_eq!(Kind::Reason.values().unwrap().len(), codecs::payment::Reason::ALL.len());
}

#[test]
fn patterns_fit_what_they_should() {
    let check = |pattern: &str, found: Option<&str>, expected: bool| {
        assert_eq!(expect::fits(pattern, found), expected, "{pattern} {found:?}");
    };
    check("12.34", Some("12.34"), true);
    check("12.34", Some("12.345"), false);
    check("*", Some("x"), true);
    check("*", None, false);
    check("", None, true);
    check("", Some("x"), false);
    check("NPS.9*", Some("NPS.900"), true);
    check("NPS.9*", Some("XNPS.900"), false);
    check("*00", Some("NPS.900"), true);
    check("*S.9*", Some("NPS.900"), true);
    check("*S.8*", Some("NPS.900"), false);
}

#[test]
fn nearly_right_words_are_found() {
    assert_eq!(nearest("expct", ["send", "expect"]), Some("expect"));
    assert_eq!(nearest("elephant", ["send", "reply"]), None);
    assert_eq!(nearest("a", []), None);
}

fn verdict(passed: bool) -> Verdict {
    let step = Done {
        number: 1,
        line: 7,
        text: "expect reply".to_owned(),
        at_ms: 12,
        ok: passed,
        expected: vec!["<success>".to_owned()],
        came: vec!["failed & late".to_owned()],
    };
    let shown = Shown {
        at_ms: 1_234,
        from: "centre",
        to: "gateway",
        what: "debit request".to_owned(),
        outcome: String::new(),
        remark: String::new(),
        bytes: 9,
        fields: vec![("amount".to_owned(), "12.34".to_owned())],
    };
    let scenario = parse("[[step]]\nwait_ms = 1\n").unwrap().remove(0);
    Verdict {
        passed,
        took_ms: 1_500,
        steps: vec![step],
        checks: vec![Check {
            name: "equal",
            ok: passed,
            detail: "x".to_owned(),
        }],
        timeline: vec![shown],
        ..Verdict::new(&scenario, 7)
    }
}

#[test]
fn reports_say_why_and_escape_what_they_quote() {
    let verdicts = [verdict(true), verdict(false)];
    let junit = report::junit(&verdicts);
    assert!(
        junit.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"3.000\""),
        "{junit}"
    );
    assert!(junit.contains("&lt;success&gt;") && junit.contains("failed &amp; late") && !junit.contains("<success>"));
    let (en, zh) = (report::html(&verdicts, Language::En), report::html(&verdicts, Language::Zh));
    assert!(
        en.contains("&lt;success&gt;") && en.contains("lang=\"en\"") && !en.contains("http"),
        "{en}"
    );
    assert!(zh.contains("lang=\"zh-CN\"") && zh.contains("\u{672a}\u{901a}\u{8fc7}") && zh.contains("--seed 7"));
    assert_eq!(en.matches("<details").count(), en.matches("</details>").count());
    let line = report::line(&verdicts[1]);
    let expected = "FAILED n                                                  1.500 s\n  step 1, line 7: expect reply\n    expected  <success>\n    \
                    came      failed & late\n  the three books are equal: x\n  who sent what when (masked)\n      \
                    1.234 s  centre -> gateway    debit request\n                                    amount 12.34\n";
    assert_eq!(line, expected);
    assert_eq!(report::json(&verdicts)["failed"], 1);
    assert!(report::summary(&verdicts, 7).ends_with("hangu sim run n.toml --seed 7"));
}

#[test]
fn what_names_a_person_is_masked() {
    let check = |attribute, text, expected| assert_eq!(super::verdict::masked(attribute, text), expected);
    check(Attribute::PayerAccount, "6200000000000000007", "620000*********0007");
    check(Attribute::PayeeName, "\u{793a}\u{7532}\u{4e59}", "\u{793a}**");
    check(Attribute::Mobile, "100", "***");
    check(Attribute::Amount, "12.34", "12.34");
    assert_eq!(Role::parse("reply"), Some(Role::Reply));
}
