//! What a server calls when something happens. Every method does nothing unless written.
//!
//! When a method panics, that is logged, and that one call fails: the other listeners are called, and of
//! what is only told nothing else comes. What a panic means where a method decides something is said
//! there.
//!
//! What happens to one session is told in that order, to all listeners before the next thing is. A
//! listener may change the session that it is told of, and wait for that: the others hear of it after.
//! One that does not return holds up only what is still to be told of this session, and is given up after
//! the session's `maxProcessing`.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_common::{Frozen, Message};

use crate::{
    Flow,
    server::{Depth, Overflow, Removal, ServerChannel, ServerMessage, ServerSession},
};

/// Hears of a server's channels.
#[doc(alias("BayeuxServer.ChannelListener", "Initializer"))]
pub trait ChannelListener: Send + Sync + fmt::Debug {
    /// Sets a new channel up, before anybody can see it. When this panics the channel is not made, since
    /// nobody may guard it: a client is denied, the server's own code
    /// [panics](crate::server::BayeuxServer::create_channel_if_absent).
    fn configure_channel(&self, _channel: &dyn ServerChannel) {}

    /// A channel was added.
    fn channel_added(&self, _channel: &Arc<dyn ServerChannel>) {}

    /// A channel was removed.
    fn channel_removed(&self, _id: &str) {}
}

/// Hears of a server's sessions.
#[async_trait]
#[doc(alias = "BayeuxServer.SessionListener")]
pub trait SessionListener: Send + Sync + fmt::Debug {
    /// A session was added by `message`, whose reply is not made yet.
    async fn session_added(&self, _session: &Arc<dyn ServerSession>, _message: &ServerMessage) {}

    /// A session was removed, and has ended. It still shows its subscriptions.
    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {}
}

/// Hears of all subscriptions of a server.
#[async_trait]
#[doc(alias = "BayeuxServer.SubscriptionListener")]
pub trait SubscriptionListener: Send + Sync + fmt::Debug {
    /// `session` subscribed; `message` is its request, none when the server did it.
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
    }

    /// `session` unsubscribed; `message` is its request, none when the server did it.
    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
    }
}

/// Hears of one channel; of all that a wild one matches.
#[async_trait]
#[doc(alias("ServerChannel.MessageListener", "ServerChannel.SubscriptionListener"))]
pub trait ServerChannelListener: Send + Sync + fmt::Debug {
    /// Sees a message on the channel before it is sent on, may change it, and says whether it goes
    /// on. When this panics it does not.
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        Flow::Continue
    }

    /// `session` subscribed to the channel.
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
    }

    /// `session` unsubscribed from the channel.
    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
    }

    /// Returns whether the channel may be swept in spite of this listener; not when this panics.
    #[doc(alias = "Weak")]
    fn is_weak(&self) -> bool {
        false
    }
}

/// Hears of one session.
#[async_trait]
#[doc(alias("AddedListener", "RemovedListener", "QueueListener", "QueueMaxedListener"))]
#[doc(alias("HeartBeatListener", "ServerSession.MessageListener"))]
pub trait ServerSessionListener: Send + Sync + fmt::Debug {
    /// The session was removed.
    async fn removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {}

    /// Sees a message that is about to be queued and says whether this session gets it. When this
    /// panics it does not, and others do.
    // What `async fn on_message(&self, …) -> Flow` is, but for what it returns here: that is allocated for
    // each delivery, also to those who listen to something else.
    fn on_message<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        _session: &'life1 Arc<dyn ServerSession>,
        _sender: Option<&'life2 Arc<dyn ServerSession>>,
        _message: &'life3 Frozen,
    ) -> Pin<Box<dyn Future<Output = Flow> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(Continues)
    }

    /// A message was queued.
    fn queued(&self, _session: &Arc<dyn ServerSession>, _message: &Frozen) {}

    /// The queue has no place for `message`: decides what happens in place of the server's
    /// configured [`Overflow`], which stays when this panics.
    fn queue_maxed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _depth: Depth,
        _message: &Frozen,
    ) -> Option<Overflow> {
        None
    }

    /// A `/meta/connect` is held, for `timeout` at the most.
    #[doc(alias = "onSuspended")]
    fn suspended(&self, _session: &Arc<dyn ServerSession>, _timeout: Duration) {}

    /// The held `/meta/connect` goes on, because its time ran out or for another reason.
    #[doc(alias = "onResumed")]
    fn resumed(&self, _session: &Arc<dyn ServerSession>, _timed_out: bool) {}

    /// What carried the session broke or was closed: its WebSocket, or the request that was its held
    /// `/meta/connect`. The session has not ended. It lives on for `maxInterval`, unless its client comes
    /// again, which [`suspended`](Self::suspended) tells.
    async fn connection_lost(&self, _session: &Arc<dyn ServerSession>) {}
}

/// Lets a message pass, which takes no memory.
struct Continues;

impl Future for Continues {
    type Output = Flow;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Flow> {
        Poll::Ready(Flow::Continue)
    }
}

/// Sees and changes what is about to be sent to one session. One of its own, since only the session's
/// connection may send what has to be shown first: others may otherwise write to it while it waits.
pub trait DeQueueListener: Send + Sync + fmt::Debug {
    /// The queue is about to be sent together with `replies`; both may be changed. Called for each
    /// delivery, an empty one too. When this panics both are as they were before it.
    #[doc(alias = "deQueue")]
    fn de_queue(
        &self,
        session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        replies: &mut Vec<Message>,
    );
}
