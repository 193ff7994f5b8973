//! Messages that are acknowledged, and go ahead of the reply after which they are: `ext.ackAhead`.

use bayeux_server::{
    Config,
    api::{Message, implement::ahead},
};
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, eventually, over_websocket, within};

over_websocket!(
    it_is_agreed_upon_where_acknowledgements_are,
    messages_come_at_once_with_the_number_of_their_batch,
    a_held_connect_is_answered_when_enough_went_ahead,
    what_is_on_its_way_is_not_sent_again,
    what_was_lost_with_a_connection_comes_again_over_the_next,
    nothing_goes_ahead_over_a_connection_before_its_first_connect,
    what_went_ahead_comes_again_by_a_request,
);

fn acknowledged(config: &mut Config) {
    config.acknowledgements = true;
    config.http.trust_client_session = true;
}

async fn handshaken(server: &TestServer, transport: Transport) -> Client {
    let mut client = server.client(transport).await;
    let fields = json!({ "ext": { "ack": true, "ackAhead": true } });
    let reply = client.try_handshake(fields).await;
    assert_eq!(reply["ext"], json!({ "ack": true, "ackAhead": true }));
    client
}

/// Connects without being held, and returns the number to acknowledge.
async fn connect(client: &mut Client, ext: Value) -> i64 {
    let reply = client.try_connect(json!({ "ext": ext, "advice": { "timeout": 0 } })).await;
    assert_eq!(reply["successful"], true, "{reply}");
    reply["ext"]["ack"].as_i64().unwrap()
}

/// A client over whose connection messages go ahead.
async fn going(server: &TestServer, transport: Transport) -> (Client, i64) {
    let mut client = handshaken(server, transport).await;
    let batch = connect(&mut client, json!({ "ack": 0, "ackAhead": true })).await;
    (client, batch)
}

async fn deliver(server: &TestServer, client: &Client, data: i64) {
    let session = server.session(client);
    assert!(session.deliver(Message::with_data("/a", json!(data))).await);
}

/// Waits for the next number that was sent ahead; returns it, and the data that came before.
async fn number(client: &mut Client) -> (i64, Vec<Value>) {
    let number = client.expect("a number", |message| message["channel"] == ahead::CHANNEL).await;
    (number["ext"]["ack"].as_i64().unwrap(), data(client))
}

fn data(client: &mut Client) -> Vec<Value> {
    client.received_on("/a").iter().map(|message| message["data"].clone()).collect()
}

async fn it_is_agreed_upon_where_acknowledgements_are(transport: Transport) {
    for (has_acknowledgements, ext, agreed) in [
        (true, json!({ "ack": true, "ackAhead": true }), json!({ "ack": true, "ackAhead": true })),
        (true, json!({ "ack": true, "ackAhead": 1 }), json!({ "ack": true })),
        (true, json!({ "ack": true }), json!({ "ack": true })),
        (true, json!({ "ackAhead": true }), Value::Null),
        (false, json!({ "ack": true, "ackAhead": true }), Value::Null),
    ] {
        let server =
            TestServer::start(|config| config.acknowledgements = has_acknowledgements).await;
        let mut client = server.client(transport).await;
        let reply = client.try_handshake(json!({ "ext": ext })).await;
        assert_eq!(reply["ext"], agreed, "{ext}");
    }
}

async fn messages_come_at_once_with_the_number_of_their_batch(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let (mut client, batch) = going(&server, transport).await;
    client.hold().await;
    let mut last = batch;
    for n in 1..=3 {
        deliver(&server, &client, n).await;
        let (batch, came) = number(&mut client).await;
        assert!(batch > last, "{batch} after {last}");
        assert_eq!(came, [n]);
        last = batch;
    }
    assert_eq!(server.server.statistics().held_connects, 1);
    assert_eq!(server.server.statistics().messages_sent, 3);
    assert_eq!(server.session(&client).queue_depth().messages, 3);
    assert!(!server.session(&client).is_meta_connect_delivery_only());
}

async fn a_held_connect_is_answered_when_enough_went_ahead(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let (mut client, _) = going(&server, transport).await;
    let connect = client.hold().await;
    for n in 0..300 {
        deliver(&server, &client, n).await;
    }
    let reply = client.reply_to(&connect).await;
    let before = data(&mut client);
    assert!((256..=300).contains(&before.len()), "{}", before.len());
    let all = within("the others", async {
        let mut all = before;
        while all.len() < 300 {
            all.extend(number(&mut client).await.1);
        }
        all
    });
    assert_eq!(all.await, (0..300).map(Value::from).collect::<Vec<_>>());
    let batch = &reply["ext"]["ack"];
    client.try_connect(json!({ "ext": { "ack": batch }, "advice": { "timeout": 0 } })).await;
    assert!(server.session(&client).queue_depth().messages <= 44);
}

async fn what_is_on_its_way_is_not_sent_again(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let (mut client, batch) = going(&server, transport).await;
    deliver(&server, &client, 1).await;
    let (first, _) = number(&mut client).await;
    deliver(&server, &client, 2).await;
    // As if this had been sent before the second arrived.
    connect(&mut client, json!({ "ack": first })).await;
    assert_eq!(data(&mut client), [2]);
    assert_eq!(server.session(&client).queue_depth().messages, 1);
    let last = connect(&mut client, json!({ "ack": first + 1 })).await;
    assert!(first > batch && last > first);
    assert_eq!(data(&mut client), [Value::Null; 0]);
    assert_eq!(server.session(&client).queue_depth().messages, 0);
}

/// Another connection of the same session.
async fn another(server: &TestServer, client: &Client, transport: Transport) -> Client {
    let mut again = server.client(transport).await;
    again.set_id(client.id());
    again
}

async fn what_was_lost_with_a_connection_comes_again_over_the_next(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let (mut client, _) = going(&server, transport).await;
    deliver(&server, &client, 1).await;
    let (first, _) = number(&mut client).await;
    deliver(&server, &client, 2).await;
    let mut again = another(&server, &client, transport).await;
    drop(client);
    deliver(&server, &again, 3).await;
    let batch = connect(&mut again, json!({ "ack": first, "ackAhead": true })).await;
    assert_eq!(data(&mut again), [2, 3]);
    deliver(&server, &again, 4).await;
    let (last, came) = number(&mut again).await;
    assert_eq!((came, last > batch), (vec![json!(4)], true));
    connect(&mut again, json!({ "ack": last })).await;
    assert_eq!(server.session(&again).queue_depth().messages, 0);
}

async fn nothing_goes_ahead_over_a_connection_before_its_first_connect(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let (mut client, _) = going(&server, transport).await;
    deliver(&server, &client, 1).await;
    let (first, _) = number(&mut client).await;
    deliver(&server, &client, 2).await;
    let mut again = another(&server, &client, transport).await;
    client.abort().await;
    let lost = || server.server.statistics().websockets == 1;
    eventually("the connection to be gone", lost).await;
    again.publish("/b", json!(0)).await;
    deliver(&server, &again, 3).await;
    again.publish("/b", json!(0)).await;
    assert_eq!(data(&mut again), [Value::Null; 0]);
    connect(&mut again, json!({ "ack": first, "ackAhead": true })).await;
    assert_eq!(data(&mut again), [2, 3]);
}

async fn what_went_ahead_comes_again_by_a_request(transport: Transport) {
    let server = TestServer::start(acknowledged).await;
    let (mut client, batch) = going(&server, transport).await;
    deliver(&server, &client, 1).await;
    number(&mut client).await;
    let mut again = another(&server, &client, Transport::LongPolling).await;
    drop(client);
    for _ in 0..2 {
        connect(&mut again, json!({ "ack": batch, "ackAhead": true })).await;
        assert_eq!(data(&mut again), [1]);
    }
    deliver(&server, &again, 2).await;
    again.publish("/b", json!(0)).await;
    assert_eq!(data(&mut again), [Value::Null; 0]);
}
