//! The handshake: what is in it, who is asked, and what a refusal leads to.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use async_trait::async_trait;
use bayeux_client::{
    Credentials, State,
    api::{
        ConnectionType, Flow, Message,
        client::{ClientSession as _, ClientSessionChannel as _, RequestError},
    },
};
use serde_json::json;
use tests::{
    TestServer, arrive, brisk_client, eventually, hooks, hooks::Log, over_every_client_transport,
    within,
};

use crate::scene::{Denies, forget_all, pausing, refusal, wire};

over_every_client_transport!(
    the_templates_fields_are_in_every_handshake,
    credentials_are_asked_at_every_handshake,
    credentials_that_are_not_there_yet_are_asked_for_again,
    a_denied_handshake_is_not_repeated,
    a_second_handshake_is_refused,
    after_a_disconnect_a_new_session_starts,
    after_an_abort_a_new_session_starts,
    listeners_hear_of_the_handshake_before_the_connect,
);

/// Writes down a field of `ext` of each handshake that reaches the server.
fn handshakes(server: &TestServer, field: &'static str) -> Log {
    let log = Log::default();
    let own = log.clone();
    let see = hooks::incoming(move |_, message| {
        if message.is_handshake() {
            own.add(message.ext_field(field).unwrap_or_default().to_string());
        }
        Flow::Continue
    });
    server.server.add_extension(see).keep();
    log
}

/// Gives a number that grows, after the first `refusals` times.
#[derive(Debug, Default)]
struct Tokens {
    asked: AtomicU32,
    refusals: u32,
}

#[async_trait]
impl Credentials for Tokens {
    async fn credentials(&self) -> Result<Message, String> {
        let asked = self.asked.fetch_add(1, SeqCst) + 1;
        if asked <= self.refusals {
            return Err("the token is late".to_owned());
        }
        let mut fields = Message::default();
        fields.ext_mut().insert("token".to_owned(), json!(asked));
        Ok(fields)
    }
}

async fn the_templates_fields_are_in_every_handshake(transport: ConnectionType) {
    let server = TestServer::start(pausing).await;
    let log = handshakes(&server, "user");
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    let mut template = Message::new("/meta/other");
    template.client_id = Some("forged".to_owned());
    template.ext_mut().insert("user".to_owned(), json!("ann"));
    let reply = within("the handshake", client.handshake_with(template)).await.unwrap();
    assert_eq!((reply.channel(), &reply.client_id), ("/meta/handshake", &client.id()));
    arrive(&client, State::Connected).await;
    forget_all(&server).await;
    eventually("another handshake", || log.entries().len() == 2).await;
    assert_eq!(log.entries(), ["\"ann\"", "\"ann\""]);
}

async fn credentials_are_asked_at_every_handshake(transport: ConnectionType) {
    let server = TestServer::start(pausing).await;
    let log = handshakes(&server, "token");
    let builder = server.builder(transport).config(brisk_client());
    let client = builder.credentials(Tokens::default()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    forget_all(&server).await;
    log.until("2").await;
    arrive(&client, State::Connected).await;
    assert_eq!(log.entries(), ["1", "2"]);
}

async fn credentials_that_are_not_there_yet_are_asked_for_again(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let log = handshakes(&server, "token");
    let builder = server.builder(transport).config(brisk_client());
    let tokens = Tokens { refusals: 2, ..Tokens::default() };
    let client = builder.credentials(tokens).build().unwrap();
    let Err(RequestError::Failed(failure)) = within("the handshake", client.handshake()).await
    else {
        panic!("there was no token")
    };
    assert!(failure.reason.contains("the token is late"), "{failure}");
    arrive(&client, State::Connected).await;
    assert_eq!(log.entries(), ["3"]);
}

async fn a_denied_handshake_is_not_repeated(transport: ConnectionType) {
    let server = Denies("handshake").server().await;
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    let sent = wire(&client);
    let mut states = client.states();
    assert!(refusal(within("the handshake", client.handshake()).await).starts_with("403"));
    let disconnected = states.wait_for(|state| *state == State::Disconnected);
    within("the end", disconnected).await.unwrap();
    assert_eq!(sent.entries(), ["/meta/handshake"]);
    assert_eq!((client.id(), client.is_handshook()), (None, false));
    // The application may ask again.
    assert!(refusal(within("the handshake", client.handshake()).await).starts_with("403"));
}

async fn a_second_handshake_is_refused(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let (first, second) = (client.handshake(), client.handshake());
    within("the first", first).await.unwrap();
    assert_eq!(within("second", second).await.unwrap_err(), RequestError::AlreadyHandshaken);
    arrive(&client, State::Connected).await;
    let third = within("the third", client.handshake()).await;
    assert_eq!(third.unwrap_err(), RequestError::AlreadyHandshaken);
    assert!(client.is_connected());
    assert_eq!(server.server.sessions().len(), 1);
}

async fn after_a_disconnect_a_new_session_starts(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let first = client.id();
    within("the disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
    assert_eq!(client.id(), None);
    eventually("the server's end", || server.server.sessions().is_empty()).await;
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_ne!(client.id(), first);
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
}

async fn after_an_abort_a_new_session_starts(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let first = client.id();
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    client.abort();
    assert_eq!(client.state(), State::Disconnected);
    // The task of the last session may not have ended yet.
    within("the handshake", client.handshake()).await.unwrap();
    assert!(within("the stream's end", messages.next()).await.is_none());
    arrive(&client, State::Connected).await;
    assert_ne!(client.id(), first);
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
}

async fn listeners_hear_of_the_handshake_before_the_connect(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let log = Log::default();
    client.channel("/meta/*").unwrap().add_listener(Arc::new(log.clone())).keep();
    for name in ["/meta/handshake", "/meta/connect"] {
        client.channel(name).unwrap().add_listener(Arc::new(log.clone())).keep();
    }
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    log.until("/meta/connect successful=true").await;
    let expected = [
        "/meta/handshake successful=true",
        "/meta/* successful=true",
        "/meta/connect successful=true",
    ];
    assert_eq!(log.entries()[..3], expected);
}
