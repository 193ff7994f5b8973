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
                let mut reply = Self::new(meta::CONNECT);
                (reply.id, reply.successful) = (id.map(String::from), Some(true));
                reply
            }
            Waiting::Other(reply) => *reply,
        }
    }
}

fn is_plain(reply: &Message) -> bool {
    reply.channel() == meta::CONNECT && reply.is_plain_success()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_comes_back_as_it_was() {
        let mut plain = Message::new(meta::CONNECT);
        plain.successful = Some(true);
        let mut with_id = plain.clone();
        with_id.id = Some("7".to_owned());
        let mut failed = plain.clone();
        failed.successful = Some(false);
        let mut extended = plain.clone();
        extended.ext_mut().insert("a".to_owned(), json!(1));
        let mut unknown = plain.clone();
        unknown.set_extra("a", json!(1));
        let mut elsewhere = plain.clone();
        elsewhere.channel = Some("/meta/connect/".to_owned());
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
