//! `hangu sim web` as a tester meets it: in a browser, in both languages, and as somebody who has not been given the address.

#![expect(clippy::disallowed_methods, reason = "the tests wait for other processes")]

mod browser;

use crate::process::{Process, request};
use browser::Browser;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A console, and its address with the token.
struct Console {
    process: Process,
    address: String,
    token: String,
    folder: TempDir,
}

impl Console {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.args(["sim", "web", "--seed", "3"]);
        let mut process = Process::of(command, folder.path(), "console");
        let line = process.line(Duration::from_mins(1));
        let (address, token) = line.trim().strip_prefix("http://").unwrap().split_once("/#").unwrap();
        let (address, token) = (address.to_owned(), token.to_owned());
        Self {
            process,
            address,
            token,
            folder,
        }
    }

    fn open(&self, query: &str) -> Browser {
        Browser::open(self.folder.path(), &format!("http://{}/{query}#{}", self.address, self.token))
    }
}

#[test]
fn a_scenario_is_started_and_its_verdict_and_messages_are_shown() {
    let mut console = Console::start();
    let mut page = console.open("?lang=en");
    page.wait("document.querySelectorAll('[data-scenario]').length > 100");
    page.act("document.querySelector('[data-scenario=good-path-debit] button').click()");
    page.wait("document.querySelector('[data-verdict=passed]').textContent === 'passed'");
    page.wait("[...document.querySelectorAll('#flow .what')].some((cell) => cell.textContent.includes('debit request'))");
    let shown = page.value("document.querySelector('#flow').textContent");
    let account = shown.as_str().unwrap().split("payer.account = ").nth(1).unwrap();
    assert!(account.get(..16).unwrap().contains("****"), "an account is masked: {account}");
    page.picture("scenario-en");
    page.act("document.querySelector('#lang').click()");
    page.wait("document.querySelector('[data-verdict=passed]').textContent === '\u{901a}\u{8fc7}'");
    page.wait("document.documentElement.lang === 'zh-CN'");
    page.picture("scenario-zh");
    drop(page);
    console.process.terminate();
}

#[test]
fn a_message_by_hand_is_booked_and_a_bad_one_is_refused() {
    let console = Console::start();
    let mut page = console.open("?lang=en");
    page.wait("document.querySelector('#order').elements.operation.options.length > 5");
    page.act("document.querySelector('[data-tab=send]').click()");
    page.act("document.querySelector('#order').elements.amount.value = '12.34'");
    page.act("document.querySelector('#order').requestSubmit()");
    page.wait("document.querySelector('[data-verdict]').textContent === 'passed'");
    page.act("document.querySelector('#order').elements.fault.value = 'bad_signature'");
    page.act("document.querySelector('#order').requestSubmit()");
    page.wait("document.querySelector('[data-party=gateway]').textContent.includes('refused: verify1')");
    page.act("document.querySelector('[data-tab=books]').click()");
    page.wait("document.querySelector('#book').textContent.includes('12.34')");
    page.wait("document.querySelector('#equal').textContent === 'the three books are equal'");
    page.picture("books-en");
    page.act("document.querySelector('[data-tab=send]').click()");
    page.act("document.querySelectorAll('#flow tr.click')[2].click()");
    page.picture("send-en");
}

#[test]
fn what_the_form_cannot_mean_is_said_and_nothing_is_sent() {
    let console = Console::start();
    let mut page = console.open("?lang=en");
    page.wait("document.querySelector('#order').elements.operation.options.length > 5");
    page.act("document.querySelector('#order').elements.amount.value = '<b>12</b>'");
    page.act("document.querySelector('#order').requestSubmit()");
    page.wait("document.querySelector('#order-flaws').textContent.includes('takes an amount in yuan')");
    page.act("document.querySelector('#text').value = 'nmae = 1'");
    page.act("document.querySelector('#run-text').click()");
    page.wait("document.querySelector('#flaws').textContent.includes('unknown key `nmae`')");
    assert_eq!(page.value("document.querySelectorAll('[data-play]').length"), 0);
}

#[test]
fn a_run_is_stopped() {
    let console = Console::start();
    let mut page = console.open("?lang=en");
    page.wait("document.querySelector('#text').value.length > 0");
    page.act("document.querySelector('#text').value = document.querySelector('#text').value.replace('[[step]]', '[[step]]\\nwait_ms = 60000\\n\\n[[step]]')");
    page.act("document.querySelector('#run-text').click()");
    page.wait("document.querySelector('[data-state=running] button').textContent === 'Stop'");
    page.act("document.querySelector('[data-state=running] button').click()");
    page.wait("document.querySelector('[data-verdict=stopped]').textContent === 'stopped'");
}

#[test]
fn who_was_not_given_the_address_gets_nothing() {
    let console = Console::start();
    for path in ["/api/state", "/api/words", "/api/flow/0/0", "/api/books"] {
        let answer = request(&console.address, "GET", path, "").unwrap();
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    let answer = request(&console.address, "POST", "/api/play", r#"{"name":"good-path-debit"}"#).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // A page elsewhere whose name was pointed here knows neither the token nor our name.
    let mut stream = TcpStream::connect(&console.address).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nhost: elsewhere.example\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let page = request(&console.address, "GET", "/", "").unwrap();
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'self'"),
        "{page}"
    );
    assert!(!page.contains(&console.token), "the page itself holds no secret");
}
