//! What a simulated node says and hears of users.

use std::time::{Duration, Instant};

use bayeux_oort::Comet;
use bayeux_sim::Place;

use super::{Member, Mistake, World, mesh::PING};
use crate::proto::{
    announcements::Change,
    listing::{Room, Way},
    presence::{Output, Part},
    simulation::wire::Packet,
    users::UserId,
    wire::Said,
};

impl Member {
    pub(super) fn hand_over(&mut self, place: Place, now: Instant) {
        let other = self.others.get_mut(&place).expect("it is one");
        let Some(joined) = other.joined.clone() else { return };
        // What another life of it said is over.
        let said: Vec<_> = other.early.drain(..).filter(|(from, _)| *from == joined).collect();
        for (_, said) in said {
            self.hear(&joined, said, now);
        }
    }

    fn hear(&mut self, from: &Comet, mut said: Said, now: Instant) {
        if self.settings.mistake != Mistake::NoSweep {
            while self.presence.sweep(2) {}
        }
        if self.settings.is_cometds {
            if said.is_check() {
                self.witness.complain(format!("{from:?} sent a check to one of CometD's"));
            }
            // It takes no notice of what is for ours.
            (said.digest, said.range) = (None, None);
        }
        if self.settings.mistake == Mistake::NoReplacement {
            (said.replaces, said.range) = (false, None);
        }
        let Some(mut hearing) = self.presence.said(from, said, now) else { return };
        while !hearing.is_done() {
            self.presence.hear_more(&mut hearing, 2);
        }
    }

    /// Sends one thing, if there is any.
    pub(super) fn send(&mut self, world: World<'_, '_>) {
        self.send_at = None;
        let Some(output) = self.presence.next(world.now()) else {
            let overtaken = self.overtaken.take();
            return self.broadcast(overtaken, world);
        };
        self.send_at = Some(world.now() + world.random().between(Duration::ZERO, PING / 10));
        match output {
            Output::Announce(one) => {
                let said = say(one.users.into_iter().collect(), one.change);
                if self.settings.mistake == Mistake::Race && world.random().happens(200) {
                    let before = self.overtaken.replace(said);
                    return self.broadcast(before, world);
                }
                self.broadcast(Some(said), world);
                let overtaken = self.overtaken.take();
                self.broadcast(overtaken, world);
            }
            Output::List(to) => self.send_part(&to, world),
            Output::Check { to, digest } => {
                let is_made = !matches!(
                    self.settings.mistake,
                    Mistake::NoCheck | Mistake::Race | Mistake::StaleParts
                );
                let check = Said { digest: Some(digest), ..say(Vec::new(), Change::Added) };
                if is_made {
                    self.send_to(&to, &check, world);
                }
            }
            Output::Ask(to) => {
                let ask = Said { asks: true, ..say(Vec::new(), Change::Added) };
                if self.settings.mistake != Mistake::NoAsk {
                    self.send_to(&to, &ask, world);
                }
            }
        }
    }

    fn send_part(&mut self, to: &Comet, world: World<'_, '_>) {
        let rooms = [Room::Enough, Room::Enough, Room::Little, Room::None];
        let room = *world.random().pick(&rooms).expect("there are some");
        let mut sessions = self.others.values().filter_map(|other| other.session.as_ref());
        let is_heard = sessions.any(|session| session.comet.as_ref() == Some(to));
        let way = Way { room, most: usize::MAX, is_heard };
        let part = self.presence.part(to, way, world.now());
        let Some(Part { mut users, range, replaces }) = part else { return };
        let is_first = range.after.is_none();
        if self.settings.mistake == Mistake::StaleParts {
            if is_first {
                self.stale.insert(to.clone(), self.presence.all_announced());
            }
            let is_of = |user: &&UserId| {
                range.after.as_ref().is_none_or(|after| *user > after)
                    && range.until.as_ref().is_none_or(|until| *user <= until)
            };
            let stale = self.stale.get(to).into_iter().flatten();
            users = stale.filter(is_of).cloned().collect();
        }
        let mut part = Said { replaces, ..say(users, Change::Added) };
        if self.settings.mistake == Mistake::PartsReplace {
            part.replaces = true;
        } else if self.settings.mistake == Mistake::ReplacesOnce && replaces {
            part.replaces = self.replaced.insert(to.clone());
        }
        if self.settings.mistake == Mistake::PartsReplace {
            // It is of no range.
        } else if self.settings.is_cometds {
            part.asks = self.settings.mistake != Mistake::NoAsk;
        } else {
            part.range = Some(range);
        }
        self.send_to(to, &part, world);
    }

    fn broadcast(&mut self, said: Option<Said>, world: World<'_, '_>) {
        let Some(said) = said else { return };
        let all: Vec<_> = self
            .others
            .values()
            .filter_map(|other| other.session.as_ref()?.comet.clone())
            .collect();
        all.iter().for_each(|to| self.send_to(to, &said, world));
    }

    fn send_to(&self, to: &Comet, said: &Said, world: World<'_, '_>) {
        for (place, other) in &self.others {
            let Some(session) = &other.session else { continue };
            let is_ours = !self.settings.is_cometds && !self.settings.cometds.contains(place);
            let loss = if is_ours { self.settings.loss } else { 0 };
            if session.comet.as_ref() == Some(to) && !world.random().happens(loss) {
                world.send(session.stream, Packet::Said(said.clone()));
            }
        }
    }
}

fn say(users: Vec<UserId>, change: Change) -> Said {
    let (misfits, digest, range) = <_>::default();
    Said { users, misfits, change, replaces: false, asks: false, digest, range }
}
