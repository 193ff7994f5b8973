//! The task of a client while it has a session: the only clock and the only I/O. It does what the
//! machine says, and tells it what comes of that.

mod ask;
mod extend;
mod receive;
mod send;

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bayeux_api::{ConnectionType, Message, client::TransportFailure, implement::Hook};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::Sleep};
use tokio_tungstenite::tungstenite::Utf8Bytes;

pub(crate) use self::extend::incoming;
use self::{
    extend::Extended,
    receive::Arrived,
    send::{Leaving, NORMAL},
};
use crate::{
    dispatch::{Backlog, Event, dispatch},
    proto::Output,
    reply::Waiter,
    shared::{Driven, Shared},
    transport::Socket,
};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What came of an exchange over a transport that answers each request.
type Answer = (u64, ConnectionType, Answers);

/// The answers to the requests of an exchange, mostly one, and why there is none to the next.
#[derive(Default)]
struct Answers {
    bodies: Vec<Bytes>,
    failure: Option<TransportFailure>,
}

pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// What the listeners are to be told, and the way there.
    events: Vec<Event>,
    listeners: mpsc::UnboundedSender<Vec<Event>>,
    backlog: Arc<Backlog>,
    answers: FuturesUnordered<Boxed<Option<Answer>>>,
    /// Answers that have arrived, one for each exchange at most.
    unread: VecDeque<Answer>,
    cancels: Vec<(u64, tokio::sync::oneshot::Sender<()>)>,
    socket: Link,
    arrived: Option<Arrived>,
    leaving: VecDeque<Leaving>,
    credentials: Option<Boxed<Result<Message, String>>>,
    probe: Option<Boxed<Result<Socket, TransportFailure>>>,
    timer: Pin<Box<Sleep>>,
    /// Whether anything is read.
    reads: bool,
    reads_first: bool,
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
    Frames(Result<Vec<Utf8Bytes>, TransportFailure>),
    /// The extensions have seen what arrived.
    Seen(Extended),
    /// The extensions have seen what is to be sent.
    Extended(Extended),
    Credentials(Result<Message, String>),
    Probed(Result<Socket, TransportFailure>),
}

impl Driver {
    /// Starts to drive a client, in the runtime of the caller.
    pub(crate) fn spawn(driven: Driven) {
        tokio::spawn(async move {
            let shared = driven.shared.clone();
            let (listeners, events) = mpsc::unbounded_channel();
            let backlog = Arc::<Backlog>::default();
            let owner = shared.owner();
            tokio::spawn(dispatch(shared.clone(), owner, backlog.clone(), events));
            let driver = Self {
                shared,
                events: Vec::new(),
                listeners,
                backlog,
                answers: FuturesUnordered::new(),
                unread: VecDeque::new(),
                cancels: Vec::new(),
                socket: Link::Closed,
                arrived: None,
                leaving: VecDeque::new(),
                credentials: None,
                probe: None,
                timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
                reads: true,
                reads_first: false,
            };
            driver.run().await;
            driven.end();
        });
    }

    async fn run(mut self) {
        loop {
            self.tell_listeners();
            self.heed_backlog();
            let Some((outputs, deadline)) = self.shared.take_outputs() else { return };
            if outputs.is_empty() {
                let happened = self.wait(deadline).await;
                self.handle(happened);
            }
            outputs.into_iter().for_each(|output| self.perform(output));
        }
    }

    /// Waits for the next thing to happen. What is read has its turn first or last, in alternation.
    async fn wait(&mut self, deadline: Option<Instant>) -> Happened {
        if let Some(deadline) = deadline {
            let deadline = tokio::time::Instant::from_std(deadline);
            if self.timer.deadline() != deadline {
                self.timer.as_mut().reset(deadline);
            }
        }
        self.reads_first = !self.reads_first;
        let shared = self.shared.clone();
        let mut woken = pin!(shared.wake.notified());
        poll_fn(|context| {
            if self.reads_first
                && let Poll::Ready(happened) = self.poll_transports(context)
            {
                return Poll::Ready(happened);
            }
            if woken.as_mut().poll(context).is_ready() {
                return Poll::Ready(Happened::Woken);
            }
            if deadline.is_some() && self.timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(Happened::Time);
            }
            if let Poll::Ready(happened) = self.poll_application(context) {
                return Poll::Ready(happened);
            }
            self.poll_transports(context)
        })
        .await
    }

    /// Sends what is to be sent, and reads what has arrived if the listeners have not too much to do.
    fn poll_transports(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        // Behind one that was cancelled others may be ready.
        while let Poll::Ready(Some(answer)) = self.answers.poll_next_unpin(context) {
            self.unread.extend(answer);
        }
        if self.reads
            && let Some(answer) = self.unread.pop_front()
        {
            return Poll::Ready(Happened::Answer(answer));
        }
        match &mut self.socket {
            Link::Closed => Poll::Pending,
            Link::Opening(opening, _) => opening.as_mut().poll(context).map(Happened::Opened),
            Link::Open(socket) if self.reads => {
                // What the extensions have to see is read one after the other.
                let most = if self.shared.extensions.is_empty() { MOST_FRAMES } else { 1 };
                socket.poll_receive(most, context).map(Happened::Frames)
            }
            Link::Open(socket) => {
                socket.poll_send(context);
                Poll::Pending
            }
        }
    }

    /// Lets the application do its part: extensions and credentials.
    fn poll_application(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        if let Some(arrived) = &mut self.arrived
            && let Poll::Ready(extended) = arrived.work.as_mut().poll(context)
        {
            return Poll::Ready(Happened::Seen(extended));
        }
        if let Some(leaving) = self.leaving.front_mut()
            && let Poll::Ready(extended) = leaving.work.as_mut().poll(context)
        {
            return Poll::Ready(Happened::Extended(extended));
        }
        if let Some(credentials) = &mut self.credentials
            && let Poll::Ready(fields) = credentials.as_mut().poll(context)
        {
            return Poll::Ready(Happened::Credentials(fields));
        }
        match &mut self.probe {
            Some(probe) => probe.as_mut().poll(context).map(Happened::Probed),
            None => Poll::Pending,
        }
    }

    /// Reads nothing while the listeners have too much to do, or the extensions have to see what was read
    /// before.
    fn heed_backlog(&mut self) {
        let reads = self.arrived.is_none() && self.backlog.has_room();
        if reads == self.reads {
            return;
        }
        self.reads = reads;
        self.shared.drive(|machine, now| match reads {
            true => machine.go_on_reading(now),
            false => machine.stop_reading(now),
        });
    }

    fn handle(&mut self, happened: Happened) {
        match happened {
            Happened::Woken => {}
            Happened::Time => self.shared.drive(|machine, now| machine.tick(now)),
            Happened::Answer((exchange, transport, answers)) => {
                self.answered(exchange, transport, answers);
            }
            Happened::Opened(result) => self.opened(result),
            Happened::Frames(result) => self.framed(result),
            Happened::Seen(extended) => self.seen(extended),
            Happened::Extended(extended) => self.extended(extended),
            Happened::Credentials(fields) => {
                self.credentials = None;
                self.shared.drive(|machine, now| machine.credentials(fields, now));
            }
            Happened::Probed(result) => self.probed(result),
        }
    }

    fn perform(&mut self, output: Output<Waiter>) {
        match output {
            Output::Credentials => self.ask_credentials(),
            Output::Send { exchange, transport, url, messages } => {
                self.send(exchange, transport, url, messages);
            }
            Output::Cancel(exchange) => {
                self.cancels.retain(|(id, _)| *id != exchange);
                // Nor is the connection used again over which nothing came.
                self.shared.network.close_idle();
                self.forget_failed();
            }
            Output::Overdue(exchange) => self.overdue(exchange),
            Output::Decide(info) => self.decide(*info),
            Output::Resolve(waiter, outcome) => drop(waiter.send(outcome)),
            Output::Notify(message) => self.events.push(Event::Message(message)),
            Output::Failed(message) => self.events.push(Event::Failed(message)),
            Output::State(state) => {
                self.shared.state.send_replace(state);
                self.events.push(Event::State(state));
            }
            Output::Unsubscribed(channel) => self.events.push(Event::Unsubscribed(channel)),
            Output::Probe(url) => {
                let network = self.shared.network.clone();
                self.probe = Some(Box::pin(async move { network.open_websocket(&url).await }));
            }
            Output::Leave(ConnectionType::WebSocket) => {
                self.close_socket(NORMAL, "Leave");
                self.forget_failed();
            }
            Output::Leave(_) => {}
            Output::Close => self.close(),
        }
    }

    /// Hands the listeners what there is to tell.
    fn tell_listeners(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let events = std::mem::take(&mut self.events);
        self.backlog.add(&events);
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

/// How many frames that have arrived are read before what they lead to is done.
const MOST_FRAMES: usize = 16;
