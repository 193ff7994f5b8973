//! Nodes over a cloud inside the program, in which messages can be lost, held and forged.

use std::sync::Arc;

use bayeux_oort::{Cloud as _, Comet, Oort, OortObject};
use bayeux_server::{Server, api::Message};
use serde_json::{Value, json};
use tests::cloud_hub::{CloudHub, HubCloud};

/// Nodes, whose ids are `0`, `1` and so on, and whose URLs are `http://0` and so on.
pub(crate) struct Nodes {
    pub(crate) oorts: Vec<Oort>,
}

impl Nodes {
    pub(crate) async fn start(count: usize) -> (CloudHub, Self) {
        let hub = CloudHub::default();
        let nodes = Self::on(&hub, count).await;
        (hub, nodes)
    }

    pub(crate) async fn on(hub: &CloudHub, count: usize) -> Self {
        let mut oorts = Vec::new();
        for number in 0..count {
            let cloud = hub.cloud(&number.to_string(), &format!("http://{number}"));
            oorts.push(Oort::start(&Server::new(), cloud).await.unwrap());
        }
        Self { oorts }
    }

    /// Starts an object on each.
    pub(crate) async fn objects(&mut self, name: &str, initial: i64) -> Vec<OortObject<i64>> {
        let mut objects = Vec::new();
        for oort in &self.oorts {
            objects.push(OortObject::start(oort, name, initial).await.unwrap());
        }
        let known = |object: &OortObject<i64>| object.infos().len();
        let others = |oort: &Oort| oort.comets().len() + 1;
        let have_all =
            || objects.iter().zip(&self.oorts).all(|(object, oort)| known(object) == others(oort));
        tests::eventually("each to have all parts", have_all).await;
        objects
    }
}

/// A node that says what a test has it say: such as one of CometD's.
pub(crate) struct Stranger {
    cloud: Arc<HubCloud>,
    oort: Oort,
    name: &'static str,
}

impl Stranger {
    /// Joins with the URL `http://stranger`, for the object of a name.
    pub(crate) async fn join(hub: &CloudHub, name: &'static str) -> Self {
        let cloud = hub.cloud("stranger", "http://stranger");
        let oort = Oort::start(&Server::new(), cloud.clone()).await.unwrap();
        Self { cloud, oort, name }
    }

    /// Returns the fields that are always there, with those of `others`.
    pub(crate) fn fields(&self, others: &Value) -> Value {
        let mut fields = json!({
            "oort.info.url": "http://stranger", "oort.info.name": self.name,
        });
        for (field, value) in others.as_object().unwrap() {
            fields[format!("oort.info.{field}")] = value.clone();
        }
        fields
    }

    /// Sends fields to a node, on the object's service channel.
    pub(crate) async fn send(&self, to: &Comet, others: &Value) {
        self.send_data(to, self.fields(others)).await;
    }

    pub(crate) async fn send_data(&self, to: &Comet, data: Value) {
        let channel = format!("/service/oort/objects/{}", self.name);
        self.cloud.send(to, Message::with_data(channel, data)).await.unwrap();
    }

    pub(crate) fn oort(&self) -> &Oort {
        &self.oort
    }
}
