//! What only a server may say is not relayed: whoever may publish could otherwise speak in its name.
//!
//! Clients were seen to obey such fields of any message, and to stop connecting for good. What the server's
//! own code adds after this, extensions and listeners, goes out as it is.

use bayeux_api::Message;

/// The fields, as they are named on the wire; under these names what is not of its field's type is kept.
const SERVERS: [&str; 10] = [
    "advice",
    "successful",
    "error",
    "version",
    "minimumVersion",
    "supportedConnectionTypes",
    "connectionType",
    "subscription",
    "timestamp",
    "x-messages",
];

/// Takes the fields that only a server may say out of a message which goes on to others.
pub(super) fn strip(message: &mut Message) {
    message.advice = None;
    message.successful = None;
    message.error = None;
    message.version = None;
    message.minimum_version = None;
    message.supported_connection_types = None;
    message.connection_type = None;
    message.subscription = None;
    message.timestamp = None;
    message.x_messages = None;
    if !message.extra.is_empty() {
        message.extra.retain(|(name, _)| !SERVERS.contains(&name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use bayeux_api::{Limits, decode};

    use super::*;

    #[test]
    fn nothing_of_a_servers_is_left_whatever_its_type() {
        for name in SERVERS {
            for value in ["true", "1", r#""note""#, r#"["note"]"#, r#"{"note":1}"#, "null"] {
                let json = format!(r#"[{{"channel":"/a","data":1,"{name}":{value},"more":2}}]"#);
                let mut message = decode(json.as_bytes(), &Limits::default()).unwrap().remove(0);
                strip(&mut message);
                let left = message.freeze();
                assert_eq!(left.json(), br#"{"channel":"/a","data":1,"more":2}"#, "{name} {value}");
            }
        }
    }
}
