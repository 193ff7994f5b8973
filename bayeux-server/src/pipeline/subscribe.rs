//! `/meta/subscribe`: one channel after the other, up to the first that is refused.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, ChannelId,
    implement::Hook,
    server::{ServerChannel, ServerMessage, ServerSession},
};

use crate::{
    channel::{Channel, Inserted},
    pipeline::Refusal,
    server::Server,
    session::Session,
};

impl Server {
    pub(super) async fn subscribe(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        for id in subscription(message)? {
            self.subscribe_to(session, &id, message).await?;
        }
        message.reply_mut().successful = Some(true);
        Ok(())
    }

    async fn subscribe_to(
        &self,
        session: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
    ) -> Result<(), BayeuxError> {
        loop {
            let create = BayeuxError::CreateDenied;
            let channel = self.find_or_create_for(session, id, message, create).await?;
            self.may_subscribe(session, &channel, id, message).await?;
            match self.subscribe_session(session, &channel, Some(message)).await? {
                // It was swept between the two steps.
                Inserted::Removed => {}
                Inserted::New | Inserted::Already | Inserted::TooMany => return Ok(()),
            }
        }
    }

    /// Subscribes a session without asking whether it may, and tells the listeners.
    pub(crate) async fn subscribe_session(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        message: Option<&ServerMessage>,
    ) -> Result<Inserted, BayeuxError> {
        if channel.id().is_service() {
            return Ok(Inserted::Already);
        }
        if channel.id().is_meta() {
            return Err(BayeuxError::SubscribeFailed);
        }
        let is_remote = session.origin.transport.is_some();
        let most = if is_remote { self.0.config.max_subscriptions } else { usize::MAX };
        let inserted = session.subscribe(channel, most).ok_or(BayeuxError::SubscribeFailed)?;
        match inserted {
            Inserted::New => self.tell_subscribed(session, channel, message).await,
            Inserted::Already | Inserted::Removed => {}
            Inserted::TooMany => {
                return Err(BayeuxError::SubscribeDenied("too_many_subscriptions".to_owned()));
            }
        }
        Ok(inserted)
    }

    async fn tell_subscribed(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        message: Option<&ServerMessage>,
    ) {
        if channel.listeners.is_empty() && self.0.subscription_listeners.is_empty() {
            return;
        }
        let (session, seen): (Arc<dyn ServerSession>, _) = (session.as_dyn(), channel.as_dyn());
        let hook = Hook("ServerChannelListener::subscribed", channel.id().as_str());
        for listener in channel.listeners.members().iter() {
            listener.wait(hook, |it| it.subscribed(&session, &seen, message)).await;
        }
        let hook = Hook("SubscriptionListener::subscribed", channel.id().as_str());
        for listener in self.0.subscription_listeners.members().iter() {
            listener.wait(hook, |it| it.subscribed(&session, &seen, message)).await;
        }
    }
}

/// Reads which channels a message is about; all have to be valid before the first is touched.
pub(super) fn subscription(message: &ServerMessage) -> Result<Vec<ChannelId>, BayeuxError> {
    let subscription = message.subscription.as_ref().ok_or(BayeuxError::SubscriptionMissing)?;
    let ids: Result<Vec<_>, _> =
        subscription.channels().iter().map(|channel| ChannelId::new(channel)).collect();
    ids.ok().filter(|ids| !ids.is_empty()).ok_or(BayeuxError::SubscriptionInvalid)
}
