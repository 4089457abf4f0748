//! Messages of the centre that others go before, or that a storm puts back.

use super::config;
use crate::centre::{CentreHandle, Manner, start};
use crate::fault::Fault;
use crate::queues::{MemoryQueues, Queues};
use crate::testing::{parties, request, world};
use crate::world::Dice;
use codecs::payment::Operation;
use std::sync::Arc;

async fn put(centre: &CentreHandle, serial: u64, fault: Option<Fault>) -> Vec<u8> {
    let manner = Manner {
        fault,
        ..Manner::default()
    };
    let message = request(Operation::Debit, serial, 7, 500, None);
    let put = centre.desk().put_as(message, manner, &mut Dice::new(1, 1)).await;
    put.unwrap().1
}

#[tokio::test]
async fn the_next_one_goes_before_it_and_nothing_is_held_for_good() {
    let queues = Arc::new(MemoryQueues::default());
    let centre = start(queues.clone(), parties(3).centre, world(3), config());
    let taken = async || queues.take("nps.B.req").await.unwrap().body;
    let first = put(&centre, 1, Some(Fault::Reorder)).await;
    let second = put(&centre, 2, None).await;
    assert_eq!([taken().await, taken().await], [second, first]);
    let alone = put(&centre, 3, Some(Fault::Reorder)).await;
    assert_eq!(queues.length("nps.B.req"), 0);
    assert_eq!(taken().await, alone);

    let stormy = put(&centre, 4, Some(Fault::NackStorm)).await;
    for _ in 0..4 {
        assert_eq!(taken().await, stormy, "once, and three times again");
    }
    assert_eq!(queues.length("nps.B.req"), 0);
    queues.close();
    centre.stop().await;
}
