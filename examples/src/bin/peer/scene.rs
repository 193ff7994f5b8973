//! What every scene has: clients of the server, channels of its own, and waits with a deadline.

use std::{future::Future, time::Duration};

use bayeux_client::{
    BayeuxClient, Config, Messages, State,
    api::{ConnectionType, Message, client::RequestError},
};
use serde_json::Value;

use crate::{Play, Result, server::Server};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// One scene with the server, over one transport.
pub(crate) struct Scene<'a> {
    play: Play,
    transport: ConnectionType,
    pub(crate) server: &'a mut Server,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(play: Play, transport: ConnectionType, server: &'a mut Server) -> Self {
        Self { play, transport, server }
    }

    pub(crate) fn transport(&self) -> ConnectionType {
        self.transport
    }

    /// Returns a channel that no other scene uses.
    pub(crate) fn channel(&self, name: &str) -> String {
        format!("/peer/{}/{name}", self.play.name())
    }

    pub(crate) fn client(&self, config: Config) -> Result<BayeuxClient> {
        let builder = BayeuxClient::builder().url(&self.server.url()).config(config);
        Ok(builder.transports(&[self.transport]).build()?)
    }

    /// Makes a client that is connected.
    pub(crate) async fn connected(&self) -> Result<BayeuxClient> {
        let client = self.client(Config::default())?;
        connect(&client).await?;
        Ok(client)
    }
}

/// Handshakes, waits until the client is connected, and returns the handshake's reply.
pub(crate) async fn connect(client: &BayeuxClient) -> Result<Message> {
    let reply = succeeds("the handshake", client.handshake()).await?;
    reaches(client, State::Connected).await?;
    Ok(reply)
}

pub(crate) async fn reaches(client: &BayeuxClient, state: State) -> Result<()> {
    if client.wait_for(PATIENCE, &[state]).await {
        return Ok(());
    }
    Err(format!("the client is {} and not {state}", client.state()).into())
}

/// Waits for `future`, but not for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.map_err(|_| format!("{what} took longer than {PATIENCE:?}").into())
}

/// Waits for an answer that is to be a success.
pub(crate) async fn succeeds<T>(
    what: &str,
    reply: impl Future<Output = Result<T, RequestError>>,
) -> Result<T> {
    within(what, reply).await?.map_err(|error| format!("{what} failed: {error}").into())
}

/// Waits for an answer that is to be a refusal, whose reply it returns.
pub(crate) async fn is_refused<T>(
    what: &str,
    reply: impl Future<Output = Result<T, RequestError>>,
) -> Result<Message> {
    match within(what, reply).await? {
        Err(RequestError::Refused(reply)) => Ok(*reply),
        Err(error) => Err(format!("{what} was not refused but failed: {error}").into()),
        Ok(_) => Err(format!("{what} was not refused").into()),
    }
}

/// Waits for the next message and returns its data.
pub(crate) async fn next(messages: &mut Messages) -> Result<Value> {
    let message = within("a message", messages.next()).await?;
    let message = message.ok_or("the messages have ended")?;
    Ok(message.data.ok_or("a message has no data")?.value())
}

/// Fails unless both are the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, wanted: &T) -> Result<()> {
    if is == wanted {
        return Ok(());
    }
    Err(format!("{what}: {is:?} where {wanted:?} was expected").into())
}
