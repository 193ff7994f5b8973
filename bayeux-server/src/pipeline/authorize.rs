//! The security policy, then the authorizers of the channel and of all wild ones that match it.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, ChannelId,
    server::{Authorization, Operation, ServerMessage},
};

use crate::{
    channel::Channel,
    server::{Found, Server},
    session::Session,
};

/// Makes the error out of the reason.
type Denial = fn(String) -> BayeuxError;

const BY_POLICY: &str = "denied_by_security_policy";
const BY_NOT_GRANTING: &str = "denied_by_not_granting";

impl Server {
    /// Finds the channel, or makes it if `session` may.
    pub(super) async fn find_or_create_for(
        &self,
        session: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
        denial: Denial,
    ) -> Result<Arc<Channel>, BayeuxError> {
        match self.0.channels.get(id.as_str()) {
            Some(channel) => Ok(channel),
            None => self.create_for(session, id, message, denial).await,
        }
    }

    /// Makes the channel if `session` may.
    pub(super) async fn create_for(
        &self,
        session: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
        denial: Denial,
    ) -> Result<Arc<Channel>, BayeuxError> {
        if let Some(policy) = self.policy()
            && !policy.can_create(self, &session.as_dyn(), id, message).await
        {
            return Err(denial(BY_POLICY.to_owned()));
        }
        let channels = self.0.channels.matching(id);
        self.authorize(Operation::Create, &channels, id, session, message).await.map_err(denial)?;
        match self.find_or_create(id, session) {
            Found::New(channel) | Found::Existing(channel) => Ok(channel),
        }
    }

    /// Asks whether `session` may publish to `channel`; `channels` are all that match `id`.
    pub(super) async fn may_publish(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        channels: &[Arc<Channel>],
        id: &ChannelId,
        message: &mut ServerMessage,
    ) -> Result<(), BayeuxError> {
        let denial = BayeuxError::PublishDenied;
        if let Some(policy) = self.policy()
            && !policy.can_publish(self, &session.as_dyn(), &channel.as_dyn(), message).await
        {
            return Err(denial(BY_POLICY.to_owned()));
        }
        self.authorize(Operation::Publish, channels, id, session, message).await.map_err(denial)
    }

    pub(super) async fn may_subscribe(
        &self,
        session: &Arc<Session>,
        channel: &Arc<Channel>,
        id: &ChannelId,
        message: &mut ServerMessage,
    ) -> Result<(), BayeuxError> {
        let denial = BayeuxError::SubscribeDenied;
        if let Some(policy) = self.policy()
            && !policy.can_subscribe(self, &session.as_dyn(), &channel.as_dyn(), message).await
        {
            return Err(denial(BY_POLICY.to_owned()));
        }
        let channels = self.0.channels.matching(id);
        self.authorize(Operation::Subscribe, &channels, id, session, message).await.map_err(denial)
    }

    /// Asks the authorizers of `channels`, from `/**` to the one of `id`: without any everything is
    /// granted, one denial is enough, and otherwise one grant is needed.
    async fn authorize(
        &self,
        operation: Operation,
        channels: &[Arc<Channel>],
        id: &ChannelId,
        session: &Arc<Session>,
        message: &ServerMessage,
    ) -> Result<(), String> {
        if id.is_meta() {
            return Ok(());
        }
        let (mut has_any, mut is_granted) = (false, false);
        for channel in channels {
            if channel.authorizers.is_empty() {
                continue;
            }
            let session = session.as_dyn();
            for authorizer in channel.authorizers.snapshot().iter() {
                has_any = true;
                match authorizer.authorize(operation, id, &session, message).await {
                    Authorization::Grant => is_granted = true,
                    Authorization::Deny(reason) => return Err(reason),
                    Authorization::Ignore => {}
                }
            }
        }
        match has_any && !is_granted {
            true => Err(BY_NOT_GRANTING.to_owned()),
            false => Ok(()),
        }
    }
}
