//! A Bayeux server: sessions, channels, security and the transports that browsers speak.
//!
//! [`Server`] is the handle. Its [`service`](Server::service) mounts in axum, in hyper, or in anything
//! else that takes a tower service; [`Server::serve`] needs none of them. It gives [`Channel`]s and
//! [`Session`]s, which are handles too. The contracts, from listeners to the security policy, are
//! `bayeux-api`'s, re-exported as [`api`]; as its traits a listener or policy gets the same handles.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bayeux_server::Server;
//!
//! let server = Server::new();
//! let mut echo = server.new_service("echo").await?;
//! echo.on_message("/service/echo", async |request| request.message.data)?;
//! server.create_channel_if_absent("/news")?.publish("up and running").await?;
//! server.serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?).await?;
//! # Ok(())
//! # }
//! ```

mod bayeux_server;
mod builder;
mod carrier;
mod channel;
mod clock;
mod cluster;
mod config;
mod counters;
mod doors;
mod drain;
mod driver;
mod exchange;
pub mod ext;
mod fan_out;
pub mod filter;
mod finish;
mod handle;
mod ids;
mod local_session;
mod pipeline;
mod policy;
mod proto;
mod server;
mod service;
mod session;
mod transport;

pub use bayeux_api as api;

pub use builder::Builder;
pub use channel::Channel;
pub use config::{
    Config, ConfigOption, CookieConfig, DrainConfig, HandshakeLimit, HttpConfig, JsonpConfig,
    Network, NetworkError, OptionError, ProxyConfig, SameSite, TransportConfig, WebSocketConfig,
};
pub use policy::DefaultSecurityPolicy;
pub use server::Server;
pub use service::{Request, Service};
pub use session::Session;
pub use transport::{
    BayeuxService, Body, InProcess, InProcessError, Peer, ResponseNotTaken, ServeConfig, serve,
};
