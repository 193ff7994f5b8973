//! Slowness: of the application, and of clients that do not read.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::{
    Config, ServeConfig, Server,
    api::{
        Flow, Message, meta,
        server::{Removal, ServerExtension, ServerMessage, ServerSession, SessionListener},
    },
    serve,
};
use serde_json::{Value, json};
use tests::{
    Http, TestServer, Transport, brisk, eventually, every_transport, hooks::Log,
    over_every_transport, over_transports, raw::Raw, within,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore, SemaphorePermit},
};

use crate::aborted::{deliver_much, narrow};

over_every_transport!(
    answering_a_connect_may_take_longer_than_max_interval,
    answering_a_connect_for_too_long_ends_the_session,
    a_slow_listener_keeps_nobody_else_waiting,
    the_silence_of_a_session_counts_from_the_reply_to_its_handshake,
    a_session_is_over_before_its_end_is_told,
    a_listener_that_never_returns_keeps_no_other_from_what_happens,
);

/// Does not let the replies to connects out before it is told to.
#[derive(Debug)]
struct Holds {
    reached: Semaphore,
    open: Semaphore,
}

impl Holds {
    fn new() -> Arc<Self> {
        Arc::new(Self { reached: Semaphore::new(0), open: Semaphore::new(0) })
    }

    async fn reached(&self) {
        let reached = within("the reply to be on its way", self.reached.acquire()).await;
        reached.map(SemaphorePermit::forget).unwrap();
    }
}

#[async_trait]
impl ServerExtension for Holds {
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        if message.channel() == meta::CONNECT {
            self.reached.add_permits(1);
            self.open.acquire().await.unwrap().forget();
        }
        Flow::Continue
    }
}

fn impatient(config: &mut Config) {
    every_transport(config, |t| t.max_interval = Duration::from_secs(1));
}

async fn answering_a_connect_may_take_longer_than_max_interval(transport: Transport) {
    let server = TestServer::start(impatient).await;
    let holds = Holds::new();
    server.server.add_extension(holds.clone()).keep();
    let mut client = server.handshaken(transport).await;
    let session = server.session(&client);
    let connect = client.message("/meta/connect", &json!({ "id": "c" }));
    client.send(&[connect]);
    holds.reached().await;
    // A session that came later and is silent goes before.
    server.handshaken(transport).await;
    let statistics = || server.server.statistics();
    eventually("the other session to expire", || statistics().sessions_expired == 1).await;
    assert!(session.is_connected());
    holds.open.add_permits(1);
    assert_eq!(client.reply_to("c").await["successful"], true);
}

async fn answering_a_connect_for_too_long_ends_the_session(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_processing = Duration::from_millis(100));
    })
    .await;
    let holds = Holds::new();
    server.server.add_extension(holds.clone()).keep();
    let mut client = server.handshaken(transport).await;
    let session = server.session(&client);
    let connect = client.message("/meta/connect", &json!({ "id": "c" }));
    client.send(&[connect]);
    holds.reached().await;
    eventually("the session to expire", || !session.is_handshook()).await;
    assert_eq!(server.server.statistics().sessions_expired, 1);
    holds.open.add_permits(1);
    // Whatever it says, it does not tell the client to stay away.
    let reply = client.reply_to("c").await;
    assert_ne!(reply["advice"]["reconnect"], "none", "{reply}");
}

/// Does not let the beginnings and ends of sessions pass before it is told to.
#[derive(Debug, Default)]
struct Doorkeeper {
    reached: Notify,
    open: Notify,
}

#[async_trait]
impl SessionListener for Doorkeeper {
    async fn session_added(&self, _session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        self.reached.notify_one();
        self.open.notified().await;
    }

    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        self.reached.notify_one();
        self.open.notified().await;
    }
}

async fn the_silence_of_a_session_counts_from_the_reply_to_its_handshake(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_interval = Duration::from_secs(1));
    })
    .await;
    server.handshaken(transport).await;
    let doorkeeper = Arc::new(Doorkeeper::default());
    let registration = server.server.add_session_listener(doorkeeper.clone());
    let mut client = server.client(transport).await;
    let handshake = client.message("/meta/handshake", &json!({ "id": "h" }));
    client.send(&[handshake]);
    within("the listener to be told", doorkeeper.reached.notified()).await;
    drop(registration);
    // That of before goes, and so does one that came later.
    server.handshaken(transport).await;
    let statistics = || server.server.statistics();
    eventually("the others to expire", || statistics().sessions_expired == 2).await;
    doorkeeper.open.notify_one();
    let reply = client.reply_to("h").await;
    client.set_id(reply["clientId"].as_str().unwrap());
    client.connect().await;
}

async fn a_session_is_over_before_its_end_is_told(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let (session, channel) = (server.session(&client), server.server.channel("/a").unwrap());
    let doorkeeper = Arc::new(Doorkeeper::default());
    server.server.add_session_listener(doorkeeper.clone()).keep();
    let remove = server.server.remove_session(client.id());
    let look = async {
        within("the listener to be told", doorkeeper.reached.notified()).await;
        assert!(!session.is_handshook());
        assert!(!session.deliver(Message::with_data("/a", json!(1))).await);
        let published = channel.publish(json!(2)).await;
        assert_eq!(published.unwrap().sessions, 0);
        assert_eq!(session.queue_depth().messages, 0);
        assert_eq!(session.subscriptions().len(), 1, "listeners may see what it had");
        doorkeeper.open.notify_one();
    };
    let (was_there, ()) = tokio::join!(remove, look);
    assert!(was_there);
    assert_eq!(session.subscriptions().len(), 0);
}

async fn a_listener_that_never_returns_keeps_no_other_from_what_happens(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_processing = Duration::from_millis(500));
        impatient(config);
    })
    .await;
    let (doorkeeper, log) = (Arc::new(Doorkeeper::default()), Log::default());
    server.server.add_session_listener(doorkeeper.clone()).keep();
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let mut client = server.client(transport).await;
    let handshake = client.message("/meta/handshake", &json!({ "id": "h" }));
    client.send(&[handshake]);
    within("its beginning to be told", doorkeeper.reached.notified()).await;
    let is_added = || log.entries().iter().any(|it| it.starts_with("added session"));
    eventually("the next listener to hear of it", is_added).await;
    within("its end to be told", doorkeeper.reached.notified()).await;
    log.until("Expired session, 0 subscriptions").await;
}

async fn a_slow_listener_keeps_nobody_else_waiting(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/slow").unwrap().channel();
    let gate = Arc::new(crate::aborted::Gate::default());
    channel.add_listener(gate.clone()).keep();
    let mut slow = server.connected(transport).await;
    let publish = slow.message("/slow", &json!({ "id": "p", "data": 1 }));
    slow.send(&[publish]);
    within("the message to come", gate.reached.notified()).await;
    let mut other = server.connected(transport).await;
    other.subscribe("/a").await;
    other.publish("/a", json!(2)).await;
    assert_eq!(other.message_on("/a").await["data"], 2);
    gate.open.notify_one();
    assert_eq!(slow.reply_to("p").await["successful"], true);
}

over_transports!([long_polling: LongPolling] a_client_that_does_not_read_its_reply_expires);

async fn a_client_that_does_not_read_its_reply_expires(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.max_queue_bytes = 64 * 1024 * 1024;
            t.max_processing = Duration::from_secs(1);
        });
    })
    .await;
    let log = Log::default();
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    deliver_much(&server.session(&client)).await;
    let connect = client.message("/meta/connect", &json!({}));
    let mut raw = narrow(server.address).await;
    let cookie = format!("cookie: {}\r\n", client.browser.header().unwrap());
    raw.post(&cookie, json!([connect]).to_string()).await;
    log.until("Expired session, 0 subscriptions").await;
    let reply = client.try_connect(json!({})).await;
    assert_eq!(reply["advice"]["reconnect"], "handshake");
}

over_transports!([long_polling: LongPolling, callback_polling: CallbackPolling]
    a_session_lives_while_its_client_takes_a_response
);

async fn a_session_lives_while_its_client_takes_a_response(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_interval = Duration::from_secs(4));
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    for _ in 0..9 {
        assert!(session.deliver(Message::with_data("/a", json!("x".repeat(100_000)))).await);
    }
    let connect = json!([client.message("/meta/connect", &json!({}))]).to_string();
    let cookie = format!("cookie: {}\r\n", client.browser.header().unwrap());
    let mut raw = Raw::narrow(server.address).await;
    if transport == Transport::LongPolling {
        raw.post(&cookie, connect).await;
    } else {
        let message = form_urlencoded::byte_serialize(connect.as_bytes()).collect::<String>();
        let target = format!("/?jsonp=c&message={message}");
        raw.write(format!("GET {target} HTTP/1.1\r\nhost: x\r\n{cookie}\r\n")).await;
    }
    // Ten seconds in all.
    for _ in 0..100 {
        assert_eq!(raw.take(9_000).await.map(|part| part.len()), Some(9_000));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    raw.read_until("/meta/connect").await;
    client.connect_at_once().await;
}

over_transports!([websocket: WebSocket]
    a_connection_that_takes_nothing_is_given_up,
    one_that_takes_nothing_is_given_up_with_acknowledgements_too
);

async fn a_connection_that_takes_nothing_is_given_up(transport: Transport) {
    is_given_up(transport, json!({})).await;
}

async fn one_that_takes_nothing_is_given_up_with_acknowledgements_too(transport: Transport) {
    is_given_up(transport, json!({ "ext": { "ack": true } })).await;
}

/// Handshakes with `fields`, and takes nothing over a further connection once it has connected.
async fn is_given_up(transport: Transport, fields: Value) {
    let server = TestServer::start(|config| {
        brisk(config);
        config.acknowledgements = true;
        config.ws.write_timeout = Duration::from_millis(100);
        every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
    })
    .await;
    let log = Log::default();
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let mut client = server.client(transport).await;
    let reply = client.try_handshake(fields.clone()).await;
    assert_eq!(reply["ext"], fields["ext"]);
    client.connect().await;
    let session = server.session(&client);
    let mut raw = narrow(server.address).await;
    upgrade(&mut raw).await;
    let connect = json!({ "channel": "/meta/connect", "clientId": client.id(), "id": "c" });
    let publish = json!({ "channel": "/b", "clientId": client.id(), "data": 1 });
    let message = json!([connect, publish]).to_string();
    // A masked frame, with a mask of zeros.
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend_from_slice(message.as_bytes());
    raw.write(frame).await;
    raw.read_until("/b").await;
    client.abort().await;
    deliver_much(&session).await;
    eventually("the connection to be given up", || server.server.statistics().websockets == 0)
        .await;
    log.until("Expired session, 0 subscriptions").await;
}

pub(crate) async fn upgrade(raw: &mut Raw) {
    raw.write(
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    raw.read_until("\r\n\r\n").await;
}

/// A held connect is not a slow request: it is not cut by the time that a request's head has.
#[tokio::test]
async fn a_held_connect_outlives_the_time_for_heads() {
    let mut config = Config::default();
    config.long_polling.timeout = Duration::from_millis(1200);
    let server = Server::builder().config(config).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(listener.local_addr().unwrap());
    let mut config = ServeConfig::default();
    config.header_timeout = Duration::from_secs(1);
    config.write_timeout = Duration::from_secs(1);
    let (serving, service) = (server.clone(), server.service());
    let served = tokio::spawn(async move { serve(&serving, listener, service, config).await });
    let handshake = http.post("/", &[], r#"[{"channel":"/meta/handshake"}]"#).await.unwrap();
    let cookie = handshake.headers()["set-cookie"].to_str().unwrap().to_owned();
    let connect = json!({ "channel": "/meta/connect", "clientId": server.sessions()[0].id() });
    for _ in 0..2 {
        let response = http.post("/", &[("cookie", &cookie)], connect.to_string()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(str::from_utf8(response.body()).unwrap().contains(r#""successful":true"#));
    }
    server.stop();
    within("serving to end", served).await.unwrap().unwrap();
}
