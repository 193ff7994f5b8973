//! The reply to a connect while that is held.

use bayeux_api::{Message, meta};

/// A reply that waits. There is one for each session, and most are alike but for their id.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A success that says nothing else.
    Plain {
        id: Option<Box<str>>,
    },
    Other(Box<Message>),
}

impl From<Message> for Waiting {
    fn from(reply: Message) -> Self {
        match is_plain(&reply) {
            true => Self::Plain { id: reply.id.map(String::into_boxed_str) },
            false => Self::Other(Box::new(reply)),
        }
    }
}

impl From<Waiting> for Message {
    fn from(waiting: Waiting) -> Self {
        match waiting {
            Waiting::Plain { id } => {
                let id = id.map(String::from);
                Self { id, successful: Some(true), ..Self::new(meta::CONNECT) }
            }
            Waiting::Other(reply) => *reply,
        }
    }
}

fn is_plain(reply: &Message) -> bool {
    let Message {
        channel: Some(channel),
        id: _,
        client_id: None,
        data: None,
        ext: None,
        advice: None,
        version: None,
        minimum_version: None,
        supported_connection_types: None,
        connection_type: None,
        subscription: None,
        successful: Some(true),
        error: None,
        timestamp: None,
        x_messages: None,
        extra,
        lazy: false,
    } = reply
    else {
        return false;
    };
    channel == meta::CONNECT && extra.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_comes_back_as_it_was() {
        let plain = Message { successful: Some(true), ..Message::new(meta::CONNECT) };
        let with_id = Message { id: Some("7".to_owned()), ..plain.clone() };
        let failed = Message { successful: Some(false), ..plain.clone() };
        let mut extended = plain.clone();
        extended.ext_mut().insert("a".to_owned(), json!(1));
        let mut unknown = plain.clone();
        unknown.set_extra("a", json!(1));
        let elsewhere = Message { successful: Some(true), ..Message::new("/meta/connect/") };
        for (reply, is_small) in [
            (plain, true),
            (with_id, true),
            (failed, false),
            (extended, false),
            (unknown, false),
            (elsewhere, false),
        ] {
            let waiting = Waiting::from(reply.clone());
            assert_eq!(matches!(waiting, Waiting::Plain { .. }), is_small, "{reply:?}");
            assert_eq!(Message::from(waiting), reply);
        }
    }
}
