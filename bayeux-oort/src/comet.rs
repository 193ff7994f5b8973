//! A comet: one node of a cloud, from its start to its end.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A node of a cloud: a server in one life of it. Cheap to clone.
///
/// Two are the same if they have the same [id](Self::id), which is drawn anew at each start. The
/// [URL](Self::url) is only where the node says that it can be reached: one that starts again has another
/// id and the same URL.
#[derive(Clone)]
#[doc(alias = "CometListener.Event")]
pub struct Comet(Arc<Parts>);

struct Parts {
    id: String,
    url: String,
}

impl Comet {
    /// Makes the name of a node.
    pub fn new(id: impl Into<String>, url: impl Into<String>) -> Self {
        Self(Arc::new(Parts { id: id.into(), url: url.into() }))
    }

    /// Returns what the node drew at its start: its incarnation.
    #[doc(alias("getCometId", "oortId"))]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns under which address the other nodes reach it, as it says itself.
    #[doc(alias("getCometURL", "oortURL"))]
    pub fn url(&self) -> &str {
        &self.0.url
    }
}

impl PartialEq for Comet {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Comet {}

impl PartialOrd for Comet {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Comet {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl Hash for Comet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Comet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.url, self.0.id)
    }
}
