//! A session within the server's own process, which has no network to pay for.

use std::time::Duration;

use bayeux_server::{InProcess, Server};
use serde_json::Value;

use crate::{Result, heart::check};

#[derive(Debug)]
pub(super) struct Peer {
    connection: InProcess,
    client_id: String,
}

pub(super) const CHANNEL: &str = "/chat/room";

/// Longer than anything is counted.
pub(super) const FOREVER: Duration = Duration::from_secs(3600);

pub(super) const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake","id":"1","version":"1.0","supportedConnectionTypes":["websocket","long-polling"]}]"#;

impl Peer {
    /// Shakes hands.
    pub(super) async fn new(server: &Server) -> Result<Self> {
        let connection = server.in_process();
        let client_id = client_id(&connection.send(HANDSHAKE).await?)?;
        Ok(Self { connection, client_id })
    }

    /// Shakes hands and subscribes. The session stays when this is dropped.
    pub(super) async fn subscriber(server: &Server) -> Result<Self> {
        let peer = Self::new(server).await?;
        check_first(&peer.send(&subscription(&peer.client_id)).await?)?;
        Ok(peer)
    }

    pub(super) async fn send(&self, messages: &str) -> Result<String> {
        Ok(self.connection.send(messages).await?)
    }

    /// Makes a connect.
    pub(super) fn connect(&self) -> String {
        connect(&self.client_id, "in-process")
    }

    /// Makes a publication, on its own.
    pub(super) fn publication(&self, channel: &str) -> String {
        format!("[{}]", publication(channel, &self.client_id))
    }
}

pub(super) fn connect(client_id: &str, transport: &str) -> String {
    format!(
        r#"[{{"channel":"/meta/connect","id":"4","clientId":"{client_id}","connectionType":"{transport}"}}]"#
    )
}

pub(super) fn subscription(client_id: &str) -> String {
    format!(
        r#"[{{"channel":"/meta/subscribe","id":"2","clientId":"{client_id}","subscription":"{CHANNEL}"}}]"#
    )
}

/// Makes a publication as browsers send it.
pub(super) fn publication(channel: &str, client_id: &str) -> String {
    format!(
        r#"{{"channel":"{channel}","data":{{"user":"somebody","chat":"a line of text, as people write it"}},"id":"42","clientId":"{client_id}"}}"#
    )
}

/// Takes the id of the session out of the answer to a handshake.
pub(super) fn client_id(answer: &str) -> Result<String> {
    let reply = check_first(answer)?;
    let id = reply["clientId"].as_str().ok_or("a handshake's reply has no clientId")?;
    Ok(id.to_owned())
}

/// Fails unless the first of these messages is a successful reply.
pub(super) fn check_first(answer: &str) -> Result<Value> {
    let mut messages: Vec<Value> = serde_json::from_str(answer)?;
    let first = messages.drain(..).next().ok_or("an answer has no message")?;
    check(&first)?;
    Ok(first)
}
