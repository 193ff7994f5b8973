//! A node as a process of its own, as `benchmark cloud` starts it.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bayeux_oort::{Comet, CometListener, OortLongMap};
use clap::Args;
use tokio::net::TcpListener;

use crate::{
    Result,
    cloud::{logins, nodes::Node, tell},
    say,
};

/// Serves Bayeux at /cometd as a node, and says who joins.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// A node to join; repeatable.
    #[arg(long, value_name = "URL")]
    join: Vec<String>,

    /// A channel to observe; repeatable.
    #[arg(long, value_name = "CHANNEL")]
    observe: Vec<String>,

    /// Has what other nodes send not acknowledged.
    #[arg(long)]
    without_acks: bool,

    /// Has the map of `puts`.
    #[arg(long)]
    map: bool,

    /// Knows users, and has this one itself while a node that it was told to join has it.
    #[arg(long, value_name = "USER")]
    mirror: Option<String>,

    /// Makes who subscribes to this channel here a user, and sends what is published on it here to that user
    /// alone, wherever it is.
    #[arg(long, value_name = "CHANNEL")]
    tell: Option<String>,

    /// Publishes itself, as an application does, what clients publish on this channel.
    #[arg(long, value_name = "CHANNEL")]
    say: Option<String>,
}

/// The map's name.
pub(crate) const MAP: &str = "benchmark";

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let listener = TcpListener::bind(arguments.listen).await?;
    let node = Node::start(listener, &arguments.observe, !arguments.without_acks).await?;
    let _map = match arguments.map {
        true => Some(OortLongMap::<i64>::start(&node.oort, MAP).await?),
        false => None,
    };
    if let Some(channel) = arguments.tell {
        tell::serve(&node, &channel).await?;
    }
    if let Some(channel) = arguments.say {
        tell::say(&node, &channel)?;
    }
    if let Some(user) = arguments.mirror {
        logins::mirror(&node, user, arguments.join.clone()).await?;
    }
    say::result(format!("node on {}", node.url()));
    let says = Says(std::sync::Mutex::new(0));
    node.oort.add_comet_listener(Arc::new(says)).keep();
    for url in &arguments.join {
        node.mesh.observe_comet(url)?;
    }
    std::future::pending().await
}

/// Says how many nodes have joined.
#[derive(Debug)]
struct Says(std::sync::Mutex<usize>);

#[async_trait]
impl CometListener for Says {
    async fn comet_joined(&self, _comet: &Comet) {
        if let Ok(mut count) = self.0.lock() {
            *count += 1;
            say::result(format!("joined {count}"));
        }
    }
}
