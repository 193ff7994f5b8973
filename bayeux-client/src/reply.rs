//! Futures of what the server answers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bayeux_api::{Message, client::RequestError};
use tokio::sync::oneshot;

use crate::proto::Outcome;

/// Whoever waits for a reply.
pub(crate) type Waiter = oneshot::Sender<Outcome>;

/// The server's reply, or why there is none. What was asked for is on its way whether this is awaited
/// or not; dropping it takes nothing back.
#[derive(Debug)]
#[must_use = "the request is made, but only its reply tells whether it succeeded"]
pub struct Reply(oneshot::Receiver<Outcome>);

impl Reply {
    pub(crate) fn new() -> (Waiter, Self) {
        let (waiter, receiver) = oneshot::channel();
        (waiter, Self(receiver))
    }
}

impl Future for Reply {
    /// Refusals are [`RequestError::Refused`], which has the reply.
    type Output = Result<Message, RequestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(context);
        outcome.map(|outcome| outcome.unwrap_or(Err(RequestError::NotHandshaken)))
    }
}
