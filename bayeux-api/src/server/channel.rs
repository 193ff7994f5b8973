//! A channel as the server sees it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_common::{ChannelId, Message};

use crate::{
    Attribute, Registration,
    implement::Sealed,
    server::{Access, Authorizer, Passage, Reach, ServerChannelListener, ServerSession},
};

/// A channel of a server. Its settings may be changed at any time.
///
/// This is a handle, which stands for the channel's name. The channel it was got for may have been removed
/// since, by [`remove`](Self::remove) or by the sweeper, after which somebody may have made it anew. What is
/// then added, set or subscribed goes to the channel that has the name now. If none has, the one that was
/// removed is there again, with its settings, attributes and authorizers: the listeners of channels hear
/// that it was added.
#[async_trait]
#[doc(alias = "ConfigurableServerChannel")]
pub trait ServerChannel: Sealed + Send + Sync + fmt::Debug {
    /// Returns the channel's id.
    #[doc(alias = "getChannelId")]
    fn id(&self) -> &ChannelId;

    /// Returns whether the channel stays without subscribers, listeners and authorizers. Meta and
    /// service channels do from the start.
    fn is_persistent(&self) -> bool;

    /// Sets whether the channel stays.
    fn set_persistent(&self, persistent: bool);

    /// Returns whether what is published here is lazy.
    fn is_lazy(&self) -> bool;

    /// Sets whether what is published here is lazy; false also forgets the lazy timeout.
    fn set_lazy(&self, lazy: bool);

    /// Returns how long a lazy message waits; none for the transport's `maxLazyTimeout`.
    #[doc(alias = "getLazyTimeout")]
    fn lazy_timeout(&self) -> Option<Duration>;

    /// Sets how long a lazy message waits, and thereby makes the channel lazy.
    fn set_lazy_timeout(&self, timeout: Duration);

    /// Returns whether a publisher that subscribes here gets its own messages.
    fn is_broadcast_to_publisher(&self) -> bool;

    /// Sets whether a publisher that subscribes here gets its own messages.
    fn set_broadcast_to_publisher(&self, broadcast: bool);

    /// Returns whom the messages of this channel reach, as far as it was set here.
    fn reach(&self) -> Reach;

    /// Sets whom the messages of this channel reach; of a wild one, those of all channels that it matches,
    /// be they made later. Of several that match a channel the narrowest counts. A channel for which this
    /// is set stays.
    fn set_reach(&self, reach: Reach);

    /// Returns who may use this channel, as far as it was set here.
    fn access(&self) -> Access;

    /// Sets who may create, subscribe to and publish on this channel; of a wild one, and all channels that
    /// it matches, be they made later. Who is subscribed already stays so, and clients of wider wild channels
    /// get the messages all the same unless [`set_reach`](Self::set_reach) keeps them from it. A channel for
    /// which this is set stays.
    fn set_access(&self, access: Access);

    /// Returns whether all subscribers get what is published here in one order.
    fn is_ordered(&self) -> bool;

    /// Sets whether all subscribers, those of wild channels included, get what is published here in one
    /// order, whoever publishes at once. Then a message is queued for all of them before the next one is, and
    /// [`publish`](Self::publish) waits for its turn. What an application added to a subscriber's session
    /// holds up the others too, in all for 5 s with one message: who waits for longer is given up, and that
    /// session misses the message. A listener of the channel comes before the turn, and may publish here.
    ///
    /// A channel for which this is set stays. Nothing is set for a wild channel: each channel has an order of
    /// its own.
    fn set_ordered(&self, ordered: bool);

    /// Returns how many messages were published here in one order: the position of the last. Who subscribes
    /// gets those after the position at that moment, and none before. None if this was never
    /// [ordered](Self::set_ordered).
    fn position(&self) -> Option<u64>;

    /// Adds a listener.
    fn add_listener(&self, listener: Arc<dyn ServerChannelListener>) -> Registration;

    /// Adds an authorizer.
    fn add_authorizer(&self, authorizer: Arc<dyn Authorizer>) -> Registration;

    /// Returns the sessions that are subscribed to exactly this channel.
    #[doc(alias = "getSubscribers")]
    fn subscribers(&self) -> Vec<Arc<dyn ServerSession>>;

    /// Subscribes `session`, and returns whether it is subscribed: false when it has ended, has as many
    /// subscriptions as it may, other servers' messages would not come here, or this is a meta channel.
    /// Nothing happens on a service channel, and that is true.
    async fn subscribe(&self, session: &dyn ServerSession) -> bool;

    /// Unsubscribes `session`; false when it has ended or this is a meta channel.
    async fn unsubscribe(&self, session: &dyn ServerSession) -> bool;

    /// Publishes to all subscribers, without asking the policy or the authorizers, and returns what
    /// became of the message.
    ///
    /// # Errors
    ///
    /// When this is a wild channel, the message was deleted on its way, or it could not be passed on to other
    /// servers, in which case this one's sessions do not get it either.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it goes on though the future is dropped: all subscribers get the message, or none does.
    async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: Message,
    ) -> Result<Published, PublishError>;

    /// Removes this channel, not those below it, and its listeners. Its subscribers forget it without a
    /// notice. Nothing happens to one that has taken its name since it was removed.
    fn remove(&self);

    /// Returns the attribute of this name.
    #[doc(alias = "getAttribute")]
    fn attribute(&self, name: &str) -> Option<Attribute>;

    /// Sets the attribute of this name and returns its old value.
    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute>;
}

/// What became of a message that the server's own code published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// How many sessions of this server took it; none yet of what comes [back](Passage::Back).
    pub sessions: usize,
    /// How it was passed on to other servers; none when it was not, since there is no
    /// [`Backplane`](crate::server::Backplane) or the message was for this server alone.
    pub passage: Option<Passage>,
}

/// Why a message was not published by [`ServerChannel::publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Messages go to channels with a name, not to wild ones.
    #[error("a message cannot be published on a wild channel")]
    Wild,
    /// A listener or an extension deleted it.
    #[error("a listener or an extension deleted the message")]
    Deleted,
    /// The [`Backplane`](crate::server::Backplane) could not pass it on.
    #[error("the message could not be passed on to other servers")]
    Unavailable,
    /// A hook of a subscriber's session publishes on the [ordered](ServerChannel::set_ordered) channel of
    /// the message that it is shown, and waits: for itself. It may publish in a task of its own.
    #[error("who publishes has the turn of another message on the channel")]
    Nested,
    /// Too many wait for their turn on an [ordered](ServerChannel::set_ordered) channel, or this one did for
    /// too long: 10,000, or 30 s.
    #[error("the turn to publish on the channel did not come")]
    Busy,
}
