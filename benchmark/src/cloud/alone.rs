//! The fan-out of a node that has no other, beside that of a server which is no node.

use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::{Figures, micros_each},
        nodes::Served,
    },
    fanout::{
        self, CHANNEL,
        crowd::{Crowd, watched},
        publishers::{Pace, Publishers, Style, Until},
    },
    load::Transport,
    process::check_file_limit,
};

/// Publishes to subscribers of a server and of a node without others by turns, and tells what that costs each.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many subscribers each has.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    subscribers: u64,

    /// How many messages are under way at once.
    #[arg(long, value_name = "W", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,

    /// How many messages are published in each round, to each.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,

    /// How many rounds there are, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 15)]
    rounds: usize,

    /// Lets the generator sleep when nothing has arrived: for machines that have no core for it alone.
    #[arg(long)]
    sleep: bool,
}

struct Side {
    served: Served,
    crowd: Crowd,
    publishers: Publishers,
}

impl Side {
    async fn open(served: Served, arguments: &Arguments) -> Result<Self> {
        let load = served.load()?;
        let (transport, subscribers) = (Transport::WebSocket, arguments.subscribers);
        let crowd = Crowd::new(subscribers, 1)?;
        fanout::gather_on(&load, CHANNEL, transport, 0..subscribers, 1, &crowd).await?;
        let (channel, sleeps) = (CHANNEL.to_owned(), arguments.sleep);
        let style = Style { publishers: 1, transport, size: 100, channel, sleeps };
        let publishers = Publishers::open(&load, style, subscribers, &crowd).await?;
        Ok(Self { served, crowd, publishers })
    }

    /// Returns what a delivery costs, in microseconds.
    async fn measure(&mut self, arguments: &Arguments) -> Result<f64> {
        let Self { served, crowd, publishers } = self;
        let before = served.cpu()?;
        let publishing = async {
            let until = Until::Messages(arguments.messages);
            publishers.publish(Pace::InFlight(arguments.in_flight), until, None).await?;
            publishers.wait_for_all().await
        };
        watched(crowd, None, arguments.sleep, publishing).await?;
        let used = served.cpu()?.saturating_sub(before);
        Ok(micros_each(used, arguments.messages * arguments.subscribers))
    }
}

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    check_file_limit(usize::try_from(2 * arguments.subscribers + 2)?)?;
    let mut server = Side::open(Served::start(&["serve"]).await?, &arguments).await?;
    let mut node = Side::open(Served::start(&["cloud", "node"]).await?, &arguments).await?;
    let (mut servers, mut nodes, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        // Who comes second has the caches of the first, or its noise: they take turns.
        let (of_server, of_node) = if round % 2 == 0 {
            let of_server = server.measure(&arguments).await?;
            (of_server, node.measure(&arguments).await?)
        } else {
            let of_node = node.measure(&arguments).await?;
            (server.measure(&arguments).await?, of_node)
        };
        if round > 0 {
            servers.push(of_server);
            nodes.push(of_node);
            ratios.push(of_node / of_server);
        }
    }
    server.served.end().await?;
    node.served.end().await?;
    let mut figures = Figures::new("alone");
    figures.add_rounds("server_micros", "a delivery of a server that is no node", servers, "µs");
    figures.add_rounds("node_micros", "a delivery of a node without others", nodes, "µs");
    figures.add_rounds("ratio", "node by server", ratios, "");
    figures.print(json)
}
