//! Handshakes and joins that fail once are made again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow,
    server::{ServerExtension, ServerMessage, ServerSession},
};
use tests::TestNode;

/// Does something with the first messages of other nodes on a channel.
#[derive(Debug)]
struct First {
    channel: &'static str,
    count: AtomicUsize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Refused,
    Late(Duration),
}

#[async_trait]
impl ServerExtension for First {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        if message.channel() != self.channel || self.count.fetch_add(1, SeqCst) > 0 {
            return Flow::Continue;
        }
        match self.fate {
            Fate::Refused => Flow::Stop,
            Fate::Late(time) => {
                tokio::time::sleep(time).await;
                Flow::Continue
            }
        }
    }
}

async fn joins_in_spite_of(channel: &'static str, fate: Fate) {
    let brisk = |config: &mut bayeux_oort::MeshConfig| {
        config.max_network_delay = Duration::from_secs(2);
    };
    let (one, other) = (TestNode::with(|_| {}, brisk).await, TestNode::start().await);
    let first = Arc::new(First { channel, count: AtomicUsize::new(0), fate });
    other.server.server.add_extension(first.clone()).keep();
    one.observe(&other);
    one.has_joined(1).await;
    other.has_joined(1).await;
    assert!(first.count.load(SeqCst) > 1, "it was tried again");
    assert_eq!((one.events.all().len(), other.events.all().len()), (1, 1), "and nobody left");
}

#[tokio::test]
async fn a_handshake_that_is_refused_for_no_good_reason_is_made_again() {
    joins_in_spite_of("/meta/handshake", Fate::Refused).await;
}

#[tokio::test]
async fn a_handshake_whose_answer_is_late_is_made_again_and_nobody_left() {
    joins_in_spite_of("/meta/handshake", Fate::Late(Duration::from_secs(4))).await;
}

#[tokio::test]
async fn a_join_that_is_refused_is_made_again() {
    joins_in_spite_of("/service/oort", Fate::Refused).await;
}
