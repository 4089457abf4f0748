//! The testers' proxy between our link and a real broker: what is acknowledged comes again, what was taken is refused, deliveries
//! change places, and nothing is lost by it.

use crate::broker;
use crate::mq_conformance::{confirmed, declared, next, publication, wait_for_counts};
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password};
use hangu::mq::{Published, SharedMq};
use simulators::proxy::{Carrier, Framing, InClear, Proxy, Route, Rules};
use std::sync::Arc;
use tokio::net::TcpListener;

fn link(address: &str) -> SharedMq {
    let config = AmqpConfig {
        addresses: vec![address.to_owned()],
        password: Password::new("guest"),
        confirm_timeout_ms: 2000,
        ..AmqpConfig::default()
    };
    Arc::new(AmqpMq::open(config).unwrap())
}

/// A sound link, one over a proxy with these rules, and a queue.
struct Scene {
    sound: SharedMq,
    proxied: SharedMq,
    proxy: Proxy,
    queue: String,
}

impl Scene {
    async fn set(name: &str, rules: &str) -> Self {
        let broker = broker::shared().address();
        let rules = Rules::parse(rules).unwrap();
        rules.fit(Carrier::Amqp, false).unwrap();
        let route = Route {
            target: broker.clone(),
            framing: Framing::Amqp,
            reading: None,
            inbound: Arc::new(InClear),
            outbound: Arc::new(InClear),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener, route, rules, 7, |_| {}).unwrap();
        let (sound, proxied) = (link(&broker), link(&proxy.address().to_string()));
        let queue = declared(&sound, &format!("storm.{name}")).await;
        Self {
            sound,
            proxied,
            proxy,
            queue,
        }
    }

    /// Message ids as they come over the proxy, each acknowledged, with whether they came again.
    async fn taken(&self, count: usize) -> Vec<(String, bool)> {
        let mut consumer = self.proxied.consume(&self.queue, 8);
        let mut taken = Vec::new();
        while taken.len() < count {
            let delivery = next(&mut consumer).await;
            taken.push((delivery.message_id.clone().unwrap(), delivery.redelivered));
            delivery.settle.ack().await;
        }
        // Nothing is left, neither with the broker nor on its way: acknowledgements reach it before the consumer's goodbye.
        drop(consumer);
        wait_for_counts(&self.sound, &self.queue, 0, 0).await;
        taken
    }

    async fn end(self) {
        self.proxied.close().await;
        self.sound.close().await;
        self.proxy.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_comes_again() {
    let rules = "[[rule]]\nfault = \"nack_storm\"\non = \"reply\"\ncontains = \"stormy\"\ncount = 3";
    let scene = Scene::set("back", rules).await;
    for id in ["calm1", "stormy", "calm2"] {
        confirmed(&scene.sound, &scene.queue, id).await;
    }
    let taken = scene.taken(6).await;
    let again = |id: &str| {
        taken
            .iter()
            .filter(|(taken, _)| taken == id)
            .map(|(_, again)| *again)
            .collect::<Vec<_>>()
    };
    assert_eq!(again("stormy"), [false, true, true, true], "{taken:?}");
    assert_eq!((again("calm1"), again("calm2")), (vec![false], vec![false]), "{taken:?}");
    // What was on its way to the consumer would come back to the queue.
    scene.proxied.close().await;
    wait_for_counts(&scene.sound, &scene.queue, 0, 0).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_is_refused_and_what_was_taken_is_not_confirmed() {
    let rules = "[[rule]]\nfault = \"nack_storm\"\ncontains = \"stormy\"\ncount = 2\n\
                 [[rule]]\nfault = \"never\"\ncontains = \"unheard\"\ntimes = 1";
    let scene = Scene::set("refused", rules).await;
    let publish = async |id: &str| scene.proxied.publish(publication(&scene.queue, id)).await;
    assert_eq!(publish("calm").await, Published::Confirmed);
    for _ in 0..2 {
        let published = publish("stormy").await;
        assert!(matches!(published, Published::Refused(_)), "{published:?}");
    }
    assert_eq!(publish("stormy").await, Published::Confirmed);
    let published = publish("unheard").await;
    assert!(matches!(published, Published::Unknown(_)), "{published:?}");
    let mut consumer = scene.sound.consume(&scene.queue, 8);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let delivery = next(&mut consumer).await;
        ids.push(delivery.message_id.clone().unwrap());
        delivery.settle.ack().await;
    }
    assert_eq!(ids, ["calm", "stormy", "stormy", "stormy", "unheard"]);
    drop(consumer);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_change_places_drip_and_outlive_a_death() {
    let rules = "[[rule]]\nfault = \"reorder\"\non = \"reply\"\ncontains = \"first\"\ncount = 2\ntimes = 1\nms = 20000\n\
                 [[rule]]\nfault = \"drip\"\non = \"reply\"\ncontains = \"third\"\nbytes = 1\nms = 1\n\
                 [[rule]]\nfault = \"die\"\non = \"reply\"\ncontains = \"fourth\"\ntimes = 1\nms = 200";
    let scene = Scene::set("order", rules).await;
    for id in ["first", "second", "third"] {
        confirmed(&scene.sound, &scene.queue, id).await;
    }
    let ids: Vec<String> = scene.taken(3).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["second", "third", "first"]);
    confirmed(&scene.sound, &scene.queue, "fourth").await;
    let mut consumer = scene.proxied.consume(&scene.queue, 8);
    loop {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.message_id.as_deref(), Some("fourth"));
        let again = delivery.redelivered;
        delivery.settle.ack().await;
        if again {
            break;
        }
    }
    wait_for_counts(&scene.sound, &scene.queue, 0, 1).await;
    scene.end().await;
}
