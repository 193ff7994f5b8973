//! The task of a client while it has a session: the only clock and the only I/O. It does what the
//! machine says, and tells it what comes of that.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};

use bayeux_api::{
    ConnectionType, DecodeError, Flow, Limits, Message,
    client::{FailureKind, TransportFailure},
    decode,
    implement::{ask, caught, tell},
    meta,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::Sleep};
use url::Url;

use crate::{
    FailureInfo,
    dispatch::{BACKLOG, Event, dispatch},
    proto::Output,
    reply::Waiter,
    shared::Shared,
    transport::Socket,
};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An answer over a transport that answers each request.
type Answer = (u64, ConnectionType, Result<Bytes, TransportFailure>);

pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// What the listeners are to be told, and the way there.
    events: Vec<Event>,
    listeners: mpsc::UnboundedSender<Vec<Event>>,
    answers: FuturesUnordered<Boxed<Option<Answer>>>,
    cancels: Vec<(u64, tokio::sync::oneshot::Sender<()>)>,
    socket: Link,
    credentials: Option<Boxed<Result<Message, String>>>,
    probe: Option<Boxed<Result<Socket, TransportFailure>>>,
    timer: Pin<Box<Sleep>>,
}

/// The WebSocket, which is opened when there is something to send.
enum Link {
    Closed,
    /// With the frames that wait for it.
    Opening(Boxed<Result<Socket, TransportFailure>>, Vec<String>),
    Open(Box<Socket>),
}

/// What the driver waits for.
enum Happened {
    Woken,
    Time,
    Answer(Answer),
    Opened(Result<Socket, TransportFailure>),
    Frame(Result<Bytes, TransportFailure>),
    Credentials(Result<Message, String>),
    Probed(Result<Socket, TransportFailure>),
}

impl Driver {
    pub(crate) fn spawn(shared: Arc<Shared>) {
        let (listeners, events) = mpsc::unbounded_channel();
        let owner = shared.owner();
        tokio::spawn(dispatch(shared.clone(), owner, events));
        let driver = Self {
            shared,
            events: Vec::new(),
            listeners,
            answers: FuturesUnordered::new(),
            cancels: Vec::new(),
            socket: Link::Closed,
            credentials: None,
            probe: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        };
        tokio::spawn(driver.run());
    }

    async fn run(mut self) {
        while let Some((outputs, deadline)) = self.shared.take_outputs() {
            if !outputs.is_empty() {
                for output in outputs {
                    self.perform(output).await;
                }
                continue;
            }
            let happened = self.wait(deadline).await;
            self.handle(happened).await;
        }
        self.tell_listeners();
    }

    /// Waits for the next thing to happen. Nothing is read while the listeners have too much to do.
    async fn wait(&mut self, deadline: Option<Instant>) -> Happened {
        if let Some(deadline) = deadline {
            let deadline = tokio::time::Instant::from_std(deadline);
            if self.timer.deadline() != deadline {
                self.timer.as_mut().reset(deadline);
            }
        }
        self.tell_listeners();
        let has_room = self.shared.backlog.load(Relaxed) <= BACKLOG;
        let Self { shared, answers, socket, credentials, probe, timer, .. } = self;
        let read = poll_fn(|context| {
            // Behind one that was cancelled others may be ready.
            while let Poll::Ready(Some(answer)) = answers.poll_next_unpin(context) {
                if let Some(answer) = answer {
                    return Poll::Ready(Happened::Answer(answer));
                }
            }
            match socket {
                Link::Closed => Poll::Pending,
                Link::Opening(opening, _) => opening.as_mut().poll(context).map(Happened::Opened),
                Link::Open(socket) => {
                    let frame = socket.poll_receive(context);
                    frame.map(|frame| Happened::Frame(frame.map(Bytes::from)))
                }
            }
        });
        let application = poll_fn(|context| {
            if let Some(Poll::Ready(fields)) =
                credentials.as_mut().map(|it| it.as_mut().poll(context))
            {
                return Poll::Ready(Happened::Credentials(fields));
            }
            match probe {
                Some(probe) => probe.as_mut().poll(context).map(Happened::Probed),
                None => Poll::Pending,
            }
        });
        tokio::select! {
            () = shared.wake.notified() => Happened::Woken,
            () = timer.as_mut(), if deadline.is_some() => Happened::Time,
            happened = application => happened,
            happened = read, if has_room => happened,
        }
    }

    async fn handle(&mut self, happened: Happened) {
        match happened {
            Happened::Woken => {}
            Happened::Time => self.shared.input(|machine, now| machine.tick(now)),
            Happened::Answer((exchange, transport, result)) => {
                self.answered(exchange, transport, result).await;
            }
            Happened::Opened(result) => self.opened(result),
            Happened::Frame(result) => self.framed(result).await,
            Happened::Credentials(fields) => {
                self.credentials = None;
                self.shared.input(|machine, now| machine.credentials(fields, now));
            }
            Happened::Probed(result) => self.probed(result),
        }
    }

    async fn perform(&mut self, output: Output<Waiter>) {
        match output {
            Output::Credentials => self.ask_credentials(),
            Output::Send { exchange, transport, url, messages } => {
                self.send(exchange, transport, url, messages).await;
            }
            Output::Cancel(exchange) => {
                self.cancels.retain(|(id, _)| *id != exchange);
                // Nor is the connection used again over which nothing came.
                self.shared.network.close_idle();
            }
            Output::Overdue(exchange) => self.overdue(exchange),
            Output::Decide(info) => self.decide(*info),
            Output::Resolve(waiter, outcome) => drop(waiter.send(outcome)),
            Output::Notify(message) => self.events.push(Event::Message(message)),
            Output::Failed(message) => {
                let told = self.extend_incoming(vec![message]).await;
                self.events.extend(told.into_iter().map(Event::Message));
            }
            Output::State(state) => {
                self.shared.state.send_replace(state);
                self.events.push(Event::State(state));
            }
            Output::Unsubscribed(channel) => self.events.push(Event::Unsubscribed(channel)),
            Output::Probe(url) => {
                let network = self.shared.network.clone();
                self.probe = Some(Box::pin(async move { network.open_websocket(&url).await }));
            }
            Output::Leave(ConnectionType::WebSocket) => self.close_socket(NORMAL, "Leave"),
            Output::Leave(
                ConnectionType::LongPolling
                | ConnectionType::CallbackPolling
                | ConnectionType::InProcess,
            ) => {}
            Output::Close => self.close(),
        }
    }

    /// Hands the listeners what there is to tell.
    fn tell_listeners(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let events = std::mem::take(&mut self.events);
        self.shared.backlog.fetch_add(events.iter().map(Event::size).sum(), Relaxed);
        let _ = self.listeners.send(events);
    }

    fn ask_credentials(&mut self) {
        let Some(credentials) = self.shared.credentials.clone() else { return };
        self.credentials = Some(Box::pin(async move {
            let asked = caught(credentials.credentials()).await;
            asked.unwrap_or_else(|| Err("asking for credentials panicked".to_owned()))
        }));
    }

    // --- sending ---

    async fn send(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        url: Url,
        mut messages: Vec<Message>,
    ) {
        self.extend_outgoing(&mut messages).await;
        let (body, messages) = self.encode(messages);
        if messages.is_empty() {
            return;
        }
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.sending(&messages));
        }
        match transport {
            ConnectionType::WebSocket => self.send_frame(&url, body),
            ConnectionType::LongPolling | ConnectionType::CallbackPolling => {
                let network = self.shared.network.clone();
                let url = extended(url, &messages);
                let answer = async move { network.post(&url, body.into_bytes()).await };
                self.exchange(exchange, transport, answer);
            }
            ConnectionType::InProcess => {
                if let Some(server) = self.shared.in_process.clone() {
                    let answer = async move { server.send(&body).await.map(Bytes::from) };
                    self.exchange(exchange, transport, answer);
                }
            }
        }
    }

    /// Shows the messages to the extensions, of which the last added is the first to see them.
    async fn extend_outgoing(&mut self, messages: &mut Vec<Message>) {
        let extensions = self.shared.extensions.snapshot();
        if extensions.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(messages.len());
        for mut message in messages.drain(..) {
            let id = message.id.clone();
            let mut flow = Flow::Continue;
            for extension in extensions.iter().rev() {
                let seen = caught(extension.outgoing(&mut message)).await;
                flow = seen.unwrap_or(Flow::Stop);
                if flow == Flow::Stop {
                    break;
                }
            }
            message.id.clone_from(&id);
            match flow {
                Flow::Continue => kept.push(message),
                Flow::Stop => self.deleted(id.as_deref().unwrap_or_default()),
            }
        }
        *messages = kept;
    }

    fn deleted(&self, id: &str) {
        self.shared.input(|machine, now| machine.deleted(id, now));
    }

    /// Encodes those of the messages that are not larger than allowed; the others fail.
    fn encode(&self, messages: Vec<Message>) -> (String, Vec<Message>) {
        let most = self.shared.look(|machine| machine.config().max_send_message_size);
        let mut body = vec![b'['];
        let mut kept = Vec::with_capacity(messages.len());
        for message in messages {
            let before = body.len();
            if !kept.is_empty() {
                body.push(b',');
            }
            let start = body.len();
            let is_encoded = serde_json::to_writer(&mut body, &message).is_ok();
            if is_encoded && body.len() - start <= most {
                kept.push(message);
            } else {
                body.truncate(before);
                let id = message.id.as_deref().unwrap_or_default();
                self.shared.input(|machine, now| machine.too_large(id, most, now));
            }
        }
        body.push(b']');
        (String::from_utf8(body).unwrap_or_default(), kept)
    }

    fn exchange(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        answer: impl Future<Output = Result<Bytes, TransportFailure>> + Send + 'static,
    ) {
        let (cancel, cancelled) = tokio::sync::oneshot::channel();
        self.cancels.push((exchange, cancel));
        self.answers.push(Box::pin(async move {
            tokio::select! {
                result = answer => Some((exchange, transport, result)),
                _ = cancelled => None,
            }
        }));
    }

    fn send_frame(&mut self, url: &Url, frame: String) {
        match &mut self.socket {
            Link::Open(socket) => socket.send(frame),
            Link::Opening(_, frames) => frames.push(frame),
            Link::Closed => {
                let (network, url) = (self.shared.network.clone(), url.clone());
                let opening = Box::pin(async move { network.open_websocket(&url).await });
                self.socket = Link::Opening(opening, vec![frame]);
            }
        }
    }

    fn close_socket(&mut self, code: u16, reason: &'static str) {
        if let Link::Open(socket) = std::mem::replace(&mut self.socket, Link::Closed) {
            tokio::spawn(async move { socket.close(code, reason).await });
        }
    }

    fn close(&mut self) {
        self.close_socket(NORMAL, "Disconnect");
        self.cancels.clear();
        self.answers.clear();
        self.credentials = None;
        self.probe = None;
        self.shared.network.clear();
    }

    // --- receiving ---

    /// Takes an answer, also one that has been given in another: there may be more in it.
    async fn answered(
        &mut self,
        exchange: u64,
        transport: ConnectionType,
        result: Result<Bytes, TransportFailure>,
    ) {
        let before = self.cancels.len();
        self.cancels.retain(|(id, _)| *id != exchange);
        if self.cancels.len() == before {
            return;
        }
        let result = match result.and_then(|bytes| self.read(&bytes, transport)) {
            Ok(messages) => {
                self.receive(messages, transport).await;
                Ok(())
            }
            Err(failure) => {
                self.tell_failure(&failure, exchange);
                Err(failure)
            }
        };
        self.shared.input(|machine, now| machine.ended(exchange, result, now));
    }

    fn opened(&mut self, result: Result<Socket, TransportFailure>) {
        let Link::Opening(_, frames) = std::mem::replace(&mut self.socket, Link::Closed) else {
            return;
        };
        match result {
            Ok(mut socket) => {
                frames.into_iter().for_each(|frame| socket.send(frame));
                self.socket = Link::Open(Box::new(socket));
            }
            Err(failure) => self.lost(&failure),
        }
    }

    async fn framed(&mut self, result: Result<Bytes, TransportFailure>) {
        let transport = ConnectionType::WebSocket;
        match result.and_then(|bytes| self.read(&bytes, transport)) {
            Ok(messages) => self.receive(messages, transport).await,
            Err(failure) => {
                match failure.websocket_code {
                    // The server closed it, or it is gone.
                    Some(_) if failure.kind == FailureKind::Closed => self.socket = Link::Closed,
                    code => self.close_socket(code.unwrap_or(PROTOCOL), "Invalid"),
                }
                self.lost(&failure);
            }
        }
    }

    fn lost(&self, failure: &TransportFailure) {
        let requests = self.shared.look(|machine| machine.all_unanswered(failure.connection_type));
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.failure(failure, &requests));
        }
        let transport = failure.connection_type;
        self.shared.input(|machine, now| machine.disconnected(transport, failure, now));
    }

    fn probed(&mut self, result: Result<Socket, TransportFailure>) {
        self.probe = None;
        let works = result.is_ok();
        if let (Ok(socket), Link::Closed) = (result, &self.socket) {
            self.socket = Link::Open(Box::new(socket));
        }
        let transport = ConnectionType::WebSocket;
        self.shared.input(|machine, now| machine.probed(transport, works, now));
    }

    fn read(
        &self,
        bytes: &Bytes,
        transport: ConnectionType,
    ) -> Result<Vec<Message>, TransportFailure> {
        let limits = Limits { size: usize::MAX, messages: MOST_MESSAGES, ..Limits::default() };
        decode(bytes, &limits).map_err(|error| unreadable(&error, bytes, transport))
    }

    async fn receive(&mut self, messages: Vec<Message>, transport: ConnectionType) {
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.messages(&messages));
        }
        let messages = self.extend_incoming(messages).await;
        self.shared.input(|machine, now| machine.received(messages, transport, now));
    }

    async fn extend_incoming(&mut self, mut messages: Vec<Message>) -> Vec<Message> {
        let extensions = self.shared.extensions.snapshot();
        if extensions.is_empty() {
            return messages;
        }
        let mut kept = Vec::with_capacity(messages.len());
        for mut message in messages.drain(..) {
            let id = message.id.clone();
            let is_reply = message.is_meta() || message.is_publish_reply();
            let mut flow = Flow::Continue;
            for extension in extensions.iter() {
                flow = caught(extension.incoming(&mut message)).await.unwrap_or(Flow::Stop);
                if flow == Flow::Stop {
                    break;
                }
            }
            match (flow, id) {
                (Flow::Continue, _) => kept.push(message),
                (Flow::Stop, Some(id)) if is_reply => self.deleted(&id),
                (Flow::Stop, _) => {}
            }
        }
        kept
    }

    // --- asking the listeners ---

    fn overdue(&mut self, exchange: u64) {
        let requests = self.shared.look(|machine| machine.unanswered(exchange));
        let listeners = self.shared.transport_listeners.snapshot();
        let more = listeners.iter().find_map(|one| ask(|| one.timeout(&requests)).flatten());
        if more.is_none() {
            let transport = self.shared.look(|machine| machine.transport_of(exchange));
            let reason = "no answer came in time";
            let failure =
                transport.map(|it| TransportFailure::new(it, FailureKind::Timeout, reason));
            failure.iter().for_each(|failure| self.tell_failure(failure, exchange));
        }
        self.shared.input(|machine, now| machine.overdue(exchange, more, now));
    }

    fn tell_failure(&self, failure: &TransportFailure, exchange: u64) {
        let requests = self.shared.look(|machine| machine.unanswered(exchange));
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.failure(failure, &requests));
        }
    }

    fn decide(&mut self, mut info: FailureInfo) {
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.transport_failure(&mut info));
        }
        tracing::debug!(failure = %info.failure, action = %info.action, delay = ?info.delay, "failed");
        self.shared.input(|machine, now| machine.decided(info, now));
    }
}

/// Adds to the address what a single meta message asks for, as CometD does for the logs of others.
fn extended(mut url: Url, messages: &[Message]) -> Url {
    let [message] = messages else { return url };
    let name = match message.channel() {
        meta::HANDSHAKE => "handshake",
        meta::CONNECT => "connect",
        meta::SUBSCRIBE => "subscribe",
        meta::UNSUBSCRIBE => "unsubscribe",
        meta::DISCONNECT => "disconnect",
        _ => return url,
    };
    if url.query().is_none()
        && url.fragment().is_none()
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().push(name);
    }
    url
}

fn unreadable(error: &DecodeError, bytes: &[u8], transport: ConnectionType) -> TransportFailure {
    let start: String = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    let reason = format!("what came is not Bayeux, {error}: {start:?}");
    TransportFailure::new(transport, FailureKind::Invalid, reason)
}

/// The most messages that one answer may have.
const MOST_MESSAGES: usize = 1_000_000;

/// The close code of an orderly end (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1000;
const PROTOCOL: u16 = 1002;
