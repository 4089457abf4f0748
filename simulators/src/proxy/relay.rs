//! One connection: messages from both sides, each passed on as the judge says.

use super::amqp::{Fate, Ledger, Number, body};
use super::content::Fields;
use super::frame::{Frame, Framing, Rest};
use super::judge::Verdict;
use super::rules::{Direction, Mishap};
use super::waiting::{Overtaken, Waiting};
use super::{Shared, Stream, held};
use codecs::wire::Wire;
use keys::sm3::sm3;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Carries a connection until one side, a mishap or a death ends it.
pub(super) async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let death = shared.death();
    let carried = async {
        let client = shared.route.inbound.shake(client).await?;
        let server = connect(&shared).await?;
        let (mut client_in, client_out) = tokio::io::split(client);
        let (mut server_in, server_out) = tokio::io::split(server);
        let common = Common::default();
        let mut outbound = Side::new(Direction::Request, server_out, &shared, &common);
        let mut inbound = Side::new(Direction::Reply, client_out, &shared, &common);
        tokio::select! {
            ended = outbound.pump(&mut client_in) => ended,
            ended = inbound.pump(&mut server_in) => ended,
        }
    };
    let ended = tokio::select! {
        ended = carried => ended,
        () = death => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn connect(shared: &Shared) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(&shared.route.target).await?;
    shared.route.outbound.shake(stream).await
}

/// What both sides of a connection know.
#[derive(Default)]
struct Common {
    ledger: Mutex<Ledger>,
    /// The last request over HTTP, which may name its answer.
    asked: Mutex<Option<Wire>>,
}

/// One side of a connection, and where its messages go.
struct Side<'a, W> {
    direction: Direction,
    target: W,
    shared: &'a Arc<Shared>,
    common: &'a Common,
    waiting: Waiting,
}

impl<'a, W: AsyncWrite + Unpin> Side<'a, W> {
    fn new(direction: Direction, target: W, shared: &'a Arc<Shared>, common: &'a Common) -> Self {
        Self {
            direction,
            target,
            shared,
            common,
            waiting: Waiting::default(),
        }
    }

    /// Passes the messages of one side on, until it ends or a mishap cuts the connection.
    async fn pump(&mut self, source: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        let (framing, mut rest) = (self.shared.route.framing, Rest::default());
        let mut passed = self.shared.passed(self.direction).subscribe();
        loop {
            // What is due goes first, so that no more go before it than were to.
            let frame = tokio::select! {
                biased;
                () = self.waiting.due(&mut passed) => {
                    self.release(false).await?;
                    continue;
                }
                frame = framing.read(source, &mut rest) => frame?,
            };
            let Some(frame) = frame else { break };
            if !self.carry(frame).await? {
                return Ok(());
            }
        }
        self.release(true).await?;
        if self.direction == Direction::Request {
            // A client that has said all may still wait for its answer.
            self.target.shutdown().await?;
            return pending().await;
        }
        Ok(())
    }

    /// Whether the connection lives on.
    async fn carry(&mut self, frame: Frame) -> io::Result<bool> {
        if !frame.is_message {
            let word = held(&self.common.ledger).word(self.direction, frame.bytes);
            self.send(&word).await?;
            return Ok(true);
        }
        let number = self.number(&frame);
        if let Some(number) = number
            && let Some(fate) = self.shared.in_storm(&sm3(&[&body(&frame.bytes)]))
        {
            held(&self.common.ledger).decide(number, fate);
            self.pass_on(&frame.bytes).await?;
            return Ok(true);
        }
        let fields = self.read(&frame);
        let verdict = self.shared.judge().over(self.direction, &frame.bytes, fields.as_ref());
        match verdict {
            Some(verdict) => self.spoil(frame, verdict, fields, number).await,
            None => self.pass_on(&frame.bytes).await.map(|()| true),
        }
    }

    /// Whether the connection lives on.
    async fn spoil(
        &mut self,
        mut frame: Frame,
        mut verdict: Verdict,
        fields: Option<Fields>,
        number: Option<Number>,
    ) -> io::Result<bool> {
        let (wait, count) = (Duration::from_millis(verdict.rule.ms), verdict.rule.count());
        match verdict.rule.fault {
            Mishap::Drop => return Ok(false),
            Mishap::Never => return self.never(&frame, number).await.map(|()| true),
            Mishap::Reorder => {
                self.hold(frame.bytes, count, wait, number);
                return Ok(true);
            }
            Mishap::Join => {
                self.waiting.join(&frame.bytes, wait);
                return Ok(true);
            }
            Mishap::Truncate | Mishap::Stall => return self.break_off(&frame.bytes, &verdict).await,
            Mishap::Drip => {
                for piece in frame.bytes.chunks(verdict.rule.bytes.unwrap_or(DRIP_BYTES)) {
                    self.send(piece).await?;
                    tokio::time::sleep(wait).await;
                }
                self.shared.one_more(self.direction);
                return Ok(true);
            }
            Mishap::Delay => tokio::time::sleep(wait).await,
            Mishap::CorruptByte => verdict.corrupt(frame.bytes.get_mut(frame.content.clone()).unwrap_or_default()),
            Mishap::CorruptField => {
                let content = frame.bytes.get_mut(frame.content.clone()).unwrap_or_default();
                if let (Some(fields), Some(field)) = (fields, verdict.rule.field()) {
                    fields.corrupt(field, content);
                }
            }
            Mishap::WrongLength => {
                let by = verdict.rule.bytes.unwrap_or(LIE_BYTES);
                self.shared.route.framing.misstate(&mut frame.bytes, by, verdict.rule.fewer);
            }
            Mishap::NackStorm => self.storm(&frame, count, number),
            Mishap::Repeat | Mishap::Die => {}
        }
        self.pass_on(&frame.bytes).await?;
        if verdict.rule.fault == Mishap::Repeat {
            self.repeat(&frame.bytes, count).await?;
        }
        if verdict.rule.fault == Mishap::Die {
            self.shared.die(wait);
        }
        Ok(verdict.rule.fault != Mishap::Die)
    }

    /// Swallowed. A publication is not, for the confirms of all behind it would be about the wrong ones: its confirm is.
    async fn never(&mut self, frame: &Frame, number: Option<Number>) -> io::Result<()> {
        let Some(number) = number else { return Ok(()) };
        held(&self.common.ledger).decide(number, Fate::Silent);
        match self.direction {
            Direction::Request => self.pass_on(&frame.bytes).await,
            Direction::Reply => Ok(()),
        }
    }

    fn hold(&mut self, bytes: Vec<u8>, count: u64, wait: Duration, number: Option<Number>) {
        if let Some(number) = number {
            held(&self.common.ledger).decide(number, Fate::Silent);
        }
        let passed = *self.shared.passed(self.direction).borrow();
        self.waiting.hold(Overtaken {
            bytes,
            passed: passed + count,
            until: Instant::now() + wait,
            number,
        });
    }

    /// Sends what is due; at the end all that is left.
    async fn release(&mut self, is_end: bool) -> io::Result<()> {
        if let Some(alone) = self.waiting.alone(is_end) {
            self.send(&alone).await?;
        }
        loop {
            let passed = *self.shared.passed(self.direction).borrow();
            let Some(one) = self.waiting.overtaken(passed, is_end) else {
                return Ok(());
            };
            if let Some(number) = one.number {
                held(&self.common.ledger).decide(number, Fate::Plain);
            }
            self.pass_on(&one.bytes).await?;
        }
    }

    async fn break_off(&mut self, bytes: &[u8], verdict: &Verdict) -> io::Result<bool> {
        let beginning = bytes.get(..verdict.beginning(bytes.len())).unwrap_or_default();
        self.send(beginning).await?;
        if verdict.rule.fault == Mishap::Stall {
            return pending().await;
        }
        self.target.shutdown().await?;
        Ok(false)
    }

    /// The next deliveries or publications of the same content are put back or refused, too.
    fn storm(&self, frame: &Frame, count: u64, number: Option<Number>) {
        if let Some(number) = number {
            held(&self.common.ledger).decide(number, Fate::Back);
            let digest = sm3(&[&body(&frame.bytes)]);
            held(&self.shared.storms).insert(digest, count.saturating_sub(1));
        }
    }

    /// A frame goes over the same connection; an HTTP request over one of its own, since its answer would be taken for the next.
    async fn repeat(&mut self, bytes: &[u8], count: u64) -> io::Result<()> {
        for _ in 0..count {
            if self.shared.route.framing == Framing::Http {
                let mut second = connect(self.shared).await?;
                second.write_all(bytes).await?;
                second.flush().await?;
                drop(self.shared.route.framing.read(&mut second, &mut Rest::default()).await?);
            } else {
                self.send(bytes).await?;
            }
        }
        Ok(())
    }

    fn number(&self, frame: &Frame) -> Option<Number> {
        let is_numbered = self.shared.route.framing == Framing::Amqp;
        is_numbered
            .then(|| held(&self.common.ledger).number(self.direction, &frame.bytes))
            .flatten()
    }

    /// The fields that stand in the clear, where a spec says how to read them.
    fn read(&self, frame: &Frame) -> Option<Fields> {
        let reading = self.shared.route.reading.as_ref()?;
        let asked = held(&self.common.asked)
            .clone()
            .filter(|_| self.direction == Direction::Reply);
        let (wire, fields) = reading.of_frame(self.shared.route.framing, frame, asked.as_ref());
        if self.direction == Direction::Request {
            *held(&self.common.asked) = Some(wire);
        }
        fields
    }

    /// A whole message: others may have waited for it.
    async fn pass_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        let bytes = self.waiting.with(bytes);
        self.send(&bytes).await?;
        self.shared.one_more(self.direction);
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.target.write_all(bytes).await?;
        self.target.flush().await
    }
}

const DRIP_BYTES: usize = 16;
/// By how much a length lies when nobody says.
const LIE_BYTES: usize = 4;
