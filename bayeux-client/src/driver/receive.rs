//! What the driver receives: decoded, past the extensions, for the machine.

use bayeux_api::{
    ConnectionType, DecodeError, Limits, Message,
    client::{FailureKind, TransportFailure},
    decode,
    implement::Hook,
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Answers, Boxed, Driver, Link,
    extend::{self, Extended},
    send::PROTOCOL,
};
use crate::transport::Socket;

/// What has arrived and is with the extensions. Nothing more is read meanwhile.
pub(super) struct Arrived {
    transport: ConnectionType,
    ended: Option<Ended>,
    pub(super) work: Boxed<Extended>,
}

/// The end of an exchange, behind what arrived in its answer.
struct Ended {
    exchange: u64,
    failure: Option<TransportFailure>,
}

impl Driver {
    /// Takes an answer, also one that has been given in another: there may be more in it.
    pub(super) fn answered(&mut self, exchange: u64, transport: ConnectionType, answers: Answers) {
        let before = self.cancels.len();
        self.cancels.retain(|(id, _)| *id != exchange);
        if self.cancels.len() == before {
            return;
        }
        let mut failure = answers.failure;
        let mut messages = Vec::new();
        for body in &answers.bodies {
            match read(body).map_err(|error| unreadable(&error, body, transport)) {
                Ok(read) if messages.is_empty() => messages = read,
                Ok(read) => messages.extend(read),
                Err(unreadable) => failure = failure.or(Some(unreadable)),
            }
        }
        let is_read = !messages.is_empty() || failure.is_none();
        let ended = Ended { exchange, failure };
        if is_read {
            self.receive(messages, transport, Some(ended));
        } else {
            self.end(ended);
        }
    }

    /// Nothing more of an exchange will come.
    fn end(&mut self, Ended { exchange, failure }: Ended) {
        failure.iter().for_each(|failure| self.tell_failure(failure, exchange));
        let result = failure.map_or(Ok(()), Err);
        self.shared.drive(|machine, now| machine.exchange_ended(exchange, result, now));
    }

    pub(super) fn opened(&mut self, result: Result<Socket, TransportFailure>) {
        let Link::Opening(_, frames) = std::mem::replace(&mut self.socket, Link::Closed) else {
            return;
        };
        match result {
            Ok(mut socket) => {
                frames.into_iter().for_each(|frame| socket.send(frame));
                self.socket = Link::Open(Box::new(socket));
            }
            Err(failure) => self.socket_failed(&failure),
        }
    }

    pub(super) fn framed(&mut self, result: Result<Vec<Utf8Bytes>, TransportFailure>) {
        let (mut messages, mut failure) = (Vec::new(), None);
        match result {
            Ok(frames) => {
                let mut frames = frames.iter().map(|frame| read_frame(frame.as_bytes()));
                while failure.is_none()
                    && let Some(read) = frames.next()
                {
                    match read {
                        Ok(read) if messages.is_empty() => messages = read,
                        Ok(read) => messages.extend(read),
                        Err(unreadable) => failure = Some(unreadable),
                    }
                }
            }
            Err(broken) => failure = Some(broken),
        }
        let has_any = !messages.is_empty();
        if has_any {
            self.receive(messages, ConnectionType::WebSocket, None);
        }
        match (failure, &mut self.socket) {
            // When it is done what the messages before it lead to.
            (Some(failure), Link::Open(socket)) if has_any => socket.fail(failure),
            (Some(failure), _) => self.frames_failed(&failure),
            (None, _) => {}
        }
    }

    fn frames_failed(&mut self, failure: &TransportFailure) {
        match failure.websocket_code {
            // The server closed it, or it is gone.
            Some(_) if failure.kind == FailureKind::Closed => self.socket = Link::Closed,
            code => self.close_socket(code.unwrap_or(PROTOCOL), "Invalid"),
        }
        self.socket_failed(failure);
    }

    fn socket_failed(&self, failure: &TransportFailure) {
        let requests = self.shared.look(|machine| machine.all_unanswered(failure.connection_type));
        let hook = Hook("TransportListener::failure", failure.connection_type.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.failure(failure, &requests));
        }
        let transport = failure.connection_type;
        self.shared.drive(|machine, now| machine.connection_failed(transport, failure, now));
    }

    pub(super) fn probed(&mut self, result: Result<Socket, TransportFailure>) {
        self.probe = None;
        let works = result.is_ok();
        if let (Ok(socket), Link::Closed) = (result, &self.socket) {
            self.socket = Link::Open(Box::new(socket));
        }
        let transport = ConnectionType::WebSocket;
        self.shared.drive(|machine, now| machine.probed(transport, works, now));
    }

    fn receive(&mut self, messages: Vec<Message>, transport: ConnectionType, ended: Option<Ended>) {
        let hook = Hook("TransportListener::messages", transport.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.messages(&messages));
        }
        let extensions = &self.shared.extensions;
        if extensions.is_empty() {
            return self.take_in(Extended::unseen(messages), transport, ended);
        }
        let work = Box::pin(extend::incoming(extensions.members(), messages));
        self.arrived = Some(Arrived { transport, ended, work });
    }

    /// The extensions have done with what arrived.
    pub(super) fn seen(&mut self, extended: Extended) {
        if let Some(Arrived { transport, ended, .. }) = self.arrived.take() {
            self.take_in(extended, transport, ended);
        }
    }

    fn take_in(&mut self, extended: Extended, transport: ConnectionType, ended: Option<Ended>) {
        extended.deleted.iter().for_each(|id| self.deleted(id));
        let messages = extended.kept;
        self.shared.drive(|machine, now| machine.received(messages, transport, now));
        if let Some(ended) = ended {
            self.end(ended);
        }
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, DecodeError> {
    let mut limits = Limits::default();
    // The size was looked at while it arrived, and what is deep costs nothing more: how deep is the
    // server's to say.
    (limits.size, limits.messages, limits.depth) = (usize::MAX, MOST_MESSAGES, usize::MAX);
    decode(bytes, &limits)
}

/// Reads a frame, which may have no message: so a server may say that it is there.
fn read_frame(bytes: &[u8]) -> Result<Vec<Message>, TransportFailure> {
    match read(bytes) {
        Err(DecodeError::Empty) => Ok(Vec::new()),
        read => read.map_err(|error| unreadable(&error, bytes, ConnectionType::WebSocket)),
    }
}

fn unreadable(error: &DecodeError, bytes: &[u8], transport: ConnectionType) -> TransportFailure {
    let start: String = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    let reason = format!("what came is not Bayeux, {error}: {start:?}");
    TransportFailure::new(transport, FailureKind::Invalid, reason)
}

/// The most messages that one answer may have.
const MOST_MESSAGES: usize = 1_000_000;
