//! What a connection works on: the messages of one frame at a time, past the application's code.
//!
//! The application may wait. Then the work is a task of its own, which ends whoever goes, and the
//! connection reads, writes and answers meanwhile; it takes up the result when that is there, and only
//! then begins with the next frame.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bayeux_api::{ConnectionType, Message, server::ConnectionLimits};
use tokio::task::JoinHandle;

use crate::{
    clock,
    exchange::{self, Answer, Begun, Request},
    proto::session::Hold,
    session::Session,
    transport::websocket::{
        close::{Code, End},
        connection::{Asked, Connection},
        pinging::Pinging,
        reading::Arrived,
    },
};

/// Work for the application.
#[derive(Debug)]
pub(super) enum Work {
    None,
    /// It takes its time.
    Goes(JoinHandle<Option<Box<Answer>>>),
    /// It is done, and waits to be taken up.
    Done(Box<Answer>),
}

impl Work {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Waits until the work is done; ready then, and only once.
    pub(super) fn poll_done(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let Self::Goes(task) = self else { return Poll::Pending };
        let Poll::Ready(done) = Pin::new(task).poll(context) else { return Poll::Pending };
        let done = done.ok().flatten().ok_or_else(failure);
        Poll::Ready(done.map(|answer| *self = Self::Done(answer)))
    }

    pub(super) fn take(&mut self) -> Option<Box<Answer>> {
        match std::mem::replace(self, Self::None) {
            Self::Done(answer) => Some(answer),
            other @ (Self::None | Self::Goes(_)) => {
                *self = other;
                None
            }
        }
    }
}

pub(super) fn failure() -> End {
    End::Close(Code::Error, "the server failed".to_owned())
}

impl Connection {
    /// Whether the application has anything to do for this connection, or will have.
    pub(super) fn is_at_work(&self) -> bool {
        self.has_tasks() || !self.busy.inbox.is_empty()
    }

    /// Whether anything goes on in a task.
    pub(super) fn has_tasks(&self) -> bool {
        !(self.busy.working.is_none() && self.busy.answering.is_none())
    }

    /// Takes up what is done and begins with what has been read, until the application takes its time
    /// or the peer has too much to take.
    pub(super) fn work(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        loop {
            if let Some(answer) = self.busy.take_answered() {
                self.send(*answer);
            }
            if !self.busy.answering.is_none() {
                return Ok(());
            }
            while self.has_to_write_first() {
                if self.is_gone || self.poll_slow_writing(context).is_pending() {
                    return Ok(());
                }
            }
            if let Some(answer) = self.busy.take_worked() {
                self.take_up(answer, context)?;
                continue;
            }
            if !self.busy.working.is_none() {
                return Ok(());
            }
            let Some(arrived) = self.busy.inbox.take() else { return Ok(()) };
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
        if !exchange::is_greeting(&messages) {
            self.bind(&messages);
            self.is_quiet = false;
        }
        let (server, session) = (self.server.clone(), self.session.clone());
        let from = Some(self.context.clone());
        let request = Request::new(server, session, ConnectionType::WebSocket, from);
        match request.begin(messages, context) {
            Begun::Done(answer) => {
                let answer = answer.ok_or_else(failure)?;
                if self.has_to_write_before(&answer) {
                    self.busy.working = Work::Done(answer);
                    return Ok(());
                }
                self.take_up(answer, context)
            }
            Begun::Goes(work) => {
                let task = exchange::go_on(&self.server, self.session.as_ref(), work);
                self.busy.working = Work::Goes(task);
                Ok(())
            }
        }
    }

    /// Finds the session of the messages of a new connection, or of one whose session ended, and
    /// carries it if nobody does. It may have begun over another transport, as it does with Faye's
    /// clients and aiocometd.
    fn bind(&mut self, messages: &[Message]) {
        let is_bound = self.session.as_ref().is_some_and(|own| own.bind(&self.carrier));
        // If the session ended just now, what is to be written is still its own.
        let is_bound = is_bound || self.busy.outbox.has_messages();
        if is_bound || self.server.0.config.ws.require_handshake_per_connection {
            return;
        }
        if let Some(session) = exchange::session_of(&self.server, messages) {
            self.rebind(session);
        }
    }

    fn rebind(&mut self, session: Arc<Session>) {
        self.held = None;
        if let Some(before) = self.session.take() {
            self.server.lose(&before, &self.carrier);
        }
        session.bind(&self.carrier);
        if let Some(limits) = session.connection_limits() {
            self.limit(limits);
        }
        self.session = Some(session);
    }

    fn limit(&mut self, limits: ConnectionLimits) {
        if let Some(silence) = limits.silence {
            self.pinging = Some(Pinging::within(silence, clock::now()));
        }
        if let Some(most) = limits.max_message_size {
            self.socket.set_max_message_size(most);
        }
    }

    /// Whether the peer has to take something before there can be more: there is much already, or what
    /// there is belongs to a session that another takes the place of.
    fn has_to_write_first(&self) -> bool {
        let is_due = match &self.busy.working {
            Work::Done(answer) => self.has_to_write_before(answer),
            Work::None => {
                let has_ended = self.session.as_ref().is_some_and(|own| !own.is_handshook());
                has_ended && self.busy.outbox.has_messages()
            }
            Work::Goes(_) => false,
        };
        self.has_much_to_write() || is_due
    }

    fn has_to_write_before(&self, answer: &Answer) -> bool {
        answer.is_greeting() && self.busy.outbox.has_messages()
    }

    fn take_up(&mut self, mut answer: Box<Answer>, context: &mut Context<'_>) -> Result<(), End> {
        if let Some(session) = answer.new_session() {
            self.rebind(session.clone());
            self.is_quiet = true;
        } else if answer.is_greeting() {
            self.is_turned_away = self.server.is_draining();
        }
        if answer.has_connect() {
            self.hold(&mut answer);
        }
        if answer.is_empty() {
            return Ok(());
        }
        // A refused handshake is answered first, and alone.
        if !(answer.has_connect() || answer.is_greeting())
            && self.session.as_ref().is_some_and(|own| own.removal().is_some())
            && let Asked::Answers(connect) = self.ask_held(clock::now())
        {
            return self.answer(connect.before(*answer), context);
        }
        self.answer(answer, context)
    }

    /// Holds the newest connect, if it is to be held.
    fn hold(&mut self, answer: &mut Answer) {
        self.held = None;
        let means = self.carrier.means();
        if let Hold::For((mut connect, timeout)) = answer.hold(&self.carrier, means) {
            connect.suspend(timeout);
            self.held = Some(Box::new(connect));
        }
    }

    /// Completes an answer and sends it.
    pub(super) fn answer(
        &mut self,
        mut answer: Box<Answer>,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        if answer.complete() {
            self.send(*answer);
            return Ok(());
        }
        match answer.begin_to_show(context) {
            Begun::Done(answer) => self.send(*answer.ok_or_else(failure)?),
            Begun::Goes(work) => {
                self.busy.answering = Work::Goes(exchange::go_on(&self.server, None, work));
            }
        }
        Ok(())
    }

    fn send(&mut self, answer: Answer) {
        let due = |session: &Session| session.push(&self.carrier, clock::now()).0;
        let parcel = answer.pack(|session| due(session).unwrap_or_default());
        self.put_parcel(parcel);
    }
}
