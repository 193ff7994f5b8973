//! What the listeners hear of one session: one thing after the other, in the order in which it happened.
//!
//! Whoever changes the session notes what is to be told while it has the session's lock, and has it told
//! after that, unless somebody is telling already, who then comes to it in its turn. So a listener may
//! change the session itself, and wait for that: nobody waits for what another began to tell.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bayeux_api::{
    implement::lock,
    server::{Removal, ServerMessage},
};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    carrier::Carrier,
    channel::Channel,
    session::{Core, Session},
};

/// What happened to a session.
#[derive(Debug)]
pub(crate) enum Event {
    /// It was added by this message.
    Added(ServerMessage),
    /// It subscribed, by this message or by the server's code.
    Subscribed(Arc<Channel>, Option<Arc<ServerMessage>>),
    /// It unsubscribed, by this message or by the server's code.
    Unsubscribed(Arc<Channel>, Option<Arc<ServerMessage>>),
    /// A connect of it is held, for so long.
    Suspended(Duration),
    /// The connect goes on, because its time ran out or not.
    Resumed(bool),
    /// What carried it broke or was closed.
    Lost,
    /// It ended, and with it its subscriptions to these channels.
    Ended(Removal, Vec<Arc<Channel>>),
}

/// What the listeners have not heard yet.
#[derive(Debug, Default)]
pub(super) struct Tellings {
    waiting: VecDeque<Telling>,
    /// Somebody tells, until nothing waits.
    is_told: bool,
    /// Where the last thing was noted that somebody else is to tell: it goes on there if that one goes.
    runtime: Option<Handle>,
    /// The suspension of which the listeners hear, or heard, and have not heard the end.
    suspended: Option<u64>,
    suspensions: u64,
}

#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) event: Event,
    /// Who waits until the listeners have heard it.
    pub(crate) told: Option<oneshot::Sender<()>>,
}

/// What is still to be told to the listeners, or nothing.
#[derive(Debug, Default)]
#[must_use = "the listeners are to be told"]
pub(crate) struct Noted {
    /// Nobody else tells.
    pub(crate) is_teller: bool,
    /// Ends when the listeners have heard it.
    pub(crate) told: Option<oneshot::Receiver<()>>,
}

/// When so many wait, because a listener does not return, two that cancel each other are not told, and of
/// several losses the last.
const MOST: usize = 1000;

impl Session {
    /// Notes what happened, after all that was noted before.
    pub(crate) fn note(&self, event: Event) -> Noted {
        lock(&self.core).note(event)
    }

    /// Notes that a connect is held, in place of one that is held already; returns the suspension's number,
    /// or none when the session has ended meanwhile.
    pub(crate) fn note_suspended(&self, timeout: Duration) -> Option<(u64, Noted)> {
        let mut core = lock(&self.core);
        if !core.machine.is_handshook() {
            return None;
        }
        let tellings = core.tellings();
        tellings.suspensions += 1;
        let number = tellings.suspensions;
        let before = match tellings.suspended.replace(number) {
            Some(_) => tellings.push(Event::Resumed(false), None),
            None => false,
        };
        let is_teller = tellings.push(Event::Suspended(timeout), None) || before;
        Some((number, Noted { is_teller, told: None }))
    }

    /// Notes that the held connect of this suspension goes on, unless that was noted already.
    pub(crate) fn note_resumed(&self, suspension: u64, timed_out: bool) -> Noted {
        let mut core = lock(&self.core);
        let tellings = core.tellings();
        if tellings.suspended.take_if(|own| *own == suspension).is_none() {
            return Noted::default();
        }
        let is_teller = tellings.push(Event::Resumed(timed_out), None);
        Noted { is_teller, told: None }
    }

    /// Notes that `carrier` is gone, which is told if it carried the session.
    pub(crate) fn note_lost(&self, carrier: &Arc<Carrier>) -> Noted {
        let is_heard = !self.listeners().is_empty();
        let mut core = lock(&self.core);
        let is_lost = core.machine.leave(carrier);
        let is_teller = is_lost && is_heard && core.tellings().push(Event::Lost, None);
        Noted { is_teller, told: None }
    }

    /// Notes the end, after which there is nothing more. The subscriptions are seen until it is told.
    pub(crate) fn note_end(&self, removal: Removal, channels: Vec<Arc<Channel>>) -> Noted {
        let mut core = lock(&self.core);
        core.subscriptions = channels.iter().cloned().collect();
        let tellings = core.tellings();
        let before = match tellings.suspended.take() {
            Some(_) => tellings.push(Event::Resumed(false), None),
            None => false,
        };
        let mut noted = core.note(Event::Ended(removal, channels));
        noted.is_teller |= before;
        noted
    }

    /// Returns what is told next; none when somebody else may begin to tell.
    pub(crate) fn next_telling(&self) -> Option<Telling> {
        lock(&self.core).tellings().next()
    }

    /// Notes that whoever told has gone before the end. Returns the runtime in which another has to go on;
    /// without one, whoever next notes something begins with what waits.
    pub(crate) fn stop_telling(&self) -> Option<Handle> {
        lock(&self.core).tellings().stop()
    }

    /// Forgets the subscriptions of a session that ended.
    pub(crate) fn forget_subscriptions(&self) {
        let gone = std::mem::take(&mut lock(&self.core).subscriptions);
        drop(gone);
    }
}

impl Core {
    pub(super) fn note(&mut self, event: Event) -> Noted {
        let (told, hears) = oneshot::channel();
        let is_teller = self.tellings().push(event, Some(told));
        Noted { is_teller, told: Some(hears) }
    }

    /// Boxed, since most sessions have none.
    fn tellings(&mut self) -> &mut Tellings {
        self.tellings.get_or_insert_default()
    }
}

impl Tellings {
    /// Adds an event at the end; true when nobody tells.
    fn push(&mut self, event: Event, told: Option<oneshot::Sender<()>>) -> bool {
        let cancelled = match self.waiting.len() < MOST {
            true => None,
            false => self.waiting.iter().rposition(|one| one.event.is_undone_by(&event)),
        };
        let is_last_of_many = cancelled.is_some() && matches!(event, Event::Lost);
        if let Some(place) = cancelled {
            self.waiting.remove(place);
        }
        if cancelled.is_none() || is_last_of_many {
            self.waiting.push_back(Telling { event, told });
        }
        let is_teller = !std::mem::replace(&mut self.is_told, true);
        if !is_teller {
            self.runtime = Handle::try_current().ok().or_else(|| self.runtime.take());
        }
        is_teller
    }

    fn next(&mut self) -> Option<Telling> {
        let next = self.waiting.pop_front();
        self.is_told = next.is_some();
        if !self.is_told {
            self.waiting = VecDeque::new();
            self.runtime = None;
        }
        next
    }

    fn stop(&mut self) -> Option<Handle> {
        let runtime = self.runtime.take().filter(|_| !self.waiting.is_empty());
        self.is_told = runtime.is_some();
        runtime
    }
}

impl Event {
    /// Whether nobody has to hear of this one, nor, mostly, of the later one.
    fn is_undone_by(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Subscribed(one, _), Self::Unsubscribed(other, _))
            | (Self::Unsubscribed(one, _), Self::Subscribed(other, _)) => Arc::ptr_eq(one, other),
            (Self::Suspended(_), Self::Resumed(_)) | (Self::Resumed(_), Self::Suspended(_)) => true,
            // The last is enough.
            (Self::Lost, Self::Lost) => true,
            (
                Self::Added(_)
                | Self::Subscribed(..)
                | Self::Unsubscribed(..)
                | Self::Suspended(_)
                | Self::Resumed(_)
                | Self::Lost
                | Self::Ended(..),
                _,
            ) => false,
        }
    }
}

#[cfg(test)]
mod tests;
