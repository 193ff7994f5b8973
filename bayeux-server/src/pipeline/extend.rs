//! The extensions of the server and of the session, inward in order and outward in reverse.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, Flow, Message,
    implement::Hook,
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
            let hook = Hook("ServerExtension::incoming", id(session));
            for extension in self.0.extensions.members().iter() {
                let shown = extension.wait(hook, |it| it.incoming(from.as_ref(), message));
                proceed(shown.await)?;
            }
        }
        if let Some((session, hooks)) = session.and_then(|s| Some((s, s.hooks()?))) {
            let (hook, seen) = (Hook("SessionExtension::incoming", session.id()), session.as_dyn());
            for extension in hooks.extensions.members().iter() {
                proceed(extension.wait(hook, |it| it.incoming(&seen, message)).await)?;
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
            let hook = Hook("SessionExtension::outgoing_reply", seen.id());
            for extension in hooks.extensions.members().iter().rev() {
                let shown = extension.wait(hook, |it| it.outgoing_reply(seen, reply));
                if shown.await != Some(Flow::Continue) {
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
        let hook = Hook("ServerExtension::outgoing", to.map_or("", |to| to.id()));
        for extension in self.0.extensions.members().iter().rev() {
            let shown = extension.wait(hook, |it| it.outgoing(from, to, message));
            if shown.await != Some(Flow::Continue) {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }
}

/// What a message meets after it was shown to somebody; none if that panicked, whatever was made of the
/// reply by then.
pub(super) fn proceed(flow: Option<Flow>) -> Result<(), Refusal> {
    match flow {
        Some(Flow::Continue) => Ok(()),
        Some(Flow::Stop) => Err(Refusal::Deleted),
        None => Err(BayeuxError::MessageDeleted.into()),
    }
}

fn id(session: Option<&Arc<Session>>) -> &str {
    session.map_or("", |session| session.id())
}
