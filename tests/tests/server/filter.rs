//! Data filters: what is done to data before anybody gets it.

use std::sync::Arc;

use bayeux_server::{
    api::{Flow, Message},
    filter::{DataFilter, DataFilters, NoMarkup, RegexFilter, Replacement},
};
use serde_json::json;
use tests::{TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    texts_are_filtered_for_all_subscribers,
    what_a_filter_does_not_change_stays_to_the_letter,
    what_is_too_deep_for_a_filter_is_left_out,
    a_discarded_message_is_deleted,
    the_servers_own_messages_are_filtered_too,
);

fn filter(
    server: &TestServer,
    channel: &str,
    filters: impl IntoIterator<Item = Arc<dyn DataFilter>>,
) {
    let channel = server.server.create_channel_if_absent(channel).unwrap().channel();
    channel.add_listener(Arc::new(DataFilters::new(filters))).keep();
}

async fn texts_are_filtered_for_all_subscribers(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    filter(&server, "/chat/**", [Arc::new(NoMarkup) as _]);
    let mut client = server.connected(transport).await;
    let mut other = server.connected(transport).await;
    for client in [&mut client, &mut other] {
        client.subscribe("/chat/room").await;
    }
    let data = json!({ "text": "<b>", "more": ["<i>", 1, { "deep": "</i>" }], "none": null });
    client.publish("/chat/room", data).await;
    let expected = json!({
        "text": "&lt;b&gt;", "more": ["&lt;i&gt;", 1, { "deep": "&lt;/i&gt;" }], "none": null,
    });
    for client in [&mut client, &mut other] {
        assert_eq!(client.message_on("/chat/room").await["data"], expected);
    }
}

async fn what_a_filter_does_not_change_stays_to_the_letter(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    filter(&server, "/chat/**", [Arc::new(NoMarkup) as _]);
    let local = server.server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    let (sender, mut texts) = tokio::sync::mpsc::unbounded_channel();
    server
        .server
        .create_channel_if_absent("/chat/room")
        .unwrap()
        .channel()
        .add_listener(tests::hooks::on_message(move |_, message| {
            let _ = sender.send(message.data.as_ref().unwrap().text().into_owned());
            Flow::Continue
        }))
        .keep();
    let mut client = server.connected(transport).await;
    let data = r#"{"z":1.0e2,"a":12345678901234567890.50,"é":"\u00e9"}"#;
    client.send_text(format!(
        r#"[{{"channel":"/chat/room","clientId":"{}","data":{data}}}]"#,
        client.id()
    ));
    assert_eq!(tests::within("the data", texts.recv()).await.as_deref(), Some(data));
}

async fn what_is_too_deep_for_a_filter_is_left_out(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    filter(&server, "/chat/**", [Arc::new(NoMarkup) as _]);
    let log = Log::default();
    let own = log.clone();
    let room = server.server.create_channel_if_absent("/chat/room").unwrap().channel();
    let hear = tests::hooks::on_message(move |_, message| {
        own.add(message.data.as_ref().unwrap().text());
        Flow::Continue
    });
    room.add_listener(hear).keep();
    let mut client = server.connected(transport).await;
    let nested = |levels: usize, inner: &str| {
        format!("{}{inner}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
    };
    for (levels, left) in [(512, nested(512, r#""&lt;b&gt;""#)), (513, nested(512, "null"))] {
        client.send_text(format!(
            r#"[{{"channel":"/chat/room","clientId":"{}","data":{}}}]"#,
            client.id(),
            nested(levels, r#""<b>""#),
        ));
        log.until(&left).await;
    }
}

async fn a_discarded_message_is_deleted(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let rules = [("da+rn", Replacement::Discard), ("heck", Replacement::Text("h**k".to_owned()))];
    filter(&server, "/chat/**", [Arc::new(RegexFilter::new(rules).unwrap()) as _]);
    let mut client = server.connected(transport).await;
    client.subscribe("/chat/room").await;
    for data in [json!({ "text": "daarn" }), json!(null)] {
        let reply = client.request("/chat/room", json!({ "data": data })).await;
        assert_eq!(reply["error"], "404::message_deleted", "{data}");
    }
    client.publish("/chat/room", json!("what the heck")).await;
    assert_eq!(client.message_on("/chat/room").await["data"], "what the h**k");
}

async fn the_servers_own_messages_are_filtered_too(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    filter(&server, "/chat/**", [Arc::new(NoMarkup) as _]);
    let mut client = server.connected(transport).await;
    client.subscribe("/chat/room").await;
    let channel = server.server.channel("/chat/room").unwrap();
    channel.publish(json!("<b>")).await.unwrap();
    assert_eq!(client.message_on("/chat/room").await["data"], "&lt;b&gt;");
}
