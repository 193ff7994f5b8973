//! What listeners of objects are told, as words.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, Info,
    object::{
        ElementListener, Elements, Entries, Entry, EntryListener, Malformed, MapKey,
        OortObjectListener, Shareable,
    },
};
use tests::hooks::Log;

/// Writes down what it is told: of which node as `own` or `other`.
#[derive(Debug, Default)]
pub(crate) struct Told(Log);

impl Told {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits until `entry` was told.
    pub(crate) async fn until(&self, entry: &str) {
        self.0.until(entry).await;
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.entries()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Waits until so much was told.
    pub(crate) async fn count(&self, count: usize) {
        let what = format!("{count} things to be told");
        tests::eventually(&what, || self.all().len() >= count).await;
    }
}

fn of<T>(info: &Info<T>) -> &'static str {
    if info.is_local() { "own" } else { "other" }
}

#[async_trait]
impl<T: Debug + Send + Sync> OortObjectListener<T> for Told {
    async fn updated(&self, old: Option<&Info<T>>, new: &Info<T>) {
        let (of, old) = (of(new), old.map(Info::object));
        self.0.add(format!("{of} {old:?} to {:?}", new.object()));
    }

    async fn removed(&self, info: &Info<T>) {
        self.0.add(format!("{} {:?} gone", of(info), info.object()));
    }

    async fn malformed(&self, _comet: &Comet, malformed: &Malformed) {
        self.0.add(format!("malformed {} {:?}", malformed.count, malformed.first));
    }
}

#[async_trait]
impl<K: MapKey, V: Shareable + Debug> EntryListener<K, V> for Told {
    async fn put(&self, info: &Info<Entries<K, V>>, entry: &Entry<K, V>) {
        let Entry { key, old, new, .. } = entry;
        self.0.add(format!("{} put {key:?} {old:?} {new:?}", of(info)));
    }

    async fn removed(&self, info: &Info<Entries<K, V>>, entry: &Entry<K, V>) {
        let Entry { key, old, .. } = entry;
        self.0.add(format!("{} removed {key:?} {old:?}", of(info)));
    }
}

#[async_trait]
impl<E: Shareable + Debug> ElementListener<E> for Told {
    async fn added(&self, info: &Info<Elements<E>>, elements: &[E]) {
        self.0.add(format!("{} added {elements:?}", of(info)));
    }

    async fn removed(&self, info: &Info<Elements<E>>, elements: &[E]) {
        self.0.add(format!("{} removed {elements:?}", of(info)));
    }
}
