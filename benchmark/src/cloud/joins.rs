//! Nodes that join one with a large map: when they have it, and for how long a thread is held on either side.

use std::time::Instant;

use bayeux_oort::OortStringMap;
use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::Figures,
        holds::{HeldByJoins, Holds, one_thread},
        node::MAP,
        nodes::{Node, until},
    },
};

/// Has nodes join one that has a large map, one after the other, each on a thread of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many entries the map has.
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    entries: usize,

    /// How many nodes join.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
}

/// As an application would have of a user: where it is.
const VALUE: &str = "node-17.example.com:8080";

pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let (runtime, entries) = (one_thread()?, arguments.entries);
    let (here, map) = runtime.block_on(start())?;
    let owned = (0..entries).map(|number| (format!("user-{number:06}"), VALUE.to_owned()));
    runtime.block_on(map.set_and_share(owned))?;
    let (mut joined, mut arrived, mut held) = (Vec::new(), Vec::new(), HeldByJoins::default());
    for _ in 0..arguments.rounds {
        let other = one_thread()?;
        let (there, copy) = other.block_on(start())?;
        let [held_here, held_there] = [&runtime, &other].map(Holds::watch);
        let begun = Instant::now();
        there.mesh.observe_comet(here.url())?;
        other.block_on(there.until_joined(1))?;
        joined.push(begun.elapsed().as_secs_f64() * 1000.0);
        let has_all = || copy.info(here.url()).is_some_and(|info| info.object().len() == entries);
        other.block_on(until("the map", has_all))?;
        arrived.push(begun.elapsed().as_secs_f64() * 1000.0);
        held.note(&held_here, &held_there);
        other.block_on(there.oort.stop());
        drop(held_there);
        other.shutdown_background();
    }
    let mut figures = Figures::new("joins");
    figures.add_rounds("joined_millis", "until it has joined", joined, "ms");
    figures.add_rounds("arrived_millis", "until it has all of the map", arrived, "ms");
    held.report(&mut figures);
    figures.print(json)
}

async fn start() -> Result<(Node, OortStringMap<String>)> {
    let node = Node::anywhere(&[]).await?;
    let map = OortStringMap::start(&node.oort, MAP).await?;
    Ok((node, map))
}
