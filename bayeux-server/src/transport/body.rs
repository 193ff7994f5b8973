//! The body of a response.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bayeux_api::implement::lock;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::AbortHandle;

use crate::{
    exchange::Receipt,
    transport::line::{Line, Writing},
};

/// The body of a [`BayeuxService`](crate::BayeuxService)'s response. It is handed over in parts, so
/// that one that is dropped half-way, because the connection broke, is known not to have arrived.
#[derive(Debug, Default)]
pub struct Body(Form);

/// A peer took nothing of a response for too long, so that it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer did not take the response in time")]
pub struct ResponseNotTaken;

#[derive(Debug)]
enum Form {
    Small(Content),
    Large(Watched),
}

/// What is given up when the peer does not take it; none from then on.
#[derive(Debug)]
struct Watched {
    content: Arc<Mutex<Option<Content>>>,
    watchman: AbortHandle,
}

#[derive(Debug, Default)]
struct Content {
    parts: VecDeque<Bytes>,
    left: usize,
    receipt: Option<Receipt>,
    /// Of a large one.
    writing: Option<Writing>,
}

/// How much is handed over at once: a peer that takes so much in the time it has is not stuck.
const PART: usize = 16 * 1024;

/// What is not worth watching.
pub(crate) const SMALL: usize = 16 * 1024;

impl Body {
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self(Form::Small(Content::new(vec![text.into()], None)))
    }

    /// A large body is given up when the peer takes nothing of it for `patience`: HTTP/2 would wait
    /// for its window for as long as the connection lives. What was handed over of it goes on to be taken from
    /// `line`, if it is written to one.
    pub(crate) fn messages(
        parts: Vec<Bytes>,
        receipt: Receipt,
        patience: Duration,
        line: Option<&Line>,
    ) -> Self {
        let mut content = Content::new(parts, Some(receipt));
        if content.left <= SMALL {
            return Self(Form::Small(content));
        }
        let answered = content.receipt.as_ref().and_then(Receipt::answered);
        content.writing = answered.map(|(session, time)| Writing::new(session, time));
        if let (Some(line), Some(writing)) = (line, &content.writing) {
            line.begin(writing.clone());
        }
        let content = Arc::new(Mutex::new(Some(content)));
        let watchman = tokio::spawn(give_up_when_stuck(content.clone(), patience)).abort_handle();
        Self(Form::Large(Watched { content, watchman }))
    }

    fn with<T>(&mut self, see: impl FnOnce(Option<&mut Content>) -> T) -> T {
        match &mut self.0 {
            Form::Small(content) => see(Some(content)),
            Form::Large(watched) => see(lock(&watched.content).as_mut()),
        }
    }

    /// Returns how many bytes are left; none when it was given up.
    fn left(&self) -> Option<usize> {
        match &self.0 {
            Form::Small(content) => Some(content.left),
            Form::Large(watched) => lock(&watched.content).as_ref().map(|content| content.left),
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::Small(Content::default())
    }
}

impl Content {
    /// No part may be empty, unless it is the only one.
    fn new(parts: Vec<Bytes>, receipt: Option<Receipt>) -> Self {
        let left = parts.iter().map(Bytes::len).sum();
        Self { parts: parts.into(), left, receipt, writing: None }
    }

    fn next_part(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let mut next = self.parts.pop_front()?;
        let part = next.split_to(next.len().min(PART));
        if !next.is_empty() {
            self.parts.push_front(next);
        }
        self.left -= part.len();
        self.writing.iter().for_each(Writing::taken);
        if self.left == 0
            && let Some(mut receipt) = self.receipt.take()
        {
            receipt.delivered();
        }
        Some(part)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watchman.abort();
        let content = lock(&self.content).take();
        drop(content);
    }
}

async fn give_up_when_stuck(content: Arc<Mutex<Option<Content>>>, patience: Duration) {
    let mut before = None;
    loop {
        tokio::time::sleep(patience).await;
        let left = lock(&content).as_ref().map_or(0, |content| content.left);
        if left == 0 {
            return;
        }
        if before == Some(left) {
            tracing::debug!(left, "the peer does not take its response");
            let stuck = lock(&content).take();
            drop(stuck);
            return;
        }
        before = Some(left);
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = ResponseNotTaken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseNotTaken>>> {
        let is_large = matches!(self.0, Form::Large(_));
        let part = self.with(|content| content.map(Content::next_part));
        Poll::Ready(match part {
            // A copy, since a part that waits for its window would keep all that it is of.
            Some(Some(part)) if is_large => Some(Ok(Frame::data(Bytes::copy_from_slice(&part)))),
            Some(part) => part.map(|part| Ok(Frame::data(part))),
            None => Some(Err(ResponseNotTaken)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::default, |left| SizeHint::with_exact(left as u64))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::Server;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn large() -> Body {
        let receipt = Receipt::new(Server::builder().build(), None);
        Body::messages(vec![vec![b' '; 4 * PART].into()], receipt, PATIENCE, None)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_taken_is_given_up() {
        let mut body = large();
        body.frame().await.unwrap().unwrap();
        tokio::time::sleep(3 * PATIENCE).await;
        assert_eq!(body.frame().await.unwrap().unwrap_err(), ResponseNotTaken);
        assert!(!http_body::Body::is_end_stream(&body));
    }

    /// Also one that answers no connect, while which is written a session is not away.
    #[tokio::test(start_paused = true)]
    async fn a_session_lives_while_parts_are_taken() {
        let server = Server::new();
        server.in_process().send(r#"[{"channel":"/meta/handshake"}]"#).await.unwrap();
        let session = server.sessions()[0].clone();
        let receipt = Receipt::new(server.clone(), Some(session.clone()));
        let mut body = Body::messages(vec![vec![b' '; 4 * PART].into()], receipt, PATIENCE, None);
        for _ in 0..4 {
            tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            body.frame().await.unwrap().unwrap();
            assert!(session.is_handshook());
        }
        tokio::time::sleep(2 * PATIENCE).await;
        assert!(!session.is_handshook());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_taken_slowly_arrives() {
        let mut body = large();
        for _ in 0..4 {
            tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), PART);
        }
        assert!(body.frame().await.is_none());
    }
}
