//! One WebSocket connection: its session and its held connect.
//!
//! Reading, working and writing go on side by side, and none waits for another. The loop is: look at
//! what the session has to deliver, write it, lend the socket, then wait for whatever happens first. While
//! it waits, be it for the application, whoever has a message for its session writes it directly
//! (`Session::flush`), without waking it.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bayeux_api::{
    implement::Hook,
    server::{BayeuxContext, Removal},
};

use tracing::field::display;

use crate::{
    carrier::Carrier,
    clock,
    exchange::{Answer, HeldConnect, push},
    fan_out::together,
    proto::{after, session::Held},
    server::Server,
    session::Session,
    transport::websocket::{
        busy::{Busy, Parts},
        close::{Code, End},
        pinging::Pinging,
        socket::Socket,
        working::failure,
    },
};

pub(crate) struct Connection {
    pub(super) server: Server,
    pub(super) socket: Socket,
    pub(super) context: Arc<BayeuxContext>,
    pub(super) carrier: Arc<Carrier>,
    pub(super) session: Option<Arc<Session>>,
    pub(super) held: Option<Box<HeldConnect>>,
    pub(super) busy: Busy,
    /// Whether all that was written has left.
    pub(super) is_flushed: bool,
    /// Of connections that are pinged.
    pub(super) pinging: Option<Box<Pinging>>,
    /// Nothing is pushed between the reply to a handshake and the client's next message.
    pub(super) is_quiet: bool,
    /// Whether a handshake was refused since the server is about to end.
    pub(super) is_turned_away: bool,
    /// Whether nothing more can be read or written.
    pub(super) is_gone: bool,
    /// When the peer was last heard of, or took something.
    pub(super) alive: Instant,
    /// When the peer last took something, or was first to take something.
    pub(super) taken: Instant,
}

/// What a held connect does.
pub(super) enum Asked {
    /// There is none.
    None,
    Waits(Instant),
    Answers(Box<Answer>),
}

impl Connection {
    pub(crate) fn new(server: Server, socket: Socket, context: Arc<BayeuxContext>) -> Self {
        server.0.counters.websockets.increment();
        let now = clock::now();
        let pinging = Pinging::new(&server.0.config.ws, now);
        Self {
            server,
            carrier: socket.carrier(),
            socket,
            context,
            session: None,
            held: None,
            busy: Busy::default(),
            is_flushed: true,
            pinging,
            is_quiet: false,
            is_turned_away: false,
            is_gone: false,
            alive: now,
            taken: now,
        }
    }

    pub(crate) async fn run(mut self: Box<Self>) {
        let end = Hook("a websocket", "").caught(self.serve()).await.unwrap_or_else(failure);
        Box::pin(self.end(end)).await;
    }

    async fn end(&mut self, end: End) {
        let address = self.context.remote_address.map(display);
        tracing::debug!(?end, address, "websocket ends");
        self.take_turn();
        let is_writable = !matches!(end, End::Gone) && self.write_rest().await;
        let overfull = self.overfull(&end);
        self.unbind();
        match end {
            End::Close(code, reason) if is_writable => {
                self.socket.close(code, &reason).await;
            }
            End::Closed(code) if is_writable => self.socket.answer_close(code).await,
            End::Gone | End::Close(..) | End::Closed(_) => {}
        }
        if let Some(session) = overfull {
            tracing::warn!(
                session = session.id(),
                "a client gets more than it takes, and loses its session"
            );
            self.server.end_session(&session, Removal::Overflowed, None).await;
        }
    }

    /// Returns the session whose client closed because it was sent too much (RFC 6455, section 7.4.1), if what it
    /// has not acknowledged would be sent again for ever.
    fn overfull(&self, end: &End) -> Option<Arc<Session>> {
        let is_too_much =
            matches!(end, End::Closed(Some(code)) if *code == Code::TooLarge.number());
        self.session.clone().filter(|session| is_too_much && session.is_acknowledged())
    }

    async fn serve(&mut self) -> End {
        let server = self.server.clone();
        let carrier = self.carrier.clone();
        let mut stopping = None;
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let until = match self.step().await {
                Ok(until) => until,
                Err(end) => return end,
            };
            let is_stopped = server.0.is_stopped();
            if (is_stopped || self.is_sent_away()) && !self.is_at_work() {
                return End::Close(Code::Away, "the server is stopping".to_owned());
            }
            if !self.give_turn() {
                continue;
            }
            set(&mut sleep, until);
            // Who has a session is woken together with that.
            let is_alone = self.session.is_none();
            if !is_alone {
                stopping = None;
            }
            let outcome = tokio::select! {
                biased;
                outcome = poll_fn(|context| self.poll_happening(context)) => outcome,
                () = carrier.woken() => Ok(()),
                () = &mut sleep => Ok(()),
                () = stopped(&server, &mut stopping), if is_alone && !is_stopped => Ok(()),
            };
            self.take_turn();
            if let Err(end) = outcome {
                return end;
            }
            if self.is_at_work() {
                let worked =
                    poll_fn(|context| Poll::Ready(together(&server, || self.work(context))));
                if let Err(end) = worked.await {
                    return end;
                }
            }
        }
    }

    /// Whether the client knows that the server is about to end.
    fn is_sent_away(&self) -> bool {
        self.server.is_draining()
            && (self.is_turned_away
                || self.session.as_ref().is_some_and(|own| own.knows_dismissal()))
    }

    /// Reads, writes and waits for the application, all at the same time; ready when any of it went on.
    fn poll_happening(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let has_read = self.poll_reading(context).is_ready();
        let has_written = self.poll_slow_writing(context).is_ready();
        let mut has_worked = false;
        if self.has_tasks() {
            let Parts { working, answering, .. } = &mut *self.busy;
            for done in [working.poll_done(context), answering.poll_done(context)] {
                if let Poll::Ready(done) = done {
                    has_worked = true;
                    done?;
                }
            }
        }
        if has_read || has_worked {
            self.alive = clock::now();
        }
        if has_read || has_written || has_worked {
            return Poll::Ready(Ok(()));
        }
        if self.is_silent() {
            tracing::debug!("a websocket's peer does not answer");
            return Poll::Ready(Err(End::Gone));
        }
        Poll::Pending
    }

    /// Lends the socket to whoever has messages for the session; false when there are some already.
    fn give_turn(&mut self) -> bool {
        if self.is_writing() {
            return true;
        }
        self.busy.rest();
        match &self.session {
            Some(session) if !self.is_quiet => session.wait(&self.carrier),
            Some(_) | None => true,
        }
    }

    /// Takes the socket back, with what others left to be written.
    pub(super) fn take_turn(&mut self) {
        let Some(session) = &self.session else { return };
        if let Some(written) = session.wake_up(&self.carrier) {
            self.alive = self.alive.max(written);
        }
        if let Some(rest) = self.socket.take_rest() {
            self.begin_taking();
            self.busy.outbox = *rest;
        }
    }

    /// Looks at what is due, writes it, and tells when to look again.
    async fn step(&mut self) -> Result<Instant, End> {
        let now = clock::now();
        if self.has_much_to_write() {
            self.write_now(now).await;
        }
        let until = poll_fn(|context| Poll::Ready(self.look(context, now))).await?;
        let ping = self.ping(now);
        self.write_now(now).await;
        if self.is_gone {
            return Err(End::Gone);
        }
        match self.session.as_ref().and_then(|session| session.removal()) {
            // Its reply is still awaited.
            Some(_) if self.is_at_work() => {}
            Some(Removal::Expired | Removal::Overflowed) if self.is_writing() => {
                return Err(End::Gone);
            }
            Some(Removal::Expired | Removal::Overflowed) => {
                return Err(End::Close(Code::Normal, "Destroy".to_owned()));
            }
            Some(_) if !self.is_writing() => self.unbind(),
            Some(_) | None => {}
        }
        let stuck = self.stuck_at();
        if stuck.is_some_and(|stuck| stuck <= now) {
            return Err(End::Gone);
        }
        let idle = self.idle_at();
        if idle <= now {
            return Err(End::Close(Code::Normal, "idle for too long".to_owned()));
        }
        let until = [until, stuck, ping].into_iter().flatten().fold(idle, Instant::min);
        Ok(self.server.0.timers.round(until, now))
    }

    /// When the peer was silent for too long. One that waits for the application has a reason; but an
    /// application that never comes back keeps no connection that is to end.
    fn idle_at(&self) -> Instant {
        let config = &self.server.0.config;
        let mut time = config.ws.idle_timeout;
        if self.is_at_work() {
            let most = config.websocket.max_processing.saturating_add(config.ws.write_timeout);
            time = if self.is_ending() { most } else { time.max(most) };
        }
        after(self.alive, time)
    }

    fn is_ending(&self) -> bool {
        self.busy.inbox.has_end()
            || self.session.as_ref().is_some_and(|own| own.removal().is_some())
    }

    /// Puts out what is due, and tells when to look again.
    fn look(&mut self, context: &mut Context<'_>, now: Instant) -> Result<Option<Instant>, End> {
        let Some(session) = self.session.clone() else { return Ok(None) };
        if self.is_waited_for() {
            return Err(End::Gone);
        }
        let mut until = None;
        if !self.is_quiet && !self.has_much_to_write() {
            let (due, again) = push(&session, &self.carrier, now);
            if let Some(pushed) = due {
                self.put(&pushed.queue, pushed.batch, &pushed.replies);
            }
            until = again;
        }
        match self.ask_held(now) {
            Asked::None => Ok(until),
            Asked::Waits(held) => Ok(Some(until.map_or(held, |until| until.min(held)))),
            Asked::Answers(answer) => {
                self.answer(answer, context)?;
                Ok(until)
            }
        }
    }

    /// Asks what the held connect does now, if another is not being answered.
    pub(super) fn ask_held(&mut self, now: Instant) -> Asked {
        let is_free = self.busy.answering.is_none();
        let Some(connect) = self.held.take_if(|_| is_free) else { return Asked::None };
        match connect.ask(self.carrier.means(), now) {
            Held::Wait(until) => {
                self.held = Some(connect);
                Asked::Waits(until)
            }
            held @ (Held::TimedOut | Held::Resume) => Asked::Answers(connect.resume(held)),
            Held::Overtaken => Asked::None,
        }
    }

    /// Lets the session go, which lives on for as long as its client may be away.
    fn unbind(&mut self) {
        self.give_back();
        self.held = None;
        if let Some(session) = self.session.take() {
            self.server.lose(&session, &self.carrier);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.take_turn();
        self.unbind();
        self.server.0.counters.websockets.decrement();
    }
}

/// Waits until the server was stopped, with what that takes, which is boxed since most need not.
async fn stopped(server: &Server, stopping: &mut Option<Stopping>) {
    let wait = stopping.get_or_insert_with(|| -> Stopping {
        let server = server.clone();
        Box::pin(async move { server.stopped().await })
    });
    wait.await;
}

type Stopping = Pin<Box<dyn Future<Output = ()> + Send>>;

fn set(sleep: &mut Pin<&mut tokio::time::Sleep>, until: Instant) {
    let until = tokio::time::Instant::from_std(until);
    if sleep.deadline() != until {
        sleep.as_mut().reset(until);
    }
}

#[cfg(test)]
mod tests;
