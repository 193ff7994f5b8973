//! The register of all sessions.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, DefaultHasher},
    sync::{Arc, PoisonError, RwLock},
};

use crate::session::Session;

/// All sessions by id, in parts that are locked apart.
#[derive(Default)]
pub(crate) struct Sessions {
    shards: [RwLock<Shard>; 16],
}

/// Hashed by no secret, so that the order of all sessions follows from their ids, which nobody else can
/// choose.
type Shard = HashMap<Arc<str>, Arc<Session>, BuildHasherDefault<DefaultHasher>>;

impl Sessions {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn insert(&self, session: Arc<Session>) {
        let id = session.shared_id().clone();
        let mut shard = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner);
        shard.insert(id, session);
    }

    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut shard = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        shard.remove(id).is_some()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        let read = |shard: &RwLock<Shard>| -> Vec<_> {
            shard.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
        };
        self.shards.iter().flat_map(read).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// By the end of the id, which is random.
    fn shard(&self, id: &str) -> &RwLock<Shard> {
        let end = id.bytes().rev().take(4);
        let sum = end.fold(0, |sum: usize, byte| 31 * sum + usize::from(byte));
        &self.shards[sum % self.shards.len()]
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions", self.len())
    }
}
