//! What a connection reads: it goes on while the application works and while the peer is slow to take
//! what is written, up to a bound.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use bayeux_api::{ConnectionType, DecodeError, Limits, Message, decode};

use crate::transport::websocket::{
    close::{Code, End, SocketError},
    connection::Connection,
    frame::{self, Event},
};

/// What has been read and waits to be worked on.
#[derive(Debug)]
pub(super) struct Inbox {
    frames: VecDeque<(usize, Arrived)>,
    weight: usize,
    /// Whether the last thing that this connection will work on is here.
    has_end: bool,
}

/// What arrived, in its turn.
#[derive(Debug)]
pub(super) enum Arrived {
    Messages(Result<Vec<Message>, DecodeError>),
    /// The connection ends.
    End(End),
}

/// After so much that is read and waits, no more is read.
const MOST: usize = 64 * 1024;

/// An inbox that is empty keeps its place for so many frames.
const KEPT: usize = 16;

/// What a frame needs beside its payload.
const FRAME: usize = 64;

impl Inbox {
    pub(super) const fn new() -> Self {
        Self { frames: VecDeque::new(), weight: 0, has_end: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn has_end(&self) -> bool {
        self.has_end
    }

    pub(super) fn has_room(&self) -> bool {
        self.weight < MOST && !self.has_end
    }

    fn put(&mut self, weight: usize, arrived: Arrived) {
        self.has_end |= matches!(arrived, Arrived::End(_));
        self.weight += weight + FRAME;
        self.frames.push_back((weight + FRAME, arrived));
    }

    /// Puts in what was received; returns what its sender wants back.
    fn receive(&mut self, event: &Event<'_>, limits: &Limits) -> Option<Vec<u8>> {
        match event {
            Event::Text(text) => {
                let messages = decode(text.as_bytes(), limits);
                // Faye's clients before 1.3 say `[]` now and then, so that the connection is not idle.
                if matches!(messages, Err(DecodeError::Empty)) {
                    return None;
                }
                let count = messages.as_ref().map_or(0, Vec::len);
                self.put(text.len() + count * size_of::<Message>(), Arrived::Messages(messages));
            }
            Event::Ping(payload) => return Some(payload.to_vec()),
            Event::Part | Event::Pong => {}
            Event::Binary => {
                let reason = "binary messages are not Bayeux".to_owned();
                self.put(0, Arrived::End(End::Close(Code::Unsupported, reason)));
            }
            Event::Close(code) => self.put(0, Arrived::End(End::Closed(*code))),
        }
        None
    }

    /// Takes what is to be worked on next.
    pub(super) fn take(&mut self) -> Option<Arrived> {
        let (weight, arrived) = self.frames.pop_front()?;
        self.weight -= weight;
        Some(arrived)
    }

    /// Gives back the memory of an inbox that is empty, if it is much.
    pub(super) fn trim(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            self.frames = VecDeque::new();
        }
    }
}

impl Connection {
    /// Reads what has arrived, if there is place for it; ready when something came, be it an error.
    pub(super) fn poll_reading(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.busy.inbox.has_room() {
            return Poll::Pending;
        }
        let mut limits = self.server.limits(ConnectionType::WebSocket);
        limits.size = self.socket.max_message_size();
        let (busy, mut ping) = (&mut self.busy, None);
        // The latest of several pings is enough (RFC 6455, section 5.5.3).
        let mut take =
            |event: Event<'_>| ping = busy.inbox.receive(&event, &limits).or_else(|| ping.take());
        let received = self.socket.poll_receive(context, &mut take);
        let has_part = self.socket.take_has_read();
        if has_part {
            self.heard();
        }
        if let Some(payload) = ping {
            self.pong(payload);
        }
        match received {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => self.fail(&error),
            Poll::Pending => {
                if let Some(session) = self.session.as_ref().filter(|_| has_part) {
                    // A large request is on its way, and maybe the next connect behind it.
                    session.touch();
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// What ends the reading has its turn after what came before it, but a connection that broke takes
    /// no answer.
    fn fail(&mut self, error: &SocketError) {
        if let SocketError::Broken(_) = error {
            tracing::debug!(%error, "websocket lost");
            self.is_gone = true;
        } else {
            self.busy.inbox.put(0, Arrived::End(End::from(error)));
        }
    }

    /// Answers a ping, unless much is still to be written: then later, and only the latest. The socket may
    /// be lent, and half a message written to it, whose rest goes before.
    fn pong(&mut self, payload: Vec<u8>) {
        self.take_turn();
        if self.has_much_to_write() {
            self.busy.pong = Some(payload);
        } else {
            self.begin_taking();
            self.busy.outbox.append(|open| frame::append_pong(open, &payload));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_read_ahead_and_no_more() {
        for text in ["{}", r#"[{"channel":"/a","data":1}]"#, "no messages", &"x".repeat(9_000)] {
            let (mut inbox, limits, mut count) = (Inbox::new(), Limits::default(), 0);
            while inbox.has_room() {
                inbox.receive(&Event::Text(text.into()), &limits);
                count += 1;
            }
            assert!((2..=MOST / FRAME).contains(&count), "{count}");
            while inbox.take().is_some() {}
            assert!(inbox.is_empty() && inbox.has_room());
        }
    }

    #[test]
    fn nothing_takes_no_place() {
        let (mut inbox, limits) = (Inbox::new(), Limits::default());
        for text in ["[]", "", " "] {
            inbox.receive(&Event::Text(text.into()), &limits);
        }
        assert!(inbox.is_empty());
    }

    #[test]
    fn after_its_end_nothing_more_is_read() {
        let mut inbox = Inbox::new();
        inbox.receive(&Event::Close(Some(1000)), &Limits::default());
        assert!(!inbox.has_room());
        assert!(matches!(inbox.take(), Some(Arrived::End(End::Closed(Some(1000))))));
        assert!(!inbox.has_room());
    }
}
