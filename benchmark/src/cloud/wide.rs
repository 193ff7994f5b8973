//! Many nodes in one process: when all know all, and what their links cost.

use std::time::{Duration, Instant};

use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::Figures,
        nodes::{Node, until},
    },
    load::seconds,
    process::{Process, check_file_limit},
};

/// Has many nodes of one process join by way of the first, and leaves them alone then.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many nodes there are.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..))]
    nodes: u64,

    /// For how many seconds they are left alone before it is measured what they cost.
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    settle: Duration,

    /// For how many seconds that is measured.
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    seconds: Duration,
}

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let links = arguments.nodes * (arguments.nodes - 1);
    // Each link has an end here and there.
    check_file_limit(usize::try_from(2 * links + arguments.nodes)?)?;
    let process = Process::new(std::process::id());
    let mut nodes = Vec::new();
    for _ in 0..arguments.nodes {
        nodes.push(Node::anywhere(&[]).await?);
    }
    let (resident, cpu, begun) = (process.resident()?, process.cpu()?, Instant::now());
    for node in &nodes[1..] {
        node.mesh.observe_comet(nodes[0].url())?;
    }
    let others = nodes.len() - 1;
    until("all to know all", || nodes.iter().all(|node| node.oort.comets().len() == others))
        .await?;
    let (formed, forming) = (begun.elapsed(), process.cpu()?.saturating_sub(cpu));
    tokio::time::sleep(arguments.settle).await;
    let (settled, cpu, begun) = (process.resident()?, process.cpu()?, Instant::now());
    tokio::time::sleep(arguments.seconds).await;
    let idle = process.cpu()?.saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    let each = settled.saturating_sub(resident) as f64 / links as f64 / 1024.0;
    let mut figures = Figures::new("wide");
    figures.add("links", "links", links as f64, "");
    figures.add("formed_seconds", "all know all after", formed.as_secs_f64(), "s");
    figures.add("forming_seconds", "processor time for that", forming.as_secs_f64(), "s");
    figures.add("idle_percent", "processor time while idle", idle * 100.0, "% of a core");
    figures.add("link_kibibytes", "memory of a link, with both of its ends", each, "KiB");
    figures.print(json)
}
