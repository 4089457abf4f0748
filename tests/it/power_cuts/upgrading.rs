//! A journal of an older version is brought to this version, whenever the power goes while that happens.

use super::place::{Place, batches};
use super::script::script;
use powercut::{Cut, Disk, Event, Platter, Random};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn an_upgrade_keeps_every_row_through_power_cuts() {
    // The tables that version 3 makes anew are written again, page by page.
    check(2, 50);
}

#[test]
fn a_change_of_indexes_keeps_every_row_through_power_cuts() {
    check(3, 10);
}

fn check(version: usize, images_min: usize) {
    let seed = super::seed();
    println!("seed {seed}");
    let (place, disk) = (Place::new(), Disk::register().unwrap());
    let rows = old_journal(&place, version);
    drop(place.open(Some(disk.name())).unwrap());
    assert_eq!(place.look().unwrap(), rows, "seed {seed}");
    assert_eq!(place.faults().unwrap(), Vec::<String>::new());
    let images = cut_each(&disk.take(), rows, seed);
    assert!(images > images_min, "only {images} different images, seed {seed}");
}

/// Whatever a cut leaves opens, and is then the whole journal; gives how many different images there were.
fn cut_each(history: &[Event], rows: u64, seed: u64) -> usize {
    let (mut platter, place, mut seen) = (Platter::new(seed), Place::new(), BTreeSet::new());
    let mut number = 0;
    for event in history {
        platter.apply(event);
        for how in [Cut::Nothing, Cut::Everything, Cut::Prefix, Cut::Subset, Cut::Torn] {
            number += 1;
            let image = platter.cut(how, &mut Random::of(seed, number));
            if !seen.insert(image.clone()) {
                continue;
            }
            place.lay(&image);
            drop(
                place
                    .open(None)
                    .unwrap_or_else(|error| panic!("{error}: cut {number}, {how:?}, seed {seed}")),
            );
            assert_eq!(place.look().unwrap(), rows, "cut {number}, {how:?}, seed {seed}");
            assert_eq!(place.faults().unwrap(), Vec::<String>::new(), "cut {number}, seed {seed}");
        }
    }
    seen.len()
}

/// Makes a journal of an older version with the rows of a short day; gives the digest of the same rows in this version.
fn old_journal(place: &Place, version: usize) -> u64 {
    let newer = Place::new();
    let mut store = newer.open(None).unwrap();
    for batch in batches(&script(DAY, BATCHES)) {
        store.apply_batch(batch).unwrap();
    }
    drop(store);
    let old = Connection::open(place.path()).unwrap();
    let steps = STEPS[..version].concat();
    old.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF; BEGIN; {steps}
         UPDATE meta SET value = '{version}' WHERE name = 'schema_version'; PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
    ))
    .unwrap();
    copy(&old, &newer.path());
    newer.look().unwrap()
}

fn copy(old: &Connection, newer: &Path) {
    old.execute("ATTACH ?1 AS newer", [newer.to_str()]).unwrap();
    for table in TABLES {
        let columns: String = old
            .query_row(
                "SELECT group_concat(name) FROM pragma_table_info(?1, 'main')",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let copied =
            format!("DELETE FROM main.{table}; INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table};");
        old.execute_batch(&copied).unwrap();
    }
    let parts: i64 = old
        .query_row("SELECT min((SELECT count(*) FROM request), (SELECT count(*) FROM sent), (SELECT count(*) FROM original), (SELECT count(*) FROM effect))", [], |row| row.get(0))
        .unwrap();
    assert!(parts > 2, "a table that is made anew has no rows");
}

const STEPS: [&str; 3] = [
    include_str!("../../../src/journal/sqlite/schema_1.sql"),
    include_str!("../../../src/journal/sqlite/schema_2.sql"),
    include_str!("../../../src/journal/sqlite/schema_3.sql"),
];
/// "HANG" in ASCII.
const APPLICATION_ID: i64 = 0x4841_4E47;
const TABLES: [&str; 10] = [
    "exchange",
    "message",
    "request",
    "sent",
    "original",
    "parked",
    "effect",
    "setting",
    "serial_block",
    "sqlite_sequence",
];
/// A day with rows in every table that is made anew.
const DAY: u64 = 7;
const BATCHES: usize = 40;
