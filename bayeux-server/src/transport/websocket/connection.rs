//! One WebSocket connection: its session, its held connect, and what it writes.
//!
//! The loop is: put out what is due, write it, lend the socket, then wait for messages of the peer, for
//! something to do, or for the next instant at which something is due. While it waits, whoever has a
//! message for its session writes it directly (`Session::write`), without waking it.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bayeux_api::{
    BayeuxError, ConnectionType, DecodeError, Flow, Frozen, Limits, Message, decode,
    implement::Hook,
    server::{BayeuxContext, Removal, ServerMessage, ServerSession},
};
use futures_util::{FutureExt as _, poll};
use serde_json::json;

use crate::{
    carrier::Carrier,
    clock,
    fan_out::Together,
    proto::{
        after,
        session::{Cycle, Held, Parked},
    },
    server::Server,
    session::{Origin, Session},
    transport::{
        exchange::drain_with_handshake,
        parcel::Receipt,
        shown::show_queue,
        suspension::Suspension,
        waiting::Waiting,
        websocket::{
            close::{Code, SocketError},
            frame,
            outbox::Outbox,
            socket::{Received, Socket},
        },
    },
};

pub(crate) struct Connection {
    server: Server,
    socket: Socket,
    context: Arc<BayeuxContext>,
    carrier: Arc<Carrier>,
    session: Option<Arc<Session>>,
    held: Option<Box<(HeldConnect, Suspension)>>,
    outbox: Outbox,
    /// Of the connects whose replies are in the outbox.
    receipts: Vec<Receipt>,
    /// Nothing is pushed between the reply to a handshake and the client's next message.
    is_quiet: bool,
    /// When the peer was last heard of, or took something.
    alive: Instant,
}

/// A connect that has no reply yet.
struct HeldConnect {
    cycle: Cycle,
    reply: Waiting,
    receipt: Receipt,
}

/// What a held connect does.
enum Asked {
    /// There is none.
    None,
    Waits(Instant),
    Answers(Box<HeldConnect>),
}

/// What has arrived.
enum Arrived {
    Messages(Result<Vec<Message>, DecodeError>),
    Ping(Vec<u8>),
    Pong,
    Binary,
    Close(Option<u16>),
}

/// How a connection ends.
enum End {
    /// The peer is gone.
    Gone,
    /// The peer has closed it, with this code.
    Closed(Option<u16>),
    /// It is closed by this end.
    Close(Code, String),
}

/// How much is gathered before it is written.
const GATHERED: usize = 64 * 1024;

impl Connection {
    pub(crate) fn new(server: Server, socket: Socket, context: Arc<BayeuxContext>) -> Self {
        server.0.counters.websockets.increment();
        Self {
            server,
            carrier: socket.carrier(),
            socket,
            context,
            session: None,
            held: None,
            outbox: Outbox::default(),
            receipts: Vec::new(),
            is_quiet: false,
            alive: clock::now(),
        }
    }

    pub(crate) async fn run(mut self: Box<Self>) {
        let failure = || End::Close(Code::Error, "the server failed".to_owned());
        let end = Hook("a websocket", "").caught(self.serve()).await.unwrap_or_else(failure);
        Box::pin(self.finish(end)).await;
    }

    async fn finish(&mut self, end: End) {
        self.take_turn();
        let is_writable = !matches!(end, End::Gone) && self.flush(clock::now()).await.is_ok();
        self.unbind();
        match end {
            End::Close(code, reason) if is_writable => {
                tracing::debug!(?code, reason, "websocket closed");
                self.socket.close(code, &reason).await;
            }
            End::Closed(code) if is_writable => self.socket.answer_close(code).await,
            End::Gone | End::Close(..) | End::Closed(_) => {}
        }
    }

    async fn serve(&mut self) -> End {
        let server = self.server.clone();
        let mut stopping = pin!(server.stopped());
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        let limits = server.limits(ConnectionType::WebSocket);
        loop {
            let until = match self.step().await {
                Ok(until) => until,
                Err(end) => return end,
            };
            if server.0.is_stopped() {
                return End::Close(Code::Away, "the server is stopping".to_owned());
            }
            if !self.give_turn() {
                continue;
            }
            set(&mut sleep, until);
            let received = tokio::select! {
                biased;
                received = self.socket.receive(|received| Arrived::new(&received, &limits)) => {
                    Some(received)
                }
                () = self.carrier.woken() => None,
                () = &mut sleep => None,
                () = &mut stopping => None,
            };
            self.take_turn();
            let outcome = match received {
                None => Ok(()),
                Some(Ok(arrived)) => {
                    Together::new(&server, Box::pin(self.handle_all(arrived))).await
                }
                Some(Err(error)) => Err(end_of(&error)),
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    /// Lends the socket to whoever has messages for the session; false when there are some already.
    fn give_turn(&mut self) -> bool {
        self.outbox.shrink();
        match &self.session {
            Some(session) if !self.is_quiet => session.wait(&self.carrier),
            Some(_) | None => true,
        }
    }

    /// Takes the socket back, with what others left to be written.
    fn take_turn(&mut self) {
        let Some(session) = &self.session else { return };
        if let Some(written) = session.wake_up(&self.carrier) {
            self.alive = self.alive.max(written);
        }
        if let Some(rest) = self.socket.take_rest() {
            self.outbox = *rest;
        }
    }

    /// Writes what is due, and tells when to look again.
    async fn step(&mut self) -> Result<Instant, End> {
        let now = clock::now();
        let mut until = after(self.alive, self.server.0.config.ws.idle_timeout);
        let session = self.session.clone();
        if let Some(session) = &session {
            if self.outbox.has_messages() && !session.is_carried_by(&self.carrier) {
                // Another has taken the session over, and waits for what this one holds.
                return Err(End::Gone);
            }
            let (due, again) =
                if self.is_quiet { (None, None) } else { session.push(&self.carrier, now) };
            if let Some(messages) = due {
                self.send(session, messages, Vec::new());
            }
            until = again.map_or(until, |again| again.min(until));
            match self.ask_held(session, now) {
                Asked::None => {}
                Asked::Waits(held) => until = held.min(until),
                Asked::Answers(connect) => {
                    // Boxed, as all that is much larger than what a connection that waits has.
                    Box::pin(self.reply_to_connect(session, *connect, Vec::new(), 0)).await?;
                }
            }
        }
        self.flush(now).await?;
        match session.and_then(|session| session.removal()) {
            Some(Removal::Expired | Removal::Overflowed) => {
                return Err(End::Close(Code::Normal, "Destroy".to_owned()));
            }
            Some(Removal::Disconnected | Removal::Removed) => self.unbind(),
            None => {}
        }
        if after(self.alive, self.server.0.config.ws.idle_timeout) <= now {
            return Err(End::Close(Code::Normal, "idle for too long".to_owned()));
        }
        Ok(self.server.0.timers.round(until, now))
    }

    /// Asks what the held connect does now.
    fn ask_held(&mut self, session: &Arc<Session>, now: Instant) -> Asked {
        let Some(cycle) = self.held.as_ref().map(|held| held.0.cycle) else { return Asked::None };
        let timed_out = match session.held(cycle, self.carrier.means(), now) {
            Held::Wait(_) if self.server.0.is_stopped() => false,
            Held::Wait(until) => return Asked::Waits(until),
            Held::Overtaken => {
                self.held = None;
                return Asked::None;
            }
            Held::TimedOut => true,
            Held::Resume => false,
        };
        match self.held.take().map(|held| *held) {
            Some((connect, suspension)) => {
                suspension.resume(timed_out);
                Asked::Answers(Box::new(connect))
            }
            None => Asked::None,
        }
    }

    async fn handle_all(&mut self, arrived: Vec<Arrived>) -> Result<(), End> {
        self.alive = clock::now();
        for one in arrived {
            self.handle(one).await?;
            if self.outbox.len() > GATHERED {
                self.flush(clock::now()).await?;
            }
        }
        Ok(())
    }

    async fn handle(&mut self, arrived: Arrived) -> Result<(), End> {
        match arrived {
            Arrived::Messages(Ok(messages)) => self.process(messages).await,
            Arrived::Messages(Err(error)) => {
                self.server.0.counters.malformed.increment();
                let is_large = matches!(error, DecodeError::TooLarge(_) | DecodeError::TooMany(_));
                let code = if is_large { Code::TooLarge } else { Code::Error };
                Err(End::Close(code, error.to_string()))
            }
            Arrived::Ping(payload) => {
                self.outbox.append(|open| frame::append_pong(open, &payload));
                Ok(())
            }
            Arrived::Pong => Ok(()),
            Arrived::Binary => {
                let reason = "binary messages are not Bayeux";
                Err(End::Close(Code::Unsupported, reason.to_owned()))
            }
            Arrived::Close(code) => Err(End::Closed(code)),
        }
    }

    /// Takes the messages of one frame through the pipeline, one after the other. What is rare is boxed,
    /// so that a publication has no place for it.
    async fn process(&mut self, messages: Vec<Message>) -> Result<(), End> {
        let handshake = messages.iter().position(Message::is_handshake);
        if handshake.is_none()
            && let Some(first) = messages.first()
        {
            self.bind(first).await?;
            self.is_quiet = false;
        }
        let mut replies = Vec::with_capacity(messages.len());
        let mut connect = None;
        let mut messages = messages.into_iter();
        for index in 0.. {
            let Some(mut message) = messages.next().map(|message| self.received(message)) else {
                break;
            };
            match handshake {
                Some(place) if place == index => Box::pin(self.handshake(message)).await?,
                Some(_) => {
                    message.reply_mut().fail(&BayeuxError::NotWithHandshake);
                    replies.push(message.into_reply());
                }
                None if message.is_connect() => {
                    let place = replies.len();
                    let accepted = Box::pin(self.connect(message, &mut replies)).await?;
                    connect = accepted.map(|accepted| (place, accepted)).or(connect);
                }
                None => {
                    let message = self.request(message).await?;
                    replies.extend(message.map(ServerMessage::into_reply));
                }
            }
        }
        self.respond(replies, connect).await
    }

    /// Finds the session of the first message of a new connection, or of one whose session ended, and
    /// carries it if nobody does. It may have begun over another transport, as it does with Faye's clients and aiocometd.
    async fn bind(&mut self, message: &Message) -> Result<(), End> {
        if let Some(own) = self.session.as_ref().filter(|own| own.is_handshook()) {
            own.bind(&self.carrier);
            return Ok(());
        }
        if self.server.0.config.ws.require_handshake_per_connection {
            return Ok(());
        }
        let Some(id) = message.client_id.as_deref() else { return Ok(()) };
        let session = self.server.0.sessions.get(id).filter(|session| session.is_of_network());
        if let Some(session) = session {
            // What is in the outbox is of the one before.
            self.flush(clock::now()).await?;
            self.unbind();
            session.bind(&self.carrier);
            self.session = Some(session);
        }
        Ok(())
    }

    async fn handshake(&mut self, mut message: ServerMessage) -> Result<(), End> {
        let origin = Origin {
            transport: Some(ConnectionType::WebSocket),
            browser: None,
            user_agent: self.context.header("user-agent").map(Into::into),
            local: None,
        };
        let session = self.server.new_session(None, origin);
        let mut receipt = Receipt::new(&self.server, Some(session.clone()));
        receipt.cycle = Some(Cycle::HANDSHAKE);
        let server = self.server.clone();
        let work = async {
            server.handle(Some(&session), &mut message).await;
            server.extend_reply(Some(&session), message.reply_mut()).await
        };
        if self.attend(pin!(work)).await? == Flow::Stop {
            return Ok(());
        }
        let mut reply = message.into_reply();
        let mut queue = Vec::new();
        if reply.is_successful() {
            self.flush(clock::now()).await?;
            self.unbind();
            queue = drain_with_handshake(&self.server, &session, &mut reply);
            self.session = Some(session.clone());
        }
        let mut replies = vec![reply];
        show_queue(&session, &mut queue, &mut replies);
        if let Some(reply) = replies.first_mut().filter(|reply| reply.x_messages.is_some()) {
            reply.x_messages = Some(queue.len() as u64);
        }
        if !replies.is_empty() {
            self.outbox.put_replies(&replies);
        }
        if self.session.as_ref().is_some_and(|own| Arc::ptr_eq(own, &session)) {
            session.bind(&self.carrier);
            self.is_quiet = true;
            self.receipts.push(receipt);
        }
        self.outbox.put_messages(queue, self.server.0.config.ws.messages_per_frame);
        Ok(())
    }

    /// Takes a connect through the pipeline; returns it when it was accepted.
    async fn connect(
        &mut self,
        mut message: ServerMessage,
        replies: &mut Vec<Message>,
    ) -> Result<Option<HeldConnect>, End> {
        let (server, session) = (self.server.clone(), self.session.clone());
        let work = async {
            let accepted = server.handle(session.as_ref(), &mut message).await;
            match accepted.zip(session.as_ref()) {
                None => Err(server.extend_reply(session.as_ref(), message.reply_mut()).await),
                Some((accepted, session)) => Ok((accepted, session.clone())),
            }
        };
        let outcome = self.attend(pin!(work)).await?;
        let (accepted, session) = match outcome {
            Ok(accepted) => accepted,
            Err(Flow::Continue) => {
                replies.push(message.into_reply());
                return Ok(None);
            }
            Err(Flow::Stop) => return Ok(None),
        };
        self.held = None;
        let mut receipt = Receipt::new(&self.server, Some(session.clone()));
        receipt.cycle = Some(accepted.cycle);
        let reply = message.into_reply().into();
        let connect = HeldConnect { cycle: accepted.cycle, reply, receipt };
        Ok(match session.hold(accepted, &self.carrier, self.carrier.means()) {
            Parked::For(timeout) => {
                let suspension = Suspension::new(&self.server, &session, timeout);
                self.held = Some(Box::new((connect, suspension)));
                None
            }
            Parked::Not => Some(connect),
            Parked::Overtaken => None,
        })
    }

    /// Takes any other message through the pipeline; returns it when it has a reply.
    async fn request(&mut self, mut message: ServerMessage) -> Result<Option<ServerMessage>, End> {
        let (server, session) = (self.server.clone(), self.session.clone());
        let work = async {
            server.handle(session.as_ref(), &mut message).await;
            server.extend_reply(session.as_ref(), message.reply_mut()).await
        };
        let flow = self.attend(pin!(work)).await?;
        Ok((flow == Flow::Continue).then_some(message))
    }

    /// Waits for the application; if that takes its time, what is in the outbox goes out first.
    async fn attend<F: Future>(&mut self, mut work: Pin<&mut F>) -> Result<F::Output, End> {
        if !self.outbox.is_empty() {
            if let Poll::Ready(done) = poll!(work.as_mut()) {
                return Ok(done);
            }
            self.flush(clock::now()).await?;
        }
        Ok(work.await)
    }

    fn received(&self, message: Message) -> ServerMessage {
        let context = Some(self.context.clone());
        ServerMessage::received(message, ConnectionType::WebSocket, context)
    }

    /// Writes what is queued, then the replies, in the order of their requests; `connect` is one that
    /// is answered now, with the place of its reply.
    async fn respond(
        &mut self,
        replies: Vec<Message>,
        connect: Option<(usize, HeldConnect)>,
    ) -> Result<(), End> {
        let session = self.session.clone();
        match (session, connect) {
            (Some(session), Some((place, connect))) => {
                Box::pin(self.reply_to_connect(&session, connect, replies, place)).await?;
            }
            (Some(session), None) if !replies.is_empty() => {
                if session.removal().is_some() {
                    // The reply to a disconnect is the last: CometD's JavaScript library closes the
                    // connection then, but only if it has no connect outstanding.
                    if let Asked::Answers(connect) = self.ask_held(&session, clock::now()) {
                        let replied = self.reply_to_connect(&session, *connect, Vec::new(), 0);
                        Box::pin(replied).await?;
                    }
                }
                let due = session.push(&self.carrier, clock::now()).0.unwrap_or_default();
                self.send(&session, due, replies);
            }
            (None, _) if !replies.is_empty() => self.outbox.put_replies(&replies),
            _ => {}
        }
        Ok(())
    }

    /// Writes what is queued and the reply to a connect, at its place among the other `replies`.
    async fn reply_to_connect(
        &mut self,
        session: &Arc<Session>,
        connect: HeldConnect,
        mut replies: Vec<Message>,
        place: usize,
    ) -> Result<(), End> {
        let HeldConnect { cycle, reply, receipt } = connect;
        let mut reply = reply.into();
        self.server.complete_connect(session, ConnectionType::WebSocket, &mut reply);
        let server = self.server.clone();
        let flow = self.attend(pin!(server.extend_reply(Some(session), &mut reply))).await?;
        let (batch, queue) = session.drain_with_connect(cycle);
        if flow == Flow::Continue {
            if let Some(batch) = batch {
                reply.ext_mut().insert("ack".to_owned(), json!(batch));
            }
            replies.insert(place.min(replies.len()), reply);
        }
        self.send(session, queue, replies);
        self.receipts.push(receipt);
        Ok(())
    }

    /// Puts messages into the outbox, then a frame with replies.
    fn send(
        &mut self,
        session: &Arc<Session>,
        mut queue: Vec<Arc<Frozen>>,
        mut replies: Vec<Message>,
    ) {
        show_queue(session, &mut queue, &mut replies);
        self.outbox.put_messages(queue, self.server.0.config.ws.messages_per_frame);
        if !replies.is_empty() {
            self.outbox.put_replies(&replies);
        }
    }

    /// Writes what is in the outbox. Messages that the kernel did not take go back to the queue.
    async fn flush(&mut self, now: Instant) -> Result<(), End> {
        if self.outbox.is_empty() {
            self.receipts = Vec::new();
            return Ok(());
        }
        // Mostly the kernel takes it at once, and no timer is needed.
        let written = loop {
            match self.write_some().now_or_never() {
                Some(Ok(false)) => {}
                Some(Ok(true)) => break Ok(now),
                Some(Err(error)) => break Err(error),
                None => {
                    let written = Box::pin(self.write_patiently()).await;
                    break written.map(|()| clock::now());
                }
            }
        };
        match written {
            Ok(now) => self.alive = self.alive.max(now),
            Err(error) => {
                self.give_back();
                return Err(end_of(&error));
            }
        }
        self.receipts = Vec::new();
        Ok(())
    }

    /// Waits for the peer to take all, but not for one that takes nothing, nor when the session has
    /// ended meanwhile.
    async fn write_patiently(&mut self) -> Result<(), SocketError> {
        if let Some(session) = &self.session {
            session.cannot_be_looked_at();
        }
        let (carrier, time) = (self.carrier.clone(), self.server.0.config.ws.write_timeout);
        let (mut is_woken, mut stuck) = (false, after(clock::now(), time));
        loop {
            let left = self.outbox.len();
            let is_done = tokio::select! {
                biased;
                is_done = self.write_some() => is_done?,
                () = carrier.woken() => {
                    is_woken = true;
                    false
                }
                () = tokio::time::sleep_until(stuck.into()) => return Err(SocketError::Stuck),
            };
            if self.outbox.len() < left {
                stuck = after(clock::now(), time);
            }
            if is_done {
                if is_woken {
                    // It was for the loop, which has not seen it.
                    carrier.wake();
                }
                return Ok(());
            }
            let Some(session) = &self.session else { continue };
            let is_over = matches!(session.removal(), Some(Removal::Expired | Removal::Overflowed));
            // Another has taken the session over, and waits for what this one holds.
            let is_waited_for = is_woken && self.outbox.has_messages();
            if is_over || is_waited_for && !session.is_carried_by(&carrier) {
                return Err(SocketError::Stuck);
            }
        }
    }

    /// Writes some of the outbox; true when nothing is left. May be dropped and asked again.
    async fn write_some(&mut self) -> Result<bool, SocketError> {
        let front = self.outbox.front();
        if front.is_empty() {
            self.socket.flush().await?;
            return Ok(true);
        }
        let count = self.socket.write(front).await?;
        self.server.0.counters.messages_sent.add(self.outbox.advance(count));
        Ok(false)
    }

    /// Puts what was not written back into the queue.
    fn give_back(&mut self) {
        let messages = self.outbox.take_messages();
        if let Some(session) = &self.session {
            session.put_back(messages);
        }
        self.receipts = Vec::new();
    }

    /// Lets the session go, which lives on for as long as its client may be away.
    fn unbind(&mut self) {
        self.give_back();
        self.held = None;
        if let Some(session) = self.session.take() {
            session.leave(&self.carrier);
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

fn set(sleep: &mut Pin<&mut tokio::time::Sleep>, until: Instant) {
    let until = tokio::time::Instant::from_std(until);
    if sleep.deadline() != until {
        sleep.as_mut().reset(until);
    }
}

impl Arrived {
    fn new(received: &Received<'_>, limits: &Limits) -> Self {
        match received {
            Received::Text(text) => Self::Messages(decode(text.as_bytes(), limits)),
            Received::Ping(payload) => Self::Ping(payload.to_vec()),
            Received::Pong => Self::Pong,
            Received::Binary => Self::Binary,
            Received::Close(code) => Self::Close(*code),
        }
    }
}

fn end_of(error: &SocketError) -> End {
    match error.code() {
        Some(code) => End::Close(code, error.to_string()),
        None => {
            tracing::debug!(%error, "websocket lost");
            End::Gone
        }
    }
}
