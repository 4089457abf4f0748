//! The exchanges, one by one: chained once when final, their messages there and open, one success for each business.

use super::{Finding, Flaw, Opening, Report, Said, Verifier, VerifyError};
use crate::journal::chain::{is_final, reply_digest};
use crate::journal::{Exchange, ExchangeId, Found, Kept, MessageRecord, Read, State, StoredOutcome};
use codecs::payment::{Operation, Outcome};
use std::collections::BTreeMap;
use tokio::task::yield_now;

/// An exchange as it was read, with what hangs on it.
struct Closed {
    exchange: Exchange,
    kept: Kept,
    twins: Vec<Finding>,
}

impl Closed {
    fn opened(self, opening: &Opening<'_>) -> Opened {
        Opened {
            said: self.kept.messages.iter().map(opening).collect(),
            exchange: self.exchange,
            kept: self.kept,
            twins: self.twins,
        }
    }
}

/// The same with its messages opened.
struct Opened {
    exchange: Exchange,
    kept: Kept,
    /// What each message says, or why it does not open.
    said: Vec<Result<Said, String>>,
    twins: Vec<Finding>,
}

impl Verifier<'_> {
    pub(super) async fn walk_exchanges(&self, report: &mut Report) -> Result<(), VerifyError> {
        let chained_from = self.chained_from(report).await?;
        for state in State::ALL {
            report.checked.by_state.insert(state.name(), 0);
        }
        let mut ahead = self.page(ExchangeId::MIN).await?;
        while let Some(last) = ahead.last() {
            let after = last.exchange.id;
            // The next page is on its way while this one is judged.
            let (next, checked) = tokio::join!(biased; self.page(after), self.check_page(ahead, chained_from, report));
            checked?;
            ahead = next?;
        }
        Ok(())
    }

    async fn page(&self, after: ExchangeId) -> Result<Vec<Closed>, VerifyError> {
        let scan = Read::Scan {
            after,
            limit: WITH_MESSAGES,
        };
        self.with_kept(self.ask(scan, Found::exchanges).await?).await
    }

    async fn check_page(&self, page: Vec<Closed>, chained_from: ExchangeId, report: &mut Report) -> Result<(), VerifyError> {
        for closed in page {
            self.check(closed.opened(self.opening), chained_from, report).await?;
            // Opening messages waits for nothing: what is on its way gets its turn here.
            yield_now().await;
        }
        Ok(())
    }

    /// Whoever moves it up would excuse outcomes that are in no chain, which shows only against what was exported.
    async fn chained_from(&self, report: &mut Report) -> Result<ExchangeId, VerifyError> {
        let stands = self.ask(Read::Setting(CHAINED_FROM.to_owned()), Found::setting).await?;
        let stands = stands.and_then(|id| id.parse().ok()).unwrap_or(0);
        if let Some(before) = self.known.map(|known| known.chained_from).filter(|before| *before != stands) {
            report.add(Finding {
                flaw: Flaw::MovedStart,
                exchange: None,
                place: CHAINED_FROM.to_owned(),
                detail: format!("exchange {stands}, and {before} when it was exported"),
            });
        }
        report.known.chained_from = stands;
        Ok(stands)
    }

    async fn check(&self, mut opened: Opened, chained_from: ExchangeId, report: &mut Report) -> Result<(), VerifyError> {
        loop {
            let findings = judge(&opened, chained_from);
            if findings.is_empty() {
                count(&opened, report);
                return Ok(());
            }
            // Work and pruning go on while we read: only what still stands as it was judged is wrong.
            let stands = self.ask(Read::Exchange(opened.exchange.id), Found::exchange).await?;
            match stands {
                None => return Ok(()),
                Some(changed) if is_otherwise(&changed, &opened.exchange) => {
                    let Some(again) = self.with_kept(vec![changed]).await?.pop() else {
                        return Ok(());
                    };
                    opened = again.opened(self.opening);
                }
                Some(_) => {
                    count(&opened, report);
                    for finding in findings {
                        report.add(finding);
                    }
                    return Ok(());
                }
            }
        }
    }

    async fn with_kept(&self, exchanges: Vec<Exchange>) -> Result<Vec<Closed>, VerifyError> {
        let ids = exchanges.iter().map(|exchange| exchange.id).collect();
        let (kept, mut twins) = tokio::try_join!(self.ask(Read::Kept(ids), Found::kept), self.twins(&exchanges))?;
        let mut kept: BTreeMap<ExchangeId, Kept> = kept.into_iter().map(|kept| (kept.exchange, kept)).collect();
        let close = |exchange: Exchange| Closed {
            kept: kept.remove(&exchange.id).unwrap_or_default(),
            twins: twins.remove(&exchange.id).unwrap_or_default(),
            exchange,
        };
        Ok(exchanges.into_iter().map(close).collect())
    }

    /// Younger exchanges of the same business that succeeded too.
    async fn twins(&self, elders: &[Exchange]) -> Result<BTreeMap<ExchangeId, Vec<Finding>>, VerifyError> {
        let elders = elders.iter().filter(|exchange| is_business(exchange));
        let pairs = self
            .ask(Read::Twins(elders.map(|elder| elder.id).collect()), Found::pairs)
            .await?;
        let mut found: BTreeMap<ExchangeId, Vec<Finding>> = BTreeMap::new();
        for (elder, younger) in pairs {
            if let Some(twin) = self.ask(Read::Exchange(younger), Found::exchange).await? {
                let detail = format!("exchange {elder} is the same business and succeeded too");
                found
                    .entry(elder)
                    .or_default()
                    .push(finding(Flaw::DoubleEffect, &twin, detail));
            }
        }
        Ok(found)
    }
}

fn judge(opened: &Opened, chained_from: ExchangeId) -> Vec<Finding> {
    let exchange = &opened.exchange;
    let unreadable = opened.said.iter().filter_map(|said| said.as_ref().err());
    let unreadable = unreadable.map(|reason| finding(Flaw::Unreadable, exchange, reason.clone()));
    let others = [
        unchained(exchange, &opened.kept, chained_from),
        no_request(exchange, &opened.kept),
        no_reply(exchange, &opened.kept),
        other_reply(exchange, &opened.kept),
    ];
    let others = others.into_iter().flatten();
    let replies = contradictions(opened).chain(foreign_messages(opened));
    let twins = opened.twins.iter().cloned();
    unreadable.chain(others).chain(replies).chain(twins).collect()
}

fn unchained(exchange: &Exchange, kept: &Kept, chained_from: ExchangeId) -> Option<Finding> {
    let is_due = is_final(exchange.outcome.as_ref()) && exchange.id >= chained_from;
    (is_due && kept.effect.is_none()).then(|| finding(Flaw::Unchained, exchange, "its final outcome is in no chain".to_owned()))
}

fn no_request(exchange: &Exchange, kept: &Kept) -> Option<Finding> {
    let has = |direction| {
        let mut messages = kept.messages.iter();
        messages.any(|message| message.direction == direction && message.part == "request")
    };
    let missing = if !has("received") {
        "the request that it was made from is not stored"
    } else if exchange.attempts > 0 && !has("sent") {
        "the request that was sent on is not stored"
    } else {
        return None;
    };
    Some(finding(Flaw::NoRequest, exchange, missing.to_owned()))
}

/// The first request has its final reply as soon as an exchange is answered with a final outcome.
fn no_reply(exchange: &Exchange, kept: &Kept) -> Option<Finding> {
    let is_due = matches!(exchange.state, State::Answered | State::Delivered) && is_final(exchange.outcome.as_ref());
    let mut requests = kept.requests.iter();
    let first = requests.find(|request| request.communication_key == exchange.communication_key);
    let is_replied = first.is_some_and(|request| request.replied.as_deref() == Some("reply"));
    (is_due && !is_replied).then(|| finding(Flaw::NoReply, exchange, "its request has no final reply stored".to_owned()))
}

fn other_reply(exchange: &Exchange, kept: &Kept) -> Option<Finding> {
    let chained = kept.effect.as_ref().filter(|effect| !effect.pruned)?.reply?;
    let mut replies = kept.messages.iter().filter(|message| is_reply(message));
    let is_stored = replies.any(|message| reply_digest(&message.record.sealed) == chained);
    let detail = "the reply that was chained is not among its messages";
    (!is_stored).then(|| finding(Flaw::ReplyDigest, exchange, detail.to_owned()))
}

/// Every final reply says what the exchange says.
fn contradictions(opened: &Opened) -> impl Iterator<Item = Finding> {
    let exchange = &opened.exchange;
    let stands = name(exchange.outcome.as_ref());
    opened.replies().filter(move |said| *said != stands).map(move |said| {
        let detail = format!("the outcome stands as {stands}, a stored reply says {said}");
        finding(Flaw::Contradiction, exchange, detail)
    })
}

/// What came and what was replied bears the serial of one of the requests; what was sent on bears that of the outbound key,
/// or the exchange's own id where its format has no serials. The seal alone does not bind a message to its exchange.
fn foreign_messages(opened: &Opened) -> impl Iterator<Item = Finding> {
    let (exchange, kept) = (&opened.exchange, &opened.kept);
    let said = kept.messages.iter().zip(&opened.said);
    said.filter_map(|(message, said)| {
        let serial = said.as_ref().ok()?.serial.as_deref()?;
        let names = |key: &str| key.split('|').any(|part| part == serial);
        let is_ours = if message.direction == "sent" && message.part == "request" {
            let own = exchange.end_to_end_id.as_deref().unwrap_or(&exchange.msg_id);
            own == serial || exchange.out_key.as_deref().is_some_and(names)
        } else {
            kept.requests.iter().any(|request| names(&request.communication_key))
        };
        let detail = format!("a {} {} is of another exchange", message.direction, message.part);
        (!is_ours).then(|| finding(Flaw::ForeignMessage, exchange, detail))
    })
}

impl Opened {
    /// The outcome that each final reply says, where that can be read.
    fn replies(&self) -> impl Iterator<Item = &str> {
        let replies = self
            .kept
            .messages
            .iter()
            .zip(&self.said)
            .filter(|(message, _)| is_reply(message));
        let said = replies.filter_map(|(_, said)| said.as_ref().ok()?.outcome.as_deref());
        said.filter(|name| *name != Outcome::Unknown.name())
    }
}

fn count(opened: &Opened, report: &mut Report) {
    let (exchange, kept, checked) = (&opened.exchange, &opened.kept, &mut report.checked);
    checked.exchanges += 1;
    *checked.by_state.entry(exchange.state.name()).or_default() += 1;
    checked.final_outcomes += u64::from(is_final(exchange.outcome.as_ref()));
    checked.messages += kept.messages.len() as u64;
    checked.replies += opened.replies().count() as u64;
    checked.businesses += u64::from(is_business(exchange));
}

/// Whether something was done to an exchange between two reads; a renewed lease is nothing.
fn is_otherwise(exchange: &Exchange, read_before: &Exchange) -> bool {
    (exchange.state, exchange.epoch, &exchange.outcome) != (read_before.state, read_before.epoch, &read_before.outcome)
}

fn is_reply(message: &MessageRecord) -> bool {
    message.direction == "sent" && message.part == "reply"
}

/// What succeeded, and is one business by its end-to-end id. A cancel is one by what it cancels.
fn is_business(exchange: &Exchange) -> bool {
    let by_end_to_end_id = match Operation::parse(&exchange.operation) {
        Some(
            Operation::Sign | Operation::Terminate | Operation::Verify | Operation::Debit | Operation::Credit | Operation::Refund,
        ) => true,
        Some(
            Operation::Cancel
            | Operation::Query
            | Operation::Notice
            | Operation::Status
            | Operation::Certificate
            | Operation::Ack
            | Operation::Echo,
        )
        | None => false,
    };
    by_end_to_end_id && name(exchange.outcome.as_ref()) == Outcome::Success.name()
}

fn name(outcome: Option<&StoredOutcome>) -> &str {
    outcome.map_or(Outcome::Unknown.name(), |outcome| outcome.name.as_str())
}

fn finding(flaw: Flaw, exchange: &Exchange, detail: String) -> Finding {
    Finding {
        flaw,
        exchange: Some(exchange.id),
        place: exchange.communication_key.clone(),
        detail,
    }
}

/// Setting: from which exchange on final outcomes are chained.
const CHAINED_FROM: &str = "chained_from";
/// Rows of one read that come with all their messages.
const WITH_MESSAGES: u32 = 100;
