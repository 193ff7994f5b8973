//! How a Seti behaves.

/// Configuration of a [`Seti`](crate::Seti).
///
/// ```
/// let mut config = bayeux_seti::SetiConfig::default();
/// config.max_users_of_node = 100_000;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SetiConfig {
    /// How long a user's id may be, in bytes; 1,024 by default. All nodes of a cloud want the same: of what another
    /// one says longer ids are left out, so that such a user is not there as far as this node knows, and a message
    /// for it is refused.
    pub max_user_id: usize,
    /// How many users of one other node are known; 5,000,000 by default. Each takes about 100 bytes beside its id.
    /// More are refused. Of as many whose ids are too long some bytes are kept, so as to compare all users.
    pub max_users_of_node: usize,
    /// Whether a message to a user that is nowhere goes to all nodes, as CometD's does: one of them may have the
    /// user since a moment. True by default. Where it costs more than it helps, it is turned off.
    pub asks_all: bool,
}

impl Default for SetiConfig {
    fn default() -> Self {
        Self { max_user_id: 1024, max_users_of_node: 5_000_000, asks_all: true }
    }
}
