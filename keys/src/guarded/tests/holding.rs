//! What lies beside the log: wrapped files, master keys and their shares, officers' files; and copies of it all.

use super::*;
use crate::store::Encoding;
use std::fs;

fn wrapped_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(MATERIAL_FOLDER)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn material<T>(outcome: Result<T, GuardedError>) -> String {
    match outcome.map(|_| ()) {
        Err(GuardedError::Material(id, rule)) => format!("{id}: {rule}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrapped_file_takes_no_other_place() {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Primary, "1"));
    stage.add(signing(Status::Accepted, "2"));
    assert_eq!(stage.keyring().unwrap().infos().count(), 2);
    let [first, second] = &wrapped_files(&stage.folder())[..] else {
        panic!()
    };
    let text = fs::read_to_string(first).unwrap();
    fs::copy(second, first).unwrap();
    assert!(material(stage.keyring()).contains("not the one the log names"));
    fs::write(first, &text).unwrap();
    // The master key alone opens it only as what it is.
    let state = stage.state();
    let right = signing(Status::Primary, "1");
    assert!(stage.master.unwrap(state.store(), &right, &text).is_ok());
    let changes: [fn(&mut KeyEntry); 5] = [
        |entry| entry.id = "x".to_owned(),
        |entry| entry.link = "x".to_owned(),
        |entry| entry.serial = "x".to_owned(),
        |entry| entry.usage = Usage::Seal,
        |entry| entry.side = Side::Shared,
    ];
    for change in changes {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert!(stage.master.unwrap(state.store(), &wrong, &text).is_err());
    }
    assert!(stage.master.unwrap("another store", &right, &text).is_err());
    fs::remove_file(first).unwrap();
    assert!(matches!(stage.keyring(), Err(GuardedError::Store(_))));
}

/// Nothing takes effect that could not be loaded; and what became unreadable keeps nobody from serving once it is revoked.
#[test]
fn a_key_that_is_not_there_takes_no_effect() {
    let mut stage = Stage::new(2);
    let number = stage.propose_key(signing(Status::Accepted, "1"));
    let file = wrapped_files(&stage.folder()).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let gone = stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng);
    assert!(matches!(gone, Err(GuardedError::Store(_))));
    fs::write(&file, text.replace('a', "b")).unwrap();
    set_mode(&file, 0o600);
    let altered = stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng);
    assert!(material(altered).contains("not the one the log names"));
    assert_eq!(stage.state().keys().count(), 0);
    fs::write(&file, &text).unwrap();
    stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    let other = stage.propose_key(signing(Status::Primary, "2"));
    stage.writer().approve(&stage.wang, other, NOW, &mut stage.rng).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(stage.keyring().is_err());
    let id = signing(Status::Accepted, "1").id;
    let revoked = stage.propose(Change::Status(vec![step(&id, Status::Accepted, Status::Revoked)]));
    stage
        .writer()
        .approve(&stage.wang, revoked.unwrap(), NOW, &mut stage.rng)
        .unwrap();
    assert_eq!(stage.keyring().unwrap().infos().count(), 1);
}

#[test]
fn another_master_key_is_named_as_such() {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Primary, "1"));
    let right = MasterKey::from_hex(&stage.master.danger_to_hex()).unwrap();
    assert!(keyring(&stage.folder(), &stage.state(), &right, Engine::Native).is_ok());
    stage.master = MasterKey::generate(&mut stage.rng).unwrap();
    assert!(matches!(stage.keyring(), Err(GuardedError::OtherMaster)));
    for text in ["", "00", "zz", &"0".repeat(66)] {
        assert!(MasterKey::from_hex(text).is_err(), "{text}");
    }
}

#[test]
fn modes_that_let_others_in_are_refused() {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Primary, "1"));
    let file = wrapped_files(&stage.folder())[0].clone();
    for (path, wrong, right) in [
        (stage.folder(), 0o720, 0o700),
        (stage.folder().join(LOG_FILE), 0o602, 0o600),
        (file, 0o640, 0o600),
    ] {
        set_mode(&path, wrong);
        let found = read(&stage.folder()).and_then(|(_, state)| keyring(&stage.folder(), &state, &stage.master, Engine::Native));
        match found.map(drop) {
            Err(GuardedError::Store(error)) => assert!(error.detail.contains("mode"), "{error}"),
            other => panic!("{other:?}"),
        }
        set_mode(&path, right);
    }
    assert!(stage.keyring().is_ok());
}

/// Every kind of key that the open folder takes, and what they do together.
#[test]
fn keys_of_every_side_are_brought_in() {
    let mut stage = Stage::new(2);
    let state = stage.state();
    let testdata = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap();
    let texts = [
        (signing(Status::Primary, "1"), testdata("openssl.key.pem")),
        (
            entry("centre", Side::Theirs, Usage::Sign, Status::Primary, "2"),
            testdata("openssl.pub.pem"),
        ),
        (
            entry("centre", Side::Ours, Usage::Seal, Status::Primary, "3"),
            crate::testing::GMT_D.to_owned(),
        ),
        (
            entry("platform", Side::Shared, Usage::Mac, Status::Primary, "4"),
            "0f".repeat(32),
        ),
        (
            entry("journal", Side::Shared, Usage::Journal, Status::Primary, "5"),
            "1e".repeat(16),
        ),
    ];
    for (entry, text) in &texts {
        let key = import(&state, &stage.master, entry, text, Encoding::Hex, &mut stage.rng).unwrap();
        let number = stage.writer().propose_key(&stage.li, &key, terms(), &mut stage.rng).unwrap();
        stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    }
    let keyring = stage.keyring().unwrap();
    assert_eq!(keyring.infos().count(), texts.len());
    let signature = keyring
        .signer("centre", NOW)
        .unwrap()
        .sm2()
        .unwrap()
        .sign(b"m", &mut stage.rng)
        .unwrap();
    let verifier = keyring.verifier("centre", "2", NOW).unwrap();
    assert!(verifier.sm2().unwrap().verify(b"m", &signature).is_ok());
    assert!(keyring.mac("platform", NOW).is_ok() && keyring.journal(NOW).is_ok());
    // No secret byte is in any file of the folder.
    let files = wrapped_files(&stage.folder())
        .into_iter()
        .chain([stage.folder().join(LOG_FILE)]);
    for text in files.map(|file| fs::read_to_string(file).unwrap()) {
        for secret in [crate::testing::GMT_D, &"0f".repeat(32), &"1e".repeat(16), "PRIVATE"] {
            assert!(!text.contains(secret));
        }
    }
    for (entry, wrong) in [
        (&texts[0].0, "00"),
        (&texts[0].0, &testdata("encrypted.key.pem")),
        (&texts[3].0, "0f0f"),
        (&texts[1].0, "x"),
    ] {
        assert!(matches!(
            import(&state, &stage.master, entry, wrong, Encoding::Hex, &mut stage.rng),
            Err(GuardedError::Refused(Refusal::Key { .. }))
        ));
    }
}

#[test]
fn a_copy_stands_again_from_enough_shares() {
    let mut stage = Stage::new(2);
    for (status, serial) in [(Status::Primary, "1"), (Status::Accepted, "2")] {
        let number = stage.propose_key(signing(status, serial));
        stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    }
    let copy = stage.place.path().join("copy");
    let sealed = back_up(&stage.folder(), &stage.master, &copy, &FileDisk, &mut stage.rng).unwrap();
    let holders: Vec<_> = sealed.iter().map(|share| share.officer.as_str()).collect();
    assert_eq!(holders, ["chen", "li", "wang"], "not the auditor");
    let texts: Vec<_> = sealed.iter().map(|share| share.to_text().unwrap()).collect();
    let open = |index: usize, key: &OfficerKey| SealedShare::from_text(&texts[index]).unwrap().open(key);
    assert!(open(0, &stage.li).is_err(), "another officer's");
    let parts = [open(2, &stage.wang).unwrap(), open(0, &stage.chen).unwrap()];
    // In the clear and back, as for a start by quorum.
    let parts = parts.map(|part| Share::from_text(&part.danger_to_text().unwrap()).unwrap());
    let to = stage.place.path().join("restored");
    let few = restore(&copy, &parts[..1], &to, &FileDisk).map(drop);
    assert!(matches!(few, Err(GuardedError::Shares)) && !is_guarded(&to));
    let restored = restore(&copy, &parts, &to, &FileDisk).unwrap();
    assert_eq!(restored.state.head(), stage.state().head());
    assert_eq!(*restored.master.danger_to_hex(), *stage.master.danger_to_hex());
    let prints = |keyring: Keyring| keyring.infos().cloned().collect::<Vec<_>>();
    let again = keyring(&to, &restored.state, &restored.master, Engine::Native).unwrap();
    assert_eq!(prints(again), prints(stage.keyring().unwrap()));
    assert!(restore(&copy, &parts, &to, &FileDisk).is_err(), "nothing is replaced");
}

#[test]
fn an_officers_file_opens_under_its_passphrase_as_it_was_written() {
    let mut rng = SeededRng::new(74);
    let key = OfficerKey::generate("li", &mut rng).unwrap();
    assert!(OfficerKey::generate("l i", &mut rng).is_err());
    assert!(key.to_file("too short", CHEAP, &mut rng).is_err());
    let text = key.to_file(PASSPHRASE, CHEAP, &mut rng).unwrap();
    let opened = OfficerKey::from_file(&text, PASSPHRASE).unwrap();
    assert_eq!((opened.name(), opened.public_key()), ("li", key.public_key()));
    let fails = |text: &str, passphrase: &str| OfficerKey::from_file(text, passphrase).is_err();
    assert!(fails(&text, "correct horse batterie"));
    for (old, new) in [
        ("\"li\"", "\"wang\""),
        ("passes = 1", "passes = 2"),
        ("key 1", "key 2"),
        ("passes = 1", "passes = 99999"),
    ] {
        let altered = text.replacen(old, new, 1);
        assert!(fails(&altered, PASSPHRASE) && (altered != text || old == "key 1"), "{old}");
    }
    assert!(fails("", PASSPHRASE) && fails("x = 1", PASSPHRASE));
}

const PASSPHRASE: &str = "correct horse battery";
const CHEAP: Cost = Cost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};
