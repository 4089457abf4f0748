//! What a link reuses of envelopes, through the whole pipeline and with the configuration that says so.

use codecs::envelope::RawCiphertext;
use codecs::payment::{Attribute, Payment};
use codecs::sample::embedded;
use codecs::spec::{Spec, Specs};
use codecs::wire::Wire;
use hangu::clock::{Random, SeededEntropy};
use hangu::config::Config;
use hangu::pipeline::{LinkView, emit, receive};
use hangu::record::{open_parked, seal_wire};
use keys::keyring::Keyring;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// Keys of the gateway and of the centre, and what the gateway's link to the centre says of reuse.
struct Pair {
    gateway: Keyring,
    centre: Keyring,
    specs: Arc<Specs>,
    entropy: SeededEntropy,
}

impl Pair {
    fn new(seed: u64, reuse: &str) -> Self {
        let config = Config::parse(&CONFIG.replace("REUSE", reuse)).unwrap();
        Self {
            gateway: config.reusing(load("gateway")),
            centre: config.reusing(load("centre")),
            specs: Arc::new(Specs::embedded().unwrap()),
            entropy: SeededEntropy::new(seed),
        }
    }

    fn spec(&self) -> &Spec {
        self.specs.spec("nps").unwrap()
    }

    fn link<'a>(&'a self, keyring: &'a Keyring) -> LinkView<'a> {
        LinkView {
            name: "centre",
            spec: self.spec(),
            keyring,
        }
    }

    /// The sample's payment as one sends it to the other.
    fn send(&self, from: &Keyring, now: OffsetDateTime) -> Wire {
        let payment = self.payment();
        let code = payment.text(Attribute::MessageCode).unwrap().to_owned();
        let signed = emit(&payment, &code, self.link(from), now, &mut Random(&self.entropy)).unwrap();
        signed.wire().clone()
    }

    fn open(&self, to: &Keyring, wire: &Wire, now: OffsetDateTime) {
        let received = receive(wire, self.link(to), now).unwrap();
        assert_eq!(received.payment, self.payment());
    }

    fn payment(&self) -> Payment {
        let samples = embedded().unwrap();
        let sample = samples.into_iter().find(|sample| sample.file == "142_document.txt").unwrap();
        self.spec()
            .with_sealing(false)
            .parse(&sample.wire)
            .unwrap()
            .payment()
            .unwrap()
    }

    fn envelope(&self, wire: &Wire) -> RawCiphertext {
        self.spec().parse(wire).unwrap().envelope().unwrap().unwrap().wrapped
    }

    /// Every sealed field of a message: nonce and ciphertext.
    fn sealed(&self, wire: &Wire) -> Vec<([u8; 12], Vec<u8>)> {
        let message = self.spec().parse(wire).unwrap();
        let fields = message.sealed_fields().unwrap();
        fields.into_iter().map(|field| (field.nonce, field.ciphertext)).collect()
    }
}

/// How many different envelopes so many messages have.
fn check(reuse: &str, messages: usize, envelopes: usize) {
    let pair = Pair::new(51, reuse);
    let wires: Vec<Wire> = (0..messages).map(|_| pair.send(&pair.gateway, NOW)).collect();
    let points: BTreeSet<_> = wires.iter().map(|wire| pair.envelope(wire).c1).collect();
    assert_eq!(points.len(), envelopes, "{reuse}, seed 51");
    let sealed: Vec<_> = wires.iter().flat_map(|wire| pair.sealed(wire)).collect();
    assert!(sealed.len() >= 2 * messages);
    let nonces: BTreeSet<_> = sealed.iter().map(|(nonce, _)| *nonce).collect();
    assert_eq!(nonces.len(), sealed.len(), "{reuse}, seed 51");
    for wire in &wires {
        pair.open(&pair.centre, wire, NOW);
    }
}

#[test]
fn a_link_sends_each_message_in_an_envelope_of_its_own_by_default() {
    check("", 5, 5);
    check("envelope_reuse = { kept = 16 }", 5, 5);
}

#[test]
fn a_link_that_says_so_sends_several_in_one() {
    check("envelope_reuse = { messages = 4 }", 10, 3);
    check("envelope_reuse = { messages = 100000, kept = 4096, seconds = 3600 }", 10, 1);
}

#[test]
fn seconds_end_an_envelope() {
    let pair = Pair::new(52, "envelope_reuse = { messages = 100, seconds = 5 }");
    let point = |after| {
        pair.envelope(&pair.send(&pair.gateway, NOW + Duration::milliseconds(after)))
            .c1
    };
    let [first, last, next] = [0, 4_999, 5_000].map(point);
    assert!(first == last && last != next);
}

/// Whoever keeps unwrapped keys takes and refuses the same as whoever does not.
#[test]
fn a_kept_key_opens_what_its_envelope_sealed_and_nothing_else() {
    let pair = Pair::new(53, "envelope_reuse = { messages = 100, kept = 4, seconds = 60 }");
    let wires: Vec<Wire> = (0..4).map(|_| pair.send(&pair.centre, NOW)).collect();
    for wire in wires.iter().chain(&wires) {
        pair.open(&pair.gateway, wire, NOW);
    }
    let before_its_key = datetime!(1990-01-01 00:00 UTC);
    let refused = receive(&wires[0], pair.link(&pair.gateway), before_its_key).unwrap_err();
    assert_eq!(refused.code, "key.expired");
    // A revoked private key opens nothing, though the envelope was opened a moment ago.
    let revoked = revoked("gateway");
    let refused = receive(&wires[0], pair.link(&revoked), NOW).unwrap_err();
    assert_eq!(refused.code, "key.unusable");
}

/// What is journalled is resent as it is, whatever envelope the link uses meanwhile.
#[test]
fn a_stored_message_stays_the_same_bytes() {
    let pair = Pair::new(54, "envelope_reuse = { messages = 2 }");
    let wire = pair.send(&pair.gateway, NOW);
    let stored = seal_wire(&pair.gateway, &pair.entropy, "centre", &wire, NOW).unwrap();
    for _ in 0..3 {
        assert_ne!(pair.send(&pair.gateway, NOW).body, wire.body);
        assert_eq!(open_parked(&pair.gateway, "centre", &stored).unwrap(), wire);
    }
}

#[test]
fn bounds_of_the_configuration() {
    let check = |reuse: &str, allowed: &str| {
        let text = CONFIG.replace("REUSE", &format!("envelope_reuse = {{ {reuse} }}"));
        let error = Config::parse(&text).unwrap_err();
        let key = reuse.split(' ').next().unwrap();
        assert_eq!(error.place, format!("link.centre.envelope_reuse.{key}"));
        assert!(error.detail.ends_with(allowed), "{error}");
    };
    check("messages = 0", "1 to 100000");
    check("messages = 100001", "1 to 100000");
    check("kept = 4097", "0 to 4096");
    check("seconds = 0", "1 to 3600");
    check("seconds = 3601", "1 to 3600");
}

fn load(party: &str) -> Keyring {
    keys::store::load(&folder().join(party)).unwrap()
}

/// The same keys, with those that open revoked.
fn revoked(party: &str) -> Keyring {
    let list = folder().join(party).join("keyring.toml");
    let text = std::fs::read_to_string(&list).unwrap();
    let keys = text.split("[[key]]").map(|key| {
        let opens = key.contains("side = \"ours\"") && key.contains("usage = \"seal\"");
        if opens {
            key.replace("\"primary\"", "\"revoked\"")
        } else {
            key.to_owned()
        }
    });
    let changed = keys.collect::<Vec<_>>().join("[[key]]");
    assert_ne!(changed, text);
    let place = folder().join(party).join("revoked");
    std::fs::create_dir_all(&place).unwrap();
    for entry in std::fs::read_dir(folder().join(party)).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), place.join(entry.file_name())).unwrap();
        }
    }
    std::fs::write(place.join("keyring.toml"), changed).unwrap();
    keys::store::load(&place).unwrap()
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        keys::store::generate_demo(folder.path(), &mut Random(&SeededEntropy::new(50))).unwrap();
        folder
    });
    made.path()
}

const NOW: OffsetDateTime = datetime!(2026-06-15 10:00 UTC);

const CONFIG: &str = r#"
instance = "envelopes"
journal.file = "journal.db"
keys.folder = "keys"
route = []

[link.centre]
codec = "nps"
REUSE
mq = { addresses = ["fake:1"], request_queue = "a", reply_queue = "b", outbound_queue = "c" }
"#;
