//! What goes between two simulated nodes: the messages of Bayeux, without their JSON.

use std::{fmt, sync::Arc};

use crate::{
    Comet,
    proto::{
        introduction::Introduction,
        list::{Change, Elements},
        object::Asks,
    },
};

#[derive(Clone, Debug)]
pub(super) enum Packet {
    Request(Request),
    Response(Response),
}

/// From a client to a server.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Handshake(Introduction),
    /// With the last batch that the client has got. One that is the first on its stream is not held.
    Connect {
        session: String,
        ack: u64,
        is_first: bool,
    },
    /// Subscriptions, list and join, in one.
    Open {
        id: u64,
        session: String,
        channels: Vec<String>,
        known: Vec<String>,
        join: Comet,
    },
    Subscribe {
        id: u64,
        session: String,
        channel: String,
    },
    Publish {
        id: u64,
        session: String,
        published: Published,
    },
    Disconnect {
        session: String,
    },
}

/// What a client publishes.
#[derive(Clone, Debug)]
pub(super) enum Published {
    /// `/oort/cloud`.
    Known(Vec<String>),
    /// A service channel, which is for the server's node alone.
    Service(Data),
}

/// From a server to a client.
#[derive(Clone, Debug)]
pub(super) enum Response {
    Handshaken {
        session: Option<String>,
        comet: Comet,
    },
    Connected {
        ack: u64,
    },
    /// A connect is refused, since its session is not known: 402.
    Unknown,
    /// Anything else is answered.
    Answered {
        id: u64,
        is_good: bool,
    },
    Message(Data),
    /// The server has ended the session.
    Disconnected,
}

/// What a message carries.
#[derive(Clone)]
pub(super) enum Data {
    /// The nth broadcast of a node.
    Count(Comet, u64),
    /// Something about the object.
    Object(Said),
}

/// What nodes say about the object that they share.
#[derive(Clone)]
pub(super) enum Said {
    Whole { version: u64, list: Arc<Elements<u32>>, asks: Asks },
    Item { version: u64, change: Change<u32> },
    Pull,
    Ask(u64),
    Reached(u64),
}

impl Data {
    /// Returns the channel on which it is broadcast.
    pub(super) fn channel(&self) -> &'static str {
        match self {
            Self::Count(..) => COUNTS,
            Self::Object(_) => OBJECT,
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(comet, number) => write!(f, "{} counts {number}", comet.id()),
            Self::Object(Said::Whole { version, list, .. }) => write!(f, "{version}: {list:?}"),
            Self::Object(Said::Item { version, change }) => write!(f, "{version}: {change:?}"),
            Self::Object(Said::Pull) => f.write_str("pull"),
            Self::Object(Said::Ask(version)) => write!(f, "ask for {version}"),
            Self::Object(Said::Reached(version)) => write!(f, "reached {version}"),
        }
    }
}

/// The channel of what applications broadcast.
pub(super) const COUNTS: &str = "/counts";

/// The channel of the object.
pub(super) const OBJECT: &str = "/oort/objects/o";
