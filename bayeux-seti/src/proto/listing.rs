//! A list of everybody here, part by part, under way to a node.

use std::time::{Duration, Instant};

use crate::proto::users::UserId;

/// A list that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// The last user that was looked at.
    after: Option<UserId>,
    /// Whether the last part is what goes now.
    is_last: bool,
    /// When the next part is due.
    part_at: Instant,
    /// Since when that waits for room.
    waits_since: Option<Instant>,
}

/// How much room there is for a part of a list on the way to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Room {
    Enough,
    /// What is on the way is more than it should be: one that has waited for a while goes all the same.
    Little,
    /// One more may be too much.
    None,
}

/// What is known of the way to a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) room: Room,
    /// How many bytes a part may have there, as JSON.
    pub(crate) most: usize,
    /// Whether the node surely hears what goes now: it may not have said yet that it hears what is for it alone.
    pub(crate) is_heard: bool,
}

impl Listing {
    pub(crate) fn new(now: Instant) -> Self {
        Self { after: None, is_last: false, part_at: now, waits_since: None }
    }

    /// Returns when the next part is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.part_at
    }

    /// Whether the last part is what goes now.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Returns after which user the next part begins, if there is one.
    pub(crate) fn part(&self) -> Option<Option<&str>> {
        (!self.is_last).then_some(self.after.as_deref())
    }

    /// A part goes now, which ends with this user, or is the last.
    pub(crate) fn goes(&mut self, until: Option<UserId>) {
        self.is_last = until.is_none();
        self.after = until;
        self.waits_since = None;
    }

    /// Returns whether the part that is due goes now, with so much room on its way. Else it is due again soon.
    pub(crate) fn finds(&mut self, room: Room, now: Instant) -> bool {
        let since = *self.waits_since.get_or_insert(now);
        let goes = match room {
            Room::Enough => true,
            Room::Little => now >= since + PATIENCE,
            Room::None => false,
        };
        if !goes {
            self.part_at = now + ROOM_EVERY;
        }
        goes
    }
}

/// How often it is looked whether there is room for the next part of a list, and for how long one waits for enough.
const ROOM_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests {
    use super::*;

    #[test]
    fn a_part_waits_for_room_and_not_for_ever_if_there_is_little() {
        let now = Instant::now();
        let mut listing = Listing::new(now);
        assert_eq!(listing.deadline(), now);
        assert!(!listing.finds(Room::Little, now) && !listing.finds(Room::None, now));
        let at = listing.deadline();
        assert!(at > now && listing.finds(Room::Enough, at));
        let later = now + PATIENCE;
        assert!(!listing.finds(Room::None, later) && listing.finds(Room::Little, later));
        listing.goes(Some("u".into()));
        assert_eq!(listing.part(), Some(Some("u")));
        // The next one waits by itself.
        assert!(!listing.finds(Room::Little, later));
        listing.goes(None);
        assert!(listing.is_last() && listing.part().is_none());
    }
}
