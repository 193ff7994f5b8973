//! A client that is aborted in whatever state leaves nobody waiting and no task behind.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, Credentials, State,
    api::{
        ConnectionType::{self, LongPolling, WebSocket},
        Message,
        client::{FailureKind, RequestError},
    },
};
use serde_json::json;
use tests::{
    TestServer, arrive, brisk_client, eventually, over_both,
    scripted::{Answer, Scripted, Upgrade, answer, body, ordinary, reply},
    within,
};
use tokio::{runtime::Handle, sync::Notify};

use crate::answers::has;

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// How the server keeps a client from going on.
#[derive(Clone, Copy, Debug)]
enum Stuck {
    Upgrading,
    Handshaking,
    Rehandshaking,
    Handshaken,
    Connecting,
    Connected,
    Unconnected,
    Publishing,
    Disconnecting,
}

impl Stuck {
    const ALL: [Self; 9] = [
        Self::Upgrading,
        Self::Handshaking,
        Self::Rehandshaking,
        Self::Handshaken,
        Self::Connecting,
        Self::Connected,
        Self::Unconnected,
        Self::Publishing,
        Self::Disconnecting,
    ];

    fn state(self) -> State {
        match self {
            Self::Upgrading | Self::Handshaking => State::Handshaking,
            Self::Rehandshaking => State::Rehandshaking,
            Self::Handshaken => State::Handshaken,
            Self::Connecting => State::Connecting,
            Self::Connected | Self::Publishing => State::Connected,
            Self::Unconnected => State::Unconnected,
            Self::Disconnecting => State::Disconnecting,
        }
    }

    /// Returns what the server is asked last, and has not answered.
    fn asked(self) -> Option<&'static str> {
        match self {
            Self::Handshaking => Some("/meta/handshake"),
            Self::Connecting => Some("/meta/connect"),
            Self::Publishing => Some("/a"),
            Self::Disconnecting => Some("/meta/disconnect"),
            Self::Upgrading
            | Self::Rehandshaking
            | Self::Handshaken
            | Self::Connected
            | Self::Unconnected => None,
        }
    }

    fn answer(self, messages: &[serde_json::Value]) -> Answer {
        match (self, messages[0]["channel"].as_str().unwrap()) {
            (Self::Handshaking, _)
            | (Self::Connecting, "/meta/connect")
            | (Self::Publishing, "/a") => Answer::Hang,
            // It may come with others.
            (Self::Disconnecting, _) if has(messages, "/meta/disconnect") => Answer::Hang,
            (Self::Rehandshaking, _) => {
                let mut reply = reply(&messages[0]);
                reply["successful"] = json!(false);
                answer(&[reply])
            }
            (Self::Handshaken, "/meta/handshake") => {
                let mut reply = reply(&messages[0]);
                reply["x-messages"] = json!(3);
                answer(&[reply])
            }
            (Self::Unconnected, "/meta/connect") => body(200, "[1]"),
            _ => ordinary(messages),
        }
    }
}

over_both!(nobody_waits_and_no_task_is_left_after_an_abort);

/// Aborts clients, each stuck somewhere, and waits until only the tasks from before are left.
async fn nobody_waits_and_no_task_is_left_after_an_abort(transport: ConnectionType) {
    for stuck in Stuck::ALL {
        let before = tasks();
        let server = Scripted::start_with_websocket(
            move |_| {
                if matches!(stuck, Stuck::Upgrading) { Upgrade::Hang } else { Upgrade::Accept }
            },
            move |_, messages| stuck.answer(&messages),
        )
        .await;
        let builder = BayeuxClient::builder().url(&server.url()).transports(&[transport]);
        let client = builder.config(brisk_client()).build().unwrap();
        let handshake = client.handshake();
        let mut states = client.states();
        if transport == LongPolling && matches!(stuck, Stuck::Upgrading) {
            continue;
        }
        let is_disconnecting = matches!(stuck, Stuck::Disconnecting);
        let wanted = if is_disconnecting { State::Connected } else { stuck.state() };
        within("the state", states.wait_for(|state| *state == wanted)).await.unwrap();
        let channel = client.channel("/a").unwrap();
        let publish = channel.publish(json!(1));
        let subscribe = channel.subscribe();
        let call = client.remote_call("target", json!(1)).unwrap();
        let disconnect = is_disconnecting.then(|| client.disconnect());
        if let Some(last) = stuck.asked() {
            server.until(last, 1).await;
        }
        client.abort();
        assert_eq!(client.state(), State::Disconnected, "{stuck:?}");
        arrive(&client, State::Disconnected).await;
        let _ = within("the handshake", handshake).await;
        let publish = within("the publish", publish).await;
        if matches!(stuck, Stuck::Publishing | Stuck::Handshaking | Stuck::Upgrading) {
            let Err(RequestError::Failed(failure)) = publish else { panic!("{publish:?}") };
            assert_eq!(failure.kind, FailureKind::Aborted, "{stuck:?}");
        }
        let _ = within("the subscribe", subscribe).await.map(drop);
        within("the call", call).await.unwrap_err();
        if let Some(disconnect) = disconnect {
            within("the disconnect", disconnect).await.unwrap_err();
        }
        drop(server);
        eventually(&format!("no task of {stuck:?} to be left"), || tasks() <= before).await;
    }
}

/// Tells that it was asked, and never has any.
#[derive(Debug)]
struct Slow(Arc<Notify>);

#[async_trait]
impl Credentials for Slow {
    async fn credentials(&self) -> Result<Message, String> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_that_waits_for_credentials_can_be_aborted() {
    let (before, asked) = (tasks(), Arc::new(Notify::new()));
    let client =
        BayeuxClient::builder().url("http://127.0.0.1:1/").credentials(Slow(asked.clone()));
    let client = client.build().unwrap();
    let handshake = client.handshake();
    within("credentials to be asked for", asked.notified()).await;
    client.abort();
    within("the handshake", handshake).await.unwrap_err();
    eventually("no task to be left", || tasks() == before).await;
}

#[tokio::test]
async fn a_client_whose_last_handle_goes_leaves_no_task() {
    let server = Scripted::start_with_websocket(|_| Upgrade::Accept, |_, all| ordinary(&all)).await;
    let before = tasks();
    for transport in [WebSocket, LongPolling] {
        let builder = BayeuxClient::builder().url(&server.url()).transports(&[transport]);
        let client = builder.build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let messages = within("subscribe", client.channel("/a").unwrap().subscribe()).await;
        drop(client);
        drop(messages);
        eventually("no task to be left", || tasks() <= before).await;
    }
}

#[tokio::test]
async fn a_client_can_be_used_again_after_an_abort() {
    let server = TestServer::start(|_| {}).await;
    for transport in [WebSocket, LongPolling] {
        let client = server.bayeux_client(transport).await;
        for _ in 0..3 {
            client.abort();
            within("the handshake", client.handshake()).await.unwrap();
            arrive(&client, State::Connected).await;
            within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
        }
    }
}
