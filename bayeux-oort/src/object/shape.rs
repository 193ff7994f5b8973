//! What kinds of objects have in common beside their rules: how they are written, read and told of.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    object::{Info, Malformed},
    proto::{kind::Kind, wire::Action},
};

/// What can be shared: anything that is written as JSON and read from it.
pub trait Shareable: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Shareable for T {}

/// A kind of objects.
pub(crate) trait Shape: Kind {
    /// Who hears of changes of less than a whole.
    type Listener: Send + Sync + ?Sized + 'static;

    /// Reads a part, as far as it can be read.
    fn read(raw: &RawValue, malformed: &mut Option<Malformed>) -> Option<Self::Object>;

    /// Reads a change, if it can be read.
    fn read_change(
        action: Action,
        raw: &RawValue,
        malformed: &mut Option<Malformed>,
    ) -> Result<Option<Self::Change>, Unfit>;

    /// Writes a part.
    fn write(object: &Self::Object) -> Result<Box<RawValue>, serde_json::Error>;

    /// Tells a listener of a change.
    fn tell<'a>(
        listener: &'a Self::Listener,
        info: &'a Info<Self::Object>,
        effect: &'a Self::Effect,
    ) -> impl Future<Output = ()> + Send + 'a;

    /// Tells a listener of all that is different.
    fn tell_difference<'a>(
        listener: &'a Self::Listener,
        old: &'a Info<Self::Object>,
        new: &'a Info<Self::Object>,
    ) -> impl Future<Output = ()> + Send + 'a;
}

/// An action, or the form of what it is done with, is not one of the object's kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unfit;
