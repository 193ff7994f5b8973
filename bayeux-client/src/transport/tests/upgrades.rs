//! Upgrades to WebSocket, and how servers refuse them.

use bayeux_api::client::FailureKind;

use super::*;

#[tokio::test]
async fn an_upgrade_has_cookies_and_headers() {
    let set = "Set-Cookie: b=2; Path=/\r\nRetry-After: 9\r\n";
    let answers = vec![
        response("401 Unauthorized", set, "who?"),
        response("503 Service Unavailable", "", ""),
    ];
    let (url, server) = server(answers).await;
    let mut config = NetworkConfig::default();
    config.headers.insert("x-a", ::http::HeaderValue::from_static("1"));
    config.websocket_protocol = Some("bayeux".to_owned());
    let network = Network::new(config).unwrap();
    let mut url = url;
    url.set_scheme("ws").unwrap();
    network.put_cookie(&url, "a=1; Path=/; HttpOnly");
    assert_eq!(network.cookie(&url, "a").as_deref(), Some("1"));

    let failure = within(network.open_websocket(&url)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Status);
    assert_eq!((failure.http_code, failure.websocket_code), (Some(401), Some(1002)));
    assert_eq!(failure.retry_after, Some(Duration::from_secs(9)));
    assert_eq!(failure.reason, "the server refused the WebSocket: it answered 401 Unauthorized");
    let failure = within(network.open_websocket(&url)).await.unwrap_err();
    assert_eq!((failure.http_code, failure.websocket_code), (Some(503), Some(1002)));

    let requests = server.await.unwrap();
    let header = |name| requests[0].header(name);
    assert!(requests[0].head.starts_with("GET /cometd HTTP/1.1\r\n"), "{}", requests[0].head);
    assert_eq!(header("host"), Some(url.authority().to_owned()));
    assert_eq!(header("connection").as_deref(), Some("Upgrade"));
    assert_eq!(header("upgrade").as_deref(), Some("websocket"));
    assert_eq!(header("sec-websocket-version").as_deref(), Some("13"));
    assert_eq!(header("sec-websocket-protocol").as_deref(), Some("bayeux"));
    assert_eq!(header("cookie").as_deref(), Some("a=1"));
    assert_eq!(header("x-a").as_deref(), Some("1"));
    assert!(header("user-agent").unwrap().starts_with("bayeux-client/"));
    assert_eq!(requests[1].header("cookie").as_deref(), Some("a=1; b=2"));
}

#[tokio::test]
async fn what_is_no_upgrade_is_told() {
    for (answer, kind) in [
        (ok(), FailureKind::Status),
        (String::new(), FailureKind::Closed),
        ("HTTP/1.1 101 Switch".to_owned(), FailureKind::Closed),
        ("SSH-2.0\r\n\r\n".to_owned(), FailureKind::Invalid),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), FailureKind::Invalid),
    ] {
        let (url, server) = server(vec![answer.clone()]).await;
        let failure = within(network().open_websocket(&url)).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{answer}: {failure}");
        server.await.unwrap();
    }
}
