//! Takes up exchanges that are due, within the bound of their link, so that one dead counterparty does not take the places of
//! the others.

use crate::config::Shares;
use crate::exchange::{Bulkhead, Gateway, Lane, Place};
use crate::journal::Exchange;
use crate::limits;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

#[derive(Clone)]
pub(super) struct Revisitor {
    gateway: Arc<Gateway>,
    work: TaskTracker,
    /// By the link that an exchange went out by.
    bounds: Arc<BTreeMap<String, Bounds>>,
}

/// A bound on all revisits of a link, and shares in it.
struct Bounds {
    all: Arc<Semaphore>,
    shares: Bulkhead,
}

impl Revisitor {
    pub(super) fn new(gateway: Arc<Gateway>, work: TaskTracker) -> Self {
        let bound = |name: &String| (name.clone(), Bounds::new());
        let bounds = Arc::new(gateway.config().link.keys().map(bound).collect());
        Self { gateway, work, bounds }
    }

    /// What finds no place is due again at the next look. Only where a whole look found more than it may show does it step
    /// aside, so that what is due behind it is seen.
    pub(super) async fn take_up_due(&self, due: Vec<Exchange>) {
        let is_full = due.len() >= limits::SWEEP_BATCH as usize;
        let left = self.take_up(due);
        if is_full {
            self.put_off(left, limits::ASIDE_MS).await;
        }
    }

    /// What finds no place becomes due, for nobody else would look at it before its deadline.
    pub(super) async fn take_up_taken(&self, taken: Vec<Exchange>) {
        let left = self.take_up(taken);
        self.put_off(left, 0).await;
    }

    /// Gives back what found no place.
    fn take_up(&self, exchanges: Vec<Exchange>) -> Vec<Exchange> {
        let mut left = Vec::new();
        for exchange in exchanges {
            let link = exchange.link_out.as_ref().unwrap_or(&exchange.link_in);
            let Some(permit) = self.bounds.get(link).and_then(|bounds| bounds.admit(&exchange)) else {
                left.push(exchange);
                continue;
            };
            let gateway = self.gateway.clone();
            self.work.spawn(async move {
                let _permit = permit;
                gateway.revisit(exchange).await;
            });
        }
        left
    }

    async fn put_off(&self, exchanges: Vec<Exchange>, wait_ms: i64) {
        let mut moves = JoinSet::new();
        for exchange in exchanges {
            if moves.len() >= MOVES_MAX {
                moves.join_next().await;
            }
            let gateway = self.gateway.clone();
            moves.spawn(async move { gateway.put_off(&exchange, wait_ms).await });
        }
        while moves.join_next().await.is_some() {}
    }
}

impl Bounds {
    fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits::REVISITS_MAX)),
            shares: Bulkhead::new(Shares {
                institution_max: limits::REVISITS_INSTITUTION_MAX,
                operation_max: limits::REVISITS_OPERATION_MAX,
                line_max: 0,
            }),
        }
    }

    fn admit(&self, exchange: &Exchange) -> Option<(OwnedSemaphorePermit, Place)> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let place = self.shares.try_place(&Lane::of_exchange(exchange))?;
        Some((permit, place))
    }
}

/// Writes of one sweep under way at a time.
const MOVES_MAX: usize = 64;
