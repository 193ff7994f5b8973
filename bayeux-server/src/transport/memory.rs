//! The in-process transport: both ends in one program, for documentation and tests.

use async_trait::async_trait;
use bayeux_api::{
    ConnectionType, DecodeError,
    client::{self, FailureKind, TransportFailure},
    decode,
};

use crate::{
    exchange::{Outcome, Tab, Visit},
    proto::browsers::BrowserId,
    server::Server,
};

/// A client's connection inside the server's program. It speaks the JSON of long-polling and differs
/// from it in nothing but the lack of a network.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = bayeux_server::Server::new();
/// let client = server.in_process();
/// let replies = client.send(r#"[{"channel":"/meta/handshake","version":"1.0"}]"#).await?;
/// assert!(replies.contains(r#""successful":true"#));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InProcess {
    server: Server,
    browser: BrowserId,
}

/// Why an [`InProcess`] request got no messages back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InProcessError {
    /// The request was not messages.
    #[error("not Bayeux messages")]
    Decode(#[from] DecodeError),
    /// Another `/meta/connect` of the session took the place of this one.
    #[error("another /meta/connect of the session took the place of this one")]
    Overtaken,
    /// A hook of the application panicked.
    #[error("the server failed")]
    Failed,
}

impl Server {
    /// Connects to this server from within its program.
    pub fn in_process(&self) -> InProcess {
        InProcess { server: self.clone(), browser: BrowserId(self.0.ids.browser()) }
    }
}

impl InProcess {
    /// Sends a JSON array of messages and returns the array that answers it. A `/meta/connect` may be
    /// held for its timeout.
    ///
    /// # Errors
    ///
    /// When `messages` are not messages, or a held connect is overtaken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is like closing the connection: what was sent is processed, and messages
    /// that were not returned stay in the session's queue.
    pub async fn send(&self, messages: &str) -> Result<String, InProcessError> {
        let transport = ConnectionType::InProcess;
        let messages = decode(messages.as_bytes(), &self.server.limits(transport))?;
        let tab = Tab { browser: Some(self.browser.clone()), most_held: None };
        let visit = Visit { server: self.server.clone(), transport, context: None, tab };
        match visit.respond(messages).await {
            Outcome::Parcel(parcel) => {
                let (array, mut receipt) = parcel.encode();
                receipt.delivered();
                String::from_utf8(array.concat()).map_err(|_| InProcessError::Failed)
            }
            Outcome::Overtaken => Err(InProcessError::Overtaken),
            Outcome::Failed => Err(InProcessError::Failed),
        }
    }
}

#[async_trait]
impl client::InProcess for InProcess {
    async fn send(&self, messages: &str) -> Result<String, TransportFailure> {
        Self::send(self, messages).await.map_err(TransportFailure::from)
    }
}

impl From<InProcessError> for TransportFailure {
    fn from(error: InProcessError) -> Self {
        let code = match &error {
            InProcessError::Decode(DecodeError::TooLarge(_) | DecodeError::TooMany(_)) => 413,
            InProcessError::Decode(_) => 400,
            InProcessError::Overtaken | InProcessError::Failed => 500,
        };
        let reason = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let mut failure = Self::new(ConnectionType::InProcess, FailureKind::Status, reason);
        failure.http_code = Some(code);
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_sees_failures_as_it_would_over_http() {
        let server = Server::new();
        let connection: &dyn client::InProcess = &server.in_process();
        let failure = connection.send("no messages").await.unwrap_err();
        assert_eq!((failure.kind, failure.http_code), (FailureKind::Status, Some(400)));
        assert_eq!(failure.connection_type, ConnectionType::InProcess);
        for error in [DecodeError::TooLarge(1), DecodeError::TooMany(1)] {
            let failure = TransportFailure::from(InProcessError::Decode(error));
            assert_eq!((failure.kind, failure.http_code), (FailureKind::Status, Some(413)));
        }
        let failure = TransportFailure::from(InProcessError::Overtaken);
        assert_eq!((failure.kind, failure.http_code), (FailureKind::Status, Some(500)));
    }
}
