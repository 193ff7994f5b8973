//! Publishing: who gets it, and what.

use std::sync::Arc;

use bayeux_server::api::{Message, server::Created};
use serde_json::{Value, json};
use tests::{TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    subscriber_receives_what_is_published,
    the_reply_has_no_data,
    without_an_id_there_is_none_in_the_reply,
    a_numeric_id_comes_back_as_text,
    fields_that_are_not_the_protocols_are_kept,
    the_publisher_gets_its_own_message_before_the_reply,
    falsy_data_is_delivered,
    no_data_is_not_a_delivery_of_data,
    every_digit_and_the_order_of_keys_arrive,
    all_subscribers_get_one_copy_however_many_channels_match,
    a_wild_channel_is_one_that_its_subscribers_hear,
    names_and_ids_are_checked,
    ids_are_not_checked_if_so_configured,
    unknown_meta_channels_are_refused,
    nobody_can_publish_without_a_session,
    the_servers_own_code_publishes_data_or_whole_messages,
);

async fn subscriber_receives_what_is_published(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/chat").await;
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/chat", json!({ "text": "hello" })).await;
    // Neither the id nor the clientId of the publisher is in it.
    let message = subscriber.message_on("/chat").await;
    assert_eq!(message, json!({ "channel": "/chat", "data": { "text": "hello" } }));
}

async fn the_reply_has_no_data(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    for channel in ["/a", "/service/a"] {
        let reply = client.request(channel, json!({ "id": "p1", "data": 1 })).await;
        assert_eq!(reply, json!({ "channel": channel, "id": "p1", "successful": true }));
    }
}

async fn without_an_id_there_is_none_in_the_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    client.send(&[json!({ "channel": "/a", "clientId": client.id(), "data": 1 })]);
    let reply = client.expect("the reply", |message| message["channel"] == "/a").await;
    assert_eq!(reply, json!({ "channel": "/a", "successful": true }));
}

async fn a_numeric_id_comes_back_as_text(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    client.send(&[json!({ "channel": "/a", "id": 42, "clientId": client.id(), "data": 1 })]);
    let reply = client.expect("the reply", |message| message["channel"] == "/a").await;
    assert_eq!(reply["id"], "42");
}

async fn fields_that_are_not_the_protocols_are_kept(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let fields = json!({ "data": 1, "ext": { "x": [1] }, "serverTime": 5, "more": { "y": null } });
    client.request("/a", fields).await;
    let message = client.message_on("/a").await;
    let expected = json!({
        "channel": "/a", "data": 1, "ext": { "x": [1] }, "serverTime": 5, "more": { "y": null },
    });
    assert_eq!(message, expected);
}

async fn the_publisher_gets_its_own_message_before_the_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send(&[publish]);
    let mut arrived = client.messages().await;
    match transport {
        // Everything in one response.
        Transport::LongPolling | Transport::LongPollingOverHttp2 | Transport::InProcess => {}
        Transport::WebSocket | Transport::WebSocketOverHttp2 => {
            arrived.extend(client.messages().await);
        }
        // Messages come with connects only.
        Transport::CallbackPolling => {
            assert_eq!(arrived.len(), 1);
            arrived.insert(0, client.message_on("/a").await);
        }
    }
    assert_eq!(arrived[0], json!({ "channel": "/a", "data": 1 }));
    assert_eq!(arrived[1]["successful"], true);
    assert_eq!(arrived.len(), 2);
}

async fn falsy_data_is_delivered(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    for data in [json!(""), json!(0), json!(false), json!([]), json!({}), Value::Null] {
        client.publish("/a", data.clone()).await;
        let message = client.message_on("/a").await;
        assert_eq!(message, json!({ "channel": "/a", "data": data }));
    }
}

async fn no_data_is_not_a_delivery_of_data(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let reply = client.request("/a", json!({ "more": 1 })).await;
    assert_eq!(reply["successful"], true);
    client.publish("/a", json!("end")).await;
    client.message_on("/a").await;
    let other = client.expect("the message", |message| message.get("more").is_some()).await;
    assert_eq!(other, json!({ "channel": "/a", "more": 1 }));
}

async fn every_digit_and_the_order_of_keys_arrive(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let payload =
        r#"{"z":123456789012345678901234567890,"a":1.10000000000000000000001,"e":"\u00e9"}"#;
    let seen = Log::default();
    let local = server.server.new_local_session("seen");
    local.handshake(Message::default()).await.unwrap();
    let channel = local.channel("/a").unwrap();
    let _subscription = channel.subscribe(Arc::new(seen.clone())).await.unwrap();
    let mut client = server.handshaken(transport).await;
    let id = client.id().to_owned();
    client
        .send_text(format!(r#"[{{"channel":"/a","id":"1","clientId":"{id}","data":{payload}}}]"#));
    client.reply_to("1").await;
    seen.until(&format!("/a {payload}")).await;
}

async fn all_subscribers_get_one_copy_however_many_channels_match(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscribers = Vec::new();
    for _ in 0..5 {
        let mut subscriber = server.connected(transport).await;
        for channel in ["/a/b", "/a/*", "/a/**", "/**"] {
            subscriber.subscribe(channel).await;
        }
        subscribers.push(subscriber);
    }
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/a/b", json!(1)).await;
    publisher.publish("/a/b", json!(2)).await;
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.message_on("/a/b").await["data"], 1);
        assert_eq!(subscriber.message_on("/a/b").await["data"], 2);
        assert!(subscriber.received_on("/a/b").is_empty());
    }
}

async fn a_wild_channel_is_one_that_its_subscribers_hear(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut wild = server.connected(transport).await;
    wild.subscribe("/a/*").await;
    let mut plain = server.connected(transport).await;
    plain.subscribe("/a/b").await;
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/a/*", json!(1)).await;
    publisher.publish("/a/b", json!(2)).await;
    assert_eq!(wild.message_on("/a/*").await["data"], 1);
    assert_eq!(plain.message_on("/a/b").await["data"], 2);
    assert!(plain.received_on("/a/*").is_empty());
}

async fn names_and_ids_are_checked(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let id = client.id().to_owned();
    for (message, error) in [
        (json!({ "data": 1 }), "400::channel_missing"),
        (json!({ "channel": 7, "data": 1 }), "405::channel_invalid"),
        (json!({ "channel": "a", "data": 1 }), "405::channel_invalid"),
        (json!({ "channel": "/", "data": 1 }), "405::channel_invalid"),
        (json!({ "channel": "/<b>", "data": 1 }), "405::channel_invalid"),
        (json!({ "channel": "/a//b", "data": 1 }), "405::channel_invalid"),
        (json!({ "channel": "/*/b", "data": 1 }), "405::channel_invalid"),
        (json!({ "channel": "/a", "id": "", "data": 1 }), "405::message_id_invalid"),
        (json!({ "channel": "/a", "id": "<b>", "data": 1 }), "405::message_id_invalid"),
        (json!({ "channel": "/a", "id": {}, "data": 1 }), "405::message_id_invalid"),
    ] {
        let mut message = message;
        message["clientId"] = json!(id);
        client.send(&[message.clone()]);
        let reply = client.expect("the reply", |reply| reply["successful"].is_boolean()).await;
        assert_eq!(reply["successful"], false, "{message}");
        assert_eq!(reply["error"], error, "{message}");
    }
    for channel in ["/a!#$()*+-.@_{}~ b", "/{a}/b"] {
        client.publish(channel, json!(1)).await;
    }
}

async fn ids_are_not_checked_if_so_configured(transport: Transport) {
    let server = TestServer::start(|config| config.validate_message_fields = false).await;
    let mut client = server.handshaken(transport).await;
    let reply = client.request("/a", json!({ "id": "a-b c", "data": 1 })).await;
    assert_eq!(reply["id"], "a-b c");
}

async fn unknown_meta_channels_are_refused(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let reply = client.request("/meta/other", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "403:denied_by_security_policy:channel_create_denied");
    server.server.set_security_policy(None);
    let reply = client.request("/meta/other", json!({ "data": 1 })).await;
    assert_eq!(reply["successful"], false);
}

async fn nobody_can_publish_without_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.client(transport).await;
    for channel in ["/a", "/service/a"] {
        let reply = client.request(channel, json!({ "data": 1 })).await;
        assert_eq!(reply["error"], "402::session_unknown");
    }
    assert!(server.server.channel("/a").is_none());
}

async fn the_servers_own_code_publishes_data_or_whole_messages(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let created = server.server.create_channel_if_absent("/a").unwrap();
    assert!(matches!(created, Created::New(_)));
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let mut whole = Message::with_data("/elsewhere", json!({ "whole": true }));
    whole.set_extra("more", 1);
    // Nobody needs a trait, nor the channel's name again.
    for published in [
        created.publish(json!({ "b": 1 })).await,
        created.publish("text").await,
        created.publish(whole).await,
    ] {
        assert_eq!(published.unwrap().sessions, 1);
    }
    for message in [
        json!({ "channel": "/a", "data": { "b": 1 } }),
        json!({ "channel": "/a", "data": "text" }),
        json!({ "channel": "/a", "data": { "whole": true }, "more": 1 }),
    ] {
        assert_eq!(client.message_on("/a").await, message);
    }

    // On behalf of a session, which has to be one that gets its own messages.
    let session = server.session(&client);
    let channel = server.server.channel("/a").unwrap();
    channel.set_broadcast_to_publisher(false);
    let log = Log::default();
    channel.add_listener(Arc::new(log.clone())).keep();
    assert_eq!(channel.publish_from(&*session, json!(2)).await.unwrap().sessions, 0);
    assert_eq!(log.take(), ["/a hears /a"]);
    assert!(session.deliver_from(&*session, Message::with_data("/b", json!(3))).await);
    assert_eq!(client.message_on("/b").await, json!({ "channel": "/b", "data": 3 }));
}
