//! What an application hangs on a session or a channel.

use std::{any::Any, collections::BTreeMap, fmt, sync::Arc};

/// One value of an application's own type.
pub type Attribute = Arc<dyn Any + Send + Sync>;

/// Values by name.
#[derive(Default)]
pub struct Attributes(BTreeMap<String, Attribute>);

impl Attributes {
    /// Returns the value of this name.
    #[doc(alias = "getAttribute")]
    pub fn get(&self, name: &str) -> Option<Attribute> {
        self.0.get(name).cloned()
    }

    /// Sets the value of this name and returns the one it had.
    #[doc(alias = "setAttribute")]
    pub fn set(&mut self, name: &str, value: Attribute) -> Option<Attribute> {
        self.0.insert(name.to_owned(), value)
    }

    /// Removes the value of this name and returns it.
    #[doc(alias = "removeAttribute")]
    pub fn remove(&mut self, name: &str) -> Option<Attribute> {
        self.0.remove(name)
    }

    /// Returns the names, sorted.
    #[doc(alias = "getAttributeNames")]
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
