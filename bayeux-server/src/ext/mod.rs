//! The extensions that CometD ships, its `org.cometd.server.ext`.
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! use bayeux_server::{Server, ext::{Activity, ActivityExtension, TimesyncExtension}};
//!
//! let server = Server::new();
//! server.add_extension(Arc::new(TimesyncExtension::default())).keep();
//! let idle = Duration::from_secs(15 * 60);
//! server.add_extension(Arc::new(ActivityExtension::new(Activity::Client, idle))).keep();
//! ```
//!
//! Acknowledgement is the server's own affair, and is switched on in its
//! [`Config`](crate::Config::acknowledgements).

mod activity;
mod timestamp;
mod timesync;

pub use self::{
    activity::{Activity, ActivityExtension},
    timestamp::TimestampExtension,
    timesync::TimesyncExtension,
};
