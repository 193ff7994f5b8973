//! `OortObject`: a value of each node.

use std::{convert::Infallible, fmt, sync::Arc};

use bayeux_api::Registration;
use bayeux_server::Channel;
use serde_json::value::RawValue;

use crate::{
    Oort,
    object::{
        Info, Malformed, Merger, ObjectError, ObjectStatistics, OortObjectListener, ShareError,
        Shareable, Shared,
        engine::Engine,
        shape::{Shape, Unfit},
        telling::Ear,
    },
    proto::{
        kind::Plain,
        wire::{self, Action},
    },
};

/// A named object of which each node has a part, a value that it replaces as it likes and all others see.
/// Cheap to clone; it stops when the last clone goes.
pub struct OortObject<T: Shareable>(Arc<Engine<Plain<T>>>);

impl<T: Shareable> OortObject<T> {
    /// Starts an object, under a name that all nodes use for it. This node's part is `initial` at first.
    ///
    /// # Errors
    ///
    /// When the name is not one segment of a channel's name.
    #[doc(alias("OortObjectFactories", "newObject"))]
    #[expect(clippy::unused_async, reason = "it needs a runtime, and may have to wait one day")]
    pub async fn start(oort: &Oort, name: &str, initial: T) -> Result<Self, ObjectError> {
        Ok(Self(Arc::new(Engine::start(oort, name, initial)?)))
    }

    /// Replaces this node's part, and returns what it was. It is shared with the others from then on; that it
    /// got there is told by [`Shared::applied`].
    ///
    /// # Errors
    ///
    /// When the value has no JSON form or panics, or the object was stopped: nothing was changed then.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has changed nothing, or all.
    #[doc(alias = "setAndShare")]
    pub async fn set_and_share(&self, value: T) -> Result<Shared<T>, ShareError> {
        Ok(self.0.replace(value).await?.map(|old| T::clone(&old)))
    }

    /// Returns this node's part.
    pub fn get(&self) -> T {
        self.0.own().object().clone()
    }

    pub(crate) fn engine(&self) -> &Engine<Plain<T>> {
        &self.0
    }
}

impl<T: Shareable> Shape for Plain<T> {
    type Listener = Infallible;

    fn read(raw: &RawValue, malformed: &mut Option<Malformed>) -> Option<T> {
        wire::value(raw).map_err(|error| Malformed::note(malformed, String::new, &error)).ok()
    }

    fn read_change(
        _: Action,
        _: &RawValue,
        _: &mut Option<Malformed>,
    ) -> Result<Option<Infallible>, Unfit> {
        Err(Unfit)
    }

    fn write(object: &T) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(object)
    }

    async fn tell(listener: &Infallible, _: &Info<T>, _: &Infallible) {
        match *listener {}
    }

    async fn tell_difference(listener: &Infallible, _: &Info<T>, _: &Info<T>) {
        match *listener {}
    }
}

/// What all handles of objects have in common: `$object` is what their parts are.
macro_rules! common {
    ([$($generics:tt)*], $handle:ty, $object:ty) => {
        impl<$($generics)*> $handle {
            /// Returns the name.
            pub fn name(&self) -> &str {
                &self.0.inner.name
            }

            /// Returns the node.
            pub fn oort(&self) -> &Oort {
                &self.0.inner.oort
            }

            /// Returns the channel on which changes are shared, such as to make it lazy.
            ///
            /// # Errors
            ///
            /// When the server is over.
            #[doc(alias("configureChannel", "getChannelName"))]
            pub fn channel(&self) -> Result<Arc<Channel>, bayeux_api::ChannelIdError> {
                let name = self.0.inner.broadcast_channel.as_str();
                self.oort().server().create_channel_if_absent(name).map(|created| created.channel().clone())
            }

            /// Returns the part of the node with this URL, if it is known.
            #[doc(alias = "getInfo")]
            pub fn info(&self, url: &str) -> Option<Info<$object>> {
                self.0.info(url)
            }

            /// Returns this node's own part.
            pub fn own_info(&self) -> Info<$object> {
                self.0.own()
            }

            /// Returns all parts that are known, in the order of the nodes' ids.
            #[doc(alias("getInfos", "iterator"))]
            pub fn infos(&self) -> Vec<Info<$object>> {
                self.0.infos()
            }

            /// Makes one of all parts.
            pub fn merge<R>(&self, merger: impl Merger<$object, R>) -> R {
                merger.merge(&self.infos())
            }

            /// Adds a listener. It is not told of what is there already.
            pub fn add_listener(&self, listener: Arc<dyn OortObjectListener<$object>>) -> Registration {
                self.0.inner.listeners.add_told(Arc::new(Ear::Parts(listener)))
            }

            /// Returns what came and went so far.
            pub fn statistics(&self) -> ObjectStatistics {
                self.0.statistics()
            }
        }

        impl<$($generics)*> Clone for $handle {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<$($generics)*> fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use common;

common!([T: Shareable], OortObject<T>, T);

impl<T: Shareable + PartialEq> OortObject<T> {
    /// Returns the first part that is equal to `object`.
    #[doc(alias = "getInfoByObject")]
    pub fn info_by_object(&self, object: &T) -> Option<Info<T>> {
        self.infos().into_iter().find(|info| info.object() == object)
    }
}
