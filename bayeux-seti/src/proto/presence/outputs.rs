//! What goes to the other nodes, in its order.

use std::{mem, time::Instant};

use bayeux_oort::Comet;

use super::Presence;
use crate::proto::{
    announcements::{Announcement, Change},
    digest::Digest,
    node::{Duty, Node},
    users::Slice,
};

/// What goes to other nodes.
#[derive(Debug)]
pub(crate) enum Output {
    /// To all: users came, or went.
    Announce(Announcement),
    /// To one: everybody who is [announced](Presence::announced).
    List { to: Comet, digest: Digest },
    /// To one of ours: what all these come to.
    Check { to: Comet, digest: Digest },
    /// To one: it is to send its list.
    Ask(Comet),
}

impl<S: Ord + Clone> Presence<S> {
    /// An announcement did not get out.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.statistics.failed_broadcasts += 1;
        self.nodes.values_mut().for_each(|node| node.misses(now));
        self.is_due(now);
    }

    /// Returns what is to be sent next, if anything is.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Output> {
        if let Some(output) = self.duty(now) {
            return Some(output);
        }
        let announcement = self.announcements.take()?;
        for user in &announcement.users {
            let is_here = announcement.change == Change::Added;
            match is_here {
                true => self.announced.add(user),
                false => self.announced.remove(user),
            }
            self.users.announce(user, is_here);
        }
        self.statistics.announcements += 1;
        Some(Output::Announce(announcement))
    }

    /// Returns when [`next`](Self::next) has something that it does not have now, if nobody says anything.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Takes whether [`next`](Self::next) may have something earlier than it said.
    pub(crate) fn take_wakes(&mut self) -> bool {
        mem::take(&mut self.wakes)
    }

    /// Looks at so many users after one, and returns those of the list.
    pub(crate) fn announced(&self, after: Option<&str>, count: usize) -> Option<Slice> {
        self.users.announced(after, count)
    }

    pub(super) fn is_due(&mut self, at: Instant) {
        if self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            self.wakes = true;
        }
    }

    /// Returns what a node is owed now.
    fn duty(&mut self, now: Instant) -> Option<Output> {
        self.due.filter(|due| *due <= now)?;
        let digest = self.announced;
        for node in self.nodes.values_mut() {
            let Some(duty) = node.duty(now) else { continue };
            let to = node.comet.clone();
            return Some(match duty {
                Duty::Ask => Output::Ask(to),
                Duty::Check => Output::Check { to, digest },
                Duty::List => {
                    self.statistics.lists += 1;
                    Output::List { to, digest }
                }
            });
        }
        self.due = self.nodes.values().filter_map(Node::deadline).min();
        None
    }
}
