//! What panics in one of its hooks, and does no harm in all others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::{
    api::{
        ChannelId, Flow, Frozen, Message,
        client::{ClientExtension, ClientSessionChannel, MessageListener},
        server::{
            Authorization, Authorizer, Backplane, BayeuxServer, ChannelListener, DeQueueListener,
            Depth, Inlet, Operation, Overflow, Passage, Removal, SecurityPolicy, ServerChannel,
            ServerChannelListener, ServerExtension, ServerMessage, ServerSession,
            ServerSessionListener, SessionExtension, SessionListener, SubscriptionListener,
            Unavailable,
        },
    },
    filter::DataFilter,
};

/// What panics in its hook of this name, once it is armed, and when it is about a channel at or below
/// `/a` or about none.
#[derive(Debug)]
pub(super) struct Panics {
    pub(super) hook: &'static str,
    /// Whether those of its hooks that may wait do so first.
    pub(super) waits: bool,
    pub(super) armed: AtomicBool,
    /// How often it panicked.
    pub(super) count: AtomicUsize,
}

impl Panics {
    pub(super) fn at(&self, hook: &str, channel: &str) {
        let is_about = channel.is_empty() || channel.starts_with("/a");
        if self.armed.load(Relaxed) && self.hook == hook && is_about {
            self.count.fetch_add(1, Relaxed);
            panic!("of the test");
        }
    }

    pub(super) async fn wait_at(&self, hook: &str, channel: &str) {
        if self.waits && self.hook == hook {
            tokio::task::yield_now().await;
        }
        self.at(hook, channel);
    }
}

#[async_trait]
impl SecurityPolicy for Panics {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.wait_at("SecurityPolicy::can_handshake", "").await;
        true
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        channel: &ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        self.wait_at("SecurityPolicy::can_create", channel.as_str()).await;
        true
    }

    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.wait_at("SecurityPolicy::can_subscribe", channel.id().as_str()).await;
        true
    }

    async fn can_publish(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.wait_at("SecurityPolicy::can_publish", channel.id().as_str()).await;
        true
    }
}

#[async_trait]
impl Authorizer for Panics {
    async fn authorize(
        &self,
        _operation: Operation,
        channel: &ChannelId,
        _session: &Arc<dyn ServerSession>,
        _message: &ServerMessage,
    ) -> Authorization {
        self.wait_at("Authorizer::authorize", channel.as_str()).await;
        Authorization::Grant
    }
}

#[async_trait]
impl ServerExtension for Panics {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.wait_at("ServerExtension::incoming", message.channel()).await;
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        let hook = match (to, &message.data) {
            (None, _) => "ServerExtension::outgoing to all",
            (Some(_), Some(_)) => "ServerExtension::outgoing to one",
            (Some(_), None) => "ServerExtension::outgoing as a reply",
        };
        self.wait_at(hook, message.channel()).await;
        Flow::Continue
    }
}

#[async_trait]
impl SessionExtension for Panics {
    async fn incoming(
        &self,
        _session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.wait_at("SessionExtension::incoming", message.channel()).await;
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        self.wait_at("SessionExtension::outgoing", message.channel()).await;
        Some(message)
    }

    async fn outgoing_reply(&self, _session: &Arc<dyn ServerSession>, reply: &mut Message) -> Flow {
        self.wait_at("SessionExtension::outgoing_reply", reply.channel()).await;
        Flow::Continue
    }
}

#[async_trait]
impl ServerChannelListener for Panics {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        self.wait_at("ServerChannelListener::on_message", channel.id().as_str()).await;
        Flow::Continue
    }

    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.wait_at("ServerChannelListener::subscribed", channel.id().as_str()).await;
    }

    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.wait_at("ServerChannelListener::unsubscribed", channel.id().as_str()).await;
    }

    fn is_weak(&self) -> bool {
        self.at("ServerChannelListener::is_weak", "");
        true
    }
}

impl ChannelListener for Panics {
    fn configure_channel(&self, channel: &dyn ServerChannel) {
        self.at("ChannelListener::configure_channel", channel.id().as_str());
    }

    fn channel_added(&self, channel: &Arc<dyn ServerChannel>) {
        self.at("ChannelListener::channel_added", channel.id().as_str());
    }

    fn channel_removed(&self, id: &str) {
        self.at("ChannelListener::channel_removed", id);
    }
}

#[async_trait]
impl SessionListener for Panics {
    async fn session_added(&self, _session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        self.wait_at("SessionListener::session_added", "").await;
    }

    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        self.wait_at("SessionListener::session_removed", "").await;
    }
}

#[async_trait]
impl SubscriptionListener for Panics {
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.wait_at("SubscriptionListener::subscribed", channel.id().as_str()).await;
    }

    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.wait_at("SubscriptionListener::unsubscribed", channel.id().as_str()).await;
    }
}

#[async_trait]
impl ServerSessionListener for Panics {
    async fn removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        self.wait_at("ServerSessionListener::removed", "").await;
    }

    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        self.wait_at("ServerSessionListener::on_message", message.channel()).await;
        Flow::Continue
    }

    fn queued(&self, _session: &Arc<dyn ServerSession>, message: &Frozen) {
        self.at("ServerSessionListener::queued", message.channel());
    }

    fn queue_maxed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _depth: Depth,
        _message: &Frozen,
    ) -> Option<Overflow> {
        self.at("ServerSessionListener::queue_maxed", "");
        None
    }

    fn suspended(&self, _session: &Arc<dyn ServerSession>, _timeout: Duration) {
        self.at("ServerSessionListener::suspended", "");
    }

    fn resumed(&self, _session: &Arc<dyn ServerSession>, _timed_out: bool) {
        self.at("ServerSessionListener::resumed", "");
    }

    async fn connection_lost(&self, _session: &Arc<dyn ServerSession>) {
        self.wait_at("ServerSessionListener::connection_lost", "").await;
    }
}

impl DeQueueListener for Panics {
    fn de_queue(
        &self,
        _session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        replies: &mut Vec<Message>,
    ) {
        if self.hook == "DeQueueListener::de_queue" && self.armed.load(Relaxed) {
            queue.clear();
            replies.clear();
        }
        self.at("DeQueueListener::de_queue", "");
    }
}

impl DataFilter for Panics {
    fn filter_text(&self, text: String) -> Option<String> {
        self.at("DataFilter::filter_text", "");
        Some(text)
    }
}

#[async_trait]
impl Backplane for Panics {
    fn start(&self, _inlet: Inlet) {}

    async fn publish(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        channel: &ChannelId,
        _message: &Arc<Frozen>,
    ) -> Result<Passage, Unavailable> {
        self.wait_at("Backplane::publish", channel.as_str()).await;
        Ok(Passage::Through)
    }

    async fn join(&self, channel: &ChannelId) -> Result<(), Unavailable> {
        self.wait_at("Backplane::join", channel.as_str()).await;
        Ok(())
    }

    async fn leave(&self, channel: &ChannelId) {
        self.wait_at("Backplane::leave", channel.as_str()).await;
    }
}

#[async_trait]
impl ClientExtension for Panics {
    async fn incoming(&self, message: &mut Message) -> Flow {
        if message.data.is_some() {
            self.wait_at("ClientExtension::incoming", message.channel()).await;
        }
        Flow::Continue
    }

    async fn outgoing(&self, message: &mut Message) -> Flow {
        if message.channel() == "/local" {
            self.wait_at("ClientExtension::outgoing", "").await;
        }
        Flow::Continue
    }
}

#[async_trait]
impl MessageListener for Panics {
    async fn on_message(&self, channel: &dyn ClientSessionChannel, _message: &Message) {
        self.wait_at("MessageListener::on_message", channel.id().as_str()).await;
    }
}
