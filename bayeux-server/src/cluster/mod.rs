//! What a server has to do with others, if it has a backplane: what is passed on to them, which channels are
//! of interest here ([`interest`]), and what comes from them ([`intake`]).

mod calls;
mod intake;
mod interest;

use std::sync::Arc;

use bayeux_api::{
    ChannelId, Frozen,
    server::{Backplane, Inlet, Passage},
};

use crate::{cluster::calls::Calls, session::Session};

pub(crate) use interest::{Interest, Interests};

/// The others.
#[derive(Debug)]
pub(crate) struct Cluster {
    calls: Calls,
    interests: Arc<Interests>,
}

impl Cluster {
    pub(crate) fn new(backplane: Arc<dyn Backplane>) -> Self {
        let calls = Calls::new(backplane);
        Self { interests: Arc::new(Interests::new(calls.clone())), calls }
    }

    pub(crate) fn start(&self, inlet: Inlet) {
        self.calls.start(inlet);
    }

    /// Whether what is published on this channel concerns others.
    pub(crate) fn spans(id: &ChannelId) -> bool {
        id.is_broadcast() && !id.is_wild()
    }

    /// Passes a message on; none when that fails.
    pub(crate) async fn publish(
        &self,
        from: Option<&Arc<Session>>,
        id: &ChannelId,
        message: &Arc<Frozen>,
    ) -> Option<Passage> {
        self.calls.publish(from.map(Session::as_dyn).as_ref(), id, message).await
    }

    /// Sees to it that the messages of others on this channel come here as long as the interest is kept,
    /// and waits for that; none when they will not.
    pub(crate) async fn interest(&self, id: &ChannelId) -> Option<Interest> {
        self.interests.begin(id).await
    }

    /// Leaves all channels: the server is over.
    pub(crate) fn end(&self) {
        self.interests.end();
    }

    /// Waits until all channels are left, after [`end`](Self::end).
    pub(crate) async fn left(&self) {
        self.interests.left().await;
    }
}
