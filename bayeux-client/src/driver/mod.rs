//! The task of a client while it has a session: the only clock and the only I/O. It does what the
//! machine says, and tells it what comes of that.

mod ask;
mod receive;
mod send;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};

use bayeux_api::{ConnectionType, Message, client::TransportFailure, implement::Hook};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::Sleep};

use self::send::NORMAL;
use crate::{
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
            let asked =
                Hook("Credentials::credentials", "").wait(|| credentials.credentials()).await;
            asked.unwrap_or_else(|| Err("asking for credentials panicked".to_owned()))
        }));
    }
}
