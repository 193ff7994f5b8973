//! JSON that Rust's types cannot hold as it is: halves of emoji, numbers beyond a double, and what is nested
//! deeper than `serde_json` reads. What is readable is read, and what is relayed stays as it came.

use std::sync::Arc;

use bayeux_server::{
    Request, Server,
    api::{Flow, Json, Message},
    filter::{DataFilters, NoMarkup},
};
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, hooks::Log, over_every_transport, within};

over_every_transport!(
    a_failure_is_a_failure_whatever_else_the_data_holds,
    data_is_read_as_a_type_whatever_else_it_holds,
    the_ack_extension_is_switched_on_beside_half_an_emoji,
    a_filter_reads_half_an_emoji_and_leaves_the_rest,
    what_no_type_can_hold_is_relayed_to_the_letter,
    half_an_emoji_in_a_fields_name_refuses_nothing,
    half_an_emoji_in_a_field_refuses_its_message_alone,
    data_of_a_hundred_levels_is_read_and_relayed,
    a_channel_of_a_hundred_segments_is_one,
    deep_fields_of_every_kind_refuse_their_message_at_most,
    a_batch_is_acknowledged_however_its_number_is_written,
);

/// Half of an emoji, as `JSON.stringify` writes it.
const HALF: &str = r"\ud83d";

/// Sends one message, of which the fields are given as text.
fn send(client: &mut Client, channel: &str, id: &str, fields: &str) {
    let own = client.id().to_owned();
    let head = format!(r#""channel":"{channel}","clientId":"{own}","id":"{id}""#);
    client.send_text(format!("[{{{head},{fields}}}]"));
}

async fn echo(request: Request) -> Result<Json, Json> {
    let data = request.message.data.unwrap();
    match data.value().get("fail") {
        Some(failure) => Err(failure.clone().into()),
        None => Ok(data.value().into()),
    }
}

async fn a_failure_is_a_failure_whatever_else_the_data_holds(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let mut client = server.connected(transport).await;
    let (channel, deep) = ("/service/rpc/echo", "[".repeat(200) + &"]".repeat(200));
    for (data, successful, expected) in [
        (format!(r#"{{"fail":"hi {HALF}"}}"#), false, json!("hi \u{fffd}")),
        (r#"{"fail":"hi","n":1e400}"#.to_owned(), false, json!("hi")),
        (format!(r#"{{"fail":"hi","n":{deep}}}"#), false, json!("hi")),
        (r#"[-1e400,1]"#.to_owned(), true, json!([f64::MIN, 1])),
        (format!(r#"{{"{HALF}":1}}"#), true, json!({ "\u{fffd}": 1 })),
    ] {
        send(&mut client, channel, "call7", &format!(r#""data":{data}"#));
        let answer = client.message_on(channel).await;
        assert_eq!((&answer["successful"], &answer["data"]), (&json!(successful), &expected));
    }
}

async fn data_is_read_as_a_type_whatever_else_it_holds(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("read").await.unwrap();
    let answer = async |request: Request| {
        let (text, number): (String, f64) = request.message.data?.to().ok()?;
        Some(json!([text, number]).into())
    };
    service.on_message("/service/read", answer).unwrap();
    let mut client = server.connected(transport).await;
    send(&mut client, "/service/read", "1", &format!(r#""data":["{HALF}b",1e400]"#));
    let answer = client.message_on("/service/read").await;
    assert_eq!(answer["data"], json!(["\u{fffd}b", f64::MAX]));
}

async fn the_ack_extension_is_switched_on_beside_half_an_emoji(transport: Transport) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    for other in [format!(r#""{HALF}""#), "1e400".to_owned(), "[".repeat(200) + &"]".repeat(200)] {
        let mut client = server.client(transport).await;
        client.send_text(format!(
            r#"[{{"channel":"/meta/handshake","id":"h","version":"1.0",
                "supportedConnectionTypes":["{}"],"ext":{{"other":{other},"ack":true}}}}]"#,
            transport.connection_type().as_str(),
        ));
        let reply = client.reply_to("h").await;
        assert_eq!(reply["ext"], json!({ "ack": true }), "{reply}");
        client.set_id(reply["clientId"].as_str().unwrap());
        client.connect().await;
        let session = server.session(&client);
        assert!(session.deliver(Message::with_data("/a", 1)).await);
        let poll = |ack: u64| {
            let kind = transport.connection_type();
            format!(
                r#""connectionType":"{}","advice":{{"timeout":0}},"ext":{{"ack":{ack},"other":{other}}}"#,
                kind.as_str(),
            )
        };
        // It is given, and after that acknowledged.
        for (id, ack) in [("c1", 1), ("c2", 2)] {
            send(&mut client, "/meta/connect", id, &poll(ack));
            assert_eq!(client.reply_to(id).await["successful"], true);
        }
        assert_eq!(session.queue_depth().messages, 0);
    }
}

async fn a_filter_reads_half_an_emoji_and_leaves_the_rest(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let chats = server.server.create_channel_if_absent("/chat/**").unwrap().channel();
    chats.add_listener(Arc::new(DataFilters::new([Arc::new(NoMarkup) as _]))).keep();
    let texts = texts_on(&server, "/chat/room");
    let mut client = server.connected(transport).await;
    let deep = "[".repeat(300) + &"]".repeat(300);
    let data = format!(r#"{{"chat":"<b> {HALF}","big":1e400,"deep":{deep}}}"#);
    send(&mut client, "/chat/room", "1", &format!(r#""data":{data}"#));
    let got = client.reply_to("1").await;
    assert_eq!(got["successful"], true, "{got}");
    let big = json!(f64::MAX);
    texts
        .until(&format!("{{\"big\":{big},\"chat\":\"&lt;b&gt; \u{fffd}\",\"deep\":{deep}}}"))
        .await;
    // Without markup there is nothing to change.
    let data = data.replace("<b>", "b");
    send(&mut client, "/chat/room", "2", &format!(r#""data":{data}"#));
    assert_eq!(client.reply_to("2").await["successful"], true);
    texts.until(&data).await;
}

/// Notes the text of the data of all that is published on a channel.
fn texts_on(server: &TestServer, channel: &str) -> Log {
    let log = Log::default();
    let own = log.clone();
    let channel = server.server.create_channel_if_absent(channel).unwrap().channel();
    let hear = tests::hooks::on_message(move |_, message| {
        own.add(message.data.as_ref().unwrap().text());
        Flow::Continue
    });
    channel.add_listener(hear).keep();
    log
}

async fn what_no_type_can_hold_is_relayed_to_the_letter(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let texts = texts_on(&server, "/a");
    let mut client = server.connected(transport).await;
    let data = format!(r#"{{"a":"{HALF}","n":-1e400,"{HALF}":1.10}}"#);
    send(&mut client, "/a", "1", &format!(r#""data":{data}"#));
    assert_eq!(client.reply_to("1").await["successful"], true);
    texts.until(&data).await;
}

async fn half_an_emoji_in_a_fields_name_refuses_nothing(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let mut client = server.connected(transport).await;
    send(&mut client, "/a", "1", &format!(r#""{HALF}x":1,"data":2"#));
    assert_eq!(client.reply_to("1").await["successful"], true);
    let message = subscriber.message_on("/a").await;
    assert_eq!(message, json!({ "channel": "/a", "data": 2, "\u{fffd}x": 1 }));
}

async fn half_an_emoji_in_a_field_refuses_its_message_alone(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.id().to_owned();
    client.send_text(format!(
        r#"[{{"channel":"/a","clientId":"{id}","id":"1","data":1}},
            {{"channel":"/{HALF}","clientId":"{id}","id":"2","data":1}},
            {{"channel":"/a","clientId":"{id}","id":"{HALF}","data":1}},
            {{"channel":"/a","clientId":"{HALF}","id":"4","data":1}},
            {{"channel":"/meta/subscribe","clientId":"{id}","id":"5","subscription":"/{HALF}"}},
            {{"channel":"/a","clientId":"{id}","id":"6","data":1}}]"#
    ));
    let mut replies = Vec::new();
    while replies.len() < 6 {
        replies.extend(within("the replies", client.messages()).await);
    }
    let said: Vec<_> = replies.iter().map(|reply| reply["error"].clone()).collect();
    let expected = [
        Value::Null,
        json!("405::channel_invalid"),
        json!("405::message_id_invalid"),
        json!("402::session_unknown"),
        json!("403::subscription_invalid"),
        Value::Null,
    ];
    assert_eq!(said, expected);
}

async fn data_of_a_hundred_levels_is_read_and_relayed(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("deep").await.unwrap();
    let answer = async |request: Request| {
        let (mut value, mut levels) = (&request.message.data?.value(), 0);
        while let Some(inner) = value.get(0) {
            (value, levels) = (inner, levels + 1);
        }
        Some(json!([levels, value]).into())
    };
    service.on_message("/service/deep", answer).unwrap();
    let texts = texts_on(&server, "/a");
    let mut client = server.connected(transport).await;
    let nested = |levels: usize| format!("{}7{}", "[".repeat(levels), "]".repeat(levels));
    for (levels, read) in
        [(100, json!([100, 7])), (500, json!([500, 7])), (990, json!([512, null]))]
    {
        let data = nested(levels);
        send(&mut client, "/service/deep", "1", &format!(r#""data":{data}"#));
        assert_eq!(client.reply_to("1").await["successful"], true);
        assert_eq!(client.message_on("/service/deep").await["data"], read);
        send(&mut client, "/a", "2", &format!(r#""data":{data},"x":{data}"#));
        assert_eq!(client.reply_to("2").await["successful"], true);
        texts.until(&data).await;
    }
    client.subscribe("/b").await;
    send(&mut client, "/b", "3", &format!(r#""data":{}"#, nested(100)));
    assert_eq!(client.message_on("/b").await["data"].to_string(), nested(100));
}

async fn deep_fields_of_every_kind_refuse_their_message_at_most(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    for levels in [120, 127, 128, 990] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep = format!("{}7{}", open.repeat(levels), close.repeat(levels));
            for name in [
                "subscription",
                "advice",
                "ext",
                "version",
                "successful",
                "x-messages",
                "error",
                "timestamp",
                "supportedConnectionTypes",
                "connectionType",
            ] {
                send(&mut client, "/a", name, &format!(r#""{name}":{deep},"data":1"#));
                let reply = client.reply_to(name).await;
                assert!(reply["successful"].is_boolean(), "{name}: {reply}");
            }
            send(&mut client, "/meta/subscribe", "s", &format!(r#""subscription":{deep}"#));
            assert_eq!(client.reply_to("s").await["successful"], false);
            let inner = format!(r#"{{"timeout":0,"hosts":{deep},"x":{deep}}}"#);
            send(&mut client, "/a", "i", &format!(r#""advice":{inner},"ext":{inner},"data":1"#));
            assert!(client.reply_to("i").await["successful"].is_boolean());
        }
    }
    assert!(server.session(&client).is_connected());
}

/// As encoders write it who know no whole numbers.
async fn a_batch_is_acknowledged_however_its_number_is_written(transport: Transport) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    for ack in ["2", "2.0", "2e0", "2.00"] {
        let mut client = server.client(transport).await;
        client.try_handshake(json!({ "ext": { "ack": true } })).await;
        client.connect().await;
        let session = server.session(&client);
        assert!(session.deliver(Message::with_data("/a", 1)).await);
        for (id, ack) in [("c1", "1"), ("c2", ack)] {
            let kind = transport.connection_type();
            let poll = format!(
                r#""connectionType":"{}","advice":{{"timeout":0}},"ext":{{"ack":{ack}}}"#,
                kind.as_str(),
            );
            send(&mut client, "/meta/connect", id, &poll);
            assert_eq!(client.reply_to(id).await["successful"], true);
        }
        assert_eq!(session.queue_depth().messages, 0, "{ack}");
    }
}

async fn a_channel_of_a_hundred_segments_is_one(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let parent = "/a".repeat(99);
    for wild in [format!("{parent}/*"), format!("{parent}/**"), "/a/**".to_owned()] {
        client.subscribe(&wild).await;
        client.publish(&format!("{parent}/b"), json!(wild)).await;
        assert_eq!(client.message_on(&format!("{parent}/b")).await["data"], wild);
        client.unsubscribe(&wild).await;
    }
    // As many as the longest name has.
    let most = "/a".repeat(512);
    client.subscribe(&most).await;
    client.publish(&most, json!(1)).await;
    assert_eq!(client.message_on(&most).await["data"], 1);
}

/// What the server's own code publishes and reads is no other JSON.
#[tokio::test]
async fn a_local_session_reads_and_relays_it_too() {
    let server = Server::new();
    let mut service = server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    let log = Log::default();
    let channel = local.channel("/a").unwrap();
    let _subscription = channel.subscribe(Arc::new(log.clone())).await.unwrap();
    let deep = "[".repeat(2_000) + &"]".repeat(2_000);
    let data = format!(r#"{{"{HALF}":"{HALF}","n":1e400,"deep":{deep},"fail":"why"}}"#);
    let data = Json::from_text(data).unwrap();
    channel.publish(Message::with_data("", data.clone())).await.unwrap();
    log.until(&format!("/a {data}")).await;
    let answer = local.remote_call("rpc/echo", data).await.unwrap();
    assert_eq!((answer.successful, answer.data), (Some(false), Some("why".into())));
}
