//! What is known of one node's part of an object.

use std::{fmt, sync::Arc};

use crate::Comet;

/// One node's part of an object, at one moment. Cheap to clone.
#[doc(alias = "OortObject.Info")]
pub struct Info<T> {
    comet: Comet,
    name: Arc<str>,
    object: Arc<T>,
    version: u64,
    is_local: bool,
}

impl<T> Info<T> {
    pub(crate) fn new(
        comet: &Comet,
        name: &Arc<str>,
        object: &Arc<T>,
        version: u64,
        is_local: bool,
    ) -> Self {
        Self { comet: comet.clone(), name: name.clone(), object: object.clone(), version, is_local }
    }

    /// Returns whose part it is.
    pub fn comet(&self) -> &Comet {
        &self.comet
    }

    /// Returns the address of the node whose part it is.
    #[doc(alias = "getOortURL")]
    pub fn url(&self) -> &str {
        self.comet.url()
    }

    /// Returns the name of the object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the part.
    pub fn object(&self) -> &T {
        &self.object
    }

    pub(crate) fn into_shared(self) -> Arc<T> {
        self.object
    }

    /// Returns how often the node had changed its part, from a start of its own.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns whether it is this node's own part.
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}

impl<T> Clone for Info<T> {
    fn clone(&self) -> Self {
        Self::new(&self.comet, &self.name, &self.object, self.version, self.is_local)
    }
}

impl<T> fmt::Debug for Info<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { comet, name, version, .. } = self;
        write!(f, "{name} of {comet:?} at version {version}")
    }
}
