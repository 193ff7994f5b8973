//! `/meta/connect`: the heart-beat. Whether it is held is for its transport to ask.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, ConnectionType, Message, Reconnect,
    implement::ahead,
    server::{Removal, ServerMessage},
};
use serde_json::json;

use crate::{
    pipeline::Refusal,
    proto::{queue::Since, session::Accepted},
    server::Server,
    session::{Ack, Session},
};

impl Server {
    pub(super) fn connect(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<Accepted, Refusal> {
        // Some encoders know no whole numbers, and write 2.0 for 2.
        let ack = message.ext_field("ack").and_then(|ack| ack.as_f64());
        let since = match message.ext_field(ahead::EXT) == Some(json!(true)) {
            true => Since::MayBeLost,
            false => Since::OnItsWay,
        };
        // It saturates: -1 is what a client sends that has got no batch yet.
        let ack = ack.map(|batch| Ack { batch: batch as u64, since });
        let accepted = session.connect(message.advice.as_ref(), ack);
        let Some(accepted) = accepted else {
            self.0.counters.unknown_expired.increment();
            let error = Refusal::from(BayeuxError::SessionUnknown);
            self.refuse(error, message);
            advise_removed(session, message.reply_mut());
            return Err(Refusal::Answered);
        };
        message.reply_mut().successful = Some(true);
        Ok(accepted)
    }

    /// Gives the reply to a connect its advice, when it goes out.
    pub(crate) fn complete_connect(
        &self,
        session: &Session,
        transport: ConnectionType,
        reply: &mut Message,
    ) {
        let absence = session.tell_dismissal(self.0.is_stopped());
        if let Some(absence) = absence.filter(|_| session.removal().is_none()) {
            let mut advice = self.advise_handshake(Some(transport));
            advice.interval = i64::try_from(absence.as_millis()).ok();
            reply.advice = Some(advice);
            // CometD's JavaScript library takes the advice of a handshake only from a connect that fails.
            reply.fail(&BayeuxError::ConnectUnavailable);
            return;
        }
        if reply.advice.is_none() {
            reply.advice = session.take_advice(Some(transport));
        }
        advise_removed(session, reply);
    }
}

/// Tells the client of a session that was ended on purpose to stay away. One that expired, or could
/// not keep up, may come back with a handshake.
fn advise_removed(session: &Session, reply: &mut Message) {
    if let Some(Removal::Disconnected | Removal::Removed) = session.removal() {
        reply.advice_mut().reconnect = Some(Reconnect::None);
    }
}
