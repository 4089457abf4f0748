//! What must hold at the end, and whenever a step asks: everything settled, the books equal, nothing done twice.

use super::rotate::Rotate;
use super::run::{Miss, Run};
use super::{Books, Check};
use crate::report::{Book, Comparison, compare};
use async_trait::async_trait;
use codecs::payment::Attribute;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What a run asks of the gateway under test beside its messages.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// What it believes of each payment.
    async fn book(&self) -> Result<Book, String>;

    /// How many exchanges have no final outcome, or have not delivered it.
    async fn open(&self) -> Result<usize, String>;

    /// Takes a step of a rotation, at it and at the counterparty.
    async fn rotate(&self, rotate: Rotate) -> Result<(), String>;

    /// How many messages it refused at each step.
    fn refused(&self) -> BTreeMap<String, u64>;
}

impl Run<'_> {
    pub(super) async fn books(&self, books: &Books) -> Result<(), Miss> {
        let settled = self.settled().await?;
        if settled.0 > 0 || !settled.1.equal {
            return Err(Miss {
                expected: vec!["nothing open, and three equal books".to_owned()],
                came: differences(&settled),
            });
        }
        for (name, times) in &books.executed {
            self.executed(name, *times)?;
        }
        match &books.refused {
            Some(steps) => self.refused(steps),
            None => Ok(()),
        }
    }

    fn executed(&self, name: &str, times: u64) -> Result<(), Miss> {
        let kept = self.store.kept.get(name);
        let id = kept
            .and_then(|kept| kept.message.text(Attribute::EndToEndId))
            .unwrap_or_default();
        let executed = self.executions(id);
        if executed == times {
            return Ok(());
        }
        Err(Miss {
            expected: vec![format!("{name} executed {times} times")],
            came: vec![format!("it was executed {executed} times")],
        })
    }

    fn refused(&self, steps: &[String]) -> Result<(), Miss> {
        let counts = self.stage.gateway.refused();
        let found: Vec<&str> = counts
            .iter()
            .flat_map(|(step, count)| (0..*count).map(move |_| step.as_str()))
            .collect();
        let mut wanted: Vec<&str> = steps.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        if found == wanted {
            return Ok(());
        }
        Err(Miss {
            expected: vec![format!("refused at: {}", list(&wanted))],
            came: vec![format!("refused at: {}", list(&found))],
        })
    }

    /// Waits, bounded, until nothing is open and the books agree; gives what stands then.
    async fn settled(&self) -> Result<(usize, Comparison), Miss> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let gateway = self.stage.gateway;
            let open = gateway.open().await.map_err(Miss::plain)?;
            let book = gateway.book().await.map_err(Miss::plain)?;
            let comparison = compare(&self.outer_book(), &book, &self.stage.platform.books());
            if (open == 0 && comparison.equal) || Instant::now() >= deadline {
                return Ok((open, comparison));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What must hold after every scenario.
    pub(super) async fn final_checks(&self) -> Vec<Check> {
        let figures = self.stage.centre.figures();
        let rejected = self.stage.platform.rejected();
        let by_institution = self.stage.institution.map_or(0, |one| one.direct.figures().rejected);
        let unreadable = figures.bad_signature + figures.unreadable + rejected + by_institution;
        let sum = crate::platform::lock(&self.stage.platform.ledger()).sum();
        let check = |name, ok, detail| Check { name, ok, detail };
        let mut checks = match self.settled().await {
            Ok(settled) => settled_checks(&settled),
            Err(miss) => vec![check("settled", false, miss.came.join("; "))],
        };
        checks.extend([
            check("verified", unreadable == 0, format!("{unreadable}")),
            check("consistent", figures.contradicted == 0, format!("{}", figures.contradicted)),
            check("ledger", sum == 0, format!("{sum}")),
        ]);
        checks
    }
}

fn settled_checks(settled: &(usize, Comparison)) -> Vec<Check> {
    let (open, comparison) = settled;
    let check = |name, ok, detail| Check { name, ok, detail };
    vec![
        check("settled", *open == 0, format!("{open}")),
        check("equal", comparison.equal, differences(settled).join("; ")),
        check(
            "once",
            comparison.executed_twice == 0,
            format!("{}", comparison.executed_twice),
        ),
    ]
}

fn differences((open, comparison): &(usize, Comparison)) -> Vec<String> {
    let mut lines = Vec::new();
    if *open > 0 {
        lines.push(format!("{open} exchanges open"));
    }
    lines.extend(
        comparison
            .differences
            .iter()
            .map(|found| format!("{}: {}", found.key, found.en)),
    );
    if lines.is_empty() {
        lines.push(format!("{} payments compared", comparison.payments));
    }
    lines
}

fn list(steps: &[&str]) -> String {
    if steps.is_empty() {
        "none".to_owned()
    } else {
        steps.join(", ")
    }
}

const SETTLE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);
