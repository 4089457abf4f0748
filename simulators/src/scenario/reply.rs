//! Replying: the rules by which the counterparties answer, the newest that fits first.

use super::conduct::How;
use super::expect::is_about;
use super::run::{Miss, Run};
use super::{PartyName, Reply};
use codecs::payment::{Attribute, Money, Payment};
use std::sync::{Arc, Mutex, PoisonError};

/// One rule with its references replaced.
struct Rule {
    reply: Reply,
    amount: Option<Money>,
    about: Option<Payment>,
    account: Option<String>,
    institution: Option<String>,
    seen: u64,
}

/// The rules of all parties.
#[derive(Clone, Default)]
pub(super) struct Rules(Arc<Mutex<Vec<Rule>>>);

impl Run<'_> {
    pub(super) fn reply(&mut self, reply: &Reply) -> Result<(), Miss> {
        if matches!(reply.how, How::Silent | How::Back) {
            self.silence(reply.party, reply.how == How::Silent);
            return Ok(());
        }
        let text = |text: &Option<String>| text.as_ref().map(|text| self.store.resolve(text));
        let rule = Rule {
            amount: reply.amount.as_deref().map(|text| self.amount(text)).transpose()?,
            about: self.store.get(reply.about.as_deref()).map(|kept| kept.message.clone()),
            account: text(&reply.account),
            institution: text(&reply.institution),
            reply: reply.clone(),
            seen: 0,
        };
        self.rules.0.lock().unwrap_or_else(PoisonError::into_inner).insert(0, rule);
        Ok(())
    }

    fn silence(&self, party: PartyName, is_silent: bool) {
        match party {
            PartyName::Centre => self.stage.centre.go_silent(is_silent),
            PartyName::Platform => {
                self.stage.platform.go_silent(is_silent);
                self.stage.platform.refuse_connections(false);
            }
            PartyName::Institution => {
                if let Some(institution) = self.stage.institution {
                    institution.direct.go_silent(is_silent);
                }
            }
        }
    }

    /// Lets the counterparties ask the rules.
    pub(super) fn script(&self) {
        let (centre, platform) = (self.rules.clone(), self.rules.clone());
        let at_centre = move |request: &Payment| centre.of(PartyName::Centre, request).map(|reply| reply.at_centre());
        let at_platform = move |request: &Payment| platform.of(PartyName::Platform, request).map(|reply| reply.at_platform());
        self.stage.centre.set_script(Some(Arc::new(at_centre)));
        self.stage.platform.set_script(Some(Arc::new(at_platform)));
        if let Some(institution) = self.stage.institution {
            let rules = self.rules.clone();
            let at_it = move |request: &Payment| rules.of(PartyName::Institution, request).map(|reply| reply.at_institution());
            institution.direct.set_script(Some(Arc::new(at_it)));
        }
    }
}

impl Rules {
    /// The first rule that fits; each that fits counts the request.
    fn of(&self, party: PartyName, request: &Payment) -> Option<Reply> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = None;
        for rule in rules
            .iter_mut()
            .filter(|rule| rule.reply.party == party && rule.fits(request))
        {
            rule.seen += 1;
            if taken.is_none() && rule.reply.nth.is_none_or(|nth| nth == rule.seen) {
                taken = Some(rule.reply.clone());
            }
        }
        taken
    }
}

impl Rule {
    fn fits(&self, request: &Payment) -> bool {
        let text = |attribute| request.text(attribute);
        let accounts = [Attribute::PayerAccount, Attribute::PayeeAccount];
        let names = |account: &String| accounts.iter().any(|&attribute| text(attribute) == Some(account));
        self.reply.operation.is_none_or(|operation| operation == request.operation)
            && self
                .amount
                .is_none_or(|amount| request.money(Attribute::Amount) == Some(amount))
            && self.about.as_ref().is_none_or(|about| is_about(request, about))
            && self
                .institution
                .as_deref()
                .is_none_or(|id| text(Attribute::Institution) == Some(id))
            && self.account.as_ref().is_none_or(names)
    }
}
