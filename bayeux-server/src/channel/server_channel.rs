//! A channel as an application holds it: a handle that stands for a name.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, ChannelId, Message, Registration,
    implement::{Sealed, lock},
    server::{
        Access, Authorizer, PublishError, Published, Reach, ServerChannel, ServerChannelListener,
        ServerSession,
    },
};

use crate::{
    channel::{Channel, Inserted, Presence},
    session::Session,
};

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
}

impl Sealed for Channel {}

#[async_trait]
impl ServerChannel for Channel {
    fn id(&self) -> &ChannelId {
        &self.id
    }

    fn is_persistent(&self) -> bool {
        self.read(|channel| channel.settings.is_persistent())
    }

    fn set_persistent(&self, persistent: bool) {
        self.change(|channel| channel.settings.set_persistent(persistent));
    }

    fn is_lazy(&self) -> bool {
        self.read(|channel| channel.settings.is_lazy())
    }

    fn set_lazy(&self, lazy: bool) {
        self.change(|channel| channel.settings.set_lazy(lazy));
    }

    fn lazy_timeout(&self) -> Option<Duration> {
        self.read(|channel| channel.settings.lazy_timeout())
    }

    fn set_lazy_timeout(&self, timeout: Duration) {
        self.change(|channel| channel.settings.set_lazy_timeout(timeout));
    }

    fn is_broadcast_to_publisher(&self) -> bool {
        self.read(|channel| channel.settings.is_broadcast_to_publisher())
    }

    fn set_broadcast_to_publisher(&self, broadcast: bool) {
        self.change(|channel| channel.settings.set_broadcast_to_publisher(broadcast));
    }

    fn reach(&self) -> Reach {
        self.read(|channel| channel.settings.reach())
    }

    fn set_reach(&self, reach: Reach) {
        self.change(|channel| channel.settings.set_reach(reach));
    }

    fn access(&self) -> Access {
        self.read(|channel| channel.settings.access())
    }

    fn set_access(&self, access: Access) {
        self.change(|channel| channel.settings.set_access(access));
    }

    fn is_ordered(&self) -> bool {
        self.read(|channel| channel.settings.is_ordered())
    }

    fn set_ordered(&self, ordered: bool) {
        if !self.id.is_wild() {
            self.change(|channel| channel.settings.set_ordered(ordered));
        }
    }

    fn position(&self) -> Option<u64> {
        self.read(|channel| channel.settings.position())
    }

    fn add_listener(&self, listener: Arc<dyn ServerChannelListener>) -> Registration {
        self.change(|channel| channel.listeners.add(listener.clone()))
    }

    fn add_authorizer(&self, authorizer: Arc<dyn Authorizer>) -> Registration {
        self.change(|channel| channel.authorizers.add(authorizer.clone()))
    }

    fn subscribers(&self) -> Vec<Arc<dyn ServerSession>> {
        self.read(|channel| channel.snapshot().iter().map(Session::as_dyn).collect())
    }

    async fn subscribe(&self, session: &dyn ServerSession) -> bool {
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

    async fn unsubscribe(&self, session: &dyn ServerSession) -> bool {
        let Some((server, channel)) = self.handles() else { return false };
        let Some(session) = server.0.sessions.get(session.id()) else { return false };
        if self.id.is_meta() {
            return false;
        }
        let channel = server.0.channels.get(self.id.as_str()).unwrap_or(channel);
        server.unsubscribe_session(&session, &channel, None).await;
        session.is_handshook()
    }

    async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: Message,
    ) -> Result<Published, PublishError> {
        if self.id.is_wild() {
            return Err(PublishError::Wild);
        }
        let Some((server, channel)) = self.handles() else { return Ok(Published::default()) };
        let channel = server.0.channels.get(self.id.as_str()).unwrap_or(channel);
        let from = from.and_then(|session| server.0.sessions.get(session.id()));
        server.publish_from_server(from.as_ref(), &channel, message).await
    }

    fn remove(&self) {
        if let Some((server, channel)) = self.handles() {
            server.remove_channel(&channel);
        }
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        self.read(|channel| lock(channel.attributes.get()?).get(name))
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        self.change(|channel| {
            lock(channel.attributes.get_or_init(Box::default)).set(name, value.clone())
        })
    }
}
