//! Objects that every node has a part of, and sees all parts of.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use bayeux_oort::{Oort, OortStringMap, ShareError};
//! async fn log_in(oort: &Oort) -> Result<(), Box<dyn std::error::Error>> {
//!     let users = OortStringMap::<u64>::start(oort, "users").await?;
//!     let shared = users.put_and_share("alice".to_owned(), 1).await?;
//!     assert_eq!(shared.value(), &None);
//!     // The other nodes have it as soon as it has got there; who has to know waits.
//!     shared.applied().await?;
//!     assert_eq!(users.find("alice"), Some(1));
//!     Ok(())
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What is guaranteed: a node's part changes on all others in the order of its changes, none is left out for
//! long, and a node that joins has all parts soon. Parts of different nodes have no common order. A part goes
//! with its node.

mod broadcasts;
mod encoding;
mod engine;
mod error;
mod list;
mod listener;
mod long;
mod map;
pub mod mergers;
mod participant;
mod plain;
mod reading;
mod shape;
mod shared;
mod tasks;
mod telling;
mod tellings;

pub use error::{ObjectError, ShareError};
pub use list::{ElementDeltas, ElementListener, OortList};
pub use listener::{Malformed, OortObjectListener};
pub use long::OortLong;
pub use map::{EntryDeltas, EntryListener, MapKey, OortLongMap, OortMap, OortStringMap};
pub use mergers::Merger;
pub use plain::OortObject;
pub use shape::Shareable;
pub use shared::{Applied, Shared};

pub use crate::proto::{
    info::Info,
    list::Elements,
    map::{Entries, Entry},
    statistics::ObjectStatistics,
};
