//! Answers that cross: the reply to the held connect comes in the answer to something else.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, State,
    api::{
        Message,
        client::{ClientSessionChannel, InProcess, TransportFailure},
    },
};
use serde_json::{Value, json};
use tests::{arrive, eventually, scripted::reply, within};
use tokio::sync::{Notify, mpsc};

/// Answers the held connect when it answers a publish, and has a message left for the connect's own
/// answer.
#[derive(Debug, Default)]
struct Crossed {
    held: Mutex<Option<Value>>,
    answered: Notify,
}

#[derive(Clone, Debug, Default)]
struct Server(Arc<Crossed>);

#[async_trait]
impl InProcess for Server {
    async fn send(&self, messages: &str) -> Result<String, TransportFailure> {
        let messages: Vec<Value> = serde_json::from_str(messages).unwrap();
        let message = &messages[0];
        let answer = match message["channel"].as_str().unwrap() {
            "/meta/connect" if message.get("advice").is_none() => {
                let is_first = self.0.held.lock().unwrap().replace(message.clone()).is_none();
                if !is_first {
                    return pending().await;
                }
                self.0.answered.notified().await;
                vec![json!({ "channel": "/late", "data": 1 })]
            }
            "/publish" => {
                let held = self.0.held.lock().unwrap().clone().unwrap();
                self.0.answered.notify_one();
                vec![reply(message), reply(&held)]
            }
            _ => vec![reply(message)],
        };
        Ok(json!(answer).to_string())
    }
}

#[tokio::test]
async fn what_is_left_in_an_answer_is_not_lost() {
    let server = Server::default();
    let client = BayeuxClient::builder().in_process(server.clone()).build().unwrap();
    let (sender, mut late) = mpsc::unbounded_channel();
    let listener = move |_: &dyn ClientSessionChannel, message: &Message| {
        let _ = sender.send(message.data.clone());
    };
    client.channel("/late").unwrap().add_listener(Arc::new(listener)).keep();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    eventually("a connect to be held", || server.0.held.lock().unwrap().is_some()).await;

    within("publish", client.channel("/publish").unwrap().publish(json!(1))).await.unwrap();
    assert_eq!(within("what is left", late.recv()).await.unwrap(), Some(json!(1).into()));
}
