//! A long-polling session that does and sends whatever a test wants.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tests::{Http, within};

/// A session over HTTP/1.1, and the cookie of its browser.
#[derive(Debug)]
pub(crate) struct Visitor {
    http: Http,
    cookie: String,
    pub(crate) id: String,
}

impl Visitor {
    pub(crate) async fn arrive(address: SocketAddr) -> Self {
        Self::over(Http::new(address), &json!({})).await
    }

    pub(crate) async fn over(http: Http, ext: &Value) -> Self {
        let mut visitor = Self { http, cookie: "x=y".to_owned(), id: String::new() };
        let response = visitor
            .send_text(json!([{ "channel": "/meta/handshake", "ext": ext }]).to_string())
            .await;
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        visitor.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let replies: Value = serde_json::from_slice(response.body()).unwrap();
        visitor.id = replies[0]["clientId"].as_str().unwrap().to_owned();
        visitor
    }

    /// Returns the line of a request's head that says of which browser it is.
    pub(crate) fn cookie(&self) -> String {
        format!("cookie: {}\r\n", self.cookie)
    }

    /// Sends messages, each with the session's `clientId` unless it has one, and returns all that
    /// come back.
    pub(crate) async fn send(&self, messages: &[Value]) -> Vec<Value> {
        let response = self.send_text(self.text(messages)).await;
        let text = String::from_utf8_lossy(response.body());
        assert_eq!(response.status(), 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends one message and returns its reply.
    pub(crate) async fn ask(&self, message: Value) -> Value {
        self.send(&[message]).await.pop().expect("there is a reply")
    }

    pub(crate) fn text(&self, messages: &[Value]) -> String {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            if message.get("clientId").is_none() {
                message["clientId"] = json!(self.id);
            }
        }
        json!(messages).to_string()
    }

    pub(crate) async fn send_text(&self, text: impl Into<Bytes>) -> Response<Bytes> {
        let cookie = [("cookie", self.cookie.as_str())];
        let sent = self.http.post("/", &cookie, text);
        within("a response", sent).await.unwrap()
    }

    pub(crate) async fn connect(&self) -> Vec<Value> {
        self.send(&[json!({ "channel": "/meta/connect", "connectionType": "long-polling" })]).await
    }

    pub(crate) async fn leave(self) {
        let reply = self.ask(json!({ "channel": "/meta/disconnect" })).await;
        assert_eq!(reply["successful"], true, "{reply}");
    }
}
