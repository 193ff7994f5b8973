//! What an object has done, in numbers.

/// How much came and went of an object since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectStatistics {
    /// Changes of this node's own part.
    pub shared: u64,
    /// Updates of other nodes' parts that were applied.
    pub applied: u64,
    /// Updates that came too late, or once more.
    pub stale: u64,
    /// Changes that came before one that has to come first.
    pub early: u64,
    /// How often so many came early that they were forgotten, and the whole part pulled.
    pub overflows: u64,
    /// How often a part was asked for because something was missing.
    pub pulls: u64,
    /// How often other nodes asked for this node's part.
    pub pulled: u64,
    /// How often this node's whole part was sent to another.
    pub pushes: u64,
    /// How often that failed, to be tried again.
    pub failed_pushes: u64,
    /// How often this node's whole part was sent to all because one of them cannot be helped otherwise.
    pub raises: u64,
    /// Changes that went to no node, because the cloud refused them.
    pub failed_broadcasts: u64,
    /// Messages that were not what they should be.
    pub refused: u64,
    /// Values that are not of the object's type.
    pub malformed: u64,
    /// Changes that listeners were told of only in sum, because they took too long for one by one.
    pub summed_up: u64,
}
