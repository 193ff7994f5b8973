//! The application's code behind a service.

use std::{fmt, future::Future, pin::Pin};

use bayeux_api::implement::Hook;

use crate::service::{Answer, Request, answer::Kind};

/// A closure that answers requests.
pub(crate) struct Handler(Box<Call>);

type Call = dyn Fn(Request) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

impl Handler {
    pub(crate) fn new<F, A>(handler: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        Self(Box::new(move |request| {
            let answer = handler(request);
            Box::pin(async move { answer.await.into() })
        }))
    }

    /// Calls the closure; its panic is an error.
    pub(super) async fn call(&self, service: &str, request: Request) -> Answer {
        let hook = Hook("OortService", service);
        // Within the caught work, so that a closure that panics before it returns its future is caught, too.
        let answered = hook.tried(async { (self.0)(request).await }).await;
        answered.unwrap_or_else(|panic| Answer(Kind::Error(panic)))
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}
