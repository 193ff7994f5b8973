//! `OortMap`: a map of each node, changed entry by entry.

use std::{borrow::Borrow, collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_api::Registration;
use bayeux_server::Channel;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Oort,
    object::{
        Entries, Entry, Info, Malformed, Merger, ObjectError, ObjectStatistics, OortObjectListener,
        ShareError, Shareable, Shared,
        encoding::write,
        engine::Engine,
        plain::common,
        reading::each_field,
        shape::{Shape, Unfit},
        telling::Ear,
    },
    proto::{
        map::{Change, Effect, Map},
        wire::{self, Action},
    },
};

/// A named map of which each node has a part that it alone changes, and all others see. Cheap to clone; it
/// stops when the last clone goes.
pub struct OortMap<K: MapKey, V: Shareable>(Arc<Engine<Map<K, V>>>);

/// An [`OortMap`] with strings as keys.
pub type OortStringMap<V> = OortMap<String, V>;

/// An [`OortMap`] with numbers as keys.
pub type OortLongMap<V> = OortMap<i64, V>;

impl<K: MapKey, V: Shareable> OortMap<K, V> {
    /// Starts a map, under a name that all nodes use for it. This node's part is empty at first.
    ///
    /// # Errors
    ///
    /// When the name is not one segment of a channel's name.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and may have to wait one day")]
    pub async fn start(oort: &Oort, name: &str) -> Result<Self, ObjectError> {
        Ok(Self(Arc::new(Engine::start(oort, name, Entries::default())?)))
    }

    /// Replaces all entries of this node's part, and returns those that there were.
    ///
    /// # Errors
    ///
    /// When a value has no JSON form or panics, or the map was stopped: nothing was changed then.
    #[doc(alias = "setAndShare")]
    pub async fn set_and_share(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Shared<Entries<K, V>>, ShareError> {
        let shared = self.0.replace(entries.into_iter().collect()).await?;
        Ok(shared.map(|old| Entries::clone(&old)))
    }

    /// Gives `key` a value in this node's part, and returns the one that it had.
    ///
    /// # Errors
    ///
    /// When the value has no JSON form or panics, or the map was stopped: nothing was changed then.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has changed nothing, or all.
    #[doc(alias = "putAndShare")]
    pub async fn put_and_share(&self, key: K, value: V) -> Result<Shared<Option<V>>, ShareError> {
        let json = write(self.name(), || Item::json(&key, Some(&value)))?;
        self.change(Action::Put, json, Change::Put(key, value)).await
    }

    /// Gives `key` a value in this node's part if it has none there, and returns the one that it has.
    ///
    /// # Errors
    ///
    /// As [`put_and_share`](Self::put_and_share).
    #[doc(alias = "putIfAbsentAndShare")]
    pub async fn put_if_absent_and_share(
        &self,
        key: K,
        value: V,
    ) -> Result<Shared<Option<V>>, ShareError> {
        let json = write(self.name(), || Item::json(&key, Some(&value)))?;
        self.change(Action::PutAbsent, json, Change::PutAbsent(key, value)).await
    }

    /// Removes `key` from this node's part, and returns the value that it had.
    ///
    /// # Errors
    ///
    /// As [`put_and_share`](Self::put_and_share).
    #[doc(alias = "removeAndShare")]
    pub async fn remove_and_share(&self, key: K) -> Result<Shared<Option<V>>, ShareError> {
        let json = write(self.name(), || Item::json(&key, None::<&V>))?;
        self.change(Action::Remove, json, Change::Remove(key)).await
    }

    /// Returns the value of `key` in this node's part.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.own().object().get(key).cloned()
    }

    /// Returns the value of `key` in the first part that has one: this node's, then in the order of the nodes'
    /// ids.
    pub fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find_info(key)?.object().get(key).cloned()
    }

    /// Returns the first part that has a value of `key`.
    #[doc(alias = "findInfo")]
    pub fn find_info<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Info<Entries<K, V>>>
    where
        K: Borrow<Q>,
    {
        let own = Some(self.0.own()).filter(|info| info.object().contains_key(key));
        own.or_else(|| self.infos().into_iter().find(|info| info.object().contains_key(key)))
    }

    /// Adds a listener to changes of single entries.
    #[doc(alias = "addEntryListener")]
    pub fn add_entry_listener(&self, listener: Arc<dyn EntryListener<K, V>>) -> Registration {
        self.0.inner.listeners.add_told(Arc::new(Ear::Items(listener)))
    }

    async fn change(
        &self,
        action: Action,
        json: Box<RawValue>,
        change: Change<K, V>,
    ) -> Result<Shared<Option<V>>, ShareError> {
        let shared = self.0.change(action, json, change).await?;
        Ok(shared.map(|effect| match effect {
            Effect::Put(entry) | Effect::Removed(entry) => entry.old.clone(),
            Effect::None(old) => old,
        }))
    }
}

common!([K: MapKey, V: Shareable], OortMap<K, V>, Entries<K, V>);

impl<K: MapKey, V: Shareable + PartialEq> OortMap<K, V> {
    /// Returns the first part that is equal to `entries`.
    #[doc(alias = "getInfoByObject")]
    pub fn info_by_object(&self, entries: &BTreeMap<K, V>) -> Option<Info<Entries<K, V>>> {
        let is_equal = |info: &Info<Entries<K, V>>| {
            info.object().len() == entries.len() && info.object().iter().eq(entries.iter())
        };
        self.infos().into_iter().find(is_equal)
    }
}

/// What may be a key: a string, a number, or an application's own type that is written as either.
pub trait MapKey: Shareable + Ord + fmt::Debug {
    /// Reads a key that is the name of a field, as keys are in whole maps; none if it is no key.
    fn from_name(name: &str) -> Option<Self>;
}

impl MapKey for String {
    fn from_name(name: &str) -> Option<Self> {
        Some(name.to_owned())
    }
}

impl MapKey for i64 {
    fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// Hears of changes of single entries, in order for each part. As to waiting, see [`OortObjectListener`].
#[async_trait]
#[doc(alias = "OortMap.EntryListener")]
pub trait EntryListener<K, V>: Send + Sync + fmt::Debug
where
    K: MapKey,
    V: Shareable,
{
    /// An entry was put, perhaps in place of another.
    #[doc(alias = "onPut")]
    async fn put(&self, _info: &Info<Entries<K, V>>, _entry: &Entry<K, V>) {}

    /// An entry was removed; perhaps there was none.
    #[doc(alias = "onRemoved")]
    async fn removed(&self, _info: &Info<Entries<K, V>>, _entry: &Entry<K, V>) {}
}

/// Tells an [`EntryListener`] of what is different when a whole part was replaced, or has gone with its node.
/// Added by [`OortMap::add_listener`], usually beside the listener itself.
#[doc(alias = "OortMap.DeltaListener")]
pub struct EntryDeltas<K, V>(Arc<dyn EntryListener<K, V>>);

impl<K: MapKey, V: Shareable> EntryDeltas<K, V> {
    /// Makes one for `listener`.
    pub fn new(listener: Arc<dyn EntryListener<K, V>>) -> Self {
        Self(listener)
    }
}

impl<K, V> fmt::Debug for EntryDeltas<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntryDeltas").field(&self.0).finish()
    }
}

#[async_trait]
impl<K, V> OortObjectListener<Entries<K, V>> for EntryDeltas<K, V>
where
    K: MapKey,
    V: Shareable,
{
    async fn updated(&self, old: Option<&Info<Entries<K, V>>>, new: &Info<Entries<K, V>>) {
        let none = Entries::default();
        tell_difference(&*self.0, old.map_or(&none, Info::object), new.object(), new).await;
    }

    async fn removed(&self, info: &Info<Entries<K, V>>) {
        tell_difference(&*self.0, info.object(), &Entries::default(), info).await;
    }
}

/// Goes through both at once, since both are in the order of their keys.
async fn tell_difference<K: MapKey, V: Shareable>(
    listener: &dyn EntryListener<K, V>,
    old: &Entries<K, V>,
    new: &Entries<K, V>,
    info: &Info<Entries<K, V>>,
) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        tokio::task::consume_budget().await;
        let order = match (old.peek(), new.peek()) {
            (Some((old, _)), Some((new, _))) => old.cmp(new),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return,
        };
        let before = order.is_le().then(|| old.next()).flatten();
        let after = order.is_ge().then(|| new.next()).flatten();
        let Some((key, _)) = before.or(after) else { return };
        let [before, after] = [before, after].map(|entry| entry.map(|(_, value)| value));
        if before.zip(after).is_some_and(|(before, after)| is_equal(before, after)) {
            continue;
        }
        let entry = Entry::new(key.clone(), before.cloned(), after.cloned());
        match after {
            Some(_) => listener.put(info, &entry).await,
            None => listener.removed(info, &entry).await,
        }
    }
}

/// Two values are equal if their JSON is.
fn is_equal<V: Serialize>(one: &V, other: &V) -> bool {
    let json = |value: &V| serde_json::to_vec(value).ok();
    std::ptr::eq(one, other) || json(one) == json(other)
}

/// An entry on the wire.
#[derive(Serialize)]
struct Item<'a, K, V> {
    #[serde(rename = "oort.map.key")]
    key: &'a K,
    #[serde(rename = "oort.map.value", skip_serializing_if = "Option::is_none")]
    value: Option<&'a V>,
}

impl<K: Serialize, V: Serialize> Item<'_, K, V> {
    fn json(key: &K, value: Option<&V>) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(&Item { key, value })
    }
}

#[derive(Deserialize)]
struct ReadItem<'a> {
    #[serde(borrow, rename = "oort.map.key")]
    key: &'a RawValue,
    #[serde(borrow, default, rename = "oort.map.value")]
    value: Option<&'a RawValue>,
}

impl<K: MapKey, V: Shareable> Shape for Map<K, V> {
    type Listener = dyn EntryListener<K, V>;

    fn read(raw: &RawValue, malformed: &mut Option<Malformed>) -> Option<Entries<K, V>> {
        let mut entries = Vec::new();
        let read = each_field(raw, |name, raw| match (K::from_name(name), wire::value(raw)) {
            (Some(key), Ok(value)) => entries.push((key, value)),
            (Some(_), Err(error)) => Malformed::note(malformed, || name.to_owned(), &error),
            (None, _) => Malformed::note(malformed, || name.to_owned(), &"it is no key"),
        });
        match read {
            Ok(()) => Some(entries.into_iter().collect()),
            Err(error) => {
                Malformed::note(malformed, String::new, &error);
                None
            }
        }
    }

    fn read_change(
        action: Action,
        raw: &RawValue,
        malformed: &mut Option<Malformed>,
    ) -> Result<Option<Change<K, V>>, Unfit> {
        let change: fn(K, V) -> Change<K, V> = match action {
            Action::Put => Change::Put,
            Action::PutAbsent => Change::PutAbsent,
            Action::Remove => |key, _| Change::Remove(key),
            Action::Add | Action::RemoveElements => return Err(Unfit),
        };
        let item: ReadItem<'_> = serde_json::from_str(raw.get()).map_err(|_| Unfit)?;
        let first = || item.key.get().to_owned();
        let Some(key) = read_key::<K>(item.key) else {
            Malformed::note(malformed, first, &"it is no key");
            return Ok(None);
        };
        if action == Action::Remove {
            return Ok(Some(Change::Remove(key)));
        }
        let value = item.value.ok_or(Unfit)?;
        match wire::value(value) {
            Ok(value) => Ok(Some(change(key, value))),
            Err(error) => {
                Malformed::note(malformed, first, &error);
                Ok(None)
            }
        }
    }

    fn write(object: &Entries<K, V>) -> Result<Box<RawValue>, serde_json::Error> {
        struct Fields<'a, K: Ord, V>(&'a Entries<K, V>);

        impl<K: Ord + Serialize, V: Serialize> Serialize for Fields<'_, K, V> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter())
            }
        }

        serde_json::value::to_raw_value(&Fields(object))
    }

    async fn tell<'a>(
        listener: &'a Self::Listener,
        info: &'a Info<Entries<K, V>>,
        effect: &'a Effect<K, V>,
    ) {
        match effect {
            Effect::Put(entry) => listener.put(info, entry).await,
            Effect::Removed(entry) => listener.removed(info, entry).await,
            Effect::None(_) => {}
        }
    }

    async fn tell_difference<'a>(
        listener: &'a Self::Listener,
        old: &'a Info<Entries<K, V>>,
        new: &'a Info<Entries<K, V>>,
    ) {
        tell_difference(listener, old.object(), new.object(), new).await;
    }
}

/// A key of its own is JSON of its type; a number may also be written as a text, as it is in whole maps.
fn read_key<K: MapKey>(raw: &RawValue) -> Option<K> {
    let name = || serde_json::from_str::<String>(raw.get()).ok();
    wire::value(raw).ok().or_else(|| K::from_name(&name()?))
}
