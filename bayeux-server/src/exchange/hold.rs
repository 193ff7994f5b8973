//! A connect that is held: its request or connection waits with it for a message, or for its time to be
//! over.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::ConnectionType;

use crate::{
    carrier::Carrier,
    exchange::{
        Receipt,
        reply::{Answer, Connect},
        suspension::Suspension,
        waiting::Waiting,
    },
    proto::{
        carriage::Means,
        session::{Accepted, Cycle, Held, Hold},
    },
};

/// A connect that has no reply yet.
#[derive(Debug)]
pub(crate) struct HeldConnect {
    transport: ConnectionType,
    reply: Waiting,
    receipt: Receipt,
    suspension: Option<Suspension>,
}

impl Answer {
    /// Takes out the connect if that is to be held, for `carrier`, which takes the session over.
    pub(crate) fn hold(
        &mut self,
        carrier: &Arc<Carrier>,
        means: Means,
    ) -> Hold<(HeldConnect, Duration)> {
        let (Some(session), Some(connect)) = (self.session(), &self.connect) else {
            return Hold::Not;
        };
        match session.hold(connect.accepted, carrier, means) {
            Hold::For(timeout) => match self.connect.take() {
                Some(Connect { reply, .. }) => {
                    let (transport, receipt) = (self.transport, self.receipt.split());
                    let suspension = None;
                    let held = HeldConnect { transport, reply, receipt, suspension };
                    Hold::For((held, timeout))
                }
                None => Hold::Not,
            },
            Hold::Not => Hold::Not,
            // One that does not have to wait is answered, though a newer one is here by now.
            Hold::Overtaken if !connect.accepted.may_wait => Hold::Not,
            Hold::Overtaken => {
                self.connect = None;
                Hold::Overtaken
            }
        }
    }
}

impl HeldConnect {
    /// Has the session's listeners told that this is held.
    pub(crate) fn suspend(&mut self, timeout: Duration) {
        let Receipt { server, session, .. } = &self.receipt;
        self.suspension = session.as_ref().map(|own| Suspension::new(server, own, timeout));
    }

    /// Asks what it does now.
    pub(crate) fn ask(&self, means: Means, now: Instant) -> Held {
        let Some(session) = &self.receipt.session else { return Held::Resume };
        match session.held(self.cycle(), means, now) {
            Held::Wait(_) if self.receipt.server.0.is_stopped() => Held::Resume,
            held @ (Held::Wait(_) | Held::TimedOut | Held::Resume | Held::Overtaken) => held,
        }
    }

    /// Takes back that it is held.
    pub(super) fn let_go(self, carrier: &Arc<Carrier>) -> Box<Answer> {
        if let Some(session) = &self.receipt.session {
            session.let_go(self.cycle(), carrier);
        }
        self.resume(Held::Resume)
    }

    /// Ends the wait: it is to be answered.
    pub(crate) fn resume(self, held: Held) -> Box<Answer> {
        let accepted = Accepted { cycle: self.cycle(), may_wait: true };
        let Self { transport, reply, receipt, suspension } = self;
        if let Some(suspension) = suspension {
            suspension.resume(held == Held::TimedOut);
        }
        let connect = Connect { accepted, place: 0, reply };
        Box::new(Answer::to_connect(transport, connect, receipt))
    }

    /// Returns the number of the connect, which is in the receipt.
    pub(super) fn cycle(&self) -> Cycle {
        self.receipt.cycle.unwrap_or_default()
    }
}
