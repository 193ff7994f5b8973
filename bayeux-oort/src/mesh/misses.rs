//! What the log says of nodes that do not become members, so that whoever sets up a cloud sees why.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use bayeux_api::{Message, implement::lock};
use serde::Deserialize;

use crate::{Comet, counter::Counter, mesh::Inner};

/// How often each URL was tried in vain.
#[derive(Debug, Default)]
pub(super) struct Misses {
    each: Mutex<BTreeMap<String, Counter>>,
    /// Of all URLs beyond [`MOST`].
    others: Counter,
}

/// So many are counted by themselves.
const MOST: usize = 1_000;

impl Misses {
    /// Nobody became a member by `url`.
    pub(super) fn missed(&self, url: &str, why: &str) {
        let mut each = lock(&self.each);
        let times = if each.len() < MOST || each.contains_key(url) {
            each.entry(url.to_owned()).or_default().tally()
        } else {
            self.others.tally()
        };
        drop(each);
        if let Some(times) = times {
            tracing::warn!(url, times, "a node is not reached, and is tried again: {why}");
        }
    }

    /// Somebody became one.
    fn reached(&self, url: &str) {
        lock(&self.each).remove(url);
    }
}

/// What a client says in place of the reply that did not come.
#[derive(Deserialize)]
struct Failure {
    reason: String,
}

/// Says why a handshake was in vain.
pub(super) fn reason(reply: &Message) -> String {
    if reply.is_successful() {
        return "who answers is no node: a Bayeux server without Oort, or not yet with it"
            .to_owned();
    }
    let failure = reply.extra("failure").and_then(|failure| failure.to::<Failure>().ok());
    match (reply.error.as_deref(), failure) {
        (Some(error), _) => format!("it refuses this one ({error}); its log says why"),
        (None, Some(failure)) => failure.reason,
        (None, None) => "no reason is given".to_owned(),
    }
}

/// How long a node that this one has reached may take until it has come itself.
const COMING: Duration = Duration::from_secs(5);

/// Looks whether a node that has answered at `url` comes to this one, and says so if it does not.
pub(super) fn look_out_for(mesh: &Arc<Inner>, url: &str, comet: Comet) {
    let (mesh, url): (Weak<Inner>, _) = (Arc::downgrade(mesh), url.to_owned());
    tokio::spawn(async move {
        tokio::time::sleep(COMING).await;
        let Some(mesh) = mesh.upgrade() else { return };
        if lock(&mesh.machine).members().any(|member| *member == comet) {
            mesh.misses.reached(&url);
        } else if lock(&mesh.links).values().any(|link| link.is_to(&comet)) {
            let why = format!(
                "it has answered, and not come: does it reach this one at {}?",
                mesh.own.url()
            );
            mesh.misses.missed(&url, &why);
        }
    });
}

#[cfg(test)]
mod tests {
    use bayeux_api::{BayeuxError, meta};
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_said_why_a_node_is_not_reached() {
        let mut reply = Message::new(meta::HANDSHAKE);
        reply.successful = Some(true);
        assert!(reason(&reply).contains("is no node"));
        reply.successful = Some(false);
        assert_eq!(reason(&reply), "no reason is given");
        reply.set_extra("failure", json!({ "reason": "connection refused", "httpCode": 1 }));
        assert_eq!(reason(&reply), "connection refused");
        reply.fail(&BayeuxError::HandshakeDenied);
        assert!(reason(&reply).contains("403::handshake_denied"));
    }

    #[test]
    fn what_is_missed_is_counted_until_it_is_reached_and_not_without_end() {
        let misses = Misses::default();
        for number in 0..2 * MOST {
            misses.missed(&format!("{number:04}"), "why");
        }
        misses.missed("0000", "why");
        assert_eq!((lock(&misses.each).len(), misses.others.get()), (MOST, 1_000));
        assert_eq!(lock(&misses.each)["0000"].get(), 2);
        misses.reached("0000");
        misses.missed("1999", "why");
        assert!(!lock(&misses.each).contains_key("0000"));
        assert_eq!(lock(&misses.each)["1999"].get(), 1);
    }
}
