//! What goes to the other nodes, in its order: announcements and what single nodes are owed by turns, and of the nodes
//! each in its turn, so that none holds up the others.

use std::{mem, ops::Bound, time::Instant};

use bayeux_oort::Comet;

use super::Presence;
use crate::proto::{
    announcements::{Announcement, Change},
    digest::Digest,
    listing::Way,
    node::{Duty, Node},
    users::{Slice, UserId},
};

/// What goes to other nodes.
#[derive(Debug)]
pub(crate) enum Output {
    /// To all: users came, or went.
    Announce(Announcement),
    /// To one: the next [part](Presence::part) of the list of all that are announced, if there is room for it.
    List(Comet),
    /// To one of ours: what all these come to.
    Check { to: Comet, digest: Digest },
    /// To one: it is to send its list.
    Ask(Comet),
}

/// A part of a list.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// All that are announced of the range.
    pub(crate) users: Vec<UserId>,
    pub(crate) range: Range,
    /// Whether it takes the place of all that the node knows, if that is none of ours.
    pub(crate) replaces: bool,
}

/// The users after one and up to one, as far as there are such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) after: Option<UserId>,
    pub(crate) until: Option<UserId>,
}

/// How much of a list is in one message, and of what happened to users: so many bytes of their ids as JSON. A node of
/// CometD's may take no more than 64 KiB in one message, of which something is left for what else is in it.
pub(crate) const MUCH: usize = 32 * 1024;

impl<S: Ord + Clone> Presence<S> {
    /// Something did not get out: what was for one node, or for all.
    pub(crate) fn lost(&mut self, to: Option<&Comet>, now: Instant) {
        self.statistics.failed_broadcasts += 1;
        match to {
            Some(comet) => self.attend(comet, |node| node.loses(now)),
            None => self.nodes.values_mut().for_each(|node| node.misses(now)),
        }
        self.is_due(now);
    }

    /// Returns what is to be sent next, if anything is. What was before has gone.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Output> {
        if let Some(node) = self.going.take().and_then(|number| self.nodes.get_mut(&number)) {
            node.went(now);
        }
        if mem::take(&mut self.is_turn_of_all)
            && let Some(announcement) = self.announcement()
        {
            return Some(announcement);
        }
        let duty = self.duty(now);
        self.is_turn_of_all = duty.is_some();
        duty.or_else(|| self.announcement())
    }

    /// Takes the next part of the list that is under way to a node, if there is room for it on the way there. Else
    /// it waits.
    pub(crate) fn part(&mut self, to: &Comet, way: Way, now: Instant) -> Option<Part> {
        let mut goes = false;
        self.attend(to, |node| goes = node.finds(way.room, now));
        let number = *self.numbers.get(to.id()).filter(|_| goes)?;
        let node = self.nodes.get_mut(&number)?;
        let after = node.part()?.map(UserId::from);
        let much = self.much.min(way.most);
        let Slice { users, until } = self.users.announced(after.as_deref(), much);
        let replaces = after.is_none() && (until.is_none() || node.is_to_forget());
        if replaces && way.is_heard {
            node.hears();
        }
        node.goes(until.clone());
        self.going = Some(number);
        self.statistics.lists += u64::from(after.is_none());
        Some(Part { users, range: Range { after, until }, replaces })
    }

    /// Returns when [`next`](Self::next) has something that it does not have now, if nobody says anything.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Takes whether [`next`](Self::next) may have something earlier than it said.
    pub(crate) fn take_wakes(&mut self) -> bool {
        mem::take(&mut self.wakes)
    }

    pub(super) fn is_due(&mut self, at: Instant) {
        if self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            self.wakes = true;
        }
    }

    fn announcement(&mut self) -> Option<Output> {
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

    /// Returns what the next node is owed that is owed something now.
    fn duty(&mut self, now: Instant) -> Option<Output> {
        self.due.filter(|due| *due <= now)?;
        let is_owed = |node: &Node| node.deadline().is_some_and(|at| at <= now);
        let others = self.nodes.range((Bound::Excluded(self.turn), Bound::Unbounded));
        let mut others = others.chain(self.nodes.range(..=self.turn));
        let next = others.find(|(_, node)| is_owed(node)).map(|(number, _)| *number);
        let Some(node) = next.and_then(|number| self.nodes.get_mut(&number)) else {
            self.due = self.nodes.values().filter_map(Node::deadline).min();
            return None;
        };
        self.turn = next.unwrap_or(self.turn);
        let to = node.comet.clone();
        Some(match node.duty(now)? {
            Duty::Ask => Output::Ask(to),
            Duty::Check => Output::Check { to, digest: self.announced },
            Duty::List => Output::List(to),
        })
    }
}
