//! The extensions, which see every message of a client. They may wait; the driver does not.

use bayeux_api::{
    Flow, Message,
    client::ClientExtension,
    implement::{Hook, Members},
};

/// The extensions at one time.
type Extensions = Members<dyn ClientExtension>;

/// What the extensions made of messages.
#[derive(Debug)]
pub(crate) struct Extended {
    pub(crate) kept: Vec<Message>,
    /// The ids of the requests that were deleted, or whose replies were.
    pub(crate) deleted: Vec<String>,
}

/// Shows what arrived to the extensions, of which the first added is the first to see it.
pub(crate) async fn incoming(extensions: Extensions, messages: Vec<Message>) -> Extended {
    let mut extended = Extended::with_capacity(messages.len());
    for mut message in messages {
        let id = message.id.clone();
        let is_reply = message.is_meta() || message.is_publish_reply();
        let mut flow = Flow::Continue;
        let hook = Hook("ClientExtension::incoming", "");
        for extension in extensions.iter() {
            flow = extension.wait(hook, |it| it.incoming(&mut message)).await.unwrap_or(Flow::Stop);
            if flow == Flow::Stop {
                break;
            }
        }
        match flow {
            Flow::Continue => extended.kept.push(message),
            Flow::Stop => extended.deleted.extend(id.filter(|_| is_reply)),
        }
    }
    extended
}

/// Shows what is to be sent to the extensions, of which the last added is the first to see it.
pub(super) async fn outgoing(extensions: Extensions, messages: Vec<Message>) -> Extended {
    let mut extended = Extended::with_capacity(messages.len());
    for mut message in messages {
        let id = message.id.clone();
        let mut flow = Flow::Continue;
        let hook = Hook("ClientExtension::outgoing", "");
        for extension in extensions.iter().rev() {
            flow = extension.wait(hook, |it| it.outgoing(&mut message)).await.unwrap_or(Flow::Stop);
            if flow == Flow::Stop {
                break;
            }
        }
        message.id.clone_from(&id);
        match flow {
            Flow::Continue => extended.kept.push(message),
            Flow::Stop => extended.deleted.extend(id),
        }
    }
    extended
}

impl Extended {
    fn with_capacity(count: usize) -> Self {
        Self { kept: Vec::with_capacity(count), deleted: Vec::new() }
    }

    /// Without extensions.
    pub(super) fn unseen(messages: Vec<Message>) -> Self {
        Self { kept: messages, deleted: Vec::new() }
    }
}
