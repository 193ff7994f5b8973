//! A server as an application holds it.

use std::{
    fmt::Write as _,
    sync::{Arc, PoisonError},
};

use bayeux_api::{
    ChannelId, ChannelIdError, ConnectionType, Registration,
    server::{
        ChannelListener, Created, Detail, LocalSession, Removal, SecurityPolicy, ServerExtension,
        SessionListener, Statistics, SubscriptionListener,
    },
};

use crate::{
    channel::{Channel, Found},
    fan_out::Together,
    local_session::Local,
    server::Server,
    session::Session,
};

impl Server {
    /// Returns the channel of this name, if it exists.
    #[doc(alias = "getChannel")]
    pub fn channel(&self, id: &str) -> Option<Arc<Channel>> {
        let id = ChannelId::new(id).ok()?;
        self.0.channels.get(id.as_str())
    }

    /// Returns all channels, sorted by name.
    #[doc(alias = "getChannels")]
    pub fn channels(&self) -> Vec<Arc<Channel>> {
        self.0.channels.all()
    }

    /// Returns the channel of this name, made if it does not exist; either way it stays for three sweeps at
    /// least. [`create_channel_if_absent_with`](Self::create_channel_if_absent_with) sets it up, too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use serde_json::json;
    /// # let server = bayeux_server::Server::new();
    /// server.create_channel_if_absent("/news")?.publish(json!("up and running")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When `id` is not a channel name.
    ///
    /// # Panics
    ///
    /// When a listener does that configures the channel, which is not made then.
    #[doc(alias("createIfAbsent", "createChannelIfAbsent"))]
    pub fn create_channel_if_absent(
        &self,
        id: &str,
    ) -> Result<Created<Arc<Channel>>, ChannelIdError> {
        self.create_channel_if_absent_with(id, |_| {})
    }

    /// Returns the channel of this name, made and set up if it does not exist; either way it stays for three
    /// sweeps at least. A new one is set up by `initialize` and then by the listeners before anybody can see
    /// it. Of several that make the same channel at once one sets it up. The others wait for that, threads as
    /// well as clients' messages, for five seconds at the most; after that, and when they are called from
    /// within `initialize` or a listener, which would wait for itself, they get it as it is. If `initialize`
    /// panics, there is no channel, and the next one makes it.
    ///
    /// # Errors
    ///
    /// When `id` is not a channel name.
    ///
    /// # Panics
    ///
    /// When `initialize` does, or a listener that configures the channel, which is not made then.
    #[doc(alias = "Initializer")]
    pub fn create_channel_if_absent_with(
        &self,
        id: &str,
        initialize: impl Fn(&Channel),
    ) -> Result<Created<Arc<Channel>>, ChannelIdError> {
        let id = ChannelId::new(id)?;
        Ok(match self.create_channel(&id, &initialize) {
            Some(Found::New(channel)) => Created::New(channel),
            Some(Found::Existing(channel)) => Created::Existing(channel),
            None => panic!("a listener panicked that was to configure {id}"),
        })
    }

    /// Does `work`, which may be a task of its own. What it publishes at this server by
    /// [`Channel::publish_together`](Channel::publish_together) meanwhile, or delivers by
    /// [`Session::deliver_frozen_together`](Session::deliver_frozen_together), is written when it waits or is done,
    /// in one write for each connection: for work that takes many messages from somewhere, and has nobody wait
    /// for what becomes of them.
    pub fn together<F: Future + Send>(
        &self,
        work: F,
    ) -> impl Future<Output = F::Output> + Send + use<F> {
        Together::new(self, Box::pin(work))
    }

    /// Returns the session of this id.
    #[doc(alias = "getSession")]
    pub fn session(&self, id: &str) -> Option<Arc<Session>> {
        self.0.sessions.get(id)
    }

    /// Returns all sessions.
    #[doc(alias = "getSessions")]
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.0.sessions.all()
    }

    /// Removes a session without telling its client, and returns whether it was there.
    pub async fn remove_session(&self, id: &str) -> bool {
        match self.0.sessions.get(id) {
            Some(session) => self.end_session(&session, Removal::Removed, None).await,
            None => false,
        }
    }

    /// Makes a session for the server's own code; it has to be handshaken before use.
    pub fn new_local_session(&self, id_hint: &str) -> Arc<dyn LocalSession> {
        Local::new(self, id_hint)
    }

    /// Adds an extension.
    pub fn add_extension(&self, extension: Arc<dyn ServerExtension>) -> Registration {
        self.0.extensions.add(extension)
    }

    /// Adds a listener to all channels.
    #[doc(alias = "addListener")]
    pub fn add_channel_listener(&self, listener: Arc<dyn ChannelListener>) -> Registration {
        self.0.channel_listeners.add(listener)
    }

    /// Adds a listener to all sessions.
    #[doc(alias = "addListener")]
    pub fn add_session_listener(&self, listener: Arc<dyn SessionListener>) -> Registration {
        self.0.session_listeners.add(listener)
    }

    /// Adds a listener to all subscriptions.
    #[doc(alias = "addListener")]
    pub fn add_subscription_listener(
        &self,
        listener: Arc<dyn SubscriptionListener>,
    ) -> Registration {
        self.0.subscription_listeners.add(listener)
    }

    /// Returns the security policy; none allows everything.
    #[doc(alias = "getSecurityPolicy")]
    pub fn security_policy(&self) -> Option<Arc<dyn SecurityPolicy>> {
        self.policy()
    }

    /// Sets the security policy; none allows everything.
    pub fn set_security_policy(&self, policy: Option<Arc<dyn SecurityPolicy>>) {
        *self.0.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Returns the transports that clients may use, in the order in which they are offered.
    #[doc(alias = "getAllowedTransports")]
    pub fn allowed_transports(&self) -> Vec<ConnectionType> {
        self.0.config.allowed_transports.clone()
    }

    /// Returns what the server has counted so far.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.0.counters.read();
        statistics.sessions = self.0.sessions.len() as u64;
        statistics.channels = self.0.channels.len() as u64;
        statistics
    }

    /// Describes the server as a tree of text.
    pub fn dump(&self, detail: Detail) -> String {
        let mut out = String::new();
        let transports: Vec<_> =
            self.allowed_transports().iter().map(|transport| transport.as_str()).collect();
        let _ = writeln!(out, "security policy: {:?}", self.policy());
        let _ = writeln!(out, "transports: {}", transports.join(", "));
        let _ = writeln!(out, "statistics: {:?}", self.statistics());
        let _ = writeln!(out, "channels size={}", self.0.channels.len());
        if detail == Detail::Full {
            self.0.channels.all().iter().for_each(|channel| channel.describe(&mut out));
        }
        let _ = writeln!(out, "sessions size={}", self.0.sessions.len());
        if detail == Detail::Full {
            self.0.sessions.all().iter().for_each(|session| session.describe(&mut out));
        }
        out
    }
}
