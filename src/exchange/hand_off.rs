//! Passing the word on: a reply may reach another instance than the one whose requester waits for it. The outcome is in the
//! journal by then; the word only wakes the owner up, so a lost or forged one does no harm.

use super::{Gateway, LinkParts, Transport};
use crate::journal::{Exchange, ExchangeId};
use crate::mq::{Publication, Published};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

/// Words that wait to be sent. There is a place for each exchange that could be in flight; beyond that they are dropped, and
/// who waits finds the outcome by looking.
pub(super) struct HandOffs {
    sender: mpsc::Sender<Word>,
    receiver: Mutex<mpsc::Receiver<Word>>,
}

/// That an exchange is settled, and on which link its owner listens.
struct Word {
    link: String,
    owner: String,
    id: ExchangeId,
}

impl Default for HandOffs {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WORDS_MAX);
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Gateway {
    /// Leaves word for the owner of an exchange that we settled. Waits for nothing.
    pub(super) fn hand_off(&self, link: &LinkParts, exchange: &Exchange) {
        if exchange.owner == self.config.instance || link.hand_off_queue(&exchange.owner).is_none() {
            return;
        }
        let word = Word {
            link: link.name.clone(),
            owner: exchange.owner.clone(),
            id: exchange.id,
        };
        if self.hand_offs.sender.try_send(word).is_ok() {
            self.counters.hand_off();
        }
    }

    /// Sends words, several in one message, until dropped. A broker that is slow delays later words and nothing else.
    pub async fn send_hand_offs(&self) {
        let mut words = self.hand_offs.receiver.lock().await;
        let mut batch = Vec::new();
        while words.recv_many(&mut batch, IDS_MAX).await > 0 {
            let mut by_owner: BTreeMap<(String, String), Vec<ExchangeId>> = BTreeMap::new();
            for Word { link, owner, id } in batch.drain(..) {
                by_owner.entry((link, owner)).or_default().push(id);
            }
            for ((link, owner), ids) in by_owner {
                let sent = self.send_hand_off(&link, &owner, &ids);
                if tokio::time::timeout(SEND_LIMIT, sent).await.is_err() {
                    tracing::debug!(link, owner, "hand-off not confirmed in time");
                }
            }
        }
    }

    async fn send_hand_off(&self, link: &str, owner: &str, ids: &[ExchangeId]) {
        let Some(link) = self.links.get(link) else { return };
        let (Transport::Queue { mq, .. }, Some(queue)) = (&link.transport, link.hand_off_queue(owner)) else {
            return;
        };
        let publication = Publication {
            queue,
            message_id: "hand-off".to_owned(),
            correlation_id: None,
            content_type: "text/plain",
            body: written(ids).into(),
        };
        if let Published::Refused(reason) | Published::Unknown(reason) = mq.publish(publication).await {
            tracing::debug!(link = link.name, owner, reason, "hand-off not confirmed");
        }
    }

    /// Wakes whoever waits here for the exchanges that a message names; what it says beyond that is ignored.
    pub fn take_hand_off(&self, body: &[u8]) {
        let arrived = Instant::now();
        for id in read(body) {
            self.waiting.wake(id, arrived);
        }
    }

    /// How often somebody who waits looks into the journal, in case no word comes: seldom where word can be expected.
    pub(super) fn look_every(&self) -> Duration {
        let is_told = |link: &LinkParts| link.hand_off_queue("").is_some();
        if self.config.journal.file.is_some() || self.links.values().any(is_told) {
            return LOOK_SELDOM;
        }
        LOOK_OFTEN
    }
}

impl LinkParts {
    fn hand_off_queue(&self, instance: &str) -> Option<String> {
        self.config.mq.as_ref()?.hand_off_queue(instance)
    }
}

/// A first line that says what this is, then one id a line.
fn written(ids: &[ExchangeId]) -> Vec<u8> {
    let lines = ids.iter().map(|id| format!("{id}\n"));
    format!("{HEAD}\n{}", lines.collect::<String>()).into_bytes()
}

/// The ids of a message of bounded size; nothing of any other.
fn read(body: &[u8]) -> Vec<ExchangeId> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= BYTES_MAX);
    let Some(lines) = text.and_then(|text| text.strip_prefix(HEAD)?.strip_prefix('\n')) else {
        return Vec::new();
    };
    lines.lines().take(IDS_MAX).filter_map(|line| line.parse().ok()).collect()
}

const HEAD: &str = "hangu hand-off 1";
const WORDS_MAX: usize = 4096;
const IDS_MAX: usize = 64;
/// Head, and ids of at most 20 digits with their line ends.
const BYTES_MAX: usize = HEAD.len() + 1 + IDS_MAX * 21;
const SEND_LIMIT: Duration = Duration::from_secs(1);
const LOOK_OFTEN: Duration = Duration::from_millis(250);
const LOOK_SELDOM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_and_nothing_else_does() {
        let ids: Vec<ExchangeId> = (0..64).map(|n| i64::MAX - n).collect();
        assert_eq!(read(&written(&ids)), ids);
        let large = written(&vec![1; IDS_MAX * 20]);
        let forged: [&[u8]; 5] = [b"", b"1\n2\n", b"hangu hand-off 1", b"hangu hand-off 2\n1\n", &large];
        for body in forged {
            assert_eq!(read(body), Vec::<ExchangeId>::new(), "{body:?}");
        }
        assert_eq!(read(b"hangu hand-off 1\nx\n\xff"), Vec::<ExchangeId>::new());
        assert_eq!(read(b"hangu hand-off 1\nx\n7\n-\n"), [7]);
    }
}
