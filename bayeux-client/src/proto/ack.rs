//! The client's end of the acknowledgement extension: which batch it has got, and the messages that
//! have arrived ahead of the reply that numbers them.
//!
//! The server sends a batch of messages and numbers it in the reply to the connect; it sends them
//! again until a connect says the number. Over a WebSocket the messages come in frames of their own,
//! before that reply. If the connection breaks in between they will come again, so they are held
//! until the reply is there. What is held is bounded: a server that sends more ahead of a reply than a
//! queue may have does not number it, and if it does, an outage may bring it twice.
//!
//! Our own server, if asked to, numbers what it sends over a WebSocket at once, by messages of their
//! own ([`ahead`]), so that no reply is needed for each. It has to know then whether what it sent after
//! the number in a connect is on its way, or may be lost with another connection: the first connect
//! over each says so.

use bayeux_api::{ConnectionType, Message, implement::ahead};
use serde_json::Value;

use crate::weight::weight;

/// What has been agreed and what has arrived.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgement {
    wanted: bool,
    ahead_wanted: bool,
    agreed: bool,
    batch: i64,
    /// Whether the server numbers what it sends ahead of replies.
    goes_ahead: bool,
    /// Whether what was sent after the batch is on its way, over a connection that goes on.
    is_on_its_way: bool,
    /// Whether it was when the last connect was sent, which said nothing of it then.
    was_on_its_way: bool,
    held: Held,
}

/// What has arrived ahead of the reply that numbers it.
#[derive(Debug)]
enum Held {
    /// The messages, and what they weigh in bytes.
    Messages(Vec<Message>, usize),
    /// They were more than are held, and nothing is until the reply.
    TooMany,
}

impl Acknowledgement {
    pub(crate) fn new(wanted: bool, ahead_wanted: bool) -> Self {
        Self { wanted, ahead_wanted, ..Self::default() }
    }

    /// Starts anew, and offers the extension in a handshake.
    pub(crate) fn offer(&mut self, handshake: &mut Message) {
        *self = Self::new(self.wanted, self.ahead_wanted);
        if self.wanted {
            handshake.ext_mut().insert("ack".to_owned(), Value::Bool(true));
        }
        if self.wanted && self.ahead_wanted {
            handshake.ext_mut().insert(ahead::EXT.to_owned(), Value::Bool(true));
        }
    }

    /// Reads the server's answer. Returns the number of the batch that follows the handshake, if one
    /// does.
    pub(crate) fn agree(&mut self, reply: &Message) -> Option<i64> {
        let ack = reply.ext_field("ack").filter(|_| self.wanted)?;
        self.agreed = ack == true || ack["enabled"] == true;
        let is_granted = reply.ext_field(ahead::EXT) == Some(Value::Bool(true));
        self.goes_ahead = self.agreed && self.ahead_wanted && is_granted;
        whole(&ack["batch"]).filter(|_| self.agreed)
    }

    pub(crate) fn is_agreed(&self) -> bool {
        self.agreed
    }

    /// Tells the server in a connect what has been got.
    pub(crate) fn acknowledge(&mut self, connect: &mut Message, transport: ConnectionType) {
        if !self.agreed {
            return;
        }
        connect.ext_mut().insert("ack".to_owned(), self.batch.into());
        let is_connection = transport == ConnectionType::WebSocket;
        self.was_on_its_way = self.goes_ahead && self.is_on_its_way && is_connection;
        if self.goes_ahead && !self.was_on_its_way {
            connect.ext_mut().insert(ahead::EXT.to_owned(), Value::Bool(true));
        }
        self.is_on_its_way = is_connection;
    }

    /// The server refused the last connect. What is on its way comes all the same; else all that is not acknowledged
    /// comes again.
    pub(crate) fn refused(&mut self) {
        if !self.was_on_its_way {
            self.lost();
        }
    }

    /// Keeps a message until it is known to be got. Returns what is not kept any longer, in order.
    pub(crate) fn hold(&mut self, message: Message) -> Vec<Message> {
        let Held::Messages(held, bytes) = &mut self.held else { return vec![message] };
        *bytes += weight(&message);
        held.push(message);
        if *bytes <= MOST_HELD { Vec::new() } else { self.held.take(Held::TooMany) }
    }

    /// Takes what is held, which is got with this reply.
    pub(crate) fn got(&mut self, reply: &Message) -> Vec<Message> {
        self.got_batch(reply.ext_field("ack").as_ref().and_then(whole))
    }

    /// Takes what is held, which is got as the batch of this number.
    pub(crate) fn got_batch(&mut self, batch: Option<i64>) -> Vec<Message> {
        if let Some(batch) = batch.filter(|_| self.agreed) {
            self.batch = batch;
        }
        self.held.take(Held::default())
    }

    /// Drops what is held: the connection is gone, and it will come again.
    pub(crate) fn lost(&mut self) {
        self.held = Held::default();
        self.is_on_its_way = false;
    }
}

/// Reads the number of a batch. Some encoders know no whole numbers, and write 2.0 for 2.
fn whole(batch: &Value) -> Option<i64> {
    batch.as_f64().map(|number| number as i64)
}

impl Held {
    fn take(&mut self, next: Self) -> Vec<Message> {
        match std::mem::replace(self, next) {
            Self::Messages(messages, _) => messages,
            Self::TooMany => Vec::new(),
        }
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::Messages(Vec::new(), 0)
    }
}

/// How much is held, in bytes: more than what a server's queue may have by default, 4 MiB and 10,000
/// messages.
const MOST_HELD: usize = 16 * 1024 * 1024;
