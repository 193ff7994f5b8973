//! `BayeuxClient`s of a test's server.

use std::time::Duration;

use bayeux_client::{BayeuxClient, Builder, State, api::ConnectionType};

use crate::{AGES, DEADLINE, TestServer, within};

/// The transports that a `BayeuxClient` has.
pub const TRANSPORTS: [ConnectionType; 3] =
    [ConnectionType::WebSocket, ConnectionType::LongPolling, ConnectionType::InProcess];

impl TestServer {
    /// Starts making a client that comes over `transport` alone.
    pub fn builder(&self, transport: ConnectionType) -> Builder {
        let builder = BayeuxClient::builder().transports(&[transport]);
        if transport == ConnectionType::InProcess {
            builder.in_process(self.server.in_process())
        } else {
            builder.url(&self.url())
        }
    }

    /// Returns the address for clients.
    pub fn url(&self) -> String {
        format!("http://{}/cometd", self.address)
    }

    /// Returns a client that comes over `transport` alone, and is connected.
    pub async fn bayeux_client(&self, transport: ConnectionType) -> BayeuxClient {
        let client = self.builder(transport).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        client
    }
}

/// Waits until the client is in `state`, or in one that implies it.
///
/// # Panics
///
/// When it takes longer than the [deadline](DEADLINE).
pub async fn arrive(client: &BayeuxClient, state: State) {
    let arrives = client.wait_for(DEADLINE, &[state]).await;
    assert!(arrives, "waited {DEADLINE:?} for {state}, and the client is {}", client.state());
}

/// Makes tests brisk: retries follow each other after 20 ms, and only after a failure, since replies are
/// waited for without end.
pub fn brisk_client() -> bayeux_client::Config {
    let mut config = bayeux_client::Config::default();
    config.backoff = bayeux_client::Backoff::Constant(Duration::from_millis(20));
    config.max_network_delay = Some(AGES);
    config
}

/// Makes a test of each of the given functions for each transport that a `BayeuxClient` has.
#[macro_export]
macro_rules! over_every_client_transport {
    ($($name:ident),+ $(,)?) => {
        $crate::over_client_transports!(
            [websocket: WebSocket, long_polling: LongPolling, in_process: InProcess] $($name),+
        );
    };
}

/// Makes a test of each of the given functions for WebSocket and for long-polling, the transports of a
/// `BayeuxClient` that have a network.
#[macro_export]
macro_rules! over_both {
    ($($name:ident),+ $(,)?) => {
        $crate::over_client_transports!([websocket: WebSocket, long_polling: LongPolling] $($name),+);
    };
}

/// Makes a test of each of the given functions for each of the given transports of a `BayeuxClient`.
#[macro_export]
macro_rules! over_client_transports {
    ($transports:tt $($name:ident),+) => {
        $($crate::over_client_transports!(@one $name $transports);)+
    };
    (@one $name:ident [$($test:ident: $transport:ident),+]) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$name(bayeux_client::api::ConnectionType::$transport).await;
                }
            )+
        }
    };
}
