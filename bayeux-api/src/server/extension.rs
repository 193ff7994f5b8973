//! What sees every message of a server, or of one of its sessions.
//!
//! A message over which a method panics goes no further, half changed as it may be: one that arrived is
//! answered with `404::message_deleted`, one that goes out does not reach those it was shown for. The
//! panic is logged, and nothing else comes of it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_common::{Frozen, Message};

use crate::{
    Flow,
    server::{ServerMessage, ServerSession},
};

/// Sees, changes or stops every message of a server.
#[async_trait]
#[doc(alias = "Extension")]
pub trait ServerExtension: Send + Sync + fmt::Debug {
    /// Sees a message that arrives, before anything else does; `from` is none when no session is
    /// known for it. In the order in which the extensions were added.
    ///
    /// It may give the message another channel, where that then goes, valid or not. Only what its
    /// transport takes for a `/meta/handshake` or a `/meta/connect` has to remain one, and nothing else
    /// may become one: it is refused as `405::channel_invalid`.
    #[doc(alias("rcv", "rcvMeta"))]
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _message: &mut ServerMessage,
    ) -> Flow {
        Flow::Continue
    }

    /// Sees a message that goes out: a reply or a delivery to one session, or, with no `to`, a
    /// message before it is sent to all subscribers. In the reverse order.
    #[doc(alias("send", "sendMeta"))]
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        _message: &mut Message,
    ) -> Flow {
        Flow::Continue
    }
}

/// Sees, changes or stops every message of one session.
#[async_trait]
#[doc(alias = "Extension")]
pub trait SessionExtension: Send + Sync + fmt::Debug {
    /// Sees a message that arrives from the session.
    #[doc(alias("rcv", "rcvMeta"))]
    async fn incoming(
        &self,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> Flow {
        Flow::Continue
    }

    /// Sees a message that is about to be queued for the session, and returns it, or another one
    /// in its place, or none to drop it. All receivers share `message`:
    /// [`to_message`](Frozen::to_message) makes a copy to change.
    #[doc(alias = "send")]
    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        Some(message)
    }

    /// Sees a reply to the session.
    #[doc(alias = "sendMeta")]
    async fn outgoing_reply(
        &self,
        _session: &Arc<dyn ServerSession>,
        _reply: &mut Message,
    ) -> Flow {
        Flow::Continue
    }
}
