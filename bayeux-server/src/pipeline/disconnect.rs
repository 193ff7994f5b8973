//! `/meta/disconnect`: the client ends its session.

use std::sync::Arc;

use bayeux_api::{
    BayeuxError,
    server::{Removal, ServerMessage},
};

use crate::{pipeline::Refusal, server::Server, session::Session};

impl Server {
    pub(super) async fn disconnect(
        &self,
        session: &Arc<Session>,
        message: &mut ServerMessage,
    ) -> Result<(), Refusal> {
        if !self.end_session(session, Removal::Disconnected, None).await {
            return Err(BayeuxError::SessionUnknown.into());
        }
        message.reply_mut().successful = Some(true);
        Ok(())
    }
}
