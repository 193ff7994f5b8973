//! What the driver sends: past the extensions, encoded, over the transport that the machine chose.

use std::future::Future;

use bayeux_api::{ConnectionType, Flow, Message, client::TransportFailure, implement::Hook, meta};
use bytes::Bytes;
use url::Url;

use super::{Driver, Link};

impl Driver {
    pub(super) async fn send(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        url: Url,
        mut messages: Vec<Message>,
    ) {
        self.extend_outgoing(&mut messages).await;
        let (body, messages) = self.encode(messages);
        if messages.is_empty() {
            return;
        }
        let hook = Hook("TransportListener::sending", transport.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.sending(&messages));
        }
        match transport {
            ConnectionType::WebSocket => self.send_frame(&url, body),
            ConnectionType::LongPolling | ConnectionType::CallbackPolling => {
                let network = self.shared.network.clone();
                let url = extended(url, &messages);
                let answer = async move { network.post(&url, body.into_bytes()).await };
                self.exchange(exchange, transport, answer);
            }
            ConnectionType::InProcess => {
                if let Some(server) = self.shared.in_process.clone() {
                    let answer = async move { server.send(&body).await.map(Bytes::from) };
                    self.exchange(exchange, transport, answer);
                }
            }
        }
    }

    /// Shows the messages to the extensions, of which the last added is the first to see them.
    async fn extend_outgoing(&mut self, messages: &mut Vec<Message>) {
        let extensions = self.shared.extensions.members();
        if extensions.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(messages.len());
        for mut message in messages.drain(..) {
            let id = message.id.clone();
            let mut flow = Flow::Continue;
            for extension in extensions.iter().rev() {
                let hook = Hook("ClientExtension::outgoing", "");
                let seen = extension.wait(hook, |it| it.outgoing(&mut message)).await;
                flow = seen.unwrap_or(Flow::Stop);
                if flow == Flow::Stop {
                    break;
                }
            }
            message.id.clone_from(&id);
            match flow {
                Flow::Continue => kept.push(message),
                Flow::Stop => self.deleted(id.as_deref().unwrap_or_default()),
            }
        }
        *messages = kept;
    }

    pub(super) fn deleted(&self, id: &str) {
        self.shared.input(|machine, now| machine.deleted(id, now));
    }

    /// Encodes those of the messages that are not larger than allowed; the others fail.
    fn encode(&self, messages: Vec<Message>) -> (String, Vec<Message>) {
        let most = self.shared.look(|machine| machine.config().max_send_message_size);
        let mut body = vec![b'['];
        let mut kept = Vec::with_capacity(messages.len());
        for message in messages {
            let before = body.len();
            if !kept.is_empty() {
                body.push(b',');
            }
            let start = body.len();
            let is_encoded = serde_json::to_writer(&mut body, &message).is_ok();
            if is_encoded && body.len() - start <= most {
                kept.push(message);
            } else {
                body.truncate(before);
                let id = message.id.as_deref().unwrap_or_default();
                self.shared.input(|machine, now| machine.too_large(id, most, now));
            }
        }
        body.push(b']');
        (String::from_utf8(body).unwrap_or_default(), kept)
    }

    fn exchange(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        answer: impl Future<Output = Result<Bytes, TransportFailure>> + Send + 'static,
    ) {
        let (cancel, cancelled) = tokio::sync::oneshot::channel();
        self.cancels.push((exchange, cancel));
        self.answers.push(Box::pin(async move {
            tokio::select! {
                result = answer => Some((exchange, transport, result)),
                _ = cancelled => None,
            }
        }));
    }

    fn send_frame(&mut self, url: &Url, frame: String) {
        match &mut self.socket {
            Link::Open(socket) => socket.send(frame),
            Link::Opening(_, frames) => frames.push(frame),
            Link::Closed => {
                let (network, url) = (self.shared.network.clone(), url.clone());
                let opening = Box::pin(async move { network.open_websocket(&url).await });
                self.socket = Link::Opening(opening, vec![frame]);
            }
        }
    }

    pub(super) fn close_socket(&mut self, code: u16, reason: &'static str) {
        if let Link::Open(socket) = std::mem::replace(&mut self.socket, Link::Closed) {
            tokio::spawn(async move { socket.close(code, reason).await });
        }
    }

    pub(super) fn close(&mut self) {
        self.close_socket(NORMAL, "Disconnect");
        self.cancels.clear();
        self.answers.clear();
        self.credentials = None;
        self.probe = None;
        self.shared.network.clear();
    }
}

/// Adds to the address what a single meta message asks for, as CometD does for the logs of others.
fn extended(mut url: Url, messages: &[Message]) -> Url {
    let [message] = messages else { return url };
    let name = match message.channel() {
        meta::HANDSHAKE => "handshake",
        meta::CONNECT => "connect",
        meta::SUBSCRIBE => "subscribe",
        meta::UNSUBSCRIBE => "unsubscribe",
        meta::DISCONNECT => "disconnect",
        _ => return url,
    };
    if url.query().is_none()
        && url.fragment().is_none()
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().push(name);
    }
    url
}

/// The close code of an orderly end (RFC 6455, section 7.4.1).
pub(super) const NORMAL: u16 = 1000;
pub(super) const PROTOCOL: u16 = 1002;
