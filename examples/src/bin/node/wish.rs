//! What a line may ask.

use serde::Deserialize;
use serde_json::Value;

/// What is to be done. The nodes of `interop/java` understand the same.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(crate) enum Wish {
    /// Which nodes have joined.
    Comets,
    /// The URLs of the nodes that are connected, joined or not yet.
    Known,
    /// Over which transports this node's clients of nodes that answered are connected, by URL.
    Transports,
    /// How many handshakes of nodes were refused.
    Refused,
    /// Begins to dial a node.
    ObserveComet { url: String },
    /// Parts from a node.
    DeobserveComet { url: String },
    /// Has what others publish on a channel come here.
    Observe { channel: String },
    /// Ends that.
    Deobserve { channel: String },
    /// Whether the node at the URL has what is published here on a channel come there.
    IsObserved { channel: String, url: String },
    /// Tells what is published on a channel, from now on.
    Subscribe { channel: String },
    /// Publishes.
    Publish { channel: String, data: Value },
    /// Puts into the own part of the map, and answers with what was there.
    Put { key: String, value: Value },
    /// Puts if there is nothing.
    PutAbsent { key: String, value: Value },
    /// Removes from the own part of the map, and answers with what was there.
    Remove { key: String },
    /// A value of any part of the map.
    Find { key: String },
    /// All parts of the map, by URL.
    Map,
    /// Adds to the own part of the list.
    Add { elements: Vec<Value> },
    /// Removes from the own part of the list, and answers whether there was anything.
    Take { elements: Vec<Value> },
    /// All parts of the list, by URL.
    List,
    /// Adds to the own number, and answers with what it is then.
    Count { by: i64 },
    /// The sum of the numbers of all nodes.
    Sum,
    /// Empties the own part of each object.
    Clear,
    /// Asks a node, or all of them, by the service `echo`.
    Forward { url: Option<String>, parameter: Value },
    /// Draws a number of the primary.
    Number,
    /// The URL of the primary.
    Primary,
    /// How many sessions a user has here, and on how many other nodes it is beside.
    Where { user: String },
    /// The users that are anywhere.
    Present,
    /// The users that are here.
    Associated,
    /// Sends to users, wherever they are.
    Send { users: Vec<String>, channel: String, data: Value },
    /// Has so many users come at once, who share a session.
    Gather { name: String, count: usize },
    /// Has them go.
    Scatter,
    /// Has no users any more.
    StopUsers,
    /// Sends back what [`Flood`](Self::Flood) sends.
    EchoFlood,
    /// Sends many messages, some of them under way at a time, and answers with the milliseconds that it took.
    Flood { count: u64, window: u64, size: usize },
    /// Leaves the cloud.
    Stop,
}

impl Wish {
    /// Whether it takes long, and others are not to wait for it.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self, Self::Forward { .. } | Self::Number | Self::Flood { .. } | Self::Stop)
    }
}
