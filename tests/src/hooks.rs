//! What an application plugs into a server, made of closures, and a log of what it was told.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message,
    client::{ClientSessionChannel, MessageListener},
    server::{
        ChannelListener, DeQueueListener, Removal, ServerChannel, ServerChannelListener,
        ServerExtension, ServerMessage, ServerSession, ServerSessionListener, SessionListener,
        SubscriptionListener,
    },
};

use crate::eventually;

/// What happened, in order. As a listener of any kind it writes down all it hears.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Adds an entry.
    pub fn add(&self, entry: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.into());
    }

    /// Returns all entries.
    pub fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes all entries away.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns how often `entry` is there.
    pub fn count(&self, entry: &str) -> usize {
        self.entries().iter().filter(|one| *one == entry).count()
    }

    /// Waits until `entry` is there.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    pub async fn until(&self, entry: &str) {
        eventually(&format!("{entry:?} to be logged"), || self.count(entry) > 0).await;
    }
}

impl ChannelListener for Log {
    fn configure_channel(&self, channel: &dyn ServerChannel) {
        self.add(format!("configure {}", channel.id()));
    }

    fn channel_added(&self, channel: &Arc<dyn ServerChannel>) {
        self.add(format!("added {}", channel.id()));
    }

    fn channel_removed(&self, id: &str) {
        self.add(format!("removed {id}"));
    }
}

#[async_trait]
impl SessionListener for Log {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, message: &ServerMessage) {
        let is_reply_empty = message.reply_message().client_id.is_none();
        self.add(format!("added session, handshook={}", session.is_handshook() && is_reply_empty));
    }

    async fn session_removed(&self, session: &Arc<dyn ServerSession>, removal: Removal) {
        self.add(format!("{removal:?} session, {} subscriptions", session.subscriptions().len()));
    }
}

#[async_trait]
impl SubscriptionListener for Log {
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: Option<&ServerMessage>,
    ) {
        self.add(format!("server: subscribed {} {}", channel.id(), by(message)));
    }

    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: Option<&ServerMessage>,
    ) {
        self.add(format!("server: unsubscribed {} {}", channel.id(), by(message)));
    }
}

#[async_trait]
impl ServerChannelListener for Log {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.add(format!("{} hears {}", channel.id(), message.channel()));
        Flow::Continue
    }

    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: Option<&ServerMessage>,
    ) {
        self.add(format!("subscribed {} {}", channel.id(), by(message)));
    }

    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: Option<&ServerMessage>,
    ) {
        self.add(format!("unsubscribed {} {}", channel.id(), by(message)));
    }
}

#[async_trait]
impl ServerSessionListener for Log {
    async fn removed(&self, _session: &Arc<dyn ServerSession>, removal: Removal) {
        self.add(format!("removed {removal:?}"));
    }

    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        self.add(format!("gets {}", message.channel()));
        Flow::Continue
    }

    fn queued(&self, _session: &Arc<dyn ServerSession>, message: &Frozen) {
        self.add(format!("queued {}", message.channel()));
    }

    fn suspended(&self, _session: &Arc<dyn ServerSession>, timeout: Duration) {
        self.add(format!("suspended for {} ms", timeout.as_millis()));
    }

    fn resumed(&self, _session: &Arc<dyn ServerSession>, timed_out: bool) {
        self.add(format!("resumed, timed out: {timed_out}"));
    }

    async fn connection_lost(&self, _session: &Arc<dyn ServerSession>) {
        self.add("connection lost");
    }
}

impl DeQueueListener for Log {
    fn de_queue(
        &self,
        _session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        replies: &mut Vec<Message>,
    ) {
        self.add(format!("sends {} messages, {} replies", queue.len(), replies.len()));
    }
}

#[async_trait]
impl MessageListener for Log {
    async fn on_message(&self, channel: &dyn ClientSessionChannel, message: &Message) {
        self.add(format!("{} {}", channel.id(), data(message)));
    }
}

fn by(message: Option<&ServerMessage>) -> &'static str {
    if message.is_some() { "by the client" } else { "by the server" }
}

/// Returns the text of a message's data, or what it succeeded in.
pub fn data(message: &Message) -> String {
    match &message.data {
        Some(data) => data.text().into_owned(),
        None => format!("successful={}", message.is_successful()),
    }
}

/// A channel's listener, out of a closure.
pub fn on_message<F>(hear: F) -> Arc<impl ServerChannelListener>
where
    F: Fn(Option<&Arc<dyn ServerSession>>, &mut ServerMessage) -> Flow + Send + Sync,
{
    Arc::new(Hears(hear))
}

/// An extension of the server that sees what arrives, out of a closure.
pub fn incoming<F>(see: F) -> Arc<impl ServerExtension>
where
    F: Fn(Option<&Arc<dyn ServerSession>>, &mut ServerMessage) -> Flow + Send + Sync,
{
    Arc::new(Incoming(see))
}

/// An extension of the server that sees what goes out and to whom, out of a closure.
pub fn outgoing<F>(see: F) -> Arc<impl ServerExtension>
where
    F: Fn(Option<&Arc<dyn ServerSession>>, &mut Message) -> Flow + Send + Sync,
{
    Arc::new(Outgoing(see))
}

struct Hears<F>(F);

#[async_trait]
impl<F> ServerChannelListener for Hears<F>
where
    F: Fn(Option<&Arc<dyn ServerSession>>, &mut ServerMessage) -> Flow + Send + Sync,
{
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        (self.0)(from, message)
    }
}

struct Incoming<F>(F);

#[async_trait]
impl<F> ServerExtension for Incoming<F>
where
    F: Fn(Option<&Arc<dyn ServerSession>>, &mut ServerMessage) -> Flow + Send + Sync,
{
    async fn incoming(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        (self.0)(from, message)
    }
}

struct Outgoing<F>(F);

#[async_trait]
impl<F> ServerExtension for Outgoing<F>
where
    F: Fn(Option<&Arc<dyn ServerSession>>, &mut Message) -> Flow + Send + Sync,
{
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        (self.0)(to, message)
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {
        $(impl<F> fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

opaque!(Hears, Incoming, Outgoing);
