//! What is measured: a scenario with its sizes, and who takes part.

use clap::ValueEnum;

use crate::{compare::peer::Peer, load::Transport};

/// One scenario with its sizes, run with each server that takes part.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    /// Its name in the results.
    pub(crate) id: &'static str,
    pub(crate) group: Group,
    pub(crate) title: String,
    pub(crate) scenario: Scenario,
    pub(crate) transport: Transport,
    pub(crate) arguments: Vec<String>,
    /// An argument that is smaller for slow servers: its name, and its value for the fast and for
    /// them.
    pub(crate) amount: Option<(&'static str, u64, u64)>,
    pub(crate) company: Company,
    pub(crate) cores: Cores,
    pub(crate) rounds: Rounds,
    /// How long one run takes, about, with a fast server.
    pub(crate) seconds: u64,
}

/// What `--only` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Messages to many.
    Fanout,
    /// Messages to oneself.
    Echo,
    /// Sessions that come and go.
    Churn,
    /// CometD's own load test.
    Rooms,
    /// Sessions that wait, and channels.
    Idle,
    /// What applications add.
    Application,
    /// How long messages take at a fixed rate.
    Latency,
    /// A subscriber that stops reading.
    Slow,
    /// One core against two.
    Cores,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Fanout,
    Echo,
    Churn,
    Idle,
    /// Sessions without a connection.
    Parked,
    Slow,
    Rooms,
    /// Channels with one subscriber.
    Channels,
}

/// Who takes part beside our server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    Alone,
    /// Every other server that can.
    All,
    /// These, which may be variants.
    Only(&'static [Peer]),
}

/// Which cores the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounds {
    /// As often as is asked for.
    All,
    /// Once: what is measured does not vary, or takes long.
    Once,
    /// As often as is asked for with ours and the limit, and once with the others.
    OnceForOthers,
}

impl Measurement {
    /// Returns the command line of the generator, without what says where the server is.
    pub(crate) fn command(&self, peer: Peer) -> Vec<String> {
        let mut command = vec![self.scenario.command().to_owned()];
        command.extend(self.arguments.iter().cloned());
        if peer == Peer::Deliver {
            command.push("--deliver".to_owned());
        }
        if let Some((name, fast, slow)) = self.amount {
            let amount = if peer.is_slow() { slow } else { fast };
            command.extend([name.to_owned(), amount.to_string()]);
        }
        command
    }

    /// Returns the arguments that say where the server is.
    pub(crate) fn destination(&self, peer: Peer, url: &str, pid: u32) -> Vec<String> {
        if self.scenario == Scenario::Rooms {
            let (_, authority) = url.split_once("://").unwrap_or_default();
            let address = authority.split('/').next().unwrap_or_default();
            let (host, port) = address.split_once(':').unwrap_or((address, "80"));
            return vec![
                format!("--host={host}"),
                format!("--port={port}"),
                format!("--serverPid={pid}"),
                // It also prints what it would write.
                "--file=/dev/null".to_owned(),
                "--exit=false".to_owned(),
                "--json".to_owned(),
            ];
        }
        let pid = pid.to_string();
        ["--url", url, "--pid", &pid, "--protocol", peer.protocol(), "--json"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Whether a server takes part in this round, which counts from 1.
    pub(crate) fn includes(&self, peer: Peer, round: u64) -> bool {
        let is_ours = peer == Peer::Ours;
        let is_in_round = match self.rounds {
            Rounds::All => true,
            Rounds::Once => round == 1,
            Rounds::OnceForOthers => is_ours || peer == Peer::Limit || round == 1,
        };
        let is_company = match self.company {
            Company::Alone => is_ours,
            Company::All => !peer.is_variant(),
            Company::Only(peers) => is_ours || peers.contains(&peer),
        };
        is_in_round && peer.can(self) && is_company
    }

    /// Returns how long a server holds a connect, in milliseconds: CometD's own load server's time.
    pub(crate) fn timeout_millis(&self) -> u64 {
        20_000
    }

    /// Returns how long a session may be without a connect: as in CometD's load server, but that
    /// sessions without a connection last until they have been counted.
    pub(crate) fn max_interval_millis(&self) -> u64 {
        if self.scenario == Scenario::Parked { 600_000 } else { 50_000 }
    }

    /// Whether a load warms a server up before: not where the memory of a fresh one is measured.
    pub(crate) fn wants_warm_up(&self) -> bool {
        !matches!(self.scenario, Scenario::Idle | Scenario::Parked | Scenario::Channels)
    }
}

impl Scenario {
    /// Returns the subcommand that plays it.
    fn command(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Echo => "echo",
            Self::Churn => "churn",
            Self::Idle | Self::Parked => "idle",
            Self::Slow => "slow",
            Self::Rooms => "load_client",
            Self::Channels => "channels",
        }
    }
}
