//! Publishing: the reply, and the ways in which it fails.

use bayeux_client::{
    Config,
    api::{
        ChannelIdError, ConnectionType, Flow, Message,
        client::{ClientSession as _, FailureKind, RequestError},
    },
};
use serde_json::json;
use tests::{TestServer, every_transport, hooks, hooks::Log, over_every_client_transport, within};

use crate::scene::{Denies, refusal, wire};

over_every_client_transport!(
    it_is_answered,
    what_is_refused_says_why,
    a_wild_channel_cannot_be_published_on,
    what_is_too_large_fails_here_and_the_rest_goes_on,
    what_the_client_may_send_the_server_takes,
    more_than_the_queue_takes_is_refused_here,
    without_a_session_it_fails,
    what_is_asked_for_during_the_handshake_is_sent_after_it,
    a_message_keeps_its_fields,
);

async fn it_is_answered(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let reply = client.channel("/chat").unwrap().publish(json!({ "text": "hello" }));
    let reply = within("the reply", reply).await.unwrap();
    assert!(reply.is_successful());
    assert_eq!(reply.channel(), "/chat");
    assert_eq!(reply.data, None);
}

async fn what_is_refused_says_why(transport: ConnectionType) {
    let server = Denies("publish").server().await;
    let client = server.bayeux_client(transport).await;
    let result = within("publish", client.channel("/chat").unwrap().publish(json!(1))).await;
    assert!(refusal(result.clone()).starts_with("403"));
    let Err(RequestError::Refused(reply)) = result else { unreachable!("it was just refused") };
    assert_eq!((reply.channel(), reply.successful), ("/chat", Some(false)));
    assert!(client.is_connected());
}

async fn a_wild_channel_cannot_be_published_on(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    for name in ["/chat/*", "/**"] {
        let result = within("publish", client.channel(name).unwrap().publish(json!(1))).await;
        assert_eq!(result.unwrap_err(), RequestError::Channel(ChannelIdError::Wild));
    }
    within("publish", client.channel("/end").unwrap().publish(json!(1))).await.unwrap();
    assert!(!sent.entries().join(" ").contains('*'));
}

async fn what_is_too_large_fails_here_and_the_rest_goes_on(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut config = Config::default();
    config.max_send_message_size = 1000;
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    let [before, large, after] = client
        .batch(|| [json!(1), json!("x".repeat(1000)), json!(3)].map(|data| chat.publish(data)));
    within("the first", before).await.unwrap();
    within("the third", after).await.unwrap();
    let Err(RequestError::Failed(failure)) = within("the large one", large).await else {
        panic!("it was sent")
    };
    assert_eq!(failure.kind, FailureKind::TooLarge);
    for data in [1, 3] {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(data));
    }
    client.configure(|config| config.max_send_message_size = 2000);
    within("it", chat.publish(json!("x".repeat(1000)))).await.unwrap();
}

async fn what_the_client_may_send_the_server_takes(transport: ConnectionType) {
    let default = bayeux_server::Config::default().long_polling.max_message_size;
    assert_eq!(Config::default().max_send_message_size, default);
    let most = 2000;
    let server = TestServer::start(|config| {
        every_transport(config, |transport| transport.max_message_size = most);
    })
    .await;
    let mut config = Config::default();
    config.max_send_message_size = most;
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let chat = client.channel("/chat").unwrap();
    let (mut taken, mut refused) = (0, 0);
    for size in most - 100..most - 40 {
        match within("publish", chat.publish(json!("x".repeat(size)))).await {
            Ok(_) => taken += 1,
            Err(RequestError::Failed(failure)) if failure.kind == FailureKind::TooLarge => {
                assert_eq!(failure.http_code, None, "the server refused {size}");
                assert_eq!(failure.websocket_code, None, "the server refused {size}");
                refused += 1;
            }
            Err(error) => panic!("the server refused {size}: {error}"),
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} were taken, and {refused} were too large");
    // What is larger together goes in several requests, in order.
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    let batch = client.batch(|| {
        (0..9).map(|number| chat.publish(json!([number, "x".repeat(700)]))).collect::<Vec<_>>()
    });
    for reply in batch {
        within("the batch", reply).await.unwrap();
    }
    for number in 0..9 {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap().value()[0], number);
    }
}

async fn more_than_the_queue_takes_is_refused_here(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut config = Config::default();
    config.max_requests = 2;
    config.max_request_bytes = 100;
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let chat = client.channel("/chat").unwrap();
    let batch = client.start_batch();
    let (first, second) = (chat.publish(json!(1)), chat.publish(json!(2)));
    let third = within("the third", chat.publish(json!(3))).await;
    assert_eq!(third.unwrap_err(), RequestError::QueueFull);
    let subscribed = within("subscribe", chat.subscribe()).await;
    assert_eq!(subscribed.unwrap_err(), RequestError::QueueFull);
    batch.end();
    within("the first", first).await.unwrap();
    within("the second", second).await.unwrap();
    let large = within("the large one", chat.publish(json!("x".repeat(100)))).await;
    assert_eq!(large.unwrap_err(), RequestError::QueueFull);
    // There is place again.
    for data in 0..5 {
        within("publish", chat.publish(json!(data))).await.unwrap();
    }
}

async fn without_a_session_it_fails(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let chat = client.channel("/chat").unwrap();
    let before = within("publish", chat.publish(json!(1))).await;
    assert_eq!(before.unwrap_err(), RequestError::NotHandshaken);
    within("the handshake", client.handshake()).await.unwrap();
    within("publish", chat.publish(json!(2))).await.unwrap();
    within("the disconnect", client.disconnect()).await.unwrap();
    let after = within("publish", chat.publish(json!(3))).await;
    assert_eq!(after.unwrap_err(), RequestError::NotHandshaken);
}

async fn what_is_asked_for_during_the_handshake_is_sent_after_it(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let sent = wire(&client);
    let handshake = client.handshake();
    let chat = client.channel("/chat").unwrap();
    let subscribed = chat.subscribe();
    let published = [chat.publish(json!(1)), chat.publish(json!(2))];
    within("the handshake", handshake).await.unwrap();
    let mut messages = within("subscribe", subscribed).await.unwrap();
    for reply in published {
        within("the reply", reply).await.unwrap();
    }
    for data in [1, 2] {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(data));
    }
    assert_eq!(sent.entries()[..2], ["/meta/handshake", "/meta/subscribe /chat /chat"]);
}

async fn a_message_keeps_its_fields(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    let own = log.clone();
    let hear = hooks::incoming(move |_, message| {
        if message.channel() == "/chat" {
            own.add(format!(
                "{:?} {:?}",
                message.ext_field("a"),
                message.extra("b").map(|b| b.text())
            ));
        }
        Flow::Continue
    });
    server.server.add_extension(hear).keep();
    let client = server.bayeux_client(transport).await;
    let mut message = Message::with_data("/other", json!(1));
    message.id = Some("mine".to_owned());
    message.ext_mut().insert("a".to_owned(), json!(1));
    message.set_extra("b", json!(2));
    let reply = client.channel("/chat").unwrap().publish_message(message);
    assert_eq!(within("the reply", reply).await.unwrap().channel(), "/chat");
    assert_eq!(log.entries(), ["Some(Number(1)) Some(\"2\")"]);
}
