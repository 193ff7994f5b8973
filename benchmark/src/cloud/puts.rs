//! Entries that are put into a map one by one, until other nodes have them.

use std::time::Instant;

use bayeux_oort::OortLongMap;
use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::Figures,
        node::MAP,
        nodes::{Node, Served, until},
    },
    process::Process,
};

/// Puts entries into a map of this process, which nodes in other processes have, too.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many other nodes there are.
    #[arg(long, value_name = "M", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    peers: u64,

    /// How many entries are put in each round.
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = clap::value_parser!(u64).range(1..))]
    puts: u64,

    /// How many different keys they have.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,

    /// How many rounds there are, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
}

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let Arguments { peers, puts, keys, rounds } = arguments;
    let node = Node::anywhere(&[]).await?;
    let map = OortLongMap::<i64>::start(&node.oort, MAP).await?;
    let mut others = Vec::new();
    for _ in 0..peers {
        let other = Served::start(&["cloud", "node", "--map", "--join", node.url()]).await?;
        others.push(other);
    }
    until("all to have the map", || map.infos().len() as u64 == peers + 1).await?;
    let own = Process::new(std::process::id());
    let (mut rates, mut owners, mut applying) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (begun, own_before) = (Instant::now(), own.cpu()?);
        let before: Vec<_> = others.iter().map(Served::cpu).collect::<Result<_>>()?;
        // As one who puts much does, in a task of the runtime's.
        let puts_all = tokio::spawn(put_all(map.clone(), puts, keys));
        puts_all.await?.map_err(|error| error.to_string())?;
        let wall = begun.elapsed();
        let owned = own.cpu()?.saturating_sub(own_before);
        let mut most = std::time::Duration::ZERO;
        for (other, before) in others.iter().zip(before) {
            most = most.max(other.cpu()?.saturating_sub(before));
        }
        if round > 0 {
            rates.push(puts as f64 / wall.as_secs_f64());
            owners.push(puts as f64 / owned.as_secs_f64());
            applying.push(puts as f64 / most.as_secs_f64());
        }
    }
    for other in others {
        other.end().await?;
    }
    let mut figures = Figures::new("puts");
    figures.add_rounds("puts_per_second", "puts that all have, a second", rates, "");
    figures.add_rounds("puts_per_core", "a second of the owner's processor time", owners, "");
    figures.add_rounds("applied_per_core", "a second of another node's", applying, "");
    figures.print(json)
}

/// Puts, and waits until all have the last.
async fn put_all(
    map: OortLongMap<i64>,
    puts: u64,
    keys: u64,
) -> std::result::Result<(), bayeux_oort::ShareError> {
    let mut last = None;
    for number in 0..puts.cast_signed() {
        last = Some(map.put_and_share(number % keys.cast_signed(), number).await?);
    }
    if let Some(last) = last {
        last.applied().await?;
    }
    Ok(())
}
