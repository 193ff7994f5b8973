//! How much the client sends together of its own accord: the subscriptions that it makes again, and requests
//! that were made one by one. What the server refuses as too large is halved, until it is one message.
//!
//! It stays what it has come to, also with another server, which would refuse it as the last one did: a
//! WebSocket is lost each time. Small portions cost requests, and a new session alone has many.

use bayeux_api::{
    ConnectionType,
    client::{FailureKind, TransportFailure},
};

use super::{Machine, What, request::Request};

/// The size of what is sent together, in bytes.
#[derive(Debug)]
pub(super) struct Portion(usize);

impl Portion {
    pub(super) fn has_room(&self, size: usize) -> bool {
        size <= self.0
    }

    /// Splits requests, of which a single one may be larger than a portion.
    pub(super) fn split<T>(&self, requests: Vec<Request<T>>) -> Vec<Vec<Request<T>>> {
        let mut portions: Vec<Vec<_>> = Vec::new();
        let mut size = 0;
        for request in requests {
            let bulk = request.bulk();
            match portions.last_mut().filter(|_| self.has_room(size + bulk)) {
                Some(last) => {
                    size += bulk;
                    last.push(request);
                }
                None => {
                    size = bulk;
                    portions.push(vec![request]);
                }
            }
        }
        portions
    }
}

impl Default for Portion {
    fn default() -> Self {
        Self(MOST)
    }
}

impl<T> Machine<T> {
    /// Learns from a failure of exchanges that one of them, or the answer to it, was too large; it is the
    /// largest. Returns whether what was sent in it may be sent in smaller portions. A subscription that was
    /// alone, and is too large for the server, cannot be made.
    pub(super) fn learn_portion(&mut self, failure: &TransportFailure, failed: &[u64]) -> bool {
        let exchanges = failed.iter().filter_map(|exchange| self.exchanges.get(exchange));
        let requests = exchanges.filter(|one| one.kind.is_request());
        let Some(largest) = requests.max_by_key(|one| one.size).filter(|_| is_too_large(failure))
        else {
            return false;
        };
        let (is_alone, left) = (largest.count == 1, largest.left.clone());
        if !is_alone {
            self.portion.0 = self.portion.0.min(largest.size / 2);
        } else if failure.kind != FailureKind::TooLarge {
            left.into_iter().for_each(|id| self.cannot_be_made(id));
        }
        !is_alone
    }

    /// If this is to make a subscription, and fails, it is not tried again.
    pub(super) fn cannot_be_made(&mut self, id: u64) {
        if let Some(What::Subscribe(channel)) = self.pending.get(&id).map(|one| &one.what) {
            self.subscriptions.is_last(channel, id);
        }
    }
}

/// Whether a request is larger than the server takes, or an answer than the client does.
fn is_too_large(failure: &TransportFailure) -> bool {
    let is_refused = if failure.connection_type == ConnectionType::WebSocket {
        failure.websocket_code == Some(TOO_BIG)
    } else {
        failure.http_code == Some(CONTENT_TOO_LARGE)
    };
    is_refused || failure.kind == FailureKind::TooLarge
}

/// At first: a quarter of what servers of CometD take by default, and little enough for others.
const MOST: usize = 16 * 1024;

/// Of RFC 6455, section 7.4.1.
const TOO_BIG: u16 = 1009;

/// Of RFC 9110, section 15.5.14.
const CONTENT_TOO_LARGE: u16 = 413;
