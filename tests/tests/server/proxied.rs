//! Behind proxies: whose address counts, is logged, and is the context's.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bayeux_server::{
    Config, ServeConfig, Server,
    api::{Flow, server::BayeuxContext},
    serve,
};
use http::Method;
use serde_json::json;
use tests::{
    Browser, Errors, Http, TestServer, Transport, hooks::incoming, over_transports, raw::Raw,
    within,
};
use tokio::{
    io::{AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
]
    clients_of_a_trusted_proxy_are_counted_each,
    the_context_has_the_clients_address_and_what_it_speaks,
    who_is_not_trusted_says_nothing,
    a_proxy_tells_the_client_before_the_first_request
);

/// The proxies of these tests are on this machine.
const TRUSTED: (&str, &str) = ("trustedProxies", "127.0.0.0/8,10.0.0.0/8");
const LIMIT: [(&str, &str); 2] =
    [("handshakesPerAddress", "3"), ("handshakesPerAddressPeriod", "3600000")];

async fn with(options: &[(&str, &str)]) -> TestServer {
    TestServer::start(|config| config.set_options(options.iter().copied()).unwrap()).await
}

/// A browser to whose requests proxies add these headers.
fn through(headers: &[(&'static str, &str)]) -> Arc<Browser> {
    let mut browser = Browser::default();
    browser.headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Arc::new(browser)
}

/// Handshakes once, and tells whether that was granted.
async fn is_granted(server: &TestServer, transport: Transport, browser: &Arc<Browser>) -> bool {
    let reply = server.tab(transport, browser).await.try_handshake(json!({})).await;
    if reply["successful"] == false {
        assert_eq!(reply["error"], "429::handshake_limited", "{reply}");
    }
    reply["successful"] == true
}

async fn clients_of_a_trusted_proxy_are_counted_each(transport: Transport) {
    for name in ["x-forwarded-for", "forwarded"] {
        let logged = Errors::and_decisions();
        let [first, second] = LIMIT;
        let server = with(&[TRUSTED, first, second]).await;
        let value = |client: &str| match name {
            "forwarded" => format!("for={client};proto=http, for=\"10.0.0.7:4711\""),
            _ => format!("{client}, 10.0.0.7"),
        };
        for client in 1..=5 {
            let browser = through(&[(name, &value(&format!("192.0.2.{client}")))]);
            assert!(is_granted(&server, transport, &browser).await, "{name} {client}");
        }
        let one = through(&[(name, &value("192.0.2.1"))]);
        for expected in [true, true, false] {
            assert_eq!(is_granted(&server, transport, &one).await, expected, "{name}");
        }
        // Whatever the client says before.
        let spoofed = through(&[(name, &value("198.51.100.1, for=192.0.2.1"))]);
        let spoofed = if name == "forwarded" {
            spoofed
        } else {
            through(&[(name, "198.51.100.1"), (name, &value("192.0.2.1"))])
        };
        assert!(!is_granted(&server, transport, &spoofed).await, "{name}");
        let statistics = server.server.statistics();
        assert_eq!((statistics.handshakes, statistics.handshakes_limited), (7, 2));
        let lines = logged.take();
        for what in ["session added", "429::handshake_limited"] {
            let is_told =
                |line: &String| line.contains(what) && line.contains("address=192.0.2.1:0 ");
            assert!(lines.iter().any(is_told), "{what}: {lines:#?}");
        }
        assert!(!lines.iter().any(|line| line.contains("address=127.")), "{lines:#?}");
    }
}

/// The contexts of all messages that arrive.
fn watch(server: &Server) -> Arc<Mutex<Vec<Arc<BayeuxContext>>>> {
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let own = seen.clone();
    let watches = incoming(move |_, message| {
        own.lock().unwrap().push(message.context().cloned().unwrap());
        Flow::Continue
    });
    server.add_extension(watches).keep();
    seen
}

async fn the_context_has_the_clients_address_and_what_it_speaks(transport: Transport) {
    let server = with(&[TRUSTED]).await;
    let seen = watch(&server.server);
    for (headers, address, is_secure) in [
        (
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")][..],
            "192.0.2.1:0",
            true,
        ),
        (&[("x-forwarded-for", "2001:db8::1")], "[2001:db8::1]:0", false),
        (&[("forwarded", "For=\"[2001:db8::1]:4711\";Proto=https")], "[2001:db8::1]:4711", true),
        // One that a proxy passes on as it came, beside the one that it makes.
        (
            &[("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "192.0.2.1")],
            "192.0.2.1:0",
            false,
        ),
        (&[("x-forwarded-for", "unknown, 10.0.0.7")], "10.0.0.7:0", false),
    ] {
        let mut client = server.tab(transport, &through(headers)).await;
        client.handshake().await;
        client.connect().await;
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.len(), 2);
        for context in seen {
            let expected = (Some(address.parse().unwrap()), is_secure);
            assert_eq!((context.remote_address, context.is_secure), expected, "{headers:?}");
        }
    }
}

async fn who_is_not_trusted_says_nothing(transport: Transport) {
    let headers = [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-proto", "https"),
    ];
    // Whom to trust is not said, and that an encrypted connection ends before is believed as ever.
    for (trusted, is_secure) in [("", true), ("10.0.0.0/8,::1", false)] {
        let server = with(&[("trustedProxies", trusted)]).await;
        let seen = watch(&server.server);
        server.tab(transport, &through(&headers)).await.handshake().await;
        let context = seen.lock().unwrap().pop().unwrap();
        assert_eq!(context.remote_address.unwrap().ip(), server.address.ip(), "{trusted}");
        assert_eq!(context.is_secure, is_secure, "{trusted}");
    }
}

/// A client that is not trusted, or whose proxy passes that on as it came, names what scheme it likes.
#[tokio::test]
async fn the_scheme_of_a_request_says_nothing_where_proxies_are_trusted() {
    let handshake =
        r#"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":[]}]"#;
    for (trusted, is_secure) in [("", true), ("10.0.0.0/8", false), ("127.0.0.0/8", false)] {
        let server = with(&[("trustedProxies", trusted)]).await;
        let seen = watch(&server.server);
        let mut raw = Raw::connect(server.address).await;
        let length = handshake.len();
        let head =
            format!("POST https://x/ HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        raw.write(head + handshake).await;
        raw.read_until("}]").await;
        let http2 = Http::http2(server.address).await;
        let request = http2.request(Method::POST, "/").uri("https://x/");
        http2.send(request.body(handshake.into()).unwrap()).await.unwrap();
        let seen: Vec<_> =
            seen.lock().unwrap().drain(..).map(|context| context.is_secure).collect();
        assert_eq!(seen, [is_secure; 2], "{trusted}");
    }
}

/// Stands before `server` and says so before the first byte of each connection.
async fn relay(server: SocketAddr, header: Vec<u8>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut relaying = JoinSet::new();
    relaying.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let header = header.clone();
            connections.spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                far.set_nodelay(true).unwrap();
                // In parts, and then together with what follows.
                let (one, other) = header.split_at(header.len() / 2);
                far.write_all(one).await.unwrap();
                far.write_all(other).await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (address, relaying)
}

fn version_2(family: u8, addresses: &[u8], more: usize) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.push(family);
    let length = u16::try_from(addresses.len() + more).unwrap();
    header.extend(length.to_be_bytes());
    header.extend(addresses);
    header.resize(header.len() + more, 0);
    header
}

async fn a_proxy_tells_the_client_before_the_first_request(transport: Transport) {
    let ipv6: Vec<u8> = [[1; 16], [2; 16]].concat().into_iter().chain([0, 80, 1, 187]).collect();
    for (header, remote, local) in [
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n".to_vec(),
            "192.0.2.1:4711",
            "192.0.2.2:443",
        ),
        (b"PROXY TCP6 2001:db8::1 ::2 4711 443\r\n".to_vec(), "[2001:db8::1]:4711", "[::2]:443"),
        (
            version_2(0x11, &[192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187], 0),
            "192.0.2.1:80",
            "192.0.2.2:443",
        ),
        (
            version_2(0x21, &ipv6, 60_000),
            "[101:101:101:101:101:101:101:101]:80",
            "[202:202:202:202:202:202:202:202]:443",
        ),
    ] {
        let [first, second] = LIMIT;
        let mut server = with(&[TRUSTED, ("proxyProtocol", "true"), first, second]).await;
        let seen = watch(&server.server);
        let relaying;
        (server.address, relaying) = relay(server.address, header).await;
        let mut client = server.connected(transport).await;
        client.publish("/a", json!(1)).await;
        for context in seen.lock().unwrap().iter() {
            assert_eq!(context.remote_address, Some(remote.parse().unwrap()));
            assert_eq!(context.local_address, Some(local.parse().unwrap()));
        }
        // The proxy before the one that speaks so is not one of these.
        let browser = through(&[("x-forwarded-for", "198.51.100.1")]);
        for expected in [true, true, false] {
            assert_eq!(is_granted(&server, transport, &browser).await, expected);
        }
        drop(relaying);
    }
}

#[tokio::test]
async fn a_header_that_says_no_address_leaves_that_of_the_proxy() {
    let mut local = version_2(0x11, &[192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187], 0);
    local[12] = 0x20;
    // Of a proxy that talks for itself the family means nothing, and neither does what follows.
    let [short, unknown] = [(0x11, 0), (0xff, 300)].map(|(family, more)| {
        let mut header = version_2(family, &[], more);
        header[12] = 0x20;
        header
    });
    for header in [
        short,
        unknown,
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
        version_2(0, &[], 0),
        version_2(0x31, &[1; 216], 0),
        local,
    ] {
        let mut server = with(&[TRUSTED, ("proxyProtocol", "true")]).await;
        let seen = watch(&server.server);
        let own = server.address;
        let relaying;
        (server.address, relaying) = relay(server.address, header).await;
        // What says no address says nothing of what comes behind it.
        let browser = through(&[("x-forwarded-for", "192.0.2.9")]);
        server.tab(Transport::LongPolling, &browser).await.handshake().await;
        server.client(Transport::LongPolling).await.handshake().await;
        let addresses: Vec<_> =
            seen.lock().unwrap().drain(..).map(|context| context.remote_address.unwrap()).collect();
        assert_eq!(addresses[0], "192.0.2.9:0".parse().unwrap());
        assert_eq!(addresses[1].ip(), own.ip());
        drop(relaying);
    }
}

#[tokio::test]
async fn without_its_header_a_connection_is_closed_and_holds_up_no_other() {
    let server = with(&[TRUSTED, ("proxyProtocol", "true")]).await;
    // One begins and does not go on.
    let mut slow = Raw::connect(server.address).await;
    assert!(slow.write("PROXY TCP4 192.").await);
    let long = format!("PROXY UNKNOWN {}", "x".repeat(1000));
    let mut version_3 = version_2(0x11, &[0; 12], 0);
    version_3[12] = 0x31;
    for wrong in [
        &b"GET /cometd HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 ::1 ::2 1 2\r\n",
        b"PROXY \r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        long.as_bytes(),
        &version_3,
        &version_2(0x11, &[0; 11], 0),
        &version_2(0x41, &[0; 12], 0),
    ] {
        let mut raw = Raw::connect(server.address).await;
        raw.write(wrong).await;
        let answer = raw.read_to_end().await;
        assert_eq!(answer, "", "{}", String::from_utf8_lossy(wrong));
    }
    let (address, _relaying) = relay(server.address, b"PROXY UNKNOWN\r\n".to_vec()).await;
    let mut raw = Raw::connect(address).await;
    raw.post("", r#"[{"channel":"/meta/handshake"}]"#).await;
    assert!(raw.read_until("}]").await.contains(r#""successful":true"#));
    assert!(slow.write("0.2.1 192.0.2.2 1 2\r\n").await);
    slow.post("", r#"[{"channel":"/meta/handshake"}]"#).await;
    assert!(slow.read_until("}]").await.contains(r#""successful":true"#));
}

#[tokio::test]
async fn a_header_has_as_long_as_the_head_of_a_request() {
    let mut config = Config::default();
    config.set_options([TRUSTED, ("proxyProtocol", "true")]).unwrap();
    let server = Server::builder().config(config).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut patience = ServeConfig::default();
    patience.header_timeout = Duration::from_millis(300);
    let (served, service) = (server.clone(), server.service());
    let serving = tokio::spawn(async move { serve(&served, listener, service, patience).await });
    for begin in ["", "PROXY TCP4 192.0.2.1 ", "\r\n\r\n\0\r\nQUIT\n\x21\x11"] {
        let mut raw = Raw::connect(address).await;
        raw.write(begin).await;
        assert_eq!(raw.read_to_end().await, "", "{begin}");
    }
    server.stop();
    within("the server to end", serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_is_not_trusted_cannot_connect_where_a_header_is_asked_for() {
    let server = with(&[("trustedProxies", "10.0.0.0/8"), ("proxyProtocol", "true")]).await;
    for text in
        ["PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]
    {
        let mut raw = Raw::connect(server.address).await;
        raw.write(text).await;
        assert_eq!(raw.read_to_end().await, "");
    }
}

#[tokio::test]
async fn where_nobody_could_connect_nothing_is_served() {
    let mut config = Config::default();
    config.set_options([("proxyProtocol", "true")]).unwrap();
    let server = Server::builder().config(config).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = within("the refusal", server.serve(listener)).await.unwrap_err();
    assert!(error.to_string().contains("trustedProxies"), "{error}");
}
