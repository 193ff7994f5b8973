//! Those to whom every message goes.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::net::tcp::OwnedWriteHalf;

use crate::limit::ready::Ready;

/// Those to whom every message goes.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Members>);

#[derive(Default)]
struct Members {
    next: u64,
    /// By their numbers, which grow.
    members: Vec<Member>,
}

struct Member {
    number: Number,
    half: OwnedWriteHalf,
    state: State,
}

/// Which member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u64);

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// Takes frames, at any time.
    Socket,
    /// Has sent a request that waits for a message.
    Held,
    /// Has sent no request; so many messages wait for one.
    Away(usize),
}

impl Crowd {
    /// Adds a member, to which `greeting` is written before any message.
    pub(super) fn add(
        &self,
        half: OwnedWriteHalf,
        state: State,
        greeting: &[u8],
    ) -> io::Result<Number> {
        let mut members = self.lock();
        let member = Member { number: Number(members.next), half, state };
        if !greeting.is_empty() && !member.write(greeting) {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let number = member.number;
        members.next += 1;
        members.members.push(member);
        Ok(number)
    }

    pub(super) fn remove(&self, number: Number) {
        let mut members = self.lock();
        if let Some(at) = members.find(number) {
            members.members.remove(at);
        }
    }

    /// Answers a member's request, or holds it; false when the member is not there any more.
    pub(super) fn hold(&self, number: Number, ready: &Ready) -> bool {
        let mut members = self.lock();
        let Some(at) = members.find(number) else { return false };
        let member = &mut members.members[at];
        let due = match member.state {
            State::Away(due) => due,
            State::Held | State::Socket => 0,
        };
        member.state = State::Held;
        due == 0 || member.deliver(due, ready)
    }

    /// Writes so many messages to all; those that do not take them are let go.
    pub(super) fn deliver(&self, messages: usize, ready: &Ready) {
        self.lock().members.retain_mut(|member| member.deliver(messages, ready));
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn find(&self, number: Number) -> Option<usize> {
        self.members.binary_search_by_key(&number, |member| member.number).ok()
    }
}

impl Member {
    /// Writes so many messages, or keeps them for the next request; false when they are not taken.
    fn deliver(&mut self, messages: usize, ready: &Ready) -> bool {
        match self.state {
            State::Socket => ready.delivery.times(messages).all(|part| self.write(part)),
            State::Held => {
                let (response, sent) = ready.response(messages);
                self.state = State::Away(messages - sent);
                self.write(response)
            }
            State::Away(due) => {
                self.state = State::Away(due + messages);
                true
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> bool {
        self.half.try_write(bytes).is_ok_and(|written| written == bytes.len())
    }
}
