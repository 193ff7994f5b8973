//! Who is no node has nothing of Seti.

use bayeux_seti::Seti;
use serde_json::json;
use tests::{TestNode, Transport, eventually, over_every_transport};

async fn clients_neither_hear_nor_speak_of_users(transport: Transport) {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let own = format!("/seti/{}", seti.id());
    let mut client = node.server.connected(transport).await;
    for channel in ["/seti/all", &own, "/seti/*", "/seti/**"] {
        let reply = client.request("/meta/subscribe", json!({ "subscription": channel })).await;
        assert_eq!(reply["successful"], false, "{channel}: {reply}");
    }
    assert_eq!(client.subscribe("/**").await["successful"], true);
    let said = json!({
        "userIds": ["forged"], "oortURL": node.url(), "presence": true, "replace": false,
    });
    for channel in ["/seti/all", &own] {
        let reply = client.request(channel, json!({ "data": said })).await;
        assert_eq!(reply["successful"], false, "{channel}: {reply}");
    }
    let session = node.server.server.session(client.id()).unwrap();
    let session: std::sync::Arc<dyn bayeux_server::api::server::ServerSession> = session;
    // What clients might hear of it is sent before what is for them.
    for (user, announcements) in [("ann", 1), ("dave", 2)] {
        seti.associate(user, &session).unwrap();
        eventually("it to be announced", || seti.statistics().announcements == announcements).await;
    }
    assert_eq!(seti.send_message("dave", "/notice", &1).await.unwrap().sessions, 1);
    let received = client.channels_until("/notice").await;
    assert!(received.iter().all(|channel| !channel.starts_with("/seti")), "{received:?}");
    assert_eq!(seti.user_ids().len(), 2);
}

over_every_transport!(clients_neither_hear_nor_speak_of_users);
