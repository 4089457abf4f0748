//! The bank's platform behind a bad line: requests and answers get lost, late, repeated, mixed up or spoiled; what is executed
//! is executed by the real ledger.

use super::world::{Kind, Outage, World, lock};
use async_trait::async_trait;
use codecs::payment::{Attribute, Outcome, Payment, Role};
use codecs::wire::{Start, Wire};
use hangu::exchange::{CallError, Caller};
use simulators::counterparty::{Party, Twist};
use simulators::ledger::{Answer, Ledger};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The platform; cheap to clone.
#[derive(Clone)]
pub(crate) struct Platform(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    party: Party,
    ledger: Mutex<Ledger>,
    outage: Outage,
    /// Bodies of requests by idempotency key.
    seen: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The last authentic answer, which a proxy may hand to somebody else.
    last: Mutex<Option<Wire>>,
}

impl Platform {
    pub(crate) fn new(world: Arc<World>, party: Party) -> Self {
        Self(Arc::new(Inner {
            outage: Outage::draw(&world),
            world,
            party,
            ledger: Mutex::new(Ledger::new(1_000)),
            seen: Mutex::default(),
            last: Mutex::default(),
        }))
    }

    pub(crate) fn with_ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut lock(&self.0.ledger))
    }

    /// One request arrives: it is executed, whatever becomes of the answer.
    fn execute(&self, wire: &Wire, twist: Twist, processing: bool) -> Wire {
        let inner = &self.0;
        let simulated = inner.world.simulated();
        let request = match inner.party.receive(wire, simulated.now()) {
            Ok(request) if request.role == Role::Request => request,
            Ok(_) => return plain(400, "not a request"),
            Err(refusal) => {
                inner.world.say(|| format!("platform refuses: {refusal}"));
                return plain(401, &refusal.to_string());
            }
        };
        let key = wire.header("idempotency-key").unwrap_or_default();
        self.watch(key, wire);
        let mut answer = lock(&inner.ledger).execute(&request, key);
        inner
            .world
            .say(|| format!("platform {} {key}: {:?}", request.operation, answer.outcome));
        if processing {
            answer.outcome = Outcome::Unknown;
        }
        let reply = reply_to(&request, &answer);
        let code = inner.party.code(request.operation, Role::Reply).unwrap();
        let answered = inner
            .party
            .emit_twisted(&code, &reply, simulated.now(), &mut simulated.rng(), twist)
            .unwrap();
        if twist == Twist::None {
            *lock(&inner.last) = Some(answered.clone());
        }
        answered
    }

    /// Every send of a request carries the same body; its authentication may have to be fresh.
    fn watch(&self, key: &str, wire: &Wire) {
        let known = lock(&self.0.seen).insert(key.to_owned(), wire.body.clone());
        if known.is_some_and(|known| known != wire.body) {
            self.0
                .world
                .complain(Kind::Bytes, format!("{key} went to the platform in two forms"));
        }
    }

    /// A copy of the request that arrives at another time, whether or not anybody waits for its answer.
    fn later(&self, wire: &Wire, ms_max: u64) {
        let (platform, wire, wait) = (self.clone(), wire.clone(), self.0.world.up_to(ms_max));
        tokio::spawn(async move {
            sleep(wait).await;
            drop(platform.execute(&wire, Twist::None, false));
        });
    }

    async fn exchange(&self, wire: &Wire) -> Result<Wire, CallError> {
        let world = &self.0.world;
        world.pause(15).await;
        if world.is_away(&self.0.outage) {
            return Err(CallError::NotSent("connection refused".to_owned()));
        }
        let lost = || Err(CallError::Unknown("connection lost".to_owned()));
        let fault = if world.fault(25) { world.below(10) } else { u64::MAX };
        let answer = match fault {
            0 => return Err(CallError::NotSent("connection refused".to_owned())),
            1 => return lost(),
            2 => {
                drop(self.execute(wire, Twist::None, false));
                return lost();
            }
            3 => {
                self.later(wire, 12_000);
                std::future::pending().await
            }
            4 => {
                self.later(wire, 5_000);
                self.execute(wire, Twist::None, false)
            }
            5 => {
                drop(self.execute(wire, Twist::None, false));
                plain(200, "{\"outcome\":")
            }
            6 => self.execute(wire, Twist::BadSignature, false),
            7 => self.execute(wire, Twist::None, true),
            8 => plain(502, "bad gateway"),
            9 => match MIXED_UP_ANSWERS.then(|| lock(&self.0.last).clone()).flatten() {
                Some(of_another) => of_another,
                None => return lost(),
            },
            _ => self.execute(wire, Twist::None, false),
        };
        world.pause(15).await;
        Ok(answer)
    }
}

#[async_trait]
impl Caller for Platform {
    async fn call(&self, wire: &Wire, limit: Duration) -> Result<Wire, CallError> {
        let late = |_| Err(CallError::Unknown("no answer in time".to_owned()));
        timeout(limit, self.exchange(wire)).await.unwrap_or_else(late)
    }
}

fn plain(status: u16, body: &str) -> Wire {
    Wire {
        start: Start::Status(status),
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

fn reply_to(request: &Payment, answer: &Answer) -> Payment {
    let mut reply = request.clone();
    (reply.role, reply.outcome) = (Role::Reply, Some(answer.outcome.clone()));
    let mut set = |attribute, text: &str| {
        if !text.is_empty() {
            reply.set_text(attribute, text);
        }
    };
    set(Attribute::Agreement, answer.agreement.as_deref().unwrap_or_default());
    set(Attribute::PayerAccount, answer.account.as_deref().unwrap_or_default());
    set(Attribute::BankTxId, &answer.bank_tx_id);
    reply
}

/// Whether the line may hand over the authentic answer to another request.
const MIXED_UP_ANSWERS: bool = true;
