//! The way through a proxy, for every kind of URL.

use bayeux_api::client::FailureKind;
use tokio_tungstenite::accept_async;

use super::{secure::Authority, *};
use crate::transport::settings::Proxy;

/// Starts a proxy that wants a password and connects every tunnel to `server`, whatever its target is.
/// It returns the targets.
async fn proxy(server: Url, tunnels: usize) -> (Proxy, JoinHandle<Vec<String>>) {
    let (listener, url) = listen().await;
    let task = tokio::spawn(async move {
        let mut targets = Vec::new();
        while targets.len() < tunnels {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await.unwrap();
            // "user:pass word"
            let expected = Some("Basic dXNlcjpwYXNzIHdvcmQ=".to_owned());
            assert_eq!(request.header("proxy-authorization"), expected);
            let line = request.head.lines().next().unwrap();
            let target = line.strip_prefix("CONNECT ").unwrap().strip_suffix(" HTTP/1.1").unwrap();
            targets.push(target.to_owned());
            assert_eq!(request.header("host").as_deref(), Some(target));
            stream.write_all(b"HTTP/1.1 200 Connection established\r\nA: b\r\n\r\n").await.unwrap();
            let mut onward = TcpStream::connect(server.authority()).await.unwrap();
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
        targets
    });
    (Proxy::new(url.as_str()).with_credentials("user", "pass word"), task)
}

fn through(proxy: Proxy, authority: &Authority) -> Network {
    let config =
        NetworkConfig { proxy: Some(proxy), tls: authority.tls(), ..NetworkConfig::default() };
    Network::new(config).unwrap()
}

#[tokio::test]
async fn http_goes_through_the_proxy() {
    let (url, server) = server(vec![ok()]).await;
    let (proxy, targets) = proxy(url, 1).await;
    let network = through(proxy, &Authority::new());
    // The name is the proxy's to resolve, and the port is said even if the URL does not say it.
    let url = Url::parse("http://server.invalid/cometd").unwrap();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    assert_eq!(within(targets).await.unwrap(), ["server.invalid:80"]);
    let requests = server.await.unwrap();
    assert!(requests[0].head.starts_with("POST /cometd HTTP/1.1"), "{}", requests[0].head);
    assert_eq!(requests[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn https_goes_through_the_proxy() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&[], false);
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        answer_one(&mut acceptor.accept(stream).await.unwrap()).await;
    });
    let (proxy, targets) = proxy(url, 1).await;
    let network = through(proxy, &authority);
    let url = Url::parse("https://127.0.0.1/cometd").unwrap();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    within(server).await.unwrap();
    assert_eq!(within(targets).await.unwrap(), ["127.0.0.1:443"]);
}

#[tokio::test]
async fn websockets_go_through_the_proxy() {
    let authority = Authority::new();
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = accept_async(stream).await.unwrap();
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut peer).await {}
    });
    let (proxy, targets) = proxy(url, 1).await;
    let network = through(proxy, &authority);
    let url = Url::parse("ws://server.invalid:8080/cometd").unwrap();
    let socket = within(network.open_websocket(&url)).await.unwrap();
    within(socket.close(1000, "bye")).await;
    within(server).await.unwrap();
    assert_eq!(within(targets).await.unwrap(), ["server.invalid:8080"]);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let (listener, url) = listen().await;
    let authority = url.authority().to_owned();
    let proxy = tokio::spawn(async move {
        for answer in ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "nonsense\r\n\r\n", ""]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let network = through(Proxy::new(url.as_str()), &Authority::new());
    let url = Url::parse("http://server.invalid/cometd").unwrap();
    let failure = within(network.post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!((failure.kind, failure.http_code), (FailureKind::Status, Some(407)));
    assert_eq!(
        failure.reason,
        format!(
            "the proxy {authority} answered 407 Proxy Authentication Required to CONNECT \
             server.invalid:80"
        )
    );
    for _ in 0..2 {
        let failure = within(network.open_websocket(&url)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    }
    within(proxy).await.unwrap();
    let failure = within(network.post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.reason, format!("connection refused by the proxy {authority}"));
}
