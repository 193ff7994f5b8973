//! Acknowledged delivery: `ext.ack`, and messages that come again until they are acknowledged.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::{
    Config,
    api::{
        Message,
        server::{ServerMessage, ServerSession, SessionListener},
    },
};
use serde_json::{Value, json};
use tests::{
    Client, TestServer, Transport, eventually, every_transport, over_every_transport, over_http,
    over_websocket,
};

over_every_transport!(
    it_is_agreed_upon_in_the_handshake,
    it_is_off_unless_configured,
    each_connect_closes_a_batch,
    messages_come_with_connects_only,
    what_is_not_acknowledged_comes_again_at_once,
    what_is_acknowledged_does_not_come_again,
    lazy_messages_that_were_not_sent_wait_for_their_time,
    lazy_messages_that_were_sent_come_again_at_once,
    a_held_connect_is_answered_with_its_batch,
    messages_of_the_handshake_may_come_with_its_reply,
    messages_of_the_handshake_come_with_the_first_connect,
);

fn acknowledged(config: &mut Config) {
    config.acknowledgements = true;
}

async fn handshaken(server: &TestServer, transport: Transport) -> Client {
    let mut client = server.client(transport).await;
    let reply = client.try_handshake(json!({ "ext": { "ack": true } })).await;
    assert_eq!(reply["ext"]["ack"], true);
    client
}

/// Connects without being held, acknowledging `batch`; returns the reply and the data that came.
async fn connect(client: &mut Client, batch: i64) -> (Value, Vec<Value>) {
    let fields = json!({ "ext": { "ack": batch }, "advice": { "timeout": 0 } });
    let reply = client.try_connect(fields).await;
    assert_eq!(reply["successful"], true, "{reply}");
    (reply["ext"]["ack"].clone(), data(client))
}

fn data(client: &mut Client) -> Vec<Value> {
    client.received_on("/a").iter().map(|message| message["data"].clone()).collect()
}

async fn deliver(session: &bayeux_server::Session, data: i64) {
    assert!(session.deliver(Message::with_data("/a", json!(data))).await);
}

async fn it_is_agreed_upon_in_the_handshake(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    for (ext, agreed) in [
        (json!({ "ack": true }), json!(true)),
        (json!({ "ack": false }), Value::Null),
        (json!({ "ack": "true" }), Value::Null),
        (json!({ "ack": 1 }), Value::Null),
        (json!({}), Value::Null),
    ] {
        let mut client = server.client(transport).await;
        let reply = client.try_handshake(json!({ "ext": ext })).await;
        assert_eq!(reply["ext"]["ack"], agreed, "{ext}");
        let reply = client.try_connect(json!({ "ext": { "ack": -1 } })).await;
        assert_eq!(reply["ext"]["ack"].is_number(), agreed == true, "{ext}");
    }
}

async fn it_is_off_unless_configured(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.client(transport).await;
    let reply = client.try_handshake(json!({ "ext": { "ack": true } })).await;
    assert_eq!(reply["successful"], true);
    assert!(reply.get("ext").is_none(), "{reply}");
}

async fn each_connect_closes_a_batch(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    for batch in 1..4 {
        assert_eq!(connect(&mut client, batch - 1).await.0, batch);
    }
}

async fn messages_come_with_connects_only(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    connect(&mut client, 0).await;
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    client.publish("/b", json!(2)).await;
    assert!(client.received().is_empty());
    assert!(server.session(&client).is_meta_connect_delivery_only());
    assert_eq!(connect(&mut client, 1).await.1, [1]);
}

async fn what_is_not_acknowledged_comes_again_at_once(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    let session = server.session(&client);
    connect(&mut client, 0).await;
    deliver(&session, 1).await;
    deliver(&session, 2).await;
    assert_eq!(connect(&mut client, 1).await, (json!(2), vec![json!(1), json!(2)]));
    deliver(&session, 3).await;
    // As if the last reply had been lost. The connect could be held, but is not.
    let reply = client.try_connect(json!({ "ext": { "ack": 1 } })).await;
    assert_eq!(reply["ext"]["ack"], 3);
    assert_eq!(data(&mut client), [1, 2, 3]);
    let reply = client.try_connect(json!({ "ext": { "ack": 2 } })).await;
    assert_eq!(reply["ext"]["ack"], 4);
    assert_eq!(data(&mut client), [3]);
}

async fn what_is_acknowledged_does_not_come_again(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    let session = server.session(&client);
    connect(&mut client, 0).await;
    deliver(&session, 1).await;
    assert_eq!(connect(&mut client, 1).await, (json!(2), vec![json!(1)]));
    assert_eq!(session.queue_depth().messages, 1);
    assert_eq!(connect(&mut client, 2).await, (json!(3), vec![]));
    assert_eq!(session.queue_depth().messages, 0);
}

async fn lazy_messages_that_were_not_sent_wait_for_their_time(transport: Transport) {
    let server = TestServer::start(|config| {
        acknowledged(config);
        every_transport(config, |t| t.max_lazy_timeout = Duration::from_millis(200));
    })
    .await;
    let mut client = handshaken(&server, transport).await;
    connect(&mut client, 0).await;
    let mut message = Message::with_data("/a", json!(1));
    message.lazy = true;
    server.session(&client).deliver(message).await;
    let held = client.message("/meta/connect", &json!({ "ext": { "ack": 1 } }));
    client.send(&[held]);
    eventually("the connect to be held", || server.server.statistics().held_connects == 1).await;
    let arrived = client.messages().await;
    assert_eq!(arrived[0]["data"], 1);
}

async fn lazy_messages_that_were_sent_come_again_at_once(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    connect(&mut client, 0).await;
    let mut message = Message::with_data("/a", json!(1));
    message.lazy = true;
    server.session(&client).deliver(message).await;
    assert_eq!(connect(&mut client, 1).await.1, [1]);
    client.try_connect(json!({ "ext": { "ack": 1 } })).await;
    assert_eq!(data(&mut client), [1]);
}

async fn a_held_connect_is_answered_with_its_batch(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    connect(&mut client, 0).await;
    let connect = client.message("/meta/connect", &json!({ "ext": { "ack": 1 } }));
    client.send(&[connect]);
    eventually("the connect to be held", || server.server.statistics().held_connects == 1).await;
    deliver(&server.session(&client), 1).await;
    let mut arrived = client.messages().await;
    if transport.pushes() {
        arrived.extend(client.messages().await);
    }
    assert_eq!(arrived[0]["data"], 1);
    assert_eq!(arrived[1]["ext"]["ack"], 2);
}

/// Delivers two messages to each session that is added.
#[derive(Debug)]
struct Greets;

#[async_trait]
impl SessionListener for Greets {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        for data in [1, 2] {
            session.deliver(None, Message::with_data("/a", json!(data))).await;
        }
    }
}

async fn messages_of_the_handshake_may_come_with_its_reply(transport: Transport) {
    let server = TestServer::start(|config| {
        acknowledged(config);
        every_transport(config, |t| t.allow_message_delivery_during_handshake = true);
    })
    .await;
    server.server.add_session_listener(Arc::new(Greets)).keep();
    let mut client = server.client(transport).await;
    let reply = client.try_handshake(json!({ "ext": { "ack": true } })).await;
    assert_eq!(reply["ext"]["ack"], json!({ "enabled": true, "batch": 1 }));
    assert_eq!(reply["x-messages"], 2);
    // They come once more, since they have not been acknowledged.
    let id = client.expect("the first", |message| message["data"] == 1).await;
    assert_eq!(id["channel"], "/a");
    client.expect("the second", |message| message["data"] == 2).await;
    assert_eq!(connect(&mut client, 0).await.1, [1, 2]);
    assert_eq!(connect(&mut client, 2).await.1, Vec::<Value>::new());
}

async fn messages_of_the_handshake_come_with_the_first_connect(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    server.server.add_session_listener(Arc::new(Greets)).keep();
    let mut client = handshaken(&server, transport).await;
    assert_eq!(connect(&mut client, 0).await, (json!(1), vec![json!(1), json!(2)]));
}

over_http!(a_connect_that_was_cut_costs_no_message);

async fn a_connect_that_was_cut_costs_no_message(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    let session = server.session(&client);
    connect(&mut client, 0).await;
    client.hold().await;
    client.abort().await;
    eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    deliver(&session, 1).await;
    assert_eq!(connect(&mut client, 1).await.1, [1]);
}

over_websocket!(a_new_connection_loses_and_repeats_nothing);

async fn a_new_connection_loses_and_repeats_nothing(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let mut client = handshaken(&server, transport).await;
    let session = server.session(&client);
    connect(&mut client, 0).await;
    deliver(&session, 1).await;
    assert_eq!(connect(&mut client, 1).await, (json!(2), vec![json!(1)]));
    deliver(&session, 2).await;
    let mut again = server.client(transport).await;
    again.set_id(client.id());
    drop(client);
    deliver(&session, 3).await;
    assert_eq!(connect(&mut again, 2).await, (json!(3), vec![json!(2), json!(3)]));
    assert_eq!(connect(&mut again, 3).await.1, Vec::<Value>::new());
}
