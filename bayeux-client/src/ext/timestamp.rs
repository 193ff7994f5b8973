//! When messages were sent.

use std::time::SystemTime;

use async_trait::async_trait;
use bayeux_api::{Flow, Message, client::ClientExtension};

/// Writes into each message that is sent when that was, as `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimestampClientExtension;

#[async_trait]
impl ClientExtension for TimestampClientExtension {
    async fn outgoing(&self, message: &mut Message) -> Flow {
        message.timestamp = Some(httpdate::fmt_http_date(SystemTime::now()));
        Flow::Continue
    }
}
