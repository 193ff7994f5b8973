//! What goes to all nodes: changes and whole parts wait for it in their order, and no more than so many.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bayeux_api::Message;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    Comet,
    object::{
        ShareError,
        encoding::{LARGE, MANY, Written, message, off_the_runtime, whole_message},
        engine::{Inner, State},
        shape::Shape,
    },
    proto::wire::{Action, Sent},
};

/// What goes to all nodes.
pub(crate) struct Broadcast<S: Shape> {
    pub(crate) version: u64,
    pub(crate) body: Body<S>,
    /// Its place in the queue, given back when it has gone.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// What a broadcast is about.
pub(crate) enum Body<S: Shape> {
    Item(Action, Box<RawValue>),
    Whole(Arc<RawValue>),
    /// A whole part that is still to be written.
    Object(Arc<S::Object>),
}

impl<S: Shape> Inner<S> {
    /// Waits until so much more may wait to be broadcast.
    pub(crate) async fn permit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ShareError> {
        let kibibytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let units = kibibytes.saturating_add(1).min(MOST_WAITING_OF_ONE);
        let permit = self.permits.clone().acquire_many_owned(units).await;
        permit.map_err(|_| ShareError::Stopped)
    }

    pub(crate) async fn broadcasts(self: Arc<Self>) {
        loop {
            let Some(broadcast) = self.next_broadcast() else {
                self.to_broadcast.notified().await;
                continue;
            };
            if let Err(error) = self.broadcast(&broadcast).await {
                self.failed_broadcasts.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(object = &*self.name, error, "a change goes to no node");
            }
            // The nodes are asked for what did not get out, too.
            self.advance(|state, now| state.has_broadcast(broadcast.version, now));
        }
    }

    async fn broadcast(self: &Arc<Self>, broadcast: &Broadcast<S>) -> Result<(), String> {
        let message = self.message_of(broadcast).await.ok_or("it cannot be written")?;
        self.oort.broadcast(message).await.map_err(|error| error.to_string())
    }

    async fn message_of(self: &Arc<Self>, broadcast: &Broadcast<S>) -> Option<Message> {
        let (version, url) = (broadcast.version, self.own().url());
        let channel = self.broadcast_channel.as_str();
        let object = match &broadcast.body {
            Body::Item(action, json) => {
                let sent = Sent::item(url, &self.name, version, *action, json);
                return Some(message(channel, &sent));
            }
            Body::Whole(object) => object.clone(),
            Body::Object(object) => self.write_once(version, object.clone()).await.ok()?,
        };
        self.whole_message(version, object, None).await
    }

    /// Makes the message of a whole part, on the broadcast channel or on the other.
    pub(crate) async fn whole_message(
        self: &Arc<Self>,
        version: u64,
        object: Arc<RawValue>,
        peer: Option<Comet>,
    ) -> Option<Message> {
        let (inner, is_long) = (self.clone(), object.get().len() >= LARGE);
        off_the_runtime(is_long, &self.name, move || {
            let channel = match &peer {
                Some(_) => &inner.service_channel,
                None => &inner.broadcast_channel,
            };
            let peer = peer.as_ref().map(Comet::url);
            let (channel, url) = (channel.as_str(), inner.own().url());
            whole_message(channel, url, &inner.name, version, &object, peer)
        })
        .await
    }

    /// Writes a part, or gives what was written of the same version for another node.
    pub(crate) async fn write_once(
        self: &Arc<Self>,
        version: u64,
        object: Arc<S::Object>,
    ) -> Result<Arc<RawValue>, ShareError> {
        let mut last = self.written.lock().await;
        if let Some(last) = last.as_mut().filter(|last| last.version == version) {
            last.is_used = true;
            return Ok(last.json.clone());
        }
        let json = self.write(object).await?;
        self.keep(&mut last, version, &json);
        Ok(json)
    }

    /// Keeps what was written for the next node that needs it.
    pub(crate) fn keep(
        self: &Arc<Self>,
        last: &mut Option<Written>,
        version: u64,
        json: &Arc<RawValue>,
    ) {
        let is_newer = last.as_ref().is_none_or(|last| last.version < version);
        if json.get().len() < WORTH_KEEPING || !is_newer {
            return;
        }
        let written = Written { version, json: json.clone(), is_used: true };
        if last.replace(written).is_none() {
            let forget = self.clone().forget_written();
            self.runtime.spawn(self.stopped.clone().run_until_cancelled_owned(forget));
        }
    }

    /// Forgets what was written when nobody has needed it for a while.
    async fn forget_written(self: Arc<Self>) {
        loop {
            tokio::time::sleep(KEPT).await;
            let mut last = self.written.lock().await;
            let is_used = last.as_mut().is_some_and(|last| mem::take(&mut last.is_used));
            if !is_used {
                *last = None;
                return;
            }
        }
    }

    /// Writes a part.
    pub(crate) async fn write(&self, object: Arc<S::Object>) -> Result<Arc<RawValue>, ShareError> {
        let is_long = S::count(&object) >= MANY;
        let write = move || S::write(&object).map(Arc::from);
        let written = off_the_runtime(is_long, &self.name, write).await;
        Ok(written.ok_or(ShareError::Panicked)??)
    }

    fn next_broadcast(&self) -> Option<Broadcast<S>> {
        self.state(|state| state.broadcasts.pop_front())
    }
}

impl<S: Shape> State<S> {
    pub(crate) fn has_broadcast(&mut self, version: u64, now: Instant) {
        self.object.has_broadcast(version, now);
    }

    pub(crate) fn broadcast(&mut self, version: u64, body: Body<S>, permit: OwnedSemaphorePermit) {
        self.broadcasts.push_back(Broadcast { version, body, _permit: Some(permit) });
    }
}

/// What is smaller than so many bytes is written faster than looked after.
const WORTH_KEEPING: usize = 4 * 1024;

/// How long what was written is kept at least.
const KEPT: Duration = Duration::from_secs(30);

/// How much may wait to be broadcast: changes, or KiB of them.
pub(crate) const MOST_WAITING: usize = 16 * 1024;

/// What a single one counts at most, however large it is.
const MOST_WAITING_OF_ONE: u32 = 8 * 1024;
