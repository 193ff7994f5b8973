//! What a Bayeux client knows to make its messages.

use serde_json::Value;

use crate::{Result, load::Transport};

#[derive(Clone, Debug)]
pub(crate) struct Heart {
    transport: Transport,
    pub(crate) client_id: String,
    /// How many messages there were.
    count: u64,
}

impl Heart {
    pub(crate) fn new(transport: Transport, client_id: String) -> Self {
        Self { transport, client_id, count: 0 }
    }

    pub(crate) fn handshake(&mut self) -> String {
        let (id, transport) = (self.next_id(), self.transport);
        format!(
            r#"[{{"channel":"/meta/handshake","id":"{id}","version":"1.0","supportedConnectionTypes":["{transport}"]}}]"#
        )
    }

    /// Makes the connect after a handshake, which every server answers at once.
    pub(crate) fn first_connect(&mut self) -> String {
        let (id, transport, client_id) = (self.next_id(), self.transport, &self.client_id);
        format!(
            r#"[{{"channel":"/meta/connect","id":"{id}","clientId":"{client_id}","connectionType":"{transport}","advice":{{"timeout":0}}}}]"#
        )
    }

    /// Makes a connect, which the server may hold.
    pub(crate) fn connect(&mut self) -> String {
        let (id, transport, client_id) = (self.next_id(), self.transport, &self.client_id);
        format!(
            r#"[{{"channel":"/meta/connect","id":"{id}","clientId":"{client_id}","connectionType":"{transport}"}}]"#
        )
    }

    pub(crate) fn subscribe(&mut self, channel: &str) -> String {
        let (id, client_id) = (self.next_id(), &self.client_id);
        format!(
            r#"[{{"channel":"/meta/subscribe","id":"{id}","clientId":"{client_id}","subscription":"{channel}"}}]"#
        )
    }

    pub(crate) fn subscribe_to_all(&mut self, channels: &[String]) -> String {
        let (id, client_id, channels) = (self.next_id(), &self.client_id, channels.join("\",\""));
        format!(
            r#"[{{"channel":"/meta/subscribe","id":"{id}","clientId":"{client_id}","subscription":["{channels}"]}}]"#
        )
    }

    pub(crate) fn disconnect(&mut self) -> String {
        let (id, client_id) = (self.next_id(), &self.client_id);
        format!(r#"[{{"channel":"/meta/disconnect","id":"{id}","clientId":"{client_id}"}}]"#)
    }

    /// Makes a publication, without the brackets around a list; `data` is JSON.
    pub(crate) fn publish(&mut self, channel: &str, data: &str) -> String {
        let (id, client_id) = (self.next_id(), &self.client_id);
        format!(r#"{{"channel":"{channel}","id":"{id}","clientId":"{client_id}","data":{data}}}"#)
    }

    fn next_id(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// Fails unless a reply is one of success, after which the client may go on.
pub(crate) fn check(reply: &Value) -> Result<()> {
    if reply["successful"].as_bool() != Some(true) {
        return Err(format!("the server refused a message: {reply}").into());
    }
    let advice = &reply["advice"];
    let is_last = reply["channel"] == "/meta/disconnect";
    if !is_last && advice["reconnect"].as_str().is_some_and(|reconnect| reconnect != "retry") {
        return Err(format!("the server ends a session: {reply}").into());
    }
    if advice["interval"].as_u64().is_some_and(|interval| interval > 0) {
        return Err(format!(
            "the server wants pauses between connects, which this load does not make; set its \
             interval to 0: {reply}"
        )
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_json() {
        let mut heart = Heart::new(Transport::WebSocket, "abc".to_owned());
        let publish = format!("[{}]", heart.publish("/a", "\"x\""));
        let messages = [heart.handshake(), heart.connect(), heart.subscribe("/a"), publish];
        let ids = messages.map(|message| {
            let message: Value = serde_json::from_str(&message).unwrap();
            message[0]["id"].as_str().map(str::to_owned)
        });
        assert_eq!(ids.map(Option::unwrap), ["2", "3", "4", "1"]);
    }

    #[test]
    fn a_client_goes_on_only_after_success() {
        let connect = "/meta/connect";
        assert!(check(&json!({ "channel": connect, "successful": true })).is_ok());
        for reply in [
            json!({ "channel": connect, "successful": false }),
            json!({ "channel": connect }),
            json!({ "channel": connect, "successful": true, "advice": { "reconnect": "none" } }),
            json!({ "channel": connect, "successful": true, "advice": { "interval": 1000 } }),
        ] {
            assert!(check(&reply).is_err(), "{reply}");
        }
    }
}
