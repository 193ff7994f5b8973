//! Centrifugo's own protocol in JSON, as far as a load generator needs it: a client over WebSocket that
//! subscribes and publishes.
//!
//! A frame holds commands or replies, one a line. An empty reply is a ping, and an empty command the
//! answer to it.

use memchr::memmem;

use crate::{Result, dialect::Replies, payload};

/// What a client knows to make its commands.
#[derive(Debug, Default)]
pub(crate) struct Centrifugo {
    /// How many commands there were.
    count: u64,
}

/// The answer to a ping.
pub(crate) const PONG: &str = "{}";

impl Centrifugo {
    pub(crate) fn connect(&mut self) -> String {
        self.command("connect", "{}")
    }

    pub(crate) fn subscribe(&mut self, channel: &str) -> String {
        let channel = name(channel);
        self.command("subscribe", &format!(r#"{{"channel":"{channel}"}}"#))
    }

    /// Makes a publication; `data` is JSON.
    pub(crate) fn publish(&mut self, channel: &str, data: &str) -> String {
        let channel = name(channel);
        self.command("publish", &format!(r#"{{"channel":"{channel}","data":{data}}}"#))
    }

    fn command(&mut self, what: &str, arguments: &str) -> String {
        self.count += 1;
        format!(r#"{{"id":{},"{what}":{arguments}}}"#, self.count)
    }
}

/// Takes a frame that has come: calls `take` with the number of each message in it. Pings are counted
/// as what has to be sent again, as a connect is.
pub(crate) fn hear(text: &[u8], take: &mut dyn FnMut(u64) -> Result<()>) -> Result<Replies> {
    let mut replies = Replies::default();
    for line in text.split(|byte| *byte == b'\n') {
        if line.starts_with(br#"{"push":{"#) {
            payload::numbers(line).try_for_each(&mut *take)?;
        } else if line == b"{}" {
            replies.connects += 1;
        } else if memmem::find(line, br#""error":"#).is_some() {
            let line = String::from_utf8_lossy(line);
            return Err(format!("the server refused a command: {line}").into());
        } else if memmem::find(line, br#""publish":"#).is_some() {
            replies.publishes += 1;
        }
    }
    Ok(replies)
}

/// Returns the name of a channel, in which a slash means nothing there.
fn name(channel: &str) -> String {
    channel.trim_start_matches('/').replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_numbers_and_names_without_slashes() {
        let mut client = Centrifugo::default();
        assert_eq!(client.connect(), r#"{"id":1,"connect":{}}"#);
        assert_eq!(client.subscribe("/a/b"), r#"{"id":2,"subscribe":{"channel":"a.b"}}"#);
        let publish = r#"{"id":3,"publish":{"channel":"a.b","data":"x"}}"#;
        assert_eq!(client.publish("/a/b", "\"x\""), publish);
    }

    #[test]
    fn messages_replies_and_pings_are_told_apart() {
        let data = payload::data(7, 10).unwrap();
        let push = format!(r#"{{"push":{{"channel":"a","pub":{{"data":{data}}}}}}}"#);
        let text = format!("{push}\n{{\"id\":3,\"publish\":{{}}}}\n{{}}\n{push}");
        let mut numbers = Vec::new();
        let take = &mut |number| {
            numbers.push(number);
            Ok(())
        };
        let replies = hear(text.as_bytes(), take).unwrap();
        assert_eq!(replies, Replies { connects: 1, publishes: 1 });
        assert_eq!(numbers, [7, 7]);
    }

    #[test]
    fn a_refusal_is_an_error() {
        let text = br#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#;
        let error = hear(text, &mut |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("permission denied"), "{error}");
    }
}
