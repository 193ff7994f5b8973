//! `OortLong`: a number of each node, and their sum.

use std::sync::Arc;

use bayeux_api::Registration;

use crate::{
    Oort,
    object::{
        Info, ObjectError, ObjectStatistics, OortObject, OortObjectListener, ShareError, Shared,
        mergers,
    },
};

/// A number that each node counts for itself, and whose sum all see. Cheap to clone; it stops when the last
/// clone goes.
///
/// What is added at the same time is shared in that order, so that the others never end at another number.
#[derive(Clone, Debug)]
pub struct OortLong(OortObject<i64>);

impl OortLong {
    /// Starts a number, under a name that all nodes use for it. This node's is `initial` at first.
    ///
    /// # Errors
    ///
    /// When the name is not one segment of a channel's name.
    pub async fn start(oort: &Oort, name: &str, initial: i64) -> Result<Self, ObjectError> {
        Ok(Self(OortObject::start(oort, name, initial).await?))
    }

    /// Returns this node's number.
    pub fn get(&self) -> i64 {
        self.0.get()
    }

    /// Adds to this node's number, and returns what it is then.
    ///
    /// # Errors
    ///
    /// When it was stopped.
    pub async fn add_and_get(&self, delta: i64) -> Result<Shared<i64>, ShareError> {
        Ok(self.get_and_add(delta).await?.map(|old| old.wrapping_add(delta)))
    }

    /// Adds to this node's number, and returns what it was before. The others get what it is then, not what
    /// it was, as they do of CometD.
    ///
    /// # Errors
    ///
    /// When it was stopped.
    pub async fn get_and_add(&self, delta: i64) -> Result<Shared<i64>, ShareError> {
        self.update(|old| Some(old.wrapping_add(delta))).await
    }

    /// Replaces this node's number, and returns what it was before.
    ///
    /// # Errors
    ///
    /// When it was stopped.
    pub async fn get_and_set(&self, value: i64) -> Result<Shared<i64>, ShareError> {
        self.update(|_| Some(value)).await
    }

    /// Replaces this node's number if it is `expected`, and returns whether it was.
    ///
    /// # Errors
    ///
    /// When it was stopped.
    pub async fn compare_and_set(
        &self,
        expected: i64,
        value: i64,
    ) -> Result<Shared<bool>, ShareError> {
        let shared = self.update(|old| (old == expected).then_some(value)).await?;
        Ok(shared.map(|old| old == expected))
    }

    /// Returns the sum of all nodes' numbers.
    pub fn sum(&self) -> i64 {
        self.0.merge(mergers::long_sum)
    }

    /// Returns the number of the node with this URL, if it is known.
    pub fn info(&self, url: &str) -> Option<Info<i64>> {
        self.0.info(url)
    }

    /// Returns all numbers that are known, in the order of the nodes' ids.
    pub fn infos(&self) -> Vec<Info<i64>> {
        self.0.infos()
    }

    /// Adds a listener. It is not told of what is there already.
    pub fn add_listener(&self, listener: Arc<dyn OortObjectListener<i64>>) -> Registration {
        self.0.add_listener(listener)
    }

    /// Returns what came and went so far.
    pub fn statistics(&self) -> ObjectStatistics {
        self.0.statistics()
    }

    async fn update(
        &self,
        update: impl FnOnce(i64) -> Option<i64> + Send,
    ) -> Result<Shared<i64>, ShareError> {
        Ok(self.0.engine().update(|old| update(*old)).await?.map(|old| *old))
    }
}
