//! The frames of a WebSocket (RFC 6455, section 5), at the server's end: what a peer sent, and what
//! goes out. Knows no socket.

use std::borrow::Cow;

use crate::transport::websocket::close::SocketError;

/// What whole frames make. Payloads are unmasked where they were read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A message's beginning or middle.
    Part,
    Text(Cow<'a, str>),
    Binary,
    Ping(&'a [u8]),
    Pong,
    /// The peer closes; with this code, if it gave one.
    Close(Option<u16>),
}

/// Puts messages together out of frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The largest message that is taken.
    most: usize,
    /// A message whose end has not come: whether it is text, and what has come.
    begun: Option<Box<(bool, Vec<u8>)>>,
}

/// The opcodes of section 5.2.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// How much a control frame carries at the most.
pub(crate) const MOST_OF_CONTROL: usize = 125;

/// The head of a frame.
struct Head {
    is_last: bool,
    opcode: u8,
    mask: [u8; 4],
    /// How long the head is, and what follows it.
    length: usize,
    payload: usize,
}

impl Decoder {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, begun: None }
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Takes the first frame of `bytes`, and tells how long it was; none when it is not whole.
    ///
    /// # Errors
    ///
    /// When the frame breaks the protocol or is too large, as soon as its head tells.
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &'a mut [u8],
    ) -> Result<Option<(Event<'a>, usize)>, SocketError> {
        let Some(head) = Head::read(bytes)? else { return Ok(None) };
        self.check(&head)?;
        let length = head.length + head.payload;
        let Some(payload) = bytes.get_mut(head.length..length) else { return Ok(None) };
        unmask(payload, head.mask);
        Ok(Some((self.take(&head, payload)?, length)))
    }

    fn check(&self, head: &Head) -> Result<(), SocketError> {
        let begun = self.begun.as_ref().map(|begun| begun.1.len());
        match (head.opcode, begun) {
            (CLOSE | PING | PONG, _) => {
                if !head.is_last || head.payload > MOST_OF_CONTROL {
                    return Err(SocketError::Protocol("a control frame in parts or too long"));
                }
                return Ok(());
            }
            (CONTINUATION, None) => return Err(SocketError::Protocol("a part of no message")),
            (TEXT | BINARY, Some(_)) => {
                return Err(SocketError::Protocol("a message inside another"));
            }
            (CONTINUATION | TEXT | BINARY, _) => {}
            _ => return Err(SocketError::Protocol("an unknown opcode")),
        }
        match head.payload.saturating_add(begun.unwrap_or_default()) > self.most {
            true => Err(SocketError::TooLarge),
            false => Ok(()),
        }
    }

    fn take<'a>(&mut self, head: &Head, payload: &'a [u8]) -> Result<Event<'a>, SocketError> {
        match head.opcode {
            PING => return Ok(Event::Ping(payload)),
            PONG => return Ok(Event::Pong),
            CLOSE => return close_code(payload).map(Event::Close),
            _ => {}
        }
        match (self.begun.take().map(|begun| *begun), head.is_last) {
            (None, true) if head.opcode == TEXT => match std::str::from_utf8(payload) {
                Ok(text) => Ok(Event::Text(text.into())),
                Err(_) => Err(SocketError::Utf8),
            },
            (None, true) => Ok(Event::Binary),
            (None, false) => {
                self.begun = Some(Box::new((head.opcode == TEXT, payload.to_vec())));
                Ok(Event::Part)
            }
            (Some((is_text, mut part)), is_last) => {
                part.extend_from_slice(payload);
                if !is_last {
                    self.begun = Some(Box::new((is_text, part)));
                    return Ok(Event::Part);
                }
                if !is_text {
                    return Ok(Event::Binary);
                }
                let text = String::from_utf8(part).map_err(|_| SocketError::Utf8)?;
                Ok(Event::Text(text.into()))
            }
        }
    }
}

impl Head {
    /// Reads the head of a client's frame; none when it is not whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>, SocketError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(SocketError::Protocol("a reserved bit without its extension"));
        }
        if second & 0x80 == 0 {
            return Err(SocketError::Protocol("a frame without a mask"));
        }
        let (payload, rest) = match second & 0x7f {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*length), rest)
            }
            length => (u64::from(length), rest),
        };
        let payload = usize::try_from(payload).map_err(|_| SocketError::TooLarge)?;
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let length = bytes.len() - rest.len();
        if payload.checked_add(length).is_none() {
            return Err(SocketError::TooLarge);
        }
        Ok(Some(Self {
            is_last: first & 0x80 != 0,
            opcode: first & 0x0f,
            mask: *mask,
            length,
            payload,
        }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return;
    }
    let eight = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ eight).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Reads the payload of a close frame (section 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, SocketError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(None),
            _ => Err(SocketError::Protocol("half a close code")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(SocketError::Protocol("a close code that must not be sent"));
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Some(code)),
        Err(_) => Err(SocketError::Utf8),
    }
}

/// Appends the head of a text frame whose payload follows.
pub(crate) fn append_head(out: &mut Vec<u8>, payload: usize) {
    out.push(0x80 | TEXT);
    append_length(out, payload);
}

/// Appends a text frame.
pub(crate) fn append_text(out: &mut Vec<u8>, payload: &[u8]) {
    append_head(out, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a text frame with the payload that `write` appends.
pub(crate) fn append_written(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const SHORTEST: usize = 2;
    let start = out.len();
    out.extend_from_slice(&[0; SHORTEST]);
    write(out);
    let mut head = Vec::with_capacity(16);
    append_head(&mut head, out.len() - start - SHORTEST);
    out.splice(start..start + SHORTEST, head);
}

/// Appends a ping, whose answer need not say which it answers.
pub(crate) fn append_ping(out: &mut Vec<u8>) {
    out.push(0x80 | PING);
    append_length(out, 0);
}

/// Appends the answer to a ping.
pub(crate) fn append_pong(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(0x80 | PONG);
    append_length(out, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a close frame, whose reason has to be short enough.
pub(crate) fn append_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    out.push(0x80 | CLOSE);
    append_length(out, reason.len() + 2);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

fn append_length(out: &mut Vec<u8>, length: usize) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => out.push(short),
        (_, Ok(middle)) => {
            out.push(126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
