//! What arrives: replies find their requests, messages their listeners.

use std::time::Instant;

use bayeux_api::{
    ConnectionType, Message, Reconnect, client::RequestError, implement::ahead, meta,
};

use super::{Machine, Outcome, Output, Phase, Progress, What};

impl<T> Machine<T> {
    /// Takes messages that arrived over `transport`, in their order.
    pub(crate) fn received(
        &mut self,
        messages: Vec<Message>,
        transport: ConnectionType,
        now: Instant,
    ) {
        for message in messages {
            if matches!(self.phase, Phase::Disconnected) {
                return;
            }
            if message.channel() == ahead::CHANNEL {
                let got = self.ack.got(&message);
                self.outputs.extend(got.into_iter().map(Output::Notify));
            } else if is_reply(&message) {
                self.replied(message, now);
            } else if message.channel() == meta::DISCONNECT {
                self.disconnected_by_server(message, now);
            } else {
                self.delivered(message, transport, now);
            }
        }
        if transport == ConnectionType::WebSocket {
            self.flush(now);
        }
    }

    fn replied(&mut self, reply: Message, now: Instant) {
        let id = reply.id.as_deref().and_then(|id| id.parse().ok());
        // A reply that nobody waits for is late, or doubled, or not ours.
        let Some((id, pending)) = id.and_then(|id| Some((id, self.settle(id)?))) else { return };
        match pending.what {
            What::Handshake => return self.handshake_replied(reply, now),
            What::Connect => return self.connect_replied(reply, now),
            What::Subscribe(channel) => match outcome(&reply) {
                Ok(reply) => {
                    let waiting = self.subscriptions.granted(&channel, id).into_iter();
                    self.outputs.extend(waiting.map(|one| Output::Resolve(one, Ok(reply.clone()))));
                }
                Err(error) => self.subscribe_failed(&channel, id, &error),
            },
            What::Plain(waiter) => {
                self.outputs.extend(waiter.map(|one| Output::Resolve(one, outcome(&reply))));
            }
            What::Call => {
                if let Err(error) = outcome(&reply) {
                    self.fail_call(id, &error);
                }
            }
            What::Disconnect(waiter) => {
                self.outputs.push(Output::Resolve(waiter, outcome(&reply)));
            }
        }
        self.outputs.push(Output::Notify(reply));
        self.after_disconnect(now);
    }

    fn delivered(&mut self, message: Message, transport: ConnectionType, now: Instant) {
        let with_handshake = matches!(self.phase, Phase::Handshaken { .. });
        self.pace.brought();
        let id = message.id.as_deref().and_then(|id| id.parse().ok());
        self.answered_with_data(id, &message);
        if let Some(waiter) = id
            .filter(|_| message.channel().starts_with("/service/"))
            .and_then(|id| self.take_call(id))
        {
            self.outputs.push(Output::Resolve(waiter, Ok(message.clone())));
        }
        // In an answer of HTTP the reply that numbers it is there too.
        let comes_in_parts = transport == ConnectionType::WebSocket || with_handshake;
        if self.ack.is_agreed() && comes_in_parts {
            let passed = self.ack.hold(message);
            self.outputs.extend(passed.into_iter().map(Output::Notify));
        } else {
            self.outputs.push(Output::Notify(message));
        }
        if with_handshake {
            self.arrived_with_handshake(1, now);
        }
    }

    /// Faye answers a publish to a service with one message that is both the reply and its data.
    fn answered_with_data(&mut self, id: Option<u64>, message: &Message) {
        let Some(id) = id.filter(|_| message.successful.is_some()) else { return };
        let is_asked = |pending: &super::Pending<T>| {
            pending.channel == message.channel()
                && matches!(pending.what, What::Plain(Some(_)) | What::Call)
        };
        if !self.pending.get(&id).is_some_and(is_asked) {
            return;
        }
        if let Some(What::Plain(Some(waiter))) = self.settle(id).map(|pending| pending.what) {
            self.outputs.push(Output::Resolve(waiter, outcome(message)));
        }
    }

    fn disconnected_by_server(&mut self, message: Message, now: Instant) {
        let is_meant = message.is_successful();
        let error = RequestError::Refused(Box::new(message.clone()));
        self.outputs.push(Output::Notify(message));
        if is_meant && (self.is_open() || matches!(self.phase, Phase::Disconnecting)) {
            self.terminate(&error, now);
        }
    }

    /// Whether the last connect succeeded.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Live { progress: Progress::Connected, .. })
    }
}

fn outcome(reply: &Message) -> Outcome {
    if reply.is_successful() {
        Ok(reply.clone())
    } else {
        Err(RequestError::Refused(Box::new(reply.clone())))
    }
}

/// Whether this refuses a request since the server does not know its session, or not any more. Others than
/// CometD say so in other words, under one code or another; or in words of their own with the advice.
pub(super) fn knows_no_session(reply: &Message) -> bool {
    if reply.is_successful() {
        return false;
    }
    let advised = reply.advice.as_ref().and_then(|advice| advice.reconnect);
    let text = reply.error.as_deref().unwrap_or_default();
    let words = text.rsplit(':').next().unwrap_or_default().to_lowercase();
    let is_about_session = words.contains("client") || words.contains("session");
    words.contains("unknown") && is_about_session
        || advised == Some(Reconnect::Handshake) && reply.bayeux_error().is_none()
}

/// Whether this answers a request. A server may disconnect without having been asked.
fn is_reply(message: &Message) -> bool {
    if message.is_meta() {
        message.channel() != meta::DISCONNECT || message.id.is_some()
    } else {
        message.is_publish_reply()
    }
}
