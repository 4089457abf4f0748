//! A headless browser, told what to do over two pipes (Chrome `DevTools` Protocol, `--remote-debugging-pipe`).

use crate::process::guard;
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// One page in a browser of its own; both end with the test.
pub(super) struct Browser {
    child: Child,
    orders: File,
    answers: Receiver<Value>,
    session: String,
    last: u64,
}

impl Browser {
    /// Opens a page. The profile and the pipes lie in the folder.
    pub(super) fn open(folder: &Path, url: &str) -> Self {
        let found = Command::new("sh").args(["-c", "command -v chromium"]).output().unwrap();
        assert!(found.status.success(), "chromium is missing: apt-get install chromium");
        let pipes = ["orders", "answers"].map(|name| folder.join(name));
        assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
        let child = Command::new("sh")
            .args(["-c", START, "browser"])
            .args(&pipes)
            .arg(folder.join("profile"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("browser.log")).unwrap())
            .spawn()
            .unwrap();
        guard(&format!("+{}", child.id()));
        // A pipe opens when both ends are there; the shell opens them in this order too.
        let orders = File::options().write(true).open(&pipes[0]).unwrap();
        let answers = File::open(&pipes[1]).unwrap();
        let mut browser = Self {
            child,
            orders,
            answers: listen(answers),
            session: String::new(),
            last: 0,
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.ask(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser.ask("Page.navigate", json!({ "url": url }));
        browser
    }

    /// What a script comes to; a page that is not there yet comes to nothing.
    pub(super) fn value(&mut self, script: &str) -> Value {
        let expression = format!("(() => {{ try {{ return {script} }} catch {{ return null }} }})()");
        let answer = self.ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        answer["result"]["value"].clone()
    }

    /// Does it, which must not come to nothing.
    pub(super) fn act(&mut self, script: &str) {
        let done = self.value(&format!("({script}, true)"));
        assert_eq!(done, true, "{script}");
    }

    /// Waits until a script comes to `true`; says what stands on the page when it does not.
    pub(super) fn wait(&mut self, script: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(script) != true {
            if Instant::now() >= end {
                let text = self.value("document.body.innerText");
                panic!(
                    "not within {} s: {script}\n{}",
                    PATIENCE.as_secs(),
                    text.as_str().unwrap_or_default()
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Keeps a picture of the page in the target folder, for people to look at.
    pub(super) fn picture(&mut self, name: &str) {
        let picture = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = Base64::decode_vec(picture["data"].as_str().unwrap()).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "no picture");
        std::fs::write(
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("console-{name}.png")),
            bytes,
        )
        .unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut order = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() {
            order["sessionId"] = json!(self.session);
        }
        write!(self.orders, "{order}\0").unwrap();
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|_| panic!("the browser does not answer {method}; see browser.log"));
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(write!(self.orders, "{}\0", json!({ "id": 0, "method": "Browser.close" })));
        let end = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
        guard(&format!("-{}", self.child.id()));
    }
}

/// Answers and events, each ended by a zero byte.
fn listen(answers: File) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let said = BufReader::new(answers).split(0);
        let parsed = said
            .map_while(Result::ok)
            .filter_map(|text| serde_json::from_slice(&text).ok());
        parsed
            .take_while(|answer: &Value| sender.send(answer.clone()).is_ok())
            .for_each(drop);
    });
    receiver
}

/// The browser reads orders from descriptor 3 and writes answers to 4.
const START: &str = r#"exec chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage --window-size=1400,900 \
    --user-data-dir="$3" --remote-debugging-pipe 3<"$1" 4>"$2""#;
const PATIENCE: Duration = Duration::from_mins(1);
