//! The register of all channels: found by their names, and by the names that they match.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use bayeux_api::ChannelId;
use indexmap::{
    IndexMap,
    map::raw_entry_v1::{RawEntryApiV1 as _, RawEntryMut},
};

use super::{
    Channel,
    tellings::{Event, IsTeller, Tellings},
    turns::Turns,
};

/// All channels.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    register: RwLock<Register>,
    pub(super) turns: Turns,
    pub(super) tellings: Tellings,
    sweeps: AtomicU32,
}

/// Each channel, and with it each name, is here once, and the wild ones once more. Those of them that match
/// a name are looked for while that is hashed segment by segment: `/chat/**` has the hash of what was read up
/// to the second `/`, and of `**`.
#[derive(Default)]
struct Register {
    by_name: Table,
    /// By the hashes of their segments.
    wild: Table,
}

type Table = IndexMap<Arc<Channel>, (), RandomState>;

/// One sweep: a walk through all channels, in portions, from the last to the first. What is added
/// meanwhile comes behind it; what is removed has the last one take its place, which was looked at.
#[derive(Debug)]
pub(super) struct Walk {
    left: usize,
    /// Never 0.
    pub(super) sweep: u32,
}

impl Channels {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Channel>> {
        let register = self.read();
        register.find(name).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().by_name.len()
    }

    /// Returns all channels, sorted by name.
    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        let mut channels: Vec<_> = self.read().by_name.keys().cloned().collect();
        channels.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        channels
    }

    /// Returns the channels that exist out of those that match `id`, `/**` first, itself last.
    pub(crate) fn matching(&self, id: &ChannelId) -> Vec<Arc<Channel>> {
        self.read().matching(id)
    }

    /// Adds `channel` unless one of its name exists; returns the one that is there then.
    pub(super) fn insert(&self, channel: &Arc<Channel>) -> Result<IsTeller, Arc<Channel>> {
        let mut register = self.write();
        let hash = register.hash(channel.id.as_str());
        match entry(&mut register.by_name, hash, channel) {
            RawEntryMut::Occupied(existing) => return Err(existing.key().clone()),
            RawEntryMut::Vacant(place) => {
                place.insert_hashed_nocheck(hash, channel.clone(), ());
            }
        }
        if channel.id.is_wild() {
            let hash = register.wild_hash(&channel.id);
            if let RawEntryMut::Vacant(place) = entry(&mut register.wild, hash, channel) {
                place.insert_hashed_nocheck(hash, channel.clone(), ());
            }
        }
        channel.enter();
        Ok(self.tellings.note(Event::Added(channel.clone())))
    }

    /// Removes this very channel, if it is for a sweep only while it is unused; none when it was not there or
    /// did not go.
    pub(super) fn remove(
        &self,
        channel: &Arc<Channel>,
        unused_since: Option<u32>,
    ) -> Option<IsTeller> {
        let mut register = self.write();
        let hash = register.hash(channel.id.as_str());
        let RawEntryMut::Occupied(place) = entry(&mut register.by_name, hash, channel) else {
            return None;
        };
        if !Arc::ptr_eq(place.key(), channel) {
            return None;
        }
        let left = channel.leave(unused_since)?;
        place.swap_remove();
        shrink(&mut register.by_name);
        if channel.id.is_wild() {
            let hash = register.wild_hash(&channel.id);
            if let RawEntryMut::Occupied(place) = entry(&mut register.wild, hash, channel) {
                place.swap_remove();
                shrink(&mut register.wild);
            }
        }
        let is_teller = self.tellings.note(Event::Removed(channel.clone()));
        drop(register);
        left.forget(channel);
        Some(is_teller)
    }

    /// Ends all channels with the server: they and their subscribers have each other, and would stay.
    pub(crate) fn end(&self) {
        for channel in self.all() {
            channel.leave(None).into_iter().for_each(|left| left.forget(&channel));
        }
    }

    /// Begins a sweep of all channels of now.
    pub(super) fn walk(&self) -> Walk {
        let sweep = self.sweeps.fetch_add(1, Relaxed).wrapping_add(1).max(1);
        Walk { left: self.len(), sweep }
    }

    /// Goes on with a walk for up to `most` channels, and returns those that may be unused; none at its end.
    pub(super) fn next(&self, walk: &mut Walk, most: usize) -> Option<Vec<Arc<Channel>>> {
        let register = self.read();
        let end = walk.left.min(register.by_name.len());
        walk.left = end.saturating_sub(most);
        let portion = register.by_name.get_range(walk.left..end).filter(|_| end > 0)?;
        Some(portion.keys().filter(|channel| !channel.is_plainly_used()).cloned().collect())
    }

    fn read(&self) -> RwLockReadGuard<'_, Register> {
        self.register.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Register> {
        self.register.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register {
    fn matching(&self, id: &ChannelId) -> Vec<Arc<Channel>> {
        let own = self.find(id.as_str());
        if self.wild.is_empty() {
            return own.into_iter().cloned().collect();
        }
        let mut found = Vec::new();
        let mut state = self.wild.hasher().build_hasher();
        let (name, mut prefix) = (id.as_str(), "");
        for segment in id.segments() {
            let mut look = |wild: &str| {
                let mut state = state.clone();
                state.write(wild.as_bytes());
                let is_it = |own: &Arc<Channel>| {
                    own.id.as_str().strip_suffix(wild).and_then(|own| own.strip_suffix('/'))
                        == Some(prefix)
                };
                let one = self.wild.raw_entry_v1().from_hash(state.finish(), is_it);
                found.extend(one.map(|(channel, ())| channel.clone()));
            };
            let end = prefix.len() + 1 + segment.len();
            let is_last = end == name.len();
            if !(is_last && id.is_deep_wild()) {
                look("**");
            }
            if is_last && !id.is_wild() {
                look("*");
            }
            state.write(segment.as_bytes());
            state.write_u8(b'/');
            prefix = &name[..end];
        }
        found.extend(own.cloned());
        found
    }

    fn find(&self, name: &str) -> Option<&Arc<Channel>> {
        let is_it = |own: &Arc<Channel>| own.id.as_str() == name;
        let found = self.by_name.raw_entry_v1().from_hash(self.hash(name), is_it);
        found.map(|(channel, ())| channel)
    }

    fn hash(&self, name: &str) -> u64 {
        self.by_name.hasher().hash_one(name)
    }

    /// Hashes the segments of a wild channel, as [`matching`](Self::matching) does.
    fn wild_hash(&self, id: &ChannelId) -> u64 {
        let mut state = self.wild.hasher().build_hasher();
        for (index, segment) in id.segments().enumerate() {
            if index > 0 {
                state.write_u8(b'/');
            }
            state.write(segment.as_bytes());
        }
        state.finish()
    }
}

fn entry<'a>(
    table: &'a mut Table,
    hash: u64,
    channel: &Channel,
) -> RawEntryMut<'a, Arc<Channel>, (), RandomState> {
    table.raw_entry_mut_v1().from_hash(hash, |own| own.id == channel.id)
}

/// Gives back the memory of a table that was far larger once. What is left is moved for that, which is
/// little.
fn shrink(table: &mut Table) {
    if table.capacity() > LARGE && table.len() <= table.capacity() / 8 {
        table.shrink_to(2 * table.len());
    }
}

/// A table with place for so many channels is worth shrinking.
const LARGE: usize = 1024;

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} channels", self.by_name.len())
    }
}

#[cfg(test)]
mod tests;
