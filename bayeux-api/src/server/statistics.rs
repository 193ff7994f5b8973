//! What a server counts.

/// Counters since the server was built, and the levels of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Sessions now.
    pub sessions: u64,
    /// Channels now.
    pub channels: u64,
    /// `/meta/connect`s held now.
    pub held_connects: u64,
    /// WebSocket connections now.
    pub websockets: u64,
    /// Successful handshakes.
    pub handshakes: u64,
    /// Handshakes refused, for whatever reason.
    pub handshakes_refused: u64,
    /// Of those, handshakes refused by the limit per address.
    pub handshakes_limited: u64,
    /// Sessions that ended because nothing was heard of them.
    pub sessions_expired: u64,
    /// Sessions that ended because their queue was full.
    pub sessions_overflowed: u64,
    /// Messages received, of every kind.
    pub messages_received: u64,
    /// Messages published by clients and accepted.
    pub messages_published: u64,
    /// Messages put into sessions' queues.
    pub messages_queued: u64,
    /// Messages handed to a transport; a message sent again counts again.
    pub messages_sent: u64,
    /// Messages that a full queue dropped.
    pub messages_dropped: u64,
    /// Messages put back because what carried them failed.
    pub messages_requeued: u64,
    /// Requests and frames that were not Bayeux messages.
    pub malformed: u64,
    /// `402` replies to ids that this server gave out and that have ended since.
    pub unknown_expired: u64,
    /// `402` replies to ids that this server never gave out.
    pub unknown_never_seen: u64,
    /// `402` replies to ids of a session of another browser, transport or connection.
    pub unknown_other_browser: u64,
    /// Channels removed by the sweeper.
    pub channels_swept: u64,
}
