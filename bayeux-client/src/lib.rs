//! The Bayeux client: [`BayeuxClient`], with the capabilities of CometD's Java client.
//!
//! It handshakes, connects and stays connected: over WebSocket or long-polling, whichever works,
//! through outages and restarts of servers, as their advice says. What is asked of it is answered
//! exactly once.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bayeux_client::BayeuxClient;
//!
//! let client = BayeuxClient::new("https://example.com/cometd")?;
//! client.handshake().await?;
//! let mut news = client.channel("/news")?.subscribe().await?;
//! while let Some(message) = news.next().await {
//!     println!("{:?}", message.data);
//! }
//! # Ok(())
//! # }
//! ```

mod backoff;
mod builder;
mod changes;
mod channel;
mod client;
mod config;
mod dispatch;
mod driver;
pub mod ext;
mod failure;
mod hooks;
mod members;
mod proto;
mod reply;
mod shared;
mod state;
mod transport;
mod weight;

pub use bayeux_api as api;

pub use backoff::Backoff;
pub use builder::{Builder, ConfigError};
pub use changes::StateChanges;
pub use channel::{Channel, Messages, Subscribing};
pub use client::{Batch, BayeuxClient};
pub use config::Config;
pub use failure::FailureInfo;
pub use hooks::{Credentials, TransportListener};
pub use reply::Reply;
pub use state::State;
pub use transport::settings::{Http2, HttpHook, NetworkConfig, NetworkConfigError, Proxy, Tls};
