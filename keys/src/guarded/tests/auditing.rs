//! What an auditor notices with the log, the officers' public keys and a checkpoint, and nothing else.

use super::super::record::{HEADER, hash};
use super::*;

/// A log of two keys, with a checkpoint after the first of them.
fn audited() -> (Stage, Statement) {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Pending, "1"));
    let checkpoint = stage.writer().checkpoint(&stage.zhao, NOW, &mut stage.rng).unwrap();
    stage.add(signing(Status::Pending, "2"));
    (stage, checkpoint)
}

fn officers(stage: &Stage) -> Vec<Officer> {
    [&stage.zhao, &stage.chen, &stage.li, &stage.wang]
        .map(|key| key.officer(BTreeSet::new()))
        .to_vec()
}

fn lines(stage: &Stage) -> Vec<String> {
    String::from_utf8(stage.log_bytes())
        .unwrap()
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
}

/// A log whose numbers and hashes are made to fit, as whoever owns the machine can.
fn chained(lines: &[String]) -> Vec<u8> {
    let (mut previous, mut all) = (hash(HEADER), vec![HEADER.to_owned()]);
    for (number, line) in (0..).zip(&lines[1..]) {
        let record: Record = serde_json::from_str(line).unwrap();
        let line = Record {
            number,
            previous,
            ..record
        }
        .line()
        .unwrap();
        previous = hash(&line);
        all.push(line);
    }
    joined(&all)
}

fn broken(bytes: &[u8]) -> (u64, Refusal) {
    match audit(bytes, None, None).findings.as_slice() {
        [Finding::Broken(broken)] => (broken.number, broken.refusal.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_log_is_good() {
    let (stage, checkpoint) = audited();
    let found = audit(&stage.log_bytes(), Some(&officers(&stage)), Some(&checkpoint));
    assert_eq!(found.findings, []);
    assert_eq!((found.records, found.head.len()), (8, 64));
    assert_eq!(found.state.unwrap().keys().count(), 2);
    let text = checkpoint.to_text().unwrap();
    assert_eq!(Statement::from_text(&text).unwrap(), checkpoint);
}

/// Every byte under a checkpoint, the time of the last record too, which nobody has signed by itself.
#[test]
fn every_altered_byte_is_noticed() {
    let (mut stage, _) = audited();
    let bytes = stage.log_bytes();
    let checkpoint = stage.writer().checkpoint(&stage.zhao, NOW, &mut stage.rng).unwrap();
    assert_eq!(audit(&bytes, None, Some(&checkpoint)).findings, []);
    for index in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[index] ^= 1;
        let found = audit(&altered, None, Some(&checkpoint));
        assert!(!found.findings.is_empty(), "byte {index}");
    }
}

#[test]
fn a_deleted_record_is_noticed() {
    let (mut stage, _) = audited();
    let all = lines(&stage);
    let checkpoint = stage.writer().checkpoint(&stage.zhao, NOW, &mut stage.rng).unwrap();
    for gone in 1..all.len() - 1 {
        let mut fewer = all.clone();
        fewer.remove(gone);
        let number = gone as u64 - 1;
        assert_eq!(broken(&joined(&fewer)), (number, Refusal::Number(number + 1)));
        // With the chain made to fit, what the officers signed does not; or else it is another branch than was seen.
        let forged = audit(&chained(&fewer), None, Some(&checkpoint));
        assert!(!forged.findings.is_empty(), "record {number}");
    }
}

#[test]
fn an_inserted_record_is_noticed() {
    let (stage, _) = audited();
    let all = lines(&stage);
    let mut more = all.clone();
    more.insert(3, all[2].clone());
    assert_eq!(broken(&joined(&more)), (2, Refusal::Number(1)));
    assert_eq!(broken(&chained(&more)), (2, Refusal::Follows));
    let mut again = all.clone();
    again.push(all[3].clone());
    let (number, ending) = (1, Ending::Applied.name());
    assert_eq!(broken(&chained(&again)), (8, Refusal::Closed { number, ending }));
}

#[test]
fn reordered_records_are_noticed() {
    let (stage, _) = audited();
    let mut all = lines(&stage);
    all.swap(3, 4);
    assert_eq!(broken(&joined(&all)), (2, Refusal::Number(3)));
    // Two approvals in another order mean the same; what follows was signed over the order that was.
    let (number, refusal) = broken(&chained(&all));
    assert_eq!((number, refusal), (4, Refusal::Checkpoint));
}

#[test]
fn an_altered_record_is_noticed() {
    let (stage, _) = audited();
    let mut all = lines(&stage);
    all[2] = all[2].replace("pending", "primary");
    assert_eq!(broken(&joined(&all)), (2, Refusal::Chain));
    assert_eq!(broken(&chained(&all)), (1, Refusal::Signature("li".to_owned())));
    let mut all = lines(&stage);
    all[0] = all[0].replace('1', "2");
    assert_eq!(broken(&joined(&all)), (0, Refusal::Version(all[0].clone())));
    let mut all = lines(&stage);
    all[3] = all[3].replace(':', ": ");
    assert!(matches!(broken(&joined(&all)), (2, Refusal::Form(_))));
}

#[test]
fn a_shortened_log_is_noticed_against_a_checkpoint() {
    let (stage, _) = audited();
    let last = stage.writer().checkpoint(&stage.zhao, NOW, &mut SeededRng::new(72)).unwrap();
    let all = lines(&stage);
    let bytes = joined(&all[..5]);
    assert_eq!(audit(&bytes, None, None).findings, [], "a shorter log is a good log");
    let found = audit(&bytes, None, Some(&last)).findings;
    assert_eq!(
        found,
        [Finding::Truncated {
            records: 4,
            checkpoint: 7
        }]
    );
    let torn = stage.log_bytes();
    let torn = &torn[..torn.len() - 1];
    assert!(matches!(audit(torn, None, None).findings[..], [Finding::Torn(_)]));
}

/// Officers who agree can write another history, but not under a checkpoint that somebody else holds.
#[test]
fn a_fork_is_noticed_against_a_checkpoint() {
    let (mut stage, _) = audited();
    let short = joined(&lines(&stage)[..6]);
    let checkpoint = stage.writer().checkpoint(&stage.zhao, NOW, &mut stage.rng).unwrap();
    std::fs::write(stage.folder().join(LOG_FILE), short).unwrap();
    stage.add(signing(Status::Pending, "3"));
    let bytes = stage.log_bytes();
    assert_eq!(audit(&bytes, Some(&officers(&stage)), None).findings, []);
    assert_eq!(audit(&bytes, None, Some(&checkpoint)).findings, [Finding::Forked(7)]);
}

#[test]
fn a_foreign_store_and_a_false_checkpoint_are_noticed() {
    let (stage, checkpoint) = audited();
    let (bytes, known) = (stage.log_bytes(), officers(&stage));
    let mut others = known.clone();
    others[0].public_key = stage.li.public_key();
    for wrong in [&others[..], &known[1..]] {
        assert!(matches!(
            audit(&bytes, Some(wrong), None).findings[..],
            [Finding::OtherOfficers(_)]
        ));
    }
    let check = |checkpoint: &Statement| audit(&bytes, None, Some(checkpoint)).findings;
    let mut forged = checkpoint.clone();
    forged.content = forged.content.replace("2026", "2027");
    assert_eq!(check(&forged), [Finding::CheckpointSignature("zhao".to_owned())]);
    let mut other = checkpoint.clone();
    other.kind = Kind::Approval;
    assert!(matches!(check(&other)[..], [Finding::NoCheckpoint(_)]));
    let mut second = Stage::unfounded();
    second.rng = SeededRng::new(73);
    second.found(3, &FileDisk).unwrap();
    let foreign = second.writer().checkpoint(&second.zhao, NOW, &mut second.rng).unwrap();
    assert_eq!(check(&foreign), [Finding::OtherStore]);
}
