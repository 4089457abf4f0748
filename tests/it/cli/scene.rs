//! The folder of one transcript, and what can be changed in it between commands.

use codecs::payment::{Attribute, Payment};
use codecs::sample::{Sample, embedded};
use codecs::spec::Specs;
use codecs::wire::Wire;
use hangu::clock::{Clock, Random, SeededEntropy, millis};
use hangu::journal::sqlite::Store;
use hangu::journal::{Accept, Park, Write};
use hangu::pipeline::{LinkView, emit};
use hangu::record::{Place, parked_digest, seal, seal_wire};
use hangu::shell::SystemClock;
use keys::keyring::Keyring;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct Scene {
    folder: TempDir,
    /// Held open like a running gateway does.
    locked: Option<Store>,
    gateway: Option<Child>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            locked: None,
            gateway: None,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn change(&mut self, words: &[String], place: &str) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["mode", mode, file] => super::set_mode(&self.path(file), u32::from_str_radix(mode, 8).unwrap()),
            ["replace", file, old, new] => self.replace(file, old, new, place),
            ["sample", codec, name, file] => fs::write(self.path(file), sample(codec, name).wire.body).unwrap(),
            ["emit", name, file] => fs::write(self.path(file), self.signed(name).body).unwrap(),
            ["journal", file] => self.journal(file),
            ["park", "beginning"] => self.park_beginning(),
            ["broker"] => self.use_broker(place),
            ["database"] => self.use_database(place),
            ["lock"] => self.locked = Some(Store::open(&self.path("hangu.db")).unwrap()),
            ["unlock"] => self.locked = None,
            ["run"] => self.run(place),
            ["stop"] => self.stop(),
            ["write", file, text] => self.write(file, text),
            ["move", from, to] => fs::rename(self.path(from), self.path(to)).unwrap(),
            ["copy", from, to] => self.write(to, &String::from_utf8(self.read(from)).unwrap()),
            ["testdata", from, to] => self.take_testdata(from, to),
            ["same", left, right] => assert_eq!(self.read(left), self.read(right), "{place}"),
            _ => panic!("{place}: no such change"),
        }
    }

    /// Starts a gateway on free ports, without a broker, and waits until it answers.
    fn run(&mut self, place: &str) {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let admin = free();
        for (key, address) in [("listen = ?127.0.0.1:9180?", &admin), ("listen = ?127.0.0.1:8100?", &free())] {
            let old = key.replace('?', "\"");
            self.replace("hangu.toml", &old, &format!("listen = \"{address}\""), place);
        }
        self.replace(
            "hangu.toml",
            "addresses = [\"127.0.0.1:5672\"]",
            "addresses = [\"127.0.0.1:1\"]",
            place,
        );
        let log = fs::File::create(self.path("gateway.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.arg("run").current_dir(self.folder()).stdin(Stdio::null()).stderr(log);
        self.gateway = Some(command.spawn().unwrap());
        for _ in 0..600 {
            if TcpStream::connect(&admin).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{place}: no gateway\n{}", String::from_utf8_lossy(&self.read("gateway.log")));
    }

    fn stop(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            drop(gateway.kill());
            drop(gateway.wait());
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// A new text in a file of mode 0600.
    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
        super::set_mode(&self.path(file), 0o600);
    }

    /// A published test key or certificate, which no transcript may hold itself.
    fn take_testdata(&self, from: &str, to: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata").join(from);
        fs::write(self.path(to), fs::read(source).unwrap()).unwrap();
        super::set_mode(&self.path(to), 0o600);
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    fn replace(&self, file: &str, old: &str, new: &str, place: &str) {
        let text = String::from_utf8(self.read(file)).unwrap();
        assert!(text.contains(old), "{place}");
        fs::write(self.path(file), text.replacen(old, new, 1)).unwrap();
    }

    fn keyring(&self, party: &str) -> Keyring {
        keys::store::load(&self.path("keys").join(party)).unwrap()
    }

    /// A sample's payment as the centre sends it to us: sealed and signed with the centre's keys.
    fn signed(&self, name: &str) -> Wire {
        let specs = Specs::embedded().unwrap();
        let spec = specs.spec("nps").unwrap();
        let (keyring, entropy) = (self.keyring("centre"), SeededEntropy::new(1));
        let link = LinkView {
            name: "centre",
            spec,
            keyring: &keyring,
        };
        let payment = payment(name);
        let code = payment.text(Attribute::MessageCode).unwrap().to_owned();
        let mut random = Random(&entropy);
        emit(&payment, &code, link, SystemClock.now(), &mut random)
            .unwrap()
            .wire()
            .clone()
    }

    /// The configuration of `config init` over the tests' own broker, with queues that no other test has.
    fn use_broker(&self, place: &str) {
        let address = crate::broker::shared().address();
        self.replace(
            "hangu.toml",
            "addresses = [\"127.0.0.1:5672\"]",
            &format!("addresses = [\"{address}\"]"),
            place,
        );
        self.replace(
            "hangu.toml",
            "base_url = \"http://127.0.0.1:8200\"",
            "base_url = \"http://127.0.0.1:1\"",
            place,
        );
        for (key, queue) in [
            ("request_queue", "b.req"),
            ("reply_queue", "b.rsp"),
            ("outbound_queue", "centre.b"),
        ] {
            self.replace(
                "hangu.toml",
                &format!("\n{key} = \"nps.{queue}\""),
                &format!("\n{key} = \"cli.{queue}\""),
                place,
            );
        }
    }

    /// Puts the journal into a database of its own on a real server.
    fn use_database(&self, place: &str) {
        let options = crate::database::shared().fresh();
        fs::write(self.path("pw"), format!("{}\n", crate::database::PASSWORD)).unwrap();
        super::set_mode(&self.path("pw"), 0o600);
        let (address, name, user) = (&options.addresses[0], &options.database, &options.user);
        let table = format!(
            "postgres = {{ addresses = [\"{address}\"], database = \"{name}\", user = \"{user}\", password_file = \"pw\" }}"
        );
        self.replace("hangu.toml", "file = \"hangu.db\"", &table, place);
    }

    /// Parks what was too large to be kept whole.
    fn park_beginning(&self) {
        let (keyring, entropy, now) = (self.keyring("gateway"), SeededEntropy::new(3), SystemClock.now());
        let beginning = Wire::queue(vec![b'x'; hangu::limits::PARKED_BYTES_OF_TOO_LARGE]);
        let park = Park {
            link: "centre".to_owned(),
            source: "nps.b.req".to_owned(),
            step: "parse".to_owned(),
            code: "limit.bytes".to_owned(),
            field: None,
            reason: "2000000 bytes, allowed 1048576".to_owned(),
            record: seal_wire(&keyring, &entropy, "centre", &beginning, now).unwrap(),
            digest: parked_digest(&keyring, &vec![b'x'; 2_000_000]).unwrap(),
            at: millis(now),
        };
        let mut store = Store::open(&self.path("hangu.db")).unwrap();
        store.apply(&Write::Park(Box::new(park))).unwrap();
    }

    /// A journal with one accepted exchange and one parked message, both of these bytes.
    fn journal(&self, file: &str) {
        let (keyring, entropy, now) = (self.keyring("gateway"), SeededEntropy::new(2), SystemClock.now());
        let wire = Wire::queue(self.read(file));
        let payment = payment("142_document.txt");
        let place = Place {
            link: "centre",
            direction: "received",
            part: "request",
        };
        let message = seal(&keyring, &entropy, place, "NPS.142.001.01", &wire, now).unwrap();
        let digest = keyring.digest().unwrap();
        let account = payment.text(Attribute::PayerAccount).unwrap();
        let accept = Accept {
            owner: "hangu-1".to_owned(),
            lease_until: millis(now),
            communication_key: "centre|900584099999|NPS|2030-01-01|BBE00001234|NPS.142.001.01".to_owned(),
            business_key: None,
            content: digest.tag(&[b"content"]),
            link_in: "centre".to_owned(),
            operation: "debit".to_owned(),
            institution: payment.text(Attribute::Institution).map(ToOwned::to_owned),
            amount_fen: Some(1234),
            initiator: "900584099999".to_owned(),
            msg_id: "203001026600001234".to_owned(),
            msg_code: "NPS.142.001.01".to_owned(),
            end_to_end_id: Some("2030010100000000000000010900001".to_owned()),
            settlement_date: Some("2030-01-02".to_owned()),
            batch: None,
            account_digest: Some(digest.tag(&[account.as_bytes()])),
            cancels: None,
            identities: Vec::new(),
            message,
            at: millis(now),
            deadline: millis(now),
            sends: None,
        };
        let park = Park {
            link: "centre".to_owned(),
            source: hangu::config::Config::load(&self.path("hangu.toml")).unwrap().link["centre"]
                .mq
                .clone()
                .unwrap()
                .request_queue,
            step: "verify".to_owned(),
            code: "key.unknown_serial".to_owned(),
            field: None,
            reason: "no key has this serial".to_owned(),
            record: seal_wire(&keyring, &entropy, "centre", &wire, now).unwrap(),
            digest: parked_digest(&keyring, &wire.body).unwrap(),
            at: millis(now),
        };
        let mut store = Store::open(&self.path("hangu.db")).unwrap();
        for write in [Write::Accept(Box::new(accept)), Write::Park(Box::new(park))] {
            store.apply(&write).unwrap();
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop();
    }
}

fn sample(codec: &str, name: &str) -> Sample {
    let samples = embedded().unwrap();
    samples
        .into_iter()
        .find(|sample| sample.codec == codec && sample.file == name)
        .unwrap()
}

fn payment(name: &str) -> Payment {
    let specs = Specs::embedded().unwrap();
    let spec = specs.spec("nps").unwrap().with_sealing(false);
    spec.parse(&sample("nps", name).wire).unwrap().payment().unwrap()
}
