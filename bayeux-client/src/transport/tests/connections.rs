//! Connections: made, kept, refused and given up.

use bayeux_api::client::FailureKind;

use super::*;
use crate::transport::settings::{NetworkConfigError, Proxy, Tls};

fn is_static<F: Future + Send + 'static>(future: F) -> F {
    future
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let (listener, url) = listen().await;
    drop(listener);
    let failure = within(network().post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.reason, format!("connection refused by {}", url.authority()));
    let failure = within(network().open_websocket(&url)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.websocket_code, None);
}

#[tokio::test]
async fn an_unknown_host_is_unreachable() {
    let url = Url::parse("http://no-such-host.invalid/cometd").unwrap();
    let failure = within(network().post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.reason.contains("no-such-host.invalid:80"), "{failure}");
}

#[tokio::test]
async fn an_unknown_scheme_is_unreachable() {
    let url = Url::parse("ftp://127.0.0.1/cometd").unwrap();
    let failure = within(network().post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    let failure = within(network().open_websocket(&url)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
}

#[tokio::test]
async fn connecting_takes_no_longer_than_allowed() {
    // The connection is there, but nobody ever answers to TLS or to the upgrade.
    let (listener, url) = listen().await;
    let config =
        NetworkConfig { connect_timeout: Duration::from_millis(50), ..NetworkConfig::default() };
    let network = Network::new(config).unwrap();
    let secure = Url::parse(&url.as_str().replace("http", "https")).unwrap();
    let failure = within(network.post(&secure, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    let reason = format!("no connection to {} within 50ms", url.authority());
    assert_eq!(failure.reason, reason);
    let failure = within(network.open_websocket(&url)).await.unwrap_err();
    let reason = "the server did not answer the upgrade within 50ms".to_owned();
    assert_eq!((failure.kind, failure.reason), (FailureKind::Timeout, reason));
    drop(listener);
}

#[tokio::test]
async fn a_dropped_exchange_closes_its_connection() {
    let (listener, url) = listen().await;
    let network = network();
    let posting = network.clone();
    let posting = tokio::spawn(is_static(async move { posting.post(&url, b"[]".to_vec()).await }));
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    within(read_request(&mut stream)).await.unwrap();
    posting.abort();
    within(closed(&mut stream)).await;
}

#[tokio::test]
async fn a_dropped_upgrade_closes_its_connection() {
    let (listener, url) = listen().await;
    let network = network();
    let opening = is_static(async move { network.open_websocket(&url).await.map(drop) });
    let opening = tokio::spawn(opening);
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    within(read_request(&mut stream)).await.unwrap();
    opening.abort();
    within(closed(&mut stream)).await;
}

#[tokio::test]
async fn a_connection_is_kept_until_it_is_forgotten() {
    let (listener, url) = listen().await;
    let network = network();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer_one(&mut stream).await;
        answer_one(&mut stream).await;
        closed(&mut stream).await;
        let (mut stream, _) = listener.accept().await.unwrap();
        answer_one(&mut stream).await;
    });
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    network.close_idle();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    within(server).await.unwrap();
}

#[tokio::test]
async fn a_request_that_was_written_is_not_repeated() {
    let (listener, url) = listen().await;
    let network = network();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer_one(&mut stream).await;
        // The second request of a kept connection is read, and the connection closed without a word.
        read_request(&mut stream).await.unwrap();
        drop(stream);
        listener
    });
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    let failure = within(network.post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Closed);
    let listener = within(server).await.unwrap();
    let another = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(another.is_err(), "no other connection is made");
}

#[test]
fn wrong_settings_are_told_at_once() {
    let wrong = |change: fn(&mut NetworkConfig)| {
        let mut config = NetworkConfig::default();
        change(&mut config);
        Network::new(config).unwrap_err()
    };
    let error = wrong(|config| config.proxy = Some(Proxy::new("socks5://proxy:1080")));
    assert!(matches!(error, NetworkConfigError::Proxy { .. }), "{error}");
    let error = wrong(|config| config.tls = Tls::default().with_roots("no PEM"));
    assert!(matches!(error, NetworkConfigError::Roots(_)), "{error}");
    let error = wrong(|config| config.tls = Tls::default().without_system_roots());
    assert_eq!(error, NetworkConfigError::NoRoots);
    let error = wrong(|config| config.tls = Tls::default().with_identity("no", "PEM"));
    assert!(matches!(error, NetworkConfigError::Identity(_)), "{error}");
    let error = wrong(|config| config.websocket_protocol = Some("a, b".to_owned()));
    assert!(matches!(error, NetworkConfigError::WebSocketProtocol(_)), "{error}");
}
