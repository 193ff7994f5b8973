//! Messages of other nodes to users here. A session whose application's listener or extension looks at each message, and
//! waits, has what waits taken aside, with all that the same node sends to it after that: it holds up neither who comes
//! and goes nor what is for others, nor for other sessions of its user.

use std::{sync::Arc, time::Duration};

use bayeux_api::{Message, implement::lock};
use bayeux_oort::Comet;
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{
    engine::Inner,
    proto::{
        lanes::{Letter, Place, Way},
        wire::UserMessage,
    },
    sending::PATIENCE,
    session::Local,
};

/// It has begun.
type Delivery = BoxFuture<'static, ()>;

/// How long a session that hangs may look at each that follows: longer than the server lets one wait whose client is
/// slow.
const SHORT_PATIENCE: Duration = Duration::from_millis(500);

impl Inner {
    /// Delivers a message of another node to the sessions of its user here, or has it delivered. What the same node
    /// sends to a session comes one after the other.
    pub(crate) fn deliver_soon(self: &Arc<Self>, from: &Comet, message: UserMessage) {
        let UserMessage { user, channel, data } = message;
        let sessions = self.presence(|presence| presence.sessions(&user));
        if sessions.is_empty() {
            self.presence(|presence| presence.statistics.undelivered += 1);
            return;
        }
        let message = Message::with_data(channel.as_str(), data).freeze();
        for session in sessions {
            let letter = Letter { user: user.clone(), message: message.clone() };
            self.deliver_letter(from, session, &letter);
        }
    }

    fn deliver_letter(self: &Arc<Self>, from: &Comet, session: Local, letter: &Letter) {
        let way = (from.clone(), session);
        // The lock is not held while it is said that a message is dropped.
        let (place, hangs) = {
            let mut lanes = lock(&self.lanes);
            (lanes.join(&way, letter), lanes.hangs(&way.1))
        };
        match place {
            Place::Free => {}
            Place::Waits => return,
            Place::Full => return self.drops(from, "too much waits for a session of its user"),
        }
        let mut delivery = self.delivery(&way.1, letter);
        // Most are done at once.
        if delivery.as_mut().now_or_never().is_some() {
            if hangs {
                lock(&self.lanes).goes_on(&way.1);
            }
            return;
        }
        if !lock(&self.lanes).open(way.clone(), letter.weight()) {
            return self.drops(from, "too much waits for all users");
        }
        let rest = self.clone().deliver_rest(delivery, way, letter.weight());
        let rest = self.oort.server().together(rest);
        let until = self.stopped.clone();
        tokio::spawn(until.run_until_cancelled_owned(rest));
    }

    fn delivery(self: &Arc<Self>, session: &Local, letter: &Letter) -> Delivery {
        let (inner, session, message) = (self.clone(), session.clone(), letter.message.clone());
        let delivery = async move {
            let sender = inner.session.server_session();
            session.0.deliver_frozen_together(sender.as_ref(), &message).await;
        };
        delivery.boxed()
    }

    /// Delivers what is under way, and what waits after it.
    async fn deliver_rest(
        self: Arc<Self>,
        mut delivery: Delivery,
        way: Way<Local>,
        mut bytes: usize,
    ) {
        loop {
            self.wait_for(delivery, &way).await;
            let Some(next) = self.next_letter(&way, bytes) else { return };
            bytes = next.weight();
            delivery = self.delivery(&way.1, &next);
        }
    }

    /// Waits until a session has taken a message, or not in time. One that hangs costs its long wait once, and not for
    /// each.
    async fn wait_for(&self, delivery: Delivery, (from, session): &Way<Local>) {
        let hangs = lock(&self.lanes).hangs(session);
        let patience = if hangs { SHORT_PATIENCE } else { PATIENCE };
        if tokio::time::timeout(patience, delivery).await.is_ok() {
            lock(&self.lanes).goes_on(session);
            return;
        }
        if lock(&self.lanes).gave_up(session) {
            tracing::warn!(?session, "a message does not reach its user: who looks at it hangs");
        }
        self.drops(from, "a session of its user hangs");
    }

    /// Returns what is next for a session, as far as that is still its user's.
    fn next_letter(&self, way: &Way<Local>, mut bytes: usize) -> Option<Letter> {
        let (from, session) = way;
        loop {
            // Before the lock: who ends after this look has it noted that the session hangs no more.
            let is_over = !session.0.is_handshook();
            let next = {
                let mut lanes = lock(&self.lanes);
                if is_over {
                    lanes.goes_on(session);
                }
                lanes.next(way, bytes)?
            };
            let sessions = self.presence(|presence| presence.sessions(&next.user));
            if sessions.contains(session) {
                return Some(next);
            }
            bytes = next.weight();
            self.drops(from, "its user has gone");
        }
    }

    fn drops(&self, from: &Comet, why: &str) {
        self.refuse(from, why, |all| &mut all.undelivered);
    }
}
