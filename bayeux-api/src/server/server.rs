//! The server itself.

use std::{fmt, ops::Deref, sync::Arc};

use async_trait::async_trait;
use bayeux_common::{ChannelIdError, ConnectionType};

use crate::{
    Registration,
    implement::Sealed,
    server::{
        ChannelListener, LocalSession, SecurityPolicy, ServerChannel, ServerExtension,
        ServerSession, SessionListener, Statistics, SubscriptionListener,
    },
};

/// A Bayeux server: its channels, its sessions and who watches them.
#[async_trait]
pub trait BayeuxServer: Sealed + Send + Sync + fmt::Debug {
    /// Returns the channel of this name, if it exists.
    #[doc(alias = "getChannel")]
    fn channel(&self, id: &str) -> Option<Arc<dyn ServerChannel>>;

    /// Returns all channels, sorted by name.
    #[doc(alias = "getChannels")]
    fn channels(&self) -> Vec<Arc<dyn ServerChannel>>;

    /// Returns the channel of this name, made if it does not exist; either way it stays for three sweeps at
    /// least. A new one is set up by `initialize` and then by the listeners before anybody can see it. Of
    /// several that make the same channel at once one sets it up. The others wait for that, threads as well
    /// as clients' messages, for five seconds at the most; after that, and when they are called from within
    /// `initialize` or a listener, which would wait for itself, they get it as it is. If `initialize`
    /// panics, there is no channel, and the next one makes it.
    ///
    /// # Errors
    ///
    /// When `id` is not a channel name.
    ///
    /// # Panics
    ///
    /// When `initialize` does, or a listener that configures the channel, which is not made then.
    #[doc(alias("createIfAbsent", "createChannelIfAbsent"))]
    fn create_channel_if_absent(
        &self,
        id: &str,
        initialize: &dyn Fn(&dyn ServerChannel),
    ) -> Result<Created, ChannelIdError>;

    /// Returns the session of this id.
    #[doc(alias = "getSession")]
    fn session(&self, id: &str) -> Option<Arc<dyn ServerSession>>;

    /// Returns all sessions.
    #[doc(alias = "getSessions")]
    fn sessions(&self) -> Vec<Arc<dyn ServerSession>>;

    /// Removes a session without telling its client, and returns whether it was there.
    async fn remove_session(&self, id: &str) -> bool;

    /// Makes a session for the server's own code; it has to be handshaken before use.
    fn new_local_session(&self, id_hint: &str) -> Arc<dyn LocalSession>;

    /// Adds an extension.
    fn add_extension(&self, extension: Arc<dyn ServerExtension>) -> Registration;

    /// Adds a listener to all channels.
    #[doc(alias = "addListener")]
    fn add_channel_listener(&self, listener: Arc<dyn ChannelListener>) -> Registration;

    /// Adds a listener to all sessions.
    #[doc(alias = "addListener")]
    fn add_session_listener(&self, listener: Arc<dyn SessionListener>) -> Registration;

    /// Adds a listener to all subscriptions.
    #[doc(alias = "addListener")]
    fn add_subscription_listener(&self, listener: Arc<dyn SubscriptionListener>) -> Registration;

    /// Returns the security policy; none allows everything.
    #[doc(alias = "getSecurityPolicy")]
    fn security_policy(&self) -> Option<Arc<dyn SecurityPolicy>>;

    /// Sets the security policy; none allows everything.
    fn set_security_policy(&self, policy: Option<Arc<dyn SecurityPolicy>>);

    /// Returns the transports that clients may use, in the order in which they are offered.
    #[doc(alias = "getAllowedTransports")]
    fn allowed_transports(&self) -> Vec<ConnectionType>;

    /// Returns what the server has counted so far.
    fn statistics(&self) -> Statistics;

    /// Describes the server as a tree of text.
    fn dump(&self, detail: Detail) -> String;
}

/// What [`BayeuxServer::create_channel_if_absent`] found or made. It can be used as the channel.
#[derive(Clone, Debug)]
#[doc(alias = "MarkedReference")]
pub enum Created<C = Arc<dyn ServerChannel>> {
    /// The channel was made.
    New(C),
    /// The channel was there.
    Existing(C),
}

impl<C> Created<C> {
    /// Returns the channel, new or not.
    pub fn channel(self) -> C {
        match self {
            Self::New(channel) | Self::Existing(channel) => channel,
        }
    }
}

impl<C> Deref for Created<C> {
    type Target = C;

    fn deref(&self) -> &C {
        match self {
            Self::New(channel) | Self::Existing(channel) => channel,
        }
    }
}

/// How much [`BayeuxServer::dump`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Numbers of channels and sessions.
    Summary,
    /// Each channel and session.
    Full,
}
