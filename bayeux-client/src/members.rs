//! The channels of a client, and who listens on each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bayeux_api::{Attributes, ChannelId, client::MessageListener, implement::Listeners};

/// The channels that were asked for, by name.
#[derive(Default)]
pub(crate) struct Channels {
    by_name: HashMap<Arc<str>, Arc<Members>>,
    /// How many of them are wild: mostly none, and then no message has to look for any.
    wilds: usize,
}

impl Channels {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn has_wilds(&self) -> bool {
        self.wilds > 0
    }

    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.by_name.keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Members>> {
        self.by_name.get(name).cloned()
    }

    pub(crate) fn get_or_add(&mut self, id: ChannelId) -> Arc<Members> {
        if let Some(members) = self.get(id.as_str()) {
            return members;
        }
        self.wilds += usize::from(id.is_wild());
        let name = id.name().clone();
        let members = Arc::new(Members::new(id));
        self.by_name.insert(name, members.clone());
        members
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(members) = self.by_name.remove(name) {
            self.wilds -= usize::from(members.id.is_wild());
        }
    }
}

/// Who listens on a channel.
pub(crate) struct Members {
    pub(crate) id: ChannelId,
    pub(crate) listeners: Listeners<dyn MessageListener>,
    pub(crate) subscribers: Listeners<Subscriber>,
    pub(crate) attributes: Mutex<Attributes>,
}

/// A subscriber, and its number in the machine.
pub(crate) struct Subscriber {
    pub(crate) member: u64,
    pub(crate) listener: Arc<dyn MessageListener>,
}

impl Members {
    fn new(id: ChannelId) -> Self {
        Self {
            id,
            listeners: Listeners::default(),
            subscribers: Listeners::default(),
            attributes: Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_channels_are_counted_once_each() {
        let mut channels = Channels::default();
        let id = |name| ChannelId::new(name).unwrap();
        channels.get_or_add(id("/a"));
        assert!(!channels.has_wilds());
        for name in ["/a/*", "/**", "/**"] {
            channels.get_or_add(id(name));
        }
        for name in ["/**", "/**", "/b/*"] {
            channels.remove(name);
        }
        assert!(channels.has_wilds());
        channels.remove("/a/*");
        assert!(!channels.has_wilds() && !channels.is_empty());
    }
}
