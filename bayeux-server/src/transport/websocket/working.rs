//! What a connection works on: the messages of one frame at a time, past the application's code.
//!
//! The application may wait. Then the work is a task of its own, which ends whoever goes, and the
//! connection reads, writes and answers meanwhile; it takes up the result when that is there, and only
//! then begins with the next frame.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bayeux_api::{
    BayeuxError, ConnectionType, Flow, Message,
    implement::Hook,
    server::{BayeuxContext, ServerMessage, ServerSession as _},
};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    clock,
    fan_out::Together,
    proto::session::{Accepted, Cycle, Parked},
    server::Server,
    session::{AtWork, Origin, Session},
    transport::{
        exchange::drain_with_handshake,
        parcel::Receipt,
        shown::show_queue,
        suspension::Suspension,
        websocket::{
            close::{Code, End},
            connection::{Asked, Connection, HeldConnect},
            reading::Arrived,
        },
    },
};

/// Work for the application.
#[derive(Debug)]
pub(super) enum Work<T> {
    None,
    /// It takes its time.
    Goes(JoinHandle<Option<T>>),
    /// It is done, and waits to be taken up.
    Done(Box<T>),
}

type Worker<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

impl<T: Send + 'static> Work<T> {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Begins with `work` for a session, which lives meanwhile; what does not have to wait is done at
    /// once.
    fn begin(
        server: &Server,
        session: Option<&Arc<Session>>,
        context: &mut Context<'_>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<Self, End> {
        let mut work: Worker<T> = Box::pin(Hook("a frame", "").caught(work));
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Self::done(done);
        }
        let (work, at_work) = (Together::new(server, work), session.map(AtWork::begin));
        Ok(Self::Goes(tokio::spawn(async {
            let done = work.await;
            drop(at_work);
            done
        })))
    }

    /// Waits until the work is done; ready then, and only once.
    pub(super) fn poll_done(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let Self::Goes(task) = self else { return Poll::Pending };
        let Poll::Ready(done) = Pin::new(task).poll(context) else { return Poll::Pending };
        Poll::Ready(Self::done(done.ok().flatten()).map(|done| *self = done))
    }

    fn done(done: Option<T>) -> Result<Self, End> {
        let failure = || End::Close(Code::Error, "the server failed".to_owned());
        done.map(|done| Self::Done(Box::new(done))).ok_or_else(failure)
    }

    fn take(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::None) {
            Self::Done(done) => Some(*done),
            other @ (Self::None | Self::Goes(_)) => {
                *self = other;
                None
            }
        }
    }
}

/// The messages of one frame after their way through the pipeline.
#[derive(Debug)]
pub(super) struct Worked {
    replies: Vec<Message>,
    /// The connects among them that were accepted, and the places of their replies.
    connects: Vec<(usize, Accepted, HeldConnect)>,
    greeting: Option<Greeting>,
}

/// A handshake after its way through the pipeline.
#[derive(Debug)]
struct Greeting {
    session: Arc<Session>,
    reply: Option<Message>,
    receipt: Receipt,
}

/// The reply to a connect that is answered, and where it goes among others.
#[derive(Debug)]
pub(super) struct Answer {
    session: Arc<Session>,
    cycle: Cycle,
    reply: Option<Message>,
    receipt: Receipt,
    replies: Vec<Message>,
    place: usize,
}

/// What the messages of one frame need on their way.
struct Desk {
    server: Server,
    session: Option<Arc<Session>>,
    context: Arc<BayeuxContext>,
}

impl Desk {
    /// Takes the messages through the pipeline, one after the other. What is rare is boxed, so that a
    /// publication has no place for it.
    async fn work(self, messages: Vec<Message>) -> Worked {
        let handshake = messages.iter().position(Message::is_handshake);
        let mut worked = Worked {
            replies: Vec::with_capacity(messages.len()),
            connects: Vec::new(),
            greeting: None,
        };
        for (index, message) in messages.into_iter().enumerate() {
            let context = Some(self.context.clone());
            let mut message = ServerMessage::received(message, ConnectionType::WebSocket, context);
            match handshake {
                Some(place) if place == index => {
                    worked.greeting = Some(Box::pin(self.greet(message)).await);
                }
                Some(_) => {
                    message.reply_mut().fail(&BayeuxError::NotWithHandshake);
                    worked.replies.push(message.into_reply());
                }
                None => self.handle(message, &mut worked).await,
            }
        }
        worked
    }

    async fn greet(&self, mut message: ServerMessage) -> Greeting {
        let origin = Origin {
            transport: Some(ConnectionType::WebSocket),
            browser: None,
            user_agent: self.context.header("user-agent").map(Into::into),
            ..Origin::default()
        };
        let session = self.server.new_session(None, origin);
        let mut receipt = Receipt::new(&self.server, Some(session.clone()));
        receipt.cycle = Some(Cycle::HANDSHAKE);
        self.server.handle(Some(&session), &mut message).await;
        let flow = self.server.extend_reply(Some(&session), message.reply_mut()).await;
        let reply = (flow == Flow::Continue).then(|| message.into_reply());
        Greeting { session, reply, receipt }
    }

    async fn handle(&self, mut message: ServerMessage, worked: &mut Worked) {
        let session = self.session.as_ref();
        let accepted = self.server.handle(session, &mut message).await;
        if let Some((accepted, session)) = accepted.zip(session) {
            let mut receipt = Receipt::new(&self.server, Some(session.clone()));
            receipt.cycle = Some(accepted.cycle);
            let reply = message.into_reply().into();
            let connect = HeldConnect { cycle: accepted.cycle, reply, receipt };
            worked.connects.push((worked.replies.len(), accepted, connect));
            return;
        }
        if self.server.extend_reply(session, message.reply_mut()).await == Flow::Continue {
            worked.replies.push(message.into_reply());
        }
    }
}

impl Connection {
    /// Whether the application has anything to do for this connection, or will have.
    pub(super) fn is_at_work(&self) -> bool {
        !(self.working.is_none() && self.answering.is_none() && self.inbox.is_empty())
    }

    /// Takes up what is done and begins with what has been read, until the application takes its time
    /// or the peer has too much to take.
    pub(super) fn work(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        loop {
            if let Some(answer) = self.answering.take() {
                self.answered(answer);
            }
            if !self.answering.is_none() {
                return Ok(());
            }
            while self.has_to_write_first() {
                if self.is_gone || self.poll_slow_writing(context).is_pending() {
                    return Ok(());
                }
            }
            if let Some(worked) = self.working.take() {
                self.take_up(worked, context)?;
                continue;
            }
            if !self.working.is_none() {
                return Ok(());
            }
            let Some(arrived) = self.inbox.take() else { return Ok(()) };
            self.begin(arrived, context)?;
        }
    }

    fn begin(&mut self, arrived: Arrived, context: &mut Context<'_>) -> Result<(), End> {
        let messages = match arrived {
            Arrived::Messages(Ok(messages)) => messages,
            Arrived::Messages(Err(error)) => {
                self.server.0.counters.malformed.increment();
                return Err(End::from(error));
            }
            Arrived::End(end) => return Err(end),
        };
        if let Some(first) = messages.first()
            && !messages.iter().any(Message::is_handshake)
        {
            self.bind(first);
            self.is_quiet = false;
        }
        let desk = Desk {
            server: self.server.clone(),
            session: self.session.clone(),
            context: self.context.clone(),
        };
        let session = self.session.as_ref();
        self.working = Work::begin(&self.server, session, context, desk.work(messages))?;
        Ok(())
    }

    /// Finds the session of the first message of a new connection, or of one whose session ended, and
    /// carries it if nobody does. It may have begun over another transport, as it does with Faye's
    /// clients and aiocometd.
    fn bind(&mut self, message: &Message) {
        let is_bound = self.session.as_ref().is_some_and(|own| own.bind(&self.carrier));
        // If the session ended just now, what is to be written is still its own.
        let is_bound = is_bound || self.outbox.has_messages();
        if is_bound || self.server.0.config.ws.require_handshake_per_connection {
            return;
        }
        let Some(id) = message.client_id.as_deref() else { return };
        let session = self.server.0.sessions.get(id).filter(|session| session.is_of_network());
        if let Some(session) = session {
            self.rebind(session);
        }
    }

    fn rebind(&mut self, session: Arc<Session>) {
        self.held = None;
        if let Some(before) = self.session.take() {
            before.leave(&self.carrier);
        }
        session.bind(&self.carrier);
        self.session = Some(session);
    }

    /// Whether the peer has to take something before there can be more: there is much already, or what
    /// there is belongs to a session that another takes the place of.
    fn has_to_write_first(&self) -> bool {
        let is_greeting = match &self.working {
            Work::Done(worked) => worked.greeting.is_some(),
            Work::None => self.session.as_ref().is_some_and(|own| !own.is_handshook()),
            Work::Goes(_) => false,
        };
        self.has_much_to_write() || is_greeting && self.outbox.has_messages()
    }

    fn take_up(&mut self, worked: Worked, context: &mut Context<'_>) -> Result<(), End> {
        let Worked { replies, connects, greeting } = worked;
        if let Some(greeting) = greeting {
            self.greeted(greeting);
        }
        let session = self.session.clone();
        let mut answered = None;
        for (place, accepted, connect) in connects {
            if let Some(session) = &session {
                let connect = self.hold(session, accepted, connect);
                answered = connect.map(|connect| (place, connect)).or(answered);
            }
        }
        match (session, answered) {
            (Some(session), Some((place, connect))) => {
                return self.answer(&session, connect, replies, place, context);
            }
            (Some(session), None) if !replies.is_empty() => {
                if session.removal().is_some()
                    && let Asked::Answers(connect) = self.ask_held(&session, clock::now())
                {
                    // The reply to a disconnect is the last: CometD's JavaScript library closes the
                    // connection then, but only if it has no connect outstanding.
                    return self.answer(&session, *connect, replies, 0, context);
                }
                let due = session.push(&self.carrier, clock::now()).0.unwrap_or_default();
                self.send(&session, due, replies);
            }
            (None, _) if !replies.is_empty() => {
                self.begin_taking();
                self.outbox.put_replies(&replies);
            }
            (Some(_) | None, _) => {}
        }
        Ok(())
    }

    fn greeted(&mut self, greeting: Greeting) {
        let Greeting { session, reply, receipt } = greeting;
        let Some(mut reply) = reply else { return };
        let mut queue = Vec::new();
        let is_new = reply.is_successful();
        if is_new {
            self.rebind(session.clone());
            self.is_quiet = true;
            queue = drain_with_handshake(&self.server, &session, &mut reply);
        }
        let mut replies = vec![reply];
        show_queue(&session, &mut queue, &mut replies);
        if let Some(reply) = replies.first_mut().filter(|reply| reply.x_messages.is_some()) {
            reply.x_messages = Some(queue.len() as u64);
        }
        self.begin_taking();
        if !replies.is_empty() {
            self.outbox.put_replies(&replies);
        }
        if is_new {
            self.receipts.push(receipt);
        }
        self.outbox.put_messages(queue, self.server.0.config.ws.messages_per_frame);
    }

    /// Holds a connect; returns it when it is answered at once.
    fn hold(
        &mut self,
        session: &Arc<Session>,
        accepted: Accepted,
        connect: HeldConnect,
    ) -> Option<HeldConnect> {
        self.held = None;
        match session.hold(accepted, &self.carrier, self.carrier.means()) {
            Parked::For(timeout) => {
                let suspension = Suspension::new(&self.server, session, timeout);
                self.held = Some(Box::new((connect, suspension)));
                None
            }
            Parked::Not => Some(connect),
            // The first of a session is answered at once, though another is in the same frame.
            Parked::Overtaken => (!accepted.was_connected).then_some(connect),
        }
    }

    /// Answers a connect, at its place among other `replies`.
    pub(super) fn answer(
        &mut self,
        session: &Arc<Session>,
        connect: HeldConnect,
        replies: Vec<Message>,
        place: usize,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        let (server, session) = (self.server.clone(), session.clone());
        let HeldConnect { cycle, reply, receipt } = connect;
        let work = async move {
            let mut reply = Message::from(reply);
            server.complete_connect(&session, ConnectionType::WebSocket, &mut reply);
            let flow = server.extend_reply(Some(&session), &mut reply).await;
            let reply = (flow == Flow::Continue).then_some(reply);
            Answer { session, cycle, reply, receipt, replies, place }
        };
        self.answering = Work::begin(&self.server, None, context, work)?;
        if let Some(answer) = self.answering.take() {
            self.answered(answer);
        }
        Ok(())
    }

    fn answered(&mut self, answer: Answer) {
        let Answer { session, cycle, reply, receipt, mut replies, place } = answer;
        let (batch, queue) = session.drain_with_connect(cycle);
        if let Some(mut reply) = reply {
            if let Some(batch) = batch {
                reply.ext_mut().insert("ack".to_owned(), json!(batch));
            }
            replies.insert(place.min(replies.len()), reply);
        }
        self.send(&session, queue, replies);
        self.receipts.push(receipt);
    }
}
