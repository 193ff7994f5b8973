//! Servers that a backplane joins to a cluster: what is published on one reaches the subscribers of all.

mod interest;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_server::{
    Config, Server,
    api::{
        Flow, Frozen, Message,
        client::RequestError,
        server::{Passage, PublishError, Published, ServerSession, ServerSessionListener},
    },
};
use serde_json::json;
use tests::{
    TestServer, Transport, every_transport,
    hooks::{Log, on_message},
    hub::{Hub, Node, Trouble},
    over_every_transport, patient,
};

over_every_transport!(
    what_is_published_on_one_reaches_the_subscribers_of_all_once_and_in_order,
    all_fields_arrive_as_they_were_published,
    a_failing_publish_is_told_and_goes_nowhere,
    a_publish_that_hangs_is_told_at_the_deadline,
    what_is_lazy_stays_lazy,
    a_lazy_wild_channel_lends_its_time_to_no_other,
    listeners_of_every_server_see_a_message_once,
    a_publisher_may_want_nothing_back,
    only_broadcasts_are_passed_on,
);

const BOTH: [Passage; 2] = [Passage::Through, Passage::Back];

async fn server(node: &Arc<Node>) -> TestServer {
    server_with(node, patient).await
}

async fn server_with(node: &Arc<Node>, change: impl FnOnce(&mut Config)) -> TestServer {
    let mut config = Config::default();
    change(&mut config);
    TestServer::serve(Server::builder().config(config).backplane(node.clone()).build()).await
}

/// Two servers that are joined.
async fn pair(passage: Passage) -> [(TestServer, Arc<Node>); 2] {
    let hub = Hub::new(passage);
    let (one, other) = (hub.node(), hub.node());
    [(server(&one).await, one), (server(&other).await, other)]
}

fn channel(server: &TestServer, id: &str) -> Arc<bayeux_server::Channel> {
    server.server.create_channel_if_absent(id).unwrap().channel()
}

/// Publishes by the server's own code.
async fn publish(server: &TestServer, id: &str) -> Result<Published, PublishError> {
    channel(server, id).publish("by the server").await
}

async fn what_is_published_on_one_reaches_the_subscribers_of_all_once_and_in_order(
    transport: Transport,
) {
    for passage in BOTH {
        let [(here, _), (there, _)] = pair(passage).await;
        let mut subscribers = Vec::new();
        for server in [&here, &there] {
            for channels in [&["/a/b"][..], &["/a/b", "/a/*", "/**"], &["/a/**"]] {
                let mut client = server.connected(transport).await;
                for channel in channels {
                    client.subscribe(channel).await;
                }
                subscribers.push(client);
            }
        }
        let mut publishers = [here.handshaken(transport).await, there.handshaken(transport).await];
        for number in 0..20 {
            for (who, publisher) in publishers.iter_mut().enumerate() {
                publisher.publish("/a/b", json!([who, number])).await;
            }
        }
        for subscriber in &mut subscribers {
            let mut next = [0, 0];
            for _ in 0..40 {
                let data = subscriber.message_on("/a/b").await["data"].clone();
                let who = usize::from(data[0] == 1);
                assert_eq!(data[1], next[who], "{passage:?}");
                next[who] += 1;
            }
            assert!(subscriber.received_on("/a/b").is_empty());
        }
    }
}

/// Writes down the JSON of what a session gets.
#[derive(Debug)]
struct Writes(Log);

#[async_trait::async_trait]
impl ServerSessionListener for Writes {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        self.0.add(String::from_utf8_lossy(message.json()));
        Flow::Continue
    }
}

async fn all_fields_arrive_as_they_were_published(transport: Transport) {
    for passage in BOTH {
        let [(here, _), (there, _)] = pair(passage).await;
        let mut logs = Vec::new();
        let mut subscribers = Vec::new();
        for server in [&here, &there] {
            let mut client = server.connected(transport).await;
            client.subscribe("/a").await;
            let log = Log::default();
            server.session(&client).add_listener(Arc::new(Writes(log.clone()))).keep();
            logs.push(log);
            subscribers.push(client);
        }
        let mut publisher = here.handshaken(transport).await;
        let id = publisher.id().to_owned();
        let fields = r#""ext":{"n":1.10,"a":"\u00e9"},"data":{"z":1e2,"a":[ 1 ]},"own":0.50"#;
        publisher
            .send_text(format!(r#"[{{"channel":"/a/","id":"1","clientId":"{id}",{fields}}}]"#));
        publisher.reply_to("1").await;
        for log in logs {
            log.until(&format!(r#"{{"channel":"/a",{fields}}}"#)).await;
        }
    }
}

async fn a_failing_publish_is_told_and_goes_nowhere(transport: Transport) {
    for (trouble, passage) in [
        (Trouble::Fails, Passage::Through),
        (Trouble::Panics, Passage::Through),
        (Trouble::Fails, Passage::Back),
    ] {
        let [(here, node), (there, _)] = pair(passage).await;
        let mut subscribers = [here.connected(transport).await, there.connected(transport).await];
        for subscriber in &mut subscribers {
            subscriber.subscribe("/a").await;
        }
        node.set_trouble("publish /a", Some(trouble));
        let mut publisher = here.handshaken(transport).await;
        let reply = publisher.request("/a", json!({ "data": 1 })).await;
        assert_eq!(reply["successful"], false);
        assert_eq!(reply["error"], "503::publish_unavailable");
        assert_eq!(publish(&here, "/a").await, Err(PublishError::Unavailable));
        node.set_trouble("publish /a", None);
        publisher.publish("/a", json!(2)).await;
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.message_on("/a").await["data"], 2);
        }
    }
}

async fn a_publish_that_hangs_is_told_at_the_deadline(transport: Transport) {
    let node = Hub::new(Passage::Through).node_with(Duration::from_millis(100));
    let server = server(&node).await;
    node.set_trouble("publish /a", Some(Trouble::Hangs));
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let reply = client.request("/a", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "503::publish_unavailable");
    client.publish("/b", json!(1)).await;
    assert_eq!(server.session(&client).queue_depth().messages, 0);
}

async fn what_is_lazy_stays_lazy(transport: Transport) {
    for passage in BOTH {
        let [(here, _), (there, _)] = pair(passage).await;
        // One is lazy where it is published, the other where it arrives.
        channel(&here, "/lazy/here").set_lazy(true);
        channel(&there, "/lazy/there").set_lazy(true);
        let mut subscriber = there.connected(transport).await;
        subscriber.subscribe("/lazy/*").await;
        subscriber.subscribe("/lazy/there").await;
        let lazy = Log::default();
        let seen = lazy.clone();
        there.session(&subscriber).add_listener(Arc::new(Laziness(seen))).keep();
        for channel in ["/lazy/here", "/lazy/there", "/lazy/other"] {
            publish(&here, channel).await.unwrap();
        }
        lazy.until("/lazy/other false").await;
        assert_eq!(lazy.entries(), ["/lazy/here true", "/lazy/there true", "/lazy/other false"]);
    }
}

async fn a_lazy_wild_channel_lends_its_time_to_no_other(transport: Transport) {
    const LAZY: Duration = Duration::from_millis(150);
    let node = Hub::new(Passage::Through).node();
    let server = server_with(&node, |config| {
        patient(config);
        every_transport(config, |transport| transport.max_lazy_timeout = LAZY);
    })
    .await;
    channel(&server, "/lazy/*").set_lazy_timeout(Duration::ZERO);
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy/*").await;
    client.hold().await;
    let start = Instant::now();
    // As what is published here, which makes the channel.
    node.inlet().receive(None, &Message::with_data("/lazy/a", json!(1)).freeze()).await;
    client.message_on("/lazy/a").await;
    assert!(start.elapsed() >= LAZY, "{:?}", start.elapsed());
}

/// Writes down whether a message is lazy.
#[derive(Debug)]
struct Laziness(Log);

impl ServerSessionListener for Laziness {
    fn queued(&self, _session: &Arc<dyn ServerSession>, message: &Frozen) {
        self.0.add(format!("{} {}", message.channel(), message.is_lazy()));
    }
}

async fn listeners_of_every_server_see_a_message_once(transport: Transport) {
    for passage in BOTH {
        let [(here, _), (there, _)] = pair(passage).await;
        let log = Log::default();
        for (name, server) in [("here", &here), ("there", &there)] {
            let log = log.clone();
            let listener = on_message(move |from, message| {
                log.add(format!("{name}: {} {}", message.channel(), from.is_some()));
                if name == "here" {
                    return Flow::Continue;
                }
                message.set_extra("seen", "there");
                let is_to_stop = message.data.as_ref().is_some_and(|data| *data == json!("stop"));
                if is_to_stop { Flow::Stop } else { Flow::Continue }
            });
            channel(server, "/a").add_listener(listener).keep();
        }
        let mut subscriber = there.connected(transport).await;
        subscriber.subscribe("/a").await;
        let mut own = here.connected(transport).await;
        own.subscribe("/**").await;
        let mut publisher = here.handshaken(transport).await;
        publisher.publish("/a", json!("stop")).await;
        assert_eq!(own.message_on("/a").await, json!({ "channel": "/a", "data": "stop" }));
        log.until("there: /a false").await;
        assert_eq!(log.take(), ["here: /a true", "there: /a false"]);
        publisher.publish("/a", json!("go")).await;
        assert_eq!(own.message_on("/a").await, json!({ "channel": "/a", "data": "go" }));
        let message = subscriber.message_on("/a").await;
        assert_eq!(message, json!({ "channel": "/a", "data": "go", "seen": "there" }));
        assert_eq!(log.take(), ["here: /a true", "there: /a false"]);
    }
}

async fn a_publisher_may_want_nothing_back(transport: Transport) {
    for passage in BOTH {
        let [(here, node), (there, _)] = pair(passage).await;
        channel(&here, "/a").set_broadcast_to_publisher(false);
        let mut publisher = here.connected(transport).await;
        publisher.subscribe("/a").await;
        let mut other = there.connected(transport).await;
        other.subscribe("/a").await;
        publisher.publish("/a", json!(1)).await;
        assert_eq!(other.message_on("/a").await["data"], 1);
        other.publish("/a", json!(2)).await;
        assert_eq!(publisher.message_on("/a").await["data"], 2);
        assert_eq!(node.calls.count("publish /a"), 1);
    }
}

async fn only_broadcasts_are_passed_on(transport: Transport) {
    let [(here, node), (there, _)] = pair(Passage::Back).await;
    let mut client = here.connected(transport).await;
    client.subscribe("/a/*").await;
    client.subscribe("/service/a").await;
    let mut other = there.connected(transport).await;
    other.subscribe("/a/*").await;
    client.publish("/service/a", json!(1)).await;
    client.publish("/a/*", json!(2)).await;
    assert_eq!(client.message_on("/a/*").await["data"], 2);
    here.session(&client).deliver(Message::with_data("/a/b", json!(3))).await;
    assert_eq!(client.message_on("/a/b").await["data"], 3);
    client.publish("/a/c", json!(4)).await;
    assert_eq!(other.message_on("/a/c").await["data"], 4);
    assert!(other.received_on("/a/*").is_empty());
    assert_eq!(node.calls.entries(), ["join /a/*", "publish /a/c"]);
}

#[tokio::test]
async fn publishing_tells_how_the_message_was_passed_on() {
    for passage in BOTH {
        let [(here, _), (there, _)] = pair(passage).await;
        let log = Log::default();
        let mut kept = Vec::new();
        for server in [&here, &there] {
            let local = server.server.new_local_session("local");
            local.handshake(Message::default()).await.unwrap();
            let channel = local.channel("/a").unwrap();
            kept.push((channel.subscribe(Arc::new(log.clone())).await.unwrap(), local));
        }
        let published = publish(&here, "/a").await.unwrap();
        assert_eq!(published.passage, Some(passage));
        assert_eq!(published.sessions, usize::from(passage == Passage::Through));
        tests::eventually("both to get it", || log.entries().len() == 2).await;
    }
    let alone = TestServer::start(|_| {}).await;
    assert_eq!(publish(&alone, "/a").await.unwrap().passage, None);
}

#[tokio::test]
async fn a_local_session_is_told_that_its_publication_failed() {
    let node = Hub::new(Passage::Through).node();
    let server = server(&node).await;
    node.set_trouble("publish /a", Some(Trouble::Fails));
    let local = server.server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    let published = local.channel("/a").unwrap().publish(Message::with_data("", json!(1))).await;
    let Err(RequestError::Refused(reply)) = published else { panic!("{published:?}") };
    assert_eq!(reply.error.as_deref(), Some("503::publish_unavailable"));
}

#[tokio::test]
async fn an_inlet_reaches_subscribers_whose_channel_is_not_there_and_tells_how_many() {
    let node = Hub::new(Passage::Through).node();
    let server = server(&node).await;
    let local = server.server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    let (log, channel) = (Log::default(), local.channel("/a/**").unwrap());
    let _subscription = channel.subscribe(Arc::new(log.clone())).await.unwrap();
    let receive = async |channel: &str| {
        let message = Message::with_data(channel, json!(1)).freeze();
        node.inlet().receive(None, &message).await
    };
    assert_eq!(receive("/a/b").await.unwrap().sessions, 1);
    log.until("/a/** 1").await;
    assert!(server.server.channel("/a/b").is_none());
    for channel in ["/a/*", "/meta/connect", "/service/a", "no name"] {
        assert_eq!(receive(channel).await.unwrap().sessions, 0, "{channel}");
    }
    // Nothing of this was passed on.
    assert_eq!(node.calls.entries(), ["join /a/**"]);
    server.server.stop();
    assert_eq!(receive("/a/b").await, None);
}
