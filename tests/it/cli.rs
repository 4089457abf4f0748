//! The command line as transcripts: each `cli/*.txt` is a session in a folder of its own against the built binary.
//!
//! ```text
//! # a remark
//! $ hangu check -c hangu.toml       a command; quotes keep words together
//! = 78                              its exit code, 0 when not given
//! > a line of standard output       [..] stands for any part of a line, [...] alone for any number of lines
//! ! a line of standard error
//! % mode 644 keys/gateway/x.pem     a change of the scene, see `Scene::change`
//! ```
//!
//! Output whose lines are not given is not compared. `broker.txt` uses the broker that the tests start; the rest runs offline.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

mod scene;

use scene::Scene;

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "txt"));
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    let failures: Vec<String> = files.iter().flat_map(|file| play(file)).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

/// Plays a transcript to its end, since later commands rarely depend on what earlier ones printed.
fn play(file: &Path) -> Vec<String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut scene = Scene::new();
    let mut failures = Vec::new();
    for step in steps(&fs::read_to_string(file).unwrap()) {
        let place = format!("{name}, line {}: {}", step.line, step.words.join(" "));
        match step.kind {
            Kind::Change => scene.change(&step.words, &place),
            Kind::Command => failures.extend(step.check(&scene, &place)),
        }
    }
    failures
}

enum Kind {
    Change,
    Command,
}

/// One command or change, with what is expected of it.
struct Step {
    line: usize,
    kind: Kind,
    words: Vec<String>,
    exit: i32,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (mark, rest) = line.split_at(line.len().min(1));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "" | "#" => {}
            "$" | "%" => steps.push(Step {
                line: index + 1,
                kind: if mark == "$" { Kind::Command } else { Kind::Change },
                words: words(rest),
                exit: 0,
                stdout: Vec::new(),
                stderr: Vec::new(),
            }),
            "=" => steps.last_mut().unwrap().exit = rest.parse().unwrap(),
            ">" => steps.last_mut().unwrap().stdout.push(rest.to_owned()),
            "!" => steps.last_mut().unwrap().stderr.push(rest.to_owned()),
            other => panic!("line {}: no line starts with {other}", index + 1),
        }
    }
    steps
}

/// Words apart by blanks; double quotes keep blanks inside, where `?` stands for a quote.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.replace('?', "\""));
        } else {
            words.extend(part.split_whitespace().map(ToOwned::to_owned));
        }
    }
    words
}

impl Step {
    /// What was not as expected, with all that was printed.
    fn check(&self, scene: &Scene, place: &str) -> Option<String> {
        let [program, arguments @ ..] = &self.words[..] else {
            panic!("{place}: no command")
        };
        assert_eq!(program, "hangu", "{place}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.args(arguments).current_dir(scene.folder()).stdin(Stdio::null());
        let done = command.env("COLUMNS", "200").output().expect("the binary starts");
        let exit = done.status.code();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(done.stdout), text(done.stderr));
        let streams = [(&self.stdout, &stdout), (&self.stderr, &stderr)];
        let all_fit = streams.iter().all(|(expected, found)| {
            let lines: Vec<&str> = found.lines().collect();
            expected.is_empty() || fits(expected, &lines)
        });
        if exit == Some(self.exit) && all_fit {
            return None;
        }
        let wanted = format!(
            "wanted exit {}\n{}\n{}",
            self.exit,
            self.stdout.join("\n"),
            self.stderr.join("\n")
        );
        Some(format!(
            "{place}\nexit {exit:?}\nstdout:\n{stdout}\nstderr:\n{stderr}\n{wanted}"
        ))
    }
}

/// Whether lines fit patterns; `[...]` takes any number of lines.
fn fits(patterns: &[String], lines: &[&str]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "[...]" => (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..])),
        Some((first, rest)) => match lines.split_first() {
            Some((line, others)) => fits_line(first, line) && fits(rest, others),
            None => false,
        },
    }
}

fn fits_line(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((head, tail)) => line.strip_prefix(head).is_some_and(|rest| {
            let mut rests = rest.char_indices().map(|(at, _)| rest.split_at(at).1).chain([""]);
            rests.any(|rest| fits_line(tail, rest))
        }),
    }
}

#[test]
fn patterns_fit_what_they_should() {
    let check = |pattern: &[&str], lines: &[&str]| {
        let pattern: Vec<String> = pattern.iter().map(|&line| line.to_owned()).collect();
        fits(&pattern, lines)
    };
    assert!(check(&["a[..]c", "[...]", "z"], &["abc", "x", "y", "z"]));
    assert!(check(&["[...]"], &[]));
    assert!(!check(&["a[..]c"], &["abd"]));
    assert!(!check(&["a"], &["a", "b"]));
    assert!(!check(&["a", "b"], &["a"]));
}

/// Both pages for officers, command by command: what they show is what is printed, but for values that are new each time.
#[test]
fn the_pages_for_officers_are_what_happens() {
    for page in ["docs/officers.md", "docs/officers.zh-CN.md"] {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let scene = Scene::new();
        for officer in ["li", "wang", "zhao"] {
            scene.write(&format!("{officer}.pass"), &format!("a passphrase of {officer}"));
        }
        let blocks: Vec<&str> = page.split("```\n").skip(1).step_by(2).collect();
        assert!(blocks.len() >= 10);
        for command in blocks.iter().flat_map(|block| block.split("$ hangu ").skip(1)) {
            let (line, shown) = command.split_once('\n').unwrap();
            let mut arguments = words(line);
            authority(&scene, &arguments);
            arguments.extend(passphrases(&arguments));
            let mut run = Command::new(env!("CARGO_BIN_EXE_hangu"));
            let done = run
                .args(&arguments)
                .current_dir(scene.folder())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let printed = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
            assert_eq!(timeless(&printed), timeless(shown), "{line}\n{printed}");
        }
    }
}

/// Both pages for testers: their scenario, and what every command prints but for its numbers.
#[test]
fn the_pages_for_testers_are_what_happens() {
    for page in ["docs/testers.md", "docs/testers.zh-CN.md"] {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let scene = Scene::new();
        for block in page.split("```toml\n").skip(1) {
            let scenario = block.split("```").next().unwrap();
            let name = scenario.split('"').nth(1).unwrap();
            scene.write(&format!("{name}.toml"), scenario);
        }
        let run = |line: &str| {
            let mut run = Command::new(env!("CARGO_BIN_EXE_hangu"));
            let done = run
                .args(words(line))
                .current_dir(scene.folder())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
        };
        let demo = page.split("`hangu demo ").nth(1).unwrap().split('`').next().unwrap();
        assert!(run(&format!("demo {demo}")).contains("Every check holds."));
        let commands: Vec<&str> = page.split("$ hangu ").skip(1).collect();
        assert!(commands.len() >= 6);
        for command in commands {
            let (line, rest) = command.split_once('\n').unwrap();
            let shown = rest.split("```").next().unwrap();
            let printed = run(line);
            assert_eq!(numberless(&printed), numberless(shown), "{line}\n{printed}");
        }
    }
}

/// Each run of digits, and the spaces before it, as one sign: times and counts differ from run to run.
fn numberless(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }) {
        if !(c == '#' && kept.ends_with('#') || c == ' ' && kept.ends_with(' ')) {
            kept.push(c);
        }
    }
    kept
}

/// What officers type, from files instead.
fn passphrases(arguments: &[String]) -> Vec<String> {
    let after = |name: &str| arguments.iter().skip_while(move |argument| *argument != name).nth(1);
    // The new passphrase is the old one, so that the rest of the page goes on.
    let anew = after("passphrase");
    let officer = after("--officer-key").or_else(|| after("officer")).or(anew);
    let founders = arguments
        .iter()
        .filter_map(|argument| argument.split_once(".officer="))
        .map(|(name, _)| name);
    let names = officer
        .map(|name| name.trim_end_matches(".officer"))
        .into_iter()
        .chain(founders);
    let anew = anew.map(|name| {
        [
            "--new-passphrase-file".to_owned(),
            format!("{}.pass", name.trim_end_matches(".officer")),
        ]
    });
    names
        .flat_map(|name| ["--passphrase-file".to_owned(), format!("{name}.pass")])
        .chain(anew.into_iter().flatten())
        .collect()
}

/// What an authority does between an officer's commands.
fn authority(scene: &Scene, arguments: &[String]) {
    let openssl = |line: &str| {
        let mut command = Command::new("openssl");
        let done = command.args(line.split(' ')).current_dir(scene.folder()).output();
        let done = done.expect("this test needs OpenSSL 3: apt-get install openssl");
        assert!(
            done.status.success(),
            "openssl {line}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    let sign = "-sm3 -sigopt distid:1234567812345678";
    if arguments.iter().any(|argument| argument == "anchor") {
        openssl("ecparam -name SM2 -genkey -noout -out root.key");
        openssl(&format!(
            "req -x509 -new -key root.key {sign} -days 3650 -subj /CN=root -out root.pem"
        ));
    }
    if arguments.iter().any(|argument| argument == "certificate") {
        let verify = "-vfyopt distid:1234567812345678 -set_serial 4000000009 -days 365";
        openssl(&format!(
            "x509 -req -in bank-sign-2.csr -CA root.pem -CAkey root.key {sign} {verify} -out bank-sign-2.pem"
        ));
    }
}

/// Instants and long hexadecimal values, whole or cut short, become marks.
fn timeless(text: &str) -> String {
    let mark = |word: &str| {
        let bare = word.trim_end_matches([',', '\n', '~']);
        let is_hex = bare.len() >= 24 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_instant = bare.len() == 20 && bare.ends_with('Z') && bare.contains('T');
        if is_hex || is_instant {
            "*".to_owned()
        } else {
            word.trim_end_matches(',').to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(mark).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// docs/errors.md names every reason, every code of the centre with its reason, and every exit code.
#[test]
fn the_page_of_errors_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/errors.md")).unwrap();
    let row = |parts: &[&str]| {
        page.lines()
            .any(|line| line.starts_with('|') && parts.iter().all(|part| line.contains(&format!("`{part}`"))))
    };
    let spec: toml::Table = fs::read_to_string(root.join("codecs/nps/spec.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let codes = spec["codes"].as_array().unwrap();
    assert!(codes.len() >= 20);
    for code in codes {
        let (code, reason) = (code["code"].as_str().unwrap(), code["reason"].as_str().unwrap());
        assert!(row(&[code, reason]), "{code} {reason}");
    }
    for reason in codecs::payment::Reason::ALL {
        assert!(row(&[reason.name()]), "{reason}");
    }
    for (_, table) in spec["status"].as_table().unwrap() {
        for status in table.as_array().unwrap() {
            assert!(row(&[status["code"].as_str().unwrap()]), "{status}");
        }
    }
    for exit in ["0", "1", "64", "69", "78"] {
        assert!(row(&[exit]), "{exit}");
    }
}
