//! What another server has passed on, or what comes back to this one: to the subscribers here, and to nobody
//! else.

use std::sync::Arc;

use bayeux_api::{
    ChannelId, Frozen,
    implement::Provenance,
    server::{Published, ServerMessage},
};

use crate::{channel::Channel, fan_out::Writing, server::Server, session::Session};

impl Server {
    /// Sends a message to the subscribers of this server alone. Its channel need not exist.
    pub(crate) async fn receive_from_cluster(
        &self,
        from: Option<&Arc<Session>>,
        id: &ChannelId,
        message: &Arc<Frozen>,
        provenance: Provenance,
    ) -> Published {
        let channels = self.0.channels.matching(id);
        let shown = match provenance {
            Provenance::Own => Some(message.clone()),
            Provenance::Other => self.show_received(from, &channels, message).await,
        };
        let mut published = Published::default();
        if let Some(message) = shown {
            let sent = self.fan_out(from, &channels, &message, Writing::AtOnce).await;
            published.sessions = sent.unwrap_or_else(|no_turn| {
                tracing::warn!(channel = %id, ?no_turn, "another server's message is lost");
                0
            });
        }
        published
    }

    /// Shows a message to the listeners of its channels, for which it is decoded; none when one stops it. A
    /// lazy channel makes it lazy.
    async fn show_received(
        &self,
        from: Option<&Arc<Session>>,
        channels: &[Arc<Channel>],
        message: &Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        if channels.iter().any(|channel| !channel.listeners.is_empty()) {
            let mut shown = ServerMessage::new(message.to_message());
            self.notify(from, channels, &mut shown).await.ok()?;
            return Some(std::mem::take(&mut *shown).freeze());
        }
        let is_lazy = channels.iter().any(|channel| channel.settings().is_lazy());
        let becomes_lazy = is_lazy && !message.is_lazy();
        Some(if becomes_lazy { Arc::new(message.to_lazy()) } else { message.clone() })
    }
}
