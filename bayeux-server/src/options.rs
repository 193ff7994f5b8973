//! CometD's option names: one flat list of texts, the more specific name winning.

use std::time::Duration;

use bayeux_api::{ConnectionType, server::Overflow};

use crate::config::{Config, SameSite, TransportConfig};

/// Why an option was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// There is no option of this name.
    #[error("unknown option {name:?}; known are:\n{}", known())]
    Unknown {
        /// What was given.
        name: String,
    },
    /// The option does not take this value.
    #[error("option {name} takes {expected}, not {value:?}")]
    Value {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

impl Config {
    /// Sets options by their CometD names, as in `timeout`, `ws.timeout` or
    /// `long-polling.json.timeout`. Whatever their order, the more specific name wins.
    ///
    /// # Errors
    ///
    /// When a name is unknown or a value is not one the option takes.
    pub fn set_options<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        options: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), OptionError> {
        let mut options: Vec<_> = options.into_iter().collect();
        options.sort_by_key(|(name, _)| scope(name.as_ref()).0.specificity());
        options.iter().try_for_each(|(name, value)| self.set(name.as_ref(), value.as_ref()))
    }

    fn set(&mut self, full: &str, value: &str) -> Result<(), OptionError> {
        let (scope, name) = scope(full);
        let outcome = self
            .set_common(scope, name, value)
            .or_else(|| self.set_http(scope, name, value))
            .or_else(|| self.set_websocket(scope, name, value))
            .or_else(|| self.set_server(scope, name, value));
        match outcome {
            None => Err(OptionError::Unknown { name: full.to_owned() }),
            Some(Ok(())) => Ok(()),
            Some(Err(expected)) => {
                Err(OptionError::Value { name: full.to_owned(), value: value.to_owned(), expected })
            }
        }
    }

    fn set_common(&mut self, scope: Scope, name: &str, value: &str) -> Outcome {
        let mut outcome = None;
        for transport in scope.transports() {
            let config = match transport {
                ConnectionType::WebSocket => &mut self.websocket,
                ConnectionType::CallbackPolling => &mut self.callback_polling,
                ConnectionType::LongPolling | ConnectionType::InProcess => &mut self.long_polling,
            };
            outcome = config.set(name, value);
            if !matches!(outcome, Some(Ok(()))) {
                break;
            }
        }
        self.callback_polling.meta_connect_deliver_only = true;
        outcome
    }

    fn set_server(&mut self, scope: Scope, name: &str, value: &str) -> Outcome {
        if scope != Scope::All {
            return None;
        }
        Some(match name {
            "allowedTransports" => list(value, &mut self.allowed_transports),
            "validateMessageFields" => boolean(value, &mut self.validate_message_fields),
            "broadcastToPublisher" => boolean(value, &mut self.broadcast_to_publisher),
            "sweepPeriod" => millis_or_default(value, &mut self.sweep_period),
            "ackExtension" => boolean(value, &mut self.acknowledgements),
            "maxMessages" => count(value, &mut self.max_messages),
            "maxDepth" => count(value, &mut self.max_depth).and_then(|()| {
                (self.max_depth < 128).then_some(()).ok_or("a number of levels from 1 to 127")
            }),
            "maxSubscriptions" => count(value, &mut self.max_subscriptions),
            "allowedOrigins" => {
                self.allowed_origins = Some(words(value).map(str::to_owned).collect());
                Ok(())
            }
            "handshakesPerAddress" => {
                let mut count = 0;
                whole(value, &mut count).map(|()| {
                    self.handshake_limit.count = u32::try_from(count).unwrap_or(u32::MAX);
                })
            }
            "handshakesPerAddressPeriod" => millis(value, &mut self.handshake_limit.period),
            _ => return None,
        })
    }

    fn set_http(&mut self, scope: Scope, name: &str, value: &str) -> Outcome {
        let is_own = match scope {
            Scope::All | Scope::Http => true,
            Scope::Jsonp => name.starts_with("callbackParameter"),
            // The others are of all transports over HTTP.
            Scope::Json | Scope::WebSocket => false,
        };
        if !is_own {
            return None;
        }
        let http = &mut self.http;
        Some(match name {
            "maxSessionsPerBrowser" => limit(value, &mut http.max_sessions_per_browser),
            "http2MaxSessionsPerBrowser" => limit(value, &mut http.http2_max_sessions_per_browser),
            "multiSessionInterval" => millis_or_zero(value, &mut http.multi_session_interval),
            "trustClientSession" => boolean(value, &mut http.trust_client_session),
            "duplicateMetaConnectHttpResponseCode" => {
                status(value, &mut http.duplicate_meta_connect_status)
            }
            "requestTimeout" => millis(value, &mut http.request_timeout),
            "responseTimeout" => millis(value, &mut http.response_timeout),
            "browserCookieName" => text(value, &mut http.cookie.name),
            "browserCookieDomain" => optional(value, &mut http.cookie.domain),
            "browserCookiePath" => optional(value, &mut http.cookie.path),
            "browserCookieMaxAge" => seconds(value, &mut http.cookie.max_age),
            "browserCookieHttpOnly" => boolean(value, &mut http.cookie.http_only),
            "browserCookieSecure" => boolean(value, &mut http.cookie.secure),
            "browserCookieSameSite" => same_site(value, &mut http.cookie.same_site),
            "browserCookiePartitioned" => boolean(value, &mut http.cookie.partitioned),
            "callbackParameter" => text(value, &mut self.jsonp.callback_parameter),
            "callbackParameterMaxLength" => {
                count(value, &mut self.jsonp.callback_parameter_max_length)
            }
            _ => return None,
        })
    }

    fn set_websocket(&mut self, scope: Scope, name: &str, value: &str) -> Outcome {
        if scope != Scope::WebSocket {
            return None;
        }
        let ws = &mut self.ws;
        Some(match name {
            "cometdURLMapping" => {
                self.url_mapping = words(value).map(str::to_owned).collect();
                Ok(())
            }
            "protocol" => optional(value, &mut ws.protocol),
            "messagesPerFrame" => limit(value, &mut ws.messages_per_frame).map(|()| {
                ws.messages_per_frame = ws.messages_per_frame.filter(|count| *count > 0);
            }),
            "bufferSize" => count(value, &mut ws.buffer_size),
            "idleTimeout" => millis_or_never(value, &mut ws.idle_timeout),
            "writeTimeout" => millis(value, &mut ws.write_timeout),
            "requireHandshakePerConnection" => {
                boolean(value, &mut ws.require_handshake_per_connection)
            }
            _ => return None,
        })
    }
}

impl TransportConfig {
    fn set(&mut self, name: &str, value: &str) -> Outcome {
        Some(match name {
            "timeout" => millis(value, &mut self.timeout),
            "interval" => millis(value, &mut self.interval),
            "maxInterval" => millis(value, &mut self.max_interval),
            "maxProcessing" => millis_or_default(value, &mut self.max_processing),
            "maxLazyTimeout" => millis_or_zero(value, &mut self.max_lazy_timeout),
            "metaConnectDeliverOnly" => boolean(value, &mut self.meta_connect_deliver_only),
            "maxQueue" => count_or_default(value, &mut self.max_queue),
            "maxQueueBytes" => count_or_default(value, &mut self.max_queue_bytes),
            "queueOverflow" => overflow(value, &mut self.queue_overflow),
            "maxMessageSize" => count_or_default(value, &mut self.max_message_size),
            "handshakeReconnect" => boolean(value, &mut self.handshake_reconnect),
            "allowMessageDeliveryDuringHandshake" => {
                boolean(value, &mut self.allow_message_delivery_during_handshake)
            }
            "maxAdvised" => millis(value, &mut self.max_advised),
            _ => return None,
        })
    }
}

/// None for a name that is not known here, or what the option takes instead of the value.
type Outcome = Option<Result<(), &'static str>>;
type Parsed = Result<(), &'static str>;

/// The transports that an option's prefix is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Http,
    Json,
    Jsonp,
    WebSocket,
}

const PREFIXES: [(&str, Scope); 6] = [
    ("long-polling.json.", Scope::Json),
    ("long-polling.jsonp.", Scope::Jsonp),
    ("callback-polling.jsonp.", Scope::Jsonp),
    ("callback-polling.", Scope::Jsonp),
    ("long-polling.", Scope::Http),
    ("ws.", Scope::WebSocket),
];

impl Scope {
    fn transports(self) -> &'static [ConnectionType] {
        use ConnectionType::{CallbackPolling, LongPolling, WebSocket};
        match self {
            Self::All => &[WebSocket, LongPolling, CallbackPolling],
            Self::Http => &[LongPolling, CallbackPolling],
            Self::Json => &[LongPolling],
            Self::Jsonp => &[CallbackPolling],
            Self::WebSocket => &[WebSocket],
        }
    }

    fn specificity(self) -> u8 {
        match self {
            Self::All => 0,
            Self::Http => 1,
            Self::Json | Self::Jsonp | Self::WebSocket => 2,
        }
    }
}

fn scope(full: &str) -> (Scope, &str) {
    PREFIXES
        .iter()
        .find_map(|(prefix, scope)| Some((*scope, full.strip_prefix(prefix)?)))
        .unwrap_or((Scope::All, full))
}

const COMMON: [&str; 13] = [
    "timeout",
    "interval",
    "maxInterval",
    "maxProcessing",
    "maxLazyTimeout",
    "metaConnectDeliverOnly",
    "maxQueue",
    "maxQueueBytes",
    "queueOverflow",
    "maxMessageSize",
    "handshakeReconnect",
    "allowMessageDeliveryDuringHandshake",
    "maxAdvised",
];
const HTTP: [&str; 17] = [
    "maxSessionsPerBrowser",
    "http2MaxSessionsPerBrowser",
    "multiSessionInterval",
    "trustClientSession",
    "duplicateMetaConnectHttpResponseCode",
    "requestTimeout",
    "responseTimeout",
    "browserCookieName",
    "browserCookieDomain",
    "browserCookiePath",
    "browserCookieMaxAge",
    "browserCookieHttpOnly",
    "browserCookieSecure",
    "browserCookieSameSite",
    "browserCookiePartitioned",
    "callbackParameter",
    "callbackParameterMaxLength",
];
const WEBSOCKET: [&str; 7] = [
    "ws.cometdURLMapping",
    "ws.protocol",
    "ws.messagesPerFrame",
    "ws.bufferSize",
    "ws.idleTimeout",
    "ws.writeTimeout",
    "ws.requireHandshakePerConnection",
];
const SERVER: [&str; 11] = [
    "allowedTransports",
    "validateMessageFields",
    "broadcastToPublisher",
    "sweepPeriod",
    "ackExtension",
    "maxMessages",
    "maxDepth",
    "maxSubscriptions",
    "allowedOrigins",
    "handshakesPerAddress",
    "handshakesPerAddressPeriod",
];

fn known() -> String {
    format!(
        "  for each transport, alone or after ws., long-polling., long-polling.json. or \
         long-polling.jsonp.: {}\n  for HTTP, alone or after long-polling.: {}\n  for WebSocket: \
         {}\n  for the server: {}",
        COMMON.join(", "),
        HTTP.join(", "),
        WEBSOCKET.join(", "),
        SERVER.join(", ")
    )
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn boolean(value: &str, field: &mut bool) -> Parsed {
    *field = value.parse().map_err(|_| "true or false")?;
    Ok(())
}

fn millis(value: &str, field: &mut Duration) -> Parsed {
    *field = value.parse().map(Duration::from_millis).map_err(|_| "a number of milliseconds")?;
    Ok(())
}

/// Milliseconds, where zero or less leaves the default.
fn millis_or_default(value: &str, field: &mut Duration) -> Parsed {
    let millis: i64 = value.parse().map_err(|_| "a number of milliseconds, or -1")?;
    if let Some(millis) = u64::try_from(millis).ok().filter(|millis| *millis > 0) {
        *field = Duration::from_millis(millis);
    }
    Ok(())
}

/// Milliseconds, where zero or less is no limit.
fn millis_or_never(value: &str, field: &mut Duration) -> Parsed {
    let millis: i64 = value.parse().map_err(|_| "a number of milliseconds, or 0 for no limit")?;
    let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0);
    *field = millis.map_or(Duration::MAX, Duration::from_millis);
    Ok(())
}

/// Milliseconds, where a negative number is the same as none.
fn millis_or_zero(value: &str, field: &mut Duration) -> Parsed {
    let millis: i64 = value.parse().map_err(|_| "a number of milliseconds")?;
    *field = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    Ok(())
}

fn seconds(value: &str, field: &mut Option<u64>) -> Parsed {
    let seconds: i64 = value.parse().map_err(|_| "a number of seconds, or -1")?;
    *field = u64::try_from(seconds).ok();
    Ok(())
}

fn whole(value: &str, field: &mut usize) -> Parsed {
    *field = value.parse().map_err(|_| "a number")?;
    Ok(())
}

fn count(value: &str, field: &mut usize) -> Parsed {
    *field = value.parse().ok().filter(|count| *count > 0).ok_or("a number above 0")?;
    Ok(())
}

/// A number, where one that is not positive leaves the default.
fn count_or_default(value: &str, field: &mut usize) -> Parsed {
    let count: i64 = value.parse().map_err(|_| "a number, or -1")?;
    if let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) {
        *field = count;
    }
    Ok(())
}

fn limit(value: &str, field: &mut Option<usize>) -> Parsed {
    let count: i64 = value.parse().map_err(|_| "a number, or -1 for no limit")?;
    *field = usize::try_from(count).ok();
    Ok(())
}

fn status(value: &str, field: &mut u16) -> Parsed {
    let is_error = |status: &u16| (400..600).contains(status);
    *field = value.parse().ok().filter(is_error).ok_or("an HTTP status from 400 to 599")?;
    Ok(())
}

fn text(value: &str, field: &mut String) -> Parsed {
    if value.is_empty() {
        return Err("a name");
    }
    value.clone_into(field);
    Ok(())
}

fn optional(value: &str, field: &mut Option<String>) -> Parsed {
    *field = (!value.is_empty()).then(|| value.to_owned());
    Ok(())
}

fn list(value: &str, field: &mut Vec<ConnectionType>) -> Parsed {
    let names: Result<Vec<_>, _> = words(value).map(str::parse).collect();
    *field = names
        .ok()
        .filter(|names| !names.is_empty() && !names.contains(&ConnectionType::InProcess))
        .ok_or("names out of websocket, long-polling, callback-polling, joined by commas")?;
    Ok(())
}

fn same_site(value: &str, field: &mut Option<SameSite>) -> Parsed {
    *field = Some(match value {
        "Strict" => SameSite::Strict,
        "Lax" => SameSite::Lax,
        "None" => SameSite::None,
        _ => return Err("Strict, Lax or None"),
    });
    Ok(())
}

fn overflow(value: &str, field: &mut Overflow) -> Parsed {
    *field = match value {
        "disconnect" => Overflow::Disconnect,
        "dropOldest" => Overflow::DropOldest,
        "dropNewest" => Overflow::DropNewest,
        "keepLast" => Overflow::KeepLast,
        _ => return Err("disconnect, dropOldest, dropNewest or keepLast"),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(options: &[(&str, &str)]) -> Result<Config, OptionError> {
        let mut config = Config::default();
        config.set_options(options.iter().copied()).map(|()| config)
    }

    #[test]
    fn the_more_specific_name_wins_whatever_the_order() {
        let config = set(&[
            ("long-polling.json.timeout", "3"),
            ("timeout", "1"),
            ("ws.timeout", "4"),
            ("long-polling.timeout", "2"),
        ])
        .unwrap();
        let millis = |config: &TransportConfig| config.timeout.as_millis();
        assert_eq!(millis(&config.long_polling), 3);
        assert_eq!(millis(&config.callback_polling), 2);
        assert_eq!(millis(&config.websocket), 4);
    }

    #[test]
    fn every_known_name_is_one() {
        let values = ["1", "true", "500", "Lax", "dropOldest", "websocket"];
        for name in COMMON.iter().chain(&HTTP).chain(&WEBSOCKET).chain(&SERVER) {
            assert!(values.iter().any(|value| set(&[(name, value)]).is_ok()), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        for name in ["tiemout", "ws.maxSessionsPerBrowser", "long-polling.protocol", "ws."] {
            let error = set(&[(name, "1")]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("ws.messagesPerFrame"), "{error}");
        }
    }

    #[test]
    fn a_bad_value_is_told_what_is_good() {
        let error = set(&[("ws.timeout", "soon")]).unwrap_err().to_string();
        assert_eq!(error, "option ws.timeout takes a number of milliseconds, not \"soon\"");
        for (name, value) in [
            ("duplicateMetaConnectHttpResponseCode", "200"),
            ("allowedTransports", "flash"),
            ("browserCookieSameSite", "lax"),
            ("timeout", "-1"),
            ("maxDepth", "128"),
        ] {
            assert!(matches!(set(&[(name, value)]), Err(OptionError::Value { .. })), "{name}");
        }
    }

    #[test]
    fn minus_one_is_no_limit_where_cometd_has_none() {
        let config = set(&[("maxSessionsPerBrowser", "-1"), ("ws.messagesPerFrame", "0")]).unwrap();
        assert_eq!(config.http.max_sessions_per_browser, None);
        assert_eq!(config.ws.messages_per_frame, None);
        assert_eq!(set(&[("maxQueue", "-1")]).unwrap(), Config::default());
    }

    #[test]
    fn the_order_of_the_handshake_limits_options_does_not_matter() {
        let (none, period) =
            (("handshakesPerAddress", "0"), ("handshakesPerAddressPeriod", "1000"));
        assert_eq!(set(&[none, period]).unwrap(), set(&[period, none]).unwrap());
        assert_eq!(set(&[period]).unwrap().handshake_limit.count, 0);
    }

    #[test]
    fn values_that_cometd_documents_as_none_are_taken() {
        for (name, value) in [
            ("multiSessionInterval", "-1"),
            ("maxLazyTimeout", "-1"),
            ("sweepPeriod", "-1"),
            ("ws.idleTimeout", "0"),
        ] {
            set(&[(name, value)]).unwrap();
        }
        assert_eq!(set(&[("maxProcessing", "0")]).unwrap(), Config::default());
    }

    #[test]
    fn what_is_of_all_http_transports_is_not_set_for_one() {
        set(&[("long-polling.json.trustClientSession", "true")]).unwrap_err();
        set(&[("long-polling.jsonp.trustClientSession", "true")]).unwrap_err();
        set(&[("long-polling.trustClientSession", "true")]).unwrap();
        set(&[("long-polling.jsonp.callbackParameter", "call")]).unwrap();
    }

    #[test]
    fn callback_polling_always_delivers_with_connects() {
        let config = set(&[("metaConnectDeliverOnly", "false")]).unwrap();
        assert!(config.callback_polling.meta_connect_deliver_only);
        assert!(!config.websocket.meta_connect_deliver_only);
    }
}
