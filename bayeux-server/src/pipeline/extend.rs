//! The extensions of the server and of the session, inward in order and outward in reverse.

use std::sync::Arc;

use bayeux_api::{
    Flow, Message,
    server::{ServerMessage, ServerSession},
};

use crate::{pipeline::Refusal, server::Server, session::Session};

impl Server {
    /// Shows an incoming message to the server's extensions, then to the session's.
    pub(super) async fn extend_incoming(
        &self,
        session: Option<&Arc<Session>>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        if !self.0.extensions.is_empty() {
            let from = session.map(Session::as_dyn);
            for extension in self.0.extensions.snapshot().iter() {
                proceed(extension.incoming(from.as_ref(), message).await)?;
            }
        }
        if let Some((session, hooks)) = session.and_then(|s| Some((s, s.hooks()?))) {
            let session = session.as_dyn();
            for extension in hooks.extensions.snapshot().iter() {
                proceed(extension.incoming(&session, message).await)?;
            }
        }
        Ok(())
    }

    /// Shows a reply to the extensions, which may drop it.
    pub(crate) async fn extend_reply(
        &self,
        session: Option<&Arc<Session>>,
        reply: &mut Message,
    ) -> Flow {
        let seen = session.map(Session::as_dyn);
        if self.extend_outgoing(seen.as_ref(), seen.as_ref(), reply).await == Flow::Stop {
            return Flow::Stop;
        }
        if let (Some(hooks), Some(seen)) = (session.and_then(|s| s.hooks()), &seen) {
            for extension in hooks.extensions.snapshot().iter().rev() {
                if extension.outgoing_reply(seen, reply).await == Flow::Stop {
                    return Flow::Stop;
                }
            }
        }
        Flow::Continue
    }

    /// Shows an outgoing message to the server's extensions.
    pub(crate) async fn extend_outgoing(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        if self.0.extensions.is_empty() {
            return Flow::Continue;
        }
        for extension in self.0.extensions.snapshot().iter().rev() {
            if extension.outgoing(from, to, message).await == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }
}

pub(super) fn proceed(flow: Flow) -> Result<(), Refusal> {
    match flow {
        Flow::Continue => Ok(()),
        Flow::Stop => Err(Refusal::Deleted),
    }
}
