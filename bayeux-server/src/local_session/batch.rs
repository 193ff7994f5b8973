//! The requests that a batch holds back.

use std::sync::Arc;

use bayeux_api::{Batch, Message, client::RequestError, implement::lock};
use tokio::{runtime::Handle, sync::oneshot};

use super::Local;
use crate::session::Session;

/// How many batches are open, and what was asked for meanwhile.
#[derive(Debug, Default)]
pub(super) struct Held {
    batches: usize,
    requests: Vec<Request>,
    /// Where the requests are sent from in the end.
    runtime: Option<Handle>,
}

#[derive(Debug)]
struct Request {
    session: Arc<Session>,
    message: Message,
    answer: oneshot::Sender<Result<Message, RequestError>>,
}

/// Where a request is.
enum Place {
    /// Among those held back; its reply will come here.
    Held(oneshot::Receiver<Result<Message, RequestError>>),
    /// Before nobody.
    First(Box<Message>),
}

impl Local {
    /// Sends a request, at the end of the batch if there is one.
    pub(super) async fn request(
        &self,
        session: &Arc<Session>,
        message: Message,
    ) -> Result<Message, RequestError> {
        match self.hold_back(session, message)? {
            Place::Held(answer) => answer.await.unwrap_or(Err(RequestError::NotHandshaken)),
            Place::First(message) => self.send(session, *message).await,
        }
    }

    /// Keeps a request for the end of the batch, if there is one.
    fn hold_back(&self, session: &Arc<Session>, message: Message) -> Result<Place, RequestError> {
        let most = self.server()?.0.config.local_queue.messages;
        let mut held = lock(&self.held);
        if held.batches == 0 {
            return Ok(Place::First(Box::new(message)));
        }
        if held.requests.len() >= most {
            return Err(RequestError::QueueFull);
        }
        let (answer, answered) = oneshot::channel();
        held.runtime = Handle::try_current().ok();
        held.requests.push(Request { session: session.clone(), message, answer });
        Ok(Place::Held(answered))
    }

    pub(super) fn open_batch(&self) -> Batch {
        lock(&self.held).batches += 1;
        let me = self.me.clone();
        Batch::new(move || {
            if let Some(local) = me.upgrade() {
                local.close_batch();
            }
        })
    }

    /// Ends a batch; the outermost has what was held back sent, by a task of its own.
    fn close_batch(self: Arc<Self>) {
        let mut held = lock(&self.held);
        held.batches -= 1;
        if held.batches > 0 {
            return;
        }
        let (requests, runtime) = (std::mem::take(&mut held.requests), held.runtime.take());
        drop(held);
        if let Some(runtime) = runtime {
            let local = self.clone();
            runtime.spawn(async move { local.send_all(requests).await });
        }
    }

    /// Sends what the open batches have held back so far.
    pub(super) async fn send_held(&self) {
        let requests = std::mem::take(&mut lock(&self.held).requests);
        self.send_all(requests).await;
    }

    /// Sends requests one after the other, in their order, whether anybody waits for their replies or
    /// not.
    async fn send_all(&self, requests: Vec<Request>) {
        for Request { session, message, answer } in requests {
            let _ = answer.send(self.send(&session, message).await);
        }
    }
}
