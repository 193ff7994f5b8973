//! Several clients of one browser over long-polling: the further ones poll, as the server advises.

use std::{sync::Arc, time::Duration};

use bayeux_client::{
    BayeuxClient,
    api::{ConnectionType::LongPolling, Message, client::ClientSessionChannel},
};
use serde_json::json;
use tests::{TestServer, within};
use tokio::sync::mpsc;

#[tokio::test]
async fn a_further_client_polls_until_there_is_a_place_for_it() {
    let server = TestServer::start(|config| {
        config.http.multi_session_interval = Duration::from_millis(20);
        config.long_polling.timeout = Duration::from_millis(300);
    })
    .await;
    let first = server.bayeux_client(LongPolling).await;
    let browser = first.cookie("BAYEUX_BROWSER").expect("the server names the browser");

    let second = server.builder(LongPolling).build().unwrap();
    second.put_cookie(&format!("BAYEUX_BROWSER={browser}; Path=/"));
    let mut connects = connects(&second);
    within("the handshake", second.handshake()).await.unwrap();
    for _ in 0..2 {
        within("to be one of several", until(&mut connects, Some(true))).await;
    }
    // What is published reaches it all the same.
    let channel = second.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    within("publish", first.channel("/a").unwrap().publish(json!(1))).await.unwrap();
    assert_eq!(within("the message", messages.next()).await.unwrap().data, Some(json!(1).into()));

    within("the first goes", first.disconnect()).await.unwrap();
    within("to be the only one", until(&mut connects, None)).await;
}

/// Returns what the replies to connects say of other clients.
fn connects(client: &BayeuxClient) -> mpsc::UnboundedReceiver<Option<bool>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let tell = move |_: &dyn ClientSessionChannel, reply: &Message| {
        let advice = reply.advice.as_ref();
        let _ = sender.send(advice.and_then(|advice| advice.multiple_clients));
    };
    client.channel("/meta/connect").unwrap().add_listener(Arc::new(tell)).keep();
    receiver
}

async fn until(connects: &mut mpsc::UnboundedReceiver<Option<bool>>, wanted: Option<bool>) {
    while connects.recv().await.expect("the client lives") != wanted {}
}
