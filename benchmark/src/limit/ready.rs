//! What is sent, made beforehand: as many bytes, in as many frames or responses, as this project's
//! server sends.

use crate::{
    Result, echo, fanout,
    frame::{self, Role},
    payload,
};

/// What is sent for one message and for several.
pub(super) struct Ready {
    /// A message for a WebSocket.
    pub(super) delivery: Repeated,
    /// A message that comes back over WebSocket, and the reply to its publication: two frames.
    pub(super) echo: Repeated,
    /// The same over HTTP: one response.
    pub(super) echo_response: Repeated,
    /// The response to a held connect, by how many messages there are, less one.
    responses: Vec<Vec<u8>>,
}

/// Bytes, several times one after the other.
pub(super) struct Repeated {
    bytes: Vec<u8>,
    length: usize,
}

/// So many at the most are ready to go together.
const MOST: usize = 64;

impl Ready {
    pub(super) fn new(size: usize) -> Result<Self> {
        let data = payload::data(0, size)?;
        let (subscribed, own) = (fanout::CHANNEL, echo::channel(0));
        let message = |channel: &str| format!(r#"{{"channel":"{channel}","data":{data}}}"#);
        let reply =
            |channel: &str| format!(r#"{{"channel":"{channel}","id":"1234","successful":true}}"#);
        let frame = |content: &str| frame::text(Role::Server, format!("[{content}]").as_bytes());
        let both = format!("{},{}", message(&own), reply(&own));
        let response = |messages: usize| {
            let messages = format!("{},", message(subscribed)).repeat(messages);
            response(&format!("{messages}{}", reply("/meta/connect")))
        };
        Ok(Self {
            delivery: Repeated::new(&frame(&message(subscribed))),
            echo: Repeated::new(&[frame(&message(&own)), frame(&reply(&own))].concat()),
            echo_response: Repeated::new(&self::response(&both)),
            responses: (1..=MOST).map(response).collect(),
        })
    }

    /// Returns a response with so many messages, or with as many as there may be, and how many
    /// those are; there has to be one.
    pub(super) fn response(&self, messages: usize) -> (&[u8], usize) {
        let messages = messages.clamp(1, MOST);
        (&self.responses[messages - 1], messages)
    }
}

impl Repeated {
    fn new(once: &[u8]) -> Self {
        Self { bytes: once.repeat(MOST), length: once.len() }
    }

    /// Returns so many in parts of which each is written at once; mostly there is one.
    pub(super) fn times(&self, mut count: usize) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            let now = count.min(MOST);
            count -= now;
            (now > 0).then(|| &self.bytes[..now * self.length])
        })
    }
}

fn response(content: &str) -> Vec<u8> {
    let length = content.len() + 2;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-cache, no-store\r\n\
         x-content-type-options: nosniff\r\ncontent-length: {length}\r\n\
         date: Wed, 25 Nov 2026 14:14:24 GMT\r\n\r\n[{content}]"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_go_in_few_parts() {
        let repeated = Repeated::new(b"ab");
        assert_eq!(repeated.times(0).count(), 0);
        assert_eq!(repeated.times(3).collect::<Vec<_>>(), [b"ababab"]);
        let lengths: Vec<_> = repeated.times(MOST + 1).map(<[u8]>::len).collect();
        assert_eq!(lengths, [2 * MOST, 2]);
    }

    #[test]
    fn responses_have_as_many_messages_as_are_due() {
        let ready = Ready::new(100).unwrap();
        for (due, sent) in [(1, 1), (3, 3), (MOST + 5, MOST)] {
            let (response, messages) = ready.response(due);
            assert_eq!(messages, sent);
            assert_eq!(payload::numbers(response).count(), sent);
        }
    }
}
