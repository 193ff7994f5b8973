//! When messages were sent.

use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use bayeux_api::{
    Flow, Message,
    server::{ServerExtension, ServerSession},
};

/// Writes into each message that goes out, replies included, when that was: as `Sun, 06 Nov 1994 08:49:37 GMT`, which
/// every browser and CometD's own client read, and are sent.
///
/// CometD's server writes the time of its place, with the short name of its zone. The `timestamp` that a message
/// brought is replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimestampExtension;

#[async_trait]
impl ServerExtension for TimestampExtension {
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        message.timestamp = Some(httpdate::fmt_http_date(SystemTime::now()));
        Flow::Continue
    }
}
