//! Listeners that do not come back.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message,
    server::{
        Removal, ServerChannel, ServerChannelListener, ServerMessage, ServerSession,
        ServerSessionListener, SessionListener,
    },
};
use serde_json::Value;
use tokio::sync::Notify;

/// Looks at the messages of a session or of a channel, and hangs over some until it is let go.
pub struct Hangs {
    is_over: Box<dyn Fn(&Value) -> bool + Send + Sync>,
    count: AtomicUsize,
    goes_on: Notify,
}

impl Hangs {
    /// Makes one that hangs over messages whose data are such.
    pub fn over(is_over: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Arc<Self> {
        let is_over = Box::new(is_over);
        Arc::new(Self { is_over, count: AtomicUsize::new(0), goes_on: Notify::new() })
    }

    /// Makes one that hangs over each message.
    pub fn over_all() -> Arc<Self> {
        Self::over(|_| true)
    }

    /// Returns over how many it has hung.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Lets it go on from one, this or the next.
    pub fn let_go(&self) {
        self.goes_on.notify_one();
    }

    async fn look(&self, message: &Message) -> Flow {
        let data = message.data.as_ref().map(|data| data.value()).unwrap_or_default();
        if (self.is_over)(&data) {
            self.count.fetch_add(1, Ordering::SeqCst);
            self.goes_on.notified().await;
        }
        Flow::Continue
    }
}

#[async_trait]
impl ServerSessionListener for Hangs {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        self.look(&message.to_message()).await
    }
}

#[async_trait]
impl ServerChannelListener for Hangs {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.look(message).await
    }
}

impl fmt::Debug for Hangs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hangs").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Never comes back from the end of a session.
#[derive(Debug)]
pub struct HangsAtEnds;

#[async_trait]
impl SessionListener for HangsAtEnds {
    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        std::future::pending().await
    }
}
