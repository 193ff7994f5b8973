//! Who carries a session, whose turn it is to deliver, and who is to be told of something new.
//!
//! ```text
//!            bind, take                  look               wait
//!   Nobody ────────────▶ Awake (Again) ───────▶ Awake (Seen) ─────▶ Waits
//!     ▲                     ▲   ▲                   │  ▲              │
//!     │                     │   └────── tell ───────┘  └── wake up ───┤
//!     │                     └────── call back (it has to write) ──────┘
//!     └── leave, release: from anywhere
//! ```
//!
//! A carrier is whoever delivers: a held request, a connection, a session in this program. There is one
//! at a time, and it changes in two ways only: who answers or parks the newest connect takes the session
//! over ([`take`](Carriage::take), [`release`](Carriage::release)), and a connection carries what nobody
//! else does ([`bind`](Carriage::bind)). A connection that speaks for a session and does not carry it is
//! a bystander: it gets its replies, and sees the session's end.
//!
//! A carrier that waits is told of what is new; one that is awake looks before it waits, which is why a
//! new one has to look first.

use std::time::Instant;

/// Who carries a session; `C` is the handle by which carriers are told.
#[derive(Debug)]
pub(crate) struct Carriage<C> {
    carried: Option<Carried<C>>,
    bystanders: Vec<C>,
}

#[derive(Debug)]
struct Carried<C> {
    by: C,
    means: Means,
    turn: Turn,
    /// When somebody else last wrote to it.
    written: Option<Instant>,
    look: Look,
}

/// Whether a carrier will look at what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It has seen all there was when it last looked.
    Has,
    /// It was told that there is more, and comes to it.
    Will,
    /// It was told, and does not come to it now: its peer takes nothing.
    Cannot,
}

/// How a carrier delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// With the reply to the connect that it is: a held request.
    Reply,
    /// At once, when it is woken: a connection whose socket is its own, or a session in this program.
    Push,
    /// At once; and while it waits, whoever has something for it may write to its socket.
    Lend,
}

/// Whose turn it is to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The carrier waits: it has to be woken, or written to.
    Waits,
    /// The carrier is awake and has seen all there is.
    Seen,
    /// The carrier is awake, and looks again before it waits.
    Again,
}

/// Who is left to be told that there is something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tell<C> {
    Nobody,
    /// This one has to be woken.
    Wake(C),
    /// What is due can be written to the carrier's socket, by [`lend`](super::session::Session::lend).
    Write,
}

impl<C> From<Option<C>> for Tell<C> {
    fn from(carrier: Option<C>) -> Self {
        carrier.map_or(Self::Nobody, Self::Wake)
    }
}

/// What somebody who came to write to the carrier's socket finds.
#[derive(Debug)]
pub(crate) enum Lent<'a, C> {
    /// Nobody carries, or the carrier is awake and looks again itself.
    No,
    /// The carrier has to be woken.
    Wake(&'a C),
    /// The socket, and the number of what is written to it if that is acknowledged.
    Socket(&'a C, Option<u64>),
}

impl<C: Clone + PartialEq> Carriage<C> {
    /// Whether `carrier` carries the session.
    pub(crate) fn is_by(&self, carrier: &C) -> bool {
        self.carried.as_ref().is_some_and(|own| own.by == *carrier)
    }

    /// Has `carrier` carry if nobody does; if not, it stands by. True when it carries.
    pub(crate) fn bind(&mut self, carrier: &C, means: Means, turn: Turn) -> bool {
        if self.carried.is_none() {
            self.carry(carrier, means, turn);
            return true;
        }
        let carries = self.is_by(carrier);
        if !carries && !self.bystanders.contains(carrier) {
            self.bystanders.push(carrier.clone());
        }
        carries
    }

    /// Has `carrier` take over from whoever carried, and returns that one, which is to see it.
    pub(crate) fn take(&mut self, carrier: &C, means: Means, turn: Turn) -> Option<C> {
        if self.is_by(carrier) {
            return None;
        }
        let before = self.release();
        self.carry(carrier, means, turn);
        before
    }

    /// Has nobody carry, and returns who did. A connection stands by from then on.
    pub(crate) fn release(&mut self) -> Option<C> {
        let before = self.carried.take()?;
        if before.means != Means::Reply {
            self.bystanders.push(before.by.clone());
        }
        Some(before.by)
    }

    fn carry(&mut self, carrier: &C, means: Means, turn: Turn) {
        self.forget(carrier);
        let look = if turn == Turn::Again { Look::Will } else { Look::Has };
        self.carried = Some(Carried { by: carrier.clone(), means, turn, written: None, look });
    }

    /// Notes that `carrier` is gone; nothing when it has nothing to do with the session. True when it
    /// carried.
    pub(crate) fn leave(&mut self, carrier: &C) -> bool {
        let carried = self.is_by(carrier);
        if carried {
            self.carried = None;
        }
        self.forget(carrier);
        carried
    }

    fn forget(&mut self, carrier: &C) {
        if let Some(place) = self.bystanders.iter().position(|own| own == carrier) {
            self.bystanders.swap_remove(place);
            if self.bystanders.is_empty() {
                self.bystanders = Vec::new();
            }
        }
    }

    /// Notes that `carrier` is awake; tells when somebody else last wrote to it.
    pub(crate) fn wake_up(&mut self, carrier: &C) -> Option<Instant> {
        let own = self.carried.as_mut().filter(|own| own.by == *carrier)?;
        if own.turn == Turn::Waits {
            own.turn = Turn::Seen;
        }
        own.written.take()
    }

    /// Notes that `carrier` has looked at all there is.
    pub(crate) fn has_looked(&mut self, carrier: &C) {
        let own = self.carried.as_mut().filter(|own| own.by == *carrier);
        if let Some(own) = own {
            own.look = Look::Has;
            if own.turn == Turn::Again {
                own.turn = Turn::Seen;
            }
        }
    }

    /// Has `carrier` wait; false when it has to look again before.
    pub(crate) fn wait(&mut self, carrier: &C) -> bool {
        let Some(own) = self.carried.as_mut().filter(|own| own.by == *carrier) else { return true };
        let has_seen_all = own.turn != Turn::Again;
        if has_seen_all {
            own.turn = Turn::Waits;
        }
        has_seen_all
    }

    /// Says who is to be told that there is something to deliver.
    pub(crate) fn tell(&mut self) -> Tell<C> {
        match self.come() {
            None => Tell::Nobody,
            Some(Means::Lend) => Tell::Write,
            Some(Means::Push | Means::Reply) => Tell::from(self.carrier().cloned()),
        }
    }

    /// Says who is to be told that something else has changed, which nobody can see to in its place.
    pub(crate) fn call(&mut self) -> Tell<C> {
        match self.come() {
            None => Tell::Nobody,
            Some(_) => Tell::from(self.carrier().cloned()),
        }
    }

    /// Comes with news; returns the means of the carrier if that waits. One that is awake looks again.
    pub(crate) fn come(&mut self) -> Option<Means> {
        let own = self.carried.as_mut()?;
        if own.look == Look::Has {
            own.look = Look::Will;
        }
        if own.turn == Turn::Waits {
            return Some(own.means);
        }
        own.turn = Turn::Again;
        None
    }

    /// Whether the carrier waits, and others may write to its socket.
    pub(crate) fn lends(&self) -> bool {
        let own = self.carried.as_ref();
        own.is_some_and(|own| own.turn == Turn::Waits && own.means == Means::Lend)
    }

    /// Whether the carrier was told of something that it has not looked at yet, and will.
    pub(crate) fn will_look(&self) -> bool {
        self.carried.as_ref().is_some_and(|own| own.look == Look::Will)
    }

    /// Notes that the carrier does not look for now: nobody is to wait for it.
    pub(crate) fn cannot_look(&mut self) {
        if let Some(own) = &mut self.carried {
            own.look = Look::Cannot;
        }
    }

    pub(crate) fn carrier(&self) -> Option<&C> {
        self.carried.as_ref().map(|own| &own.by)
    }

    /// Notes that somebody else wrote to the carrier's socket.
    pub(crate) fn written(&mut self, now: Instant) {
        if let Some(own) = &mut self.carried {
            (own.written, own.look) = (Some(now), Look::Has);
        }
    }

    /// Takes the socket back from those who write to it, and returns the carrier, which has to be woken
    /// to go on.
    pub(crate) fn call_back(&mut self) -> Option<&C> {
        let own = self.carried.as_mut()?;
        (own.turn, own.look) = (Turn::Again, Look::Will);
        Some(&own.by)
    }

    /// Returns all who have to see the session's end.
    pub(crate) fn everybody(&self) -> Vec<C> {
        let carrier = self.carried.iter().map(|own| &own.by);
        carrier.chain(&self.bystanders).cloned().collect()
    }
}

impl<C> Default for Carriage<C> {
    fn default() -> Self {
        Self { carried: None, bystanders: Vec::new() }
    }
}
