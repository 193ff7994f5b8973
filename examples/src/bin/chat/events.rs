//! What happens to the chat, all in one queue: lines typed, messages, failures, states.

use std::{
    io::{BufRead as _, stdin},
    sync::Arc,
    time::Duration,
};

use bayeux_client::{
    BayeuxClient, FailureInfo, State, TransportListener,
    api::{
        Message, Reconnect, Registration,
        client::{ClientSessionChannel, RequestError},
    },
};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A line of the input.
    Line(String),
    /// The input has ended.
    InputEnded,
    /// Ctrl-C.
    Interrupted,
    /// A message of the room.
    Said(Value),
    /// The list of who is in the room.
    Members(Value),
    /// What was said has not got through.
    Unsaid { text: String, error: RequestError },
    /// A connection was lost or could not be made.
    Failed { reason: String, action: Reconnect, delay: Duration },
    /// The client's state has changed.
    State(State),
}

/// The queue of events.
pub(crate) struct Events {
    sender: UnboundedSender<Event>,
    receiver: UnboundedReceiver<Event>,
}

impl Events {
    /// Makes the queue, with the client's states and Ctrl-C.
    pub(crate) fn new(client: &BayeuxClient) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut states = client.states();
        let to = sender.clone();
        tokio::spawn(async move {
            while let Some(state) = states.changed().await {
                let _ = to.send(Event::State(state));
            }
        });
        let to = sender.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                let _ = to.send(Event::Interrupted);
            }
        });
        Self { sender, receiver }
    }

    pub(crate) fn sender(&self) -> UnboundedSender<Event> {
        self.sender.clone()
    }

    pub(crate) fn hear_failures(&self, client: &BayeuxClient) -> Registration {
        client.add_transport_listener(Arc::new(Failures(self.sender())))
    }

    /// Makes a listener whose messages are events.
    pub(crate) fn listener(
        &self,
        event: fn(Value) -> Event,
    ) -> Arc<impl Fn(&dyn ClientSessionChannel, &Message) + use<>> {
        let sender = self.sender();
        Arc::new(move |_: &dyn ClientSessionChannel, message: &Message| {
            if let Some(data) = &message.data {
                let _ = sender.send(event(data.value()));
            }
        })
    }

    /// Starts to read the input, in a thread that nobody need wait for.
    pub(crate) fn read_lines(&self) {
        let sender = self.sender();
        std::thread::spawn(move || {
            let (mut input, mut line) = (stdin().lock(), Vec::new());
            while input.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                let _ = sender.send(Event::Line(text));
                line.clear();
            }
            let _ = sender.send(Event::InputEnded);
        });
    }

    pub(crate) async fn next(&mut self) -> Event {
        // This holds a sender itself, so the queue does not end.
        self.receiver.recv().await.unwrap_or(Event::Interrupted)
    }

    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}

/// Hears of connections that fail.
#[derive(Debug)]
struct Failures(UnboundedSender<Event>);

impl TransportListener for Failures {
    fn transport_failure(&self, info: &mut FailureInfo) {
        let _ = self.0.send(Event::Failed {
            reason: info.failure.reason.clone(),
            action: info.action,
            delay: info.delay,
        });
    }
}
