//! A node: a Bayeux server that knows which user and which device each session is of.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_oort::{Mesh, Oort};
use bayeux_server::Server;
use bayeux_seti::{Handshake, Presence, PresenceListener, Seti};
use examples::say;
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};

use crate::Result;

/// Where devices get what is sent to them. They need no subscription.
pub(crate) const NEWS: &str = "/service/news";

pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) seti: Seti,
    oort: Oort,
    other: String,
}

/// Starts two nodes that have joined each other.
pub(crate) async fn started() -> Result<(Node, Node)> {
    let [one, other] =
        [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
    let url = |listener: &TcpListener| {
        Ok::<_, std::io::Error>(format!("http://{}/cometd", listener.local_addr()?))
    };
    let (here, there) = (url(&one)?, url(&other)?);
    let north = Node::start("north", one, &here, &there).await?;
    let south = Node::start("south", other, &there, &here).await?;
    for node in [&north, &south] {
        while node.oort.comets().is_empty() {
            sleep(BEAT).await;
        }
    }
    Ok((north, south))
}

impl Node {
    async fn start(
        name: &'static str,
        listener: TcpListener,
        url: &str,
        other: &str,
    ) -> Result<Self> {
        let server = Server::new();
        let mesh = Mesh::builder(url).secret("known to both nodes").build()?;
        let oort = Oort::start(&server, Arc::new(mesh.clone())).await?;
        let seti = Seti::start(&oort).await?;
        // A session is of a user and of a device, and Seti has no difference between these.
        seti.associate_at_handshake(async |it| said(&it, "user")).keep();
        seti.associate_at_handshake(async |it| {
            Some(device_id(&said(&it, "user")?, &said(&it, "device")?))
        })
        .keep();
        let other = other.to_owned();
        mesh.observe_comet(&other)?;
        tokio::spawn(async move { server.serve(listener).await });
        let node = Self { name, seti, oort, other };
        node.seti.add_presence_listener(Arc::new(Heard(name))).keep();
        Ok(node)
    }

    pub(crate) fn url(&self) -> &str {
        self.oort.own().url()
    }

    /// Returns the name of the node at `url`.
    pub(crate) fn name_of(&self, url: &str) -> &'static str {
        let is_north = (self.name == "north") != (url == self.other);
        if is_north { "north" } else { "south" }
    }

    /// Waits until it knows a user to be there so often.
    pub(crate) async fn has(&self, user: &str, count: usize) {
        while self.seti.presence_count(user) != count {
            sleep(BEAT).await;
        }
    }

    /// Sends a message to a user, or to a device, wherever that is.
    pub(crate) async fn send(&self, user: &str, text: &str) -> Result<()> {
        let sent = self.seti.send_message(user, NEWS, &json!({ "to": user, "text": text })).await?;
        let (name, here, there) = (self.name, sent.sessions, sent.nodes);
        say(match sent.nowhere.is_empty() {
            true => format!("    {name}: to {user}, {here} session(s) here, {there} other node(s)"),
            false => format!("    {name}: {user} is nowhere"),
        });
        Ok(())
    }

    pub(crate) async fn stop(&self) {
        self.seti.stop().await;
        self.oort.stop().await;
    }
}

/// Returns what the client says in its handshake. A real application has its policy verify it.
fn said(handshake: &Handshake, what: &str) -> Option<String> {
    Some(handshake.message.ext_field(what)?.as_str()?.to_owned())
}

/// A device is its user's: two users may each have a "phone".
fn device_id(user: &str, device: &str) -> String {
    format!("{user}/{device}")
}

/// Hears on the node of this name who comes and goes.
#[derive(Debug)]
struct Heard(&'static str);

impl Heard {
    fn tell(&self, presence: &Presence, what: &str) {
        let Self(name) = self;
        let place = if presence.is_local() { "this node" } else { "the other node" };
        say(format_args!("    {name}: {} has {what} {place}", presence.user_id()));
    }
}

#[async_trait]
impl PresenceListener for Heard {
    async fn added(&self, presence: &Presence) {
        self.tell(presence, "come to");
    }

    async fn removed(&self, presence: &Presence) {
        self.tell(presence, "gone from");
    }
}

/// How often something is looked at of which nothing tells.
const BEAT: Duration = Duration::from_millis(5);
