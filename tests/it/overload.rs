//! Stopping under full load, and more load than there is strength: nothing is lost, what is too much is shed with a clear
//! answer, memory stays bounded, and afterwards everything is as before. Times are printed and not judged.

use crate::broker;
use crate::stand::{Stand, debits, payouts, until};
use axum::body::Body;
use axum::http::{Request, Response};
use codecs::payment::Operation;
use hangu::exchange::Phase;
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{SharedJournal, State};
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password};
use hangu::telemetry::{Watched, admin};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use simulators::load::{Finished, Load, drive};
use simulators::mix::Planned;
use simulators::play::Played;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_full_load_loses_nothing() {
    let stand = Stand::set(journal()).await;
    let one = stand.start("one", |_| {}).await;
    stand.open_the_day(&[&one]).await;
    stand.slow_down(Operation::Debit, 200);
    let (desk, bank) = (stand.centre.desk(), stand.bank(one.address, |_| {}));
    let full = Load {
        rate_per_s: 0,
        concurrency_max: 400,
    };
    let debits = tokio::spawn(drive(
        debits(1).take(600).collect(),
        full,
        move |planned: Planned| {
            let desk = desk.clone();
            async move { desk.play(&planned).await }
        },
        |_| {},
    ));
    let payouts = tokio::spawn(drive(
        payouts(0).take(100).collect(),
        full,
        move |planned: Planned| {
            let bank = bank.clone();
            async move { bank.play(&planned).await }
        },
        |_| {},
    ));
    until("much is in hand", async || one.running.gateway().counters().in_flight() >= 50).await;
    let (address, started) = (one.address, Instant::now());
    let in_flight = one.running.gateway().counters().in_flight();
    assert!(
        one.running.stop(GRACE).await,
        "everything in hand was finished within the grace period"
    );
    println!("stop under load: {in_flight} in flight, {} ms", started.elapsed().as_millis());
    let delivered = |exchanges: Vec<hangu::journal::Exchange>| {
        exchanges
            .into_iter()
            .filter(|exchange| exchange.state == State::Delivered)
            .count()
    };
    let before = delivered(stand.exchanges().await);
    assert!(before < 700, "the load was not over: {before} delivered");
    let next = stand
        .start("two", |config| {
            config.link.get_mut("platform").unwrap().http.as_mut().unwrap().listen = address.to_string();
        })
        .await;
    expect_all(&debits.await.unwrap());
    expect_all(&payouts.await.unwrap());
    stand.settle_down().await;
    assert_eq!(stand.compare().await, 700);
    assert!(next.running.stop(GRACE).await);
}

/// While it stops, an instance is alive and not ready; whoever still asks is sent away with a clear answer, and without a
/// connection on which to ask again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_during_a_stop_is_sent_away() {
    let stand = Stand::set(journal()).await;
    let one = stand.start("one", |_| {}).await;
    stand.open_the_day(&[&one]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, port) = (one.address, listener.local_addr().unwrap());
    let gateway = one.running.gateway().clone();
    let watched = Watched {
        gateway: gateway.clone(),
        mqs: Vec::new(),
        doors: Vec::new(),
    };
    let server = tokio::spawn(async move { axum::serve(listener, admin(watched)).await });
    assert_eq!(get(port, "/ready").await.status(), 200);
    let kept = get(address, "/v1/anything").await;
    assert_ne!(kept.status(), 503);
    assert!(kept.headers().get("connection").is_none());

    // A debit that the platform does not answer for three seconds keeps the instance from ending at once.
    let planned = debits(1).next().unwrap();
    stand.hang_on(planned.amount.fen());
    let desk = stand.centre.desk();
    let playing = tokio::spawn(async move { desk.play(&planned).await });
    until("the debit is sent", async || {
        let found = stand.exchanges().await;
        found.iter().any(|exchange| exchange.state == State::Sent)
    })
    .await;
    let stopping = tokio::spawn(one.running.stop(GRACE));
    until("it is stopping", async || gateway.phase() == Phase::Stopping).await;
    assert_eq!(get(port, "/live").await.status(), 200);
    let ready = get(port, "/ready").await;
    assert_eq!(ready.status(), 503);
    let page = ready.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&page[..], b"stopping\n");
    let sent_away = get(address, "/v1/anything").await;
    assert_eq!(sent_away.status(), 503);
    assert_eq!(sent_away.headers()["retry-after"], "1");
    assert_eq!(sent_away.headers()["connection"], "close");
    assert!(stopping.await.unwrap(), "what was in hand was finished");
    let two = stand.start("two", |_| {}).await;
    let played = playing.await.unwrap();
    assert!(played.as_expected, "{played:?}");
    assert!(two.running.stop(GRACE).await);
    server.abort();
}

/// A gateway process under three times the rate that it can sustain, by HTTP and by queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_shed_and_then_all_is_as_before() {
    let server = broker::Broker::start();
    let address = server.address();
    let connect = move || {
        let config = AmqpConfig {
            addresses: vec![address.clone()],
            password: Password::new("guest".to_owned()),
            ..AmqpConfig::default()
        };
        Arc::new(AmqpMq::open(config).unwrap()) as _
    };
    let mut stand = Stand::set_over(Box::new(connect), journal()).await;
    let gateway = Gateway::start(&stand, &server.address()).await;
    stand.journal = Arc::new(SqliteJournal::open_read_only(&stand.folder.path().join("journal.db")).unwrap());
    stand.centre.desk().announce("ST01").await.unwrap();
    let count = crowd_by_http(&stand, &gateway).await + crowd_by_queue(&stand).await;
    let rss_kib = gateway.rss_kib_max();
    println!("RSS {} MiB at the most", rss_kib / 1024);
    assert!(rss_kib < RSS_MIB_MAX * 1024, "{rss_kib} KiB");
    stand.settle_down().await;
    assert_eq!(stand.compare().await, count);
    gateway.terminate();
}

/// Measures what can be sustained, asks for three times that, and looks how it is afterwards; gives the number of payments.
async fn crowd_by_http(stand: &Stand, gateway: &Gateway) -> usize {
    let bank = stand.bank(gateway.listen, |config| config.pause_ms = 1_000);
    let mut all = payouts(0);
    let mut ask = |count: usize, load: Load| {
        let (bank, planned) = (bank.clone(), all.by_ref().take(count).collect());
        let work = move |planned: Planned| {
            let bank = bank.clone();
            async move { bank.play(&planned).await }
        };
        drive(planned, load, work, |_| {})
    };
    let few = Load {
        rate_per_s: 0,
        concurrency_max: 16,
    };
    expect_all(&ask(40, few).await);
    let started = Instant::now();
    expect_all(&ask(200, few).await);
    let sustained = 200_000 / u32::try_from(started.elapsed().as_millis()).unwrap().max(1);
    let calm = ask(100, at(sustained / 2)).await;
    let (shed_before, count) = (
        gateway.count("hangu_shed_total").await,
        usize::try_from(sustained).unwrap() * 5,
    );
    let crowd = ask(count, at(sustained * 3)).await;
    let shed = gateway.count("hangu_shed_total").await - shed_before;
    let after = ask(100, at(sustained / 2)).await;
    for part in [&calm, &crowd, &after] {
        expect_all(part);
    }
    println!("overload by HTTP: {sustained}/s sustained, {count} at three times that, {shed} times 503");
    println!(
        "p99 calm {} ms, in the crowd {} ms, after it {} ms",
        p99(&calm),
        p99(&crowd),
        p99(&after)
    );
    assert!(shed > 0, "nobody was sent away");
    40 + 200 + 100 + count + 100
}

/// Puts far more into the queue than is taken at once; the broker keeps it.
async fn crowd_by_queue(stand: &Stand) -> usize {
    let desk = stand.centre.desk();
    let play = move |planned: Planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    let finished = drive(debits(1).take(600).collect(), at(100_000), play, |_| {}).await;
    expect_all(&finished);
    println!(
        "overload by queue: 600 at once, the last answered after {} ms",
        p99(&finished)
    );
    600
}

const fn at(rate_per_s: u32) -> Load {
    Load {
        rate_per_s: if rate_per_s == 0 { 1 } else { rate_per_s },
        concurrency_max: 10_000,
    }
}

/// A gateway as a process of its own, killed with the test.
struct Gateway {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    async fn start(stand: &Stand, broker: &str) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (listen, admin) = (free(), free());
        let config = stand
            .config()
            .replace("addresses = [\"memory\"]", &format!("addresses = [\"{broker}\"]"))
            .replace("127.0.0.1:0", &listen.to_string())
            .replace("keys.folder = \"keys\"", "keys.folder = \"gateway\"")
            .replace("answer_ms = 15000", "answer_ms = 15000\nin_flight_max = 32")
            .replace("answer_ms = 3000", "answer_ms = 3000\nin_flight_max = 32");
        let file = stand.folder.path().join("hangu.toml");
        std::fs::write(&file, format!("admin.listen = \"{admin}\"\n{config}")).unwrap();
        let log = std::fs::File::create(stand.folder.path().join("gateway.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.args(["run", "--log", "error", "-c"]).arg(&file);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let gateway = Self { child, listen, admin };
        until("the gateway is ready", async || {
            let ready = try_get(gateway.admin, "/ready").await;
            ready.is_some_and(|ready| ready.status() == 200)
        })
        .await;
        gateway
    }

    /// The most resident memory that it had so far.
    fn rss_kib_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    async fn count(&self, name: &str) -> u64 {
        let page = get(self.admin, "/metrics")
            .await
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        let page = String::from_utf8(page.to_vec()).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
        line.trim().parse().unwrap()
    }

    /// SIGTERM, and exit 0.
    fn terminate(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success(), "exit 0 after SIGTERM");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn expect_all(finished: &[Finished<Played>]) {
    let wrong: Vec<_> = finished.iter().filter(|one| !one.result.as_expected).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), finished.len());
}

fn p99(finished: &[Finished<Played>]) -> u128 {
    let mut all: Vec<_> = finished.iter().map(|one| one.latency.as_millis()).collect();
    all.sort_unstable();
    all[(all.len() * 99 / 100).min(all.len() - 1)]
}

async fn get(address: SocketAddr, path: &str) -> Response<hyper::body::Incoming> {
    try_get(address, path).await.unwrap()
}

async fn try_get(address: SocketAddr, path: &str) -> Option<Response<hyper::body::Incoming>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let request = Request::get(format!("http://{address}{path}")).body(Body::empty()).unwrap();
    client.request(request).await.ok()
}

fn journal() -> SharedJournal {
    Arc::new(SqliteJournal::memory().unwrap())
}

const GRACE: Duration = Duration::from_secs(20);
/// What a gateway may take in memory here; a debug build with room to spare.
const RSS_MIB_MAX: u64 = 256;
