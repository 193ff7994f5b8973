//! What a listener on a simulated node hears, and whether it may be so.

use std::collections::BTreeMap;

use bayeux_oort::Comet;

use crate::proto::{announcements::Change, tellings::Event, users::UserId};

#[derive(Debug, Default)]
pub(super) struct Witness {
    /// In which life of a node a user is on it, by the user and the node's URL.
    present: BTreeMap<(UserId, String), Comet>,
    pub(super) wrong: Option<String>,
}

impl Witness {
    /// Added and removed of a user and a node alternate, whatever lives the node has.
    pub(super) fn told(&mut self, event: &Event) {
        let key = (event.user.clone(), event.comet.url().to_owned());
        match event.change {
            Change::Added => {
                if let Some(before) = self.present.insert(key, event.comet.clone()) {
                    self.complain(format!("{event:?} while it was on {before:?}"));
                }
            }
            Change::Removed => {
                let before = self.present.remove(&key);
                if before.as_ref() != Some(&event.comet) {
                    self.complain(format!("{event:?} while it was on {before:?}"));
                }
            }
        }
    }

    /// Returns who is on a node, as far as it was told.
    pub(super) fn users_of(&self, comet: &Comet) -> Vec<UserId> {
        let there = self.present.iter().filter(|(_, on)| *on == comet);
        there.map(|((user, _), _)| user.clone()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.present.len()
    }

    pub(super) fn complain(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }
}
