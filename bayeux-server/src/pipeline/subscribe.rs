//! `/meta/subscribe`: one channel after the other, up to the first that is refused.

use std::sync::Arc;

use bayeux_api::{BayeuxError, ChannelId, server::ServerMessage};

use crate::{
    channel::{Channel, Inserted},
    cluster::Interest,
    pipeline::Refusal,
    server::Server,
    session::{Event, Session},
};

impl Server {
    pub(super) async fn subscribe(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        let mut copy = None;
        for id in subscription(message)? {
            self.subscribe_to(session, &id, message, &mut copy).await?;
        }
        message.reply_mut().successful = Some(true);
        Ok(())
    }

    async fn subscribe_to(
        &self,
        session: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
        copy: &mut Option<Arc<ServerMessage>>,
    ) -> Result<(), BayeuxError> {
        loop {
            let create = BayeuxError::CreateDenied;
            let channel = self.find_or_create_for(session, id, message, create).await?;
            self.may_subscribe(session, &channel, id, message).await?;
            let by = self.hears_of(&channel).then(|| shared(message, copy));
            match self.subscribe_session(session, &channel, by).await? {
                // It was swept between the two steps.
                Inserted::Removed => {}
                Inserted::New { .. } | Inserted::Already | Inserted::TooMany => return Ok(()),
            }
        }
    }

    /// Subscribes a session without asking whether it may, and tells the listeners; `by` is the request,
    /// if there is one and somebody hears of it.
    pub(crate) async fn subscribe_session(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        by: Option<Arc<ServerMessage>>,
    ) -> Result<Inserted, BayeuxError> {
        if channel.id().is_service() {
            return Ok(Inserted::Already);
        }
        if channel.id().is_meta() {
            return Err(BayeuxError::SubscribeFailed);
        }
        let is_remote = session.origin.transport.is_some();
        let most = if is_remote { self.0.config.max_subscriptions } else { usize::MAX };
        let interest = self.interest_in(channel.id()).await?;
        let event = self.hears_of(channel).then(|| Event::Subscribed(channel.clone(), by.clone()));
        let subscribed = session.subscribe(channel, most, interest, event);
        let (inserted, noted) = subscribed.ok_or(BayeuxError::SubscribeFailed)?;
        match inserted {
            Inserted::New { begin } => {
                tracing::trace!(session = session.id(), channel = %channel.id(), begin, "subscribed");
                self.tell(session, noted, by.as_deref()).await;
            }
            Inserted::Already | Inserted::Removed => {}
            Inserted::TooMany => {
                return Err(BayeuxError::SubscribeDenied("too_many_subscriptions".to_owned()));
            }
        }
        Ok(inserted)
    }

    /// Sees to it, if there is a backplane, that other servers' messages come here before the subscription
    /// is there.
    async fn interest_in(&self, id: &ChannelId) -> Result<Option<Interest>, BayeuxError> {
        let Some(cluster) = &self.0.cluster else { return Ok(None) };
        let interest = cluster.interest(id).await;
        interest.map(Some).ok_or(BayeuxError::SubscribeUnavailable)
    }
}

/// Returns the one copy of a request for those who hear of its subscriptions.
pub(super) fn shared(
    message: &ServerMessage,
    copy: &mut Option<Arc<ServerMessage>>,
) -> Arc<ServerMessage> {
    copy.get_or_insert_with(|| Arc::new(message.clone())).clone()
}

/// Reads which channels a message is about; all have to be valid before the first is touched.
pub(super) fn subscription(message: &ServerMessage) -> Result<Vec<ChannelId>, BayeuxError> {
    let subscription = message.subscription.as_ref().ok_or(BayeuxError::SubscriptionMissing)?;
    let ids: Result<Vec<_>, _> =
        subscription.channels().iter().map(|channel| ChannelId::new(channel)).collect();
    ids.ok().filter(|ids| !ids.is_empty()).ok_or(BayeuxError::SubscriptionInvalid)
}
