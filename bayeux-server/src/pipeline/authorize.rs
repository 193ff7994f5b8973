//! The security policy, then the authorizers of the channel and of all wild ones that match it.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, ChannelId,
    implement::Hook,
    server::{Access, Authorization, Operation, ServerMessage, SessionKind},
};

use crate::{
    channel::{Channel, own},
    server::Server,
    session::Session,
};

/// Makes the error out of the reason.
type Denial = fn(String) -> BayeuxError;

const BY_POLICY: &str = "denied_by_security_policy";
const BY_FAILING: &str = "denied_by_failing_authorizer";
const BY_FAILING_LISTENER: &str = "denied_by_failing_listener";
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

    /// Finds the channel, or makes it if `session` may, and all that match it, in order.
    pub(super) async fn find_all_or_create_for(
        &self,
        session: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
    ) -> Result<(Arc<Channel>, Vec<Arc<Channel>>), BayeuxError> {
        let channels = self.0.channels.matching(id);
        if let Some(channel) = own(&channels, id) {
            return Ok((channel, channels));
        }
        let create = BayeuxError::ChannelCreateDenied;
        let channel = self.create_for(session, id, message, create).await?;
        Ok((channel, self.0.channels.matching(id)))
    }

    /// Makes the channel if `session` may.
    pub(super) async fn create_for(
        &self,
        session: &Arc<Session>,
        id: &ChannelId,
        message: &mut ServerMessage,
        denial: Denial,
    ) -> Result<Arc<Channel>, BayeuxError> {
        if let Some(policy) = self.policy() {
            let (hook, seen) = (Hook("SecurityPolicy::can_create", id.as_str()), session.as_dyn());
            if hook.wait(|| policy.can_create(self, &seen, id, message)).await != Some(true) {
                return Err(denial(BY_POLICY.to_owned()));
            }
        }
        let channels = self.0.channels.matching(id);
        self.authorize(Operation::Create, &channels, id, session, message).await.map_err(denial)?;
        let found = self.find_or_create(id, session).await;
        found.ok_or_else(|| denial(BY_FAILING_LISTENER.to_owned()))
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
        if let Some(policy) = self.policy() {
            let hook = Hook("SecurityPolicy::can_publish", id.as_str());
            let (seen, channel) = (session.as_dyn(), channel.as_dyn());
            if hook.wait(|| policy.can_publish(self, &seen, &channel, message)).await != Some(true)
            {
                return Err(denial(BY_POLICY.to_owned()));
            }
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
        if let Some(policy) = self.policy() {
            let hook = Hook("SecurityPolicy::can_subscribe", id.as_str());
            let (seen, channel) = (session.as_dyn(), channel.as_dyn());
            let asked = hook.wait(|| policy.can_subscribe(self, &seen, &channel, message));
            if asked.await != Some(true) {
                return Err(denial(BY_POLICY.to_owned()));
            }
        }
        let channels = self.0.channels.matching(id);
        self.authorize(Operation::Subscribe, &channels, id, session, message).await.map_err(denial)
    }

    /// Asks the authorizers of `channels`, from `/**` to the one of `id`: without any everything is
    /// granted, one denial is enough, and otherwise one grant is needed. One that panics denies. What is for
    /// the cluster alone is denied to clients, whoever grants it.
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
            if channel.settings().access() == Access::Cluster
                && session.kind() == SessionKind::Client
            {
                return Err(BY_NOT_GRANTING.to_owned());
            }
            if channel.authorizers.is_empty() {
                continue;
            }
            let (hook, seen) = (Hook("Authorizer::authorize", id.as_str()), session.as_dyn());
            for authorizer in channel.authorizers.members().iter() {
                has_any = true;
                let asked = authorizer.wait(hook, |it| it.authorize(operation, id, &seen, message));
                match asked.await {
                    Some(Authorization::Grant) => is_granted = true,
                    Some(Authorization::Deny(reason)) => return Err(reason),
                    Some(Authorization::Ignore) => {}
                    Some(_) | None => return Err(BY_FAILING.to_owned()),
                }
            }
        }
        match has_any && !is_granted {
            true => Err(BY_NOT_GRANTING.to_owned()),
            false => Ok(()),
        }
    }
}
