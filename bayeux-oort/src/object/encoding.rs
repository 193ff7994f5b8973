//! What is sent of an object, as JSON; that of a large part is made where it holds up nobody.

use std::sync::Arc;

use bayeux_api::{Json, Message, implement::Hook};
use serde_json::value::RawValue;

use crate::{
    object::{ShareError, shape::Shape},
    proto::{kind::COSTLY, wire::Sent},
};

/// From how many values or bytes on a part is worked on by a thread of its own.
pub(crate) const MANY: usize = 512;
pub(crate) const LARGE: usize = 32 * 1024;

/// Does `work` for the object of a name, elsewhere if it is long. None when it panics: values have code of the
/// application's.
pub(crate) async fn off_the_runtime<R: Send + 'static>(
    is_long: bool,
    name: &Arc<str>,
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    let name = name.clone();
    let work = move || Hook(HOOK, &name).ask(work);
    match is_long {
        // An error is the end of its runtime.
        true => tokio::task::spawn_blocking(work).await.ok().flatten(),
        false => work(),
    }
}

/// Does most of the work of a change of `object` before it is made, elsewhere, if it is much. None when it panics.
pub(crate) async fn prepared<S: Shape>(
    name: &Arc<str>,
    object: Arc<S::Object>,
    mut change: S::Change,
) -> Option<S::Change> {
    if S::cost(&object, &change) < COSTLY {
        return Some(change);
    }
    let work = move || {
        S::prepare(&object, &mut change);
        change
    };
    off_the_runtime(true, name, work).await
}

/// Has the application's code write something small for the object of a name.
pub(crate) fn write(
    name: &str,
    write: impl FnOnce() -> Result<Box<RawValue>, serde_json::Error>,
) -> Result<Box<RawValue>, ShareError> {
    Ok(Hook(HOOK, name).ask(write).ok_or(ShareError::Panicked)??)
}

const HOOK: &str = "OortObject";

/// Lets go of parts. What nobody else has any more is dropped, elsewhere if that takes long.
pub(crate) fn discard<S: Shape>(parts: Vec<Arc<S::Object>>, runtime: &tokio::runtime::Handle) {
    let last = parts.into_iter().filter_map(Arc::into_inner);
    let large: Vec<_> = last.filter(|part| S::count(part) >= MANY).collect();
    if !large.is_empty() {
        // Nobody waits for that.
        drop(runtime.spawn_blocking(move || drop(large)));
    }
}

/// A part as JSON, as it was last written: when several nodes need it, they need it at about the same time.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) version: u64,
    pub(crate) json: Arc<RawValue>,
    /// Whether it was of use since it was looked at.
    pub(crate) is_used: bool,
}

/// Makes the message to all of the whole part, or to `peer` alone.
pub(crate) fn whole_message(
    channel: &str,
    url: &str,
    name: &str,
    version: u64,
    object: &RawValue,
    peer: Option<&str>,
) -> Message {
    let sent = match peer {
        Some(peer) => Sent::push(url, name, version, object, peer),
        None => Sent::whole(url, name, version, object),
    };
    message(channel, &sent)
}

/// Makes a message.
pub(crate) fn message(channel: &str, sent: &Sent<'_>) -> Message {
    let json = Json::new(sent).expect("texts, numbers and JSON have a JSON form");
    Message::with_data(channel, json)
}
