//! A user with several devices: Dave has a phone on one node of a cluster and a laptop on another, and is reached
//! on all of them, or on one.

mod device;
mod node;

use std::{process::ExitCode, time::Duration};

use clap::Parser;

use device::Device;
use examples::say;
use node::{Node, started};

/// Dave has a phone on one node of a cluster and a laptop on another: what is sent to Dave reaches both, and what is
/// sent to the phone the phone alone. Who comes and goes is told on both nodes, of Dave and of each device.
///
/// It runs by itself, on two free ports of this machine, and ends after a moment.
#[derive(Parser)]
#[command(name = "devices", version, after_help = examples::LOGGING)]
struct Arguments;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments = Arguments::parse();
    examples::run("error", async {
        let played = tokio::time::timeout(PATIENCE, play()).await;
        played.map_err(|_| format!("it was not over after {PATIENCE:?}"))?
    })
    .await
}

async fn play() -> Result<()> {
    let (north, south) = started().await?;
    say("Dave's phone connects to the north, and his laptop to the south.");
    let phone = Device::connect("phone", "dave", north.url()).await?;
    let laptop = Device::connect("laptop", "dave", south.url()).await?;
    for node in [&north, &south] {
        node.has("dave", 2).await;
        node.has("dave/phone", 1).await;
        node.has("dave/laptop", 1).await;
    }
    say("Either node knows where he is.");
    locate(&north);
    locate(&south);

    say("The north sends something to Dave, and then something to his laptop alone.");
    north.send("dave", "dinner is ready").await?;
    north.send("dave/laptop", "a file for your large screen").await?;
    phone.has(1).await;
    laptop.has(2).await;

    say("The phone goes. Dave is still there.");
    phone.goes().await;
    south.has("dave/phone", 0).await;
    south.has("dave", 1).await;
    locate(&south);
    say("What is sent to the phone now goes nowhere, and the sender knows.");
    north.send("dave/phone", "are you there?").await?;

    say("The laptop goes, and Dave with it.");
    laptop.goes().await;
    for node in [&north, &south] {
        node.has("dave", 0).await;
        node.stop().await;
    }
    Ok(())
}

fn locate(node: &Node) {
    for user in node.seti.user_ids() {
        let nodes: Vec<_> =
            node.seti.locations(&user).iter().map(|it| node.name_of(it.comet.url())).collect();
        say(format_args!("    {}: {user} is in the {}", node.name, nodes.join(" and the ")));
    }
}

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);
