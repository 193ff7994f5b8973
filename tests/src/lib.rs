//! A Bayeux server on a real port, and small clients of our own for every transport, which send and
//! return plain JSON so that a test sees what is on the wire.
//!
//! ```
//! use serde_json::json;
//! use tests::{TestServer, Transport, over_every_transport};
//!
//! async fn subscriber_receives_what_is_published(transport: Transport) {
//!     let server = TestServer::start(|_| {}).await;
//!     let mut client = server.connected(transport).await;
//!     client.subscribe("/chat").await;
//!     client.publish("/chat", json!("hello")).await;
//!     assert_eq!(client.message_on("/chat").await["data"], "hello");
//! }
//! over_every_transport!(subscriber_receives_what_is_published);
//! ```
//!
//! Every wait has a [deadline](DEADLINE) and says what it waited for.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod bayeux_client;
mod client;
pub mod cloud_hub;
pub mod cloud_scene;
pub mod cluster;
mod cost;
mod errors;
mod hangs;
pub mod hooks;
mod http;
pub mod hub;
pub mod lossy;
pub mod panics;
pub mod raw;
pub mod scripted;
mod server;
mod wait;
mod websocket;

pub use bayeux_client::{TRANSPORTS, arrive, brisk_client};
pub use client::{Arrival, Client, Transport};
pub use cluster::TestNode;
pub use cost::Cost;
pub use errors::Errors;
pub use hangs::{Hangs, HangsAtEnds};
pub use http::{Browser, Http};
pub use server::{TestServer, brisk, every_transport};
pub use wait::{AGES, DEADLINE, eventually, patient, patiently, within};
pub use websocket::{WebSocket, open_websocket, upgrade_request};

/// Makes a test of each of the given functions for each transport over which clients come.
#[macro_export]
macro_rules! over_every_transport {
    ($($name:ident),+ $(,)?) => {
        $crate::over_transports!([
            websocket: WebSocket,
            websocket_over_http2: WebSocketOverHttp2,
            long_polling: LongPolling,
            long_polling_over_http2: LongPollingOverHttp2,
            callback_polling: CallbackPolling,
            in_process: InProcess,
        ] $($name),+);
    };
}

/// Makes a test of each of the given functions for each transport that answers one request with one
/// response over HTTP.
#[macro_export]
macro_rules! over_http {
    ($($name:ident),+ $(,)?) => {
        $crate::over_transports!([
            long_polling: LongPolling,
            long_polling_over_http2: LongPollingOverHttp2,
            callback_polling: CallbackPolling,
        ] $($name),+);
    };
}

/// Makes a test of each of the given functions for WebSocket, over HTTP/1.1 and HTTP/2.
#[macro_export]
macro_rules! over_websocket {
    ($($name:ident),+ $(,)?) => {
        $crate::over_transports!([
            websocket: WebSocket,
            websocket_over_http2: WebSocketOverHttp2,
        ] $($name),+);
    };
}

/// Makes a test of each of the given functions for each of the given transports.
#[macro_export]
macro_rules! over_transports {
    ($transports:tt $($name:ident),+) => {
        $($crate::over_transports!(@one $name $transports);)+
    };
    (@one $name:ident [$($test:ident: $transport:ident),+ $(,)?]) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$name($crate::Transport::$transport).await;
                }
            )+
        }
    };
}

/// The README's examples, which are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The guide's examples, which are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/clustering.md")]
struct Clustering;
