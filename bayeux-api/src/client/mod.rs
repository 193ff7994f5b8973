//! The contracts of a client: a remote one, or a server's local session.

mod channel;
mod extension;
mod failure;
mod in_process;
mod listener;
mod session;

pub use channel::{ClientSessionChannel, ReleasedError};
pub use extension::ClientExtension;
pub use failure::{FailureKind, TransportFailure};
pub use in_process::InProcess;
pub use listener::MessageListener;
pub use session::{ClientSession, RequestError};
