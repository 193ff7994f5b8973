//! `OortList`: a list of each node, changed element by element.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_api::Registration;
use bayeux_server::Channel;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Oort,
    object::{
        Elements, Info, Malformed, Merger, ObjectError, ObjectStatistics, OortObjectListener,
        ShareError, Shareable, Shared,
        encoding::write,
        engine::Engine,
        plain::common,
        shape::{Shape, Unfit},
        telling::Ear,
    },
    proto::{
        list::{Change, Effect, List, What},
        wire::{self, Action},
    },
};

/// A named list of which each node has a part that it alone changes, and all others see. Equal elements may
/// be in it more than once. Cheap to clone; it stops when the last clone goes.
pub struct OortList<E: Shareable + PartialEq>(Arc<Engine<List<E>>>);

impl<E: Shareable + PartialEq> OortList<E> {
    /// Starts a list, under a name that all nodes use for it. This node's part is empty at first.
    ///
    /// # Errors
    ///
    /// When the name is not one segment of a channel's name.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and may have to wait one day")]
    pub async fn start(oort: &Oort, name: &str) -> Result<Self, ObjectError> {
        Ok(Self(Arc::new(Engine::start(oort, name, Elements::default())?)))
    }

    /// Replaces all elements of this node's part, and returns those that there were.
    ///
    /// # Errors
    ///
    /// When an element has no JSON form or panics, or the list was stopped: nothing was changed then.
    #[doc(alias = "setAndShare")]
    pub async fn set_and_share(
        &self,
        elements: impl IntoIterator<Item = E>,
    ) -> Result<Shared<Elements<E>>, ShareError> {
        let shared = self.0.replace(elements.into_iter().collect()).await?;
        Ok(shared.map(|old| Elements::clone(&old)))
    }

    /// Adds elements to the end of this node's part, and returns whether that changed it: not if there are
    /// none.
    ///
    /// # Errors
    ///
    /// When an element has no JSON form or panics, or the list was stopped: nothing was changed then.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has changed nothing, or all.
    #[doc(alias = "addAndShare")]
    pub async fn add_and_share(
        &self,
        elements: impl IntoIterator<Item = E>,
    ) -> Result<Shared<bool>, ShareError> {
        let elements: Vec<_> = elements.into_iter().collect();
        self.change(Action::Add, elements, Change::Add).await
    }

    /// Removes all elements from this node's part that are equal to one of `elements`, and returns whether there
    /// were any.
    ///
    /// # Errors
    ///
    /// As [`add_and_share`](Self::add_and_share).
    #[doc(alias = "removeAndShare")]
    pub async fn remove_and_share(
        &self,
        elements: impl IntoIterator<Item = E>,
    ) -> Result<Shared<bool>, ShareError> {
        let elements: Vec<_> = elements.into_iter().collect();
        self.change(Action::RemoveElements, elements, Change::remove).await
    }

    /// Returns the elements of this node's part.
    pub fn get(&self) -> Elements<E> {
        self.0.own().object().clone()
    }

    /// Returns whether this node's part has an element.
    pub fn contains(&self, element: &E) -> bool {
        self.0.own().object().contains(element)
    }

    /// Returns whether any part has an element.
    #[doc(alias = "isPresent")]
    pub fn is_present(&self, element: &E) -> bool {
        self.infos().iter().any(|info| info.object().contains(element))
    }

    /// Returns the first part that is equal to `elements`.
    #[doc(alias = "getInfoByObject")]
    pub fn info_by_object(&self, elements: &[E]) -> Option<Info<Elements<E>>> {
        let mut infos = self.infos().into_iter();
        infos.find(|info| info.object().iter().eq(elements.iter()))
    }

    /// Adds a listener to elements that are added and removed.
    #[doc(alias = "addElementListener")]
    pub fn add_element_listener(&self, listener: Arc<dyn ElementListener<E>>) -> Registration {
        self.0.inner.listeners.add_told(Arc::new(Ear::Items(listener)))
    }

    async fn change(
        &self,
        action: Action,
        elements: Vec<E>,
        change: fn(Vec<E>) -> Change<E>,
    ) -> Result<Shared<bool>, ShareError> {
        let json = write(self.name(), || serde_json::value::to_raw_value(&elements))?;
        let shared = self.0.change(action, json, change(elements)).await?;
        Ok(shared.map(|effect| effect.is_change))
    }
}

common!([E: Shareable + PartialEq], OortList<E>, Elements<E>);

/// Hears of elements, in order for each part. As to waiting, see [`OortObjectListener`].
#[async_trait]
#[doc(alias = "OortList.ElementListener")]
pub trait ElementListener<E>: Send + Sync + fmt::Debug
where
    E: Shareable,
{
    /// Elements were added.
    #[doc(alias = "onAdded")]
    async fn added(&self, _info: &Info<Elements<E>>, _elements: &[E]) {}

    /// Elements were to be removed; perhaps there were none.
    #[doc(alias = "onRemoved")]
    async fn removed(&self, _info: &Info<Elements<E>>, _elements: &[E]) {}
}

/// Tells an [`ElementListener`] of what is different when a whole part was replaced, or has gone with its node.
/// Added by [`OortList::add_listener`], usually beside the listener itself.
#[doc(alias = "OortList.DeltaListener")]
pub struct ElementDeltas<E>(Arc<dyn ElementListener<E>>);

impl<E: Shareable> ElementDeltas<E> {
    /// Makes one for `listener`.
    pub fn new(listener: Arc<dyn ElementListener<E>>) -> Self {
        Self(listener)
    }
}

impl<E> fmt::Debug for ElementDeltas<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ElementDeltas").field(&self.0).finish()
    }
}

#[async_trait]
impl<E: Shareable + PartialEq> OortObjectListener<Elements<E>> for ElementDeltas<E> {
    async fn updated(&self, old: Option<&Info<Elements<E>>>, new: &Info<Elements<E>>) {
        let none = Elements::default();
        tell_difference(&*self.0, old.map_or(&none, Info::object), new.object(), new).await;
    }

    async fn removed(&self, info: &Info<Elements<E>>) {
        tell_difference(&*self.0, info.object(), &Elements::default(), info).await;
    }
}

/// Elements are compared by their JSON, of which an order is known.
async fn tell_difference<E: Shareable>(
    listener: &dyn ElementListener<E>,
    old: &Elements<E>,
    new: &Elements<E>,
    info: &Info<Elements<E>>,
) {
    let (before, after) = (by_json(old).await, by_json(new).await);
    let added = only_in(new, &before).await;
    if !added.is_empty() {
        listener.added(info, &added).await;
    }
    let removed = only_in(old, &after).await;
    if !removed.is_empty() {
        listener.removed(info, &removed).await;
    }
}

async fn by_json<E: Serialize>(elements: &Elements<E>) -> std::collections::BTreeSet<Vec<u8>> {
    let mut all = std::collections::BTreeSet::new();
    for element in elements.iter() {
        tokio::task::consume_budget().await;
        all.extend(serde_json::to_vec(element).ok());
    }
    all
}

async fn only_in<E: Shareable>(
    elements: &Elements<E>,
    others: &std::collections::BTreeSet<Vec<u8>>,
) -> Vec<E> {
    let mut only = Vec::new();
    for element in elements.iter() {
        tokio::task::consume_budget().await;
        let is_other = serde_json::to_vec(element).is_ok_and(|json| others.contains(&json));
        if !is_other {
            only.push(element.clone());
        }
    }
    only
}

impl<E: Shareable + PartialEq> Shape for List<E> {
    type Listener = dyn ElementListener<E>;

    fn read(raw: &RawValue, malformed: &mut Option<Malformed>) -> Option<Elements<E>> {
        read_elements(raw, malformed).map(Elements::from_iter)
    }

    fn read_change(
        action: Action,
        raw: &RawValue,
        malformed: &mut Option<Malformed>,
    ) -> Result<Option<Change<E>>, Unfit> {
        let change = match action {
            Action::Add => Change::Add,
            Action::RemoveElements => Change::remove,
            Action::Put | Action::PutAbsent | Action::Remove => return Err(Unfit),
        };
        Ok(read_elements(raw, malformed).map(change))
    }

    fn write(object: &Elements<E>) -> Result<Box<RawValue>, serde_json::Error> {
        struct Array<'a, E>(&'a Elements<E>);

        impl<E: Serialize> Serialize for Array<'_, E> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter())
            }
        }

        serde_json::value::to_raw_value(&Array(object))
    }

    async fn tell<'a>(
        listener: &'a Self::Listener,
        info: &'a Info<Elements<E>>,
        effect: &'a Effect<E>,
    ) {
        match effect.what {
            What::Added => listener.added(info, &effect.elements).await,
            What::Removed => listener.removed(info, &effect.elements).await,
        }
    }

    async fn tell_difference<'a>(
        listener: &'a Self::Listener,
        old: &'a Info<Elements<E>>,
        new: &'a Info<Elements<E>>,
    ) {
        tell_difference(listener, old.object(), new.object(), new).await;
    }
}

/// Reads an array, without those of its elements that cannot be read.
fn read_elements<E: Shareable>(
    raw: &RawValue,
    malformed: &mut Option<Malformed>,
) -> Option<Vec<E>> {
    let raws = serde_json::from_str::<Vec<&RawValue>>(raw.get());
    let raws = raws.map_err(|error| Malformed::note(malformed, String::new, &error)).ok()?;
    let read = raws.into_iter().enumerate().filter_map(|(index, raw)| {
        let element = wire::value(raw);
        element.map_err(|error| Malformed::note(malformed, || index.to_string(), &error)).ok()
    });
    Some(read.collect())
}
