//! The Bayeux contracts: what an application calls, and what it supplies.
//!
//! The traits have CometD's names and can all be used as `dyn`. [`server`] has those of a server
//! and [`client`] those that every client has, a server's local session included. The vocabulary
//! of `bayeux-common` is re-exported, so that this crate alone is enough for an application's code.
//!
//! The traits of servers, sessions and channels are sealed: this project alone implements them, so that they
//! can get more methods. What an application supplies, from listeners to policies, gets new methods only
//! with a default.

mod attributes;
mod batch;
pub mod client;
#[doc(hidden)]
pub mod implement;
mod registration;
pub mod server;

pub use attributes::{Attribute, Attributes};
pub use batch::Batch;
pub use bayeux_common::*;
pub use registration::Registration;

/// Whether a message goes on. There is no third, so that this may be matched whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// On to the next.
    Continue,
    /// No further: the message is deleted.
    Stop,
}
