//! The Bayeux vocabulary: messages and their JSON, channel ids, advice and errors.
//!
//! Everything here is a plain value: no I/O, no clock, no runtime. The wire format is that of the
//! [Bayeux protocol 1.0](https://docs.cometd.org/current8/reference/#_bayeux) as CometD speaks it.
//!
//! ```
//! use bayeux_common::{Limits, decode};
//!
//! let body = br#"[{"channel":"/chat/room","clientId":"c1","data":{"text":"hello"}}]"#;
//! let messages = decode(body, &Limits::default())?;
//! assert_eq!(messages[0].channel(), "/chat/room");
//! assert_eq!(messages[0].data.as_ref().unwrap().text(), r#"{"text":"hello"}"#);
//! # Ok::<(), bayeux_common::DecodeError>(())
//! ```

mod advice;
mod channel_id;
mod connection_type;
mod data;
mod decode;
mod error;
mod frozen;
mod json;
mod message;
mod plain;
mod received;
pub mod z85;

pub use advice::{Advice, Reconnect};
pub use channel_id::{ChannelId, ChannelIdError, Wilds};
pub use connection_type::{ConnectionType, UnknownConnectionType};
pub use decode::{DecodeError, Limits, decode};
pub use error::{BayeuxError, UnknownError};
pub use frozen::{Frozen, encode, encode_into};
pub use json::Json;
pub use message::{Message, Subscription};
pub use received::ReceivedError;

/// The five meta channels, as they are named on the wire.
pub mod meta {
    /// Starts a session.
    pub const HANDSHAKE: &str = "/meta/handshake";
    /// The heart-beat that the server holds until there is something to deliver.
    pub const CONNECT: &str = "/meta/connect";
    /// Subscribes to one or several channels.
    pub const SUBSCRIBE: &str = "/meta/subscribe";
    /// Ends subscriptions.
    pub const UNSUBSCRIBE: &str = "/meta/unsubscribe";
    /// Ends the session.
    pub const DISCONNECT: &str = "/meta/disconnect";
}
