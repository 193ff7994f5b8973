//! What the driver sends: past the extensions, encoded, over the transport that the machine chose.

use std::future::Future;

use bayeux_api::{ConnectionType, Message, client::TransportFailure, implement::Hook, meta};
use bytes::Bytes;
use url::Url;

use super::{
    Answers, Boxed, Driver, Link,
    extend::{self, Extended},
};

/// Messages that are to be sent together and are with the extensions, or wait for those before them.
pub(super) struct Leaving {
    exchange: u64,
    transport: ConnectionType,
    url: Url,
    pub(super) work: Boxed<Extended>,
}

impl Driver {
    /// Sends messages, behind those that the extensions have not done with.
    pub(super) fn send(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        url: Url,
        messages: Vec<Message>,
    ) {
        if self.leaving.is_empty() && self.shared.extensions.is_empty() {
            return self.transmit(exchange, transport, &url, messages);
        }
        let work = Box::pin(extend::outgoing(self.shared.extensions.members(), messages));
        self.leaving.push_back(Leaving { exchange, transport, url, work });
    }

    /// The extensions have done with the first of what is to be sent.
    pub(super) fn extended(&mut self, extended: Extended) {
        let Some(Leaving { exchange, transport, url, .. }) = self.leaving.pop_front() else {
            return;
        };
        extended.deleted.iter().for_each(|id| self.deleted(id));
        self.transmit(exchange, transport, &url, extended.kept);
    }

    /// Forgets what is to be sent of exchanges that have failed meanwhile.
    pub(super) fn forget_failed(&mut self) {
        let shared = &self.shared;
        let is_known = |exchange| shared.look(|machine| machine.transport_of(exchange).is_some());
        self.leaving.retain(|one| is_known(one.exchange));
    }

    fn transmit(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        url: &Url,
        messages: Vec<Message>,
    ) {
        if self.shared.look(|machine| machine.transport_of(exchange)).is_none() {
            return;
        }
        let (bodies, messages) = self.encode(messages);
        if messages.is_empty() {
            return;
        }
        let hook = Hook("TransportListener::sending", transport.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.sending(&messages));
        }
        match transport {
            ConnectionType::WebSocket => {
                bodies.into_iter().for_each(|body| self.send_frame(url, body));
            }
            ConnectionType::LongPolling | ConnectionType::CallbackPolling => {
                let network = self.shared.network.clone();
                let url = extended(url.clone(), &messages);
                let post = async move |body: String| network.post(&url, body.into_bytes()).await;
                self.exchange(exchange, transport, answers(bodies, post));
            }
            ConnectionType::InProcess => {
                if let Some(server) = self.shared.in_process.clone() {
                    let send = async move |body: String| server.send(&body).await.map(Bytes::from);
                    self.exchange(exchange, transport, answers(bodies, send));
                }
            }
            // No client can be built for another.
            _ => {}
        }
    }

    pub(super) fn deleted(&self, id: &str) {
        self.shared.drive(|machine, now| machine.deleted(id, now));
    }

    /// Encodes those of the messages that are not larger than allowed, in as few bodies as may be; the
    /// others fail.
    fn encode(&self, messages: Vec<Message>) -> (Vec<String>, Vec<Message>) {
        let most = self.shared.look(|machine| machine.config().max_send_message_size);
        let mut bodies = Bodies::new(most);
        let mut kept = Vec::with_capacity(messages.len());
        for message in messages {
            if bodies.push(&message) {
                kept.push(message);
            } else {
                let id = message.id.as_deref().unwrap_or_default();
                self.shared.drive(|machine, now| machine.too_large(id, most, now));
            }
        }
        (bodies.finish(), kept)
    }

    fn exchange(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        answers: impl Future<Output = Answers> + Send + 'static,
    ) {
        self.give_up_owed();
        let (cancel, cancelled) = tokio::sync::oneshot::channel();
        self.cancels.push((exchange, cancel));
        self.answers.push(Box::pin(async move {
            tokio::select! {
                biased;
                _ = cancelled => None,
                answers = answers => Some((exchange, transport, answers)),
            }
        }));
    }

    /// Gives up the oldest answers of which everything has come in others. There may be more in them, but
    /// nobody waits for that, or looks at the time.
    fn give_up_owed(&mut self) {
        let mut owed = Vec::new();
        for (exchange, _) in &self.cancels {
            if self.shared.look(|machine| machine.transport_of(*exchange)).is_none() {
                owed.push(*exchange);
            }
        }
        owed.truncate(owed.len().saturating_sub(MOST_OWED));
        self.cancels.retain(|(exchange, _)| !owed.contains(exchange));
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
        self.arrived = None;
        self.unread.clear();
        self.leaving.clear();
        self.credentials = None;
        self.probe = None;
        self.shared.network.clear();
    }
}

/// Sends one body after the other, as long as they are answered.
async fn answers(
    bodies: Vec<String>,
    mut send: impl AsyncFnMut(String) -> Result<Bytes, TransportFailure>,
) -> Answers {
    let mut answers = Answers::default();
    for body in bodies {
        match send(body).await {
            Ok(answer) => answers.bodies.push(answer),
            Err(failure) => {
                answers.failure = Some(failure);
                break;
            }
        }
    }
    answers
}

/// Arrays of messages, none larger than allowed.
struct Bodies {
    most: usize,
    full: Vec<String>,
    /// The array that is being made.
    last: Vec<u8>,
}

impl Bodies {
    fn new(most: usize) -> Self {
        Self { most, full: Vec::new(), last: Vec::new() }
    }

    /// Adds a message. Returns whether that can be sent at all.
    fn push(&mut self, message: &Message) -> bool {
        let before = self.last.len();
        self.last.push(if before == 0 { b'[' } else { b',' });
        let start = self.last.len();
        let is_encoded = serde_json::to_writer(&mut self.last, message).is_ok();
        // With the brackets, since the server's limit is of all that arrives.
        let is_small = self.last.len() - start + 2 <= self.most;
        if !is_encoded || !is_small {
            self.last.truncate(before);
            return false;
        }
        if self.last.len() + 1 > self.most {
            let mut next = vec![b'['];
            next.extend_from_slice(&self.last[start..]);
            self.last.truncate(before);
            self.close();
            self.last = next;
        }
        true
    }

    fn close(&mut self) {
        let mut body = std::mem::take(&mut self.last);
        if !body.is_empty() {
            body.push(b']');
            self.full.push(String::from_utf8(body).unwrap_or_default());
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.close();
        self.full
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

/// How many answers may be owed of which everything has come in others.
const MOST_OWED: usize = 4;

/// The close code of an orderly end (RFC 6455, section 7.4.1).
pub(super) const NORMAL: u16 = 1000;
pub(super) const PROTOCOL: u16 = 1002;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_as_large_as_allowed_and_no_larger() {
        let message = Message::with_data("/a", json!("xxxxxxxx"));
        let size = serde_json::to_string(&message).unwrap().len();
        for (most, wanted) in [
            (size + 1, Vec::new()),
            (size + 2, vec![size + 2; 3]),
            (2 * size + 2, vec![size + 2; 3]),
            (2 * size + 3, vec![2 * size + 3, size + 2]),
            (3 * size + 4, vec![3 * size + 4]),
        ] {
            let mut bodies = Bodies::new(most);
            for _ in 0..3 {
                assert_eq!(bodies.push(&message), most >= size + 2);
            }
            let bodies = bodies.finish();
            assert_eq!(bodies.iter().map(String::len).collect::<Vec<_>>(), wanted);
            for body in bodies {
                serde_json::from_str::<Vec<serde_json::Value>>(&body).unwrap();
            }
        }
    }
}
