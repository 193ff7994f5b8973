//! The options: the one place where each has its name, its transports, what it takes and its field.

use crate::config::{
    Config, TransportConfig,
    kind::{Amount, At, Kind, Less, Number, Text, Word},
    options::{ConfigOption, Field, Group},
};

/// CometD has its numbers in Java's `int`. Of milliseconds it is also what a browser can wait for:
/// longer timers end at once there.
const MOST: u64 = 2_147_483_647;

/// So large is the buffer of every thread.
const LARGEST_BUFFER: u64 = 16 * 1024 * 1024;

pub(super) static OPTIONS: &[ConfigOption] = &[
    each("timeout", millis(0, |c| &mut c.timeout), "how long a connect is held"),
    each("interval", millis(0, |c| &mut c.interval), "the pause between two connects"),
    each(
        "maxInterval",
        millis(1, |c| &mut c.max_interval),
        "how long a client may be silent, beyond the interval, until its session ends",
    ),
    each(
        "maxProcessing",
        less(Less::Default, millis(1, |c| &mut c.max_processing)),
        "how long processing a connect, or writing its reply or another large response, may take",
    ),
    each(
        "maxLazyTimeout",
        less(Less::Zero, millis(0, |c| &mut c.max_lazy_timeout)),
        "how long a lazy message waits if its channel does not say",
    ),
    each(
        "metaConnectDeliverOnly",
        Kind::Flag(|c| &mut c.meta_connect_deliver_only),
        "whether messages are delivered with connects only; always for callback-polling",
    ),
    each(
        "maxQueue",
        less(Less::Default, number("a number of messages", 1, MOST, |c| &mut c.max_queue)),
        "how many messages may wait for a session",
    ),
    each(
        "maxQueueBytes",
        less(Less::Default, number("a number of bytes", 1, MOST, |c| &mut c.max_queue_bytes)),
        "how much memory that may be",
    ),
    each(
        "queueOverflow",
        Kind::Overflow(|c| &mut c.queue_overflow),
        "what happens to a message that finds no place",
    ),
    each(
        "maxMessageSize",
        less(Less::Default, number("a number of bytes", 1, MOST, |c| &mut c.max_message_size)),
        "how large one request or frame may be",
    ),
    each(
        "handshakeReconnect",
        Kind::Flag(|c| &mut c.handshake_reconnect),
        "whether advice tells maxInterval, after which clients shake hands at once",
    ),
    each(
        "allowMessageDeliveryDuringHandshake",
        Kind::Flag(|c| &mut c.allow_message_delivery_during_handshake),
        "whether messages go with the reply to a handshake",
    ),
    each(
        "maxAdvised",
        millis(0, |c| &mut c.max_advised),
        "the longest timeout and interval that a client may ask for",
    ),
    http(
        "maxSessionsPerBrowser",
        less(
            Less::NoLimit,
            number("a number of connects", 0, MOST, |c| &mut c.http.max_sessions_per_browser),
        ),
        "how many are held for one browser over HTTP/1.1",
    ),
    http(
        "http2MaxSessionsPerBrowser",
        less(
            Less::NoLimit,
            number("a number of connects", 0, MOST, |c| &mut c.http.http2_max_sessions_per_browser),
        ),
        "the same over HTTP/2",
    ),
    http(
        "multiSessionInterval",
        less(Less::Zero, millis(0, |c| &mut c.http.multi_session_interval)),
        "how often further tabs of a browser poll; 0 tells them to stop",
    ),
    http(
        "trustClientSession",
        Kind::Flag(|c| &mut c.http.trust_client_session),
        "whether a session id is enough without the browser's cookie",
    ),
    http(
        "duplicateMetaConnectHttpResponseCode",
        number("an HTTP status", 400, 599, |c| &mut c.http.duplicate_meta_connect_status),
        "the status of a held connect that another one overtakes",
    ),
    http(
        "requestTimeout",
        millis(1, |c| &mut c.http.request_timeout),
        "how long a request may take to arrive whole",
    ),
    http(
        "responseTimeout",
        millis(1, |c| &mut c.http.response_timeout),
        "how long the peer may take nothing of a response",
    ),
    http(
        "browserCookieName",
        text(TOKEN, |c| &mut c.http.cookie.name),
        "the browser cookie's name",
    ),
    http("browserCookieDomain", text(PART, |c| &mut c.http.cookie.domain), "its domain"),
    http("browserCookiePath", text(PART, |c| &mut c.http.cookie.path), "its path"),
    http(
        "browserCookieMaxAge",
        less(Less::NoLimit, number("a number of seconds", 0, MOST, |c| &mut c.http.cookie.max_age)),
        "how long a browser keeps it",
    ),
    http(
        "browserCookieHttpOnly",
        Kind::Flag(|c| &mut c.http.cookie.http_only),
        "whether it is hidden from scripts",
    ),
    http(
        "browserCookieSecure",
        Kind::Flag(|c| &mut c.http.cookie.secure),
        "whether it is sent over TLS only",
    ),
    http(
        "browserCookieSameSite",
        Kind::SameSite(|c| &mut c.http.cookie.same_site),
        "to which requests of other sites a browser adds it",
    ),
    http(
        "browserCookiePartitioned",
        Kind::Flag(|c| &mut c.http.cookie.partitioned),
        "whether it is kept apart for each site that embeds this one",
    ),
    jsonp(
        "callbackParameter",
        text(ANY, |c| &mut c.jsonp.callback_parameter),
        "the parameter that names the callback",
    ),
    jsonp(
        "callbackParameterMaxLength",
        number("a number of characters", 1, MOST, |c| &mut c.jsonp.callback_parameter_max_length),
        "how long that name may be",
    ),
    websocket(
        "cometdURLMapping",
        Kind::List(|c| &mut c.url_mapping),
        "the paths where Bayeux is; /* takes what is below, none is every path",
    ),
    websocket(
        "protocol",
        text(LISTED, |c| &mut c.ws.protocol),
        "the sub-protocol that clients have to ask for",
    ),
    websocket(
        "messagesPerFrame",
        less(
            Less::NoLimit,
            number("a number of messages", 1, MOST, |c| &mut c.ws.messages_per_frame),
        ),
        "how many queued messages go into one frame",
    ),
    websocket(
        "bufferSize",
        number("a number of bytes", 512, LARGEST_BUFFER, |c| &mut c.ws.buffer_size),
        "how much is read at once, into a buffer that the connections of a thread share",
    ),
    websocket(
        "idleTimeout",
        less(Less::NoLimit, millis(1, |c| &mut c.ws.idle_timeout)),
        "how long a connection may be silent in both directions",
    ),
    websocket(
        "writeTimeout",
        millis(1, |c| &mut c.ws.write_timeout),
        "how long the peer may take nothing of what is written",
    ),
    websocket(
        "pingInterval",
        less(Less::NoLimit, millis(1, |c| &mut c.ws.ping_interval)),
        "after how long a silence a client is pinged",
    ),
    websocket(
        "pingTimeout",
        millis(1, |c| &mut c.ws.ping_timeout),
        "how long a client may take to answer a ping",
    ),
    websocket(
        "requireHandshakePerConnection",
        Kind::Flag(|c| &mut c.ws.require_handshake_per_connection),
        "whether a new connection has to start with a handshake",
    ),
    server(
        "allowedTransports",
        Kind::Transports(|c| &mut c.allowed_transports),
        "the transports offered, in this order",
    ),
    server(
        "validateMessageFields",
        Kind::Flag(|c| &mut c.validate_message_fields),
        "whether message ids are checked to be alphanumeric",
    ),
    server(
        "broadcastToPublisher",
        Kind::Flag(|c| &mut c.broadcast_to_publisher),
        "whether sessions get what they publish themselves",
    ),
    server(
        "sweepPeriod",
        less(Less::Default, millis(1, |c| &mut c.sweep_period)),
        "the pause between two looks for channels that nobody uses",
    ),
    server(
        "ackExtension",
        Kind::Flag(|c| &mut c.acknowledgements),
        "whether clients may ask for acknowledged delivery",
    ),
    server(
        "maxMessages",
        number("a number of messages", 1, MOST, |c| &mut c.max_messages),
        "how many one request or frame may hold",
    ),
    server(
        "maxDepth",
        number("a number of levels", 1, MOST, |c| &mut c.max_depth),
        "how deep JSON may be nested",
    ),
    server(
        "maxSubscriptions",
        number("a number of channels", 1, MOST, |c| &mut c.max_subscriptions),
        "to how many one session may be subscribed",
    ),
    server(
        "allowedOrigins",
        Kind::List(|c| &mut c.allowed_origins),
        "the origins whose pages may talk to this server, beside its own; none lets all",
    ),
    server(
        "preflightMaxAge",
        number("a number of seconds", 0, MOST, |c| &mut c.preflight_max_age),
        "for how long a browser remembers that it may ask from another origin",
    ),
    server(
        "handshakesPerAddress",
        number("a number of handshakes", 0, MOST, |c| &mut c.handshake_limit.count),
        "how many one address may ask for at once; 0 is no limit",
    ),
    server(
        "handshakesPerAddressPeriod",
        millis(1, |c| &mut c.handshake_limit.period),
        "how long until it may ask for as many again",
    ),
    server(
        "drainSpread",
        millis(0, |c| &mut c.drain.spread),
        "over what time clients are sent away when the server ends",
    ),
    server(
        "drainInterval",
        millis(1, |c| &mut c.drain.interval),
        "the longest of the random times for which they are told to stay away",
    ),
    server("drainTimeout", millis(0, |c| &mut c.drain.timeout), "how long all of that may take"),
    server(
        "trustedProxies",
        Kind::Networks(|c| &mut c.proxies.trusted),
        "the proxies that are believed when they say for whom they ask",
    ),
    server(
        "forwardedOnly",
        Kind::Flag(|c| &mut c.proxies.forwarded_only),
        "whether they say it by Forwarded alone, and not by X-Forwarded-For",
    ),
    server(
        "proxyProtocol",
        Kind::Flag(|c| &mut c.proxies.protocol),
        "whether connections begin with a PROXY header of these proxies",
    ),
    server(
        "localMaxQueue",
        number("a number of messages", 1, MOST, |c| &mut c.local_queue.messages),
        "how many messages may wait for a local session",
    ),
    server(
        "localMaxQueueBytes",
        number("a number of bytes", 1, MOST, |c| &mut c.local_queue.bytes),
        "how much memory that may be",
    ),
    server(
        "localQueueOverflow",
        Kind::Overflow(|c| &mut c.local_queue.overflow),
        "what happens to a message for a local session that finds no place",
    ),
];

const fn each(name: &'static str, kind: Kind<TransportConfig>, doc: &'static str) -> ConfigOption {
    ConfigOption { name, group: Group::Each, field: Field::Each(kind), doc }
}

const fn http(name: &'static str, kind: Kind<Config>, doc: &'static str) -> ConfigOption {
    ConfigOption { name, group: Group::Http, field: Field::One(kind), doc }
}

const fn jsonp(name: &'static str, kind: Kind<Config>, doc: &'static str) -> ConfigOption {
    ConfigOption { name, group: Group::Jsonp, field: Field::One(kind), doc }
}

const fn websocket(name: &'static str, kind: Kind<Config>, doc: &'static str) -> ConfigOption {
    ConfigOption { name, group: Group::WebSocket, field: Field::One(kind), doc }
}

const fn server(name: &'static str, kind: Kind<Config>, doc: &'static str) -> ConfigOption {
    ConfigOption { name, group: Group::Server, field: Field::One(kind), doc }
}

const fn millis<C>(least: u64, at: At<C, dyn Amount>) -> Kind<C> {
    number("a number of milliseconds", least, MOST, at)
}

const fn number<C>(of: &'static str, least: u64, most: u64, at: At<C, dyn Amount>) -> Kind<C> {
    Kind::Number(Number { of, least, most, less: Less::Refused }, at)
}

/// Says what a number below the least one stands for.
const fn less<C>(less: Less, kind: Kind<C>) -> Kind<C> {
    if let Kind::Number(number, at) = kind {
        Kind::Number(Number { less, ..number }, at)
    } else {
        kind
    }
}

const fn text<C>(text: Text, at: At<C, dyn Word>) -> Kind<C> {
    Kind::Text(text, at)
}

const ANY: Text = Text { what: "a name", is_good: |text| !text.is_empty() };

/// RFC 9110, section 5.6.2.
const TOKEN: Text = Text {
    what: "a name of letters, digits and !#$%&'*+-.^_`|~",
    is_good: |text| {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_good)
    },
};

/// What may stand in a header that lists names. Some have a `/`, which is in no token.
const LISTED: Text = Text {
    what: "a name without spaces and commas",
    is_good: |text| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','),
};

/// What may stand behind the name of a cookie's attribute.
const PART: Text = Text {
    what: "a text that may be part of a cookie",
    is_good: |text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';'),
};
