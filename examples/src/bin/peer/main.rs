//! Drives the Bayeux client against a server of somebody else, scene by scene.

mod messages;
mod scene;
mod server;
mod service;
mod session;

use std::{error::Error, process::ExitCode};

use bayeux_client::api::ConnectionType;
use clap::{Parser, ValueEnum};
use examples::say;

use crate::{scene::Scene, server::Server};

/// Drives the Bayeux client against any server, and says what works.
///
/// COMMAND starts the server. It is given --port N, where 0 is any free port, prints LISTENING and the port
/// when it serves Bayeux at /cometd there, and ends when its standard input does. Each scene is a line
/// `ok NAME, over TRANSPORT` or `not ok NAME, over TRANSPORT: why`; the exit status is 1 if there is
/// one of the latter.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The transports to go over, one after the other; first the best that the server has.
    #[arg(long, value_delimiter = ',', default_value = "websocket,long-polling")]
    transports: Vec<ConnectionType>,

    /// Scenes that the server cannot play.
    #[arg(long, value_delimiter = ',', value_name = "SCENE")]
    without: Vec<Play>,

    /// The scenes to play, in place of all.
    #[arg(long, value_delimiter = ',', value_name = "SCENE")]
    only: Vec<Play>,

    /// Starts the server.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// What is played with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Play {
    /// A session starts, connects and ends.
    Handshake,
    /// A client that has all transports connects over the best that the server has.
    Negotiation,
    /// What is published arrives.
    Publish,
    /// A batch arrives in its order.
    Batch,
    /// Wild subscriptions get what they match.
    Wildcard,
    /// Nothing arrives after an unsubscription.
    Unsubscribe,
    /// A service answers on its channel.
    Echo,
    /// Remote calls succeed and fail.
    RemoteCall,
    /// What the server denies is refused.
    Denied,
    /// A client that has disconnected starts another session.
    Again,
    /// Two clients hear each other.
    TwoClients,
    /// A thousand messages in batches arrive once and in order.
    Order,
    /// Messages are acknowledged.
    Ack,
    /// The server tells what its clock shows.
    Timesync,
    /// The server is killed and comes back: subscriptions are made again.
    Reconnect,
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("not ok the server, over any transport: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays the scenes and returns how many failed.
async fn run(arguments: Arguments) -> Result<usize> {
    let mut failures = 0;
    let best = arguments.transports.first().copied();
    for &transport in &arguments.transports {
        let mut server = Server::start(&arguments.command).await?;
        for play in Play::value_variants() {
            let is_chosen = arguments.only.is_empty() || arguments.only.contains(play);
            if !is_chosen || arguments.without.contains(play) {
                continue;
            }
            let name = format!("{}, over {transport}", play.name());
            let scene = Scene::new(*play, transport, &mut server);
            match play.run(scene, best).await {
                Ok(()) => say(format_args!("ok {name}")),
                Err(error) => {
                    failures += 1;
                    say(format_args!("not ok {name}: {error}"));
                }
            }
        }
        server.end().await;
    }
    Ok(failures)
}

impl Play {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    async fn run(self, scene: Scene<'_>, best: Option<ConnectionType>) -> Result<()> {
        match self {
            Self::Handshake => session::handshake(scene).await,
            Self::Negotiation => session::negotiation(scene, best).await,
            Self::Publish => messages::publish(scene).await,
            Self::Batch => messages::batch(scene).await,
            Self::Wildcard => messages::wildcard(scene).await,
            Self::Unsubscribe => messages::unsubscribe(scene).await,
            Self::Echo => service::echo(scene).await,
            Self::RemoteCall => service::remote_call(scene).await,
            Self::Denied => service::denied(scene).await,
            Self::Again => session::again(scene).await,
            Self::TwoClients => messages::two_clients(scene).await,
            Self::Order => messages::order(scene).await,
            Self::Ack => session::acknowledgements(scene).await,
            Self::Timesync => session::timesync(scene).await,
            Self::Reconnect => session::reconnect(scene).await,
        }
    }
}
