//! Starting a server with options and without: CometD's names, and what they do.

use bayeux_server::{Config, OptionError, Server, api::ConnectionType};
use serde_json::json;
use tests::{TestServer, Transport, over_every_transport};

over_every_transport!(
    without_options_a_server_has_the_defaults,
    options_have_cometds_names,
    the_option_of_the_transport_counts,
    the_transports_are_chosen,
);

async fn with(options: &[(&str, &str)]) -> TestServer {
    let mut config = Config::default();
    config.set_options(options.iter().copied()).unwrap();
    TestServer::serve(Server::builder().config(config).build()).await
}

async fn without_options_a_server_has_the_defaults(transport: Transport) {
    let server = TestServer::serve(Server::new()).await;
    let reply = server.client(transport).await.handshake().await;
    let advice = json!({ "reconnect": "retry", "interval": 0, "timeout": 20_000 });
    assert_eq!(reply["advice"], advice);
    assert_eq!(server.server.config(), &Config::default());
}

async fn options_have_cometds_names(transport: Transport) {
    let server = with(&[
        ("timeout", "300"),
        ("interval", "7"),
        ("maxInterval", "5000"),
        ("handshakeReconnect", "true"),
        ("broadcastToPublisher", "false"),
    ])
    .await;
    let mut client = server.client(transport).await;
    let reply = client.handshake().await;
    let advice =
        json!({ "reconnect": "retry", "interval": 7, "timeout": 300, "maxInterval": 5000 });
    assert_eq!(reply["advice"], advice);
    assert!(!server.session(&client).is_broadcast_to_publisher());
}

async fn the_option_of_the_transport_counts(transport: Transport) {
    let server = with(&[
        ("ws.interval", "1"),
        ("long-polling.json.interval", "2"),
        ("long-polling.jsonp.interval", "3"),
        ("long-polling.interval", "4"),
        ("interval", "5"),
    ])
    .await;
    let expected = match transport.connection_type() {
        ConnectionType::WebSocket => 1,
        ConnectionType::CallbackPolling => 3,
        ConnectionType::LongPolling | ConnectionType::InProcess => 2,
        other => panic!("{other} is not tested"),
    };
    let reply = server.client(transport).await.handshake().await;
    assert_eq!(reply["advice"]["interval"], expected);
}

async fn the_transports_are_chosen(transport: Transport) {
    let own = transport.connection_type();
    if own == ConnectionType::InProcess {
        return;
    }
    let server = with(&[("allowedTransports", own.as_str())]).await;
    assert_eq!(server.server.allowed_transports(), [own]);
    let reply = server.client(transport).await.handshake().await;
    assert_eq!(reply["supportedConnectionTypes"], json!([own.as_str()]));
}

#[test]
fn a_wrong_option_makes_no_server() {
    for (name, value) in [("timeOut", "1"), ("timeout", "soon"), ("allowedTransports", "flash")] {
        let set = Config::default().set_options([(name, value)]);
        assert!(
            matches!(set, Err(OptionError::Unknown { .. } | OptionError::Value { .. })),
            "{name}"
        );
    }
}
