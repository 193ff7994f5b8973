//! What a node's page shows of the house beside the lots: published when it changes, and told to who comes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::{Server, api::implement::lock};
use bayeux_seti::{Presence, PresenceListener};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};

use crate::{house::Desk, people::People};

/// Where pages hear of it.
pub(crate) const HOUSE: &str = "/auction/house";

/// How often it is looked at when nothing is told.
const LOOKS: Duration = Duration::from_millis(250);

/// What there is to be seen, and what has it looked at again.
#[derive(Debug, Default)]
pub(crate) struct View {
    latest: Mutex<Numbered>,
    poke: Notify,
}

/// A view, and the how many-th of the node it is: a page keeps the higher one of what it was told when it came and
/// of what was published, which come in any order.
#[derive(Debug, Default)]
struct Numbered {
    number: u64,
    seen: Value,
}

impl View {
    /// Publishes who is there whenever that changes.
    pub(crate) fn start(server: &Server, desk: &Desk, people: &People) -> Arc<Self> {
        let view = Arc::new(Self::default());
        lock(&view.latest).renew(look(desk, people));
        people.seti().add_presence_listener(view.clone()).keep();
        tokio::spawn(view.clone().publish(server.clone(), desk.clone(), people.clone()));
        view
    }

    /// Returns the latest, for a page that has subscribed: later ones are published.
    pub(crate) fn latest(&self) -> Value {
        lock(&self.latest).to_json()
    }

    async fn publish(self: Arc<Self>, server: Server, desk: Desk, people: People) {
        loop {
            let _ = timeout(LOOKS, self.poke.notified()).await;
            let seen = look(&desk, &people);
            // It is the latest before it is published: who subscribes too late for that is told.
            let news = lock(&self.latest).renew(seen);
            if let (Some(news), Some(channel)) = (news, server.channel(HOUSE)) {
                let _ = channel.publish(news).await;
            }
        }
    }
}

impl Numbered {
    /// Takes what is seen now, and returns what is to be published if that is something else.
    fn renew(&mut self, seen: Value) -> Option<Value> {
        if seen == self.seen {
            return None;
        }
        *self = Self { number: self.number + 1, seen };
        Some(self.to_json())
    }

    fn to_json(&self) -> Value {
        json!({ "number": self.number, "seen": self.seen })
    }
}

/// Returns which nodes and bidders are there, and which node decides.
fn look(desk: &Desk, people: &People) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_anew_has_a_higher_number_and_what_is_told_is_the_latest() {
        let mut view = Numbered::default();
        assert_eq!(view.renew(json!("a")), Some(json!({ "number": 1, "seen": "a" })));
        assert_eq!(view.renew(json!("a")), None);
        let news = view.renew(json!("b"));
        assert_eq!(news, Some(json!({ "number": 2, "seen": "b" })));
        assert_eq!(Some(view.to_json()), news);
    }
}
