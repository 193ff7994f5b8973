//! The gate: this node's server, as far as other nodes come to it. What a handshake says is looked at here, and
//! so are joins, lists of nodes and what nodes send to this one.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, BayeuxError, ConnectionType, Flow, Message, Reconnect,
    implement::lock,
    server::{
        Access, ConnectionLimits, Reach, Removal, ServerChannel, ServerChannelListener,
        ServerExtension, ServerMessage, ServerSession, SessionKind, SessionListener,
        SubscriptionListener,
    },
};
use bayeux_server::{Channel, Server};
use serde_json::Value;

use crate::{
    Comet, StartError, Trust,
    mesh::{Inner, with},
    proto::{
        cloud::{Ending, Machine, Unheard},
        introduction::{Introduction, OORT, answer, read_join},
        url::LONGEST,
    },
};

/// What belongs to the cluster, and not to its clients.
const CLUSTERS: [&str; 4] = ["/oort/**", "/service/oort", "/service/oort/**", "/seti/**"];

/// As what a server knows the mesh that it is of, on the cloud's channel.
const MESH: &str = "org.cometd.oort.Oort";

const CLOUD: &str = "/oort/cloud";
const JOIN: &str = "/service/oort";

/// How long a mesh that was dropped may need until its tasks have ended.
const RELEASE: Duration = Duration::from_secs(1);

/// A server that is a mesh's: until this is dropped, unless it is kept.
pub(super) struct Claim {
    mesh: Weak<Inner>,
    cloud: Arc<Channel>,
    is_kept: bool,
}

impl Claim {
    /// The server is the mesh's as long as that is there.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let _claiming = lock(&CLAIMING);
        let owner = self.cloud.attribute(MESH);
        let owner = owner.as_ref().and_then(|owner| owner.downcast_ref::<Weak<Inner>>());
        if owner.is_some_and(|owner| owner.ptr_eq(&self.mesh)) {
            self.cloud.set_attribute(MESH, Arc::new(Weak::<Inner>::new()));
        }
    }
}

/// Makes `server` one of this mesh's. Waits a moment for a former one to be gone.
pub(super) async fn claim(mesh: &Arc<Inner>, server: &Server) -> Result<Claim, StartError> {
    let cloud = channel(server, CLOUD);
    cloud.set_persistent(true);
    let is_free = async {
        while !try_claim(mesh, &cloud) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(RELEASE, is_free).await.map_err(|_| {
        StartError::Failed("the server is a node already: a server is of one mesh".to_owned())
    })?;
    Ok(Claim { mesh: Arc::downgrade(mesh), cloud, is_kept: false })
}

/// Held while a mesh looks whether a server is another's and makes it its own.
static CLAIMING: Mutex<()> = Mutex::new(());

fn try_claim(mesh: &Arc<Inner>, cloud: &Channel) -> bool {
    // Let go of after the lock: it may be the last of it.
    let other;
    let _claiming = lock(&CLAIMING);
    let former = cloud.attribute(MESH);
    other = former.as_ref().and_then(|former| former.downcast_ref::<Weak<Inner>>()?.upgrade());
    let is_free = other.as_ref().is_none_or(|other| lock(&other.machine).is_stopped());
    if is_free {
        let mine: Attribute = Arc::new(Arc::downgrade(mesh));
        cloud.set_attribute(MESH, mine);
    }
    is_free
}

fn channel(server: &Server, name: &str) -> Arc<Channel> {
    server.create_channel_if_absent(name).expect("it is a channel").channel()
}

/// Lets other nodes come to `server`, and keeps its clients from what belongs to the cluster.
pub(super) fn open(mesh: &Arc<Inner>, server: &Server) {
    let gate = Arc::new(Gate(Arc::downgrade(mesh)));
    let mut registrations = vec![
        server.add_extension(gate.clone()),
        server.add_session_listener(gate.clone()),
        server.add_subscription_listener(gate.clone()),
    ];
    // The application hears of new channels, and takes its time.
    for name in CLUSTERS {
        let channel = channel(server, name);
        channel.set_access(Access::Cluster);
        channel.set_reach(Reach::Exact);
        registrations.push(channel.add_listener(gate.clone()));
    }
    lock(&mesh.registrations).extend(registrations);
}

/// Listens to a server for a mesh, which it does not keep.
#[derive(Debug)]
struct Gate(Weak<Inner>);

/// What comes of a handshake that says to be a node's.
enum Verdict {
    Node,
    /// It is this node's own.
    Own,
    Refused(String),
}

impl Inner {
    fn judge(&self, introduction: &Introduction) -> Verdict {
        if introduction.comet.id() == self.own.id() {
            return Verdict::Own;
        }
        if self.config.trust == Trust::Anybody {
            return Verdict::Node;
        }
        if !self.is_verified(introduction) {
            return Verdict::Refused("its secret is not the cloud's".to_owned());
        }
        let meant = introduction.comet_url.as_deref().unwrap_or_default();
        if !lock(&self.machine).is_own(meant) {
            return Verdict::Refused(format!(
                "it means the node {meant:?}, which is no URL of this one"
            ));
        }
        Verdict::Node
    }

    fn is_verified(&self, introduction: &Introduction) -> bool {
        let proof = introduction.proof.as_deref().unwrap_or_default();
        self.proof.as_ref().is_some_and(|own| own.is(proof))
    }
}

/// A node's introduction, if the handshake has one that can be read.
fn introduction_of(message: &Message) -> Option<Introduction> {
    Introduction::read(message)?.ok()
}

#[async_trait]
impl ServerExtension for Gate {
    async fn incoming(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        let (true, Some(session), Some(mesh)) = (message.is_handshake(), from, self.0.upgrade())
        else {
            return Flow::Continue;
        };
        if session.is_local_session() {
            return Flow::Continue;
        }
        let Some(introduction) = Introduction::read(message) else { return Flow::Continue };
        let own = answer(&mesh.own);
        message.reply_mut().ext_mut().insert(OORT.to_owned(), own);
        let verdict = match &introduction {
            Ok(introduction) => mesh.judge(introduction),
            Err(malformed) => Verdict::Refused(malformed.to_string()),
        };
        match verdict {
            Verdict::Node => {
                // Now, so that a policy sees whose handshake it is asked about.
                session.set_node();
                return Flow::Continue;
            }
            Verdict::Own => {}
            Verdict::Refused(why) => {
                let of = introduction.as_ref().map_or("?", |it| it.comet.url());
                mesh.counters.handshakes_refused.add(of, &why);
            }
        }
        let reply = message.reply_mut();
        reply.fail(&BayeuxError::HandshakeDenied);
        reply.advice_mut().reconnect = Some(Reconnect::None);
        message.set_handled(true);
        Flow::Stop
    }
}

#[async_trait]
impl SessionListener for Gate {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, message: &ServerMessage) {
        let Some(mesh) = self.0.upgrade() else { return };
        let is_node = session.kind() == SessionKind::Node && !session.is_local_session();
        let introduction = is_node.then(|| introduction_of(message)).flatten();
        let Some(introduction) = introduction else { return };
        session.set_queue_bounds(mesh.config.queue);
        session.set_max_interval(Some(mesh.config.max_interval));
        let mut limits = ConnectionLimits::default();
        limits.silence = Some(mesh.config.max_silence);
        limits.max_message_size = Some(mesh.config.max_message_size);
        session.set_connection_limits(limits);
        if session.transport() != Some(ConnectionType::WebSocket) {
            // What cannot be pinged asks as often.
            session.set_timeout(Some(mesh.config.max_silence));
        }
        let is_verified = mesh.is_verified(&introduction);
        let came =
            mesh.input(|machine, now| machine.came(session.id(), &introduction, is_verified, now));
        if let Err(unheard) = came {
            mesh.counters.handshakes_refused.add(introduction.comet.url(), &unheard.to_string());
            let session = session.clone();
            tokio::spawn(async move { session.disconnect().await });
        }
    }

    async fn session_removed(&self, session: &Arc<dyn ServerSession>, removal: Removal) {
        if session.kind() == SessionKind::Node {
            let ending = match removal {
                Removal::Disconnected => Ending::Disconnected,
                Removal::Removed | Removal::Expired | Removal::Overflowed => Ending::Lost,
                // One that came later.
                _ => Ending::Lost,
            };
            with(&self.0, |mesh| {
                mesh.input(|machine, now| machine.ended(session.id(), ending, now));
            });
        }
    }
}

#[async_trait]
impl SubscriptionListener for Gate {
    async fn subscribed(
        &self,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.note(session, channel, Machine::subscribed);
    }

    async fn unsubscribed(
        &self,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.note(session, channel, Machine::unsubscribed);
    }
}

impl Gate {
    /// Notes what a node's session has come to observe, or does not any more.
    fn note(
        &self,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        what: fn(&mut Machine, &str, &str),
    ) {
        if session.kind() == SessionKind::Node {
            let name = channel.id().as_str();
            with(&self.0, |mesh| mesh.input(|machine, _| what(machine, session.id(), name)));
        }
    }
}

#[async_trait]
impl ServerChannelListener for Gate {
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let (Some(session), Some(mesh)) = (from, self.0.upgrade()) else { return Flow::Continue };
        if session.kind() != SessionKind::Node || session.is_local_session() {
            return Flow::Continue;
        }
        let comet = lock(&mesh.machine).comet_of_session(session.id()).cloned();
        let Some(comet) = comet else { return Flow::Continue };
        match message.channel() {
            JOIN => mesh.take_join(session, &comet, message),
            CLOUD => mesh.take_list(session, &comet, message),
            // Each message is heard once, by the channel that is asked to listen.
            _ if channel.id().is_wild() => mesh.receive(&comet, Message::clone(message)).await,
            _ => {}
        }
        Flow::Continue
    }
}

impl Inner {
    fn take_join(&self, session: &Arc<dyn ServerSession>, comet: &Comet, message: &Message) {
        let join = message.data.as_ref().and_then(|data| read_join(&data.value()));
        let taken = match &join {
            Some(join) => self.input(|machine, _| machine.joined(session.id(), join)),
            None => Err(Unheard::Foreign),
        };
        if let Err(unheard) = taken {
            self.counters.joins_refused.add(comet.url(), &unheard.to_string());
        }
    }

    fn take_list(&self, session: &Arc<dyn ServerSession>, comet: &Comet, message: &Message) {
        let refused = |why| self.counters.urls_refused.add(comet.url(), why);
        let most = self.config.max_comets;
        let data = message.data.as_ref();
        if data.is_some_and(|data| data.text().len() > most.saturating_mul(LONGEST)) {
            return refused("its list of nodes is longer than there may be nodes");
        }
        let Some(Value::Array(list)) = data.map(bayeux_api::Json::value) else {
            return refused("its list of nodes is no list");
        };
        let wrong = list.iter().filter(|url| !url.is_string()).count();
        let urls = list.iter().filter_map(Value::as_str);
        let named = self.input(|machine, now| machine.named(session.id(), urls, now));
        match named {
            Ok(refused) if refused + wrong == 0 => {}
            Ok(_) => self.counters.urls_refused.add(comet.url(), "some of its list are no URLs"),
            Err(unheard) => self.counters.urls_refused.add(comet.url(), &unheard.to_string()),
        }
    }
}
