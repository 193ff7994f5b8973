//! `/meta/unsubscribe`: nobody is asked.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError,
    implement::Hook,
    server::{ServerChannel, ServerMessage},
};

use crate::{
    channel::Channel,
    pipeline::{Refusal, subscribe::subscription},
    server::Server,
    session::Session,
};

impl Server {
    pub(super) async fn unsubscribe(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        for id in subscription(message)? {
            let channel = self.0.channels.get(id.as_str()).ok_or(BayeuxError::ChannelMissing)?;
            if channel.id().is_meta() {
                return Err(BayeuxError::UnsubscribeFailed.into());
            }
            self.unsubscribe_session(session, &channel, Some(message)).await;
        }
        message.reply_mut().successful = Some(true);
        Ok(())
    }

    /// Unsubscribes a session, and tells the listeners if it was subscribed.
    pub(crate) async fn unsubscribe_session(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        message: Option<&ServerMessage>,
    ) {
        if session.unsubscribe(channel) {
            self.tell_unsubscribed(session, channel, message).await;
        }
    }

    pub(crate) async fn tell_unsubscribed(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        message: Option<&ServerMessage>,
    ) {
        if channel.listeners.is_empty() && self.0.subscription_listeners.is_empty() {
            return;
        }
        let (session, seen) = (session.as_dyn(), channel.as_dyn());
        let hook = Hook("ServerChannelListener::unsubscribed", channel.id().as_str());
        for listener in channel.listeners.members().iter() {
            listener.wait(hook, |it| it.unsubscribed(&session, &seen, message)).await;
        }
        let hook = Hook("SubscriptionListener::unsubscribed", channel.id().as_str());
        for listener in self.0.subscription_listeners.members().iter() {
            listener.wait(hook, |it| it.unsubscribed(&session, &seen, message)).await;
        }
    }
}
