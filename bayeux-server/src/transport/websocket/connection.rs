//! One WebSocket connection: its session, its held connect, and what it writes.
//!
//! The loop is: write what is due, then wait for a message of the peer, for something to deliver, or
//! for the next instant at which something is due.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{
    BayeuxError, ConnectionType, DecodeError, Frozen, Message, decode, encode,
    implement::caught,
    server::{BayeuxContext, Removal, ServerMessage, ServerSession},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::json;

use crate::{
    driver,
    proto::{
        after,
        session::{Cycle, Held},
    },
    server::Server,
    session::{Carrier, Origin, Session},
    transport::{
        exchange::drain_with_handshake,
        parcel::Receipt,
        suspension::Suspension,
        websocket::socket::{Code, Received, Socket, SocketError},
    },
};

pub(crate) struct Connection {
    server: Server,
    socket: Socket,
    context: Arc<BayeuxContext>,
    carrier: Carrier,
    session: Option<Arc<Session>>,
    held: Option<(HeldConnect, Suspension)>,
    /// Nothing is pushed between the reply to a handshake and the client's next message.
    is_quiet: bool,
    /// When the peer was last heard of, or took something.
    alive: Instant,
}

/// A connect that has no reply yet.
struct HeldConnect {
    cycle: Cycle,
    reply: Message,
    receipt: Receipt,
}

/// How a connection ends.
enum End {
    /// The peer is gone.
    Gone,
    /// It is closed by this end.
    Close(Code, String),
}

impl Connection {
    pub(crate) fn new(server: Server, socket: Socket, context: Arc<BayeuxContext>) -> Self {
        server.0.counters.websockets.increment();
        Self {
            server,
            socket,
            context,
            carrier: Carrier::default(),
            session: None,
            held: None,
            is_quiet: false,
            alive: driver::now(),
        }
    }

    pub(crate) async fn run(mut self) {
        let failure = || End::Close(Code::Error, "the server failed".to_owned());
        let end = caught(self.serve()).await.unwrap_or_else(failure);
        self.unbind();
        if let End::Close(code, reason) = end {
            tracing::debug!(?code, reason, "websocket closed");
            self.socket.close(code, &reason).await;
        }
    }

    async fn serve(&mut self) -> End {
        let server = self.server.clone();
        let mut stopping = pin!(server.stopped());
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let until = match self.step().await {
                Ok(until) => until,
                Err(end) => return end,
            };
            if server.0.is_stopped() {
                return End::Close(Code::Away, "the server is stopping".to_owned());
            }
            set(&mut sleep, until);
            let received = tokio::select! {
                biased;
                received = self.socket.receive() => received,
                () = self.carrier.notified() => continue,
                () = &mut sleep => continue,
                () = &mut stopping => continue,
            };
            let outcome = match received {
                // Boxed, since it is much larger than what a connection that waits has.
                Ok(received) => Box::pin(self.handle(received)).await,
                Err(error) => Err(end_of(&error)),
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    /// Writes what is due, and tells when to look again.
    async fn step(&mut self) -> Result<Instant, End> {
        let idle = after(self.alive, self.server.0.config.ws.idle_timeout);
        let mut until = idle;
        if let Some(session) = self.session.clone() {
            if !session.is_carried_by(&self.carrier) {
                // Another connection has taken the session over.
                self.unbind();
                return Ok(until);
            }
            let (due, again) = if self.is_quiet { (None, None) } else { session.push() };
            if let Some(messages) = due {
                self.send(&session, messages, Vec::new()).await?;
            }
            until = again.map_or(until, |again| again.min(until));
            if let Some(held) = self.ask_held(&session).await? {
                until = held.min(until);
            }
            match session.removal() {
                Some(Removal::Expired | Removal::Overflowed) => {
                    return Err(End::Close(Code::Normal, "Destroy".to_owned()));
                }
                Some(Removal::Disconnected | Removal::Removed) => self.unbind(),
                None => {}
            }
        }
        if idle <= driver::now() {
            return Err(End::Close(Code::Normal, "idle for too long".to_owned()));
        }
        Ok(until)
    }

    /// Asks what the held connect does now, and does it; returns until when it waits.
    async fn ask_held(&mut self, session: &Arc<Session>) -> Result<Option<Instant>, End> {
        let Some((held, _)) = &self.held else { return Ok(None) };
        let timed_out = match session.held(held.cycle, true) {
            Held::Wait(_) if self.server.0.is_stopped() => false,
            Held::Wait(until) => return Ok(Some(until)),
            Held::Overtaken => {
                self.held = None;
                return Ok(None);
            }
            Held::TimedOut => true,
            Held::Resume => false,
        };
        if let Some((connect, suspension)) = self.held.take() {
            suspension.resume(timed_out);
            Box::pin(self.reply_to_connect(session, connect, Vec::new(), 0)).await?;
        }
        Ok(None)
    }

    async fn handle(&mut self, received: Received) -> Result<(), End> {
        self.alive = driver::now();
        let text = match received {
            Received::Text(text) => text,
            // One that sends pings and reads nothing would fill the memory with the pongs.
            Received::Alive => return self.flush().await,
            Received::Binary => {
                let reason = "binary messages are not Bayeux";
                return Err(End::Close(Code::Unsupported, reason.to_owned()));
            }
        };
        let limits = self.server.limits(ConnectionType::WebSocket);
        match decode(text.as_bytes(), &limits) {
            Ok(messages) => self.process(messages).await,
            Err(error) => {
                self.server.0.counters.malformed.increment();
                let is_large = matches!(error, DecodeError::TooLarge(_) | DecodeError::TooMany(_));
                let code = if is_large { Code::TooLarge } else { Code::Error };
                Err(End::Close(code, error.to_string()))
            }
        }
    }

    /// Takes the messages of one frame through the pipeline, one after the other.
    async fn process(&mut self, messages: Vec<Message>) -> Result<(), End> {
        let handshake = messages.iter().position(Message::is_handshake);
        if handshake.is_none()
            && let Some(first) = messages.first()
        {
            self.bind(first);
            self.is_quiet = false;
        }
        let mut replies = Vec::with_capacity(messages.len());
        let mut connect = None;
        for (index, message) in messages.into_iter().enumerate() {
            match handshake {
                Some(place) if place == index => self.handshake(message).await?,
                Some(_) => {
                    let mut reply = message.reply();
                    reply.fail(&BayeuxError::NotWithHandshake);
                    replies.push(reply);
                }
                None if message.is_connect() => {
                    let place = replies.len();
                    let accepted = self.connect(message, &mut replies).await;
                    connect = accepted.map(|accepted| (place, accepted)).or(connect);
                }
                None => replies.extend(self.request(message).await),
            }
        }
        self.respond(replies, connect).await
    }

    /// Finds the session of the first message of a new connection, or of one whose session ended. It
    /// may have begun over another transport, as it does with Faye's clients and aiocometd.
    fn bind(&mut self, message: &Message) {
        let is_bound = self
            .session
            .as_ref()
            .is_some_and(|own| own.is_handshook() && own.is_carried_by(&self.carrier));
        if is_bound || self.server.0.config.ws.require_handshake_per_connection {
            return;
        }
        let Some(id) = message.client_id.as_deref() else { return };
        let session = self.server.0.sessions.get(id).filter(|session| session.is_of_network());
        if let Some(session) = session {
            self.unbind();
            session.attach(&self.carrier);
            self.session = Some(session);
        }
    }

    async fn handshake(&mut self, message: Message) -> Result<(), End> {
        let origin = Origin {
            transport: Some(ConnectionType::WebSocket),
            browser: None,
            user_agent: self.context.header("user-agent").map(Into::into),
            local: None,
        };
        let session = self.server.new_session(None, origin);
        let handled = self.server.handle(Some(&session), self.received(message)).await;
        let reply = self.server.extend_reply(Some(&session), handled.reply).await;
        let Some(mut reply) = reply else { return Ok(()) };
        let mut queue = Vec::new();
        if reply.is_successful() {
            self.unbind();
            queue = drain_with_handshake(&self.server, &session, &mut reply);
            self.session = Some(session.clone());
        }
        let mut replies = vec![reply];
        self.show_queue(&session, &mut queue, &mut replies);
        if let Some(reply) = replies.first_mut().filter(|reply| reply.x_messages.is_some()) {
            reply.x_messages = Some(queue.len() as u64);
        }
        self.write(encode(&replies)).await?;
        if self.session.as_ref().is_some_and(|own| Arc::ptr_eq(own, &session)) {
            session.attach(&self.carrier);
            self.is_quiet = true;
        }
        self.send_shown(&session, queue, Vec::new()).await
    }

    /// Takes a connect through the pipeline; returns it when it was accepted.
    async fn connect(
        &mut self,
        message: Message,
        replies: &mut Vec<Message>,
    ) -> Option<HeldConnect> {
        let session = self.session.clone();
        let handled = self.server.handle(session.as_ref(), self.received(message)).await;
        let Some((accepted, session)) = handled.connect.zip(session) else {
            replies.extend(self.server.extend_reply(self.session.as_ref(), handled.reply).await);
            return None;
        };
        self.held = None;
        let mut receipt = Receipt::new(&self.server, Some(session.clone()));
        receipt.cycle = Some(accepted.cycle);
        let connect = HeldConnect { cycle: accepted.cycle, reply: handled.reply, receipt };
        match session.hold(accepted, true) {
            Some(timeout) => {
                let suspension = Suspension::new(&self.server, &session, timeout);
                self.held = Some((connect, suspension));
                None
            }
            // Over another connection a newer connect came meanwhile.
            None if session.held(connect.cycle, true) == Held::Overtaken => None,
            None => Some(connect),
        }
    }

    async fn request(&mut self, message: Message) -> Option<Message> {
        let session = self.session.as_ref();
        let handled = self.server.handle(session, self.received(message)).await;
        self.server.extend_reply(session, handled.reply).await
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
                self.reply_to_connect(&session, connect, replies, place).await
            }
            (Some(session), None) if !replies.is_empty() => {
                if session.removal().is_some() {
                    // The reply to a disconnect is the last: CometD's JavaScript library closes the
                    // connection then, but only if it has no connect outstanding.
                    self.ask_held(&session).await?;
                }
                let due = session.push().0.unwrap_or_default();
                self.send(&session, due, replies).await
            }
            (None, _) if !replies.is_empty() => self.write(encode(&replies)).await,
            _ => Ok(()),
        }
    }

    /// Writes what is queued and the reply to a connect, at its place among the other `replies`.
    async fn reply_to_connect(
        &mut self,
        session: &Arc<Session>,
        connect: HeldConnect,
        mut replies: Vec<Message>,
        place: usize,
    ) -> Result<(), End> {
        let HeldConnect { cycle, mut reply, receipt } = connect;
        self.server.complete_connect(session, ConnectionType::WebSocket, &mut reply);
        let reply = self.server.extend_reply(Some(session), reply).await;
        let (batch, queue) = session.drain_with_connect(cycle);
        if let Some(mut reply) = reply {
            if let Some(batch) = batch {
                reply.ext_mut().insert("ack".to_owned(), json!(batch));
            }
            replies.insert(place.min(replies.len()), reply);
        }
        let sent = self.send(session, queue, replies).await;
        drop(receipt);
        sent
    }

    async fn send(
        &mut self,
        session: &Arc<Session>,
        mut queue: Vec<Arc<Frozen>>,
        mut replies: Vec<Message>,
    ) -> Result<(), End> {
        self.show_queue(session, &mut queue, &mut replies);
        self.send_shown(session, queue, replies).await
    }

    /// Shows the session's listeners what is about to be written.
    fn show_queue(
        &self,
        session: &Arc<Session>,
        queue: &mut Vec<Arc<Frozen>>,
        replies: &mut Vec<Message>,
    ) {
        let listeners = session.listeners();
        if listeners.is_empty() {
            return;
        }
        // Puts the messages back if a listener panics.
        let mut receipt = Receipt::new(&self.server, Some(session.clone()));
        receipt.messages.clone_from(queue);
        for listener in listeners.iter() {
            listener.de_queue(&session.as_dyn(), queue, replies);
        }
        receipt.messages.clear();
    }

    /// Writes frames of messages, then one with the replies. Messages that the kernel did not take go
    /// back to the queue.
    async fn send_shown(
        &mut self,
        session: &Arc<Session>,
        queue: Vec<Arc<Frozen>>,
        replies: Vec<Message>,
    ) -> Result<(), End> {
        let per_frame = self.server.0.config.ws.messages_per_frame.unwrap_or(queue.len()).max(1);
        let mut taken = 0;
        let mut outcome = Ok(());
        for frame in queue.chunks(per_frame) {
            let text = match frame {
                [message] => message.array().clone(),
                messages => join(messages),
            };
            outcome = self.write_patiently(session, text).await;
            if outcome.is_err() {
                break;
            }
            taken += frame.len();
        }
        if outcome.is_ok() && !replies.is_empty() {
            outcome = self.write_patiently(session, encode(&replies)).await;
        }
        self.server.0.counters.messages_sent.add(taken);
        session.put_back(queue.into_iter().skip(taken).collect());
        self.alive = driver::now();
        outcome.map_err(|error| end_of(&error))
    }

    /// Waits until the peer has taken all, for so long and no longer.
    async fn flush(&mut self) -> Result<(), End> {
        let time = self.server.0.config.ws.write_timeout;
        match tokio::time::timeout(time, self.socket.flush()).await {
            Ok(flushed) => flushed.map_err(|error| end_of(&error)),
            Err(_) => Err(End::Gone),
        }
    }

    async fn write(&mut self, text: Bytes) -> Result<(), End> {
        // It is put in an empty buffer, so that this does not wait.
        self.socket.write(text).await.map_err(|error| end_of(&error))?;
        self.flush().await
    }

    /// Writes a frame, and waits for the peer to take it, but not for one that takes nothing, nor when
    /// the session has ended meanwhile.
    async fn write_patiently(&mut self, session: &Session, text: Bytes) -> Result<(), SocketError> {
        // It is put in an empty buffer, so that this does not wait.
        self.socket.write(text).await?;
        // Mostly the kernel takes it at once, and no timer is needed.
        if let Some(flushed) = self.socket.flush().now_or_never() {
            return flushed;
        }
        let time = self.server.0.config.ws.write_timeout;
        let mut written = self.socket.written();
        let mut woken = false;
        loop {
            let wait = tokio::time::sleep(time);
            tokio::select! {
                biased;
                flushed = self.socket.flush() => {
                    if woken {
                        // It was for the loop, which has not seen it.
                        self.carrier.notify_one();
                    }
                    return flushed;
                }
                () = self.carrier.notified() => woken = true,
                () = wait => {
                    if self.socket.written() == written {
                        return Err(SocketError::Stuck);
                    }
                    written = self.socket.written();
                }
            }
            let is_over = matches!(session.removal(), Some(Removal::Expired | Removal::Overflowed));
            // Another connection has taken the session over, and waits for what this one holds.
            if is_over || woken && !session.is_carried_by(&self.carrier) {
                return Err(SocketError::Stuck);
            }
        }
    }

    /// Lets the session go, which lives on for as long as its client may be away.
    fn unbind(&mut self) {
        self.held = None;
        if let Some(session) = self.session.take() {
            session.detach(&self.carrier);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
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

fn join(messages: &[Arc<Frozen>]) -> Bytes {
    let size = messages.iter().map(|message| message.weight()).sum();
    let mut array = Vec::with_capacity(size);
    for (index, message) in messages.iter().enumerate() {
        array.push(if index == 0 { b'[' } else { b',' });
        array.extend_from_slice(message.json());
    }
    array.push(b']');
    array.into()
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
