//! The extensions that CometD ships, its `org.cometd.client.ext`.
//!
//! ```
//! # use std::sync::Arc;
//! use bayeux_client::{BayeuxClient, api::client::ClientSession as _, ext::TimesyncClientExtension};
//!
//! let client = BayeuxClient::new("https://example.com/cometd")?;
//! let timesync = Arc::new(TimesyncClientExtension::default());
//! client.add_extension(timesync.clone()).keep();
//! // Once it is connected:
//! println!("the server's clock shows {:?}", timesync.server_time());
//! # Ok::<(), bayeux_client::ConfigError>(())
//! ```
//!
//! Acknowledgement is the client's own affair, and is switched on in its
//! [`Config`](crate::Config::acknowledgements).

mod timestamp;
mod timesync;

pub use self::{timestamp::TimestampClientExtension, timesync::TimesyncClientExtension};
