//! What a request of messages gets, whatever brought it: each message on its way through the pipeline, a
//! connect that is held, and the replies in their order. The rules of Bayeux for a request are here, once.
//!
//! ```text
//!   messages ─▶ Request ─▶ Answer ─▶ is there a connect? ─▶ it waits: HeldConnect ─▶ Answer
//!                             │                                                        │
//!                             ▼                                                        ▼
//!                             └─────▶ completed: advice, extensions ─▶ packed: the queue, ack ─▶ Parcel
//! ```
//!
//! A [`Parcel`] is written by the transport, in its order: the reply to a handshake, what was queued, the
//! other replies. Who sends one request for each response does all of that by a [`Visit`]; a connection
//! does it step by step, since it reads and writes meanwhile.

mod hold;
mod place;
mod receipt;
mod reply;
mod request;
mod respond;
mod suspension;
mod waiting;
mod work;

use std::sync::Arc;

use bayeux_api::Message;

pub(crate) use hold::HeldConnect;
pub(crate) use place::Tab;
pub(crate) use receipt::Receipt;
pub(crate) use reply::{Answer, Parcel, numbering, push};
pub(crate) use request::Request;
pub(crate) use respond::{Outcome, Visit};
pub(crate) use work::{Begun, go_on};

use crate::{server::Server, session::Session};

/// Whether a request begins a session, whoever sends it.
pub(crate) fn is_greeting(messages: &[Message]) -> bool {
    messages.iter().any(Message::is_handshake)
}

/// Finds the session that the messages of a connection say they are of; the first of them counts.
pub(crate) fn session_of(server: &Server, messages: &[Message]) -> Option<Arc<Session>> {
    let id = messages.first()?.client_id.as_deref()?;
    server.0.sessions.get(id).filter(|session| session.is_of_network())
}
