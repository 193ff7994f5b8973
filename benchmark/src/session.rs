//! A session's beginning and end, step by step; each step waits for its reply.

use serde_json::Value;

use crate::{
    Result,
    carrier::Carrier,
    heart::{Heart, check},
    load::Transport,
};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) carrier: Carrier,
    pub(crate) heart: Heart,
}

impl Session {
    /// Shakes hands.
    pub(crate) async fn handshake(carrier: Carrier, transport: Transport) -> Result<Self> {
        let mut session = Self { carrier, heart: Heart::new(transport, String::new()) };
        let handshake = session.heart.handshake();
        let reply = session.request("/meta/handshake", handshake).await?;
        let client_id = reply["clientId"].as_str().ok_or("a handshake's reply has no clientId")?;
        client_id.clone_into(&mut session.heart.client_id);
        Ok(session)
    }

    /// Connects, which is answered at once.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        let connect = self.heart.first_connect();
        self.request("/meta/connect", connect).await.map(drop)
    }

    pub(crate) async fn subscribe(&mut self, channel: &str) -> Result<()> {
        let subscribe = self.heart.subscribe(channel);
        self.request("/meta/subscribe", subscribe).await.map(drop)
    }

    /// Subscribes to several channels by one message.
    pub(crate) async fn subscribe_to_all(&mut self, channels: &[String]) -> Result<()> {
        let subscribe = self.heart.subscribe_to_all(channels);
        self.request("/meta/subscribe", subscribe).await.map(drop)
    }

    pub(crate) async fn disconnect(&mut self) -> Result<()> {
        let disconnect = self.heart.disconnect();
        self.request("/meta/disconnect", disconnect).await.map(drop)
    }

    /// Sends a message, and waits for its reply, which has to be a success.
    async fn request(&mut self, channel: &str, message: String) -> Result<Value> {
        self.carrier.send(&[message])?;
        loop {
            for text in self.carrier.receive().await? {
                let messages: Vec<Value> = serde_json::from_slice(&text).map_err(|error| {
                    format!("no messages: {:?}: {error}", String::from_utf8_lossy(&text))
                })?;
                if let Some(reply) = messages.into_iter().find(|reply| reply["channel"] == channel)
                {
                    check(&reply)?;
                    return Ok(reply);
                }
            }
        }
    }
}
