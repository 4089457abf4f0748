//! Numbered power cuts: each is a moment of a recorded day and a choice of what reached the disk until then.

use super::place::{Place, batches, model};
use super::script::{Step, script};
use crate::journal::data::accept;
use hangu::journal::{Accepted, Write, Written};
use powercut::{Cut, Disk, Event, Image, Platter, Random};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A day on a recording disk, and the states that it may be found in.
pub(super) struct Day {
    seed: u64,
    history: Vec<Event>,
    /// The digest after so many batches.
    legal: Vec<u64>,
}

/// What was recorded of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) batches: usize,
    pub(super) writes: usize,
    pub(super) syncs: usize,
}

impl Day {
    /// Lives through it. With a lie, the disk answers the syncs of files with that ending and does nothing.
    pub(super) fn new(seed: u64, batches_number: usize, lie: Option<&'static str>) -> Self {
        let steps = script(seed, batches_number);
        let (disk, place) = (Disk::register().unwrap(), Place::new());
        if let Some(ending) = lie {
            disk.lie_about(ending);
        }
        live(&steps, &disk, &place);
        let legal = model(batches(&steps));
        assert_eq!(
            place.look().unwrap(),
            *legal.last().unwrap(),
            "two runs of seed {seed} differ"
        );
        Self {
            seed,
            history: disk.take(),
            legal,
        }
    }

    /// Cuts that this day has.
    pub(super) fn cuts(&self) -> u64 {
        u64::try_from((self.history.len() + 1) * KINDS.len()).unwrap()
    }

    pub(super) fn size(&self) -> Size {
        let count = |which: fn(&Event) -> bool| self.history.iter().filter(|event| which(event)).count();
        Size {
            batches: self.legal.len() - 1,
            writes: count(|event| matches!(event, Event::Wrote { .. } | Event::Truncated { .. })),
            syncs: count(|event| matches!(event, Event::Synced { .. })),
        }
    }
}

/// Does what the script says; every batch must take effect, or the script is wrong.
fn live(steps: &[Step], disk: &Disk, place: &Place) {
    let open = || place.open(Some(disk.name())).unwrap();
    let (mut store, mut done) = (open(), 0);
    for step in steps {
        match step {
            Step::Batch(writes) => {
                let results = store.apply_batch(writes).unwrap();
                done += 1;
                disk.acknowledge(done);
                for (write, result) in writes.iter().zip(results) {
                    assert!(!matches!(result, Ok(Written::Stale(_))), "{write:?} gave {result:?}");
                }
                store.after_commit();
            }
            Step::Idle => store.when_idle(),
            Step::Restart => {
                drop(store);
                store = open();
            }
        }
    }
}

/// One who makes cuts of a day, in the order of their numbers.
pub(super) struct Cutter<'a> {
    day: &'a Day,
    platter: Platter<'a>,
    moment: usize,
    place: Place,
    disk: Disk,
    /// What was found in images that were looked at already.
    seen: BTreeMap<u64, u64>,
    pub(super) distinct: u64,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(day: &'a Day) -> Self {
        Self {
            day,
            platter: Platter::new(day.seed),
            moment: 0,
            place: Place::new(),
            disk: Disk::register().unwrap(),
            seen: BTreeMap::new(),
            distinct: 0,
        }
    }

    /// Makes the cut with this number, not lower than the one before; an error says what is wrong with what is left.
    pub(super) fn cut(&mut self, number: u64) -> Result<(), String> {
        let (moment, kind) = moment_and_kind(number);
        while self.moment < moment {
            self.platter.apply(&self.day.history[self.moment]);
            self.moment += 1;
        }
        let mut random = Random::of(self.day.seed, number);
        let promised = &self.day.legal[self.platter.acknowledged()..];
        let told = match kind {
            Kind::Once(how) => self.once(how, promised, &mut random),
            Kind::Twice => self.twice(promised, &mut random),
        };
        told.map_err(|told| format!("{told}; {kind:?} after event {moment} of {}", self.day.history.len()))
    }

    fn once(&mut self, how: Cut, promised: &[u64], random: &mut Random) -> Result<(), String> {
        let image = self.platter.cut(how, random);
        let mut hasher = DefaultHasher::new();
        image.hash(&mut hasher);
        if let Some(digest) = self.seen.get(&hasher.finish()) {
            return keeps(promised, *digest);
        }
        let digest = open(&self.place, &image, "first")?;
        self.distinct += 1;
        self.seen.insert(hasher.finish(), digest);
        keeps(promised, digest)
    }

    /// The power fails again while the journal recovers, or just after its first write.
    fn twice(&mut self, promised: &[u64], random: &mut Random) -> Result<(), String> {
        let image = self.platter.cut(Cut::Torn, random);
        self.place.lay(&image);
        self.disk.reset();
        let mut found = Vec::new();
        {
            let mut store = self.place.open(Some(self.disk.name())).map_err(|error| error.to_string())?;
            found.push(self.look()?);
            self.disk.acknowledge(1);
            store.apply(&fresh("second")).map_err(|error| error.to_string())?;
            found.push(self.look()?);
            self.disk.acknowledge(2);
        }
        keeps(promised, found[0])?;
        let history = self.disk.take();
        let mut platter = Platter::new(random.next());
        let moment = random.below(history.len() + 1);
        history[..moment].iter().for_each(|event| platter.apply(event));
        let how = *random.one_of(&[Cut::Nothing, Cut::Prefix, Cut::Subset, Cut::Torn]);
        // Before the first event nothing is known of the files: they are as the first cut left them.
        let again = if moment < opened(&history) {
            image
        } else {
            platter.cut(how, random)
        };
        self.distinct += 1;
        let digest = open(&self.place, &again, "third")?;
        match platter.acknowledged() {
            0 => keeps(promised, digest).or_else(|_| keeps(&found, digest)),
            known => keeps(&found[known - 1..], digest),
        }
    }

    fn look(&self) -> Result<u64, String> {
        self.place.look().map_err(|error| error.to_string())
    }
}

fn moment_and_kind(number: u64) -> (usize, Kind) {
    let number = usize::try_from(number).unwrap();
    (number / KINDS.len(), KINDS[number % KINDS.len()])
}

/// Opens what is left, as the gateway does after the power is back, and goes on working.
pub(super) fn open(place: &Place, image: &Image, serial: &str) -> Result<u64, String> {
    place.lay(image);
    let mut store = place.open(None).map_err(|error| format!("not opened: {error}"))?;
    let faults = place.faults().map_err(|error| format!("not readable: {error}"))?;
    if !faults.is_empty() {
        return Err(format!("damaged: {}", faults.join(", ")));
    }
    let digest = place.look().map_err(|error| format!("not readable: {error}"))?;
    match store.apply(&fresh(serial)) {
        Ok(Written::Accepted(accepted)) if matches!(*accepted, Accepted::New { .. }) => Ok(digest),
        other => Err(format!("does not go on: {other:?}")),
    }
}

pub(super) const LOST: &str = "an acknowledged write is lost, or half of a write is there";

fn keeps(promised: &[u64], digest: u64) -> Result<(), String> {
    if promised.contains(&digest) {
        return Ok(());
    }
    Err(LOST.into())
}

/// The events until every file that was there is known.
fn opened(history: &[Event]) -> usize {
    let last = history.iter().rposition(|event| matches!(event, Event::Found { .. }));
    last.map_or(history.len(), |last| last + 1)
}

/// A write after the power is back.
fn fresh(serial: &str) -> Write {
    Write::Accept(Box::new(accept(serial)))
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Once(Cut),
    Twice,
}

const KINDS: [Kind; 6] = [
    Kind::Once(Cut::Nothing),
    Kind::Once(Cut::Everything),
    Kind::Once(Cut::Prefix),
    Kind::Once(Cut::Subset),
    Kind::Once(Cut::Torn),
    Kind::Twice,
];
