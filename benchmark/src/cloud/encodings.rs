//! How often a broadcast is encoded that goes to other nodes: what their sessions are sent is looked at.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bayeux_server::api::{
    Frozen, Message,
    server::{DeQueueListener, ServerMessage, ServerSession, SessionListener},
};
use clap::Args;
use serde_json::json;

use crate::{
    Result,
    cloud::{
        figures::Figures,
        nodes::{Node, until},
    },
};

/// Broadcasts to ever more nodes, and counts how many encodings their sessions are sent.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// To how many other nodes; each number is one round.
    #[arg(long, value_name = "M", value_delimiter = ',', default_value = "1,2,4,8,16")]
    peers: Vec<usize>,

    /// How many messages each time.
    #[arg(long, value_name = "N", default_value_t = 100)]
    messages: usize,
}

const CHANNEL: &str = "/load/cloud";

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let mut figures = Figures::new("encodings");
    for peers in arguments.peers {
        let sent = measure(peers, arguments.messages).await?;
        let each = sent as f64 / arguments.messages as f64;
        let (name, what) =
            (format!("to_{peers}"), format!("encodings of one broadcast to {peers}"));
        figures.add(&name, &what, each, "");
    }
    figures.print(json)
}

async fn measure(peers: usize, messages: usize) -> Result<usize> {
    let here = Node::anywhere(&[]).await?;
    let seen = Seen::default();
    here.server.add_session_listener(Arc::new(seen.clone())).keep();
    let mut others = Vec::new();
    for _ in 0..peers {
        let other = Node::anywhere(&[CHANNEL.to_owned()]).await?;
        other.mesh.observe_comet(here.url())?;
        others.push(other);
    }
    here.until_joined(peers).await?;
    let channel = here.server.create_channel_if_absent(CHANNEL)?.channel();
    until("subscriptions", || channel.subscribers().len() == peers).await?;
    for number in 0..messages {
        let message = Message::with_data(CHANNEL, json!({ "number": number }));
        channel.publish(message).await?;
    }
    until("deliveries", || seen.deliveries() == peers * messages).await?;
    let encodings = seen.encodings();
    for node in others.iter().chain([&here]) {
        node.oort.stop().await;
    }
    Ok(encodings)
}

/// What was sent: kept, so that no two are in one place.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<Arc<Frozen>>>>);

impl Seen {
    fn deliveries(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn encodings(&self) -> usize {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places: HashSet<_> = seen.iter().map(|message| message.array().as_ptr()).collect();
        places.len()
    }
}

#[async_trait]
impl SessionListener for Seen {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        session.add_de_queue_listener(Arc::new(self.clone())).keep();
    }
}

impl DeQueueListener for Seen {
    fn de_queue(
        &self,
        _session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        _replies: &mut Vec<Message>,
    ) {
        let sent = queue.iter().filter(|message| message.channel() == CHANNEL).cloned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(sent);
    }
}
