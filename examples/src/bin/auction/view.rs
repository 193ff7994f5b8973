//! What a node's page shows of the house beside the lots: published when it changes, and when somebody comes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::Server;
use bayeux_seti::{Presence, PresenceListener};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};

use crate::{house::Desk, people::People};

/// Where pages hear of it.
pub(crate) const HOUSE: &str = "/auction/house";

/// How often it is looked at when nothing is told.
const LOOKS: Duration = Duration::from_millis(250);

/// Publishes who is there whenever that changes, and when it is asked.
pub(crate) fn start(server: &Server, desk: &Desk, people: &People) -> Arc<View> {
    let asked = Arc::new(View::default());
    people.seti().add_presence_listener(asked.clone()).keep();
    tokio::spawn(publish(server.clone(), desk.clone(), people.clone(), asked.clone()));
    asked
}

/// Has the view published. All that pages hear of it is published by one task: an answer to who comes could be older
/// than what was published before it.
#[derive(Debug, Default)]
pub(crate) struct View {
    poke: Notify,
    is_asked: AtomicBool,
}

impl View {
    /// Publishes it again, for a page that has subscribed.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Release);
        self.poke.notify_one();
    }
}

async fn publish(server: Server, desk: Desk, people: People, asked: Arc<View>) {
    let mut last = Value::Null;
    loop {
        let _ = timeout(LOOKS, asked.poke.notified()).await;
        let is_asked = asked.is_asked.swap(false, Ordering::Acquire);
        let view = view(&desk, &people);
        if let (true, Some(channel)) = (is_asked || view != last, server.channel(HOUSE)) {
            last.clone_from(&view);
            let _ = channel.publish(view).await;
        }
    }
}

/// Returns which nodes and bidders are there, and which node decides.
fn view(desk: &Desk, people: &People) -> Value {
    let nodes = people.nodes();
    let decides = desk.decides().and_then(|url| nodes.get(&url).cloned());
    let mut names: Vec<_> = nodes.values().collect();
    names.sort();
    json!({ "nodes": names, "decides": decides, "bidders": people.bidders() })
}

#[async_trait]
impl PresenceListener for View {
    async fn added(&self, _presence: &Presence) {
        self.poke.notify_one();
    }

    async fn removed(&self, _presence: &Presence) {
        self.poke.notify_one();
    }
}
