//! What an application hears of users who come and go.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_oort::Comet;

/// Hears of users, on this node and on all others, from when it was added. Of each user and node added and removed are
/// told in turn, beginning with added, or with removed of who was there already, and one thing after the other.
///
/// A listener may wait. It holds up nothing but what is still to be told to it and to the other listeners; when that
/// becomes too much, somebody who came and went again, or went and came again, may be left out. One that is removed
/// while it waits holds up nobody: what it does ends there.
#[async_trait]
#[doc(alias = "Seti.PresenceListener")]
pub trait PresenceListener: Send + Sync + fmt::Debug {
    /// A user has come to a node: by a first session there.
    #[doc(alias = "presenceAdded")]
    async fn added(&self, _presence: &Presence) {}

    /// A user has gone from a node: with the last session there, or with the node.
    #[doc(alias = "presenceRemoved")]
    async fn removed(&self, _presence: &Presence) {}
}

/// A user on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "Seti.PresenceListener.Event")]
pub struct Presence {
    pub(crate) user: Arc<str>,
    pub(crate) comet: Comet,
    pub(crate) is_local: bool,
}

impl Presence {
    /// Returns the user's id.
    #[doc(alias = "getUserId")]
    pub fn user_id(&self) -> &str {
        &self.user
    }

    /// Returns the node.
    pub fn comet(&self) -> &Comet {
        &self.comet
    }

    /// Returns under which address other nodes reach the node.
    #[doc(alias("getOortURL", "getURL"))]
    pub fn url(&self) -> &str {
        self.comet.url()
    }

    /// Returns whether it is this node.
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}
