//! A device: a Bayeux client that says whose it is.

use std::sync::Arc;

use bayeux_client::{
    BayeuxClient,
    api::{Message, client::ClientSessionChannel},
};
use examples::say;
use serde_json::json;
use tokio::sync::watch;

use crate::{Result, node::NEWS};

pub(crate) struct Device {
    client: BayeuxClient,
    received: watch::Receiver<usize>,
}

impl Device {
    /// Connects a device of a user to a node.
    pub(crate) async fn connect(device: &'static str, user: &str, url: &str) -> Result<Self> {
        let client = BayeuxClient::new(url)?;
        let (count, received) = watch::channel(0);
        let hear = move |_: &dyn ClientSessionChannel, message: &Message| {
            let text = message.data.as_ref().map(|data| data.value()["text"].clone());
            say(format_args!("    {device}: {}", text.unwrap_or_default()));
            count.send_modify(|count| *count += 1);
        };
        client.channel(NEWS)?.add_listener(Arc::new(hear)).keep();
        let mut handshake = Message::default();
        handshake.ext_mut().insert("user".to_owned(), json!(user));
        handshake.ext_mut().insert("device".to_owned(), json!(device));
        client.handshake_with(handshake).await?;
        Ok(Self { client, received })
    }

    /// Waits until it has got so many messages.
    pub(crate) async fn has(&self, count: usize) {
        // An error is the end of the client, after which nothing comes.
        let _ = self.received.clone().wait_for(|received| *received >= count).await;
    }

    pub(crate) async fn goes(self) {
        let _ = self.client.disconnect().await;
    }
}
