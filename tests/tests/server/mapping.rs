//! `ws.cometdURLMapping`: the paths at which Bayeux is.

use futures_util::{SinkExt as _, StreamExt as _};
use http::Version;
use serde_json::{Value, json};
use tests::{Http, TestServer, Transport, WebSocket, open_websocket, upgrade_request, within};
use tokio_tungstenite::tungstenite::Message as Frame;

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;

/// The statuses of a POST and of a WebSocket's upgrade at `path`.
async fn statuses(server: &TestServer, path: &str) -> (u16, u16) {
    let response = Http::new(server.address).post(path, &[], HANDSHAKE).await.unwrap();
    let mut upgraded = Vec::new();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let request = upgrade_request(server.address, version, path);
        upgraded.push(match open_websocket(server.address, request).await {
            Ok(_) => 101,
            Err(response) => response.status().as_u16(),
        });
    }
    assert_eq!(upgraded[0], upgraded[1]);
    (response.status().as_u16(), upgraded[0])
}

async fn mapped(mapping: &[&str]) -> TestServer {
    TestServer::start(|config| {
        config.url_mapping = mapping.iter().map(|&one| one.to_owned()).collect();
    })
    .await
}

#[tokio::test]
async fn without_one_every_path_is_bayeuxs() {
    let server = TestServer::start(|_| {}).await;
    for path in ["/", "/cometd", "/any/thing"] {
        assert_eq!(statuses(&server, path).await, (200, 101), "{path}");
    }
}

#[tokio::test]
async fn what_is_below_a_mapping_is_bayeuxs_too() {
    for mapping in ["/cometd", "/cometd/*", "cometd/*", "cometd"] {
        let server = mapped(&[mapping]).await;
        for path in ["/cometd", "/cometd/", "/cometd/handshake", "/cometd/connect?x=y"] {
            assert_eq!(statuses(&server, path).await, (200, 101), "{mapping} {path}");
        }
        for path in ["/", "/cometdx", "/other/cometd"] {
            assert_eq!(statuses(&server, path).await, (404, 404), "{mapping} {path}");
        }
    }
}

#[tokio::test]
async fn the_root_is_everything() {
    for mapping in ["/", "/*"] {
        let server = mapped(&[mapping]).await;
        for path in ["/", "/cometd"] {
            assert_eq!(statuses(&server, path).await, (200, 101), "{mapping} {path}");
        }
    }
}

#[tokio::test]
async fn clients_of_several_mappings_meet() {
    let server = mapped(&["/one/*", "/cometd"]).await;
    assert_eq!(statuses(&server, "/one/x").await, (200, 101));
    let mut client = server.connected(Transport::WebSocket).await;
    client.subscribe("/a").await;
    let http = Http::new(server.address);
    let response = http.post("/one", &[], HANDSHAKE).await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let replies: Value = serde_json::from_slice(response.body()).unwrap();
    let publish = json!({ "channel": "/a", "clientId": replies[0]["clientId"], "data": 1 });
    http.post("/one", &[("cookie", &cookie)], publish.to_string()).await.unwrap();
    assert_eq!(client.message_on("/a").await["data"], 1);
}

#[tokio::test]
async fn websockets_of_several_mappings_meet() {
    let server = mapped(&["/one/*", "/two"]).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut one = Visitor::open(&server, version, "/one/x").await;
        let mut two = Visitor::open(&server, version, "/two").await;
        for visitor in [&mut one, &mut two] {
            visitor.send("/meta/subscribe", json!({ "subscription": "/a" })).await;
            assert_eq!(visitor.next().await["successful"], true);
        }
        // Each hears itself and the other.
        for number in 0..2 {
            let publisher = if number == 0 { &mut one } else { &mut two };
            publisher.send("/a", json!({ "data": number })).await;
            for visitor in [&mut one, &mut two] {
                while visitor.next().await["data"] != number {}
            }
        }
    }
}

/// A client over a WebSocket at a path of its choice.
struct Visitor {
    socket: WebSocket,
    id: Value,
}

impl Visitor {
    async fn open(server: &TestServer, version: Version, path: &str) -> Self {
        let request = upgrade_request(server.address, version, path);
        let (socket, _) = open_websocket(server.address, request).await.unwrap();
        let mut visitor = Self { socket, id: Value::Null };
        visitor.send("/meta/handshake", json!({})).await;
        visitor.id = visitor.next().await["clientId"].clone();
        visitor
    }

    async fn send(&mut self, channel: &str, mut message: Value) {
        message["channel"] = json!(channel);
        message["clientId"] = self.id.clone();
        self.socket.send(Frame::text(message.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let frame = within("a message", self.socket.next()).await.unwrap().unwrap();
        let messages: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
        messages[0].clone()
    }
}
