//! The path of a message past the application's code, in the order of the protocol.
//!
//! What every message meets, whatever it is: the checks of its fields, the server's extensions, the
//! session's, the session itself, its channel, the policy and the authorizers, the channel's
//! listeners; then it is published, or answered by the handler of its meta channel. A refusal is an
//! `Err` on the way, and becomes the reply in [`Server::handle`] alone.

mod authorize;
mod connect;
mod disconnect;
mod extend;
mod handshake;
mod publish;
mod receive;
mod strip;
mod subscribe;
mod tell;
mod unsubscribe;
mod validate;

use std::{net::SocketAddr, sync::Arc};

use bayeux_api::{Advice, BayeuxError, ConnectionType, Message, meta, server::ServerMessage};
use tracing::field::display;

use crate::{
    pipeline::{
        strip::strip,
        validate::{Kind, channel_after},
    },
    proto::session::Accepted,
    server::Server,
    session::Session,
};

/// Why a message goes no further.
pub(crate) enum Refusal {
    /// The protocol has an error for it.
    Error(BayeuxError),
    /// An extension or a listener stopped it, and may have completed the reply.
    Deleted,
    /// The reply is complete.
    Answered,
}

impl From<BayeuxError> for Refusal {
    fn from(error: BayeuxError) -> Self {
        Self::Error(error)
    }
}

impl Server {
    /// Takes one message along its way, which completes its reply; returns the connect it was, if it was
    /// one. `session` is the one its request is of, whatever its `clientId` says.
    pub(crate) async fn handle(
        &self,
        session: Option<&Arc<Session>>,
        message: &mut ServerMessage,
    ) -> Option<Accepted> {
        self.drive();
        let inside = self.0.doors.enter();
        self.0.counters.messages_received.increment();
        tracing::trace!(channel = message.channel(), id = ?message.id, "message received");
        match self.receive(session, message, inside.is_none()).await {
            Ok(connect) => connect,
            Err(refusal) => {
                self.refuse(refusal, message);
                None
            }
        }
    }

    async fn receive(
        &self,
        session: Option<&Arc<Session>>,
        message: &mut ServerMessage,
        is_late: bool,
    ) -> Result<Option<Accepted>, Refusal> {
        let (id, kind) = (self.validate(message)?, Kind::of(message));
        let session = session.filter(|session| is_from(session, message));
        let is_relayed = !id.is_meta();
        if is_relayed {
            strip(message);
        }
        self.extend_incoming(session, message).await?;
        let id = channel_after(id, kind, message)?;
        if !is_relayed && !id.is_meta() {
            strip(message);
        }
        if message.is_handshake() {
            let session = session.ok_or(BayeuxError::SessionUnknown)?;
            self.notify(Some(session), &self.0.channels.matching(&id), message).await?;
            self.handshake(session, message).await?;
            return Ok(None);
        }
        let session = session.filter(|session| session.is_handshook());
        let Some(session) = session else {
            self.count_unknown(message);
            return Err(BayeuxError::SessionUnknown.into());
        };
        if !message.is_connect() {
            session.touch();
        }
        if !id.is_meta() {
            self.publish(session, &id, message, is_late).await?;
            return Ok(None);
        }
        let (_, channels) = self.find_all_or_create_for(session, &id, message).await?;
        self.notify(Some(session), &channels, message).await?;
        match id.as_str() {
            meta::CONNECT => return self.connect(session, message).map(Some),
            meta::SUBSCRIBE => self.subscribe(session, message).await?,
            meta::UNSUBSCRIBE => self.unsubscribe(session, message).await?,
            meta::DISCONNECT => self.disconnect(session, message).await?,
            _ => return Err(BayeuxError::ChannelMissing.into()),
        }
        Ok(None)
    }

    fn refuse(&self, refusal: Refusal, message: &mut ServerMessage) {
        match refusal {
            Refusal::Answered => {}
            Refusal::Deleted => message.delete(),
            Refusal::Error(error) => {
                let (channel, address) = (message.channel(), address_of(message).map(display));
                tracing::debug!(channel, address, %error, "message refused");
                if error == BayeuxError::SessionUnknown {
                    message.reply_mut().advice = Some(self.advise_handshake(message.transport()));
                }
                message.reply_mut().fail(&error);
            }
        }
        if message.is_handshake() {
            self.0.counters.handshakes_refused.increment();
        }
    }

    /// The advice of an unknown session: start again from a handshake, at once. CometD gives it to
    /// handshakes and connects only; with it in every reply a client need not guess.
    pub(super) fn advise_handshake(&self, transport: Option<ConnectionType>) -> Advice {
        let config = self.0.config.transport(transport.unwrap_or(ConnectionType::InProcess));
        let timeout = i64::try_from(config.timeout.as_millis()).ok();
        let mut advice = Advice::handshake();
        advice.timeout = timeout;
        advice
    }

    /// Counts why a session is not known; other browsers' are told by the transport.
    fn count_unknown(&self, message: &Message) {
        let counters = &self.0.counters;
        match &message.client_id {
            Some(id) if self.0.sessions.get(id).is_some_and(|session| session.is_handshook()) => {
                counters.unknown_other_browser.increment();
            }
            Some(id) if self.0.ids.is_own(id) => counters.unknown_expired.increment(),
            Some(_) | None => counters.unknown_never_seen.increment(),
        }
    }
}

/// Whether `message` says that it is of `session`; a handshake has not been told yet whose it is.
fn is_from(session: &Session, message: &Message) -> bool {
    message.is_handshake() || message.client_id.as_deref() == Some(session.id())
}

/// From where a message comes, if whoever accepted the connection told it.
fn address_of(message: &ServerMessage) -> Option<SocketAddr> {
    message.context()?.remote_address
}
