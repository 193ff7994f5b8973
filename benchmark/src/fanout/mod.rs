//! One message for many: what a delivery costs, and how long it takes.

pub(crate) mod crowd;
pub(crate) mod publishers;

use std::{
    future::poll_fn,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;
use tokio::task::spawn_local;

use crate::{
    Result,
    application::SERVICE,
    fanout::{
        crowd::{Crowd, Phase, watched},
        publishers::{Pace, Publishers, Style, Until},
    },
    link::{Link, Part},
    load::{Load, LoadArguments, Transport},
    order::Order,
    payload,
    process::check_file_limit,
    report::{self, Deliveries},
    say,
};

/// Publishes to many subscribers of one channel, checks that each gets every message once and in
/// order, and tells what a delivery costs the server and how long it takes.
///
/// Over long-polling each subscriber has a connection and a cookie of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many subscribers there are.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    subscribers: u64,

    /// How many publishers take turns.
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    publishers: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// How many messages are under way at once: one is published when all subscribers have the one
    /// so many before it, whether or not the publications are answered. 1 by default.
    #[arg(long, value_name = "W", conflicts_with = "rate", value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: Option<u64>,

    /// How many messages are published in a second, however long they take; latencies are counted
    /// from when a message was to be sent.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,

    /// How many messages are published and measured: 500 by default, or 10 seconds of --rate.
    #[arg(long, value_name = "M", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,

    /// For how long messages are published, instead.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,

    /// How many messages are published before: 20 by default, or a second of --rate.
    #[arg(long, value_name = "M")]
    warm_up: Option<u64>,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Lets the generator sleep when nothing has arrived. The server then also pays for waking it,
    /// the more so the slower it is, and latencies at a --rate are up to 1 ms too long; without,
    /// the generator needs a core for itself.
    #[arg(long)]
    sleep: bool,

    /// Sends the messages to a service, which delivers each to every subscriber: to
    /// `serve --application deliver`.
    #[arg(long)]
    deliver: bool,
}

/// To which all is published.
pub(crate) const CHANNEL: &str = "/load/fanout";

/// Time for what should not come.
pub(crate) const SETTLE: Duration = Duration::from_millis(100);

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let load = arguments.load.load()?;
    let Arguments { subscribers, publishers, transport, size, sleep: sleeps, .. } = arguments;
    check_file_limit(usize::try_from(subscribers + 2 * publishers)?)?;
    payload::data(0, size)?;
    let (pace, until, warm_up) = arguments.plan();
    let crowd = Crowd::new(subscribers, 1)?;
    gather(&load, transport, 0..subscribers, publishers, &crowd).await?;
    let service = if arguments.deliver { SERVICE } else { "" };
    let channel = format!("{service}{CHANNEL}");
    let style = Style { publishers, transport, size, channel, sleeps };
    let mut publishers = Publishers::open(&load, style, subscribers, &crowd).await?;
    let measuring = async {
        publishers.publish(pace, Until::Messages(warm_up), None).await?;
        publishers.wait_for_all().await?;
        let (before, start) = (load.used()?, Instant::now());
        let messages = publishers.publish(pace, until, Some(Phase(0))).await?;
        publishers.wait_for_all().await?;
        let (wall, after) = (start.elapsed(), load.used()?);
        tokio::time::sleep(SETTLE).await;
        publishers.wait_for_replies(&load).await?;
        crowd.check()?;
        Ok((messages, wall, after.since(before)))
    };
    let (messages, wall, used) = watched(&crowd, arguments.expected(), sleeps, measuring).await?;
    let latency = crowd.latencies(Phase(0)).micros();
    let report = Deliveries::new("fanout", load.protocol, transport, arguments.parameters());
    let report = report.measured(messages * subscribers, wall, used, latency);
    report::print(arguments.load.json, &report)
}

impl Arguments {
    /// Returns the pace, when it is enough, and how many messages come before.
    fn plan(&self) -> (Pace, Until, u64) {
        let pace = match (self.rate, self.in_flight) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, in_flight) => Pace::InFlight(in_flight.unwrap_or(1)),
        };
        let until = match (self.messages, self.seconds, self.rate) {
            (Some(messages), ..) => Until::Messages(messages),
            (None, Some(seconds), Some(rate)) => Until::Messages(seconds * rate),
            (None, Some(seconds), None) => Until::Time(Duration::from_secs(seconds)),
            (None, None, Some(rate)) => Until::Messages(10 * rate),
            (None, None, None) => Until::Messages(500),
        };
        (pace, until, self.warm_up.or(self.rate).unwrap_or(20))
    }

    /// How many messages there will be, if that is known.
    fn expected(&self) -> Option<u64> {
        let (_, until, warm_up) = self.plan();
        match until {
            Until::Messages(messages) => Some(messages + warm_up),
            Until::Time(_) => None,
        }
    }

    fn parameters(&self) -> serde_json::Value {
        let (pace, until, warm_up) = self.plan();
        let (in_flight, rate) = match pace {
            Pace::InFlight(count) => (Some(count), None),
            Pace::Rate(rate) => (None, Some(rate)),
        };
        let (messages, seconds) = match until {
            Until::Messages(messages) => (Some(messages), None),
            Until::Time(time) => (None, Some(time.as_secs())),
        };
        json!({
            "subscribers": self.subscribers, "publishers": self.publishers, "in_flight": in_flight,
            "rate": rate, "messages": messages, "seconds": seconds, "warm_up": warm_up,
            "size": self.size, "sleep": self.sleep, "deliver": self.deliver,
        })
    }
}

/// Connects subscribers of these numbers, each of which has to get everything from now on.
pub(crate) async fn gather(
    load: &Load,
    transport: Transport,
    numbers: std::ops::Range<u64>,
    publishers: u64,
    crowd: &Crowd,
) -> Result<()> {
    gather_on(load, CHANNEL, transport, numbers, publishers, crowd).await
}

/// Does so with another channel.
pub(crate) async fn gather_on(
    load: &Load,
    channel: &str,
    transport: Transport,
    numbers: std::ops::Range<u64>,
    publishers: u64,
    crowd: &Crowd,
) -> Result<()> {
    let mut progress = say::Progress::new("subscribers", numbers.end);
    for number in numbers {
        let (part, index) = (Part::Subscribe(channel), usize::try_from(number)?);
        let link = Link::open(load, transport, part, index).await?;
        let crowd = crowd.clone();
        spawn_local(async move {
            let Err(failure) = listen(link, Order::new(publishers), &crowd).await;
            crowd.fail(format!("subscriber {number}: {failure}"));
        });
        progress.at(number + 1);
    }
    crowd.check()
}

/// Takes what comes, in order, until something is wrong.
async fn listen(
    mut link: Link,
    mut order: Order,
    crowd: &Crowd,
) -> Result<std::convert::Infallible> {
    loop {
        poll_fn(|context| {
            let mut now = None;
            let take = &mut |number| {
                order.take(number)?;
                crowd.arrived(number, *now.get_or_insert_with(Instant::now))
            };
            link.poll_receive(context, take)
        })
        .await?;
    }
}
