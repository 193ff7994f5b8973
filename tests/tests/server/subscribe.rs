//! `/meta/subscribe` and `/meta/unsubscribe`.

use std::sync::Arc;

use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    the_reply_repeats_the_subscription,
    several_channels_are_subscribed_to_at_once,
    the_first_refusal_stops_and_what_was_done_stays,
    a_subscription_has_to_be_there_and_valid,
    meta_channels_are_refused,
    meta_channels_are_refused_without_a_policy_too,
    a_service_channel_is_a_success_without_effect,
    subscribing_twice_is_told_once,
    subscribers_are_in_the_order_in_which_they_came,
    wild_subscriptions_get_what_they_match,
    a_name_with_a_slash_at_its_end_is_the_same_channel,
    who_has_unsubscribed_gets_nothing_more,
    unsubscribing_needs_the_channel_and_nothing_else,
);

async fn try_subscribe(client: &mut Client, subscription: Value) -> Value {
    client.request("/meta/subscribe", json!({ "subscription": subscription })).await
}

async fn the_reply_repeats_the_subscription(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let reply = client.subscribe("/a").await;
    assert_eq!(
        reply,
        json!({ "channel": "/meta/subscribe", "id": "2", "successful": true, "subscription": "/a" })
    );
    let reply = client.unsubscribe("/a").await;
    assert_eq!(
        reply,
        json!({
            "channel": "/meta/unsubscribe", "id": "3", "successful": true, "subscription": "/a",
        })
    );
}

async fn several_channels_are_subscribed_to_at_once(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let reply = try_subscribe(&mut client, json!(["/a", "/b"])).await;
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["subscription"], json!(["/a", "/b"]));
    client.publish("/a", json!(1)).await;
    client.publish("/b", json!(2)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    assert_eq!(client.message_on("/b").await["data"], 2);
}

async fn the_first_refusal_stops_and_what_was_done_stays(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let reply = try_subscribe(&mut client, json!(["/a", "/meta/connect", "/b"])).await;
    assert_eq!(reply["successful"], false);
    assert_eq!(reply["subscription"], json!(["/a", "/meta/connect", "/b"]));
    let session = server.session(&client);
    let subscribed: Vec<_> =
        session.subscriptions().iter().map(|channel| channel.id().to_string()).collect();
    assert_eq!(subscribed, ["/a"]);
    assert!(server.server.channel("/b").is_none());
}

async fn a_subscription_has_to_be_there_and_valid(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
        let reply = client.request(channel, json!({})).await;
        assert_eq!(reply["error"], "403::subscription_missing");
        for subscription in [
            json!(5),
            json!({}),
            json!([5]),
            json!(["/a", {}]),
            json!(""),
            json!("a"),
            json!("/"),
            json!("/a//b"),
            json!("/a<b"),
            json!("/a/é"),
            // Illegal wildcards.
            json!("/a/*/b"),
            json!("/a/**/*"),
            json!(["/a", "/**/b"]),
            // An empty array.
            json!([]),
        ] {
            let reply = client.request(channel, json!({ "subscription": subscription })).await;
            assert_eq!(reply["successful"], false, "{subscription}");
            assert_eq!(reply["error"], "403::subscription_invalid", "{subscription}");
        }
    }
    assert!(server.session(&client).subscriptions().is_empty());
}

async fn meta_channels_are_refused(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    for (channel, error) in [
        ("/meta/connect", "403:denied_by_security_policy:subscribe_denied"),
        ("/meta/other", "403:denied_by_security_policy:create_denied"),
        ("/meta/*", "403:denied_by_security_policy:create_denied"),
    ] {
        let reply = try_subscribe(&mut client, json!(channel)).await;
        assert_eq!(reply["error"], error, "{channel}");
    }
}

async fn meta_channels_are_refused_without_a_policy_too(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.set_security_policy(None);
    let mut client = server.handshaken(transport).await;
    let reply = try_subscribe(&mut client, json!("/meta/connect")).await;
    assert_eq!(reply["error"], "403::subscribe_failed");
}

async fn a_service_channel_is_a_success_without_effect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let mut client = server.handshaken(transport).await;
    client.subscribe("/service/a").await;
    assert!(server.session(&client).subscriptions().is_empty());
    assert!(server.server.channel("/service/a").unwrap().subscribers().is_empty());
    client.unsubscribe("/service/a").await;
    assert!(log.entries().is_empty());
}

async fn subscribing_twice_is_told_once(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    client.publish("/a", json!(2)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    assert_eq!(client.message_on("/a").await["data"], 2);
    client.unsubscribe("/a").await;
    client.unsubscribe("/a").await;
    assert_eq!(
        log.entries(),
        ["server: subscribed /a by the client", "server: unsubscribed /a by the client"]
    );
}

async fn subscribers_are_in_the_order_in_which_they_came(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let (mut clients, mut came) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let mut client = server.connected(transport).await;
        client.subscribe("/a").await;
        came.push(server.session(&client).id().to_owned());
        clients.push(client);
    }
    let channel = server.server.channel("/a").unwrap();
    let subscribers: Vec<_> =
        channel.subscribers().iter().map(|session| session.id().to_owned()).collect();
    assert_eq!(subscribers, came);
}

async fn wild_subscriptions_get_what_they_match(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut publisher = server.handshaken(transport).await;
    for (subscription, expected) in [
        ("/a/*", vec!["/a/b", "/end"]),
        ("/a/**", vec!["/a/b", "/a/b/c", "/end"]),
        ("/*", vec!["/a", "/end"]),
        ("/**", vec!["/a", "/a/b", "/a/b/c", "/b/c", "/end"]),
    ] {
        let mut client = server.connected(transport).await;
        client.subscribe(subscription).await;
        client.subscribe("/end").await;
        for channel in ["/a", "/a/b", "/a/b/c", "/service/a", "/b/c", "/end"] {
            publisher.publish(channel, json!(1)).await;
        }
        assert_eq!(client.channels_until("/end").await, expected, "{subscription}");
    }
}

async fn a_name_with_a_slash_at_its_end_is_the_same_channel(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a/").await;
    client.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    client.publish("/a/", json!(2)).await;
    assert_eq!(client.message_on("/a").await["data"], 2);
    client.unsubscribe("/a/").await;
    assert!(server.session(&client).subscriptions().is_empty());
}

async fn who_has_unsubscribed_gets_nothing_more(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.subscribe("/end").await;
    client.unsubscribe("/a").await;
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/a", json!(1)).await;
    publisher.publish("/end", json!(1)).await;
    client.message_on("/end").await;
    assert!(client.received_on("/a").is_empty());
}

async fn unsubscribing_needs_the_channel_and_nothing_else(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    server.handshaken(transport).await.subscribe("/a").await;
    client.unsubscribe("/a").await;
    for (channel, error) in
        [("/none", "400::channel_missing"), ("/meta/connect", "403::unsubscribe_failed")]
    {
        let fields = json!({ "subscription": channel });
        let reply = client.request("/meta/unsubscribe", fields).await;
        assert_eq!(reply["error"], error, "{channel}");
    }
}
