//! How long the server takes for a published message, seen by an extension, as CometD's load server
//! does it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Json, Message,
    server::{ServerExtension, ServerMessage, ServerSession},
};

use crate::histogram::Times;

/// Stamps each published message with the time of its arrival, and its reply too, where the stamp
/// is taken off again when the reply is made. By then the message is in all queues.
#[derive(Debug)]
pub(crate) struct Processing {
    epoch: Instant,
    times: Mutex<Times>,
}

impl Processing {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now(), times: Mutex::new(Times::new()) }
    }

    /// Returns the times since they were last [`reset`](Self::reset).
    pub(crate) fn times(&self) -> Times {
        self.lock().clone()
    }

    pub(crate) fn reset(&self) {
        self.lock().reset();
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServerExtension for Processing {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        if !message.is_meta()
            && let Ok(stamp) = Json::new(&self.nanos())
        {
            message.reply_mut().set_extra(FIELD, stamp.clone());
            message.set_extra(FIELD, stamp);
        }
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        if to.is_some()
            && message.is_publish_reply()
            && let Some(at) = message.extra.iter().position(|(name, _)| name == FIELD)
        {
            let (_, stamp) = message.extra.remove(at);
            if let Ok(arrived) = stamp.to() {
                let since = Duration::from_nanos(self.nanos().saturating_sub(arrived));
                self.lock().record(since);
            }
        }
        Flow::Continue
    }
}

/// In CometD's messages, too: nanoseconds since some time.
const FIELD: &str = "serverTime";
