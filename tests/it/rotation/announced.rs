//! NPS.903 over the queues: the centre's key is proven, kept and used for nothing until a rotation takes it; ours is announced,
//! confirmed, and then known to the centre by nothing else.

use super::rewrapping::is_proven;
use super::{end, make, open};
use crate::process::hangu;
use crate::rotation::fleet::forget;
use crate::stand::{Instance, Stand, debits, until};
use codecs::payment::{Attribute, Outcome, Payment, Reason};
use hangu::clock::Random;
use hangu::exchange::{Announced, Distributed};
use hangu::journal::Read;
use hangu::journal::sqlite::SqliteJournal;
use hangu::shell::SystemEntropy;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::sm2::{Engine, PublicKey};
use keys::store::{Changes, NewKey, Source};
use serde_json::Value;
use simulators::centre::NewKey as Announcing;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use time::OffsetDateTime;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_the_centres_is_announced_and_rotated_to() {
    let scene = Scene::set().await;
    let (public, gateway) = (scene.centre_key("5000000009"), scene.one.running.gateway().clone());
    let whole = scene.announcement("5000000009", &public);
    assert_eq!(scene.put(whole.clone()).await, Outcome::Success);
    // The same key, said once more: still one.
    assert_eq!(scene.put(scene.announcement("5000000009", &public)).await, Outcome::Success);
    let kept = Announced::all(&*scene.stand.journal).await.unwrap();
    assert_eq!((kept.len(), kept[0].signed_by.as_str()), (1, "5000000001"));
    let keyring = gateway.keyring();
    assert!(
        !keyring.infos().any(|info| info.serial == "5000000009"),
        "never straight into use"
    );

    scene.wrong_ones_are_refused().await;
    assert_eq!(Announced::all(&*scene.stand.journal).await.unwrap(), kept);

    let listed = scene.said(&["key", "announced", "-o", "json"]);
    let prints: Vec<&Value> = listed["theirs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["fingerprint"])
        .collect();
    let print = kept[0].proven(&keyring, gateway.now()).unwrap().fingerprint;
    assert_eq!(
        (prints, &listed["theirs"][0]["standing"]),
        (vec![&Value::from(print.clone())], &Value::from("waits"))
    );
    scene.rotated(&["prepare", "--announced"]);
    scene.rotated(&["accept", "--side", "theirs"]);
    scene.taken_up("5000000009", Status::Accepted).await;
    let keyring = gateway.keyring();
    let entered = keyring.infos().find(|info| info.serial == "5000000009").unwrap();
    assert_eq!(entered.fingerprint, print);
    // The centre changes over by itself, and every message is under its new key.
    scene.centre_uses("5000000009");
    scene.pay(&["5000000009"]).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_ours_is_announced_and_known_by_that_alone() {
    let scene = Scene::set().await;
    scene.stand.centre.go_silent(true);
    make(&scene.folder(), "4000000009", "centre", Status::Pending);
    scene.taken_up("4000000009", Status::Pending).await;
    let told = async || Distributed::all(&*scene.stand.journal).await.unwrap();
    until("the key is announced", async || !told().await.is_empty()).await;
    let waits = scene.said(&["key", "rotate", "centre", "accept", "--usage", "sign", "-o", "json"]);
    assert_eq!(waits["waits"][0]["for"], "unconfirmed", "{waits}");
    assert!(!scene.stand.centre.desk().has_announced(Usage::Sign, "4000000009"));
    scene.stand.centre.go_silent(false);
    until("the centre has it", async || {
        told()
            .await
            .iter()
            .any(|one| one.answer.as_ref().is_some_and(|answer| answer.is_taken))
    })
    .await;
    assert!(scene.stand.centre.desk().has_announced(Usage::Sign, "4000000009"));
    scene.rotated(&["accept"]);
    scene.taken_up("4000000009", Status::Accepted).await;
    scene.rotated(&["promote", "--lead-s", "5"]);
    scene.taken_up("4000000009", Status::Primary).await;
    let gateway = scene.one.running.gateway();
    until("its instant has come", async || {
        gateway.keyring().signer("centre", gateway.now()).unwrap().info.serial == "4000000009"
    })
    .await;
    scene.pay(&["4000000009"]).await;
    scene.end().await;
}

struct Scene {
    stand: Stand,
    one: Instance,
    _journal: TempDir,
}

impl Scene {
    async fn set() -> Self {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("journal.db");
        let stand = Stand::set(Arc::new(SqliteJournal::open(&file).unwrap())).await;
        for party in ["gateway", "centre"] {
            forget(&stand.folder.path().join(party), "centre-sign-next");
        }
        let text = stand
            .config()
            .replace("\"journal.db\"", &format!("\"{}\"", file.display()))
            .replace("keys.folder = \"keys\"", "keys.folder = \"gateway\"")
            .replace("channel = \"B\"", "channel = \"B\"\nannounce_keys = true");
        std::fs::write(stand.folder.path().join("hangu.toml"), text).unwrap();
        let announcing = |config: &mut hangu::config::Config| config.link.get_mut("centre").unwrap().announce_keys = true;
        let one = stand.start("one", announcing).await;
        one.running.follow_keys(Arc::new(open(&stand.folder.path().join("gateway"))));
        stand.open_the_day(&[&one]).await;
        Self {
            stand,
            one,
            _journal: place,
        }
    }

    fn folder(&self) -> PathBuf {
        self.stand.folder.path().join("gateway")
    }

    fn announcement(&self, serial: &str, public: &PublicKey) -> Payment {
        let from = OffsetDateTime::now_utc() - time::Duration::HOUR;
        self.valid_from(serial, public, from)
    }

    fn valid_from(&self, serial: &str, public: &PublicKey, from: OffsetDateTime) -> Payment {
        let key = Announcing {
            usage: Usage::Sign,
            serial: serial.to_owned(),
            public: public.clone(),
            from,
            valid: time::Duration::days(30),
        };
        self.stand.centre.desk().announcement(&key).unwrap()
    }

    async fn put(&self, announcement: Payment) -> Outcome {
        self.stand.centre.desk().send(announcement).await.unwrap().outcome
    }

    /// Each gets its answer, with the cause, and is parked for a person.
    async fn wrong_ones_are_refused(&self) {
        let other = self.centre_key("5000000010");
        let with = |attribute, text: &str| {
            let mut payment = self.announcement("5000000010", &other);
            payment.set_text(attribute, text);
            payment
        };
        let past = OffsetDateTime::now_utc() - time::Duration::days(31);
        let proof = self
            .announcement("5000000010", &other)
            .text(Attribute::KeySignature)
            .unwrap()
            .to_owned();
        let cases = [
            ("announce.altered", Reason::Altered, self.announcement("5000000009", &other)),
            ("announce.altered", Reason::Altered, self.announcement("5000000001", &other)),
            (
                "announce.signature",
                Reason::SignatureInvalid,
                with(Attribute::KeySerial, "5000000011"),
            ),
            (
                "announce.signature",
                Reason::SignatureInvalid,
                with(Attribute::KeyUsage, "SEAL"),
            ),
            (
                "announce.signature",
                Reason::SignatureInvalid,
                with(Attribute::KeyTo, "2049-01-01T00:00:00"),
            ),
            ("announce.signature", Reason::SignatureInvalid, {
                let mut payment = self.announcement("5000000012", &other);
                payment.set_text(Attribute::KeySignature, proof);
                payment
            }),
            (
                "announce.expired",
                Reason::InvalidMessage,
                self.valid_from("5000000010", &other, past),
            ),
        ];
        for (code, reason, payment) in cases {
            let outcome = self.put(payment).await;
            let Outcome::Failed { reason: told, text } = &outcome else {
                panic!("{code}: {outcome:?}")
            };
            assert!(*told == reason && text.contains(code), "{code}: {outcome:?}");
            let read = Read::Parked {
                id: None,
                status: None,
                limit: 100,
            };
            let parked = self.stand.journal.read(read).await.unwrap().parked().unwrap();
            assert!(parked.iter().any(|one| one.park.code == code), "{code} is not parked");
        }
    }

    /// A key pair in the centre's folder that it does not sign with yet.
    fn centre_key(&self, serial: &str) -> PublicKey {
        let folder = self.stand.folder.path().join("centre");
        let not_before = OffsetDateTime::now_utc() - time::Duration::DAY;
        let entry = KeyEntry {
            id: format!("key-{serial}"),
            link: "centre".to_owned(),
            side: Side::Ours,
            usage: Usage::Sign,
            algorithm: keys::algorithm::Algorithm::Sm2,
            status: Status::Accepted,
            serial: serial.to_owned(),
            primary_from: None,
            not_before,
            not_after: not_before + time::Duration::days(60),
            user_id: None,
        };
        let made = keys::store::create(&folder, &NewKey { entry, bits: 0 }, &mut Random(&SystemEntropy)).unwrap();
        PublicKey::from_pem(&std::fs::read_to_string(made.public.unwrap()).unwrap()).unwrap()
    }

    fn centre_uses(&self, serial: &str) {
        let folder = keys::store::OpenFolder::new(&self.stand.folder.path().join("centre"), Engine::default());
        let now = OffsetDateTime::now_utc();
        let change = super::change(&format!("key-{serial}"), Status::Primary, Some(now));
        folder.apply(&[change]).unwrap();
        self.stand.parties.centre.replace_keyring(Arc::new(folder.load().unwrap()));
    }

    async fn taken_up(&self, serial: &str, status: Status) {
        let gateway = self.one.running.gateway();
        until("the gateway has the key", async || {
            gateway
                .keyring()
                .infos()
                .any(|info| info.serial == serial && info.status == status)
        })
        .await;
    }

    /// What a command says, as JSON.
    fn said(&self, arguments: &[&str]) -> Value {
        let done = hangu(self.stand.folder.path(), arguments).output().unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {error}"))
    }

    /// A step of the rotation, as soon as nothing is waited for.
    fn rotated(&self, step: &[&str]) {
        let arguments = [&["key", "rotate", "centre", "--usage", "sign", "-o", "json"], step].concat();
        let mut report = Value::Null;
        for _ in 0..100 {
            report = self.said(&arguments);
            if report["taken"] == true {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{step:?} waits: {report}");
    }

    /// Payments under the keys of these serial numbers, everywhere verified.
    async fn pay(&self, serials: &[&str]) {
        for planned in debits(1).take(10) {
            let played = self.stand.centre.desk().play(&planned).await;
            assert!(played.as_expected, "{played:?}");
        }
        self.stand.settle_down().await;
        let seen = self.one.running.gateway().key_traffic();
        for serial in serials {
            let used = seen
                .iter()
                .filter(|seen| seen.serial == *serial)
                .map(|seen| seen.received + seen.sent);
            assert!(used.sum::<u64>() >= 10, "{serial}: {seen:?}");
        }
        let figures = self.stand.centre.figures();
        assert_eq!((figures.bad_signature, figures.unreadable), (0, 0), "{figures:?}");
        self.stand.compare().await;
        is_proven(&self.stand, &self.one).await;
    }

    async fn end(self) {
        end([self.one]).await;
    }
}
