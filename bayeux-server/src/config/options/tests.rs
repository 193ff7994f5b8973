//! Options by name: which wins, what is refused, and that the table is whole.

use std::time::Duration;

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
fn every_name_is_there_once_and_takes_its_own_default() {
    for option in OPTIONS {
        let name = option.name();
        assert_eq!(OPTIONS.iter().filter(|other| other.name() == name).count(), 1, "{name}");
        let (takes, default) = (option.takes(), option.default_value());
        if default != "none" {
            let config = set(&[(&name, &default)]).unwrap();
            assert_eq!(config, Config::default(), "{name} takes {takes}");
        }
        if let Some((least, most)) = option.bounds() {
            assert!(takes.contains(&format!("from {least} to {most}")), "{name} takes {takes}");
        }
    }
}

/// The fields that hold others, which have options.
const GROUPS: [&str; 10] = [
    "handshake_limit",
    "drain",
    "proxies",
    "long_polling",
    "callback_polling",
    "websocket",
    "http",
    "jsonp",
    "ws",
    "cookie",
];

#[test]
fn every_field_is_documented_by_the_name_of_its_option_and_every_option_has_a_field() {
    let source = include_str!("../mod.rs");
    let (mut doc, mut named) = (String::new(), Vec::new());
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(": "))
            && !field.contains(' ')
        {
            let code: Vec<_> = doc.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            let is_known = |name: &String| OPTIONS.iter().any(|option| option.name() == *name);
            let known: Vec<_> = code.into_iter().filter(is_known).collect();
            let is_part = ["count", "period"].contains(&field);
            assert!(!known.is_empty() || is_part || GROUPS.contains(&field), "{field}: {doc}");
            named.extend(known);
            doc.clear();
        } else {
            doc.clear();
        }
    }
    for option in OPTIONS {
        assert!(named.contains(&option.name()), "no field says that it is {}", option.name());
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
    assert_eq!(
        error,
        "option ws.timeout takes a number of milliseconds from 0 to 2147483647, not \"soon\""
    );
    for (name, value) in [
        ("duplicateMetaConnectHttpResponseCode", "200"),
        ("allowedTransports", "flash"),
        ("browserCookieSameSite", "lax"),
        ("timeout", "-1"),
        ("maxDepth", "0"),
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
    let (none, period) = (("handshakesPerAddress", "0"), ("handshakesPerAddressPeriod", "1000"));
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
fn a_proxy_is_an_address_or_a_network() {
    let config = set(&[("trustedProxies", " 10.0.0.0/8,::1 , ::ffff:192.0.2.1")]).unwrap();
    let trusts = |address: &str| config.proxies.trusts(address.parse().unwrap());
    for address in ["10.1.2.3", "::1", "192.0.2.1", "::ffff:10.0.0.1"] {
        assert!(trusts(address), "{address}");
    }
    assert!(!trusts("192.0.2.2") && !trusts("::2"));
    for wrong in ["10.0.0.0/33", "proxy.example", "10.0.0.1:80", "10.0.0.1,*"] {
        let error = set(&[("trustedProxies", wrong)]).unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/8") && error.contains(wrong), "{error}");
    }
}

#[test]
fn callback_polling_always_delivers_with_connects() {
    let config = set(&[("metaConnectDeliverOnly", "false")]).unwrap();
    assert!(config.callback_polling.meta_connect_deliver_only);
    assert!(!config.websocket.meta_connect_deliver_only);
}

#[test]
fn nothing_is_set_when_one_is_refused() {
    let mut config = Config::default();
    config.set_options([("maxDepth", "3"), ("ws.bufferSize", "9223372036854775807")]).unwrap_err();
    assert_eq!(config, Config::default());
}

#[test]
fn what_is_set_in_code_is_refused_by_the_same_words() {
    let mut config = Config::default();
    config.ws.buffer_size = usize::MAX;
    let error = config.validate().unwrap_err().to_string();
    let expected = "option ws.bufferSize takes a number of bytes from 512 to 16777216, not ";
    assert!(error.starts_with(expected), "{error}");

    let mut config = Config::default();
    config.callback_polling.max_queue = 0;
    let error = config.validate().unwrap_err().to_string();
    assert!(error.starts_with("option long-polling.jsonp.maxQueue takes"), "{error}");

    let mut config = Config::default();
    config.http.cookie.name = "two words".to_owned();
    config.validate().unwrap_err();
}

#[test]
fn what_is_out_of_bounds_is_brought_within_and_told() {
    let mut config = Config::default();
    config.ws.buffer_size = usize::MAX;
    config.ws.idle_timeout = Duration::MAX;
    config.sweep_period = Duration::ZERO;
    config.websocket.max_processing = Duration::MAX;
    config.http.max_sessions_per_browser = Some(usize::MAX);
    config.http.cookie.name = "two words".to_owned();
    config.allowed_transports.clear();
    config.callback_polling.meta_connect_deliver_only = false;
    assert_eq!(config.mend().len(), 6);
    assert_eq!(config.mend(), []);
    assert_eq!(config.ws.buffer_size, 16 * 1024 * 1024);
    assert_eq!(config.ws.idle_timeout, Duration::MAX);
    assert_eq!(config.sweep_period, Duration::from_millis(1));
    assert_eq!(config.http.cookie, Config::default().http.cookie);
    assert_eq!(config.allowed_transports, Config::default().allowed_transports);
    assert!(config.callback_polling.meta_connect_deliver_only);
}
