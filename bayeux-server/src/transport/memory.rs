//! The in-process transport: both ends in one program, for documentation and tests.

use bayeux_api::{ConnectionType, DecodeError, decode};

use crate::{
    proto::browsers::BrowserId,
    server::Server,
    transport::exchange::{Exchange, Outcome},
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
        let exchange = Exchange {
            server: self.server.clone(),
            transport,
            context: None,
            browser: Some(self.browser.clone()),
            most_held: None,
        };
        match exchange.run(messages).await {
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
