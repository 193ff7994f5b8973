//! What another node says that it must not say is refused and counted.

use bayeux_oort::{Oort, Participant};
use bayeux_server::{
    Server,
    api::{ChannelId, Message},
};
use bayeux_seti::{Seti, SetiConfig};
use serde_json::{Value, json};
use tests::{cloud_hub::CloudHub, eventually};

use crate::people::Person;

#[derive(Debug)]
struct Mute;

impl Participant for Mute {}

/// A node whose Seti is tried, and another that says what it likes.
struct Trial {
    seti: Seti,
    other: Oort,
}

impl Trial {
    async fn start(config: SetiConfig) -> Self {
        let hub = CloudHub::default();
        let own = hub.cloud("own", "http://own/cometd");
        let oort = Oort::start(&Server::new(), own).await.unwrap();
        let seti = Seti::start_with(&oort, config).await.unwrap();
        let other = hub.cloud("other", "http://other/cometd");
        let other = Oort::start(&Server::new(), other).await.unwrap();
        let all = ChannelId::new("/seti/all").unwrap();
        other.add_participant(&[all], std::sync::Arc::new(Mute)).unwrap().keep();
        eventually("both to join", || oort.comets().len() == 1 && other.comets().len() == 1).await;
        Self { seti, other }
    }

    async fn says(&self, data: impl Into<bayeux_server::api::Json> + Send) {
        let message = Message::with_data("/seti/all", data.into());
        self.other.broadcast(message).await.unwrap();
    }

    /// Waits until all that was said was heard.
    async fn is_heard(&self) {
        let url = "http://other/cometd";
        self.says(json!({ "userIds": ["last"], "oortURL": url, "presence": true })).await;
        eventually("the last to come", || self.seti.is_present("last")).await;
    }
}

#[tokio::test]
async fn nonsense_is_refused_and_counted() {
    let trial = Trial::start(SetiConfig::default()).await;
    let url = "http://other/cometd";
    let said: [Value; 10] = [
        json!(null),
        json!([]),
        json!({}),
        json!({ "userIds": ["u"], "oortURL": "http://own/cometd", "presence": true }),
        json!({ "userIds": ["u"], "oortURL": "http://third/cometd", "presence": true }),
        json!({ "userIds": "u", "oortURL": url, "presence": true }),
        json!({ "userIds": [1], "oortURL": url, "presence": true }),
        json!({ "userIds": ["u"], "oortURL": url, "presence": "true" }),
        json!({ "userIds": ["x".repeat(2000)], "oortURL": url, "presence": true }),
        json!({ "userId": "u", "oortURL": url, "presence": true }),
    ];
    for value in said.clone() {
        trial.says(value).await;
    }
    trial.is_heard().await;
    assert_eq!(trial.seti.statistics().refused, said.len() as u64);
    assert_eq!(trial.seti.user_ids().len(), 1);
}

#[tokio::test]
async fn messages_on_channels_that_are_not_for_users_are_refused() {
    let trial = Trial::start(SetiConfig::default()).await;
    let person = Person::on(trial.seti.oort()).await;
    trial.seti.associate("dave", &person.session).unwrap();
    let channels = ["/meta/disconnect", "/oort/cloud", "/seti/all", "/service/oort", "/a/**", "x"];
    for channel in channels {
        trial.says(json!({ "userId": "dave", "channel": channel, "data": 1 })).await;
    }
    trial.says(json!({ "userId": "nobody", "channel": "/a", "data": 1 })).await;
    trial.is_heard().await;
    let statistics = trial.seti.statistics();
    assert_eq!((statistics.refused, statistics.undelivered), (channels.len() as u64, 1));
    assert!(person.session.is_handshook());
}

#[tokio::test]
async fn a_node_that_says_too_many_users_is_taken_in_part() {
    let mut config = SetiConfig::default();
    config.max_users_of_node = 100;
    let trial = Trial::start(config).await;
    let url = "http://other/cometd";
    let users: Vec<_> = (0..10_000).map(|number| format!("u{number}")).collect();
    let list = json!({ "userIds": users, "oortURL": url, "presence": true, "replace": true });
    trial.says(list).await;
    eventually("the rest to be counted", || trial.seti.statistics().overflows == 9900).await;
    assert_eq!(trial.seti.user_ids().len(), 100);
    let list = json!({ "userIds": [], "oortURL": url, "presence": true, "replace": true });
    trial.says(list).await;
    trial.is_heard().await;
    assert_eq!(trial.seti.user_ids().len(), 1);
}

#[tokio::test]
async fn a_large_list_is_heard() {
    let trial = Trial::start(SetiConfig::default()).await;
    let url = "http://other/cometd";
    let users: Vec<_> = (0..100_000).map(|number| format!("u{number}")).collect();
    let list = json!({ "userIds": users, "oortURL": url, "presence": true, "replace": true });
    trial.says(list).await;
    // The last in their order.
    eventually("all to be known", || trial.seti.is_present("u99999")).await;
    assert_eq!(trial.seti.user_ids().len(), 100_000);
}

#[tokio::test]
async fn an_id_that_is_too_long_keeps_no_other_away() {
    let trial = Trial::start(SetiConfig::default()).await;
    let users = ["ann".to_owned(), "x".repeat(2000), "bob".to_owned()];
    let url = "http://other/cometd";
    trial.says(json!({ "userIds": users, "oortURL": url, "presence": true })).await;
    trial.is_heard().await;
    assert!(trial.seti.is_present("ann") && trial.seti.is_present("bob"));
    assert_eq!((trial.seti.user_ids().len(), trial.seti.statistics().refused), (3, 1));
}
