//! A server that answers as a test says, well or badly; and a link to a good one that breaks.

mod in_process;
mod link;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bayeux_client::{BayeuxClient, Builder, api::ConnectionType};
use futures_util::{SinkExt as _, StreamExt as _, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role},
    },
};

use crate::eventually;

pub use link::Link;

/// What a scripted server does about a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers with this status, these headers and this body. Over WebSocket the body is the frame.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Never answers.
    Hang,
    /// Answers well with this body, and closes the connection after that many bytes of it all.
    Cut(Vec<u8>, usize),
    /// Closes the WebSocket with this code.
    Close(u16),
    /// Answers so once the signal is given. What comes meanwhile is answered before.
    After(Arc<Notify>, Box<Self>),
}

/// What a scripted server does about a request to open a WebSocket.
#[derive(Clone, Copy, Debug)]
pub enum Upgrade {
    /// Opens it.
    Accept,
    /// Answers with this status.
    Refuse(u16),
    /// Never answers.
    Hang,
}

/// A request that came to a scripted server.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it came.
    pub at: Instant,
    /// Its path.
    pub path: String,
    /// What came; none for a request to open a WebSocket.
    pub messages: Vec<Value>,
}

type Script = dyn Fn(usize, Vec<Value>) -> Answer + Send + Sync;
type Upgrades = dyn Fn(usize) -> Upgrade + Send + Sync;

/// A server that answers by a closure until it is dropped.
#[derive(Debug)]
pub struct Scripted {
    /// Where it listens.
    pub address: SocketAddr,
    served: Arc<Served>,
    _serving: JoinSet<()>,
}

struct Served {
    script: Box<Script>,
    upgrades: Box<Upgrades>,
    count: AtomicUsize,
    upgraded: AtomicUsize,
    asked: Mutex<Vec<Asked>>,
}

impl Served {
    /// Notes what came, and returns what the script says.
    fn ask(&self, path: String, messages: Vec<Value>) -> Answer {
        let at = Instant::now();
        self.asked.lock().unwrap().push(Asked { at, path, messages: messages.clone() });
        (self.script)(self.count.fetch_add(1, Ordering::SeqCst), messages)
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}

impl Scripted {
    /// Starts a server that opens no WebSocket. `script` gets the number of the request, from 0, and
    /// its messages.
    pub async fn start(
        script: impl Fn(usize, Vec<Value>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_websocket(|_| Upgrade::Refuse(404), script).await
    }

    /// Starts a server with something to say about WebSockets too.
    pub async fn start_with_websocket(
        upgrades: impl Fn(usize) -> Upgrade + Send + Sync + 'static,
        script: impl Fn(usize, Vec<Value>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Served {
            script: Box::new(script),
            upgrades: Box::new(upgrades),
            count: AtomicUsize::new(0),
            upgraded: AtomicUsize::new(0),
            asked: Mutex::default(),
        });
        let shared = served.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                connections.spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, served, _serving: serving }
    }

    /// Returns the address for clients.
    pub fn url(&self) -> String {
        format!("http://{}/cometd", self.address)
    }

    /// Starts making a client that comes over `transport` alone.
    pub fn builder(&self, transport: ConnectionType) -> Builder {
        let builder = BayeuxClient::builder().transports(&[transport]);
        if transport == ConnectionType::InProcess {
            builder.in_process(in_process::InProcess(self.served.clone()))
        } else {
            builder.url(&self.url())
        }
    }

    /// Returns what has come so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.served.asked.lock().unwrap().clone()
    }

    /// Returns the messages that have come so far on `channel`.
    pub fn on(&self, channel: &str) -> Vec<Value> {
        let messages = self.asked().into_iter().flat_map(|asked| asked.messages);
        messages.filter(|message| message["channel"] == channel).collect()
    }

    /// Returns when what has come so far on `channel` came.
    pub fn times(&self, channel: &str) -> Vec<Instant> {
        let is_on = |asked: &Asked| asked.messages.iter().any(|one| one["channel"] == channel);
        self.asked().into_iter().filter(is_on).map(|asked| asked.at).collect()
    }

    /// Returns how many WebSockets were asked for.
    pub fn upgrades(&self) -> usize {
        self.asked().iter().filter(|asked| asked.messages.is_empty()).count()
    }

    /// Waits until that many messages have come on `channel`.
    pub async fn until(&self, channel: &str, count: usize) {
        let what = format!("{count} messages on {channel}");
        eventually(&what, || self.on(channel).len() >= count).await;
    }
}

/// Answers as a good server does, which holds connects for ever.
pub fn ordinary(messages: &[Value]) -> Answer {
    let is_held = |one: &Value| one["channel"] == "/meta/connect" && one.get("advice").is_none();
    if messages.iter().any(is_held) { Answer::Hang } else { answer(&replies(messages)) }
}

/// Answers with these messages.
pub fn answer(messages: &[Value]) -> Answer {
    body(200, json!(messages).to_string())
}

/// Answers with a status and a body.
pub fn body(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer::Reply(status, Vec::new(), body.into())
}

/// Makes the replies that a good server gives.
pub fn replies(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(reply).collect()
}

/// Makes the reply that a good server gives.
pub fn reply(message: &Value) -> Value {
    let mut reply = json!({
        "id": message["id"],
        "channel": message["channel"],
        "successful": true,
    });
    match message["channel"].as_str().unwrap() {
        "/meta/handshake" => {
            reply["clientId"] = json!("client");
            reply["version"] = json!("1.0");
            reply["supportedConnectionTypes"] = json!(["websocket", "long-polling"]);
            reply["advice"] = json!({ "reconnect": "retry", "interval": 0, "timeout": 60_000 });
        }
        "/meta/subscribe" | "/meta/unsubscribe" => {
            reply["subscription"] = message["subscription"].clone();
        }
        _ => {}
    }
    reply
}

async fn serve(mut stream: TcpStream, served: Arc<Served>) {
    let mut read = Vec::new();
    while let Some((head, messages)) = request(&mut stream, &mut read).await {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        if head.starts_with("GET") {
            let at = Instant::now();
            served.asked.lock().unwrap().push(Asked { at, path, messages });
            let nth = served.upgraded.fetch_add(1, Ordering::SeqCst);
            match (served.upgrades)(nth) {
                Upgrade::Accept => return speak(stream, &head, &served).await,
                Upgrade::Refuse(status) => {
                    let _ = stream.write_all(&written(status, &[], b"")).await;
                }
                Upgrade::Hang => std::future::pending().await,
            }
            continue;
        }
        match signalled(served.ask(path, messages)).await {
            Answer::Reply(status, headers, body) => {
                let _ = stream.write_all(&written(status, &headers, &body)).await;
            }
            Answer::Cut(body, most) => {
                let whole = written(200, &[], &body);
                let _ = stream.write_all(&whole[..most.min(whole.len())]).await;
                return;
            }
            Answer::Close(_) => return,
            Answer::Hang | Answer::After(..) => {
                // Until the client goes.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
        }
    }
}

/// Speaks over a WebSocket.
async fn speak(mut stream: TcpStream, head: &str, served: &Served) {
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
    });
    let accept = derive_accept_key(key.unwrap().as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut later = FuturesUnordered::new();
    loop {
        let answer = tokio::select! {
            Some(answer) = later.next() => answer,
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    served.ask(String::new(), serde_json::from_str(&text).unwrap())
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        match answer {
            Answer::After(..) => later.push(signalled(answer)),
            Answer::Reply(_, _, body) => {
                let _ = socket.send(Message::text(String::from_utf8(body).unwrap())).await;
            }
            Answer::Hang => {}
            Answer::Cut(..) => return,
            Answer::Close(code) => {
                let frame = CloseFrame { code: code.into(), reason: "as the script says".into() };
                let _ = socket.close(Some(frame)).await;
            }
        }
    }
}

/// Waits for the signal of an answer, if it has one.
async fn signalled(mut answer: Answer) -> Answer {
    while let Answer::After(signal, then) = answer {
        signal.notified().await;
        answer = *then;
    }
    answer
}

/// Reads a request: its head and its messages. None when the client is gone.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, Vec<Value>)> {
    loop {
        let end = read.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
            });
            let all = end + 4 + length.unwrap_or(0);
            if read.len() >= all {
                let messages = match length {
                    Some(_) => serde_json::from_slice(&read[end + 4..all]).unwrap(),
                    None => Vec::new(),
                };
                read.drain(..all);
                return Some((head, messages));
            }
        }
        let mut part = [0; 8192];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&part[..count]),
        }
    }
}

/// Makes the bytes of a response.
fn written(status: u16, headers: &[(&'static str, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// How long a test looks on to see that nothing happens.
pub const WHILE: Duration = Duration::from_millis(300);
