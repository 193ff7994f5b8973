//! What carries a client's messages.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use crate::{
    Result,
    load::{Load, Transport},
    polling::Polling,
    websocket::WebSocket,
};

#[derive(Debug)]
pub(crate) enum Carrier {
    WebSocket(WebSocket),
    LongPolling(Polling),
}

impl Carrier {
    /// Opens the connection of this number.
    pub(crate) async fn open(
        load: &Load,
        transport: Transport,
        path: &str,
        number: usize,
    ) -> Result<Self> {
        let (target, scratch) = (&load.target, &load.scratch);
        Ok(match transport {
            Transport::WebSocket => {
                Self::WebSocket(WebSocket::open(target, path, number, scratch).await?)
            }
            Transport::LongPolling => {
                Self::LongPolling(Polling::open(target, path, number, scratch).await?)
            }
        })
    }

    /// Sends texts in one write, each in a frame or request, and waits for nothing.
    pub(crate) fn send(&mut self, texts: &[String]) -> Result<()> {
        match self {
            Self::WebSocket(socket) => socket.send(texts),
            Self::LongPolling(polling) => polling.send(texts),
        }
    }

    /// Waits for something to arrive, and calls `take` with each frame or body.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Poll<Result<()>> {
        match self {
            Self::WebSocket(socket) => socket.poll_receive(context, take),
            Self::LongPolling(polling) => polling.poll_receive(context, take),
        }
    }

    /// Waits for something to arrive, and returns the frames or bodies in it.
    pub(crate) async fn receive(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut texts = Vec::new();
        let take = &mut |text: &[u8]| {
            texts.push(text.to_vec());
            Ok(())
        };
        poll_fn(|context| self.poll_receive(context, take)).await?;
        Ok(texts)
    }

    /// Returns the cookies, of which only long-polling has some.
    pub(crate) fn cookies(&self) -> &str {
        match self {
            Self::WebSocket(_) => "",
            Self::LongPolling(polling) => &polling.cookies,
        }
    }

    pub(crate) fn set_cookies(&mut self, cookies: &str) {
        if let Self::LongPolling(polling) = self {
            cookies.clone_into(&mut polling.cookies);
        }
    }
}
