//! What these tests share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, TransportListener,
    api::{
        ChannelId, Flow, Message,
        client::{ClientExtension, RequestError},
        server::{BayeuxServer, SecurityPolicy, ServerChannel, ServerMessage, ServerSession},
    },
};
use bayeux_server::{Config, Server};
use tests::{TestServer, every_transport, hooks::Log, within};
use tokio::{net::TcpListener, task::JoinSet};

/// Returns a log of what `client` sends: one entry for each request, of its messages' channels.
pub(crate) fn wire(client: &BayeuxClient) -> Log {
    let log = Log::default();
    client.add_transport_listener(Arc::new(Wire(log.clone()))).keep();
    log
}

#[derive(Debug)]
struct Wire(Log);

impl TransportListener for Wire {
    fn sending(&self, messages: &[Message]) {
        let channels: Vec<_> = messages.iter().map(Message::channel).collect();
        self.0.add(channels.join(" "));
    }
}

/// Allows everything but one thing: `handshake`, `create`, `subscribe` or `publish`.
#[derive(Debug)]
pub(crate) struct Denies(pub(crate) &'static str);

impl Denies {
    /// Starts a server with this policy.
    pub(crate) async fn server(self) -> TestServer {
        TestServer::serve(Server::builder().policy(self).build()).await
    }
}

#[async_trait]
impl SecurityPolicy for Denies {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "handshake"
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "create"
    }

    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "subscribe"
    }

    async fn can_publish(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "publish"
    }
}

/// Returns the error's text in a reply that refuses.
///
/// # Panics
///
/// When it was not refused.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, RequestError>) -> String {
    match result {
        Err(RequestError::Refused(reply)) => reply.error.unwrap_or_default(),
        other => panic!("it is not refused: {other:?}"),
    }
}

/// An extension made of a closure, which is told whether a message arrives.
pub(crate) struct Sees<F>(pub(crate) F);

#[async_trait]
impl<F: Fn(bool, &mut Message) -> Flow + Send + Sync> ClientExtension for Sees<F> {
    async fn incoming(&self, message: &mut Message) -> Flow {
        (self.0)(true, message)
    }

    async fn outgoing(&self, message: &mut Message) -> Flow {
        (self.0)(false, message)
    }
}

impl<F> std::fmt::Debug for Sees<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sees")
    }
}

/// Serves `server` at an address that was another's, until it is dropped.
pub(crate) async fn serve_at(server: &Server, address: SocketAddr) -> JoinSet<()> {
    let listener = within("the port", TcpListener::bind(address)).await.unwrap();
    let mut serving = JoinSet::new();
    let server = server.clone();
    serving.spawn(async move { server.serve(listener).await.unwrap() });
    serving
}

/// Makes clients wait between their connects, so that there is a time when none is held.
pub(crate) fn pausing(config: &mut Config) {
    every_transport(config, |transport| transport.interval = Duration::from_secs(2));
}

/// Ends all sessions of a [pausing] server whose clients have just connected, without a word to them.
pub(crate) async fn forget_all(server: &TestServer) {
    for session in server.server.sessions() {
        assert!(server.server.remove_session(session.id()).await);
    }
}
