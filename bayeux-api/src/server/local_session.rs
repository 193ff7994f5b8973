//! A client that lives inside the server.

use std::sync::Arc;

use crate::{client::ClientSession, server::ServerSession};

/// A session of the server's own code, with the whole API of a client. The policy, the
/// extensions and the listeners apply to it as to any other; it has no heart-beat and does not
/// expire.
pub trait LocalSession: ClientSession {
    /// Returns the server's end of this session; none before the handshake.
    #[doc(alias = "getServerSession")]
    fn server_session(&self) -> Option<Arc<dyn ServerSession>>;
}
