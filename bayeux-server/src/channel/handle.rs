//! A channel as an application holds it: a handle that stands for a name.

use std::{sync::Arc, time::Duration};

use bayeux_api::{
    Attribute, ChannelId, Message, Registration,
    implement::lock,
    server::{
        Access, Authorizer, PublishError, Published, Reach, ServerChannelListener, ServerSession,
    },
};

use crate::{
    channel::{Channel, Inserted, Presence},
    fan_out::Writing,
    session::Session,
};

#[expect(
    clippy::needless_pass_by_value,
    reason = "what is added is the channel's, though it is added again if the channel is removed meanwhile"
)]
impl Channel {
    /// Returns the channel's id.
    #[doc(alias = "getChannelId")]
    pub fn id(&self) -> &ChannelId {
        &self.id
    }

    /// Returns whether the channel stays without subscribers, listeners and authorizers. Meta and
    /// service channels do from the start.
    pub fn is_persistent(&self) -> bool {
        self.read(|channel| channel.settings.is_persistent())
    }

    /// Sets whether the channel stays.
    pub fn set_persistent(&self, persistent: bool) {
        self.change(|channel| channel.settings.set_persistent(persistent));
    }

    /// Returns whether what is published here is lazy.
    pub fn is_lazy(&self) -> bool {
        self.read(|channel| channel.settings.is_lazy())
    }

    /// Sets whether what is published here is lazy; false also forgets the lazy timeout.
    pub fn set_lazy(&self, lazy: bool) {
        self.change(|channel| channel.settings.set_lazy(lazy));
    }

    /// Returns how long a lazy message waits; none for the transport's `maxLazyTimeout`.
    #[doc(alias = "getLazyTimeout")]
    pub fn lazy_timeout(&self) -> Option<Duration> {
        self.read(|channel| channel.settings.lazy_timeout())
    }

    /// Sets how long a lazy message waits, and thereby makes the channel lazy.
    pub fn set_lazy_timeout(&self, timeout: Duration) {
        self.change(|channel| channel.settings.set_lazy_timeout(timeout));
    }

    /// Returns whether a publisher that subscribes here gets its own messages.
    pub fn is_broadcast_to_publisher(&self) -> bool {
        self.read(|channel| channel.settings.is_broadcast_to_publisher())
    }

    /// Sets whether a publisher that subscribes here gets its own messages.
    pub fn set_broadcast_to_publisher(&self, broadcast: bool) {
        self.change(|channel| channel.settings.set_broadcast_to_publisher(broadcast));
    }

    /// Returns whom the messages of this channel reach, as far as it was set here.
    pub fn reach(&self) -> Reach {
        self.read(|channel| channel.settings.reach())
    }

    /// Sets whom the messages of this channel reach; of a wild one, those of all channels that it matches,
    /// be they made later. Of several that match a channel the narrowest counts. A channel for which this
    /// is set stays.
    pub fn set_reach(&self, reach: Reach) {
        self.change(|channel| channel.settings.set_reach(reach));
    }

    /// Returns who may use this channel, as far as it was set here.
    pub fn access(&self) -> Access {
        self.read(|channel| channel.settings.access())
    }

    /// Sets who may create, subscribe to and publish on this channel; of a wild one, and all channels that
    /// it matches, be they made later. Who is subscribed already stays so, and clients of wider wild channels
    /// get the messages all the same unless [`set_reach`](Self::set_reach) keeps them from it. A channel for
    /// which this is set stays.
    pub fn set_access(&self, access: Access) {
        self.change(|channel| channel.settings.set_access(access));
    }

    /// Returns whether all subscribers get what is published here in one order.
    pub fn is_ordered(&self) -> bool {
        self.read(|channel| channel.settings.is_ordered())
    }

    /// Sets whether all subscribers, those of wild channels included, get what is published here in one
    /// order, whoever publishes at once. Then a message is queued for all of them before the next one is, and
    /// [`publish`](Self::publish) waits for its turn. What an application added to a subscriber's session
    /// holds up the others too, in all for 5 s with one message: who waits for longer is given up, and that
    /// session misses the message. A listener of the channel comes before the turn, and may publish here.
    ///
    /// A channel for which this is set stays. Nothing is set for a wild channel: each channel has an order of
    /// its own.
    pub fn set_ordered(&self, ordered: bool) {
        if !self.id.is_wild() {
            self.change(|channel| channel.settings.set_ordered(ordered));
        }
    }

    /// Returns how many messages were published here in one order: the position of the last. Who subscribes
    /// gets those after the position at that moment, and none before. None if this was never
    /// [ordered](Self::set_ordered).
    pub fn position(&self) -> Option<u64> {
        self.read(|channel| channel.settings.position())
    }

    /// Adds a listener.
    pub fn add_listener(&self, listener: Arc<dyn ServerChannelListener>) -> Registration {
        self.change(|channel| channel.listeners.add(listener.clone()))
    }

    /// Adds an authorizer.
    pub fn add_authorizer(&self, authorizer: Arc<dyn Authorizer>) -> Registration {
        self.change(|channel| channel.authorizers.add(authorizer.clone()))
    }

    /// Returns the sessions that are subscribed to exactly this channel.
    #[doc(alias = "getSubscribers")]
    pub fn subscribers(&self) -> Vec<Arc<Session>> {
        self.read(|channel| channel.snapshot().to_vec())
    }

    /// Subscribes `session`, and returns whether it is subscribed: false when it has ended, has as many
    /// subscriptions as it may, other servers' messages would not come here, or this is a meta channel.
    /// Nothing happens on a service channel, and that is true.
    pub async fn subscribe(&self, session: &dyn ServerSession) -> bool {
        let Some((server, mut channel)) = self.handles() else { return false };
        let Some(session) = server.0.sessions.get(session.id()) else { return false };
        loop {
            match server.subscribe_session(&session, &channel, None).await {
                Ok(Inserted::New { .. } | Inserted::Already) => return session.is_handshook(),
                Ok(Inserted::Removed) => channel = server.revive_channel(&channel),
                Ok(Inserted::TooMany) | Err(_) => return false,
            }
        }
    }

    /// Unsubscribes `session`; false when it has ended or this is a meta channel.
    pub async fn unsubscribe(&self, session: &dyn ServerSession) -> bool {
        let Some((server, channel)) = self.handles() else { return false };
        let Some(session) = server.0.sessions.get(session.id()) else { return false };
        if self.id.is_meta() {
            return false;
        }
        let channel = server.0.channels.get(self.id.as_str()).unwrap_or(channel);
        server.unsubscribe_session(&session, &channel, None).await;
        session.is_handshook()
    }

    /// Publishes to all subscribers, without asking the policy or the authorizers, and returns what
    /// became of the message. That is data, or a whole [`Message`], whose channel becomes this one.
    ///
    /// # Errors
    ///
    /// When this is a wild channel, the message was deleted on its way, or it could not be passed on to other
    /// servers, in which case this one's sessions do not get it either.
    pub async fn publish(&self, message: impl Into<Message>) -> Result<Published, PublishError> {
        self.publish_for(None, message.into(), Writing::AtOnce).await
    }

    /// Publishes on behalf of `from`, as [`publish`](Self::publish) does: the listeners see who it is, and
    /// it gets its own message only if that is set.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn publish_from(
        &self,
        from: &dyn ServerSession,
        message: impl Into<Message>,
    ) -> Result<Published, PublishError> {
        self.publish_for(Some(from), message.into(), Writing::AtOnce).await
    }

    /// Publishes as [`publish_from`](Self::publish_from) does, but what becomes of it is written together with
    /// what else is published so within [`Server::together`](crate::Server::together), when that waits or is
    /// done.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn publish_together(
        &self,
        from: &dyn ServerSession,
        message: impl Into<Message>,
    ) -> Result<Published, PublishError> {
        self.publish_for(Some(from), message.into(), Writing::Gathered).await
    }

    /// Removes this channel, not those below it, and its listeners. Its subscribers forget it without a
    /// notice. Nothing happens to one that has taken its name since it was removed.
    pub fn remove(&self) {
        if let Some((server, channel)) = self.handles() {
            server.remove_channel(&channel);
        }
    }

    /// Returns the attribute of this name.
    #[doc(alias = "getAttribute")]
    pub fn attribute(&self, name: &str) -> Option<Attribute> {
        self.read(|channel| lock(channel.attributes.get()?).get(name))
    }

    /// Sets the attribute of this name and returns its old value.
    pub fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        self.change(|channel| {
            lock(channel.attributes.get_or_init(Box::default)).set(name, value.clone())
        })
    }
}

impl Channel {
    /// Asks the channel that has this name now.
    fn read<T>(&self, read: impl FnOnce(&Self) -> T) -> T {
        if self.presence() != Presence::Removed {
            return read(self);
        }
        let current =
            self.server.upgrade().and_then(|server| server.channels.get(self.id.as_str()));
        read(current.as_deref().unwrap_or(self))
    }

    /// Changes the channel that has this name now, which is registered again if none has. When it was
    /// removed while that was done, it is done again.
    fn change<T>(&self, change: impl Fn(&Self) -> T) -> T {
        let mut current = None;
        loop {
            let channel = current.as_deref().unwrap_or(self);
            if channel.presence() == Presence::Removed
                && let Some((server, channel)) = channel.handles()
            {
                current = Some(server.revive_channel(&channel));
            }
            let channel = current.as_deref().unwrap_or(self);
            let done = change(channel);
            channel.use_again();
            if channel.presence() != Presence::Removed || channel.handles().is_none() {
                return done;
            }
        }
    }

    pub(super) async fn publish_for(
        &self,
        from: Option<&dyn ServerSession>,
        message: Message,
        writing: Writing,
    ) -> Result<Published, PublishError> {
        if self.id.is_wild() {
            return Err(PublishError::Wild);
        }
        let Some((server, channel)) = self.handles() else { return Ok(Published::default()) };
        let channel = server.0.channels.get(self.id.as_str()).unwrap_or(channel);
        let from = from.and_then(|session| server.0.sessions.get(session.id()));
        server.publish_from_server(from.as_ref(), &channel, message, writing).await
    }
}
