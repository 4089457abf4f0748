//! What each operation does to accounts and agreements, and for which business reasons it refuses.

use super::{Agreement, Answer, CLEARING, COLLECTED, Ledger};
use crate::people::{Kind, Person};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason};

type Refused = (Reason, &'static str);

impl Ledger {
    pub(super) fn perform(&mut self, request: &Payment, key: &str) -> Answer {
        let done = match request.operation {
            Operation::Sign => self.sign(request),
            Operation::Terminate => self.terminate(request),
            Operation::Verify => self.verify(request),
            Operation::Debit => self.debit(request, key),
            Operation::Credit => self.credit(request, key),
            Operation::Refund => self.refund(request, key),
            Operation::Cancel => self.cancel(request, key),
            Operation::Query => self.query(request),
            Operation::Notice | Operation::Status | Operation::Certificate | Operation::Ack | Operation::Echo => {
                Err((Reason::NotSupported, "the platform does not offer this operation"))
            }
        };
        done.unwrap_or_else(|(reason, text)| Answer::refused(reason, text))
    }

    /// Takes a payout from the customer before it is sent, or checks that a termination is possible.
    pub(super) fn reserve(&mut self, request: &Payment, key: &str) -> Answer {
        let done = match request.operation {
            Operation::Credit => self.debit(request, key),
            // Money that an institution collects comes when it says so.
            Operation::Debit => Ok(with_account(COLLECTED.to_owned())),
            Operation::Refund => self.give(request, key),
            Operation::Terminate => self
                .active_agreement(request)
                .map(|agreement| with_account(agreement.account)),
            Operation::Cancel => Ok(Answer::new(Outcome::Success)),
            Operation::Sign
            | Operation::Verify
            | Operation::Query
            | Operation::Notice
            | Operation::Status
            | Operation::Certificate
            | Operation::Ack
            | Operation::Echo => Err((Reason::NotSupported, "the platform does not start this operation")),
        };
        done.unwrap_or_else(|(reason, text)| Answer::refused(reason, text))
    }

    /// What follows when the other side executed what the platform started.
    pub(super) fn finish(&mut self, request: &Payment, key: &str) {
        match request.operation {
            Operation::Terminate => {
                // It was active when the termination began; ending it twice changes nothing.
                let ended = self.end_agreement(request);
                debug_assert!(ended.is_ok(), "an agreement in termination exists");
            }
            Operation::Cancel => {
                let original = self.original(request);
                let reversed = original.map(|original| self.reverse(&original, key));
                if matches!(reversed, Some(Err(_))) {
                    tracing::warn!("the platform could not reverse a payout that the centre cancelled");
                }
            }
            Operation::Debit => {
                let booked =
                    amount(request).and_then(|amount| self.book_entry(CLEARING, COLLECTED, amount, key).map_err(overflow));
                if booked.is_err() {
                    tracing::warn!("the platform could not book what an institution collected");
                }
            }
            Operation::Sign
            | Operation::Verify
            | Operation::Credit
            | Operation::Refund
            | Operation::Query
            | Operation::Notice
            | Operation::Status
            | Operation::Certificate
            | Operation::Ack
            | Operation::Echo => {}
        }
    }

    /// Returns a payout that failed to the customer, and a refund that failed to where it was collected.
    pub(super) fn give_back(&mut self, key: &str) {
        let Some(done) = self
            .done
            .get_mut(key)
            .filter(|done| [Operation::Credit.name(), Operation::Refund.name()].contains(&done.book.operation.as_str()))
        else {
            return;
        };
        let (Some(account), amount) = (done.account.clone(), Money::from_fen(done.book.amount_fen)) else {
            return;
        };
        done.cancelled = true;
        let booked = self.book_entry(CLEARING, &account, amount, "");
        debug_assert!(booked.is_ok(), "what was taken can be given back");
    }

    /// Gives back what an institution collected: it leaves before the institution is told.
    fn give(&mut self, request: &Payment, key: &str) -> Result<Answer, Refused> {
        self.book_entry(COLLECTED, CLEARING, amount(request)?, key)
            .map_err(overflow)?;
        Ok(with_account(COLLECTED.to_owned()))
    }

    fn sign(&mut self, request: &Payment) -> Result<Answer, Refused> {
        let person = self.identified(request)?;
        let number = format!("8{:019}", self.agreements.len() + 1);
        self.agreements.insert(
            number.clone(),
            Agreement {
                account: person.account.clone(),
                active: true,
            },
        );
        Ok(Answer {
            agreement: Some(number),
            ..with_account(person.account)
        })
    }

    fn terminate(&mut self, request: &Payment) -> Result<Answer, Refused> {
        self.active_agreement(request)?;
        self.end_agreement(request)
    }

    fn verify(&mut self, request: &Payment) -> Result<Answer, Refused> {
        self.identified(request).map(|person| with_account(person.account))
    }

    fn debit(&mut self, request: &Payment, key: &str) -> Result<Answer, Refused> {
        let account = match request.text(Attribute::Agreement) {
            Some(_) => self.active_agreement(request)?.account,
            None => self.customer(request.text(Attribute::PayerAccount))?.account,
        };
        let person = self.customer(Some(&account))?;
        let amount = amount(request)?;
        let balance = self.balance(&person.account).unwrap_or(Money::ZERO);
        if balance < amount {
            return Err((Reason::InsufficientFunds, "the balance is too small"));
        }
        self.book_entry(&account, CLEARING, amount, key).map_err(overflow)?;
        let agreement = request.text(Attribute::Agreement).map(str::to_owned);
        Ok(Answer {
            agreement,
            ..with_account(account)
        })
    }

    fn credit(&mut self, request: &Payment, key: &str) -> Result<Answer, Refused> {
        let person = self.customer(request.text(Attribute::PayeeAccount))?;
        if request.text(Attribute::PayeeName).is_some_and(|name| name != person.name) {
            return Err((Reason::NameMismatch, "the account is in another name"));
        }
        self.book_entry(CLEARING, &person.account, amount(request)?, key)
            .map_err(overflow)?;
        Ok(with_account(person.account))
    }

    /// Refunds never exceed what is left of the original.
    fn refund(&mut self, request: &Payment, key: &str) -> Result<Answer, Refused> {
        let original = self
            .original(request)
            .ok_or((Reason::OriginalNotFound, "the original is not known"))?;
        let amount = amount(request)?;
        let done = self
            .done
            .get(&original)
            .ok_or((Reason::OriginalNotFound, "the original is not known"))?;
        let debited = done.book.operation == Operation::Debit.name() && done.answer.outcome == Outcome::Success;
        let (true, false, Some(account)) = (debited, done.cancelled, done.account.clone()) else {
            return Err((Reason::OriginalNotSuccessful, "the original is not a successful debit"));
        };
        let refunded = done
            .refunded
            .checked_add(amount)
            .ok_or((Reason::LimitExceeded, "too large"))?;
        if refunded.fen() > done.book.amount_fen {
            return Err((Reason::RefundExceedsOriginal, "more than is left of the original"));
        }
        self.book_entry(CLEARING, &account, amount, key).map_err(overflow)?;
        self.set_refunded(&original, refunded);
        Ok(with_account(account))
    }

    /// A cancel whose original never came succeeds, and its original is refused when it comes (facts/clearing.md 6).
    fn cancel(&mut self, request: &Payment, key: &str) -> Result<Answer, Refused> {
        if let Some(original) = self.original(request) {
            return self.reverse(&original, key);
        }
        let ids = [Attribute::OriginalMsgId, Attribute::OriginalEndToEndId].map(|attribute| request.text(attribute));
        let ids: Vec<String> = ids.into_iter().flatten().map(str::to_owned).collect();
        if ids.is_empty() {
            return Err((Reason::InvalidMessage, "the cancel names no original"));
        }
        self.tombstones.extend(ids);
        Ok(Answer::new(Outcome::Success))
    }

    fn reverse(&mut self, original: &str, key: &str) -> Result<Answer, Refused> {
        let done = self
            .done
            .get(original)
            .ok_or((Reason::OriginalNotFound, "the original is not known"))?;
        if done.cancelled || done.answer.outcome != Outcome::Success {
            return Ok(Answer::new(Outcome::Success));
        }
        if done.refunded != Money::ZERO {
            return Err((Reason::OriginalNotSuccessful, "the original was refunded"));
        }
        let booked = self
            .by_reference
            .get(original)
            .and_then(|numbers| self.entries.get(numbers.first()?))
            .cloned();
        let booked = booked.ok_or((Reason::NotSupported, "only payments can be cancelled"))?;
        let (account, refund_of) = (done.account.clone(), done.refund_of.clone());
        self.book_entry(&booked.credit, &booked.debit, booked.amount, key)
            .map_err(overflow)?;
        if let Some(done) = self.done.get_mut(original) {
            done.cancelled = true;
        }
        if let Some(debit) = refund_of
            && let Some(left) = self
                .done
                .get(&debit)
                .and_then(|done| done.refunded.checked_sub(booked.amount))
        {
            self.set_refunded(&debit, left);
        }
        Ok(Answer {
            account,
            ..Answer::new(Outcome::Success)
        })
    }

    fn set_refunded(&mut self, debit: &str, refunded: Money) {
        if let Some(done) = self.done.get_mut(debit) {
            done.refunded = refunded;
        }
    }

    fn query(&mut self, request: &Payment) -> Result<Answer, Refused> {
        let original = self.original(request).and_then(|key| self.done.get(&key));
        if original.is_none()
            && let Some(answer) = self.forgotten_original(request)
        {
            return Ok(answer);
        }
        let done = original.ok_or((Reason::OriginalNotFound, "the original is not known"))?;
        Ok(done.answer.clone())
    }

    /// The business key of the original that a request speaks of.
    pub(super) fn original(&self, request: &Payment) -> Option<String> {
        let by_msg_id = request.text(Attribute::OriginalMsgId).and_then(|id| self.by_msg_id.get(id));
        let by_tx_id = || request.text(Attribute::OriginalTxId).and_then(|id| self.by_msg_id.get(id));
        let by_end = || {
            request
                .text(Attribute::OriginalEndToEndId)
                .and_then(|id| self.by_end_to_end_id.get(id))
        };
        by_msg_id.or_else(by_tx_id).or_else(by_end).cloned()
    }

    /// A customer whose account exists and is not frozen.
    fn customer(&self, account: Option<&str>) -> Result<Person, Refused> {
        let person = account.and_then(|account| Person::of_account(account, self.account_count));
        let person = person.ok_or((Reason::AccountNotFound, "no such account"))?;
        match person.kind {
            Kind::Frozen => Err((Reason::AccountFrozen, "the account is frozen")),
            Kind::Plain | Kind::Poor => Ok(person),
        }
    }

    /// A customer whose stated name, id number and mobile are the account's.
    fn identified(&self, request: &Payment) -> Result<Person, Refused> {
        let person = self.customer(request.text(Attribute::PayerAccount))?;
        let differs = |attribute, own: &str| request.text(attribute).is_some_and(|stated| stated != own);
        if differs(Attribute::PayerName, &person.name) {
            return Err((Reason::NameMismatch, "the account is in another name"));
        }
        if differs(Attribute::IdNumber, &person.id_number) || differs(Attribute::Mobile, &person.mobile) {
            return Err((Reason::IdentityMismatch, "the id number or mobile is another one"));
        }
        Ok(person)
    }

    fn agreement(&self, number: &str) -> Option<Agreement> {
        let before_the_run = || {
            let person = Person::of_agreement(number, self.account_count)?;
            Some(Agreement {
                account: person.account,
                active: true,
            })
        };
        self.agreements.get(number).cloned().or_else(before_the_run)
    }

    fn active_agreement(&self, request: &Payment) -> Result<Agreement, Refused> {
        let agreement = request.text(Attribute::Agreement).and_then(|number| self.agreement(number));
        let agreement = agreement.ok_or((Reason::AgreementNotFound, "no such agreement"))?;
        if agreement.active {
            Ok(agreement)
        } else {
            Err((Reason::AgreementEnded, "the agreement has ended"))
        }
    }

    fn end_agreement(&mut self, request: &Payment) -> Result<Answer, Refused> {
        let number = request.text(Attribute::Agreement).unwrap_or_default().to_owned();
        let agreement = self
            .agreement(&number)
            .ok_or((Reason::AgreementNotFound, "no such agreement"))?;
        let account = agreement.account;
        self.agreements.insert(
            number.clone(),
            Agreement {
                account: account.clone(),
                active: false,
            },
        );
        Ok(Answer {
            agreement: Some(number),
            ..with_account(account)
        })
    }
}

fn with_account(account: String) -> Answer {
    Answer {
        account: Some(account),
        ..Answer::new(Outcome::Success)
    }
}

fn amount(request: &Payment) -> Result<Money, Refused> {
    let amount = request.money(Attribute::Amount).filter(|amount| *amount > Money::ZERO);
    amount.ok_or((Reason::InvalidMessage, "no positive amount"))
}

const fn overflow(reason: Reason) -> Refused {
    (reason, "the amount is too large for the account")
}
