//! The contracts of a client: a remote one, or a server's local session.

mod channel;
mod extension;
mod listener;
mod session;

pub use channel::{ClientSessionChannel, ReleasedError};
pub use extension::ClientExtension;
pub use listener::MessageListener;
pub use session::{ClientSession, RequestError};
