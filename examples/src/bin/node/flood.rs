//! Messages that go to another node and come back, some of them under way at a time, to measure what that costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bayeux_server::api::{Json, Message, Registration, client::ClientSessionChannel};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Result;

const THERE: &str = "/flood/there";
const BACK: &str = "/flood/back";

type Channel = Arc<dyn ClientSessionChannel>;

/// The two channels, as this node's session has them.
#[derive(Debug)]
pub(crate) struct Flood {
    there: Channel,
    back: Channel,
}

impl Flood {
    pub(crate) fn new(session: &dyn bayeux_server::api::server::LocalSession) -> Result<Self> {
        Ok(Self { there: session.channel(THERE)?, back: session.channel(BACK)? })
    }

    /// Has what comes on the one channel sent back on the other.
    pub(crate) async fn echo(&self) -> Result<Registration> {
        let (waiting, mut echoes) = mpsc::unbounded_channel();
        let back = self.back.clone();
        tokio::spawn(async move {
            while let Some(data) = echoes.recv().await {
                publish(&back, data).await;
            }
        });
        let listener = move |_: &dyn ClientSessionChannel, message: &Message| {
            let _ = waiting.send(message.data.clone());
        };
        Ok(self.there.subscribe(Arc::new(listener)).await?)
    }

    /// Sends `count` messages of `size` characters, `window` of them under way at a time, and returns the
    /// milliseconds that it took until all were back.
    pub(crate) async fn begin(&self, count: u64, window: u64, size: usize) -> Result<Value> {
        let data = Json::new(&json!({ "text": "x".repeat(size) }))?;
        let (waiting, mut backs) = mpsc::unbounded_channel();
        let listener = move |_: &dyn ClientSessionChannel, _: &Message| {
            let _ = waiting.send(());
        };
        let _subscription = self.back.subscribe(Arc::new(listener)).await?;
        let begun = Instant::now();
        let sent = AtomicU64::new(0);
        let send = async || {
            if sent.fetch_add(1, Ordering::Relaxed) < count {
                publish(&self.there, Some(data.clone())).await;
            }
        };
        for _ in 0..window {
            send().await;
        }
        for _ in 0..count {
            backs.recv().await;
            send().await;
        }
        self.back.unsubscribe().await?;
        Ok(json!(begun.elapsed().as_millis() as u64))
    }
}

async fn publish(channel: &Channel, data: Option<Json>) {
    let mut message = Message::default();
    message.data = data;
    let _ = channel.publish(message).await;
}
