//! What is about to be sent, as the session's listeners see and change it.

use std::sync::Arc;

use bayeux_api::{Frozen, Message, implement::Hook, server::ServerSession as _};

use crate::session::Session;

/// Shows the session's listeners what is about to be sent. What one that panics has changed by then is
/// taken back.
pub(crate) fn show_queue(
    session: &Arc<Session>,
    queue: &mut Vec<Arc<Frozen>>,
    replies: &mut Vec<Message>,
) {
    let listeners = session.de_queue_listeners();
    if listeners.is_empty() {
        return;
    }
    let (hook, seen) = (Hook("DeQueueListener::de_queue", session.id()), session.as_dyn());
    for listener in listeners.iter() {
        let before = (queue.clone(), replies.clone());
        if listener.ask(hook, |it| it.de_queue(&seen, queue, replies)).is_none() {
            (*queue, *replies) = before;
        }
    }
}
