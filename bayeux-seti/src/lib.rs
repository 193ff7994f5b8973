//! Who is where in a cluster of Bayeux servers, and how to reach them, on CometD's wire.

mod config;
mod engine;
mod error;
mod handshake;
mod lane;
mod listener;
mod participant;
mod proto;
mod sending;
mod session;
mod seti;
mod statistics;
mod stream;
mod telling;

pub use bayeux_oort as oort;

pub use config::SetiConfig;
pub use error::{AssociateError, SendMessageError, StartSetiError};
pub use handshake::Handshake;
pub use listener::{Presence, PresenceListener};
pub use sending::Sent;
pub use seti::{Location, Seti};
pub use statistics::SetiStatistics;
