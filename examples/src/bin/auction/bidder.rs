//! Who bids: the name that a client gives in its handshake, and what the policy makes of it.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::{
    DefaultSecurityPolicy,
    api::{
        ChannelId,
        server::{
            BayeuxServer, SecurityPolicy, ServerChannel, ServerMessage, ServerSession, SessionKind,
        },
    },
};
use bayeux_seti::Handshake;
use serde_json::json;

/// Lets in who gives a name that can be shown, and who gives none, to watch; nobody makes channels. A real house
/// would have its policy verify a token here, and take the name from that.
#[derive(Debug, Default)]
pub(crate) struct Policy(DefaultSecurityPolicy);

/// Where the policy leaves the name; also its field in the handshake's `ext`.
const BIDDER: &str = "bidder";

/// The longest name, in characters.
const LONGEST: usize = 24;

/// Returns under which name a session bids; none if it only watches.
pub(crate) fn bidder_of(session: &dyn ServerSession) -> Option<String> {
    session.attribute(BIDDER)?.downcast_ref::<String>().cloned()
}

/// Says which user a session is of.
pub(crate) async fn at_handshake(handshake: Handshake) -> Option<String> {
    bidder_of(&*handshake.session)
}

/// Reads a name: it is neither empty nor long, and has no control characters. It may look like another one, though.
fn name(text: &str) -> Option<&str> {
    let name = text.trim();
    let fits = !name.is_empty() && name.chars().count() <= LONGEST;
    (fits && !name.chars().any(char::is_control)).then_some(name)
}

#[async_trait]
impl SecurityPolicy for Policy {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> bool {
        let said = message.ext_field(BIDDER).filter(|_| session.kind() == SessionKind::Client);
        let Some(said) = said else { return true };
        match said.as_str().and_then(name) {
            Some(name) => {
                session.set_attribute(BIDDER, Arc::new(name.to_owned()));
                true
            }
            None => {
                let reason = format!("A name has 1 to {LONGEST} characters.");
                message.reply_mut().ext_mut().insert("reason".to_owned(), json!(reason));
                false
            }
        }
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        _channel: &ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        session.kind() != SessionKind::Client
    }

    async fn can_subscribe(
        &self,
        server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> bool {
        self.0.can_subscribe(server, session, channel, message).await
    }

    async fn can_publish(
        &self,
        server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> bool {
        self.0.can_publish(server, session, channel, message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_read() {
        assert_eq!(name("  Ann "), Some("Ann"));
        assert_eq!(name(&"x".repeat(LONGEST)).map(str::len), Some(LONGEST));
        for bad in ["", "   ", "a\u{7}b", &"x".repeat(LONGEST + 1)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
    }
}
