//! A made-up working day of the journal: batches of every kind of write, idle moments, restarts. The same seed, the same day.

use crate::journal::data::{accept, cancel, key, message, outcome, park, step};
use hangu::journal::{EPOCH_FIRST, MessageRecord, Move, Resolution, State, Write};
use powercut::Random;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Committed together.
    Batch(Vec<Write>),
    Idle,
    /// Closed and opened again.
    Restart,
}

pub(super) fn script(seed: u64, batches: usize) -> Vec<Step> {
    let mut author = Author {
        random: Random::new(seed),
        open: Vec::new(),
        delivered: Vec::new(),
        serial: 0,
        id: 0,
        parked: 0,
        setting: None,
    };
    let mut steps = Vec::new();
    for _ in 0..batches {
        let size = *author.random.one_of(&[1, 1, 1, 2, 4, 9]);
        steps.push(Step::Batch((0..size).map(|_| author.write()).collect()));
        match author.random.below(12) {
            0 | 1 => steps.push(Step::Idle),
            2 => steps.push(Step::Restart),
            _ => {}
        }
    }
    steps
}

/// What the author knows of the journal: identities are given in order, and a write that is not refused takes effect.
struct Author {
    random: Random,
    open: Vec<Known>,
    delivered: Vec<i64>,
    serial: i64,
    id: i64,
    parked: i64,
    setting: Option<String>,
}

struct Known {
    id: i64,
    serial: String,
    state: State,
    epoch: i64,
}

impl Author {
    fn write(&mut self) -> Write {
        match self.random.below(100) {
            0..=34 => self.accept(),
            35..=69 => self.advance(),
            70..=74 => self.reply(),
            75..=79 => self.cancel(),
            80..=84 => self.park(),
            85..=87 => self.resolve(),
            88..=91 => self.set(),
            92..=95 => self.reserve(),
            96 => self.renew(),
            97 => self.take_over(),
            _ => self.prune(),
        }
    }

    fn accept(&mut self) -> Write {
        let serial = self.next_serial();
        let mut request = accept(&serial);
        request.message = self.message("received", "request");
        request.at = self.serial;
        self.know(serial);
        Write::Accept(Box::new(request))
    }

    /// Of one that is known, or of one that never comes.
    fn cancel(&mut self) -> Write {
        let of = if self.open.is_empty() {
            "never".to_owned()
        } else {
            self.random.one_of(&self.open).serial.clone()
        };
        let serial = self.next_serial();
        let mut request = cancel(&serial, &of);
        request.at = self.serial;
        self.know(serial);
        Write::Accept(Box::new(request))
    }

    fn advance(&mut self) -> Write {
        if self.open.is_empty() {
            return self.accept();
        }
        let index = self.random.below(self.open.len());
        let from = self.open[index].state;
        let unsure = self.random.percent(20);
        let (to, message) = match from {
            State::Accepted => (State::Sent, Some(self.message("sent", "request"))),
            State::Sent if unsure => (State::Unknown, Some(self.message("sent", "interim"))),
            State::Sent | State::Unknown => (State::Answered, Some(self.message("sent", "reply"))),
            State::Answered | State::Delivered => (State::Delivered, None),
        };
        let known = &mut self.open[index];
        known.state = to;
        let write = Move {
            epoch: known.epoch,
            outcome: (to == State::Answered).then(|| outcome("success", None)),
            out_key: (to == State::Sent).then(|| format!("out-{}", known.id)),
            messages: message.into_iter().collect(),
            answers: matches!(to, State::Answered | State::Unknown).then(|| key(&known.serial)),
            attempt: to == State::Sent,
            ..step(known.id, &[from], to, 2_000)
        };
        if to == State::Delivered {
            let known = self.open.swap_remove(index);
            self.delivered.push(known.id);
        }
        Write::Move(Box::new(write))
    }

    fn reply(&mut self) -> Write {
        if self.open.is_empty() {
            return self.accept();
        }
        let message = self.message("sent", "reply");
        let known = self.random.one_of(&self.open);
        Write::Reply {
            replaces: None,
            id: known.id,
            answers: key(&known.serial),
            message,
        }
    }

    fn park(&mut self) -> Write {
        self.parked += 1;
        Write::Park(Box::new(park("queue", &format!("body {}", self.parked))))
    }

    fn resolve(&mut self) -> Write {
        let bound = usize::try_from(self.parked).unwrap();
        let ends = [
            Resolution::Releasing,
            Resolution::Released(Some(1)),
            Resolution::Discarded,
            Resolution::Parked,
        ];
        let to = *self.random.one_of(&ends);
        Write::Resolve {
            id: 1 + i64::try_from(self.random.below(bound)).unwrap(),
            to,
            note: Some("by hand".into()),
            at: 3_000,
        }
    }

    fn set(&mut self) -> Write {
        let value = format!("value {}", self.random.next());
        Write::Set {
            name: "settlement_date".into(),
            expect: self.setting.replace(value.clone()),
            value,
            at: 3_000,
        }
    }

    fn reserve(&mut self) -> Write {
        Write::Reserve {
            instance: "one".into(),
            date: format!("2026-11-2{}", self.random.below(3)),
            kind: "message".into(),
            count: 100,
        }
    }

    fn renew(&mut self) -> Write {
        Write::Renew {
            owner: "one".into(),
            now: 0,
            lease_until: 10_000 + self.serial,
        }
    }

    /// Of all that is open, by the same owner in a new life.
    fn take_over(&mut self) -> Write {
        self.open.iter_mut().for_each(|known| known.epoch += 1);
        Write::TakeOver {
            owner: "one".into(),
            now: 0,
            lease_until: 10_000,
            include_own: true,
            limit: u32::MAX,
        }
    }

    /// Of what was delivered, when some of it is old.
    fn prune(&mut self) -> Write {
        let before = self.serial - i64::try_from(self.random.below(10)).unwrap();
        Write::Prune { before }
    }

    fn next_serial(&mut self) -> String {
        self.serial += 1;
        self.serial.to_string()
    }

    fn know(&mut self, serial: String) {
        self.id += 1;
        self.open.push(Known {
            id: self.id,
            serial,
            state: State::Accepted,
            epoch: EPOCH_FIRST,
        });
    }

    /// Some messages fill pages of their own.
    fn message(&mut self, direction: &'static str, part: &str) -> MessageRecord {
        let length = *self.random.one_of(&[40, 200, 800, 800, 2_500, 9_000]);
        let mut body = String::with_capacity(length + 16);
        while body.len() < length {
            body += &format!("{:016x}", self.random.next());
        }
        message(direction, part, &body, 2_000)
    }
}
