//! What the application asks for: subscribe, unsubscribe, publish and remote calls, in batches or not.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bayeux_api::{ConnectionType, Message, Subscription, client::RequestError, meta};

use super::{
    Kind, LONGEST, Machine, Output, Phase, Timer, What, receive::knows_no_session,
    subscriptions::Joined,
};
use crate::weight::payload;

/// A request that has not been sent yet.
#[derive(Debug)]
pub(super) struct Request<T> {
    pub(super) id: u64,
    pub(super) message: Message,
    pub(super) what: What<T>,
    /// The bytes of its payload.
    pub(super) size: usize,
}

impl<T> Request<T> {
    pub(super) fn new(id: u64, message: Message, what: What<T>) -> Self {
        let size = payload(&message);
        Self { id, message, what, size }
    }

    /// About how many bytes it has when it is sent.
    pub(super) fn bulk(&self) -> usize {
        let channels = self.message.subscription.as_ref().map(Subscription::channels);
        let names = channels.into_iter().flatten().map(String::len);
        self.size + ENVELOPE + names.sum::<usize>()
    }
}

impl<T> Machine<T> {
    /// Publishes a message.
    pub(crate) fn publish(&mut self, message: Message, waiter: T, now: Instant) {
        if let Some(waiter) = self.admit(&message, waiter) {
            let request = Request::new(self.next_id(), message, What::Plain(Some(waiter)));
            self.enqueue(request, now);
        }
    }

    /// Calls a service of the server, on its channel.
    pub(crate) fn remote_call(&mut self, message: Message, waiter: T, now: Instant) {
        let Some(waiter) = self.admit(&message, waiter) else { return };
        let request = Request::new(self.next_id(), message, What::Call);
        let until = now + self.config.remote_call_timeout.min(LONGEST);
        self.calls.insert(request.id, (until, waiter));
        self.timers.insert((until, Timer::Call(request.id)));
        self.enqueue(request, now);
    }

    /// Adds a subscriber to a channel.
    pub(crate) fn subscribe(&mut self, channel: &str, member: u64, waiter: T, now: Instant) {
        let message = subscription(meta::SUBSCRIBE, channel);
        let Some(waiter) = self.admit(&message, waiter) else { return };
        match self.subscriptions.join(channel, member, waiter) {
            Joined::Ask(waiter) => {
                let id = self.next_id();
                self.subscriptions.asked(channel, id, Some(waiter));
                let request = Request::new(id, message, What::Subscribe(channel.to_owned()));
                // What is to be made again in any case belongs to no batch.
                match self.subscriptions.is_renewal(channel, id) {
                    true => self.enqueue_unbatched(request, now),
                    false => self.enqueue(request, now),
                }
            }
            Joined::Wait => {}
            Joined::Held(waiter) => {
                self.outputs.push(Output::Resolve(waiter, Ok(own_reply(&message))));
            }
        }
    }

    /// Returns whether this subscriber is one of the channel's.
    pub(crate) fn is_subscribed(&self, channel: &str, member: u64) -> bool {
        self.subscriptions.has(channel, member)
    }

    /// Removes a subscriber from a channel. Nothing happens if it is none any more.
    pub(crate) fn unsubscribe(
        &mut self,
        channel: &str,
        member: u64,
        waiter: Option<T>,
        now: Instant,
    ) {
        match self.subscriptions.leave(channel, member) {
            Some(waiting) => self.unsubscribe_last(channel, waiting, waiter, now),
            None => {
                let reply = own_reply(&subscription(meta::UNSUBSCRIBE, channel));
                self.outputs.extend(waiter.map(|one| Output::Resolve(one, Ok(reply))));
            }
        }
    }

    /// Removes all subscribers from a channel.
    pub(crate) fn unsubscribe_all(&mut self, channel: &str, waiter: T, now: Instant) {
        let waiting = self.subscriptions.remove(channel).unwrap_or_default();
        self.unsubscribe_last(channel, waiting, Some(waiter), now);
    }

    fn unsubscribe_last(
        &mut self,
        channel: &str,
        waiting: Vec<T>,
        waiter: Option<T>,
        now: Instant,
    ) {
        let gone = waiting.into_iter();
        self.outputs.extend(gone.map(|one| Output::Resolve(one, Err(RequestError::Released))));
        if !self.is_open() {
            let error = RequestError::NotHandshaken;
            self.outputs.extend(waiter.map(|one| Output::Resolve(one, Err(error))));
            return;
        }
        let message = subscription(meta::UNSUBSCRIBE, channel);
        let request = Request::new(self.next_id(), message, What::Plain(waiter));
        self.enqueue(request, now);
    }

    /// Holds back what is asked for until [`end_batch`](Self::end_batch), be it in the next session.
    pub(crate) fn start_batch(&mut self) {
        self.batch += 1;
    }

    /// Ends a batch and returns whether it was the outermost, whose requests are sent together.
    pub(crate) fn end_batch(&mut self, now: Instant) -> bool {
        self.batch = self.batch.saturating_sub(1);
        if self.batch > 0 {
            return false;
        }
        self.close_batch();
        self.flush(now);
        true
    }

    pub(super) fn close_batch(&mut self) {
        let batched = std::mem::take(&mut self.batched);
        if !batched.is_empty() {
            self.queue.push_back(batched);
        }
    }

    /// Whether requests can be made.
    pub(super) fn is_open(&self) -> bool {
        match self.phase {
            Phase::Handshaking { .. } | Phase::Handshaken { .. } | Phase::Live { .. } => true,
            Phase::Disconnected | Phase::Disconnecting | Phase::Terminating(_) => false,
        }
    }

    /// Returns the waiter if there is place for the request, and answers it if there is none.
    fn admit(&mut self, message: &Message, waiter: T) -> Option<T> {
        let size = payload(message);
        let (requests, bytes) = self.waiting;
        let error = if !self.is_open() {
            RequestError::NotHandshaken
        } else if requests.max(self.calls.len()) >= self.config.max_requests
            || bytes + size > self.config.max_request_bytes
        {
            RequestError::QueueFull
        } else {
            return Some(waiter);
        };
        self.outputs.push(Output::Resolve(waiter, Err(error)));
        None
    }

    fn enqueue(&mut self, request: Request<T>, now: Instant) {
        if self.batch == 0 {
            return self.enqueue_unbatched(request, now);
        }
        self.count(&request);
        self.batched.push(request);
    }

    /// Enqueues a request that no batch holds back.
    pub(super) fn enqueue_unbatched(&mut self, request: Request<T>, now: Instant) {
        self.count(&request);
        self.queue.push_back(vec![request]);
        self.flush(now);
    }

    fn count(&mut self, request: &Request<T>) {
        self.waiting.0 += 1;
        self.waiting.1 += request.size;
    }

    /// Makes the subscriptions of the last session again, or drops them.
    pub(super) fn subscribe_again(&mut self, now: Instant) {
        if !self.config.keep_subscriptions {
            for channel in self.subscriptions.held() {
                let waiting = self.subscriptions.remove(&channel).unwrap_or_default().into_iter();
                let error = Err(RequestError::NotHandshaken);
                self.outputs.extend(waiting.map(|one| Output::Resolve(one, error.clone())));
                self.outputs.push(Output::Unsubscribed(channel));
            }
            return;
        }
        let held = self.subscriptions.held();
        self.subscribe_to(&held, now);
    }

    /// Makes subscriptions once more whose making was not answered, though the session lives.
    pub(super) fn subscribe_to_lost(&mut self, now: Instant) {
        let lost = self.subscriptions.all_lost();
        self.subscribe_to(&lost, now);
    }

    fn subscribe_to(&mut self, channels: &[String], now: Instant) {
        let requests: Vec<_> = channels
            .iter()
            .map(|channel| {
                let id = self.next_id();
                self.subscriptions.asked(channel, id, None);
                let message = subscription(meta::SUBSCRIBE, channel);
                Request::new(id, message, What::Subscribe(channel.clone()))
            })
            .collect();
        self.waiting.0 += requests.len();
        for portion in self.portion.split(requests).into_iter().rev() {
            self.queue.push_front(portion);
        }
        self.flush(now);
    }

    /// Sends what waits. Over HTTP one request follows the other, since two at once may be answered
    /// in any order; what has come together meanwhile goes together. Nor does a request over a
    /// WebSocket overtake one over another transport, which the client has just left.
    pub(super) fn flush(&mut self, now: Instant) {
        let may_send = matches!(
            self.phase,
            Phase::Handshaken { .. } | Phase::Live { .. } | Phase::Disconnecting
        );
        while may_send && !self.queue.is_empty() {
            if self.is_overtaking() {
                return;
            }
            let mut requests = self.queue.pop_front().unwrap_or_default();
            let mut size: usize = requests.iter().map(Request::bulk).sum();
            while let Some(next) = self.queue.front() {
                size += next.iter().map(Request::bulk).sum::<usize>();
                if !self.portion.has_room(size) {
                    break;
                }
                requests.extend(self.queue.pop_front().into_iter().flatten());
            }
            self.send(requests, Kind::Plain, Duration::ZERO, now);
        }
    }

    /// Whether a request that is sent now may arrive before one that was sent earlier.
    fn is_overtaking(&self) -> bool {
        let current = self.negotiation.current();
        let mut plain = self.exchanges.values().filter(|one| one.kind == Kind::Plain);
        plain.any(|one| current != ConnectionType::WebSocket || one.transport != current)
    }

    pub(super) fn subscribe_failed(&mut self, channel: &str, request: u64, error: &RequestError) {
        let is_renewal = self.subscriptions.is_renewal(channel, request);
        let is_unknown = matches!(error, RequestError::Refused(reply) if knows_no_session(reply));
        if is_renewal && is_unknown {
            // It is made in the session that follows.
            return self.subscriptions.lost(channel, request);
        }
        let waiting = if is_renewal && matches!(error, RequestError::Failed(_)) {
            // Nobody knows whether the server has it: who had it keeps it, and who has joined is told.
            let waiting = self.subscriptions.take_waiting(channel, request);
            self.subscriptions.lost(channel, request);
            waiting
        } else {
            let Some(waiting) = self.subscriptions.refused(channel, request) else { return };
            self.outputs.push(Output::Unsubscribed(channel.to_owned()));
            waiting
        };
        let waiting = waiting.into_iter();
        self.outputs.extend(waiting.map(|one| Output::Resolve(one, Err(error.clone()))));
    }

    /// What is on its way belongs to a session that is over. Subscriptions are made in the next one; the
    /// rest may still be answered.
    pub(super) fn leave_behind(&mut self) {
        let mut subscribing = Vec::new();
        for (id, pending) in &self.pending {
            if let What::Subscribe(channel) = &pending.what {
                subscribing.push((*id, pending.exchange, channel.clone()));
            }
        }
        for (id, exchange, channel) in subscribing {
            self.settle(id);
            self.subscriptions.lost(&channel, id);
            if !self.exchanges.contains_key(&exchange) {
                self.outputs.push(Output::Cancel(exchange));
            }
        }
        for one in self.exchanges.values_mut().filter(|one| one.kind == Kind::Plain) {
            one.kind = Kind::Former;
        }
        self.fail_sent_calls();
    }

    /// Answers who waits for a call that was sent.
    fn fail_sent_calls(&mut self) {
        let unsent = self.queue.iter().flatten().chain(&self.batched).map(|request| request.id);
        let unsent: BTreeSet<_> = unsent.collect();
        let sent = self.calls.keys().copied().filter(|call| !unsent.contains(call));
        for call in sent.collect::<Vec<_>>() {
            self.fail_call(call, &RequestError::NotHandshaken);
        }
    }

    pub(super) fn fail_call(&mut self, id: u64, error: &RequestError) {
        if let Some(waiter) = self.take_call(id) {
            self.outputs.push(Output::Resolve(waiter, Err(error.clone())));
        }
    }

    /// Takes whoever waits for the answer to a call.
    pub(super) fn take_call(&mut self, id: u64) -> Option<T> {
        let (until, waiter) = self.calls.remove(&id)?;
        self.timers.remove(&(until, Timer::Call(id)));
        Some(waiter)
    }

    /// Answers all who wait for the answer to a call.
    pub(super) fn fail_calls(&mut self, error: &RequestError) {
        let calls: Vec<_> = self.calls.keys().copied().collect();
        calls.into_iter().for_each(|call| self.fail_call(call, error));
    }
}

fn subscription(meta: &str, channel: &str) -> Message {
    let mut message = Message::new(meta);
    message.subscription = Some(Subscription::One(channel.to_owned()));
    message
}

/// The reply to what the server need not be asked.
fn own_reply(request: &Message) -> Message {
    let mut reply = request.reply();
    reply.successful = Some(true);
    reply
}

/// About how many bytes a message has beside its payload and its subscription.
const ENVELOPE: usize = 128;
