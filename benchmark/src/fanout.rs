//! One publisher and many subscribers: what a delivery costs.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::Value;
use tokio::{sync::Notify, task::spawn_local, time::timeout};

use crate::{
    Result,
    bare::TRIGGER,
    carrier::Transport,
    process::check_file_limit,
    say,
    session::{Heart, Session, check},
    target::{Server, ServerArguments},
    websocket::{Scratch, WebSocket},
};

/// Publishes to many WebSocket subscribers of one channel, checks that each gets every message once
/// and in order, and tells what a delivery costs the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    #[command(flatten)]
    plan: Plan,

    /// The server is `benchmark bare`: nobody shakes hands, and its frames are only counted.
    #[arg(long, conflicts_with_all = ["start"])]
    bare: bool,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many subscribers there are.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) subscribers: usize,

    /// How many messages are published and measured, after a few to warm up.
    #[arg(long, value_name = "M", default_value_t = 500)]
    pub(crate) messages: u64,

    /// How many bytes the payload has.
    #[arg(long, default_value_t = 100)]
    pub(crate) size: usize,

    /// How many messages are under way at once: one waits for all to have the one before.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) in_flight: u64,

    /// Lets the generator sleep when nothing has arrived. The server then also pays for waking it,
    /// the more so the slower it is; subscribers on other machines cost it nothing of the kind.
    #[arg(long)]
    pub(crate) sleep: bool,
}

/// Whom the load is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bayeux,
    Bare,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) deliveries: u64,
    pub(crate) wall: Duration,
    /// The server's processor time.
    pub(crate) cpu: Option<Duration>,
}

pub(crate) const CHANNEL: &str = "/load/fanout";

/// Messages that are not measured.
const WARM_UP: u64 = 20;

/// The subscribers give up on a message after this.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let server = arguments.server.server()?;
    let kind = if arguments.bare { Kind::Bare } else { Kind::Bayeux };
    let outcome = measure(&server, kind, &arguments.plan).await?;
    let Outcome { deliveries, wall, cpu } = outcome;
    let in_order = if arguments.bare { "" } else { ", each once and in order" };
    say::result(format!("{deliveries} deliveries{in_order}"));
    let per_second = deliveries as f64 / wall.as_secs_f64();
    say::result(format!("wall time {:.3} s, {per_second:.0} deliveries/s", wall.as_secs_f64()));
    match cpu {
        Some(cpu) => say::result(format!(
            "server processor time {:.3} s, {:.3} µs per delivery",
            cpu.as_secs_f64(),
            outcome.micros_per_delivery().unwrap_or_default()
        )),
        None => say::result("server processor time unknown: give --pid or --start"),
    }
    Ok(())
}

impl Outcome {
    pub(crate) fn micros_per_delivery(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.deliveries as f64)
    }
}

/// Runs the plan once.
pub(crate) async fn measure(server: &Server, kind: Kind, plan: &Plan) -> Result<Outcome> {
    check_file_limit(plan.subscribers + 1)?;
    data(0, plan.size)?;
    let crowd = Crowd::gather(server, kind, plan).await?;
    let mut publisher = Publisher::open(server, kind, plan, &crowd).await?;
    for number in 0..WARM_UP {
        publisher.publish(number).await?;
    }
    let mut progress = say::Progress::new("messages published", plan.messages);
    let before = server.process.map(|process| process.cpu()).transpose()?;
    let start = Instant::now();
    let publishing = async {
        for number in 0..plan.messages {
            publisher.publish(WARM_UP + number).await?;
            progress.at(number + 1);
        }
        crowd.wait_for(WARM_UP + plan.messages).await
    };
    tokio::select! {
        published = publishing => published?,
        () = stay_awake(), if !plan.sleep => {}
    }
    let wall = start.elapsed();
    let after = server.process.map(|process| process.cpu()).transpose()?;
    // Time for what should not come.
    tokio::time::sleep(Duration::from_millis(100)).await;
    crowd.check_all(WARM_UP + plan.messages)?;
    let cpu = after.zip(before).map(|(after, before)| after - before);
    let deliveries = plan.messages * plan.subscribers as u64;
    Ok(Outcome { deliveries, wall, cpu })
}

/// Keeps this thread from sleeping in the kernel.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// The subscribers, seen from the publisher.
#[derive(Clone)]
struct Crowd(Rc<Seen>);

struct Seen {
    subscribers: u64,
    received: Cell<u64>,
    /// How many the publisher waits for.
    awaited: Cell<u64>,
    arrived: Notify,
    failure: RefCell<Option<String>>,
}

impl Crowd {
    async fn gather(server: &Server, kind: Kind, plan: &Plan) -> Result<Self> {
        let crowd = Self(Rc::new(Seen {
            subscribers: plan.subscribers as u64,
            received: Cell::new(0),
            awaited: Cell::new(u64::MAX),
            arrived: Notify::new(),
            failure: RefCell::default(),
        }));
        let scratch = Scratch::default();
        let mut progress = say::Progress::new("subscribers", plan.subscribers as u64);
        for number in 0..plan.subscribers {
            let subscriber = Subscriber::open(server, kind, number, &scratch).await?;
            let crowd = crowd.clone();
            spawn_local(async move {
                let Err(error) = subscriber.listen(&crowd).await;
                crowd.0.failure.replace(Some(error.to_string()));
                crowd.0.arrived.notify_one();
            });
            progress.at(number as u64 + 1);
        }
        Ok(crowd)
    }

    fn add(&self, count: u64) {
        let received = self.0.received.get() + count;
        self.0.received.set(received);
        if received >= self.0.awaited.get() {
            self.0.awaited.set(u64::MAX);
            self.0.arrived.notify_one();
        }
    }

    /// Waits until all have so many messages.
    async fn wait_for(&self, messages: u64) -> Result<()> {
        let awaited = messages * self.0.subscribers;
        while self.0.received.get() < awaited {
            self.0.awaited.set(awaited);
            let arrived = timeout(PATIENCE, self.0.arrived.notified()).await;
            self.check()?;
            if arrived.is_err() {
                let missing = awaited - self.0.received.get();
                return Err(format!("{missing} deliveries did not arrive in time").into());
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        match &*self.0.failure.borrow() {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(()),
        }
    }

    /// Fails unless all have exactly so many messages.
    fn check_all(&self, messages: u64) -> Result<()> {
        self.check()?;
        let (received, expected) = (self.0.received.get(), messages * self.0.subscribers);
        match received == expected {
            true => Ok(()),
            false => Err(format!("{received} deliveries arrived, not {expected}").into()),
        }
    }
}

struct Subscriber {
    socket: WebSocket,
    /// None with a bare server.
    heart: Option<Heart>,
}

impl Subscriber {
    async fn open(server: &Server, kind: Kind, number: usize, scratch: &Scratch) -> Result<Self> {
        let target = &server.target;
        if kind == Kind::Bare {
            let socket = WebSocket::open(target, "/", number, scratch).await?;
            return Ok(Self { socket, heart: None });
        }
        let mut session = Session::start(Transport::WebSocket, target, number, scratch).await?;
        session.subscribe(CHANNEL).await?;
        let (mut socket, mut heart) = session.into_websocket()?;
        socket.send(&heart.next_connect()).await?;
        Ok(Self { socket, heart: Some(heart) })
    }

    /// Counts what comes, in order, until something is wrong.
    async fn listen(mut self, crowd: &Crowd) -> Result<std::convert::Infallible> {
        let mut expected = 0;
        loop {
            let (before, is_bare) = (expected, self.heart.is_none());
            let mut others = Vec::new();
            let take = |text: &[u8]| {
                let first = expected;
                for number in numbers(text) {
                    if number != expected && !is_bare {
                        return Err(format!("message {number} came, not {expected}").into());
                    }
                    expected += 1;
                }
                if expected == first {
                    others.push(text.to_vec());
                }
                Ok(())
            };
            self.socket.receive(take).await?;
            crowd.add(expected - before);
            for text in others {
                self.reply(&text).await?;
            }
        }
    }

    async fn reply(&mut self, text: &[u8]) -> Result<()> {
        let Some(heart) = &mut self.heart else { return Ok(()) };
        beat(&mut self.socket, heart, text).await.map(drop)
    }
}

/// Takes replies, connects again when one is a connect's, and returns how many others there were.
async fn beat(socket: &mut WebSocket, heart: &mut Heart, text: &[u8]) -> Result<u64> {
    let replies: Vec<Value> = serde_json::from_slice(text)?;
    let mut others = 0;
    for reply in &replies {
        check(reply)?;
        if reply["channel"] == "/meta/connect" {
            heart.take_advice(reply)?;
            socket.send(&heart.next_connect()).await?;
        } else {
            others += 1;
        }
    }
    Ok(others)
}

struct Publisher<'a> {
    socket: WebSocket,
    heart: Option<Heart>,
    plan: &'a Plan,
    crowd: &'a Crowd,
}

impl<'a> Publisher<'a> {
    async fn open(server: &Server, kind: Kind, plan: &'a Plan, crowd: &'a Crowd) -> Result<Self> {
        let (target, scratch, number) = (&server.target, Scratch::default(), plan.subscribers);
        if kind == Kind::Bare {
            let socket = WebSocket::open(target, TRIGGER, number, &scratch).await?;
            return Ok(Self { socket, heart: None, plan, crowd });
        }
        let session = Session::start(Transport::WebSocket, target, number, &scratch).await?;
        let (mut socket, mut heart) = session.into_websocket()?;
        socket.send(&heart.next_connect()).await?;
        Ok(Self { socket, heart: Some(heart), plan, crowd })
    }

    /// Publishes the message of this number, and waits until no more are under way than planned.
    async fn publish(&mut self, number: u64) -> Result<()> {
        let data = data(number, self.plan.size)?;
        match &mut self.heart {
            None => self.socket.send(&delivered(CHANNEL, &data)).await?,
            Some(heart) => {
                self.socket.send(&heart.next_publish(CHANNEL, &data)).await?;
                self.wait_for_reply().await?;
            }
        }
        self.crowd.wait_for((number + 1).saturating_sub(self.plan.in_flight - 1)).await
    }

    async fn wait_for_reply(&mut self) -> Result<()> {
        let Some(heart) = &mut self.heart else { return Ok(()) };
        loop {
            let mut texts = Vec::new();
            let take = |text: &[u8]| {
                texts.push(text.to_vec());
                Ok(())
            };
            self.socket.receive(take).await?;
            let mut replies = 0;
            for text in texts {
                replies += beat(&mut self.socket, heart, &text).await?;
            }
            if replies > 0 {
                return Ok(());
            }
        }
    }
}

/// How many digits a message's number has, at the beginning of its payload.
const DIGITS: usize = 10;

/// Makes a payload: a JSON string of so many bytes that begins with the message's number.
pub(crate) fn data(number: u64, size: usize) -> Result<String> {
    let fill = size.checked_sub(DIGITS).ok_or("a payload has at least 10 bytes")?;
    Ok(format!("\"{number:0DIGITS$}{}\"", "x".repeat(fill)))
}

/// Makes a message as it reaches subscribers.
pub(crate) fn delivered(channel: &str, data: &str) -> String {
    format!(r#"[{{"channel":"{channel}","data":{data}}}]"#)
}

/// Finds the numbers in the payloads of delivered messages.
fn numbers(mut text: &[u8]) -> impl Iterator<Item = u64> {
    const START: &[u8] = b"\"data\":\"";
    std::iter::from_fn(move || {
        let at = text.windows(START.len()).position(|part| part == START)? + START.len();
        let digits = text.get(at..at + DIGITS)?;
        text = &text[at + DIGITS..];
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let message = delivered("/a", &data(7, 100).unwrap());
        assert_eq!(message.len(), r#"[{"channel":"/a","data":""}]"#.len() + 100);
        let two = format!("{message}{}", delivered("/a", &data(8, 10).unwrap()));
        assert_eq!(numbers(two.as_bytes()).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(numbers(br#"[{"successful":true}]"#).count(), 0);
    }
}
