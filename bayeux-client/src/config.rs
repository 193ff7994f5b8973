//! How a client behaves.

use std::time::Duration;

use bayeux_api::ConnectionType;

use crate::Backoff;

/// Configuration of a [`BayeuxClient`](crate::BayeuxClient). Its fields have CometD's defaults
/// unless they say otherwise.
///
/// ```
/// let mut config = bayeux_client::Config::default();
/// config.acknowledgements = true;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long to wait before trying again; exponential with jitter, where CometD's is linear
    /// (`backoffIncrement`, `maxBackoff`).
    pub backoff: Backoff,
    /// After how many failures in a row the client gives up; none by default.
    pub max_attempts: Option<u32>,
    /// For how long the client tries to come back before it gives up; for ever by default.
    pub max_reconnect_time: Option<Duration>,
    /// Whether subscriptions are made again after a new handshake. True by default; with false they
    /// are dropped, as CometD does.
    pub keep_subscriptions: bool,
    /// Whether the acknowledgement extension is offered to the server (`AckExtension`). False by
    /// default, as in CometD: with it messages come with the replies to connects alone, unless they go
    /// [ahead](Self::acknowledgements_ahead) of these.
    pub acknowledgements: bool,
    /// Whether the server may send messages over a WebSocket at once, and have them acknowledged later: after 256 of
    /// them or 64 KiB, or an eighth of what their queue holds, or when the connect's time is over. A message costs
    /// hardly more then than without acknowledgements, but stays in the server's queue for as long. False by default,
    /// and nothing without [acknowledgements](Self::acknowledgements). `bayeux-server` can do so; other servers ignore
    /// it. Extensions and transport listeners see the numbers that are acknowledged, in messages on `/meta/ack`.
    pub acknowledgements_ahead: bool,
    /// How long a remote call waits for its answer; 10 s by default.
    pub remote_call_timeout: Duration,
    /// How long a reply may take (`maxNetworkDelay`), beyond the time that the server holds a connect.
    /// By default 15 s over WebSocket and 10 s otherwise.
    pub max_network_delay: Option<Duration>,
    /// The largest request or WebSocket message that is sent, in bytes (`maxSendBayeuxMessageSize`); 1 MiB
    /// by default, as much as a server takes by default. A message that does not fit fails; a batch that
    /// does not goes in several.
    pub max_send_message_size: usize,
    /// How many requests may be without a reply, those included that wait to be sent; 65,536 by
    /// default.
    pub max_requests: usize,
    /// How large the payloads of these may be together, in bytes; 64 MiB by default.
    pub max_request_bytes: usize,
    /// Whether a WebSocket that has worked stays the transport when it breaks
    /// (`ws.stickyReconnect`); true by default.
    pub sticky_reconnect: bool,
    /// After how long a transport that was refused is tried again; 5 min by default. CometD never
    /// does.
    pub probe_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            max_attempts: None,
            max_reconnect_time: None,
            keep_subscriptions: true,
            acknowledgements: false,
            acknowledgements_ahead: false,
            remote_call_timeout: Duration::from_secs(10),
            max_network_delay: None,
            max_send_message_size: 1024 * 1024,
            max_requests: 65_536,
            max_request_bytes: 64 * 1024 * 1024,
            sticky_reconnect: true,
            probe_interval: Duration::from_secs(5 * 60),
        }
    }
}

impl Config {
    /// Returns how long a reply over `transport` may take.
    pub(crate) fn network_delay(&self, transport: ConnectionType) -> Duration {
        let seconds = if transport == ConnectionType::WebSocket { 15 } else { 10 };
        self.max_network_delay.unwrap_or_else(|| Duration::from_secs(seconds))
    }
}
