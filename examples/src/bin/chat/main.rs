//! A chat in the console, on the channels of the demo's page, so that both chat with each other.

mod events;
mod room;
mod saying;
mod screen;

use std::{error::Error, process::ExitCode, time::Duration};

use bayeux_client::{
    BayeuxClient, State,
    api::{ConnectionType, Reconnect, client::RequestError},
};
use clap::Parser;

use crate::{
    events::{Event, Events},
    room::{Outcome, Room},
    screen::Screen,
};

/// Chats in a room of the Bayeux demo, with those who are there by its page, too.
///
/// What you type is said to the room; so are lines from a pipe. /who lists who is there, /tell says
/// something to some of them, /help explains, /quit leaves, as do Ctrl-C and the end of the input.
/// Colours are off where NO_COLOR is set and where the output is no terminal.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where the server is.
    #[arg(long, default_value = "http://127.0.0.1:8080/cometd")]
    url: String,

    /// Who you are to the others.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "guest", value_parser = name)]
    name: String,

    /// The room: letters, digits and - _ . ~
    #[arg(long, default_value = "lobby", value_parser = room)]
    room: String,

    /// Over what; without it over WebSocket, or long-polling if the server does not take that.
    #[arg(long, value_parser = ["websocket", "long-polling"])]
    transport: Option<String>,
}

fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name has letters".into()),
        name if name.contains(',') => Err("a name has no commas".into()),
        name => Ok(name.to_owned()),
    }
}

fn room(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("a room is letters, digits and - _ . ~".into()),
    }
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Before there are threads, since then the system does not tell the time zone.
    let screen = Screen::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome =
        runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(arguments, screen)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            examples::fail(error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments, screen: Screen) -> Result<()> {
    let mut builder = BayeuxClient::builder().url(&arguments.url);
    if let Some(transport) = &arguments.transport {
        builder = builder.transports(&[transport.parse::<ConnectionType>()?]);
    }
    let client = builder.build()?;
    let mut events = Events::new(&client);
    screen.status(&format!("connecting to {}", arguments.url));
    start(&client, &arguments.url).await?;
    let _failures = events.hear_failures(&client);
    let mut room = Room::new(client, arguments.name, &arguments.room, screen)?;
    let _listeners = room.subscribe(&events).await?;
    events.read_lines();
    let outcome = chat(&mut room, &mut events).await;
    room.leave().await;
    // What arrived until the end, such as what was said last.
    while let Some(event) = events.try_next() {
        if let Event::Said(_) | Event::Members(_) = event {
            let _ = room.handle(event);
        }
    }
    room.left();
    outcome
}

/// Starts the session. A server that is not there now is an error; one that does not take the first
/// transport may take the next.
async fn start(client: &BayeuxClient, url: &str) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(15);
    let mut reason = "it did not answer in time".to_owned();
    match client.handshake().await {
        Err(RequestError::Failed(failure)) if failure.http_code.is_none() => {
            return Err(format!("no server at {url}: {}", failure.reason).into());
        }
        Err(error @ RequestError::Refused(_)) => {
            return Err(format!("the server at {url} does not let us in: {error}").into());
        }
        Err(error) => reason = error.to_string(),
        Ok(_) => {}
    }
    if client.wait_for(PATIENCE, &[State::Connected]).await {
        return Ok(());
    }
    Err(format!("no Bayeux server at {url}: {reason}").into())
}

/// Chats until somebody ends it.
async fn chat(room: &mut Room, events: &mut Events) -> Result<()> {
    /// How long to wait for a connection when all that is left to do is to say what was typed.
    const PATIENCE: Duration = Duration::from_secs(30);
    let mut is_over = false;
    loop {
        let event = match is_over {
            true if !room.has_unsaid() => return Ok(()),
            true => tokio::time::timeout(PATIENCE, events.next())
                .await
                .map_err(|_| "the server did not come back to hear what was typed last")?,
            false => events.next().await,
        };
        if let Event::Failed { action: Reconnect::None, reason, .. } = &event {
            return Err(format!("the server is gone for good: {reason}").into());
        }
        match room.handle(event) {
            Outcome::Stay => {}
            Outcome::Finish => is_over = true,
            Outcome::Quit => return Ok(()),
            Outcome::Ended => return Err("the session was ended from outside".into()),
        }
    }
}
