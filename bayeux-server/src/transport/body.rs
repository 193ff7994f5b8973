//! The body of a response.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::transport::parcel::Receipt;

/// The body of a [`BayeuxService`](crate::BayeuxService)'s response. It is handed over in parts, so
/// that one that is dropped half-way, because the connection broke, is known not to have arrived.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Bytes,
    receipt: Option<Receipt>,
}

/// How much is handed over at once.
const PART: usize = 64 * 1024;

impl Body {
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self { bytes: text.into(), receipt: None }
    }

    pub(crate) fn messages(bytes: Bytes, receipt: Receipt) -> Self {
        Self { bytes, receipt: Some(receipt) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let part = self.bytes.len().min(PART);
        let part = self.bytes.split_to(part);
        if self.bytes.is_empty()
            && let Some(mut receipt) = self.receipt.take()
        {
            receipt.delivered();
        }
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
