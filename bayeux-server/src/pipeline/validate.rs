//! The first step: are the fields what they should be? And after the extensions, which may give a message
//! another channel: what is it now?

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

/// What a message is to its transport, which has made a session for a handshake and holds a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Handshake,
    Connect,
    Other,
}

impl Kind {
    /// Tells what its transport takes a message for.
    pub(super) fn of(message: &ServerMessage) -> Self {
        match message.is_handshake() {
            true => Self::Handshake,
            false if message.is_connect() => Self::Connect,
            false => Self::Other,
        }
    }
}

/// Returns the channel that a message has after the extensions; it was `id` before. The transport has to be
/// right about it still.
pub(super) fn channel_after(
    id: ChannelId,
    kind: Kind,
    message: &ServerMessage,
) -> Result<ChannelId, BayeuxError> {
    let id = match message.channel() {
        name if name == id.as_str() => id,
        name => ChannelId::new(name).map_err(|_| BayeuxError::ChannelInvalid)?,
    };
    match Kind::of(message) == kind {
        true => Ok(id),
        false => Err(BayeuxError::ChannelInvalid),
    }
}
