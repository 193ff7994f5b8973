//! How a client says and hears things, once its session is there.

use memchr::memmem;
use serde_json::Value;

use crate::{
    Result,
    centrifugo::{self, Centrifugo, PONG},
    heart::{Heart, check},
    load::Transport,
    payload,
};

/// What a client has to know about a protocol.
#[derive(Debug)]
pub(crate) enum Dialect {
    Bayeux(Heart),
    Centrifugo(Centrifugo),
    /// That of `benchmark limit`, which takes Bayeux's messages for the sake of their length.
    Limit {
        heart: Heart,
        /// How many messages have come; those of this server have no numbers.
        heard: u64,
    },
}

/// What there was in a frame or body beside messages of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replies {
    pub(crate) connects: u64,
    /// To publications.
    pub(crate) publishes: u64,
}

impl Dialect {
    /// Makes the frames or bodies that publish messages of these numbers.
    pub(crate) fn publish(
        &mut self,
        transport: Transport,
        channel: &str,
        numbers: &[u64],
        size: usize,
    ) -> Result<Vec<String>> {
        let (heart, is_limit) = match self {
            Self::Bayeux(heart) => (heart, false),
            Self::Centrifugo(client) => {
                let publish =
                    |number: &u64| Ok(client.publish(channel, &payload::data(*number, size)?));
                return numbers.iter().map(publish).collect();
            }
            Self::Limit { heart, .. } => (heart, true),
        };
        let mut messages = Vec::with_capacity(numbers.len());
        for number in numbers {
            messages.push(heart.publish(channel, &payload::data(*number, size)?));
        }
        Ok(if transport == Transport::LongPolling && !is_limit {
            vec![format!("[{}]", messages.join(","))]
        } else {
            messages.iter().map(|message| format!("[{message}]")).collect()
        })
    }

    /// Takes a frame or body that has come: calls `take` with the number of each message in it.
    pub(crate) fn hear(
        &mut self,
        text: &[u8],
        take: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<Replies> {
        if matches!(self, Self::Centrifugo(_)) {
            return centrifugo::hear(text, take);
        }
        let mut messages = 0;
        for number in payload::numbers(text) {
            messages += 1;
            match self {
                Self::Bayeux(_) | Self::Centrifugo(_) => take(number)?,
                Self::Limit { heard, .. } => {
                    take(*heard)?;
                    *heard += 1;
                }
            }
        }
        if messages > 0 && !contains(text, b"\"successful\"") {
            return Ok(Replies::default());
        }
        replies(text)
    }

    /// Makes what a client sends to be told of messages, again after each reply to it.
    pub(crate) fn connect(&mut self) -> String {
        match self {
            Self::Bayeux(heart) | Self::Limit { heart, .. } => heart.connect(),
            Self::Centrifugo(_) => PONG.to_owned(),
        }
    }
}

/// Counts replies, all of which have to be successes.
fn replies(text: &[u8]) -> Result<Replies> {
    const SUCCESS: &[u8] = b"\"successful\":true";
    const CONNECT: &[u8] = b"\"channel\":\"/meta/connect\"";
    let successes = memmem::find_iter(text, SUCCESS).count() as u64;
    // What is not as it mostly is gets a closer look.
    if successes == 0 || contains(text, b"\"successful\":false") || contains(text, b"\"advice\"") {
        return decoded_replies(text);
    }
    let connects = memmem::find_iter(text, CONNECT).count() as u64;
    Ok(Replies { connects, publishes: successes - connects.min(successes) })
}

fn decoded_replies(text: &[u8]) -> Result<Replies> {
    let unexpected =
        || format!("the server sent something unexpected: {}", String::from_utf8_lossy(text));
    let messages: Vec<Value> = serde_json::from_slice(text).map_err(|_| unexpected())?;
    let mut replies = Replies::default();
    for message in messages.iter().filter(|message| message.get("data").is_none()) {
        check(message)?;
        match message["channel"] == "/meta/connect" {
            true => replies.connects += 1,
            false => replies.publishes += 1,
        }
    }
    Ok(replies)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(dialect: &mut Dialect, text: &str) -> Result<(Vec<u64>, Replies)> {
        let mut numbers = Vec::new();
        let take = &mut |number| {
            numbers.push(number);
            Ok(())
        };
        let replies = dialect.hear(text.as_bytes(), take)?;
        Ok((numbers, replies))
    }

    fn heart() -> Heart {
        Heart::new(Transport::LongPolling, "abc".to_owned())
    }

    #[test]
    fn messages_and_replies_are_told_apart() {
        let mut dialect = Dialect::Bayeux(heart());
        let message = format!(r#"{{"channel":"/a","data":{}}}"#, payload::data(7, 10).unwrap());
        let publish = r#"{"channel":"/a","id":"1","successful":true}"#;
        let connect = r#"{"channel":"/meta/connect","id":"1","successful":true}"#;
        let advised = r#"{"successful":true,"channel":"/meta/connect","advice":{"interval":0}}"#;
        let only = |connects, publishes| (vec![], Replies { connects, publishes });
        for (text, heard) in [
            (format!("[{message}]"), (vec![7], Replies::default())),
            (format!("[{publish},{publish}]"), only(0, 2)),
            (format!("[{connect}]"), only(1, 0)),
            (format!("[{advised}, {publish}]"), only(1, 1)),
            (
                format!("[{message},{publish},{message},{connect}]"),
                (vec![7, 7], Replies { connects: 1, publishes: 1 }),
            ),
        ] {
            assert_eq!(hear(&mut dialect, &text).unwrap(), heard, "{text}");
        }
    }

    #[test]
    fn what_is_no_success_is_an_error() {
        let mut dialect = Dialect::Bayeux(heart());
        for text in [
            r#"[{"channel":"/a","successful":true},{"channel":"/b","successful":false}]"#,
            r#"[{"channel":"/meta/connect","successful":true,"advice":{"reconnect":"none"}}]"#,
            r#"[{"channel":"/meta/disconnect"}]"#,
            "nothing",
        ] {
            assert!(hear(&mut dialect, text).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_of_the_limit_are_counted() {
        let mut dialect = Dialect::Limit { heart: heart(), heard: 3 };
        let message = format!(r#"[{{"data":{}}}]"#, payload::data(0, 10).unwrap()).repeat(2);
        assert_eq!(hear(&mut dialect, &message).unwrap().0, [3, 4]);
    }

    #[test]
    fn publications_go_together_where_they_can() {
        let count = |transport, mut dialect: Dialect| {
            dialect.publish(transport, "/a", &[1, 2], 10).unwrap().len()
        };
        let limit = || Dialect::Limit { heart: heart(), heard: 0 };
        assert_eq!(count(Transport::LongPolling, Dialect::Bayeux(heart())), 1);
        assert_eq!(count(Transport::WebSocket, Dialect::Bayeux(heart())), 2);
        assert_eq!(count(Transport::LongPolling, limit()), 2);
        assert_eq!(count(Transport::WebSocket, limit()), 2);
    }
}
