//! Whom the messages of channels reach, and who may use channels: rules that are set, and not asked for.

/// Whom the messages of a channel reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// All who are subscribed to a channel that matches.
    #[default]
    All,
    /// Of clients those only who are subscribed to the channel where this is set, or to one that this
    /// matches: not those of wild channels that are wider. The server's own code and other nodes get all.
    Exact,
}

/// Who may create, subscribe to and publish on channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Whoever the policy and the authorizers let.
    #[default]
    Everybody,
    /// The server's own code and other nodes, if those let them; no client. Who is subscribed to a wider wild
    /// channel gets the messages all the same, unless their reach is [`Exact`](Reach::Exact), too.
    Cluster,
}
