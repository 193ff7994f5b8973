//! `dump`: the server described as text.

use bayeux_server::api::server::Detail;
use tests::{TestServer, Transport, over_every_transport};

over_every_transport!(it_tells_of_every_session_and_channel, the_summary_has_numbers_only);

fn lines(server: &TestServer, detail: Detail) -> Vec<String> {
    server.server.dump(detail).lines().map(str::to_owned).collect()
}

async fn it_tells_of_every_session_and_channel(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a/*").await;
    let lines = lines(&server, Detail::Full);
    let has = |line: &str| lines.iter().any(|one| one.starts_with(line));
    assert!(has("security policy: Some(DefaultSecurityPolicy"), "{lines:?}");
    assert!(has("transports: websocket, long-polling, callback-polling"), "{lines:?}");
    assert!(has("statistics: Statistics { sessions: 1, channels: 6,"), "{lines:?}");
    assert!(has("channels size=6"), "{lines:?}");
    assert!(has("  /meta/connect") && has("  /a/*"), "{lines:?}");
    assert!(has("sessions size=1"), "{lines:?}");
    let of = transport.connection_type().as_str().to_owned();
    let session = format!("  {} {of} state=CONNECTED queue=0/0B subscriptions=1", client.id());
    assert!(has(&session), "{lines:?}");
}

async fn the_summary_has_numbers_only(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.connected(transport).await;
    let lines = lines(&server, Detail::Summary);
    assert!(lines.contains(&"channels size=5".to_owned()), "{lines:?}");
    assert!(lines.contains(&"sessions size=1".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(client.id()) || line.contains("/meta/")));
}
