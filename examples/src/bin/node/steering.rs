//! What a node has, and does when a line asks for it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, CometListener, Mesh, Oort,
    api::{
        Json, Message, Registration,
        client::ClientSessionChannel,
        implement::lock,
        server::{LocalSession, ServerMessage, ServerSession, SessionListener},
    },
    discovery::{Multicast, MulticastConfig},
};
use bayeux_server::Server;
use serde_json::{Map, Value, json};

use crate::{Arguments, Result, flood::Flood, lines, objects::Objects, users::Users, wish::Wish};

#[derive(Debug)]
pub(crate) struct Steering {
    server: Server,
    mesh: Mesh,
    oort: Oort,
    session: Arc<dyn LocalSession>,
    objects: Objects,
    users: Users,
    flood: Flood,
    /// What is told as long as the node lives.
    tellings: Mutex<Vec<Registration>>,
}

impl Steering {
    /// Joins `server`, which is reached by `url`, to the cloud.
    pub(crate) async fn start(server: &Server, url: &str, arguments: &Arguments) -> Result<Self> {
        let session = server.new_local_session("steering");
        session.handshake(Message::default()).await?;
        server.add_session_listener(Arc::new(Guests)).keep();
        let mesh = mesh(url, arguments)?;
        let oort = Oort::start(server, Arc::new(mesh.clone())).await?;
        let tellings = Mutex::new(vec![oort.add_comet_listener(Arc::new(Tell))]);
        let objects = Objects::start(&oort, arguments.primary).await?;
        let users = Users::start(server, &oort).await?;
        for channel in &arguments.channels {
            oort.observe_channel(channel)?;
        }
        let flood = Flood::new(&*session)?;
        for url in &arguments.cloud {
            mesh.observe_comet(url)?;
        }
        Ok(Self { server: server.clone(), mesh, oort, session, objects, users, flood, tellings })
    }

    pub(crate) fn oort(&self) -> &Oort {
        &self.oort
    }

    /// Does what a line asks, and returns what is answered.
    pub(crate) async fn perform(&self, wish: Wish) -> Result<Value> {
        match wish {
            Wish::Comets => Ok(self.oort.comets().iter().map(comet).collect()),
            Wish::Known => Ok(json!(self.mesh.known_comets())),
            Wish::Transports => Ok(self.transports()),
            Wish::Refused => Ok(json!(self.mesh.statistics().handshakes_refused)),
            Wish::ObserveComet { url } => {
                self.mesh.observe_comet(&url)?;
                Ok(json!(true))
            }
            Wish::DeobserveComet { url } => Ok(json!(self.mesh.deobserve_comet(&url))),
            Wish::IsObserved { channel, url } => Ok(json!(self.is_observed(&channel, &url))),
            Wish::Observe { channel } => {
                self.oort.observe_channel(&channel)?;
                Ok(json!(true))
            }
            Wish::Deobserve { channel } => Ok(json!(self.oort.deobserve_channel(&channel))),
            Wish::Subscribe { channel } => self.subscribe(&channel).await,
            Wish::Publish { channel, data } => {
                let message = Message::with_data(channel.as_str(), data);
                let reply = self.session.channel(&channel)?.publish(message).await?;
                Ok(json!(reply.is_successful()))
            }
            Wish::EchoFlood => {
                self.keep(self.flood.echo().await?);
                Ok(json!(true))
            }
            Wish::Flood { count, window, size } => self.flood.begin(count, window, size).await,
            Wish::Stop => {
                self.oort.stop().await;
                Ok(json!(true))
            }
            Wish::Put { key, value } => {
                Ok(json!(self.objects.map.put_and_share(key, value).await?.value()))
            }
            Wish::PutAbsent { key, value } => {
                Ok(json!(self.objects.map.put_if_absent_and_share(key, value).await?.value()))
            }
            Wish::Remove { key } => {
                Ok(json!(self.objects.map.remove_and_share(key).await?.value()))
            }
            Wish::Find { key } => Ok(json!(self.objects.map.find(&key))),
            Wish::Map => Ok(self.objects.map_parts()),
            Wish::Add { elements } => {
                Ok(json!(self.objects.list.add_and_share(elements).await?.value()))
            }
            Wish::Take { elements } => {
                Ok(json!(self.objects.list.remove_and_share(elements).await?.value()))
            }
            Wish::List => Ok(self.objects.list_parts()),
            Wish::Count { by } => Ok(json!(self.objects.long.add_and_get(by).await?.value())),
            Wish::Sum => Ok(json!(self.objects.long.sum())),
            Wish::Clear => self.objects.clear().await,
            Wish::Forward { url, parameter } => {
                self.objects.forward(url.as_deref(), parameter).await
            }
            Wish::Where { user } => Ok(self.users.locate(&user)),
            Wish::Present => Ok(self.users.present()),
            Wish::Associated => Ok(self.users.associated()),
            Wish::Send { users, channel, data } => self.users.send(users, &channel, &data).await,
            Wish::Gather { name, count } => self.users.gather(&name, count).await,
            Wish::Scatter => self.users.scatter().await,
            Wish::StopUsers => Ok(self.users.stop().await),
            Wish::Number => Ok(json!(self.objects.numbers.get_and_add(1).await?)),
            Wish::Primary => {
                let primary = self.objects.numbers.primary();
                Ok(json!(primary.map(|comet| comet.url().to_owned())))
            }
        }
    }

    fn transports(&self) -> Value {
        let comets = self.mesh.oort_comets().into_iter().filter(|link| link.comet.is_some());
        comets.map(|link| (link.url, json!(link.transport.to_string()))).collect()
    }

    /// Whether the node at `url` gets what is published here on `channel`.
    fn is_observed(&self, channel: &str, url: &str) -> bool {
        let subscribers = self.server.channel(channel).map(|channel| channel.subscribers());
        subscribers.into_iter().flatten().any(|session| {
            let guest = session.attribute(GUEST);
            guest.is_some_and(|guest| guest.downcast_ref::<Value>() == Some(&json!(url)))
        })
    }

    async fn subscribe(&self, channel: &str) -> Result<Value> {
        let listener = |_: &dyn ClientSessionChannel, message: &Message| {
            let mut fields: Map<_, _> =
                message.extra.iter().map(|(name, json)| (name.clone(), json.value())).collect();
            fields.insert("channel".to_owned(), json!(message.channel()));
            let known = [("data", &message.data), ("ext", &message.ext)];
            for (name, json) in known {
                if let Some(json) = json {
                    fields.insert(name.to_owned(), Json::value(json));
                }
            }
            lines::tell("message", Value::Object(fields));
        };
        self.keep(self.session.channel(channel)?.subscribe(Arc::new(listener)).await?);
        Ok(json!(true))
    }

    fn keep(&self, telling: Registration) {
        lock(&self.tellings).push(telling);
    }
}

/// Makes what joins the node at `url` to others.
fn mesh(url: &str, arguments: &Arguments) -> Result<Mesh> {
    let mut mesh = Mesh::builder(url);
    mesh = mesh.configure(|config| config.transports.clone_from(&arguments.transports));
    mesh = match &arguments.secret {
        Some(secret) => mesh.secret(secret),
        None => mesh.trust_anybody(),
    };
    if let Some(milliseconds) = arguments.max_interval {
        mesh = mesh.configure(|config| config.max_interval = Duration::from_millis(milliseconds));
    }
    if let Some(group) = arguments.multicast {
        let mut config = MulticastConfig::default();
        (config.group_address, config.group_port) = (group.ip(), group.port());
        mesh = mesh.discovery(Arc::new(Multicast::new(config)));
    }
    Ok(mesh.build()?)
}

/// Notes on each session of a node by which URL that is reached.
#[derive(Debug)]
struct Guests;

const GUEST: &str = "guest";

#[async_trait]
impl SessionListener for Guests {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, message: &ServerMessage) {
        if let Some(introduction) = message.ext_field("org.cometd.oort") {
            session.set_attribute(GUEST, Arc::new(introduction["oortURL"].clone()));
        }
    }
}

/// Tells who comes and goes.
#[derive(Debug)]
struct Tell;

#[async_trait]
impl CometListener for Tell {
    async fn comet_joined(&self, joined: &Comet) {
        lines::tell("joined", comet(joined));
    }

    async fn comet_left(&self, left: &Comet) {
        let mut fields = comet(left);
        // By this node's clock: who reads it may be late.
        fields["at"] = json!(since_the_epoch().as_millis() as u64);
        lines::tell("left", fields);
    }
}

fn since_the_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn comet(comet: &Comet) -> Value {
    json!({ "comet": comet.id(), "url": comet.url() })
}
