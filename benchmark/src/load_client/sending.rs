//! Sending: batches at fixed times, whether what was sent before has arrived or not.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use bayeux_client::{Reply, api::Json, api::client::RequestError};
use fastrand::Rng;
use futures_util::FutureExt as _;

use crate::{
    Result,
    load_client::{
        arguments::Plan,
        arrivals::{Arrivals, Payload},
        crowd::Crowd,
    },
    say,
};

/// What was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// When the first batch was to be sent, in ns of the clock of [`Arrivals`].
    pub(crate) begin: u64,
    pub(crate) elapsed: Duration,
    pub(crate) batches: u64,
    pub(crate) messages: u64,
    /// How many messages have to arrive.
    pub(crate) expected: u64,
    /// The replies that have not come yet.
    pub(crate) replies: Replies,
}

/// Sends all batches from this thread, which sleeps in between: a timer of the runtime would be a
/// millisecond late, and by then batches of a short pause would be sent together. `first` is the id
/// of the first message.
pub(crate) fn send(
    plan: &Plan,
    crowd: &Crowd,
    arrivals: &Arrivals,
    rng: &mut Rng,
    first: u64,
) -> Result<Sent> {
    let sizes = crowd.sizes();
    let rooms: Vec<_> = (0..sizes.len()).filter(|room| sizes[*room] > 0).collect();
    let sent_now = arrivals.begin(first, plan.messages());
    let chat = "x".repeat(plan.message_size);
    let pause = Duration::from_micros(plan.batch_pause);
    let mut progress = say::Progress::new("messages sent", plan.messages());
    let (start, begin) = (Instant::now(), arrivals.now());
    let (mut messages, mut expected, mut batches) = (0, 0, 0);
    let (mut replies, mut counts) = (Replies::default(), vec![0; sizes.len()]);
    for batch in 0..plan.batches {
        let due = Duration::from_nanos(batch.saturating_mul(u64::try_from(pause.as_nanos())?));
        thread::sleep(due.saturating_sub(start.elapsed()));
        if arrivals.is_cut_off() {
            break;
        }
        let user = match plan.randomize {
            true => rng.usize(..crowd.len()),
            false => usize::try_from(batch)? % crowd.len(),
        };
        let client = crowd.client(user);
        let together = client.start_batch();
        for _ in 0..plan.batch_size {
            let room = rooms[rng.usize(..rooms.len())];
            let msg_id = first + messages;
            let start = begin + u64::try_from(due.as_nanos())?;
            let payload = Payload { room, user: u32::try_from(user)?, chat: &chat, start, msg_id };
            let data = Json::new(&payload)?;
            sent_now(msg_id, counts[room]);
            counts[room] += 1;
            replies.expect(client.channel(crowd.channel(room))?.publish(data));
            messages += 1;
            expected += sizes[room];
        }
        together.end();
        batches += 1;
        replies.take(|error| arrivals.problem(|| format!("client {user} published: {error}")));
        progress.at(messages);
    }
    Ok(Sent { begin, elapsed: start.elapsed(), batches, messages, expected, replies })
}

/// Replies to publications, about in the order in which they come.
#[derive(Debug, Default)]
pub(crate) struct Replies(VecDeque<Reply>);

impl Replies {
    fn expect(&mut self, reply: Reply) {
        self.0.push_back(reply);
    }

    /// Takes those that have come, up to the first that has not; those that tell of a failure at
    /// this end are given to `failed`. All others are seen by the transport's listeners.
    fn take(&mut self, failed: impl Fn(RequestError)) {
        while self.0.front_mut().is_some_and(|reply| has_come(reply, &failed)) {
            self.0.pop_front();
        }
    }

    /// Takes all that have come.
    pub(crate) fn take_all(&mut self, failed: impl Fn(RequestError)) {
        self.0.retain_mut(|reply| !has_come(reply, &failed));
    }

    /// Returns how many are missing.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn has_come(reply: &mut Reply, failed: impl Fn(RequestError)) -> bool {
    match reply.now_or_never() {
        None => return false,
        Some(Ok(_) | Err(RequestError::Refused(_) | RequestError::Failed(_))) => {}
        Some(Err(error)) => failed(error),
    }
    true
}
