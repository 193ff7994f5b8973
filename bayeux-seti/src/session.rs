//! A session of this node, as presence has it.

use std::{cmp::Ordering, fmt, sync::Arc};

use bayeux_api::server::ServerSession;

/// A session, by its id. It is at hand when a message is to be delivered to it.
#[derive(Clone)]
pub(crate) struct Local(pub(crate) Arc<dyn ServerSession>);

impl Ord for Local {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id().cmp(other.0.id())
    }
}

impl PartialOrd for Local {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Local {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for Local {}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id())
    }
}
