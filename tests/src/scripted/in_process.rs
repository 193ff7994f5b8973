//! A scripted server inside the client's program.

use std::{future::pending, sync::Arc};

use async_trait::async_trait;
use bayeux_client::api::{
    ConnectionType,
    client::{self, FailureKind, TransportFailure},
};

use super::{Answer, Served, signalled};

/// A client's connection to a scripted server.
#[derive(Debug)]
pub(super) struct InProcess(pub(super) Arc<Served>);

#[async_trait]
impl client::InProcess for InProcess {
    async fn send(&self, messages: &str) -> Result<String, TransportFailure> {
        let messages = serde_json::from_str(messages).unwrap();
        let fails = |kind| TransportFailure::new(ConnectionType::InProcess, kind, "as scripted");
        match signalled(self.0.ask(String::new(), messages)).await {
            Answer::Reply(200, _, body) => Ok(String::from_utf8(body).unwrap()),
            Answer::Reply(status, ..) => {
                let mut failure = fails(FailureKind::Status);
                failure.http_code = Some(status);
                Err(failure)
            }
            Answer::Cut(..) | Answer::Close(_) => Err(fails(FailureKind::Closed)),
            Answer::Hang | Answer::After(..) => pending().await,
        }
    }
}
