//! What comes in from other servers: to the subscribers here, past the listeners of its channels.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_api::{
    ChannelId, Frozen,
    implement::{Intake, Provenance},
    server::{Published, ServerSession},
};

use crate::{
    finish::finish,
    server::{Inner, Server},
};

#[async_trait]
impl Intake for Inner {
    async fn receive(
        self: Arc<Self>,
        from: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
        provenance: Provenance,
    ) -> Option<Published> {
        if self.is_stopped() {
            return None;
        }
        let id = ChannelId::new(message.channel()).ok().filter(super::Cluster::spans);
        let Some(id) = id else {
            tracing::debug!(channel = message.channel(), "received, and not for subscribers");
            return Some(Published::default());
        };
        let from = from.and_then(|session| self.sessions.get(session.id()));
        let (server, message) = (Server(self), message.clone());
        let receive = async move {
            server.receive_from_cluster(from.as_ref(), &id, &message, provenance).await
        };
        // Whole, even if the caller is dropped: no message reaches some of its subscribers alone.
        finish(receive).await
    }
}
