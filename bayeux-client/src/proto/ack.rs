//! The client's end of the acknowledgement extension: which batch it has got, and the messages that
//! have arrived ahead of the reply that numbers them.
//!
//! The server sends a batch of messages and numbers it in the reply to the connect; it sends them
//! again until a connect says the number. Over a WebSocket the messages come in frames of their own,
//! before that reply. If the connection breaks in between they will come again, so they are held
//! until the reply is there.

use bayeux_api::Message;
use serde_json::Value;

/// What has been agreed and what has arrived.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgement {
    wanted: bool,
    agreed: bool,
    batch: i64,
    held: Vec<Message>,
}

impl Acknowledgement {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Starts anew, and offers the extension in a handshake.
    pub(crate) fn offer(&mut self, handshake: &mut Message) {
        *self = Self::new(self.wanted);
        if self.wanted {
            handshake.ext_mut().insert("ack".to_owned(), Value::Bool(true));
        }
    }

    /// Reads the server's answer. Returns the number of the batch that follows the handshake, if one
    /// does.
    pub(crate) fn agree(&mut self, reply: &Message) -> Option<i64> {
        let ack = reply.ext_field("ack").filter(|_| self.wanted)?;
        self.agreed = ack == true || ack["enabled"] == true;
        ack["batch"].as_i64().filter(|_| self.agreed)
    }

    pub(crate) fn is_agreed(&self) -> bool {
        self.agreed
    }

    /// Tells the server in a connect what has been got.
    pub(crate) fn acknowledge(&self, connect: &mut Message) {
        if self.agreed {
            connect.ext_mut().insert("ack".to_owned(), self.batch.into());
        }
    }

    /// Keeps a message until it is known to be got.
    pub(crate) fn hold(&mut self, message: Message) {
        self.held.push(message);
    }

    pub(crate) fn holds(&self) -> usize {
        self.held.len()
    }

    /// Takes what is held, which is got with this reply.
    pub(crate) fn got(&mut self, reply: &Message) -> Vec<Message> {
        let batch = reply.ext_field("ack").and_then(|ack| ack.as_i64());
        self.got_batch(batch)
    }

    /// Takes what is held, which is got as the batch of this number.
    pub(crate) fn got_batch(&mut self, batch: Option<i64>) -> Vec<Message> {
        if let Some(batch) = batch.filter(|_| self.agreed) {
            self.batch = batch;
        }
        std::mem::take(&mut self.held)
    }

    /// Drops what is held: the connection is gone, and it will come again.
    pub(crate) fn lost(&mut self) {
        self.held = Vec::new();
    }
}
