//! Chains of proxies of every shape, and what clients put before them.

use http::HeaderName;
use proptest::prelude::*;

use super::*;

fn config(options: &[(&str, &str)]) -> ProxyConfig {
    let mut config = crate::Config::default();
    config.set_options([("trustedProxies", "10.0.0.0/8,2001:db8:f::/48")]).unwrap();
    config.set_options(options.iter().copied()).unwrap();
    config.proxies
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

fn from(peer: &str, lines: &[(&'static str, &str)], proxies: &ProxyConfig) -> Client {
    let peer = Peer::new(peer.parse().unwrap(), "10.0.0.99:80".parse().unwrap());
    Client::of(&headers(lines), Some(peer), proxies)
}

fn address_of(lines: &[(&'static str, &str)]) -> String {
    let client = from("10.0.0.1:99", lines, &config(&[]));
    client.address.unwrap().to_string()
}

#[test]
fn the_first_that_is_not_trusted_is_the_client() {
    for (value, expected) in [
        ("192.0.2.1", "192.0.2.1:0"),
        ("192.0.2.1:4711", "192.0.2.1:4711"),
        ("2001:db8::1", "[2001:db8::1]:0"),
        ("[2001:db8::1]", "[2001:db8::1]:0"),
        ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
        ("::ffff:192.0.2.1", "192.0.2.1:0"),
        ("198.51.100.1, 192.0.2.1", "192.0.2.1:0"),
        ("198.51.100.1,192.0.2.1,10.0.0.7,2001:db8:f::1", "192.0.2.1:0"),
        ("198.51.100.1, 192.0.2.1, ::ffff:10.0.0.7", "192.0.2.1:0"),
        // All are proxies: the first of them asks for itself.
        ("10.0.0.9, 10.0.0.8", "10.0.0.9:0"),
        // An empty element is none.
        (", 192.0.2.1 ,, 10.0.0.7 , ", "192.0.2.1:0"),
        ("", "10.0.0.1:99"),
        (",", "10.0.0.1:99"),
    ] {
        assert_eq!(address_of(&[(FOR, value)]), expected, "{value}");
    }
    let lines = [(FOR, "198.51.100.1"), (FOR, "192.0.2.1, 10.0.0.8"), (FOR, "10.0.0.7")];
    assert_eq!(address_of(&lines), "192.0.2.1:0");
}

#[test]
fn what_cannot_be_read_ends_the_chain_at_the_last_good_hop() {
    for wrong in [
        "unknown",
        "_hidden",
        "localhost",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "1",
        "\"192.0.2.1\"",
        "[192.0.2.1]",
        "fe80::1%eth0",
        "192.0.2.1 192.0.2.2",
        "192.0.2.1;",
        "\u{e9}",
        "for=192.0.2.1",
    ] {
        let value = format!("198.51.100.1, {wrong}, 10.0.0.7");
        assert_eq!(address_of(&[(FOR, &value)]), "10.0.0.7:0", "{wrong}");
        assert_eq!(address_of(&[(FOR, wrong)]), "10.0.0.1:99", "{wrong}");
    }
}

#[test]
fn the_standard_header_is_read_in_all_its_spellings() {
    for (value, expected) in [
        ("for=192.0.2.1", "192.0.2.1:0"),
        ("For=\"192.0.2.1:4711\"", "192.0.2.1:4711"),
        ("for=\"[2001:db8::1]\"", "[2001:db8::1]:0"),
        ("for=\"[2001:db8::1]:4711\";proto=http;by=203.0.113.43", "[2001:db8::1]:4711"),
        ("by=10.0.0.1 ; host=x ; for = 192.0.2.1", "192.0.2.1:0"),
        ("for=192.0.2.1:4711", "192.0.2.1:4711"),
        ("for=\"192.0.2.1:_hidden\"", "192.0.2.1:0"),
        ("for=\"1\\92.0.2.1\"", "192.0.2.1:0"),
        ("for=198.51.100.1, for=192.0.2.1, for=10.0.0.7;", "192.0.2.1:0"),
        ("for=198.51.100.1;x=\"a, for=1;\", for=192.0.2.1", "192.0.2.1:0"),
        ("for=192.0.2.1;extension=\"\\\"\"", "192.0.2.1:0"),
    ] {
        assert_eq!(address_of(&[(FORWARDED, value)]), expected, "{value}");
    }
}

#[test]
fn a_client_closes_no_quotes_of_a_proxy_and_opens_none() {
    for spoof in [
        "for=198.51.100.1;x=\"",
        "for=198.51.100.1;x=\"\\",
        "for=198.51.100.1, \"",
        "for=198.51.100.1 for",
    ] {
        for own in [
            "for=192.0.2.1",
            "for=\"192.0.2.1:80\"",
            "for=192.0.2.1;proto=\"http\";by=\"10.0.0.1\"",
        ] {
            // The proxy's own header is beside the client's, or behind it.
            let lines = [(FORWARDED, spoof), (FORWARDED, own)];
            assert_eq!(address_of(&lines), "192.0.2.1".to_owned() + port(own), "{spoof} {own}");
            let value = format!("{spoof}, {own}");
            let seen = address_of(&[(FORWARDED, &value)]);
            assert!(!seen.starts_with("198."), "{value}: {seen}");
        }
    }
}

fn port(own: &str) -> &'static str {
    if own.contains(":80") { ":80" } else { ":0" }
}

#[test]
fn a_hop_that_is_hidden_or_said_twice_ends_the_chain() {
    for wrong in ["for=unknown", "for=_hidden", "proto=https", "", "for=", "for=\"\""] {
        let value = format!("for=192.0.2.1, {wrong}, for=10.0.0.7");
        assert_eq!(address_of(&[(FORWARDED, &value)]), "10.0.0.7:0", "{wrong}");
    }
    assert_eq!(address_of(&[(FORWARDED, "for=192.0.2.1;For=192.0.2.2")]), "10.0.0.1:99");
}

#[test]
fn of_two_headers_the_one_that_proxies_set_counts() {
    let both = [(FOR, "192.0.2.1"), (FORWARDED, "for=192.0.2.2;proto=https")];
    let default = from("10.0.0.1:99", &both, &config(&[]));
    assert_eq!(default, client("192.0.2.1:0", false));
    let standard = config(&[("forwardedOnly", "true")]);
    assert_eq!(from("10.0.0.1:99", &both, &standard), client("192.0.2.2:0", true));
    let other = [(FOR, "192.0.2.1"), (PROTO, "https")];
    assert_eq!(from("10.0.0.1:99", &other, &standard), client("10.0.0.1:99", false));
}

fn client(address: &str, is_secure: bool) -> Client {
    Client { address: Some(address.parse().unwrap()), is_secure }
}

#[test]
fn tls_is_believed_of_the_proxy_that_the_client_talks_to() {
    for (lines, expected) in [
        (&[(FORWARDED, "for=192.0.2.1;proto=https, for=10.0.0.7;proto=http")][..], true),
        (&[(FORWARDED, "for=192.0.2.1;proto=http, for=10.0.0.7;proto=https")], false),
        (&[(FORWARDED, "for=198.51.100.1;proto=https, for=192.0.2.1;proto=http")], false),
        (&[(FORWARDED, "for=unknown;proto=HTTPS")], true),
        (&[(FORWARDED, "for=192.0.2.1"), (PROTO, "https")], true),
        (&[(FOR, "192.0.2.1"), (PROTO, "https")], true),
        (&[(PROTO, "https")], true),
        (&[(FOR, "192.0.2.1"), (PROTO, "http")], false),
        (&[(FOR, "192.0.2.1"), (FORWARDED, "proto=https")], false),
        // So Traefik says it of a WebSocket.
        (&[(FOR, "192.0.2.1"), (PROTO, "wss")], true),
        (&[(FOR, "192.0.2.1"), (PROTO, "ws")], false),
        (&[(FORWARDED, "for=192.0.2.1;proto=wss")], true),
        (&[(PROTO, ""), (PROTO, "https")], true),
        (&[(PROTO, "http"), (PROTO, "https")], false),
        (&[(PROTO, "\u{e9}"), (PROTO, "https")], false),
    ] {
        assert_eq!(from("10.0.0.1:99", lines, &config(&[])).is_secure, expected, "{lines:?}");
        assert!(!from("192.0.2.9:99", lines, &config(&[])).is_secure, "{lines:?}");
    }
}

#[test]
fn without_trust_an_address_is_the_connections() {
    let lines = [(FOR, "192.0.2.1"), (FORWARDED, "for=192.0.2.2")];
    assert_eq!(from("192.0.2.9:99", &lines, &config(&[])), client("192.0.2.9:99", false));
    assert_eq!(
        from("[::ffff:192.0.2.9]:99", &lines, &ProxyConfig::default()),
        client("192.0.2.9:99", false)
    );
    let unknown = Client { address: None, is_secure: false };
    assert_eq!(Client::of(&headers(&lines), None, &config(&[])), unknown);
    assert_eq!(Client::of(&headers(&[(PROTO, "https")]), None, &config(&[])), unknown);
}

#[test]
fn a_proxy_says_that_a_request_is_secure_in_many_ways() {
    for (name, value, expected) in [
        (PROTO, "https", true),
        (PROTO, "HTTPS", true),
        (PROTO, "https,http", true),
        (PROTO, " https , http", true),
        (PROTO, "http,https", false),
        (PROTO, "", false),
        (PROTO, "wss", true),
        (PROTO, "WSS, http", true),
        (PROTO, "ws", false),
        (PROTO, ", https", true),
        (PROTO, ",", false),
        (FORWARDED, "for=192.0.2.1;proto=https;by=203.0.113.4", true),
        (FORWARDED, "Proto=\"HTTPS\", for=x;proto=http", true),
        (FORWARDED, "proto=http, proto=https", false),
        (FORWARDED, "for=\"proto=https\"", false),
        (FORWARDED, "proto=wss", true),
        (FORWARDED, "for=\"_a,b\";proto=https", true),
        (FORWARDED, "for=\"_a;proto=https\"", false),
        (FORWARDED, "host=\"a,b;proto=https\", proto=https", false),
    ] {
        assert_eq!(is_forwarded_secure(&headers(&[(name, value)])), expected, "{name}: {value}");
    }
}

/// What clients and proxies put together.
const PARTS: [&str; 20] = [
    "for",
    "=",
    "\"",
    "\\",
    ",",
    ";",
    " ",
    "192.0.2.1",
    "10.0.0.7",
    "[2001:db8::1]",
    ":80",
    "proto",
    "https",
    "unknown",
    "_x",
    "[",
    "]",
    "for=",
    "\u{e9}",
    "::",
];

proptest! {
    /// Whatever a client sends, the address is one that a trusted proxy wrote last, or is a proxy's.
    #[test]
    fn a_client_says_nothing_of_its_address(parts in proptest::collection::vec(0..PARTS.len(), 0..12)) {
        let text: String = parts.into_iter().map(|part| PARTS[part]).collect();
        for name in [FOR, FORWARDED] {
            let own = if name == FOR { "203.0.113.9" } else { "for=\"203.0.113.9:1\"" };
            let behind = format!("{text},{own}");
            for lines in [vec![(name, text.as_str()), (name, own)], vec![(name, behind.as_str())]] {
                let address = address_of(&lines).parse::<SocketAddr>().unwrap();
                let is_known = address.ip() == IpAddr::from([203, 0, 113, 9])
                    || address == "10.0.0.1:99".parse().unwrap();
                prop_assert!(is_known, "{lines:?}: {address}");
            }
        }
    }

    #[test]
    fn any_bytes_are_hops_or_none(
        bytes in proptest::collection::vec(
            any::<u8>().prop_filter("a header", |byte| *byte >= 32 && *byte != 127),
            0..64,
        ),
    ) {
        let value = HeaderValue::from_bytes(&bytes).unwrap();
        let _ = read(&value);
        let _ = address(&bytes);
    }
}
