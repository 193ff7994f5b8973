//! Users who log in at a node, until the other nodes know of them.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use bayeux_server::api::{
    Message,
    server::{LocalSession, ServerSession},
};
use bayeux_seti::{Presence, PresenceListener, Seti};
use clap::Args;

use crate::{
    Result,
    cloud::{
        figures::{Figures, micros_each},
        nodes::{Node, Served, until},
    },
    process::Process,
};

/// Has users log in at a node of this process, and out again, while nodes in other processes hear of it.
///
/// A round ends when the last of these has said so: it has the last user itself then.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many other nodes there are.
    #[arg(long, value_name = "M", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    peers: u64,

    /// How many users log in in each round.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    logins: u32,

    /// How many rounds there are, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
}

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let Arguments { peers, logins, rounds } = arguments;
    let node = Node::anywhere(&[]).await?;
    let seti = Seti::start(&node.oort).await?;
    let (sessions, _kept) = sessions(&node, SESSIONS).await?;
    let mut others = Vec::new();
    for _ in 0..peers {
        others
            .push(Served::start(&["cloud", "node", "--mirror", LAST, "--join", node.url()]).await?);
    }
    until("all to join", || node.oort.comets().len() as u64 == peers).await?;
    let own = Process::new(std::process::id());
    let (mut rates, mut owners) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (begun, before) = (Instant::now(), own.cpu()?);
        let (users, sessions_of) = (seti.clone(), sessions.clone());
        // As a server does, in a task of the runtime's.
        tokio::spawn(async move { log_in(&users, &sessions_of, logins).await }).await??;
        until("all to know the last", || seti.locations(LAST).len() as u64 == peers + 1).await?;
        let (wall, used) = (begun.elapsed(), own.cpu()?.saturating_sub(before));
        for user in seti.associated_user_ids() {
            drop(seti.disassociate_all(&user));
        }
        let is_over = || seti.locations(LAST).is_empty() && seti.statistics().waiting == 0;
        until("all to forget the last", is_over).await?;
        if round > 0 {
            rates.push(f64::from(logins) / wall.as_secs_f64());
            owners.push(micros_each(used, logins.into()));
        }
    }
    for other in others {
        other.end().await?;
    }
    let mut figures = Figures::new("logins");
    figures.add_rounds("logins_per_second", "logins that all know of, a second", rates, "");
    figures.add_rounds("login_micros", "processor time of the node itself, each", owners, "µs");
    figures.print(json)
}

/// Over how many sessions the users are spread.
const SESSIONS: usize = 1_000;

/// The user who logs in last, and out: of all, sorted, the last.
const LAST: &str = "user-last";

async fn log_in(
    seti: &Seti,
    sessions: &[Arc<dyn ServerSession>],
    logins: u32,
) -> std::result::Result<(), bayeux_seti::AssociateError> {
    for (number, session) in (1..logins).zip(sessions.iter().cycle()) {
        seti.associate(&format!("user-{number:07}"), session)?;
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    seti.associate(LAST, &sessions[0]).map(drop)
}

/// Makes sessions of a node, and what keeps them.
pub(super) async fn sessions(
    node: &Node,
    count: usize,
) -> Result<(Vec<Arc<dyn ServerSession>>, Vec<Arc<dyn LocalSession>>)> {
    let (mut sessions, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let local = node.server.new_local_session("user");
        local.handshake(Message::default()).await?;
        sessions.push(local.server_session().ok_or("a session has ended")?);
        kept.push(local);
    }
    Ok((sessions, kept))
}

/// Has a node know users, and have `user` itself while one of the nodes `of` does.
pub(super) async fn mirror(node: &Node, user: String, of: Vec<String>) -> Result<()> {
    let seti = Seti::start(&node.oort).await?;
    let (sessions, kept) = sessions(node, 1).await?;
    let mirror = Mirror { seti: seti.clone(), user, of, session: sessions[0].clone(), _kept: kept };
    seti.add_presence_listener(Arc::new(mirror)).keep();
    Ok(())
}

struct Mirror {
    seti: Seti,
    user: String,
    of: Vec<String>,
    session: Arc<dyn ServerSession>,
    _kept: Vec<Arc<dyn LocalSession>>,
}

impl Mirror {
    fn is_meant(&self, presence: &Presence) -> bool {
        presence.user_id() == self.user && self.of.iter().any(|url| url == presence.url())
    }
}

#[async_trait]
impl PresenceListener for Mirror {
    async fn added(&self, presence: &Presence) {
        if self.is_meant(presence) {
            let _ = self.seti.associate(&self.user, &self.session);
        }
    }

    async fn removed(&self, presence: &Presence) {
        if self.is_meant(presence) {
            self.seti.disassociate(&self.user, &self.session);
        }
    }
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mirror")
    }
}
