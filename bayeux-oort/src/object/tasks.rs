//! What goes on beside the calls: broadcasts in the order of the changes, pushes, what is due by time, and
//! what listeners are told.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bayeux_api::{Message, implement::Hook};
use serde_json::value::RawValue;

use crate::{
    Comet,
    object::{
        Info, Malformed, ShareError,
        encoding::{LARGE, MANY, Written, message, off_the_runtime, whole_message},
        engine::{Body, Broadcast, Inner},
        shape::Shape,
        tellings::{Sum, Telling},
    },
    proto::{
        object::{Event, Input},
        wire::Sent,
    },
};

impl<S: Shape> Inner<S> {
    pub(crate) fn spawn_tasks(self: Arc<Self>) {
        self.runtime
            .spawn(self.stopped.clone().run_until_cancelled_owned(self.clone().broadcasts()));
        self.runtime.spawn(self.stopped.clone().run_until_cancelled_owned(self.clone().ticks()));
        self.runtime.spawn(self.stopped.clone().run_until_cancelled_owned(self.clone().tell()));
    }

    async fn broadcasts(self: Arc<Self>) {
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
    async fn whole_message(
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

    /// Sends the whole part to one node.
    pub(crate) fn push(
        self: &Arc<Self>,
        to: Comet,
        number: u64,
        version: u64,
        object: Arc<S::Object>,
    ) {
        let (inner, stopped) = (self.clone(), self.stopped.clone());
        self.runtime.spawn(stopped.run_until_cancelled_owned(async move {
            let push = inner.try_push(&to, version, object);
            let is_taken = tokio::time::timeout(PATIENCE, push).await.unwrap_or_default();
            inner.handle(Input::Pushed(to, number, is_taken));
        }));
    }

    async fn try_push(self: &Arc<Self>, to: &Comet, version: u64, object: Arc<S::Object>) -> bool {
        let Ok(written) = self.write_once(version, object).await else { return false };
        let message = self.whole_message(version, written, Some(to.clone())).await;
        let Some(message) = message else { return false };
        match self.oort.send(to, message).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(object = &*self.name, ?to, %error, "a part was not taken");
                false
            }
        }
    }

    /// Writes a part, or gives what was written of the same version for another node.
    async fn write_once(
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

    async fn ticks(self: Arc<Self>) {
        loop {
            let due = async {
                match self.arm() {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.handle(Input::Tick),
                () = self.earlier.notified() => {}
            }
        }
    }

    async fn tell(self: Arc<Self>) {
        loop {
            let Some(telling) = self.tellings(|tellings| tellings.next()) else {
                self.to_tell.notified().await;
                continue;
            };
            match &telling {
                Telling::Event(event) => self.tell_event(event).await,
                Telling::Sum(sum) => self.tell_sum(sum).await,
                Telling::Malformed(comet, malformed) => self.tell_malformed(comet, malformed).await,
            }
            let parts = telling.into_unused();
            self.discard(parts.into_iter().map(Info::into_shared).collect());
        }
    }

    async fn tell_event(&self, event: &Event<S>) {
        let hook = Hook("OortObjectListener", &self.name);
        match event {
            Event::Updated { old, new } => {
                for listener in self.listeners.members().iter() {
                    listener.wait(hook, |it| it.updated(old.as_ref(), new)).await;
                }
            }
            Event::Removed(info) => {
                for listener in self.listeners.members().iter() {
                    listener.wait(hook, |it| it.removed(info)).await;
                }
            }
            Event::Changed { info, effect } => {
                for listener in self.item_listeners.members().iter() {
                    listener.wait(hook, |it| S::tell(it, info, effect)).await;
                }
            }
        }
    }

    async fn tell_sum(&self, Sum { old, new, has_whole }: &Sum<S>) {
        let hook = Hook("OortObjectListener", &self.name);
        match new {
            Some(new) if *has_whole => {
                for listener in self.listeners.members().iter() {
                    listener.wait(hook, |it| it.updated(Some(old), new)).await;
                }
            }
            Some(new) => {
                for listener in self.item_listeners.members().iter() {
                    listener.wait(hook, |it| S::tell_difference(it, old, new)).await;
                }
            }
            None => {
                for listener in self.listeners.members().iter() {
                    listener.wait(hook, |it| it.removed(old)).await;
                }
            }
        }
    }

    async fn tell_malformed(&self, comet: &Comet, malformed: &Malformed) {
        let hook = Hook("OortObjectListener::malformed", &self.name);
        for listener in self.listeners.members().iter() {
            listener.wait(hook, |it| it.malformed(comet, malformed)).await;
        }
    }
}

/// What is smaller than so many bytes is written faster than looked after.
const WORTH_KEEPING: usize = 4 * 1024;

/// How long what was written is kept at least.
const KEPT: Duration = Duration::from_secs(30);

/// How long a node may take to take a part.
const PATIENCE: Duration = Duration::from_secs(60);
