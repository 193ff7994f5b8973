//! A message to a subscriber of another node, beside one to a subscriber of the same node.

use std::time::Duration;

use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::{Figures, micros_each},
        nodes::Served,
    },
    fanout::{
        self,
        crowd::{Crowd, watched},
        publishers::{Pace, Publishers, Style, Until},
    },
    load::{Load, Transport},
};

/// Publishes at one of two nodes, to a subscriber of the same and to one of the other by turns, and tells what
/// that costs both nodes together.
///
/// What the way to the other node adds is compared with all of what a message costs that a client publishes and
/// another gets: it is received, published and sent once more.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many messages are under way at once.
    #[arg(long, value_name = "W", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,

    /// How many messages are published in each round, to each.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,

    /// How many rounds there are, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 9)]
    pub(super) rounds: usize,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Has what the nodes send each other not acknowledged, so that a break of their link loses what is under way.
    #[arg(long)]
    without_acks: bool,

    /// Lets the generator sleep when nothing has arrived: for machines that have no core for it alone.
    #[arg(long)]
    sleep: bool,
}

const NEAR: &str = "/load/near";
pub(super) const FAR: &str = "/load/far";

/// A publisher and its subscriber.
pub(super) struct Way {
    crowd: Crowd,
    publishers: Publishers,
}

impl Way {
    async fn open(from: &Load, to: &Load, channel: &str, arguments: &Arguments) -> Result<Self> {
        let crowd = Crowd::new(1, 1)?;
        let transport = Transport::WebSocket;
        fanout::gather_on(to, channel, transport, 0..1, 1, &crowd).await?;
        let (size, sleeps, channel) = (arguments.size, arguments.sleep, channel.to_owned());
        let style = Style { publishers: 1, transport, size, channel, sleeps };
        let publishers = Publishers::open(from, style, 1, &crowd).await?;
        Ok(Self { crowd, publishers })
    }

    /// Returns what a message costs both nodes, in microseconds.
    pub(super) async fn measure(&mut self, pair: &Pair, arguments: &Arguments) -> Result<f64> {
        let Self { crowd, publishers } = self;
        let before = pair.cpu()?;
        let publishing = async {
            let until = Until::Messages(arguments.messages);
            publishers.publish(Pace::InFlight(arguments.in_flight), until, None).await?;
            publishers.wait_for_all().await
        };
        watched(crowd, None, arguments.sleep, publishing).await?;
        Ok(micros_each(pair.cpu()?.saturating_sub(before), arguments.messages))
    }
}

/// Two nodes that have joined, the second of which observes [`FAR`].
pub(super) struct Pair {
    here: Served,
    there: Served,
}

impl Pair {
    /// Starts both, with these arguments of a node's.
    pub(super) async fn start(arguments: &Arguments, both: &[&str]) -> Result<Self> {
        let acks: &[&str] = if arguments.without_acks { &["--without-acks"] } else { &[] };
        let node = [&["cloud", "node"], acks, both].concat();
        let mut here = Served::start(&node).await?;
        let joins = ["--observe", FAR, "--join", here.url.as_str()];
        let there = Served::start(&[&node[..], &joins].concat()).await?;
        here.until_joined(1).await?;
        Ok(Self { here, there })
    }

    /// Opens a way from a client of the first to one of the same.
    pub(super) async fn near(&self, arguments: &Arguments) -> Result<Way> {
        Way::open(&self.here.load()?, &self.here.load()?, NEAR, arguments).await
    }

    /// Opens a way from a client of the first to one of the second.
    pub(super) async fn far(&self, channel: &str, arguments: &Arguments) -> Result<Way> {
        Way::open(&self.here.load()?, &self.there.load()?, channel, arguments).await
    }

    /// Returns the processor time that both have had.
    fn cpu(&self) -> Result<Duration> {
        Ok(self.here.cpu()? + self.there.cpu()?)
    }

    pub(super) async fn end(self) -> Result<()> {
        self.here.end().await?;
        self.there.end().await
    }
}

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let pair = Pair::start(&arguments, &[]).await?;
    let mut near = pair.near(&arguments).await?;
    let mut far = pair.far(FAR, &arguments).await?;
    let (mut locals, mut forwards, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        let local = near.measure(&pair, &arguments).await?;
        let all = far.measure(&pair, &arguments).await?;
        if round > 0 {
            locals.push(local);
            forwards.push(all - local);
            ratios.push((all - local) / local);
        }
    }
    pair.end().await?;
    let mut figures = Figures::new("forward");
    figures.add_rounds("local_micros", "a message to a subscriber here", locals, "µs");
    figures.add_rounds("forward_micros", "more for one of the other node", forwards, "µs");
    figures.add_rounds("ratio", "that, by a message to a subscriber here", ratios, "");
    figures.print(json)
}
