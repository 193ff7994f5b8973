//! Whatever an option is set to, it is refused with its bounds, or the server serves.

use std::time::Duration;

use bayeux_server::{Config, ConfigOption, OptionError, ServeConfig, Server, serve};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Version;
use tests::{Http, TestServer, open_websocket, panics, upgrade_request, within};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message as Frame;

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake","id":"1","version":"1.0",
    "supportedConnectionTypes":["long-polling","websocket","callback-polling"]}]"#;

/// Returns what is tried on an option, and whether it has to be refused.
fn values(option: &ConfigOption) -> Vec<(String, Option<bool>)> {
    let mut values: Vec<_> =
        ["-1", "0", "1", "", "none", "a b", "\r\n"].map(|value| (value.to_owned(), None)).into();
    if let Some((least, most)) = option.bounds() {
        values.extend([(least.to_string(), Some(false)), (most.to_string(), Some(false))]);
        let too_many = [most + 1, u64::try_from(i64::MAX).unwrap(), u64::MAX];
        values.extend(too_many.map(|number| (number.to_string(), Some(true))));
        values.extend(["soon", "1.5", "1e3"].map(|text| (text.to_owned(), Some(true))));
    }
    values
}

/// Has a server answer a request and what comes over a WebSocket, be it by a refusal, but by no failure.
async fn serves(config: Config, what: &str) {
    let server = TestServer::serve(Server::builder().config(config).try_build().unwrap()).await;
    let http = Http::new(server.address);
    let response = within("a response", http.post("/", &[], HANDSHAKE)).await.unwrap();
    assert!(response.status().as_u16() < 500, "{what}: {response:?}");
    let request = upgrade_request(server.address, Version::HTTP_11, "/");
    match open_websocket(server.address, request).await {
        Ok((mut socket, _)) => {
            // The server may have closed it before, which it says all the same.
            let _ = socket.send(Frame::text(HANDSHAKE)).await;
            let reply = async {
                loop {
                    // A server that pings at once may do so before.
                    match socket.next().await {
                        Some(Ok(Frame::Ping(_))) => {}
                        other => return other,
                    }
                }
            };
            match within("a reply or the end", reply).await {
                Some(Ok(Frame::Text(_))) => {}
                Some(Ok(Frame::Close(Some(close)))) => {
                    // 1011 is the code of a text that is too deep, too.
                    assert_ne!(close.reason.as_str(), "the server failed", "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        Err(refusal) => assert!(refusal.status().as_u16() < 500, "{what}: {refusal:?}"),
    }
}

#[tokio::test]
async fn every_value_is_refused_with_its_bounds_or_serves() {
    panics::watch();
    for option in Config::options() {
        for (value, is_refused) in values(option) {
            let (name, mut config) = (option.name(), Config::default());
            let outcome = config.set_options([(&name, &value)]);
            if let Some(is_refused) = is_refused {
                assert_eq!(outcome.is_err(), is_refused, "{name}={value}: {outcome:?}");
            }
            match outcome {
                Ok(()) => serves(config, &format!("{name}={value}")).await,
                Err(error) => {
                    assert!(matches!(error, OptionError::Value { .. }), "{error}");
                    assert!(error.to_string().contains(&option.takes()), "{error}");
                }
            }
            assert_eq!(panics::count(), 0, "{name}={value}");
        }
    }
}

#[tokio::test]
async fn nonsense_in_code_is_refused_or_brought_within_bounds() {
    panics::watch();
    let mut config = Config::default();
    config.ws.buffer_size = usize::MAX;
    config.sweep_period = Duration::ZERO;
    config.max_depth = 0;
    config.callback_polling.meta_connect_deliver_only = false;
    let refused = Server::builder().config(config.clone()).try_build();
    assert!(matches!(refused, Err(OptionError::Value { .. })), "{refused:?}");
    let server = Server::builder().config(config).build();
    assert!(server.config().callback_polling.meta_connect_deliver_only);
    serves(server.config().clone(), "nonsense").await;
    assert_eq!(panics::count(), 0);
}

#[tokio::test]
async fn connections_may_be_treated_with_all_patience_or_none() {
    panics::watch();
    for (time, count) in [(Duration::MAX, usize::MAX), (Duration::ZERO, 0)] {
        let server = Server::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = ServeConfig::default();
        (config.header_timeout, config.write_timeout, config.stop_timeout) = (time, time, time);
        config.buffer_size = count;
        config.max_concurrent_streams = u32::try_from(count).unwrap_or(u32::MAX);
        let (served, service) = (server.clone(), server.service());
        let serving =
            tokio::spawn(async move { serve(&served, listener, service, config).await.unwrap() });
        let http2 = Http::http2(address).await;
        for http in [Http::new(address), http2] {
            let answer = within("an answer", http.post("/", &[], HANDSHAKE)).await;
            assert!(answer.is_ok() || time.is_zero(), "{answer:?}");
        }
        server.stop();
        within("the server to end", serving).await.unwrap();
        assert_eq!(panics::count(), 0, "{time:?}");
    }
}
