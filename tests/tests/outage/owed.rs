//! A server that answers requests in the answers to others, and leaves their own open.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, State,
    api::{
        ConnectionType,
        client::{self, TransportFailure},
    },
};
use serde_json::{Value, json};
use tests::{
    arrive, brisk_client, eventually,
    scripted::{replies, reply},
    within,
};

use crate::answers::has;

/// Holds connects for ever, and answers them with what comes on `/a`.
#[derive(Clone, Debug, Default)]
struct Owing {
    open: Arc<AtomicUsize>,
    held: Arc<Mutex<Vec<Value>>>,
}

/// Stands for a request that is open.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl client::InProcess for Owing {
    async fn send(&self, messages: &str) -> Result<String, TransportFailure> {
        let messages: Vec<Value> = serde_json::from_str(messages).unwrap();
        self.open.fetch_add(1, SeqCst);
        let _open = Open(self.open.clone());
        if has(&messages, "/meta/connect") && messages[0].get("advice").is_none() {
            self.held.lock().unwrap().extend(messages);
            return std::future::pending().await;
        }
        let mut all = replies(&messages);
        if has(&messages, "/a") {
            let held = std::mem::take(&mut *self.held.lock().unwrap());
            all.extend(held.iter().map(reply));
        }
        Ok(json!(all).to_string())
    }
}

#[tokio::test]
async fn requests_that_were_answered_elsewhere_do_not_stay_open_without_number() {
    let server = Owing::default();
    let builder = BayeuxClient::builder().transports(&[ConnectionType::InProcess]);
    let client = builder.in_process(server.clone()).config(brisk_client()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let channel = client.channel("/a").unwrap();
    for number in 0..50 {
        eventually("a held connect", || !server.held.lock().unwrap().is_empty()).await;
        within("a publish", channel.publish(json!(number))).await.unwrap();
    }
    eventually("a held connect", || !server.held.lock().unwrap().is_empty()).await;
    let open = server.open.load(SeqCst);
    assert!(open <= 10, "{open} requests are open");
}
