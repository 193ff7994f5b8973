//! Publishing: from a client, past everybody who is asked, or from the server's own code.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, ChannelId, Flow, Message,
    implement::Hook,
    server::{Passage, PublishError, Published, ServerMessage, SessionKind},
};

use crate::{
    channel::Channel,
    cluster::Cluster,
    fan_out::Writing,
    finish::finish,
    pipeline::{Refusal, extend::proceed},
    server::Server,
    session::Session,
};

impl Server {
    /// Carries `message` from its publisher to every subscriber. One that came after a drain began is late.
    pub(super) async fn publish(
        &self,
        from: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
        is_late: bool,
    ) -> Result<(), Refusal> {
        let may_miss_some = is_late || self.0.doors.is_over();
        if id.is_broadcast() && may_miss_some && from.kind() == SessionKind::Client {
            // Some of the subscribers may have had their last reply. What another node brings was taken there.
            return Err(BayeuxError::PublishUnavailable.into());
        }
        let (channel, channels) = self.find_all_or_create_for(from, id, message).await?;
        self.may_publish(from, &channel, &channels, id, message).await?;
        message.reply_mut().successful = Some(true);
        if id.is_broadcast() {
            (message.client_id, message.id) = (None, None);
        }
        message.channel = Some(id.as_str().to_owned());
        self.notify(Some(from), &channels, message).await?;
        self.0.counters.messages_published.increment();
        if id.is_broadcast() {
            self.broadcast(Some(from), id, &channels, message, writing_of(from)).await?;
        }
        Ok(())
    }

    /// Publishes on behalf of the server's own code, which nobody has to allow. It is done to its end though
    /// that code goes meanwhile: no message reaches some of its subscribers and not the others.
    pub(crate) async fn publish_from_server(
        &self,
        from: Option<&Arc<Session>>,
        channel: &Arc<Channel>,
        message: Message,
        writing: Writing,
    ) -> Result<Published, PublishError> {
        let (server, from, channel) = (self.clone(), from.cloned(), channel.clone());
        let publishing =
            async move { server.publish_whole(from.as_ref(), &channel, message, writing).await };
        finish(publishing).await.unwrap_or(Err(PublishError::Deleted))
    }

    async fn publish_whole(
        &self,
        from: Option<&Arc<Session>>,
        channel: &Arc<Channel>,
        mut message: Message,
        writing: Writing,
    ) -> Result<Published, PublishError> {
        message.channel = Some(channel.id().as_str().to_owned());
        if channel.id().is_broadcast() {
            (message.client_id, message.id) = (None, None);
        }
        let mut message = ServerMessage::new(message);
        let channels = self.0.channels.matching(channel.id());
        let notified = self.notify(from, &channels, &mut message).await;
        notified.map_err(|_| PublishError::Deleted)?;
        self.broadcast(from, channel.id(), &channels, &mut message, writing).await
    }

    /// Shows a message to the listeners of the channels that match its own, from `/**` down to that
    /// itself. A lazy one on the way makes it lazy.
    pub(super) async fn notify(
        &self,
        from: Option<&Arc<Session>>,
        channels: &[Arc<Channel>],
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        for channel in channels {
            message.lazy |= channel.settings().is_lazy();
            if channel.listeners.is_empty() {
                continue;
            }
            let (from, seen) = (from.map(Session::as_dyn), channel.as_dyn());
            let hook = Hook("ServerChannelListener::on_message", channel.id().as_str());
            for listener in channel.listeners.members().iter() {
                let shown = listener.wait(hook, |it| it.on_message(from.as_ref(), &seen, message));
                proceed(shown.await)?;
            }
        }
        Ok(())
    }

    /// Takes the message and sends it past the extensions to other servers, if there is a backplane, and to
    /// all subscribers.
    async fn broadcast(
        &self,
        from: Option<&Arc<Session>>,
        id: &ChannelId,
        channels: &[Arc<Channel>],
        message: &mut Message,
        writing: Writing,
    ) -> Result<Published, PublishError> {
        if !self.0.extensions.is_empty() {
            let from = from.map(Session::as_dyn);
            if self.extend_outgoing(from.as_ref(), None, message).await == Flow::Stop {
                return Err(PublishError::Deleted);
            }
        }
        let message = std::mem::take(message).freeze();
        let mut published = Published::default();
        if let Some(cluster) = self.0.cluster.as_ref().filter(|_| Cluster::spans(id)) {
            // Boxed, since only who has a backplane needs the place.
            let passage = Box::pin(cluster.publish(from, id, &message)).await;
            published.passage = Some(passage.ok_or(PublishError::Unavailable)?);
            if passage == Some(Passage::Back) {
                return Ok(published);
            }
        }
        published.sessions = self.fan_out(from, channels, &message, writing).await?;
        Ok(published)
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Nested => {
                BayeuxError::PublishDenied("nested_in_a_turn".to_owned()).into()
            }
            PublishError::Busy => BayeuxError::PublishDenied("channel_is_busy".to_owned()).into(),
            PublishError::Unavailable => BayeuxError::PublishUnavailable.into(),
            PublishError::Wild | PublishError::Deleted | _ => Self::Deleted,
        }
    }
}

/// A local session is of the server's own code.
fn writing_of(publisher: &Session) -> Writing {
    if publisher.is_local_session() { Writing::AtOnce } else { Writing::Gathered }
}
