//! The protocol's error strings, `code:args:message`, as one closed enum.

use std::{fmt, str::FromStr};

/// Why a message was refused. `Display` and `FromStr` are the text of the `error` field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BayeuxError {
    /// The message has no `channel`, or names one to unsubscribe from that does not exist.
    ChannelMissing,
    /// A field that the message needs has a value of the wrong type; the argument names it.
    FieldInvalid(String),
    /// The message came in one request with a handshake, which must be alone.
    NotWithHandshake,
    /// No session is known for the message's `clientId` on this connection.
    SessionUnknown,
    /// The security policy refused the handshake.
    HandshakeDenied,
    /// The session could not be started.
    HandshakeFailed,
    /// A subscribe or unsubscribe without `subscription`.
    SubscriptionMissing,
    /// A `subscription` that names no channel that can be subscribed to.
    SubscriptionInvalid,
    /// The session ended meanwhile, or the channel takes no subscribers.
    SubscribeFailed,
    /// The channel takes no subscribers.
    UnsubscribeFailed,
    /// A publish would create its channel, which is refused for the given reason.
    ChannelCreateDenied(String),
    /// A subscribe would create its channel, which is refused for the given reason.
    CreateDenied(String),
    /// Publishing is refused for the given reason.
    PublishDenied(String),
    /// Subscribing is refused for the given reason.
    SubscribeDenied(String),
    /// An extension or a listener deleted the message.
    MessageDeleted,
    /// The channel name is not valid.
    ChannelInvalid,
    /// The message id is not valid.
    MessageIdInvalid,
    /// Client and server have no transport in common: their lists, each joined by commas.
    NoTransport {
        /// What the client can.
        client: String,
        /// What the server can.
        server: String,
    },
    /// A remote call got no answer in time.
    Timeout,
    /// One address asked for too many handshakes.
    HandshakeLimited,
    /// The server is about to end, and takes no new sessions.
    HandshakeUnavailable,
    /// The server is about to end: the reply is the last one.
    ConnectUnavailable,
    /// The message could not be passed on to the other servers of a cluster, or the server is about to end;
    /// it went nowhere.
    PublishUnavailable,
    /// The channel's messages on the other servers of a cluster would not come here.
    SubscribeUnavailable,
}

impl BayeuxError {
    fn parts(&self) -> (u16, Args<'_>, &'static str) {
        use Args::{Empty, Lists, Text};
        match self {
            Self::ChannelMissing => (400, Empty, "channel_missing"),
            Self::FieldInvalid(field) => (400, Text(field), "field_invalid"),
            Self::NotWithHandshake => (400, Empty, "not_with_handshake"),
            Self::SessionUnknown => (402, Empty, "session_unknown"),
            Self::HandshakeDenied => (403, Empty, "handshake_denied"),
            Self::HandshakeFailed => (403, Empty, "handshake_failed"),
            Self::SubscriptionMissing => (403, Empty, "subscription_missing"),
            Self::SubscriptionInvalid => (403, Empty, "subscription_invalid"),
            Self::SubscribeFailed => (403, Empty, "subscribe_failed"),
            Self::UnsubscribeFailed => (403, Empty, "unsubscribe_failed"),
            Self::ChannelCreateDenied(reason) => (403, Text(reason), "channel_create_denied"),
            Self::CreateDenied(reason) => (403, Text(reason), "create_denied"),
            Self::PublishDenied(reason) => (403, Text(reason), "publish_denied"),
            Self::SubscribeDenied(reason) => (403, Text(reason), "subscribe_denied"),
            Self::MessageDeleted => (404, Empty, "message_deleted"),
            Self::ChannelInvalid => (405, Empty, "channel_invalid"),
            Self::MessageIdInvalid => (405, Empty, "message_id_invalid"),
            Self::NoTransport { client, server } => (405, Lists(client, server), "no_transport"),
            Self::Timeout => (406, Empty, "timeout"),
            Self::HandshakeLimited => (429, Empty, "handshake_limited"),
            Self::HandshakeUnavailable => (503, Empty, "handshake_unavailable"),
            Self::ConnectUnavailable => (503, Empty, "connect_unavailable"),
            Self::PublishUnavailable => (503, Empty, "publish_unavailable"),
            Self::SubscribeUnavailable => (503, Empty, "subscribe_unavailable"),
        }
    }
}

enum Args<'a> {
    Empty,
    Text(&'a str),
    Lists(&'a str, &'a str),
}

impl fmt::Display for BayeuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (code, Args::Empty, name) => write!(f, "{code}::{name}"),
            (code, Args::Text(text), name) => write!(f, "{code}:{text}:{name}"),
            (code, Args::Lists(client, server), name) => {
                write!(f, "{code}:c[{client}],s[{server}]:{name}")
            }
        }
    }
}

/// An `error` text that is not one of this implementation's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown Bayeux error {0:?}")]
pub struct UnknownError(pub String);

impl FromStr for BayeuxError {
    type Err = UnknownError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownError(text.to_owned());
        let (code, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (args, name) = rest.rsplit_once(':').ok_or_else(unknown)?;
        let reason = || args.to_owned();
        let error = match name {
            "channel_missing" => Self::ChannelMissing,
            "field_invalid" => Self::FieldInvalid(reason()),
            "not_with_handshake" => Self::NotWithHandshake,
            "session_unknown" => Self::SessionUnknown,
            "handshake_denied" => Self::HandshakeDenied,
            "handshake_failed" => Self::HandshakeFailed,
            "subscription_missing" => Self::SubscriptionMissing,
            "subscription_invalid" => Self::SubscriptionInvalid,
            "subscribe_failed" => Self::SubscribeFailed,
            "unsubscribe_failed" => Self::UnsubscribeFailed,
            "channel_create_denied" => Self::ChannelCreateDenied(reason()),
            "create_denied" => Self::CreateDenied(reason()),
            "publish_denied" => Self::PublishDenied(reason()),
            "subscribe_denied" => Self::SubscribeDenied(reason()),
            "message_deleted" => Self::MessageDeleted,
            "channel_invalid" => Self::ChannelInvalid,
            "message_id_invalid" => Self::MessageIdInvalid,
            "no_transport" => no_transport(args).ok_or_else(unknown)?,
            "timeout" => Self::Timeout,
            "handshake_limited" => Self::HandshakeLimited,
            "handshake_unavailable" => Self::HandshakeUnavailable,
            "connect_unavailable" => Self::ConnectUnavailable,
            "publish_unavailable" => Self::PublishUnavailable,
            "subscribe_unavailable" => Self::SubscribeUnavailable,
            _ => return Err(unknown()),
        };
        // A known name with another code or with arguments it does not take is not ours.
        (error.parts().0.to_string() == code && error.to_string() == text)
            .then_some(error)
            .ok_or_else(unknown)
    }
}

/// Reads the two lists of transports.
fn no_transport(args: &str) -> Option<BayeuxError> {
    let lists = args.strip_prefix("c[")?.strip_suffix(']')?;
    let (client, server) = lists.split_once("],s[")?;
    Some(BayeuxError::NoTransport { client: client.to_owned(), server: server.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_reads_back_as_itself() {
        let reason = || "denied_by: not_granting".to_owned();
        for error in [
            BayeuxError::ChannelMissing,
            BayeuxError::FieldInvalid("advice".to_owned()),
            BayeuxError::NotWithHandshake,
            BayeuxError::SessionUnknown,
            BayeuxError::HandshakeDenied,
            BayeuxError::HandshakeFailed,
            BayeuxError::SubscriptionMissing,
            BayeuxError::SubscriptionInvalid,
            BayeuxError::SubscribeFailed,
            BayeuxError::UnsubscribeFailed,
            BayeuxError::ChannelCreateDenied(reason()),
            BayeuxError::CreateDenied(reason()),
            BayeuxError::PublishDenied(reason()),
            BayeuxError::SubscribeDenied(reason()),
            BayeuxError::MessageDeleted,
            BayeuxError::ChannelInvalid,
            BayeuxError::MessageIdInvalid,
            BayeuxError::NoTransport { client: "websocket".to_owned(), server: String::new() },
            BayeuxError::Timeout,
            BayeuxError::HandshakeLimited,
            BayeuxError::HandshakeUnavailable,
            BayeuxError::ConnectUnavailable,
            BayeuxError::PublishUnavailable,
            BayeuxError::SubscribeUnavailable,
        ] {
            assert_eq!(error.to_string().parse(), Ok(error));
        }
    }

    #[test]
    fn the_wire_text_is_cometds() {
        assert_eq!(BayeuxError::SessionUnknown.to_string(), "402::session_unknown");
        assert_eq!(
            BayeuxError::PublishDenied("denied_by_security_policy".to_owned()).to_string(),
            "403:denied_by_security_policy:publish_denied"
        );
    }

    #[test]
    fn other_texts_are_not_mistaken_for_ours() {
        for text in ["", "402", "402:session_unknown", "500::session_unknown", "402:x:Unknown"] {
            assert!(text.parse::<BayeuxError>().is_err(), "{text}");
        }
        assert!("402:x:session_unknown".parse::<BayeuxError>().is_err());
    }
}
