//! `/meta/unsubscribe`: nobody is asked.

use std::sync::Arc;

use bayeux_api::{BayeuxError, server::ServerMessage};

use crate::{
    channel::Channel,
    pipeline::{
        Refusal,
        subscribe::{shared, subscription},
    },
    server::Server,
    session::{Event, Session},
};

impl Server {
    pub(super) async fn unsubscribe(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        let mut copy = None;
        for id in subscription(message)? {
            let channel = self.0.channels.get(id.as_str()).ok_or(BayeuxError::ChannelMissing)?;
            if channel.id().is_meta() {
                return Err(BayeuxError::UnsubscribeFailed.into());
            }
            let by = self.hears_of(&channel).then(|| shared(message, &mut copy));
            self.unsubscribe_session(session, &channel, by).await;
        }
        message.reply_mut().successful = Some(true);
        Ok(())
    }

    /// Unsubscribes a session, and tells the listeners if it was subscribed.
    pub(crate) async fn unsubscribe_session(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        by: Option<Arc<ServerMessage>>,
    ) {
        let event =
            self.hears_of(channel).then(|| Event::Unsubscribed(channel.clone(), by.clone()));
        let noted = session.unsubscribe(channel, event);
        self.tell(session, noted, by.as_deref()).await;
    }
}
