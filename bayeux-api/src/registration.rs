//! What adding a listener or an extension gives back.

use std::fmt;

/// Takes back what was added when it is dropped. [`keep`](Self::keep) leaves it for good.
#[must_use = "dropping a registration takes back what was added; call keep() to leave it"]
pub struct Registration(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Registration {
    /// Makes a registration that runs `remove` when it is dropped.
    pub fn new(remove: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(remove)))
    }

    /// Leaves what was added for as long as its subject lives.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(remove) = self.0.take() {
            remove();
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration")
    }
}
