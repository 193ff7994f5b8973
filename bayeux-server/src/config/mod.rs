//! Everything that can be set, with CometD's option names and what raising a value costs.

mod kind;
mod names;
mod network;
mod options;

use std::{net::IpAddr, time::Duration};

use bayeux_api::{
    ConnectionType,
    server::{Overflow, QueueBounds},
};

pub use network::{Network, NetworkError};
pub use options::{ConfigOption, OptionError};

/// The configuration of a [`Server`](crate::Server). [`set_options`](Self::set_options) takes
/// CometD's flat option names instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// `allowedTransports`: the transports offered, in this order. All by default.
    pub allowed_transports: Vec<ConnectionType>,
    /// `ws.cometdURLMapping`: the paths at which Bayeux is served; a trailing `/*` takes what is
    /// below too. Empty, the default, is every path that reaches the service.
    pub url_mapping: Vec<String>,
    /// `validateMessageFields`: whether message ids are checked to be alphanumeric. True by
    /// default. Channel names are always checked.
    pub validate_message_fields: bool,
    /// `broadcastToPublisher`: whether sessions get what they publish themselves, unless they or
    /// the channel are set otherwise. True by default.
    pub broadcast_to_publisher: bool,
    /// `sweepPeriod`: the pause between two looks for channels that nobody uses; one goes at the
    /// third. 997 ms by default; shorter costs processor time with many channels.
    pub sweep_period: Duration,
    /// `ackExtension`: whether clients may ask for acknowledged delivery. False by default. It costs
    /// the memory of what is not yet acknowledged, within the queue's bounds. A client that knows of it may ask to get
    /// messages ahead of the replies to its connects (`acknowledgements_ahead` of `bayeux-client`): up to 256 messages
    /// or 64 KiB, or an eighth of the queue, then stay until its connect is answered.
    pub acknowledgements: bool,
    /// `handshakesPerAddress` and `handshakesPerAddressPeriod`: how many handshakes one address may
    /// ask for; of IPv6, one network of 64 bits. No limit by default: many users may share an address.
    pub handshake_limit: HandshakeLimit,
    /// What is believed of proxies in front of the server.
    pub proxies: ProxyConfig,
    /// `allowedOrigins`: the origins whose pages may talk to this server, beside the server's own.
    /// None, the default, lets any origin through, WebSocket upgrades included.
    pub allowed_origins: Option<Vec<String>>,
    /// `preflightMaxAge`: for how many seconds a browser may remember that it may talk to this server from
    /// another origin, before it asks again. 1,800 by default, as in Jetty's filter; without, it asks
    /// before nearly each poll.
    pub preflight_max_age: u32,
    /// `maxMessages`: how many messages one request or frame may hold. 10,000 by default; each
    /// costs a reply.
    pub max_messages: usize,
    /// `maxDepth`: how deep its JSON may be nested, the array of messages and the message included. 1,000 by
    /// default, since others read no deeper (Jackson 2 does not, unless it is told to). More costs the server
    /// nothing: who is sent it has to be able to read it. Of data the server itself reads 512 levels
    /// ([`Json::value`](bayeux_api::Json::value)).
    pub max_depth: usize,
    /// `maxSubscriptions`: how many channels one remote session may be subscribed to. 10,000 by
    /// default; each costs some hundred bytes.
    pub max_subscriptions: usize,
    /// `localMaxQueue`, `localMaxQueueBytes` and `localQueueOverflow`: how much may wait for a local
    /// session that is behind, which has no heart-beat and does not expire. A million messages and 64 MiB
    /// by default, and the oldest make place, which is counted and logged. CometD has no limit.
    pub local_queue: QueueBounds,
    /// How the server ends in good order.
    pub drain: DrainConfig,
    /// The options under `long-polling.json.`.
    pub long_polling: TransportConfig,
    /// The options under `long-polling.jsonp.`.
    pub callback_polling: TransportConfig,
    /// The options under `ws.` that every transport has.
    pub websocket: TransportConfig,
    /// The options of both HTTP transports.
    pub http: HttpConfig,
    /// The options of callback-polling alone.
    pub jsonp: JsonpConfig,
    /// The options of WebSocket alone.
    pub ws: WebSocketConfig,
}

impl Default for Config {
    fn default() -> Self {
        let callback_polling =
            TransportConfig { meta_connect_deliver_only: true, ..TransportConfig::default() };
        Self {
            allowed_transports: vec![
                ConnectionType::WebSocket,
                ConnectionType::LongPolling,
                ConnectionType::CallbackPolling,
            ],
            url_mapping: Vec::new(),
            validate_message_fields: true,
            broadcast_to_publisher: true,
            sweep_period: Duration::from_millis(997),
            acknowledgements: false,
            handshake_limit: HandshakeLimit::new(0, Duration::from_secs(10)),
            proxies: ProxyConfig::default(),
            allowed_origins: None,
            preflight_max_age: 1_800,
            max_messages: 10_000,
            max_depth: 1000,
            max_subscriptions: 10_000,
            local_queue: QueueBounds::new(1_000_000, 64 * 1024 * 1024, Overflow::DropOldest),
            drain: DrainConfig::default(),
            long_polling: TransportConfig::default(),
            callback_polling,
            websocket: TransportConfig::default(),
            http: HttpConfig::default(),
            jsonp: JsonpConfig::default(),
            ws: WebSocketConfig::default(),
        }
    }
}

impl Config {
    /// Returns the options of one transport; the in-process one has those of long-polling.
    pub fn transport(&self, transport: ConnectionType) -> &TransportConfig {
        of(transport, [&self.websocket, &self.long_polling, &self.callback_polling])
    }

    fn transport_mut(&mut self, transport: ConnectionType) -> &mut TransportConfig {
        let Self { websocket, long_polling, callback_polling, .. } = self;
        of(transport, [websocket, long_polling, callback_polling])
    }

    /// Makes something of the options of each transport, to be found by [`of`].
    pub(crate) fn each_transport<T>(&self, make: impl Fn(&TransportConfig) -> T) -> [T; 3] {
        [&self.websocket, &self.long_polling, &self.callback_polling].map(make)
    }
}

/// Chooses what belongs to a transport out of WebSocket's, long-polling's and callback-polling's.
pub(crate) fn of<T>(transport: ConnectionType, each: [T; 3]) -> T {
    let [websocket, long_polling, callback_polling] = each;
    match transport {
        ConnectionType::WebSocket => websocket,
        ConnectionType::LongPolling | ConnectionType::InProcess => long_polling,
        ConnectionType::CallbackPolling => callback_polling,
        // A server has no others.
        _ => long_polling,
    }
}

/// So many handshakes in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeLimit {
    /// How many handshakes an address may ask for at once; zero is no limit.
    pub count: u32,
    /// How long it takes until it may ask for as many again.
    pub period: Duration,
}

impl HandshakeLimit {
    /// Makes a limit of so many handshakes in such a time.
    pub const fn new(count: u32, period: Duration) -> Self {
        Self { count, period }
    }
}

/// How a server ends in good order, by [`Server::drain`](crate::Server::drain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainConfig {
    /// `drainSpread`: over what time the clients are sent away, one after the other. 3 s by default; zero is
    /// all at once.
    pub spread: Duration,
    /// `drainInterval`: the longest of the random times that a client is told to stay away. 5 s by default;
    /// longer means fewer handshakes at once for the next server, and clients that hear nothing for longer.
    pub interval: Duration,
    /// `drainTimeout`: how long all of it may take. 8 s by default; what is being answered then may take
    /// [`ServeConfig::stop_timeout`](crate::ServeConfig::stop_timeout) on top.
    pub timeout: Duration,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            spread: Duration::from_secs(3),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(8),
        }
    }
}

/// What is believed of proxies in front of the server, and of which. How to set up the server behind
/// nginx and HAProxy is in `docs/deploying.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// `trustedProxies`: the addresses and networks of proxies that are believed when they say by
    /// `X-Forwarded-For`, or by `Forwarded`, for whom they ask: then that address is the one of
    /// [`BayeuxContext::remote_address`](crate::api::server::BayeuxContext), of `handshakesPerAddress` and
    /// of the log. None by default: the header is anybody's to send.
    ///
    /// That a client came over TLS to a proxy (`X-Forwarded-Proto`, or `proto` in `Forwarded`) is believed
    /// of these alone, too, if there are any; of anybody if there are none. So is the scheme that a request
    /// itself names, but only if there are none: proxies may pass it on as it came.
    pub trusted: Vec<Network>,
    /// `forwardedOnly`: whether only `Forwarded` is read, as is right for proxies that set it and pass
    /// `X-Forwarded-` headers on as they came. False by default: then `X-Forwarded-For`, which most
    /// proxies set, counts where it is there, and `Forwarded` where it is not.
    pub forwarded_only: bool,
    /// `proxyProtocol`: whether connections that [`serve`](crate::serve) accepts begin with a header of the
    /// PROXY protocol, of version 1 or 2, by which a proxy that passes bytes on tells the client's
    /// address. False by default. A connection without it, or from none of `trustedProxies`, is closed.
    pub protocol: bool,
}

impl ProxyConfig {
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

/// The options that every transport has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportConfig {
    /// `timeout`: how long a `/meta/connect` is held. 20 s by default, which is below the 30 s after
    /// which many proxies cut an idle connection.
    pub timeout: Duration,
    /// `interval`: the pause a client makes between two connects. None by default; it makes
    /// long-polling deliver later.
    pub interval: Duration,
    /// `maxInterval`: how long a client may be silent after a connect's reply, on top of the
    /// interval, before its session ends. 10 s by default; longer keeps the dead for longer.
    pub max_interval: Duration,
    /// `maxProcessing`: how long processing a connect and writing its reply may take before the
    /// session ends, and how long a listener may take to hear what happens to the session before
    /// it is given up; over HTTP also for how long a session lives because its client takes a
    /// response of more than 16 KiB, whatever that answers. 10 min by default, where CometD has no
    /// limit.
    pub max_processing: Duration,
    /// `maxLazyTimeout`: how long a lazy message waits if its channel does not say. 5 s by default;
    /// zero is not at all.
    pub max_lazy_timeout: Duration,
    /// `metaConnectDeliverOnly`: whether messages are delivered with connect replies only. False by
    /// default; always true for callback-polling, whatever is set.
    pub meta_connect_deliver_only: bool,
    /// `maxQueue`: how many messages may wait for a session, or for its acknowledgement. 10,000 by
    /// default, where CometD has no limit.
    pub max_queue: usize,
    /// `maxQueueBytes`: how many bytes of memory that may be, about: the JSON of the messages, and some
    /// 150 bytes beside it for each; of one that a listener or extension of a session looked into, also
    /// what was read for that. 4 MiB by default.
    pub max_queue_bytes: usize,
    /// `queueOverflow`: what happens to a message that finds no place: `disconnect` (the default),
    /// `dropOldest`, `dropNewest`, `keepLast`.
    pub queue_overflow: Overflow,
    /// `maxMessageSize`: how many bytes one request or frame may have. 1 MiB by default.
    pub max_message_size: usize,
    /// `handshakeReconnect`: whether advice tells `maxInterval`, so that a client whose session is
    /// gone handshakes without trying to connect first. False by default.
    pub handshake_reconnect: bool,
    /// `allowMessageDeliveryDuringHandshake`: whether messages queued by the handshake are delivered
    /// with its reply. False by default.
    pub allow_message_delivery_during_handshake: bool,
    /// `maxAdvised`: the longest timeout and interval that a client's advice may ask for. 1 h by
    /// default; a session lives for as long.
    pub max_advised: Duration,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            interval: Duration::ZERO,
            max_interval: Duration::from_secs(10),
            max_processing: Duration::from_secs(600),
            max_lazy_timeout: Duration::from_secs(5),
            meta_connect_deliver_only: false,
            max_queue: 10_000,
            max_queue_bytes: 4 * 1024 * 1024,
            queue_overflow: Overflow::Disconnect,
            max_message_size: 1024 * 1024,
            handshake_reconnect: false,
            allow_message_delivery_during_handshake: false,
            max_advised: Duration::from_secs(3600),
        }
    }
}

/// The options of both HTTP transports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpConfig {
    /// `maxSessionsPerBrowser`: how many connects are held for one browser over HTTP/1.1. 1 by
    /// default, since browsers have few connections; none is no limit.
    pub max_sessions_per_browser: Option<usize>,
    /// `http2MaxSessionsPerBrowser`: the same over HTTP/2. No limit by default.
    pub http2_max_sessions_per_browser: Option<usize>,
    /// `multiSessionInterval`: how often further tabs of a browser poll. 2 s by default; zero tells
    /// them to stop.
    pub multi_session_interval: Duration,
    /// `trustClientSession`: whether a session id is enough, without the browser's cookie and
    /// whatever the transport. False by default.
    pub trust_client_session: bool,
    /// `duplicateMetaConnectHttpResponseCode`: the status of a held connect that is overtaken by
    /// another one of its session. 500 by default; at least 400.
    pub duplicate_meta_connect_status: u16,
    /// `requestTimeout`: how long a request may take to arrive whole. 30 s by default.
    pub request_timeout: Duration,
    /// `responseTimeout`: how long the peer may take nothing of a response before it is given up. 30 s by
    /// default.
    pub response_timeout: Duration,
    /// The cookie that tells browsers apart.
    pub cookie: CookieConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            max_sessions_per_browser: Some(1),
            http2_max_sessions_per_browser: None,
            multi_session_interval: Duration::from_secs(2),
            trust_client_session: false,
            duplicate_meta_connect_status: 500,
            request_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(30),
            cookie: CookieConfig::default(),
        }
    }
}

/// The browser cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CookieConfig {
    /// `browserCookieName`: `BAYEUX_BROWSER` by default.
    pub name: String,
    /// `browserCookieDomain`: not sent by default.
    pub domain: Option<String>,
    /// `browserCookiePath`: `/` by default.
    pub path: Option<String>,
    /// `browserCookieMaxAge`: seconds; not sent by default.
    pub max_age: Option<u64>,
    /// `browserCookieHttpOnly`: true by default.
    pub http_only: bool,
    /// `browserCookieSecure`: false by default; sent over TLS only.
    pub secure: bool,
    /// `browserCookieSameSite`: `Strict`, `Lax` or `None`; not sent by default.
    pub same_site: Option<SameSite>,
    /// `browserCookiePartitioned`: false by default.
    pub partitioned: bool,
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "BAYEUX_BROWSER".to_owned(),
            domain: None,
            path: Some("/".to_owned()),
            max_age: None,
            http_only: true,
            secure: false,
            same_site: None,
            partitioned: false,
        }
    }
}

/// To which requests of other sites a browser adds the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// To none.
    Strict,
    /// To navigations.
    Lax,
    /// To all; browsers ask for `Secure` too.
    None,
}

/// The options of callback-polling alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonpConfig {
    /// `callbackParameter`: `jsonp` by default.
    pub callback_parameter: String,
    /// `callbackParameterMaxLength`: 64 by default.
    pub callback_parameter_max_length: usize,
}

impl Default for JsonpConfig {
    fn default() -> Self {
        Self { callback_parameter: "jsonp".to_owned(), callback_parameter_max_length: 64 }
    }
}

/// The options of WebSocket alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// `ws.protocol`: the sub-protocol that clients have to ask for. None by default.
    pub protocol: Option<String>,
    /// `ws.messagesPerFrame`: how many queued messages go into one frame. 1 by default; none is all.
    pub messages_per_frame: Option<usize>,
    /// `ws.bufferSize`: how many bytes are read at once, into a buffer that the connections of a thread
    /// share. 16 KiB by default.
    pub buffer_size: usize,
    /// `ws.idleTimeout`: how long a connection may be silent in both directions, but for parts of a message that
    /// never ends. 5 min by default.
    pub idle_timeout: Duration,
    /// `ws.writeTimeout`: how long the peer may take nothing of what is written. 30 s by default.
    pub write_timeout: Duration,
    /// `ws.pingInterval`: after how long without a byte from it a client is pinged. Never by default: a
    /// client connects again and again, which tells as much, later. It costs two small frames, and a
    /// wake-up, for each silent connection.
    pub ping_interval: Option<Duration>,
    /// `ws.pingTimeout`: how long a client may take to answer a ping, by whatever it sends. Then its
    /// connection is closed, and its session waits for another. 10 s by default; it has to be longer than a
    /// slow client needs for what was sent before the ping, up to some megabytes in the system's buffers.
    pub ping_timeout: Duration,
    /// `ws.requireHandshakePerConnection`: whether a new connection has to start with a handshake,
    /// so that a stolen session id is of no use. False by default, for pages that are reloaded, and
    /// for clients that shake hands over long-polling, such as Faye's.
    pub require_handshake_per_connection: bool,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            protocol: None,
            messages_per_frame: Some(1),
            buffer_size: 16 * 1024,
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(30),
            ping_interval: None,
            ping_timeout: Duration::from_secs(10),
            require_handshake_per_connection: false,
        }
    }
}
