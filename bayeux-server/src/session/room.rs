//! Place in a full queue: whoever was told of its messages, and has not looked yet, gets the chance to.

use std::{sync::Arc, time::Instant};

use bayeux_api::{Frozen, implement::lock};
use tokio::{sync::oneshot, time::timeout_at};

use crate::session::{Core, Session};

/// Who waits until the queue has been looked at; mostly nobody, which takes little.
#[derive(Debug, Default)]
pub(super) struct Lookouts(Option<Box<Lookout>>);

#[derive(Debug)]
struct Lookout {
    looked: oneshot::Sender<()>,
    next: Option<Box<Self>>,
}

impl Lookouts {
    fn add(&mut self) -> oneshot::Receiver<()> {
        let (looked, look) = oneshot::channel();
        self.0 = Some(Box::new(Lookout { looked, next: self.0.take() }));
        look
    }

    /// Tells all that the queue was looked at, or will not be.
    pub(super) fn tell(&mut self) {
        let mut next = self.0.take();
        while let Some(lookout) = next {
            next = lookout.next;
            // One that has given up does not listen any more.
            let _ = lookout.looked.send(());
        }
    }
}

/// One after the other, where the compiler would go down the list.
impl Drop for Lookouts {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Session {
    /// Waits until the queue has place for `message`, but only while a carrier that was told of what is
    /// in it is about to look, and until the instant.
    pub(crate) async fn wait_for_room(&self, message: &Arc<Frozen>, until: Instant) {
        while let Some(look) = self.look_for_room(message) {
            if timeout_at(until.into(), look).await.is_err() {
                self.cannot_be_looked_at();
            }
        }
    }

    /// Returns what tells of the carrier's look, if that is worth a wait.
    fn look_for_room(&self, message: &Frozen) -> Option<oneshot::Receiver<()>> {
        let mut core = lock(&self.core);
        let is_worth_it = core.machine.is_full_for(message) && core.machine.will_be_looked_at();
        is_worth_it.then(|| core.lookouts.add())
    }

    /// Notes that the carrier cannot look at the queue for now: nobody waits for that.
    pub(crate) fn cannot_be_looked_at(&self) {
        let mut core = lock(&self.core);
        core.machine.cannot_be_looked_at();
        core.lookouts.tell();
    }
}

impl Core {
    /// Takes something out of the queue, of which those are told who wait for place in it.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let taken = look(self);
        self.lookouts.tell();
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bayeux_api::Message;
    use serde_json::json;

    use super::*;
    use crate::{Server, carrier::Carrier, clock, proto::session::Offered, session::Origin};

    const PATIENCE: Duration = Duration::from_secs(1);

    /// A session with place for one message, which it has, and another for which there is none.
    fn full(carrier: Option<&Arc<Carrier>>) -> (Arc<Session>, Arc<Frozen>) {
        let mut config = crate::Config::default();
        config.local_queue.messages = 1;
        let server = Server::builder().config(config).build();
        let session = server.new_session(None, Origin::default());
        carrier.into_iter().for_each(|carrier| session.bind_waiting(carrier));
        let message = Message::with_data("/a", json!(1)).freeze();
        assert!(fits(&session, &message));
        assert!(!fits(&session, &message));
        (session, message)
    }

    fn fits(session: &Session, message: &Arc<Frozen>) -> bool {
        matches!(session.offer(message, None, clock::now()), Offered::Queued(_))
    }

    /// Returns how long the wait takes.
    async fn waiting(session: &Session, message: &Arc<Frozen>) -> Duration {
        let start = clock::now();
        session.wait_for_room(message, start + PATIENCE).await;
        clock::now() - start
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_where_nobody_carries_the_session() {
        let (session, message) = full(None);
        assert_eq!(waiting(&session, &message).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_carrier_that_was_told_is_waited_for_until_it_looks() {
        let carrier = Carrier::without_socket();
        let (session, message) = full(Some(&carrier));
        let look = async {
            tokio::task::yield_now().await;
            assert_eq!(session.queue_depth().messages, 1);
            session.push(&carrier, clock::now()).0
        };
        let (time, taken) = tokio::join!(waiting(&session, &message), look);
        assert_eq!((time, taken.map(|taken| taken.messages.len())), (Duration::ZERO, Some(1)));
        assert!(fits(&session, &message));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_look_is_waited_for_once() {
        let carrier = Carrier::without_socket();
        let (session, message) = full(Some(&carrier));
        assert!(waiting(&session, &message).await >= PATIENCE);
        assert_eq!(waiting(&session, &message).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_one_whose_peer_takes_nothing() {
        let carrier = Carrier::without_socket();
        let (session, message) = full(Some(&carrier));
        session.cannot_be_looked_at();
        assert_eq!(waiting(&session, &message).await, Duration::ZERO);
    }
}
