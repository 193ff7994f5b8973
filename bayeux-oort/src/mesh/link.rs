//! A link: this node's Bayeux client of another one.

use std::{
    fmt,
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bayeux_api::{
    ConnectionType, Message,
    client::{ClientSessionChannel, MessageListener, RequestError},
    implement::lock,
    meta,
};
use bayeux_client::{Backoff, BayeuxClient, Config, NetworkConfig, State, StateChanges};
use serde_json::json;

use crate::{
    Comet, SendError, Sending,
    mesh::{
        FAREWELL, Inner, misses,
        subscriptions::{self, Subscriptions},
        with,
    },
    proto::{
        cloud::LinkId,
        introduction::{Introduction, OORT, read_answer},
    },
};

/// A client of another node.
pub(super) struct Link {
    id: LinkId,
    url: String,
    client: BayeuxClient,
    /// The node that has answered.
    comet: Mutex<Option<Comet>>,
    /// What this session subscribes to, once it is opened.
    subscriptions: Mutex<Option<Subscriptions>>,
    /// How long the last answer took.
    delay: Mutex<Option<Duration>>,
}

/// This node's connection to another one, as it was when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OortComet {
    /// By which URL the node is reached.
    pub url: String,
    /// The node, once it has answered.
    pub comet: Option<Comet>,
    /// The state of the client.
    pub state: State,
    /// The transport in use.
    pub transport: ConnectionType,
    /// How long the last answer took that was not meant to be held.
    pub delay: Option<Duration>,
}

impl Link {
    /// Starts a session at `url`.
    pub(super) fn dial(
        mesh: &Arc<Inner>,
        id: LinkId,
        url: &str,
        alias: Option<&str>,
        tells_secret: bool,
    ) {
        let config = &mesh.config;
        let built = BayeuxClient::builder()
            .url(url)
            .config(client_config(mesh))
            .network(network_config(mesh))
            .transports(&config.transports)
            .build();
        let client = match built {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(url, %error, "a node cannot be dialed");
                return mesh.input(|machine, now| machine.answered(id, None, false, now));
            }
        };
        let link = Arc::new(Self {
            id,
            url: url.to_owned(),
            client,
            comet: Mutex::default(),
            subscriptions: Mutex::default(),
            delay: Mutex::default(),
        });
        lock(&mesh.links).insert(id, link.clone());
        link.listen(mesh);
        let proof = mesh.proof.as_ref().filter(|_| tells_secret);
        let introduction = Introduction::write(&mesh.own, url, alias, proof);
        let mut template = Message::default();
        template.ext_mut().insert(OORT.to_owned(), introduction);
        // From before the handshake: right after it the client may still be told of as it was.
        let states = link.client.states();
        // The reply is heard by the listener, as are those of later handshakes.
        drop(link.client.handshake_with(template));
        tokio::spawn(watch(Arc::downgrade(mesh), Arc::downgrade(&link), id, states));
    }

    fn listen(self: &Arc<Self>, mesh: &Arc<Inner>) {
        let handshakes = self.client.channel(meta::HANDSHAKE).expect("it is a channel");
        let all = self.client.channel("/**").expect("it is a channel");
        let heard = Heard { mesh: Arc::downgrade(mesh), link: Arc::downgrade(self) };
        handshakes.add_listener(Arc::new(Handshakes(heard.clone()))).keep();
        all.add_listener(Arc::new(heard)).keep();
    }

    pub(super) fn is_to(&self, comet: &Comet) -> bool {
        lock(&self.comet).as_ref() == Some(comet)
    }

    /// Subscribes to what is observed, tells which nodes there are, and joins, in one batch. From then on it is
    /// subscribed to what is observed, until the next session.
    pub(super) fn open(self: &Arc<Self>, mesh: &Arc<Inner>, known: Vec<String>) {
        let opened = Subscriptions::open(self, mesh, known);
        lock(&self.subscriptions).replace(opened);
    }

    /// What is observed has changed.
    pub(super) fn observes_others(&self) {
        lock(&self.subscriptions).iter().for_each(Subscriptions::changed);
    }

    /// Tells which nodes there are, and asks again for what was refused.
    pub(super) fn advertise(self: &Arc<Self>, known: &[String]) {
        lock(&self.subscriptions).iter().for_each(Subscriptions::again);
        let (begun, link) = (Instant::now(), self.clone());
        let told = self.publish(Message::with_data("/oort/cloud", json!(known)));
        tokio::spawn(async move {
            if told.await.is_ok() {
                link.took(begun.elapsed());
            }
        });
    }

    /// An answer took that long.
    pub(super) fn took(&self, delay: Duration) {
        lock(&self.delay).replace(delay);
    }

    pub(super) fn id(&self) -> LinkId {
        self.id
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn client(&self) -> &BayeuxClient {
        &self.client
    }

    /// Hands a message over.
    pub(super) fn publish(&self, message: Message) -> Sending {
        let Ok(channel) = self.client.channel(message.channel()) else {
            let error = SendError::Failed(format!("{:?} is no channel", message.channel()));
            return Box::pin(std::future::ready(Err(error)));
        };
        let reply = channel.publish_message(message);
        Box::pin(async move {
            match reply.await {
                Ok(_) => Ok(()),
                Err(RequestError::Refused(reply)) => {
                    Err(SendError::Refused(reply.error.unwrap_or_default()))
                }
                Err(error) => Err(SendError::Failed(error.to_string())),
            }
        })
    }

    /// Ends the session, and waits for that for a while.
    pub(super) async fn say_farewell(&self, patience: Duration) {
        let ended = async {
            let told = self.client.disconnect().await.is_ok();
            told && self.client.wait_for(patience, &[State::Disconnected]).await
        };
        if !tokio::time::timeout(patience, ended).await.unwrap_or(false) {
            self.client.abort();
        }
    }

    pub(super) fn abort(&self) {
        self.client.abort();
    }

    pub(super) fn describe(&self) -> OortComet {
        OortComet {
            url: self.url.clone(),
            comet: lock(&self.comet).clone(),
            state: self.client.state(),
            transport: self.client.transport(),
            delay: *lock(&self.delay),
        }
    }
}

fn client_config(mesh: &Inner) -> Config {
    let (first, maximum) = mesh.config.backoff;
    let mut config = Config::default();
    config.backoff = Backoff::Exponential { first, maximum };
    config.keep_subscriptions = false;
    config.acknowledgements = mesh.config.acknowledgements;
    config.acknowledgements_ahead = true;
    config.max_network_delay = Some(mesh.config.max_network_delay);
    config.max_send_message_size = mesh.config.max_message_size;
    // While something large is on its way, others find place.
    let large = mesh.config.max_message_size.saturating_mul(2);
    config.max_request_bytes = mesh.config.queue.bytes.max(large);
    // So does what is said at once when it joins.
    config.max_requests = mesh.config.queue.messages.max(2 * subscriptions::MOST);
    config
}

fn network_config(mesh: &Inner) -> NetworkConfig {
    let mut network = mesh.config.network.clone();
    let third = mesh.config.max_silence / 3;
    // Before the node does: who is asked by the other end has heard of it, and need not ask.
    network.ping_interval = Some(third * 2);
    network.ping_timeout = third;
    network.max_message_size = mesh.config.max_message_size;
    network
}

/// Tells the machine what becomes of a client.
async fn watch(mesh: Weak<Inner>, link: Weak<Link>, id: LinkId, mut states: StateChanges) {
    while let Some(now) = states.changed().await {
        let is_over = match now {
            State::Rehandshaking => {
                with(&mesh, |mesh| mesh.input(|machine, _| machine.failing(id))).is_none()
            }
            State::Disconnected => true,
            State::Handshaking
            | State::Handshaken
            | State::Connecting
            | State::Connected
            | State::Unconnected
            | State::Disconnecting
            | State::Terminating => false,
        };
        if is_over {
            break;
        }
    }
    if let Some(link) = link.upgrade() {
        // The reply that ended it is heard first: it may be this node's own.
        link.client.wait_for(FAREWELL, &[State::Disconnected]).await;
    }
    with(&mesh, |mesh| mesh.input(|machine, now| machine.closed(id, now)));
}

/// Hears what comes by a link, which it does not keep.
#[derive(Clone)]
struct Heard {
    mesh: Weak<Inner>,
    link: Weak<Link>,
}

#[async_trait]
impl MessageListener for Heard {
    async fn on_message(&self, channel: &dyn ClientSessionChannel, message: &Message) {
        let _ = channel;
        let is_broadcast =
            ["/meta/", "/service/"].iter().all(|it| !message.channel().starts_with(it));
        if !is_broadcast || message.data.is_none() || message.channel() == "/oort/cloud" {
            return;
        }
        let (Some(mesh), Some(link)) = (self.mesh.upgrade(), self.link.upgrade()) else { return };
        let comet = lock(&link.comet).clone();
        if let Some(comet) = comet {
            mesh.receive(&comet, message.clone()).await;
        }
    }
}

/// Hears the replies to handshakes.
struct Handshakes(Heard);

#[async_trait]
impl MessageListener for Handshakes {
    async fn on_message(&self, channel: &dyn ClientSessionChannel, message: &Message) {
        let _ = channel;
        let (Some(mesh), Some(link)) = (self.0.mesh.upgrade(), self.0.link.upgrade()) else {
            return;
        };
        let comet = read_answer(message);
        match &comet {
            Some(_) if message.is_successful() => {}
            // It is this node itself.
            Some(comet) if comet.id() == mesh.own.id() => {}
            _ => mesh.misses.missed(&link.url, &misses::reason(message)),
        }
        if !message.is_successful() && comet.is_none() {
            // A failure of the network, or somebody who may come to be a node: the client knows what to do.
            return;
        }
        *lock(&link.subscriptions) = None;
        lock(&link.comet).clone_from(&comet);
        let is_successful = message.is_successful();
        mesh.input(|machine, now| machine.answered(link.id, comet.as_ref(), is_successful, now));
        if let Some(comet) = comet.filter(|_| is_successful) {
            misses::look_out_for(&mesh, &link.url, comet);
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use bayeux_api::server::{Overflow, QueueBounds};

    use super::*;
    use crate::Mesh;

    /// What its own client refused would be said again, but after a while.
    #[test]
    fn what_is_said_at_once_finds_place_though_few_messages_may_wait() {
        let few = QueueBounds::new(8, 64 * 1024, Overflow::Disconnect);
        let mesh = Mesh::builder("http://a/").secret("s").configure(|config| config.queue = few);
        let config = client_config(&mesh.build().unwrap().0);
        assert!(config.max_requests >= 2 * subscriptions::MOST);
    }
}
