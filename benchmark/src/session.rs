//! A Bayeux session as far as the generator needs it: it obeys advice, and gives up at any failure.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Result,
    carrier::{Carrier, Transport},
    target::Target,
    websocket::{Scratch, WebSocket},
};

#[derive(Debug)]
pub(crate) struct Session {
    carrier: Carrier,
    pub(crate) heart: Heart,
}

/// What a session knows to make its messages.
#[derive(Debug)]
pub(crate) struct Heart {
    transport: Transport,
    client_id: String,
    count: u64,
    /// How long to wait before a connect, by the server's advice.
    interval: Duration,
}

impl Session {
    /// Opens the connection of this number, shakes hands, and has the first connect answered.
    pub(crate) async fn start(
        transport: Transport,
        target: &Target,
        number: usize,
        scratch: &Scratch,
    ) -> Result<Self> {
        let carrier = Carrier::open(transport, target, number, scratch).await?;
        let heart =
            Heart { transport, client_id: String::new(), count: 0, interval: Duration::ZERO };
        let mut session = Self { carrier, heart };
        let handshake = json!([{
            "channel": "/meta/handshake", "id": session.heart.next_id(), "version": "1.0",
            "supportedConnectionTypes": [transport.as_str()],
        }]);
        let reply = session.request(&handshake.to_string()).await?;
        let client_id = reply["clientId"].as_str().ok_or("a handshake's reply has no clientId")?;
        session.heart.client_id = client_id.to_owned();
        session.heart.take_advice(&reply)?;
        session.connect().await?;
        Ok(session)
    }

    /// Connects once, and returns with the reply, which the server may hold back for long.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        tokio::time::sleep(self.heart.interval).await;
        let connect = self.heart.next_connect();
        let reply = self.request(&connect).await?;
        self.heart.take_advice(&reply)
    }

    pub(crate) async fn subscribe(&mut self, channel: &str) -> Result<()> {
        let subscribe = json!([{
            "channel": "/meta/subscribe", "id": self.heart.next_id(), "subscription": channel,
            "clientId": self.heart.client_id,
        }]);
        self.request(&subscribe.to_string()).await.map(drop)
    }

    /// Goes on by hand, over the session's WebSocket.
    pub(crate) fn into_websocket(self) -> Result<(WebSocket, Heart)> {
        match self.carrier {
            Carrier::WebSocket(socket) => Ok((socket, self.heart)),
            Carrier::LongPolling(_) => Err("the session is not over WebSocket".into()),
        }
    }

    /// Sends a message, and waits for its reply, which has to be a success.
    async fn request(&mut self, message: &str) -> Result<Value> {
        let mut replies = self.carrier.exchange(message).await?;
        let reply = replies.pop().unwrap_or_default();
        check(&reply)?;
        Ok(reply)
    }
}

impl Heart {
    pub(crate) fn next_connect(&mut self) -> String {
        let (id, client_id) = (self.next_id(), &self.client_id);
        let transport = self.transport.as_str();
        format!(
            r#"[{{"channel":"/meta/connect","id":"{id}","clientId":"{client_id}","connectionType":"{transport}"}}]"#
        )
    }

    /// Makes a publication; `data` is JSON.
    pub(crate) fn next_publish(&mut self, channel: &str, data: &str) -> String {
        let (id, client_id) = (self.next_id(), &self.client_id);
        format!(r#"[{{"channel":"{channel}","id":"{id}","clientId":"{client_id}","data":{data}}}]"#)
    }

    /// Takes the advice in a reply, if there is one; fails when it is to stop.
    pub(crate) fn take_advice(&mut self, reply: &Value) -> Result<()> {
        let advice = &reply["advice"];
        if advice["reconnect"].as_str().is_some_and(|reconnect| reconnect != "retry") {
            return Err(format!("the server ends a session: {reply}").into());
        }
        if let Some(interval) = advice["interval"].as_u64() {
            self.interval = Duration::from_millis(interval);
        }
        Ok(())
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        self.count.to_string()
    }
}

/// Fails unless the reply is one of success.
pub(crate) fn check(reply: &Value) -> Result<()> {
    match reply["successful"].as_bool() {
        Some(true) => Ok(()),
        Some(false) | None => Err(format!("the server refused a message: {reply}").into()),
    }
}
