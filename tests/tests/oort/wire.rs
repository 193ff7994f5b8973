//! Nodes inside the program by names, whose services wait, and the other end of their wire.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, Oort, Participant, ServiceConfig,
    api::{ChannelId, Json, Message, Registration, implement::lock},
};
use bayeux_server::Server;
use serde_json::Value;
use tests::{AGES, cloud_hub::CloudHub, eventually};

pub(crate) fn url(id: &str) -> String {
    format!("http://{id}:8080/cometd")
}

pub(crate) async fn node(hub: &CloudHub, id: &str) -> Oort {
    Oort::start(&Server::new(), hub.cloud(id, &url(id))).await.unwrap()
}

/// Nodes that know each other.
pub(crate) async fn nodes<const N: usize>(hub: &CloudHub, ids: [&str; N]) -> [Oort; N] {
    let mut nodes = Vec::new();
    for id in ids {
        nodes.push(node(hub, id).await);
    }
    for node in &nodes {
        eventually("the nodes to join", || node.comets().len() == N - 1).await;
    }
    nodes.try_into().unwrap()
}

/// Waits so long for answers that no test is helped by the end of a time.
pub(crate) fn patient() -> ServiceConfig {
    let mut config = ServiceConfig::default();
    (config.timeout, config.handler_timeout) = (AGES, AGES);
    config
}

/// The other end of the wire, which writes down what comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Arc<Mutex<Vec<(String, Json)>>>);

impl Wire {
    pub(crate) fn of(oort: &Oort, channels: &[&str]) -> (Self, Registration) {
        let wire = Self::default();
        let channels: Vec<_> = channels.iter().map(|one| ChannelId::new(one).unwrap()).collect();
        let registration = oort.add_participant(&channels, Arc::new(wire.clone())).unwrap();
        (wire, registration)
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Waits for a message on `channel`.
    pub(crate) async fn next(&self, channel: &str) -> Value {
        let find = || lock(&self.0).iter().position(|(one, _)| one == channel);
        eventually("a message", || find().is_some()).await;
        let index = find().unwrap();
        lock(&self.0).remove(index).1.value()
    }
}

#[async_trait]
impl Participant for Wire {
    async fn received(&self, _from: &Comet, message: Message) {
        lock(&self.0).push((message.channel().to_owned(), message.data.clone().unwrap()));
    }
}
