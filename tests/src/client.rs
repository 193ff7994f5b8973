//! A small Bayeux client for every transport. It does nothing by itself: it sends what a test tells
//! it to, and keeps what arrives until the test asks for it.

use std::{net::SocketAddr, sync::Arc};

use bayeux_server::{InProcessError, Server, api::ConnectionType};
use http::Version;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    eventually,
    http::{Browser, Http},
    websocket::{WebSocket, open_websocket, upgrade_request},
    within,
};

mod wire;

use wire::Wire;

/// Over what a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `websocket`, by an upgrade.
    WebSocket,
    /// `websocket`, by an extended CONNECT.
    WebSocketOverHttp2,
    /// `long-polling` over HTTP/1.1.
    LongPolling,
    /// `long-polling` over HTTP/2 with prior knowledge.
    LongPollingOverHttp2,
    /// `callback-polling` over HTTP/1.1.
    CallbackPolling,
    /// The transport inside the program.
    InProcess,
}

impl Transport {
    /// Returns what the protocol calls it.
    pub fn connection_type(self) -> ConnectionType {
        match self {
            Self::WebSocket | Self::WebSocketOverHttp2 => ConnectionType::WebSocket,
            Self::LongPolling | Self::LongPollingOverHttp2 => ConnectionType::LongPolling,
            Self::CallbackPolling => ConnectionType::CallbackPolling,
            Self::InProcess => ConnectionType::InProcess,
        }
    }

    /// Whether the server sends messages without a request.
    pub fn pushes(self) -> bool {
        self.connection_type() == ConnectionType::WebSocket
    }

    /// Whether requests are HTTP's.
    pub fn is_http(self) -> bool {
        self != Self::InProcess
    }

    /// The HTTP version, for those that have one.
    pub fn version(self) -> Version {
        match self {
            Self::WebSocketOverHttp2 | Self::LongPollingOverHttp2 => Version::HTTP_2,
            Self::WebSocket | Self::LongPolling | Self::CallbackPolling | Self::InProcess => {
                Version::HTTP_11
            }
        }
    }
}

/// What arrives at once: the body of a response, or a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// Messages.
    Messages(Vec<Value>),
    /// A response without messages; in-process, the status that HTTP would have.
    Refused {
        /// Its status.
        status: u16,
        /// Its text.
        body: String,
    },
    /// The server closes the WebSocket.
    Closed {
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The connection is gone.
    Lost,
}

/// A Bayeux client.
#[derive(Debug)]
pub struct Client {
    /// Over what it comes.
    pub transport: Transport,
    /// The browser it is a tab of.
    pub browser: Arc<Browser>,
    server: Server,
    wire: Wire,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    kept: Vec<Value>,
    id: Option<String>,
    last_id: u64,
    /// The id of the `/meta/connect` that has no reply yet.
    connect: Option<String>,
}

impl Client {
    pub(crate) async fn open(
        server: &Server,
        address: SocketAddr,
        transport: Transport,
        browser: &Arc<Browser>,
    ) -> Self {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let wire = Wire::open(server, address, transport, browser.clone(), sender).await;
        Self {
            transport,
            browser: browser.clone(),
            server: server.clone(),
            wire,
            arrivals,
            kept: Vec::new(),
            id: None,
            last_id: 0,
            connect: None,
        }
    }

    /// Returns the `clientId`.
    ///
    /// # Panics
    ///
    /// When the client has not handshaken.
    pub fn id(&self) -> &str {
        self.id.as_deref().expect("the client has handshaken")
    }

    /// Takes over somebody's `clientId`.
    pub fn set_id(&mut self, id: impl Into<String>) {
        self.id = Some(id.into());
    }

    // --- sending ---

    /// Makes a message with an id and, once there is one, the `clientId`; `fields` win.
    pub fn message(&mut self, channel: &str, fields: &Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "channel": channel, "id": self.last_id.to_string() });
        if let Some(id) = self.id.as_ref().filter(|_| channel != "/meta/handshake") {
            message["clientId"] = json!(id);
        }
        if channel == "/meta/connect" {
            message["connectionType"] = json!(self.transport.connection_type().as_str());
        }
        for (name, value) in fields.as_object().expect("fields are an object") {
            message[name] = value.clone();
        }
        message
    }

    /// Sends messages together.
    pub fn send(&mut self, messages: &[Value]) {
        for message in messages.iter().filter(|message| message["channel"] == "/meta/connect") {
            self.connect = message["id"].as_str().map(str::to_owned);
        }
        self.send_text(json!(messages).to_string());
    }

    /// Sends any text.
    pub fn send_text(&mut self, text: impl Into<String>) {
        self.wire.send(text.into());
    }

    /// Sends one message and returns its reply.
    pub async fn request(&mut self, channel: &str, fields: Value) -> Value {
        let message = self.message(channel, &fields);
        let id = id_of(&message);
        self.send(&[message]);
        self.reply_to(&id).await
    }

    /// Sends messages together and returns their replies, in the order of the messages.
    pub async fn batch(&mut self, messages: &[Value]) -> Vec<Value> {
        self.send(messages);
        let mut replies = Vec::new();
        for message in messages {
            replies.push(self.reply_to(&id_of(message)).await);
        }
        replies
    }

    /// Handshakes, and keeps the `clientId`.
    pub async fn handshake(&mut self) -> Value {
        let reply = self.try_handshake(json!({})).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Handshakes with further fields, and keeps the `clientId` if there is one.
    pub async fn try_handshake(&mut self, fields: Value) -> Value {
        let mut handshake = json!({ "version": "1.0", "supportedConnectionTypes": ["websocket"] });
        for (name, value) in fields.as_object().expect("fields are an object") {
            handshake[name] = value.clone();
        }
        let reply = self.request("/meta/handshake", handshake).await;
        if let Some(id) = reply["clientId"].as_str() {
            self.set_id(id);
        }
        reply
    }

    /// Connects and returns the reply.
    pub async fn connect(&mut self) -> Value {
        let reply = self.try_connect(json!({})).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Connects so that it is not held, as after a reload or a failure, and returns the reply.
    pub async fn connect_at_once(&mut self) -> Value {
        let reply = self.try_connect(json!({ "advice": { "timeout": 0 } })).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Connects with further fields and returns the reply.
    pub async fn try_connect(&mut self, fields: Value) -> Value {
        self.request("/meta/connect", fields).await
    }

    /// Sends a `/meta/connect` unless one is held, waits until the server holds it, and returns its
    /// id.
    pub async fn hold(&mut self) -> String {
        if let Some(id) = &self.connect {
            return id.clone();
        }
        let before = self.server.statistics().held_connects;
        let connect = self.message("/meta/connect", &json!({}));
        let id = id_of(&connect);
        self.send(&[connect]);
        let server = self.server.clone();
        eventually("the connect to be held", || server.statistics().held_connects > before).await;
        id
    }

    /// Subscribes and returns the reply.
    pub async fn subscribe(&mut self, channel: &str) -> Value {
        let reply = self.request("/meta/subscribe", json!({ "subscription": channel })).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Unsubscribes and returns the reply.
    pub async fn unsubscribe(&mut self, channel: &str) -> Value {
        let reply = self.request("/meta/unsubscribe", json!({ "subscription": channel })).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Publishes and returns the reply.
    pub async fn publish(&mut self, channel: &str, data: Value) -> Value {
        let reply = self.request(channel, json!({ "data": data })).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Disconnects and returns the reply.
    pub async fn disconnect(&mut self) -> Value {
        let reply = self.request("/meta/disconnect", json!({})).await;
        assert_eq!(reply["successful"], true, "{reply}");
        reply
    }

    /// Cuts the connections, with whatever was under way.
    pub async fn abort(&mut self) {
        self.connect = None;
        self.wire.abort().await;
    }

    // --- receiving ---

    /// Waits for what arrives next, be it messages or not.
    pub async fn arrival(&mut self) -> Arrival {
        let arrival = within("something to arrive", self.arrivals.recv()).await;
        let arrival = arrival.unwrap_or(Arrival::Lost);
        if let Arrival::Messages(messages) = &arrival {
            for message in messages {
                if self.connect.is_some() && self.connect.as_deref() == message["id"].as_str() {
                    self.connect = None;
                }
            }
        }
        arrival
    }

    /// Waits for the messages that arrive next, in one response or frame.
    ///
    /// # Panics
    ///
    /// When something else arrives.
    pub async fn messages(&mut self) -> Vec<Value> {
        match self.arrival().await {
            Arrival::Messages(messages) => messages,
            other @ (Arrival::Refused { .. } | Arrival::Closed { .. } | Arrival::Lost) => {
                panic!("waited for messages, got {other:?}")
            }
        }
    }

    /// Waits for the reply to the message of this id.
    pub async fn reply_to(&mut self, id: &str) -> Value {
        let is_reply = |message: &Value| {
            message["id"] == id && message["successful"].is_boolean() && message["data"].is_null()
        };
        self.expect(&format!("the reply to message {id}"), is_reply).await
    }

    /// Waits for a message.
    pub async fn expect(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        within(what, async {
            loop {
                if let Some(found) = self.take(&is_it) {
                    return found;
                }
                let messages = self.messages().await;
                self.kept.extend(messages);
            }
        })
        .await
    }

    /// Waits for a message that was published or delivered on `channel`, and connects for it as
    /// often as it takes.
    ///
    /// # Panics
    ///
    /// When a connect is refused.
    pub async fn message_on(&mut self, channel: &str) -> Value {
        within(&format!("a message on {channel}"), async {
            loop {
                if let Some(found) = self.take(&|message| is_message_on(message, channel)) {
                    return found;
                }
                if self.connect.is_none() {
                    let connect = self.message("/meta/connect", &json!({}));
                    self.send(&[connect]);
                }
                let messages = self.messages().await;
                let is_refusal = |message: &Value| {
                    message["channel"] == "/meta/connect" && message["successful"] != true
                };
                assert!(!messages.iter().any(is_refusal), "connecting failed: {messages:?}");
                self.kept.extend(messages);
            }
        })
        .await
    }

    /// Waits for a message on `channel` as [`message_on`](Self::message_on) does, and returns the
    /// channels of all messages up to it, in the order in which they arrived.
    pub async fn channels_until(&mut self, channel: &str) -> Vec<String> {
        let last = self.message_on(channel).await;
        let before = self.kept.extract_if(.., |message| message.get("data").is_some());
        let messages: Vec<_> = before.chain([last]).collect();
        messages.iter().map(|message| message["channel"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes what has been received on `channel` and not been asked for, without waiting.
    pub fn received_on(&mut self, channel: &str) -> Vec<Value> {
        std::iter::from_fn(|| self.take(&|message| is_message_on(message, channel))).collect()
    }

    /// Takes all that has been received and not been asked for, without waiting.
    pub fn received(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.kept)
    }

    fn take(&mut self, is_it: &impl Fn(&Value) -> bool) -> Option<Value> {
        let index = self.kept.iter().position(is_it)?;
        Some(self.kept.remove(index))
    }
}

fn is_message_on(message: &Value, channel: &str) -> bool {
    message["channel"] == channel && message.get("data").is_some()
}

fn id_of(message: &Value) -> String {
    message["id"].as_str().expect("the message has an id").to_owned()
}
