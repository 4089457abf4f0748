//! The chains, record by record: numbers without gaps, digests computed anew from the exchanges, ends against known tips.

use super::{Finding, Flaw, KnownTip, PAGE, Report, Verifier, VerifyError};
use crate::journal::chain::FIRST;
use crate::journal::{Effect, EffectKey, Exchange, ExchangeId, Found, Millis, Read};
use keys::hex::encode as hex;
use std::collections::BTreeMap;

/// Chain and date.
type Name = (String, String);

/// How far a chain has been followed.
struct Followed {
    name: Name,
    seq: i64,
    digest: [u8; 32],
    at: Millis,
}

impl Verifier<'_> {
    pub(super) async fn walk_chains(&self, report: &mut Report) -> Result<(), VerifyError> {
        let known = self.known.into_iter().flat_map(|known| &known.tips);
        let mut tips: BTreeMap<Name, &KnownTip> = known.map(|tip| (name_of_tip(tip), tip)).collect();
        let (mut after, mut followed) = (EffectKey::default(), None);
        loop {
            let page = self.ask(Read::Effects { after, limit: PAGE }, Found::effects).await?;
            let Some(last) = page.last() else { break };
            after = EffectKey {
                chain: last.chain.clone(),
                date: last.date.clone(),
                seq: last.seq,
            };
            let mut exchanges = self.exchanges_of(&page).await?;
            for effect in &page {
                let mut chain = match followed.take() {
                    Some(chain) if is_of(&chain, effect) => chain,
                    ended => {
                        end(ended, &mut tips, report);
                        Followed::from_the_start(effect)
                    }
                };
                let exchange = exchanges.remove(&effect.exchange);
                self.follow(&mut chain, effect, exchange.as_ref(), report).await?;
                compare(&chain, &tips, report);
                followed = Some(chain);
            }
        }
        end(followed, &mut tips, report);
        for tip in tips.into_values() {
            self.missing_chain(tip, report);
        }
        Ok(())
    }

    async fn exchanges_of(&self, page: &[Effect]) -> Result<BTreeMap<ExchangeId, Exchange>, VerifyError> {
        let ids = page.iter().map(|effect| effect.exchange).collect();
        let found = self.ask(Read::Exchanges(ids), Found::exchanges).await?;
        Ok(found.into_iter().map(|exchange| (exchange.id, exchange)).collect())
    }

    async fn follow(
        &self,
        chain: &mut Followed,
        effect: &Effect,
        exchange: Option<&Exchange>,
        report: &mut Report,
    ) -> Result<(), VerifyError> {
        report.checked.records += 1;
        let is_next = effect.seq == chain.seq + 1;
        if !is_next {
            let detail = format!("records {} to {} are missing", chain.seq + 1, effect.seq - 1);
            report.add(finding(Flaw::Gap, effect, detail));
        }
        let before = is_next.then_some(&chain.digest);
        if let Some((flaw, detail)) = self.judge(effect, exchange, before).await? {
            report.add(finding(flaw, effect, detail));
        }
        report.checked.pruned += u64::from(effect.pruned);
        // The stored digest goes on: one changed record is one finding, and a forged rest of a chain is as many.
        (chain.seq, chain.digest, chain.at) = (effect.seq, effect.digest, effect.at);
        Ok(())
    }

    /// What is wrong with a record, if anything. Behind a gap its digest cannot be computed.
    async fn judge(
        &self,
        effect: &Effect,
        exchange: Option<&Exchange>,
        before: Option<&[u8; 32]>,
    ) -> Result<Option<(Flaw, String)>, VerifyError> {
        if before.is_some_and(|before| self.chain.digest(before, effect) != effect.digest) {
            let detail = "record and chain do not give the chained digest";
            return Ok(Some((Flaw::Digest, detail.to_owned())));
        }
        let flaw = match (exchange, effect.pruned) {
            (None, false) if self.is_pruned_meanwhile(effect).await? => None,
            (None, false) => Some((Flaw::Orphan, "its exchange is gone and was not pruned".to_owned())),
            (None, true) if effect.at >= self.kept_since => {
                let detail = "its exchange is gone, and its outcome is younger than journal.keep_days";
                Some((Flaw::PrunedYoung, detail.to_owned()))
            }
            (None, true) => None,
            (Some(_), true) => Some((Flaw::PrunedStands, "marked pruned, and its exchange stands".to_owned())),
            (Some(exchange), false) => (self.chain.facts(exchange) != effect.facts).then(|| {
                let detail = "record and exchange do not give the chained digest";
                (Flaw::Digest, detail.to_owned())
            }),
        };
        Ok(flaw)
    }

    /// A gateway prunes while we read.
    async fn is_pruned_meanwhile(&self, effect: &Effect) -> Result<bool, VerifyError> {
        let found = self.ask(Read::EffectOf(effect.exchange), Found::effects).await?;
        Ok(found.first().is_none_or(|effect| effect.pruned))
    }

    /// A chain goes as a whole once its last record is old enough.
    fn missing_chain(&self, tip: &KnownTip, report: &mut Report) {
        report.checked.tips += 1;
        if tip.at >= self.kept_since {
            let detail = "the whole chain is gone".to_owned();
            report.add(at_tip(Flaw::CutTail, tip, detail));
        }
    }
}

impl Followed {
    fn from_the_start(effect: &Effect) -> Self {
        Self {
            name: (effect.chain.clone(), effect.date.clone()),
            seq: 0,
            digest: FIRST,
            at: 0,
        }
    }
}

fn is_of(chain: &Followed, effect: &Effect) -> bool {
    chain.name.0 == effect.chain && chain.name.1 == effect.date
}

fn compare(chain: &Followed, tips: &BTreeMap<Name, &KnownTip>, report: &mut Report) {
    let Some(tip) = tips.get(&chain.name).filter(|tip| tip.seq == chain.seq) else {
        return;
    };
    if tip.digest != hex(&chain.digest) {
        report.add(at_tip(
            Flaw::Fork,
            tip,
            "another record stands there than was exported".to_owned(),
        ));
    }
}

/// Notes where a chain ends, and whether it once was longer.
fn end(chain: Option<Followed>, tips: &mut BTreeMap<Name, &KnownTip>, report: &mut Report) {
    let Some(chain) = chain else { return };
    report.checked.chains += 1;
    if let Some(tip) = tips.remove(&chain.name) {
        report.checked.tips += 1;
        if chain.seq < tip.seq {
            let detail = format!("the chain ends at {}, and was exported up to {}", chain.seq, tip.seq);
            report.add(at_tip(Flaw::CutTail, tip, detail));
        }
    }
    let (name, date) = chain.name;
    report.known.tips.push(KnownTip {
        chain: name,
        date,
        seq: chain.seq,
        digest: hex(&chain.digest),
        at: chain.at,
    });
}

fn name_of_tip(tip: &KnownTip) -> Name {
    (tip.chain.clone(), tip.date.clone())
}

fn finding(flaw: Flaw, effect: &Effect, detail: String) -> Finding {
    Finding {
        flaw,
        exchange: Some(effect.exchange),
        place: format!("{} {} {}", effect.chain, effect.date, effect.seq),
        detail,
    }
}

fn at_tip(flaw: Flaw, tip: &KnownTip, detail: String) -> Finding {
    Finding {
        flaw,
        exchange: None,
        place: format!("{} {} {}", tip.chain, tip.date, tip.seq),
        detail,
    }
}
