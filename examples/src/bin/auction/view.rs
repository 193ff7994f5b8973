//! What a node's page shows of the house beside the lots: published when it changes.

use std::{sync::Arc, time::Duration};

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

/// Publishes who is there whenever that changes.
pub(crate) fn start(server: &Server, desk: &Desk, people: &People) {
    let poke = Arc::new(Poke(Notify::new()));
    people.seti().add_presence_listener(poke.clone()).keep();
    tokio::spawn(publish(server.clone(), desk.clone(), people.clone(), poke));
}

async fn publish(server: Server, desk: Desk, people: People, poke: Arc<Poke>) {
    let mut last = Value::Null;
    loop {
        let _ = timeout(LOOKS, poke.0.notified()).await;
        let view = view(&desk, &people);
        if let (true, Some(channel)) = (view != last, server.channel(HOUSE)) {
            last.clone_from(&view);
            let _ = channel.publish(view).await;
        }
    }
}

/// Returns which nodes and bidders are there, and which node decides.
pub(crate) fn view(desk: &Desk, people: &People) -> Value {
    let nodes = people.nodes();
    let decides = desk.decides().and_then(|url| nodes.get(&url).cloned());
    let mut names: Vec<_> = nodes.values().collect();
    names.sort();
    json!({ "nodes": names, "decides": decides, "bidders": people.bidders() })
}

/// Wakes the publisher when somebody comes or goes.
#[derive(Debug)]
struct Poke(Notify);

#[async_trait]
impl PresenceListener for Poke {
    async fn added(&self, _presence: &Presence) {
        self.0.notify_one();
    }

    async fn removed(&self, _presence: &Presence) {
        self.0.notify_one();
    }
}
