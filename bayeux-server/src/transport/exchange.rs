//! One request with its messages, and the one response it gets: what long-polling, callback-polling
//! and the in-process transport have in common.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError, ConnectionType, Flow, Message, Reconnect,
    implement::{Hook, lock},
    server::{BayeuxContext, ServerMessage, ServerSession},
};
use serde_json::json;

use crate::{
    carrier::Carrier,
    clock,
    complete::complete,
    fan_out::Together,
    proto::{
        browsers::BrowserId,
        carriage::Means,
        session::{Accepted, Cycle, Held, Parked},
    },
    server::Server,
    session::{Origin, Session},
    transport::{
        parcel::{Parcel, Receipt},
        shown::show_queue,
        suspension::Suspension,
        waiting::Waiting,
    },
};

/// Who asks, and over what.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) server: Server,
    pub(crate) transport: ConnectionType,
    pub(crate) context: Option<Arc<BayeuxContext>>,
    /// The browser that the request says it is of.
    pub(crate) browser: Option<BrowserId>,
    /// How many connects are held for one browser.
    pub(crate) most_held: Option<usize>,
}

/// How a request ends.
pub(crate) enum Outcome {
    /// With messages.
    Parcel(Box<Parcel>),
    /// Without: another connect of its session took its place.
    Overtaken,
    /// Without: an application's hook panicked.
    Failed,
}

/// The messages of a request after their way through the pipeline.
struct Processed {
    session: Option<Arc<Session>>,
    handshake: Option<Box<Message>>,
    replies: Vec<Option<Message>>,
    /// The newest connect among them, and the place of its reply.
    connect: Option<(usize, Accepted)>,
    /// Keeps the session from waking its held connect while this request can carry its messages.
    batch: Option<Batch>,
    receipt: Receipt,
}

impl Processed {
    /// Takes out the reply to a connect that came alone, with the place that a reply needs.
    fn take_only_reply(&mut self) -> Option<Waiting> {
        std::mem::take(&mut self.replies).pop().flatten().map(Waiting::from)
    }
}

impl Exchange {
    pub(crate) async fn run(self, messages: Vec<Message>) -> Outcome {
        Hook("an exchange", "").caught(self.exchange(messages)).await.unwrap_or(Outcome::Failed)
    }

    async fn exchange(mut self, messages: Vec<Message>) -> Outcome {
        let is_alone = messages.len() == 1;
        let work = Box::pin(self.clone().process(messages));
        let processed = complete(Together::new(&self.server, work)).await;
        // Boxed, as is what follows the wait: a connect may be held for long.
        let Some(mut processed) = processed.map(Box::new) else { return Outcome::Failed };
        // What came with the request is not needed any more.
        self.context = None;
        if let (Some((index, accepted)), Some(session)) =
            (processed.connect, processed.session.clone())
        {
            if !is_alone {
                session.answer(accepted.cycle);
            } else if let Some(reply) = processed.take_only_reply() {
                let hold = Hold { exchange: &self, session: &session };
                match hold.wait(accepted).await {
                    Waited::Answer => processed.replies.push(Some(reply.into())),
                    Waited::Refused => {
                        processed.replies.push(Some(hold.refuse_place(reply)));
                    }
                    Waited::Overtaken => return Outcome::Overtaken,
                }
            }
            if let Some(place) = processed.replies.get_mut(index) {
                Box::pin(self.complete_connect(&session, place)).await;
            }
        }
        Outcome::Parcel(Box::new(pack(&self.server, *processed)))
    }

    /// Finishes the reply to the connect that is answered.
    async fn complete_connect(&self, session: &Arc<Session>, place: &mut Option<Message>) {
        if let Some(reply) = place.take() {
            *place = self.complete_reply(session, reply).await;
        }
    }

    /// Finishes the reply to a connect.
    async fn complete_reply(&self, session: &Arc<Session>, mut reply: Message) -> Option<Message> {
        self.server.complete_connect(session, self.transport, &mut reply);
        let (server, session) = (self.server.clone(), session.clone());
        complete(async move {
            let flow = server.extend_reply(Some(&session), &mut reply).await;
            (flow == Flow::Continue).then_some(reply)
        })
        .await
        .flatten()
    }

    /// Takes the messages through the pipeline, one after the other.
    async fn process(self, messages: Vec<Message>) -> Processed {
        let handshake = messages.iter().position(Message::is_handshake);
        let session = match handshake {
            Some(_) => Some(self.new_session()),
            None => messages.first().and_then(|first| self.find_session(first)),
        };
        let opens_batch = !messages.first().is_some_and(Message::is_connect);
        let batch = session.clone().filter(|_| handshake.is_none() && opens_batch).map(Batch::new);
        let mut receipt = Receipt::new(&self.server, session.clone());
        receipt.cycle = handshake.map(|_| Cycle::HANDSHAKE);
        let replies = Vec::with_capacity(messages.len());
        let mut processed =
            Processed { session, handshake: None, replies, connect: None, batch, receipt };
        let mut messages = messages.into_iter();
        for index in 0.. {
            let Some(mut message) = messages.next().map(|message| self.received(message)) else {
                break;
            };
            if handshake.is_some_and(|place| place != index) {
                message.reply_mut().fail(&BayeuxError::NotWithHandshake);
                processed.replies.push(Some(message.into_reply()));
                continue;
            }
            self.process_one(&mut message, &mut processed).await;
        }
        processed
    }

    fn received(&self, message: Message) -> ServerMessage {
        ServerMessage::received(message, self.transport, self.context.clone())
    }

    async fn process_one(&self, message: &mut ServerMessage, processed: &mut Processed) {
        let session = processed.session.as_ref();
        let is_handshake = message.is_handshake();
        if let Some(accepted) = self.server.handle(session, message).await {
            processed.receipt.cycle = Some(accepted.cycle);
            if let Some((place, _)) = processed.connect.take()
                && let (Some(session), Some(reply)) = (session, processed.replies[place].take())
            {
                // Boxed, as few requests have two connects.
                processed.replies[place] = Box::pin(self.complete_reply(session, reply)).await;
            }
            processed.connect = Some((processed.replies.len(), accepted));
            processed.replies.push(Some(std::mem::take(message.reply_mut())));
            return;
        }
        let flow = self.server.extend_reply(session, message.reply_mut()).await;
        let reply = (flow == Flow::Continue).then(|| std::mem::take(message.reply_mut()));
        match is_handshake {
            true => processed.handshake = reply.map(Box::new),
            false => processed.replies.push(reply),
        }
    }

    fn new_session(&self) -> Arc<Session> {
        let context = self.context.as_ref();
        let user_agent = context.and_then(|context| context.header("user-agent"));
        let origin = Origin {
            transport: Some(self.transport),
            browser: self.browser.clone(),
            user_agent: user_agent.map(Into::into),
            ..Origin::default()
        };
        self.server.new_session(None, origin)
    }

    /// Finds the session that a message says it is of, if this request may speak for it.
    fn find_session(&self, message: &Message) -> Option<Arc<Session>> {
        let session = self.server.0.sessions.get(message.client_id.as_deref()?)?;
        let origin = &session.origin;
        let is_same_browser = origin.transport == Some(self.transport)
            && origin.browser.is_some()
            && origin.browser == self.browser;
        let is_trusted =
            self.server.0.config.http.trust_client_session && origin.transport.is_some();
        (is_same_browser || is_trusted).then_some(session)
    }
}

/// Puts the response together: here messages leave the queue, and from here on the receipt stands
/// for them.
fn pack(server: &Server, mut processed: Processed) -> Parcel {
    let mut queue = Vec::new();
    if let Some(session) = &processed.session {
        if let Some((index, accepted)) = processed.connect {
            let (batch, messages) = session.drain_with_connect(accepted.cycle);
            queue = messages;
            if let (Some(batch), Some(Some(reply))) = (batch, processed.replies.get_mut(index)) {
                reply.ext_mut().insert("ack".to_owned(), json!(batch));
            }
        } else if let Some(reply) = processed.handshake.as_mut().filter(|r| r.is_successful()) {
            queue = drain_with_handshake(server, session, reply);
        } else {
            queue = session.drain_with_response();
        }
        if !session.de_queue_listeners().is_empty() {
            let mut replies: Vec<_> = processed.replies.drain(..).flatten().collect();
            show_queue(session, &mut queue, &mut replies);
            processed.replies = replies.into_iter().map(Some).collect();
        }
        if let Some(reply) = &mut processed.handshake
            && reply.x_messages.is_some()
        {
            reply.x_messages = Some(queue.len() as u64);
        }
    }
    drop(processed.batch);
    Parcel {
        handshake: processed.handshake,
        queue,
        replies: processed.replies,
        receipt: processed.receipt,
    }
}

/// Takes what may be delivered together with the reply to a handshake.
pub(crate) fn drain_with_handshake(
    server: &Server,
    session: &Session,
    reply: &mut Message,
) -> Vec<Arc<bayeux_api::Frozen>> {
    let transport = session.transport().unwrap_or(ConnectionType::InProcess);
    if !server.0.config.transport(transport).allow_message_delivery_during_handshake {
        return Vec::new();
    }
    let (batch, queue) = session.drain_with_reply();
    if let Some(batch) = batch {
        reply.ext_mut().insert("ack".to_owned(), json!({ "enabled": true, "batch": batch }));
    }
    reply.x_messages = Some(queue.len() as u64);
    queue
}

/// A connect that may be held.
struct Hold<'a> {
    exchange: &'a Exchange,
    session: &'a Arc<Session>,
}

/// How a connect goes on.
enum Waited {
    Answer,
    /// It is answered, but the browser has too many held already.
    Refused,
    /// It is not answered: a newer one took its place.
    Overtaken,
}

impl From<Held> for Waited {
    fn from(held: Held) -> Self {
        match held {
            Held::Overtaken => Self::Overtaken,
            Held::Wait(_) | Held::TimedOut | Held::Resume => Self::Answer,
        }
    }
}

impl Hold<'_> {
    async fn wait(&self, accepted: Accepted) -> Waited {
        let Accepted { cycle, .. } = accepted;
        let carrier = Carrying { session: self.session, carrier: Carrier::without_socket() };
        let timeout = match self.session.hold(accepted, &carrier.carrier, Means::Reply) {
            Parked::For(timeout) => timeout,
            Parked::Not => return Waited::Answer,
            Parked::Overtaken => return Waited::Overtaken,
        };
        let Some(_place) = Place::take(self.exchange, self.session, cycle) else {
            self.session.let_go(cycle, &carrier.carrier);
            return Waited::Refused;
        };
        let suspension = Suspension::new(&self.exchange.server, self.session, timeout);
        let held = self.wait_for(cycle, &carrier.carrier).await;
        drop(carrier);
        suspension.resume(held == Held::TimedOut);
        held.into()
    }

    async fn wait_for(&self, cycle: Cycle, carrier: &Carrier) -> Held {
        let server = &self.exchange.server;
        loop {
            let now = clock::now();
            let until = match self.session.held(cycle, Means::Reply, now) {
                Held::Wait(_) if server.0.is_stopped() => return Held::Resume,
                Held::Wait(until) => until,
                held @ (Held::TimedOut | Held::Resume | Held::Overtaken) => return held,
            };
            tokio::select! {
                biased;
                () = carrier.woken() => {}
                () = tokio::time::sleep_until(server.0.timers.round(until, now).into()) => {}
            }
        }
    }

    /// Answers a browser's further tab, which has to poll.
    fn refuse_place(&self, reply: Waiting) -> Message {
        let mut reply = Message::from(reply);
        let interval = self.exchange.server.0.config.http.multi_session_interval;
        self.session.advise_again();
        reply.advice = self.session.take_advice(Some(self.exchange.transport));
        self.session.advise_again();
        let advice = reply.advice_mut();
        advice.multiple_clients = Some(true);
        if interval.is_zero() {
            advice.reconnect = Some(Reconnect::None);
            reply.successful = Some(false);
        } else {
            advice.reconnect = Some(Reconnect::Retry);
            advice.interval = i64::try_from(interval.as_millis()).ok();
        }
        reply
    }
}

/// A request that carries the session while it is held.
struct Carrying<'a> {
    session: &'a Session,
    carrier: Arc<Carrier>,
}

impl Drop for Carrying<'_> {
    fn drop(&mut self) {
        self.session.leave(&self.carrier);
    }
}

/// One held connect of a browser; given back when dropped.
struct Place<'a> {
    exchange: &'a Exchange,
    session: &'a Session,
    cycle: Cycle,
}

impl<'a> Place<'a> {
    fn take(exchange: &'a Exchange, session: &'a Session, cycle: Cycle) -> Option<Self> {
        let Exchange { server, browser, most_held, .. } = exchange;
        let is_free = browser.as_ref().is_none_or(|browser| {
            lock(&server.0.browsers).hold(browser, session.shared_id(), cycle, *most_held)
        });
        is_free.then_some(Self { exchange, session, cycle })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(browser) = &self.exchange.browser {
            let mut browsers = lock(&self.exchange.server.0.browsers);
            browsers.release(browser, self.session.shared_id(), self.cycle);
        }
    }
}

/// A batch of a session that ends when it is dropped.
struct Batch(Arc<Session>);

impl Batch {
    fn new(session: Arc<Session>) -> Self {
        session.start_batch();
        Self(session)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.0.end_batch();
    }
}
