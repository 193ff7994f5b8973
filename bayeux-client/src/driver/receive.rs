//! What the driver receives: decoded, past the extensions, for the machine.

use bayeux_api::{
    ConnectionType, DecodeError, Flow, Limits, Message,
    client::{FailureKind, TransportFailure},
    decode,
    implement::Hook,
};
use bytes::Bytes;

use super::{Driver, Link, send::PROTOCOL};
use crate::transport::Socket;

impl Driver {
    /// Takes an answer, also one that has been given in another: there may be more in it.
    pub(super) async fn answered(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        result: Result<Bytes, TransportFailure>,
    ) {
        let before = self.cancels.len();
        self.cancels.retain(|(id, _)| *id != exchange);
        if self.cancels.len() == before {
            return;
        }
        let result = match result.and_then(|bytes| self.read(&bytes, transport)) {
            Ok(messages) => {
                self.receive(messages, transport).await;
                Ok(())
            }
            Err(failure) => {
                self.tell_failure(&failure, exchange);
                Err(failure)
            }
        };
        self.shared.input(|machine, now| machine.ended(exchange, result, now));
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
            Err(failure) => self.lost(&failure),
        }
    }

    pub(super) async fn framed(&mut self, result: Result<Bytes, TransportFailure>) {
        let transport = ConnectionType::WebSocket;
        match result.and_then(|bytes| self.read(&bytes, transport)) {
            Ok(messages) => self.receive(messages, transport).await,
            Err(failure) => {
                match failure.websocket_code {
                    // The server closed it, or it is gone.
                    Some(_) if failure.kind == FailureKind::Closed => self.socket = Link::Closed,
                    code => self.close_socket(code.unwrap_or(PROTOCOL), "Invalid"),
                }
                self.lost(&failure);
            }
        }
    }

    fn lost(&self, failure: &TransportFailure) {
        let requests = self.shared.look(|machine| machine.all_unanswered(failure.connection_type));
        let hook = Hook("TransportListener::failure", failure.connection_type.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.failure(failure, &requests));
        }
        let transport = failure.connection_type;
        self.shared.input(|machine, now| machine.disconnected(transport, failure, now));
    }

    pub(super) fn probed(&mut self, result: Result<Socket, TransportFailure>) {
        self.probe = None;
        let works = result.is_ok();
        if let (Ok(socket), Link::Closed) = (result, &self.socket) {
            self.socket = Link::Open(Box::new(socket));
        }
        let transport = ConnectionType::WebSocket;
        self.shared.input(|machine, now| machine.probed(transport, works, now));
    }

    fn read(
        &self,
        bytes: &Bytes,
        transport: ConnectionType,
    ) -> Result<Vec<Message>, TransportFailure> {
        let limits = Limits { size: usize::MAX, messages: MOST_MESSAGES, ..Limits::default() };
        decode(bytes, &limits).map_err(|error| unreadable(&error, bytes, transport))
    }

    async fn receive(&mut self, messages: Vec<Message>, transport: ConnectionType) {
        let hook = Hook("TransportListener::messages", transport.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.messages(&messages));
        }
        let messages = self.extend_incoming(messages).await;
        self.shared.input(|machine, now| machine.received(messages, transport, now));
    }

    pub(super) async fn extend_incoming(&mut self, mut messages: Vec<Message>) -> Vec<Message> {
        let extensions = self.shared.extensions.members();
        if extensions.is_empty() {
            return messages;
        }
        let mut kept = Vec::with_capacity(messages.len());
        for mut message in messages.drain(..) {
            let id = message.id.clone();
            let is_reply = message.is_meta() || message.is_publish_reply();
            let mut flow = Flow::Continue;
            for extension in extensions.iter() {
                let hook = Hook("ClientExtension::incoming", "");
                let shown = extension.wait(hook, |it| it.incoming(&mut message)).await;
                flow = shown.unwrap_or(Flow::Stop);
                if flow == Flow::Stop {
                    break;
                }
            }
            match (flow, id) {
                (Flow::Continue, _) => kept.push(message),
                (Flow::Stop, Some(id)) if is_reply => self.deleted(&id),
                (Flow::Stop, _) => {}
            }
        }
        kept
    }
}

fn unreadable(error: &DecodeError, bytes: &[u8], transport: ConnectionType) -> TransportFailure {
    let start: String = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    let reason = format!("what came is not Bayeux, {error}: {start:?}");
    TransportFailure::new(transport, FailureKind::Invalid, reason)
}

/// The most messages that one answer may have.
const MOST_MESSAGES: usize = 1_000_000;
