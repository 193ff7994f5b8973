//! What a drain does, seen from beside it.

use std::time::Instant;

use async_trait::async_trait;
use bayeux_api::{
    Message,
    server::{BayeuxServer, SecurityPolicy, ServerMessage, ServerSession},
};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::{Config, InProcess};

const SECOND: Duration = Duration::from_secs(1);

fn server(spread: Duration, timeout: Duration) -> Server {
    let mut config = Config::default();
    (config.drain.spread, config.drain.timeout) = (spread, timeout);
    config.long_polling.timeout = 1_000 * SECOND;
    config.long_polling.max_interval = 1_000 * SECOND;
    Server::builder().config(config).seed(1).build()
}

/// A client that has connected once.
struct Visitor {
    client: InProcess,
    id: String,
}

impl Visitor {
    async fn come(server: &Server) -> Self {
        Self::come_with(server, &json!({})).await
    }

    async fn come_with(server: &Server, ext: &Value) -> Self {
        let client = server.in_process();
        let handshake = json!([{ "channel": "/meta/handshake", "ext": ext }]);
        let reply = client.send(&handshake.to_string()).await.unwrap();
        let id = reply.split("\"clientId\":\"").nth(1).unwrap().split('"').next().unwrap();
        let visitor = Self { client, id: id.to_owned() };
        visitor.connect().await;
        visitor
    }

    fn connecting(&self) -> String {
        json!([{ "channel": "/meta/connect", "clientId": self.id }]).to_string()
    }

    async fn connect(&self) -> String {
        self.client.send(&self.connecting()).await.unwrap()
    }

    /// Connects over a connection that breaks before the response is there.
    async fn connect_in_vain(&self, server: &Server) {
        let body = Full::new(bytes::Bytes::from(self.connecting()));
        let request = Request::post("/").header("host", "x").body(body).unwrap();
        let response = server.service().respond(request).await.unwrap();
        assert!(response.status().is_success(), "{response:?}");
    }
}

/// Has so many clients with a held connect, and tells when each got its last reply.
async fn ends(server: &Server, count: usize) -> Vec<Duration> {
    let start = clock::now();
    let mut held = Vec::new();
    for _ in 0..count {
        let visitor = Visitor::come(server).await;
        held.push(tokio::spawn(async move {
            let reply = visitor.connect().await;
            assert!(reply.contains("503::connect_unavailable"), "{reply}");
            clock::now() - start
        }));
    }
    while server.statistics().held_connects < count as u64 {
        tokio::task::yield_now().await;
    }
    server.drain().await;
    let mut ends = Vec::new();
    for one in held {
        ends.push(one.await.unwrap());
    }
    ends.sort();
    ends
}

#[tokio::test(start_paused = true)]
async fn clients_are_sent_away_one_after_the_other() {
    let server = server(40 * SECOND, 100 * SECOND);
    let ends = ends(&server, 4).await;
    for (end, expected) in ends.iter().zip([0, 10, 20, 30]) {
        // The runtime's clock has milliseconds.
        assert!(end.abs_diff(expected * SECOND) < SECOND, "{ends:?}");
    }
    assert!(server.is_draining() && server.0.is_stopped());
}

#[tokio::test(start_paused = true)]
async fn other_nodes_are_sent_away_last() {
    let server = server(80 * SECOND, 200 * SECOND);
    let node = Visitor::come(&server).await;
    server.session(&node.id).unwrap().set_node();
    let start = clock::now();
    let told = tokio::spawn(async move {
        node.connect().await;
        clock::now() - start
    });
    let clients = ends(&server, 15).await;
    let told = told.await.unwrap();
    assert!(clients.iter().all(|client| *client < told), "{clients:?} {told:?}");
}

async fn time_of_drain(server: &Server) -> Duration {
    let start = clock::now();
    server.drain().await;
    clock::now() - start
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_client_that_does_not_come_and_misses_nothing() {
    let server = server(SECOND, 100 * SECOND);
    let _away = Visitor::come(&server).await;
    let time = time_of_drain(&server).await;
    assert!(time < 2 * SECOND, "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn one_for_whom_something_waits_is_waited_for_until_the_deadline() {
    let server = server(SECOND, 100 * SECOND);
    let away = Visitor::come(&server).await;
    let session = server.session(&away.id).unwrap();
    assert!(session.deliver(Message::with_data("/a", json!(1))).await);
    let time = time_of_drain(&server).await;
    assert!(time.abs_diff(100 * SECOND) < SECOND, "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_sessions_hold_nothing_up_and_publish() {
    let server = server(SECOND, 100 * SECOND);
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    server.0.doors.close();
    let published = local.channel("/a").unwrap().publish(Message::with_data("/a", json!(1))).await;
    assert!(published.is_ok(), "{published:?}");
    let late = server.new_local_session("late");
    late.handshake(Message::default()).await.unwrap();
    assert!(time_of_drain(&server).await < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_was_dropped_goes_on_with_the_next() {
    let server = server(Duration::ZERO, 100 * SECOND);
    let away = Visitor::come(&server).await;
    let session = server.session(&away.id).unwrap();
    assert!(session.deliver(Message::with_data("/a", json!(1))).await);
    tokio::time::timeout(SECOND, server.drain()).await.unwrap_err();
    assert!(server.is_draining() && !server.0.is_stopped());
    let both = async { tokio::join!(server.drain(), server.drain()) };
    let told = async {
        tokio::time::sleep(SECOND).await;
        away.connect().await
    };
    let start: Instant = clock::now();
    let (_, told) = tokio::join!(both, told);
    assert!(told.contains("503::connect_unavailable") && told.contains("/a"), "{told}");
    assert!(clock::now() - start < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn one_whose_last_reply_was_lost_with_messages_is_waited_for() {
    for ext in [json!({}), json!({ "ack": true })] {
        let mut config = Config::default();
        (config.drain.spread, config.drain.timeout) = (Duration::ZERO, 100 * SECOND);
        config.long_polling.max_interval = 1_000 * SECOND;
        config.acknowledgements = true;
        // As by the cookie, which only the transport of the handshake knows.
        config.http.trust_client_session = true;
        let server = Server::builder().config(config).seed(1).build();
        let away = Visitor::come_with(&server, &ext).await;
        let session = server.session(&away.id).unwrap();
        assert!(session.deliver(Message::with_data("/a", json!(1))).await);
        let draining = tokio::spawn({
            let server = server.clone();
            async move { server.drain().await }
        });
        while !session.is_dismissed() {
            tokio::task::yield_now().await;
        }
        away.connect_in_vain(&server).await;
        tokio::time::sleep(50 * SECOND).await;
        assert!(!draining.is_finished(), "{ext}");
        let told = away.connect().await;
        assert!(told.contains("503::connect_unavailable") && told.contains("/a"), "{told}");
        draining.await.unwrap();
    }
}

/// With acknowledgements it can come with the reply to a connect only.
#[tokio::test(start_paused = true)]
async fn the_answer_to_what_comes_before_a_client_has_its_turn_comes_with_its_last_reply() {
    let mut config = Config::default();
    (config.drain.spread, config.drain.timeout) = (Duration::ZERO, 100 * SECOND);
    (config.acknowledgements, config.long_polling.timeout) = (true, 1_000 * SECOND);
    let server = Server::builder().config(config).seed(1).build();
    let mut service = server.new_service("service").await.unwrap();
    let answer = async |_: crate::Request| {
        tokio::time::sleep(10 * SECOND).await;
        Some(json!("answer").into())
    };
    service.on_message("/service/a", answer).unwrap();
    let visitor = Arc::new(Visitor::come_with(&server, &json!({ "ack": true })).await);
    let before = server.0.doors.enter();
    let draining = server.clone();
    let draining = tokio::spawn(async move { draining.drain().await });
    let connecting = visitor.clone();
    let held = tokio::spawn(async move { connecting.connect().await });
    let asking = visitor.clone();
    let asked = tokio::spawn(async move {
        let message = json!([{ "channel": "/service/a", "clientId": asking.id, "data": 1 }]);
        asking.client.send(&message.to_string()).await.unwrap()
    });
    tokio::time::sleep(SECOND).await;
    drop(before);
    let told = held.await.unwrap();
    assert!(told.contains("503::connect_unavailable") && told.contains("answer"), "{told}");
    assert!(asked.await.unwrap().contains("\"successful\":true"));
    draining.await.unwrap();
}

/// Lets nobody in before it is told to.
#[derive(Debug, Default)]
struct Porter {
    is_asked: Notify,
    opens: Notify,
}

#[async_trait]
impl SecurityPolicy for Porter {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.is_asked.notify_one();
        self.opens.notified().await;
        true
    }
}

#[tokio::test(start_paused = true)]
async fn no_session_begins_of_which_a_policy_was_asked_before() {
    for wait in [SECOND, 60 * SECOND] {
        let server = server(Duration::ZERO, 100 * SECOND);
        let porter = Arc::new(Porter::default());
        server.set_security_policy(Some(porter.clone()));
        let client = server.in_process();
        let handshaking = tokio::spawn(async move {
            client.send(r#"[{"channel":"/meta/handshake"}]"#).await.unwrap()
        });
        porter.is_asked.notified().await;
        let open = async {
            tokio::time::sleep(wait).await;
            porter.opens.notify_one();
            handshaking.await.unwrap()
        };
        let draining = server.clone();
        let draining = tokio::spawn(async move { draining.drain().await });
        let reply = open.await;
        assert!(reply.contains("503::handshake_unavailable"), "{reply}");
        draining.await.unwrap();
    }
}
