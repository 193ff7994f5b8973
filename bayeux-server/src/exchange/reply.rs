//! Replies: the connect's is completed when it goes out, and then all is put together with what is queued.

use std::{sync::Arc, task::Context, time::Instant};

use bayeux_api::{
    ConnectionType, Flow, Frozen, Message,
    implement::{Hook, ahead},
};
use serde_json::json;

use crate::{
    carrier::Carrier,
    exchange::{
        Receipt,
        waiting::Waiting,
        work::{self, Begun},
    },
    proto::session::{Accepted, Due},
    server::Server,
    session::Session,
};

/// What a request is answered with, as far as that is known.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) transport: ConnectionType,
    /// The reply to a handshake.
    pub(super) greeting: Option<Box<Message>>,
    pub(super) replies: Vec<Message>,
    /// The newest connect that was accepted, whose reply is not among the others.
    pub(super) connect: Option<Connect>,
    /// The place of the connect's reply, when that is among the others.
    connected: Option<usize>,
    pub(super) batch: Option<Batch>,
    pub(super) receipt: Receipt,
}

/// A connect that is not answered yet.
#[derive(Debug)]
pub(super) struct Connect {
    pub(super) accepted: Accepted,
    /// Where its reply goes among the others.
    pub(super) place: usize,
    pub(super) reply: Waiting,
}

/// What a transport writes: the reply to a handshake, then what was queued, with the number of its batch if that goes
/// ahead of a reply which has it, then the other replies.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) greeting: Option<Box<Message>>,
    pub(crate) queue: Vec<Arc<Frozen>>,
    pub(crate) batch: Option<u64>,
    pub(crate) replies: Vec<Message>,
    pub(crate) receipt: Receipt,
}

impl Parcel {
    /// Whether this tells the client of its new session.
    pub(crate) fn begins_session(&self) -> bool {
        self.greeting.as_ref().is_some_and(|reply| reply.is_successful())
    }

    /// Whether the server is about to end, and sends the client away: its connection is of no more use.
    pub(crate) fn sends_away(&self) -> bool {
        let Receipt { server, session, .. } = &self.receipt;
        let is_dismissed = |own: &Arc<Session>| own.is_dismissed() || !own.is_handshook();
        server.is_draining() && session.as_ref().is_none_or(is_dismissed)
    }
}

impl Answer {
    pub(super) fn new(
        server: Server,
        session: Option<Arc<Session>>,
        transport: ConnectionType,
    ) -> Self {
        let receipt = Receipt::new(server, session);
        let (replies, connected) = (Vec::new(), None);
        Self { transport, greeting: None, replies, connect: None, connected, batch: None, receipt }
    }

    /// Makes the answer to a connect that was held.
    pub(super) fn to_connect(
        transport: ConnectionType,
        connect: Connect,
        receipt: Receipt,
    ) -> Self {
        let (replies, connect) = (Vec::new(), Some(connect));
        Self { transport, greeting: None, replies, connect, connected: None, batch: None, receipt }
    }

    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.receipt.session.as_ref()
    }

    pub(super) fn parties(&self) -> (&Server, Option<&Arc<Session>>) {
        (&self.receipt.server, self.receipt.session.as_ref())
    }

    /// Whether a handshake is answered, well or not.
    pub(crate) fn is_greeting(&self) -> bool {
        self.greeting.is_some()
    }

    /// Returns the session that begins.
    pub(crate) fn new_session(&self) -> Option<&Arc<Session>> {
        self.session().filter(|_| self.begins_session())
    }

    fn begins_session(&self) -> bool {
        self.greeting.as_ref().is_some_and(|reply| reply.is_successful())
    }

    /// Whether a connect has to be [completed](Self::complete) before all is [packed](Self::pack).
    pub(crate) fn has_connect(&self) -> bool {
        self.connect.is_some()
    }

    /// Whether there is nothing to say, since all that waits for a reply is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.greeting.is_none() && self.replies.is_empty() && self.connect.is_none()
    }

    /// Puts `others` behind the reply to a connect that was held: one to a disconnect is the last, since
    /// CometD's JavaScript library closes the connection then, but only if it has no connect outstanding.
    pub(crate) fn before(mut self: Box<Self>, others: Self) -> Box<Self> {
        self.replies.extend(others.replies);
        self
    }

    /// Has nobody carry the session while its newest connect is answered with others, which is not held.
    pub(super) fn release(&self) {
        if let (Some(session), Some(connect)) = (self.session(), &self.connect) {
            session.release(connect.accepted.cycle);
        }
    }

    /// Changes the reply to the connect before it is completed.
    pub(super) fn change_reply(&mut self, change: impl FnOnce(&mut Message)) {
        if let Some(connect) = &mut self.connect {
            let waiting = std::mem::replace(&mut connect.reply, Waiting::Plain { id: None });
            let mut reply = Message::from(waiting);
            change(&mut reply);
            connect.reply = reply.into();
        }
    }

    /// Completes the reply to the connect, if there is one; false when extensions are to see it first.
    pub(crate) fn complete(&mut self) -> bool {
        if self.connect.is_some() && self.is_shown() {
            return false;
        }
        if let Some((place, reply)) = self.take_reply() {
            self.put(place, reply);
        }
        true
    }

    /// Begins to show the reply to the connect to the extensions, which completes it.
    pub(crate) fn begin_to_show(mut self: Box<Self>, context: &mut Context<'_>) -> Begun {
        let work = async {
            self.show_reply().await;
            self
        };
        work::begin(work, context)
    }

    /// Whether extensions see the replies.
    fn is_shown(&self) -> bool {
        let (server, session) = self.parties();
        let hooks = session.and_then(|session| session.hooks());
        !server.0.extensions.is_empty() || hooks.is_some_and(|hooks| !hooks.extensions.is_empty())
    }

    async fn show_reply(&mut self) {
        let Some((place, mut reply)) = self.take_reply() else { return };
        let (server, session) = self.parties();
        if server.extend_reply(session, &mut reply).await == Flow::Continue {
            self.put(place, reply);
        }
    }

    /// Takes the reply to the connect, with its advice, and where it goes.
    fn take_reply(&mut self) -> Option<(usize, Message)> {
        let Connect { place, reply, .. } = self.connect.take()?;
        let mut reply = Message::from(reply);
        let (server, session) = self.parties();
        server.complete_connect(session?, self.transport, &mut reply);
        Some((place, reply))
    }

    fn put(&mut self, place: usize, reply: Message) {
        let place = place.min(self.replies.len());
        self.replies.insert(place, reply);
        self.connected = Some(place);
    }

    /// Answers a connect that a newer one of the same request has overtaken, if it does not have to wait.
    pub(super) async fn overtake(&mut self, earlier: Connect) {
        if earlier.accepted.may_wait && self.may_hold_among_others() {
            return;
        }
        self.connect = Some(earlier);
        self.show_reply().await;
        self.connected = None;
    }

    /// Whether a connect is held though others came together with it. Over HTTP their replies would
    /// have to wait.
    fn may_hold_among_others(&self) -> bool {
        self.transport == ConnectionType::WebSocket
    }

    /// Puts all together: here messages leave the queue, and from here on the parcel stands for them.
    /// `take` takes what goes with replies that are no connect's.
    pub(crate) fn pack(mut self, take: impl FnOnce(&Session) -> Due) -> Parcel {
        let mut due = Due::default();
        if let Some(session) = self.receipt.session.take() {
            due = self.take_queue(&session, take);
            self.show(&session, &mut due.messages);
            self.receipt.session = Some(session);
        }
        drop(self.batch);
        let Self { greeting, replies, receipt, .. } = self;
        Parcel { greeting, queue: due.messages, batch: due.batch, replies, receipt }
    }

    fn take_queue(&mut self, session: &Session, take: impl FnOnce(&Session) -> Due) -> Due {
        if self.begins_session() {
            return Due { messages: self.take_with_greeting(session), batch: None };
        }
        let Some(cycle) = self.receipt.cycle else { return take(session) };
        let (batch, queue) = session.drain_with_connect(cycle);
        let reply = self.connected.and_then(|place| self.replies.get_mut(place));
        if let (Some(batch), Some(reply)) = (batch, reply) {
            reply.ext_mut().insert("ack".to_owned(), json!(batch));
        }
        Due { messages: queue, batch: None }
    }

    /// Takes what may be delivered together with the reply to a handshake.
    fn take_with_greeting(&mut self, session: &Session) -> Vec<Arc<Frozen>> {
        let config = self.receipt.server.0.config.transport(self.transport);
        let Some(reply) = &mut self.greeting else { return Vec::new() };
        if !config.allow_message_delivery_during_handshake {
            return Vec::new();
        }
        let (batch, queue) = session.drain_with_reply();
        if let Some(batch) = batch {
            reply.ext_mut().insert("ack".to_owned(), json!({ "enabled": true, "batch": batch }));
        }
        reply.x_messages = Some(queue.len() as u64);
        queue
    }

    /// Shows all that is sent to the session's listeners, the reply to a handshake as the first.
    fn show(&mut self, session: &Arc<Session>, queue: &mut Vec<Arc<Frozen>>) {
        if session.de_queue_listeners().is_empty() {
            return;
        }
        let greeting = self.greeting.take().map(|reply| *reply);
        self.replies.splice(0..0, greeting);
        show_queue(session, queue, &mut self.replies);
        if self.replies.first().is_some_and(Message::is_handshake) {
            let mut reply = Box::new(self.replies.remove(0));
            reply.x_messages = reply.x_messages.map(|_| queue.len() as u64);
            self.greeting = Some(reply);
        }
    }
}

/// Takes what `carrier` has to send now though nothing is to be answered, if anything, and tells when it
/// has to look again.
pub(crate) fn push(
    session: &Arc<Session>,
    carrier: &Arc<Carrier>,
    now: Instant,
) -> (Option<Pushed>, Option<Instant>) {
    let (due, again) = session.push(carrier, now);
    let due = due.map(|Due { messages: mut queue, batch }| {
        let mut replies = Vec::new();
        show_queue(session, &mut queue, &mut replies);
        Pushed { queue, batch, replies }
    });
    (due, again)
}

/// Makes the JSON of the message that numbers what was sent before it, ahead of the reply to a connect.
pub(crate) fn numbering(batch: u64) -> String {
    format!(r#"{{"channel":"{}","ext":{{"ack":{batch}}}}}"#, ahead::CHANNEL)
}

/// What is sent though nothing is answered, with what a listener has put to it.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) queue: Vec<Arc<Frozen>>,
    pub(crate) batch: Option<u64>,
    pub(crate) replies: Vec<Message>,
}

/// Shows the session's listeners what is about to be sent. What one that panics has changed by then is
/// taken back.
fn show_queue(session: &Arc<Session>, queue: &mut Vec<Arc<Frozen>>, replies: &mut Vec<Message>) {
    let listeners = session.de_queue_listeners();
    if listeners.is_empty() {
        return;
    }
    let (hook, seen) = (Hook("DeQueueListener::de_queue", session.id()), session.as_dyn());
    for listener in listeners.iter() {
        let before = (queue.clone(), replies.clone());
        if listener.ask(hook, |it| it.de_queue(&seen, queue, replies)).is_none() {
            (*queue, *replies) = before;
        }
    }
}

/// A batch of a session that ends when it is dropped.
#[derive(Debug)]
pub(super) struct Batch(Arc<Session>);

impl Batch {
    pub(super) fn new(session: Arc<Session>) -> Self {
        session.open_batch();
        Self(session)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.0.end_batch();
    }
}
