//! What a connection has to write: small frames side by side, so that one write takes them all, and
//! large messages shared with all other connections that have them to write.

use std::{collections::VecDeque, sync::Arc};

use bayeux_api::{Frozen, Message, encode_into};
use bytes::{Buf as _, Bytes};

use crate::{
    exchange::numbering,
    transport::{parcel::SHARED, websocket::frame},
};

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// What comes first.
    parts: VecDeque<Bytes>,
    /// What comes then, from `at` on.
    open: Vec<u8>,
    at: usize,
    /// How many bytes were put in, and how many of those are written.
    put: usize,
    written: usize,
    /// The messages that are not written, and where each ends.
    messages: VecDeque<(usize, Arc<Frozen>)>,
}

/// An empty outbox keeps so much of its buffer for the next time.
const KEPT: usize = 16 * 1024;

impl Outbox {
    pub(crate) const fn new() -> Self {
        Self {
            parts: VecDeque::new(),
            open: Vec::new(),
            at: 0,
            put: 0,
            written: 0,
            messages: VecDeque::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.put == self.written
    }

    /// Whether any message is not written whole.
    pub(crate) fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Returns how many bytes are to be written.
    pub(crate) fn len(&self) -> usize {
        self.put - self.written
    }

    /// Puts in messages, `per_frame` in a frame, and with the last of them the number of their batch, if it has one: the
    /// bytes are those of [`append_frames`].
    pub(crate) fn put_messages(
        &mut self,
        messages: &[Arc<Frozen>],
        per_frame: Option<usize>,
        batch: Option<u64>,
    ) {
        for (together, batch) in in_frames(messages, per_frame, batch) {
            match (together, batch) {
                ([message], None) => self.put_message(message.clone()),
                _ => self.put_together(together, batch),
            }
        }
    }

    fn put_together(&mut self, together: &[Arc<Frozen>], batch: Option<u64>) {
        self.append(|open| append_frame(open, together, batch));
        self.messages.extend(together.iter().map(|message| (self.put, message.clone())));
    }

    fn put_message(&mut self, message: Arc<Frozen>) {
        let array = message.array();
        if array.len() < SHARED {
            self.append(|open| frame::append_text(open, array));
        } else {
            self.append(|open| frame::append_head(open, array.len()));
            self.seal();
            self.put += array.len();
            self.parts.push_back(array.clone());
        }
        self.messages.push_back((self.put, message));
    }

    /// Puts in a frame with replies.
    pub(crate) fn put_replies(&mut self, replies: &[Message]) {
        self.append(|open| frame::append_written(open, |open| encode_into(open, replies)));
    }

    /// Puts in frames that are no messages.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.open.len();
        write(&mut self.open);
        self.put += self.open.len() - before;
    }

    /// Returns what is to be written next; empty when nothing is.
    pub(crate) fn front(&self) -> &[u8] {
        match self.parts.front() {
            Some(part) => part,
            None => &self.open[self.at..],
        }
    }

    /// Notes that so many bytes of the [front](Self::front) are written; returns how many messages are
    /// whole with them.
    pub(crate) fn advance(&mut self, count: usize) -> usize {
        self.written += count;
        match self.parts.front_mut() {
            Some(part) => {
                part.advance(count);
                if part.is_empty() {
                    self.parts.pop_front();
                }
            }
            None => self.at += count,
        }
        let mut messages = 0;
        while self.messages.front().is_some_and(|(end, _)| *end <= self.written) {
            self.messages.pop_front();
            messages += 1;
        }
        if self.is_empty() {
            self.open.clear();
            (self.at, self.put, self.written) = (0, 0, 0);
        }
        messages
    }

    /// Notes that so many bytes were written otherwise; returns how many messages are whole with them.
    pub(crate) fn skip(&mut self, mut count: usize) -> usize {
        let mut messages = 0;
        while count > 0 {
            let part = self.front().len().min(count);
            messages += self.advance(part);
            count -= part;
        }
        messages
    }

    /// Gives back the memory of an outbox that is empty, if it is much.
    pub(crate) fn trim(&mut self) {
        let kept = self.open.capacity()
            + self.messages.capacity() * size_of::<(usize, Arc<Frozen>)>()
            + self.parts.capacity() * size_of::<Bytes>();
        if self.is_empty() && kept > KEPT {
            *self = Self::new();
        }
    }

    /// Takes out the messages that are not written whole, and forgets all else.
    pub(crate) fn take_messages(&mut self) -> Vec<Arc<Frozen>> {
        std::mem::take(self).messages.into_iter().map(|(_, message)| message).collect()
    }

    /// Makes a part of what is open.
    fn seal(&mut self) {
        let mut part = Bytes::from(std::mem::take(&mut self.open));
        part.advance(std::mem::take(&mut self.at));
        if !part.is_empty() {
            self.parts.push_back(part);
        }
    }
}

/// Appends messages, `per_frame` in a frame, and to the last of them the number of their batch, if it has one.
pub(crate) fn append_frames(
    out: &mut Vec<u8>,
    messages: &[Arc<Frozen>],
    per_frame: Option<usize>,
    batch: Option<u64>,
) {
    for (together, batch) in in_frames(messages, per_frame, batch) {
        append_frame(out, together, batch);
    }
}

fn append_frame(out: &mut Vec<u8>, together: &[Arc<Frozen>], batch: Option<u64>) {
    match (together, batch) {
        ([message], None) => frame::append_text(out, message.array()),
        _ => frame::append_written(out, |out| join(together, batch, out)),
    }
}

/// Returns what goes into each frame, all into one when there is no limit; with the last, the number of the batch.
fn in_frames(
    messages: &[Arc<Frozen>],
    per_frame: Option<usize>,
    batch: Option<u64>,
) -> impl Iterator<Item = (&[Arc<Frozen>], Option<u64>)> {
    let size = per_frame.unwrap_or(messages.len()).max(1);
    let count = messages.len().div_ceil(size);
    let frames = messages.chunks(size).zip(1..);
    frames.map(move |(together, number)| (together, batch.filter(|_| number == count)))
}

/// Writes messages, and the number of their batch if it has one, as one array.
fn join(messages: &[Arc<Frozen>], batch: Option<u64>, out: &mut Vec<u8>) {
    let number = batch.map(numbering);
    let number = number.as_ref().map(String::as_bytes);
    for (index, json) in messages.iter().map(|message| message.json()).chain(number).enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        out.extend_from_slice(json);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(size: usize) -> Arc<Frozen> {
        Message::with_data("/a", json!("x".repeat(size))).freeze()
    }

    /// Writes all, so much at once; returns the bytes and after which writes messages were whole.
    fn written(outbox: &mut Outbox, step: usize) -> (Vec<u8>, usize) {
        let (mut bytes, mut messages) = (Vec::new(), 0);
        while !outbox.is_empty() {
            let part = &outbox.front()[..outbox.front().len().min(step)];
            bytes.extend_from_slice(part);
            let count = part.len();
            messages += outbox.advance(count);
        }
        (bytes, messages)
    }

    #[test]
    fn what_is_put_in_comes_out_in_order_however_it_is_written() {
        let mut expected = Vec::new();
        for size in [10, SHARED, 20, 2 * SHARED, 30] {
            frame::append_text(&mut expected, message(size).array());
        }
        frame::append_text(&mut expected, b"[{\"channel\":\"/b\"}]");
        for step in [1, 7, 1000, 100_000] {
            let mut outbox = Outbox::default();
            outbox.put_messages(&[10, SHARED, 20, 2 * SHARED, 30].map(message), Some(1), None);
            outbox.put_replies(&[Message::new("/b")]);
            assert_eq!(outbox.len(), expected.len());
            let (bytes, messages) = written(&mut outbox, step);
            assert!(bytes == expected, "{step}");
            assert_eq!(messages, 5);
            assert!(outbox.front().is_empty() && outbox.take_messages().is_empty());
        }
    }

    #[test]
    fn messages_share_frames_as_configured() {
        let mut outbox = Outbox::default();
        outbox.put_messages(&[message(1), message(2), message(3)], Some(2), None);
        let (bytes, messages) = written(&mut outbox, 1000);
        let mut expected = Vec::new();
        let both = [&b"["[..], message(1).json(), b",", message(2).json(), b"]"].concat();
        frame::append_text(&mut expected, &both);
        frame::append_text(&mut expected, message(3).array());
        assert_eq!((bytes, messages), (expected, 3));
    }

    #[test]
    fn a_batch_has_its_number_in_its_last_frame_however_it_is_written() {
        for per_frame in [None, Some(1), Some(2)] {
            let messages = [message(1), message(2), message(3)];
            let mut expected = Vec::new();
            append_frames(&mut expected, &messages, per_frame, Some(7));
            let text = String::from_utf8_lossy(&expected).into_owned();
            let end = r#"},{"channel":"/meta/ack","ext":{"ack":7}}]"#;
            assert!(text.ends_with(end) && text.matches("/meta/ack").count() == 1, "{text}");
            let mut outbox = Outbox::default();
            outbox.put_messages(&messages, per_frame, Some(7));
            assert_eq!(written(&mut outbox, 1000), (expected, 3));
        }
    }

    #[test]
    fn messages_that_are_not_whole_come_back() {
        let mut outbox = Outbox::default();
        outbox.put_messages(&[message(1), message(2), message(3)], Some(1), None);
        let first = message(1).array().len() + 2;
        assert_eq!(outbox.skip(first + 1), 1);
        let left: Vec<_> = outbox.take_messages().iter().map(|message| message.weight()).collect();
        assert_eq!(left, [message(2).weight(), message(3).weight()]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_large_message_is_not_copied() {
        let (mut outbox, large) = (Outbox::default(), message(SHARED));
        outbox.put_messages(std::slice::from_ref(&large), Some(1), None);
        assert_eq!(outbox.advance(outbox.front().len()), 0);
        assert_eq!(outbox.front().as_ptr(), large.array().as_ptr());
    }
}
