//! The first step: are the fields what they should be?

use bayeux_api::{BayeuxError, ChannelId, server::ServerMessage};

use crate::server::Server;

impl Server {
    /// Checks the fields that every message needs, and returns its channel.
    pub(super) fn validate(&self, message: &ServerMessage) -> Result<ChannelId, BayeuxError> {
        if message.is_malformed("channel") {
            return Err(BayeuxError::ChannelInvalid);
        }
        let channel = message.channel.as_deref().ok_or(BayeuxError::ChannelMissing)?;
        let id = ChannelId::new(channel).map_err(|_| BayeuxError::ChannelInvalid)?;
        if message.is_malformed("id") || !self.is_message_id(message.id.as_deref()) {
            return Err(BayeuxError::MessageIdInvalid);
        }
        if message.is_malformed("subscription") {
            return Err(BayeuxError::SubscriptionInvalid);
        }
        match ["ext", "advice"].into_iter().find(|field| message.is_malformed(field)) {
            Some(field) => Err(BayeuxError::FieldInvalid(field.to_owned())),
            None => Ok(id),
        }
    }

    fn is_message_id(&self, id: Option<&str>) -> bool {
        let is_plain = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
        !self.0.config.validate_message_fields || id.is_none_or(is_plain)
    }
}
