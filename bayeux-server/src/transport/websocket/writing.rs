//! What a connection writes: as much as the peer takes, whatever the application does meanwhile.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bayeux_api::{Frozen, Message, server::Removal};

use crate::{
    clock,
    exchange::Parcel,
    proto::after,
    transport::websocket::{busy::Parts, close::SocketError, connection::Connection, frame},
};

/// How much is gathered before it is written, and before more is put to it.
const GATHERED: usize = 64 * 1024;

impl Connection {
    /// Whether something has still to be written before the socket can be lent.
    pub(super) fn is_writing(&self) -> bool {
        !self.busy.outbox.is_empty() || !self.is_flushed
    }

    /// Whether nothing more is put to what is to be written.
    pub(super) fn has_much_to_write(&self) -> bool {
        self.busy.outbox.len() > GATHERED
    }

    /// When the peer has taken nothing for too long, if it has anything to take.
    pub(super) fn stuck_at(&self) -> Option<Instant> {
        self.is_writing().then(|| after(self.taken, self.server.0.config.ws.write_timeout))
    }

    /// Writes what is to be written, as far as the peer takes it; ready when all is.
    pub(super) fn poll_writing(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SocketError>> {
        let mut sent = 0;
        let is_done = loop {
            if self.busy.pong.is_some() && !self.has_much_to_write() {
                self.put_pong();
            }
            if self.busy.outbox.is_empty() {
                break true;
            }
            match self.socket.poll_write(context, self.busy.outbox.front()) {
                Poll::Ready(count) => {
                    sent += self.busy.outbox.advance(count?);
                    self.is_flushed = false;
                }
                Poll::Pending => break false,
            }
        };
        self.server.0.counters.messages_sent.add(sent);
        if !is_done {
            return Poll::Pending;
        }
        if !self.is_flushed {
            ready!(self.socket.poll_flush(context))?;
            self.is_flushed = true;
        }
        self.busy.forget_receipts();
        Poll::Ready(Ok(()))
    }

    fn put_pong(&mut self) {
        let Parts { pong, outbox, .. } = &mut *self.busy;
        if let Some(payload) = pong.take() {
            outbox.append(|open| frame::append_pong(open, &payload));
        }
    }

    /// Goes on writing to a peer that was slow to take it; ready when it took some, be it that it never
    /// will.
    pub(super) fn poll_slow_writing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_writing() {
            return Poll::Pending;
        }
        let left = self.busy.outbox.len();
        let is_done = match self.poll_writing(context) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "websocket lost");
                self.is_gone = true;
                true
            }
            Poll::Pending => false,
        };
        if !is_done && self.busy.outbox.len() == left {
            return Poll::Pending;
        }
        self.is_taken(clock::now());
        self.heard();
        // It lives, and its next connect may be behind what it takes.
        if let Some(session) = &self.session {
            session.touch();
        }
        Poll::Ready(())
    }

    /// Writes at once what the peer takes at once.
    pub(super) async fn write_now(&mut self, now: Instant) {
        if !self.is_writing() {
            self.busy.forget_receipts();
            return;
        }
        let left = self.busy.outbox.len();
        let written = poll_fn(|context| Poll::Ready(self.poll_writing(context))).await;
        match written {
            Poll::Ready(Ok(())) => self.is_taken(now),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "websocket lost");
                self.is_gone = true;
            }
            Poll::Pending => {
                if self.busy.outbox.len() < left {
                    self.is_taken(now);
                }
                self.looks_no_more();
            }
        }
    }

    /// Says that the session's queue is not looked at for now, when the peer has much to take first.
    fn looks_no_more(&self) {
        if let Some(session) = self.session.as_ref().filter(|_| self.has_much_to_write()) {
            session.cannot_be_looked_at();
        }
    }

    fn is_taken(&mut self, now: Instant) {
        self.taken = self.taken.max(now);
        self.alive = self.alive.max(now);
    }

    /// Writes all that is left, at the connection's end; false when the peer takes it too slowly, or
    /// somebody waits for it.
    pub(super) async fn write_rest(&mut self) -> bool {
        loop {
            self.write_now(clock::now()).await;
            let Some(stuck) = self.stuck_at() else { return !self.is_gone };
            let is_over = self.session.as_ref().is_some_and(|session| {
                matches!(session.removal(), Some(Removal::Expired | Removal::Overflowed))
            });
            if self.is_gone || is_over || self.is_waited_for() || stuck <= clock::now() {
                return false;
            }
            let carrier = self.carrier.clone();
            tokio::select! {
                () = poll_fn(|context| self.poll_slow_writing(context)) => {}
                () = carrier.woken() => {}
                () = tokio::time::sleep_until(stuck.into()) => {}
            }
        }
    }

    /// Whether another has taken the session over, and waits for what this one holds.
    pub(super) fn is_waited_for(&self) -> bool {
        self.busy.outbox.has_messages()
            && self.session.as_ref().is_some_and(|session| !session.is_carried_by(&self.carrier))
    }

    /// Puts messages into the outbox, then the number of their batch if that goes ahead, then a frame with replies.
    pub(super) fn put(&mut self, queue: &[Arc<Frozen>], batch: Option<u64>, replies: &[Message]) {
        self.begin_taking();
        let per_frame = self.server.0.config.ws.messages_per_frame;
        self.busy.outbox.put_messages(queue, per_frame, batch);
        if !replies.is_empty() {
            self.busy.outbox.put_replies(replies);
        }
    }

    /// Puts in what a request is answered with: the reply to a handshake has a frame of its own.
    pub(super) fn put_parcel(&mut self, parcel: Parcel) {
        let Parcel { greeting, queue, batch, replies, receipt } = parcel;
        self.begin_taking();
        if let Some(reply) = greeting {
            self.busy.outbox.put_replies(std::slice::from_ref(&reply));
        }
        self.put(&queue, batch, &replies);
        if receipt.is_awaited() {
            self.busy.receipts.push(receipt);
        }
    }

    /// The time that a peer has to take something counts from when there is something to take.
    pub(super) fn begin_taking(&mut self) {
        if !self.is_writing() {
            self.taken = clock::now();
        }
    }

    /// Puts what was not written back into the queue.
    pub(super) fn give_back(&mut self) {
        let messages = self.busy.take_unwritten();
        if let Some(session) = &self.session {
            session.put_back(messages);
        }
    }
}
