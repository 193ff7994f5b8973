//! Several sessions of one browser: how many of their connects are held.

use std::{sync::Arc, time::Duration};

use bayeux_server::Config;
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, brisk, eventually, over_transports};

over_transports!([
    long_polling: LongPolling,
    callback_polling: CallbackPolling,
]
    a_further_tab_is_told_to_poll,
    without_an_interval_a_further_tab_is_told_to_stop,
    the_next_tab_takes_the_place_of_one_that_is_gone,
    a_place_is_free_as_soon_as_its_connection_is_cut,
    a_tab_whose_poll_was_cut_is_held_again,
    an_answered_connect_gives_its_place_back,
    the_limit_is_configured,
    a_limit_of_zero_never_holds,
    no_limit_holds_all,
    every_browser_has_its_own_places,
    a_session_that_overtakes_itself_needs_no_second_place
);

/// Whether the tab's next connect is held.
async fn is_held(server: &TestServer, tab: &mut Client) -> bool {
    let before = server.server.statistics().held_connects;
    let connect = tab.message("/meta/connect", &json!({}));
    tab.send(&[connect]);
    tokio::select! {
        () = eventually("a connect to be held", || {
            server.server.statistics().held_connects > before
        }) => true,
        messages = tab.messages() => {
            assert_eq!(messages[0]["advice"]["multiple-clients"], true, "{messages:?}");
            false
        }
    }
}

async fn tabs(server: &TestServer, transport: Transport, count: usize) -> Vec<Client> {
    let browser = Arc::default();
    let mut tabs = Vec::new();
    for _ in 0..count {
        let mut tab = server.tab(transport, &browser).await;
        tab.handshake().await;
        tab.connect().await;
        tabs.push(tab);
    }
    tabs
}

async fn server_with(limit: Option<usize>) -> TestServer {
    TestServer::start(|config: &mut Config| {
        config.http.max_sessions_per_browser = limit;
        config.http.http2_max_sessions_per_browser = limit;
    })
    .await
}

async fn a_further_tab_is_told_to_poll(transport: Transport) {
    let server = TestServer::ordinary().await;
    let mut tabs = tabs(&server, transport, 2).await;
    tabs[0].hold().await;
    for _ in 0..2 {
        let reply = tabs[1].try_connect(json!({ "id": "x" })).await;
        assert_eq!(
            reply,
            json!({
                "channel": "/meta/connect",
                "id": "x",
                "successful": true,
                "advice": {
                    "reconnect": "retry",
                    "interval": 2000,
                    "timeout": 20_000,
                    "multiple-clients": true,
                },
            })
        );
    }
}

async fn without_an_interval_a_further_tab_is_told_to_stop(transport: Transport) {
    let server =
        TestServer::start(|config| config.http.multi_session_interval = Duration::ZERO).await;
    let mut tabs = tabs(&server, transport, 2).await;
    tabs[0].hold().await;
    let reply = tabs[1].try_connect(json!({})).await;
    assert_eq!(reply["successful"], false);
    assert_eq!(reply["advice"]["reconnect"], "none");
    assert_eq!(reply["advice"]["multiple-clients"], true);
    assert_eq!(reply.get("error"), None);
}

async fn the_next_tab_takes_the_place_of_one_that_is_gone(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut tabs = tabs(&server, transport, 2).await;
    let id = tabs[0].hold().await;
    assert!(!is_held(&server, &mut tabs[1]).await);
    tabs[0].disconnect().await;
    tabs[0].reply_to(&id).await;
    let id = tabs[1].hold().await;
    let reply = tabs[1].reply_to(&id).await;
    assert_eq!(reply["advice"], json!({ "reconnect": "retry", "interval": 0, "timeout": 1000 }));
}

async fn a_place_is_free_as_soon_as_its_connection_is_cut(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut tabs = tabs(&server, transport, 2).await;
    tabs[0].hold().await;
    tabs[0].abort().await;
    eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    assert!(is_held(&server, &mut tabs[1]).await);
}

async fn a_tab_whose_poll_was_cut_is_held_again(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut tabs = tabs(&server, transport, 1).await;
    let tab = &mut tabs[0];
    for _ in 0..3 {
        tab.hold().await;
        tab.abort().await;
        eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    }
    let id = tab.hold().await;
    let reply = tab.reply_to(&id).await;
    assert_eq!(reply, json!({ "channel": "/meta/connect", "id": id, "successful": true }));
}

async fn an_answered_connect_gives_its_place_back(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut tabs = tabs(&server, transport, 2).await;
    let id = tabs[0].hold().await;
    tabs[0].reply_to(&id).await;
    assert!(is_held(&server, &mut tabs[1]).await);
}

async fn the_limit_is_configured(transport: Transport) {
    let server = server_with(Some(2)).await;
    let mut tabs = tabs(&server, transport, 3).await;
    for (tab, expected) in tabs.iter_mut().zip([true, true, false]) {
        assert_eq!(is_held(&server, tab).await, expected);
    }
}

async fn a_limit_of_zero_never_holds(transport: Transport) {
    let server = server_with(Some(0)).await;
    let mut tabs = tabs(&server, transport, 1).await;
    assert!(!is_held(&server, &mut tabs[0]).await);
}

async fn no_limit_holds_all(transport: Transport) {
    let server = server_with(None).await;
    for tab in &mut tabs(&server, transport, 4).await {
        assert!(is_held(&server, tab).await);
    }
    assert_eq!(server.server.statistics().held_connects, 4);
}

async fn every_browser_has_its_own_places(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut one = tabs(&server, transport, 1).await;
    let mut other = tabs(&server, transport, 1).await;
    assert!(is_held(&server, &mut one[0]).await);
    assert!(is_held(&server, &mut other[0]).await);
}

async fn a_session_that_overtakes_itself_needs_no_second_place(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut tabs = tabs(&server, transport, 1).await;
    let tab = &mut tabs[0];
    tab.hold().await;
    let newer = tab.message("/meta/connect", &json!({}));
    let id = newer["id"].clone();
    tab.send(&[newer]);
    let mut replies: Vec<Value> = Vec::new();
    for _ in 0..2 {
        if let tests::Arrival::Messages(messages) = tab.arrival().await {
            replies.extend(messages);
        }
    }
    assert_eq!(replies, [json!({ "channel": "/meta/connect", "id": id, "successful": true })]);
}

over_transports!([
    long_polling_over_http2: LongPollingOverHttp2,
]
    over_http2_there_is_no_limit_unless_configured
);

async fn over_http2_there_is_no_limit_unless_configured(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    for tab in &mut tabs(&server, transport, 3).await {
        assert!(is_held(&server, tab).await);
    }
    let server = server_with(Some(1)).await;
    let mut tabs = tabs(&server, transport, 2).await;
    assert!(is_held(&server, &mut tabs[0]).await);
    assert!(!is_held(&server, &mut tabs[1]).await);
}

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
]
    websockets_of_one_browser_are_not_counted
);

async fn websockets_of_one_browser_are_not_counted(transport: Transport) {
    let server = server_with(Some(1)).await;
    for tab in &mut tabs(&server, transport, 3).await {
        assert!(is_held(&server, tab).await);
    }
}
