//! Tells the listeners what happened to a session, in the order in which it was noted.
//!
//! A listener that does not come back is given up after the session's `maxProcessing`: others hear what happened, and
//! what happens next, then at the latest.

use std::{future::Future, pin::pin, sync::Arc};

use bayeux_api::{
    implement::Hook,
    server::{Removal, ServerMessage},
};
use futures_util::{FutureExt as _, poll};
use tokio::runtime::Handle;

use crate::{
    carrier::Carrier,
    channel::Channel,
    server::Server,
    session::{Event, Noted, Session},
};

impl Server {
    /// Has the listeners told what was noted, and waits until they were. If somebody else tells, who may
    /// be waiting for this very caller, only the request of a client waits, which is `by`.
    pub(crate) async fn tell(
        &self,
        session: &Arc<Session>,
        noted: Noted,
        by: Option<&ServerMessage>,
    ) {
        let waits = noted.is_teller || by.is_some() && session.is_of_network();
        if noted.is_teller {
            self.begin_telling(session);
        }
        if let Some(told) = noted.told.filter(|_| waits) {
            // An error says that it was cancelled by a later one.
            let _ = told.await;
        }
    }

    /// Tells what was noted. It goes on though whoever began it has gone. Outside a runtime no listener is
    /// waited for.
    pub(crate) fn begin_telling(&self, session: &Arc<Session>) {
        let mut work = Box::pin(Teller::new(self, session).tell_all());
        // Mostly no listener waits.
        let is_told = work.as_mut().now_or_never().is_some();
        if !is_told && let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work);
        }
    }

    /// Has those told who hear of it that `carrier` is gone, if it carried the session, which lives.
    pub(crate) fn lose(&self, session: &Arc<Session>, carrier: &Arc<Carrier>) {
        if session.note_lost(carrier).is_teller {
            self.begin_telling(session);
        }
    }

    /// Whether anybody hears of subscriptions to `channel`.
    pub(crate) fn hears_of(&self, channel: &Channel) -> bool {
        !channel.listeners.is_empty() || !self.0.subscription_listeners.is_empty()
    }

    /// Whether anybody hears of the end of `session`, and of its subscriptions to `channels`.
    pub(crate) fn hears_of_end(&self, session: &Session, channels: &[Arc<Channel>]) -> bool {
        !self.0.session_listeners.is_empty()
            || !session.listeners().is_empty()
            || channels.iter().any(|channel| self.hears_of(channel))
    }

    async fn tell_one(&self, session: &Arc<Session>, event: &Event) {
        let (id, seen) = (session.id(), session.as_dyn());
        match event {
            Event::Added(message) => {
                let hook = Hook("SessionListener::session_added", id);
                for listener in self.0.session_listeners.members().iter() {
                    let hears = listener.wait(hook, |it| it.session_added(&seen, message));
                    in_time(session, hook, hears).await;
                }
            }
            Event::Subscribed(channel, by) => {
                self.tell_subscribed(session, channel, by.as_deref()).await;
            }
            Event::Unsubscribed(channel, by) => {
                self.tell_unsubscribed(session, channel, by.as_deref()).await;
            }
            Event::Suspended(timeout) => {
                let hook = Hook("ServerSessionListener::suspended", id);
                for listener in session.listeners().iter() {
                    listener.tell(hook, |it| it.suspended(&seen, *timeout));
                }
            }
            Event::Resumed(timed_out) => {
                let hook = Hook("ServerSessionListener::resumed", id);
                for listener in session.listeners().iter() {
                    listener.tell(hook, |it| it.resumed(&seen, *timed_out));
                }
            }
            Event::Lost => {
                let hook = Hook("ServerSessionListener::connection_lost", id);
                for listener in session.listeners().iter() {
                    let hears = listener.wait(hook, |it| it.connection_lost(&seen));
                    in_time(session, hook, hears).await;
                }
            }
            Event::Ended(removal, channels) => self.tell_ended(session, *removal, channels).await,
        }
    }

    async fn tell_subscribed(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        by: Option<&ServerMessage>,
    ) {
        let (whose, seen, id) = (session.as_dyn(), channel.as_dyn(), channel.id().as_str());
        let hook = Hook("ServerChannelListener::subscribed", id);
        for listener in channel.listeners.members().iter() {
            let hears = listener.wait(hook, |it| it.subscribed(&whose, &seen, by));
            in_time(session, hook, hears).await;
        }
        let hook = Hook("SubscriptionListener::subscribed", id);
        for listener in self.0.subscription_listeners.members().iter() {
            let hears = listener.wait(hook, |it| it.subscribed(&whose, &seen, by));
            in_time(session, hook, hears).await;
        }
    }

    async fn tell_unsubscribed(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        by: Option<&ServerMessage>,
    ) {
        let (whose, seen, id) = (session.as_dyn(), channel.as_dyn(), channel.id().as_str());
        let hook = Hook("ServerChannelListener::unsubscribed", id);
        for listener in channel.listeners.members().iter() {
            let hears = listener.wait(hook, |it| it.unsubscribed(&whose, &seen, by));
            in_time(session, hook, hears).await;
        }
        let hook = Hook("SubscriptionListener::unsubscribed", id);
        for listener in self.0.subscription_listeners.members().iter() {
            let hears = listener.wait(hook, |it| it.unsubscribed(&whose, &seen, by));
            in_time(session, hook, hears).await;
        }
    }

    async fn tell_ended(
        &self,
        session: &Arc<Session>,
        removal: Removal,
        channels: &[Arc<Channel>],
    ) {
        let (id, seen) = (session.id(), session.as_dyn());
        let hook = Hook("SessionListener::session_removed", id);
        for listener in self.0.session_listeners.members().iter() {
            let hears = listener.wait(hook, |it| it.session_removed(&seen, removal));
            in_time(session, hook, hears).await;
        }
        session.forget_subscriptions();
        for channel in channels {
            self.tell_unsubscribed(session, channel, None).await;
        }
        let hook = Hook("ServerSessionListener::removed", id);
        for listener in session.listeners().iter() {
            let hears = listener.wait(hook, |it| it.removed(&seen, removal));
            in_time(session, hook, hears).await;
        }
    }
}

/// Waits until a listener has heard something of a session, but not for ever.
async fn in_time(session: &Session, hook: Hook<'_>, hears: impl Future<Output = Option<()>>) {
    let mut hears = pin!(hears);
    // Mostly no listener waits.
    if poll!(hears.as_mut()).is_ready() {
        return;
    }
    // Outside a runtime there is no time.
    if Handle::try_current().is_err() {
        hears.await;
    } else if tokio::time::timeout(session.max_processing(), hears).await.is_err() {
        let Hook(hook, id) = hook;
        tracing::warn!(hook, id, "a listener takes too long, given up");
    }
}

/// Whoever tells the listeners of a session. If it goes before the end, with its runtime, another goes on.
struct Teller {
    server: Server,
    session: Arc<Session>,
    is_done: bool,
}

impl Teller {
    fn new(server: &Server, session: &Arc<Session>) -> Self {
        Self { server: server.clone(), session: session.clone(), is_done: false }
    }

    async fn tell_all(mut self) {
        while let Some(telling) = self.session.next_telling() {
            self.server.tell_one(&self.session, &telling.event).await;
            if let Some(told) = telling.told {
                // Nobody may wait.
                let _ = told.send(());
            }
        }
        self.is_done = true;
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        if let Some(runtime) = self.session.stop_telling() {
            runtime.spawn(Self::new(&self.server, &self.session).tell_all());
        }
    }
}
