//! `/meta/handshake`: a session starts.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, Reconnect,
    implement::{Hook, ahead, lock},
    server::ServerMessage,
};
use serde_json::json;
use tracing::field::display;

use crate::{
    clock,
    pipeline::{Refusal, address_of},
    server::Server,
    session::{Event, Noted, Session},
};

impl Server {
    pub(super) async fn handshake(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        self.refuse_if_draining(session, message)?;
        self.limit_handshakes(message)?;
        if let Some(policy) = self.policy() {
            let (hook, seen) =
                (Hook("SecurityPolicy::can_handshake", session.id()), session.as_dyn());
            if hook.wait(|| policy.can_handshake(self, &seen, message)).await != Some(true) {
                let advice = message.reply_mut().advice_mut();
                advice.reconnect.get_or_insert(Reconnect::None);
                return Err(BayeuxError::HandshakeDenied.into());
            }
        }
        // The policy may have taken its time.
        self.refuse_if_draining(session, message)?;
        if self.0.is_stopped() || !session.handshaken() {
            return Err(BayeuxError::HandshakeFailed.into());
        }
        // Between nodes each end says for itself whether it wants them.
        let may_acknowledge = self.0.config.acknowledgements || session.is_node();
        if may_acknowledge && message.ext_field("ack") == Some(json!(true)) {
            session.enable_acknowledgements(message.ext_field(ahead::EXT) == Some(json!(true)));
        }
        // Before anybody can find the session, and end it.
        let noted = match self.0.session_listeners.is_empty() {
            true => Noted::default(),
            false => session.note(Event::Added(message.clone())),
        };
        self.0.sessions.insert(session.clone());
        let address = address_of(message).map(display);
        tracing::debug!(session = session.id(), address, "session added");
        self.tell(session, noted, Some(message)).await;
        self.0.counters.handshakes.increment();
        self.complete_handshake(session, message);
        Ok(())
    }

    fn complete_handshake(&self, session: &Session, message: &mut ServerMessage) {
        let transport = message.transport();
        let allowed = &self.0.config.allowed_transports;
        let reply = message.reply_mut();
        reply.successful = Some(true);
        reply.client_id = Some(session.id().to_owned());
        reply.version = Some("1.0".to_owned());
        reply.minimum_version = Some("1.0".to_owned());
        reply.supported_connection_types = Some(allowed.iter().map(ToString::to_string).collect());
        if reply.advice.is_none() {
            reply.advice = session.take_advice(transport);
        }
        if session.is_acknowledged() {
            reply.ext_mut().insert("ack".to_owned(), json!(true));
            if session.sends_ahead() {
                reply.ext_mut().insert(ahead::EXT.to_owned(), json!(true));
            }
        }
    }

    /// Has a client come back later, when its address leads to another server.
    fn refuse_if_draining(
        &self,
        session: &Session,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        if !self.is_draining() || session.is_local_session() {
            return Ok(());
        }
        let advice = message.reply_mut().advice_mut();
        advice.reconnect = Some(Reconnect::Handshake);
        advice.interval = i64::try_from(self.draw_absence().as_millis()).ok();
        Err(BayeuxError::HandshakeUnavailable.into())
    }

    fn limit_handshakes(&self, message: &mut ServerMessage) -> Result<(), Refusal> {
        let limit = self.0.config.handshake_limit;
        if limit.count == 0 {
            return Ok(());
        }
        let Some(address) = address_of(message) else { return Ok(()) };
        let taken = lock(&self.0.limiter).take(address.ip(), limit, clock::now());
        taken.map_err(|wait| {
            self.0.counters.handshakes_limited.increment();
            let advice = message.reply_mut().advice_mut();
            advice.reconnect = Some(Reconnect::Handshake);
            advice.interval = i64::try_from(wait.as_millis()).ok();
            BayeuxError::HandshakeLimited.into()
        })
    }
}
