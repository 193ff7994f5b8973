//! Nodes that join one with very many users: when they know them, and for how long a thread is held on either side.

use std::{sync::Arc, time::Instant};

use bayeux_server::api::server::{LocalSession, ServerSession};
use bayeux_seti::Seti;
use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::Figures,
        holds::{HeldByJoins, Holds, one_thread},
        logins::sessions,
        nodes::{Node, until},
    },
};

/// Has nodes join one that has many users, one after the other, each on a thread of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many users there are.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    users: u32,

    /// How many nodes join. Each but the first has the memory that those before it have left, and is held by what
    /// the allocator does about that.
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: usize,
}

/// How many users a session has.
const EACH: u32 = 100;

pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let (runtime, users) = (one_thread()?, arguments.users);
    let (here, _seti, _kept) = runtime.block_on(owner(users))?;
    let (last, count) = (user(users - 1), users as usize);
    let (mut arrived, mut held) = (Vec::new(), HeldByJoins::default());
    for _ in 0..arguments.rounds {
        let other = one_thread()?;
        let (there, others) = other.block_on(start())?;
        let [held_here, held_there] = [&runtime, &other].map(Holds::watch);
        let begun = Instant::now();
        there.mesh.observe_comet(here.url())?;
        // In their order, so that the last one comes last.
        other.block_on(until("the users", || others.is_present(&last)))?;
        arrived.push(begun.elapsed().as_secs_f64());
        held.note(&held_here, &held_there);
        let known = others.user_ids().len();
        if known != count {
            return Err(format!("of {count} users {known} are known").into());
        }
        other.block_on(there.oort.stop());
        drop(held_there);
        other.shutdown_background();
    }
    let mut figures = Figures::new("users");
    figures.add_rounds("arrived_seconds", "until all users are known", arrived, "s");
    held.report(&mut figures);
    figures.print(json)
}

async fn start() -> Result<(Node, Seti)> {
    let node = Node::anywhere(&[]).await?;
    let seti = Seti::start(&node.oort).await?;
    Ok((node, seti))
}

fn user(number: u32) -> String {
    format!("user-{number:07}")
}

type Kept = (Vec<Arc<dyn ServerSession>>, Vec<Arc<dyn LocalSession>>);

async fn owner(users: u32) -> Result<(Node, Seti, Kept)> {
    let (node, seti) = start().await?;
    let kept = sessions(&node, users.div_ceil(EACH) as usize).await?;
    for (number, session) in (0..users).zip(kept.0.iter().cycle()) {
        seti.associate(&user(number), session)?;
    }
    Ok((node, seti, kept))
}
