//! What carries a session's messages.

use clap::ValueEnum;
use serde_json::Value;

use crate::{
    Result,
    polling::Polling,
    target::Target,
    websocket::{Scratch, WebSocket},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[value(name = "websocket")]
    WebSocket,
    LongPolling,
}

impl Transport {
    /// Returns its name in Bayeux.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::LongPolling => "long-polling",
        }
    }
}

#[derive(Debug)]
pub(crate) enum Carrier {
    WebSocket(WebSocket),
    LongPolling(Polling),
}

impl Carrier {
    /// Opens the connection of this number.
    pub(crate) async fn open(
        transport: Transport,
        target: &Target,
        number: usize,
        scratch: &Scratch,
    ) -> Result<Self> {
        Ok(match transport {
            Transport::WebSocket => {
                Self::WebSocket(WebSocket::open(target, &target.path, number, scratch).await?)
            }
            Transport::LongPolling => Self::LongPolling(Polling::open(target, number).await?),
        })
    }

    /// Sends messages, and waits for what comes back.
    pub(crate) async fn exchange(&mut self, messages: &str) -> Result<Vec<Value>> {
        match self {
            Self::LongPolling(polling) => decode(&polling.post(messages).await?),
            Self::WebSocket(socket) => {
                socket.send(messages).await?;
                let mut replies = Vec::new();
                while replies.is_empty() {
                    let take = |text: &[u8]| {
                        replies.append(&mut decode(text)?);
                        Ok(())
                    };
                    socket.receive(take).await?;
                }
                Ok(replies)
            }
        }
    }
}

fn decode(array: &[u8]) -> Result<Vec<Value>> {
    serde_json::from_slice(array)
        .map_err(|error| format!("{:?}: {error}", String::from_utf8_lossy(array)).into())
}
