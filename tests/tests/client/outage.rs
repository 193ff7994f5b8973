//! Networks that break and come back, between a client and a server that lives on.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use bayeux_client::{
    BayeuxClient, Config, State,
    api::{
        ConnectionType,
        client::{ClientSession as _, RequestError},
    },
};
use serde_json::json;
use tests::{TestServer, arrive, brisk, brisk_client, eventually, within};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::scene::wire;

/// The transports that have a network.
const NETWORKS: [ConnectionType; 2] = [ConnectionType::WebSocket, ConnectionType::LongPolling];

/// A network between a client and a server, which can be cut.
struct Relay {
    address: SocketAddr,
    is_down: Arc<AtomicBool>,
    /// How many connections there are.
    open: Arc<AtomicUsize>,
    cut: watch::Sender<()>,
    _relaying: JoinSet<()>,
}

impl Relay {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_down, cut) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(()));
        let mut relaying = JoinSet::new();
        let open = Arc::new(AtomicUsize::new(0));
        let (down, cuts, count) = (is_down.clone(), cut.clone(), open.clone());
        relaying.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                if down.load(SeqCst) {
                    continue;
                }
                let mut cut = cuts.subscribe();
                let count = count.clone();
                count.fetch_add(1, SeqCst);
                connections.spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                    count.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, is_down, open, cut, _relaying: relaying }
    }

    /// Breaks all connections; new ones work.
    fn cut(&self) {
        self.cut.send_replace(());
    }

    /// Breaks all connections, and new ones too.
    fn go_down(&self) {
        self.is_down.store(true, SeqCst);
        self.cut();
    }

    fn come_back(&self) {
        self.is_down.store(false, SeqCst);
    }

    /// Returns a client that is connected through this.
    async fn client(&self, transport: ConnectionType, config: Config) -> BayeuxClient {
        let builder = BayeuxClient::builder().transports(&[transport]).config(config);
        let client = builder.url(&format!("http://{}/cometd", self.address)).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        client
    }
}

#[tokio::test]
async fn a_short_outage_keeps_the_session_and_its_subscriptions() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let relay = Relay::to(server.address).await;
        let client = relay.client(transport, brisk_client()).await;
        let (first, sent) = (client.id(), wire(&client));
        let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
        eventually("a held connect", || server.server.statistics().held_connects == 1).await;
        let mut states = client.states();
        relay.go_down();
        let cut = states.wait_for(|state| *state == State::Unconnected);
        within("the cut", cut).await.unwrap();
        assert!(client.is_handshook() && !client.is_connected());
        relay.come_back();
        arrive(&client, State::Connected).await;
        assert_eq!(client.id(), first);
        let channel = server.server.channel("/a").unwrap();
        channel.publish(json!(1)).await.unwrap();
        within("message", messages.next()).await.unwrap();
        assert_eq!([sent.count("/meta/handshake"), sent.count("/meta/subscribe")], [0, 1]);
    }
}

#[tokio::test]
async fn a_long_outage_starts_a_new_session_with_the_same_subscriptions() {
    for transport in NETWORKS {
        let server = TestServer::start(brisk).await;
        let relay = Relay::to(server.address).await;
        let client = relay.client(transport, brisk_client()).await;
        let first = client.id();
        let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
        relay.go_down();
        eventually("the session to expire", || server.server.sessions().is_empty()).await;
        relay.come_back();
        eventually("another subscription", || {
            let sessions = server.server.sessions();
            sessions.iter().any(|session| !session.subscriptions().is_empty())
        })
        .await;
        arrive(&client, State::Connected).await;
        assert_ne!(client.id(), first);
        let channel = server.server.channel("/a").unwrap();
        channel.publish(json!(1)).await.unwrap();
        within("message", messages.next()).await.unwrap();
    }
}

#[tokio::test]
async fn with_acknowledgements_cuts_lose_nothing_and_double_nothing() {
    for (transport, ahead) in NETWORKS.into_iter().flat_map(|one| [(one, false), (one, true)]) {
        let server = TestServer::start(|config| config.acknowledgements = true).await;
        let relay = Relay::to(server.address).await;
        let mut config = brisk_client();
        (config.acknowledgements, config.acknowledgements_ahead) = (true, ahead);
        let client = relay.client(transport, config).await;
        let first = client.id();
        let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
        let channel = server.server.channel("/a").unwrap();
        let mut expected = 0..200;
        for number in 0..200 {
            channel.publish(json!(number)).await.unwrap();
            if number % 20 == 10 {
                // Some are on their way, some not yet.
                let message = within("message", messages.next()).await.unwrap();
                assert_eq!(message.data.unwrap(), json!(expected.next().unwrap()), "{transport}");
                relay.cut();
            }
        }
        for number in expected {
            let message = within("message", messages.next()).await.unwrap();
            assert_eq!(message.data.unwrap(), json!(number), "{transport}");
        }
        let session = server.server.sessions().remove(0);
        // What went ahead is acknowledged by the next connect.
        relay.cut();
        eventually("all to be acknowledged", || session.queue_depth().messages == 0).await;
        assert!(messages.try_next().is_none());
        assert_eq!(client.id(), first);
    }
}

#[tokio::test]
async fn each_publish_of_an_outage_is_answered_once() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let relay = Relay::to(server.address).await;
        let client = relay.client(transport, brisk_client()).await;
        let channel = client.channel("/a").unwrap();
        let mut replies: Vec<_> = (0..10).map(|number| channel.publish(json!(number))).collect();
        relay.go_down();
        replies.extend((0..10).map(|number| channel.publish(json!(number))));
        let mut failed = 0;
        for reply in replies {
            match within("a reply", reply).await {
                Ok(reply) => assert!(reply.is_successful()),
                Err(RequestError::Failed(_)) => failed += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(failed >= 10, "{failed}");
        relay.come_back();
        arrive(&client, State::Connected).await;
        within("publish", channel.publish(json!(1))).await.unwrap();
    }
}

#[tokio::test]
async fn a_disconnect_in_an_outage_ends_the_session_here() {
    for transport in NETWORKS {
        let server = TestServer::start(brisk).await;
        let relay = Relay::to(server.address).await;
        let client = relay.client(transport, brisk_client()).await;
        let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
        relay.go_down();
        let failed = within("the disconnect", client.disconnect()).await;
        assert!(matches!(failed, Err(RequestError::Failed(_))), "{failed:?}");
        arrive(&client, State::Disconnected).await;
        assert!(within("the stream's end", messages.next()).await.is_none());
        eventually("the session to expire", || server.server.sessions().is_empty()).await;
    }
}

#[tokio::test]
async fn a_session_that_ends_closes_its_connections() {
    for transport in NETWORKS {
        let server = TestServer::start(brisk).await;
        let relay = Relay::to(server.address).await;
        for end in ["disconnect", "abort", "drop"] {
            let client = relay.client(transport, brisk_client()).await;
            within("it", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
            assert!(relay.open.load(SeqCst) > 0);
            match end {
                "disconnect" => drop(within("it", client.disconnect()).await.unwrap()),
                "abort" => client.abort(),
                _ => drop(client),
            }
            let what = format!("{transport} to be closed by {end}");
            eventually(&what, || relay.open.load(SeqCst) == 0).await;
        }
    }
}
