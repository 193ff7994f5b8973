//! The users: on which sessions of this node each is, and on which other nodes.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use crate::proto::few::Few;

/// The id of a user, which is there once however many places know it.
pub(crate) type UserId = Arc<str>;

/// The users that are known. A user's record has one entry for each session and each node; of each session there
/// is a record of its users. That is all the memory that an association takes.
#[derive(Debug)]
pub(crate) struct Users<S> {
    /// Those that are on this node, or announced to be: so a list looks at no others.
    here: BTreeMap<UserId, User<S>>,
    /// Those that are on other nodes alone, by the numbers of these.
    elsewhere: BTreeMap<UserId, Few<u32>>,
    by_session: BTreeMap<S, Few<UserId>>,
}

/// Where one user is.
#[derive(Debug)]
struct User<S> {
    sessions: Few<S>,
    /// The numbers of the nodes on which the user is, as far as that was told: by the others here, and by this one,
    /// which is [`OWN`], to the others. So that takes no room of its own.
    nodes: Few<u32>,
}

/// What became of something that was to be added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was so before.
    Nothing,
    /// There are others.
    Further,
    /// It is the first, or was the last, of this node.
    Edge(UserId),
}

impl<S: Ord + Clone> Users<S> {
    pub(crate) fn new() -> Self {
        let (here, elsewhere, by_session) = <_>::default();
        Self { here, elsewhere, by_session }
    }

    /// Adds a session of a user.
    pub(crate) fn associate(&mut self, user: &str, session: S) -> Step {
        let id = self.come_here(user);
        let record = self.here.get_mut(&id).expect("it is there by that");
        let is_first = record.sessions.is_empty();
        if !record.sessions.insert(session.clone()) {
            return Step::Nothing;
        }
        self.by_session.entry(session).or_default().insert(id.clone());
        if is_first { Step::Edge(id) } else { Step::Further }
    }

    /// Removes a session of a user. A record that is announced stays until that is taken back.
    pub(crate) fn disassociate(&mut self, user: &str, session: &S) -> Step {
        let Some((id, _)) = self.here.get_key_value(user) else { return Step::Nothing };
        let id = id.clone();
        let Some(record) = self.here.get_mut(user) else { return Step::Nothing };
        if !record.sessions.remove(session) {
            return Step::Nothing;
        }
        let is_last = record.sessions.is_empty();
        if let Some(users) = self.by_session.get_mut(session) {
            users.remove(&id);
            if users.is_empty() {
                self.by_session.remove(session);
            }
        }
        self.tidy(user);
        if is_last { Step::Edge(id) } else { Step::Further }
    }

    /// Returns the users of a session.
    pub(crate) fn of_session(&self, session: &S) -> Vec<UserId> {
        let users = self.by_session.get(session);
        users.map(|users| users.iter().cloned().collect()).unwrap_or_default()
    }

    /// Returns so many sessions that have users, after this one.
    pub(crate) fn sessions_after(&self, after: Option<&S>, count: usize) -> Vec<S> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let sessions = self.by_session.range((after, Bound::Unbounded));
        sessions.take(count).map(|(session, _)| session.clone()).collect()
    }

    /// Returns the sessions of a user on this node.
    pub(crate) fn sessions(&self, user: &str) -> Vec<S> {
        let user = self.here.get(user);
        user.map(|user| user.sessions.iter().cloned().collect()).unwrap_or_default()
    }

    /// Returns how many sessions a user has here, and on how many other nodes it is.
    pub(crate) fn counts(&self, user: &str) -> (usize, usize) {
        let sessions = self.here.get(user).map_or(0, |user| user.sessions.len());
        (sessions, self.others(user).count())
    }

    /// Returns the numbers of the other nodes on which a user is.
    pub(crate) fn nodes(&self, user: &str) -> Vec<u32> {
        self.others(user).collect()
    }

    /// Notes what the other nodes are told of a user now.
    pub(crate) fn announce(&mut self, user: &UserId, is_here: bool) {
        self.come_here(user);
        let record = self.here.get_mut(user).expect("it is there by that");
        match is_here {
            true => record.nodes.insert(OWN),
            false => record.nodes.remove(&OWN),
        };
        self.tidy(user);
    }

    /// Notes that a user is on another node. Returns the user's id if that is new.
    pub(crate) fn add_node(&mut self, user: &UserId, node: u32) -> Option<UserId> {
        if let Some((id, _)) = self.here.get_key_value(user) {
            let id = id.clone();
            let record = self.here.get_mut(user).expect("it is there");
            return record.nodes.insert(node).then_some(id);
        }
        let id = self.elsewhere.get_key_value(user).map_or(user, |(id, _)| id).clone();
        let is_new = self.elsewhere.entry(id.clone()).or_default().insert(node);
        is_new.then_some(id)
    }

    /// Notes that a user is no longer on another node.
    pub(crate) fn remove_node(&mut self, user: &str, node: u32) {
        if let Some(record) = self.here.get_mut(user) {
            record.nodes.remove(&node);
        } else if let Some(nodes) = self.elsewhere.get_mut(user) {
            nodes.remove(&node);
            if nodes.is_empty() {
                self.elsewhere.remove(user);
            }
        }
    }

    /// Returns those after a user that are announced, as many as have room in so many bytes of JSON, but one at
    /// least if there is one.
    pub(crate) fn announced(&self, after: Option<&str>, bytes: usize) -> Slice {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut users, mut room, mut last) = (Vec::new(), bytes, None);
        let records = self.here.range::<str, _>((start, Bound::Unbounded));
        for (count, (id, user)) in records.enumerate() {
            let is_announced = user.nodes.iter().any(|node| *node == OWN);
            let length = if is_announced { json_length(id) } else { 0 };
            if count >= LOOKS || (length > room && !users.is_empty()) {
                return Slice { users, until: last };
            }
            room = room.saturating_sub(length);
            last = Some(id.clone());
            if is_announced {
                users.push(id.clone());
            }
        }
        Slice { users, until: None }
    }

    /// Returns all users that are somewhere, in order.
    pub(crate) fn present(&self) -> Vec<UserId> {
        let is_present = |user: &&UserId| self.counts(user) != (0, 0);
        let here = self.here.keys().filter(is_present);
        let mut all: Vec<_> = here.chain(self.elsewhere.keys()).cloned().collect();
        all.sort();
        all
    }

    /// Returns all users that are here, in order.
    pub(crate) fn associated(&self) -> Vec<UserId> {
        let associated = self.here.iter().filter(|(_, user)| !user.sessions.is_empty());
        associated.map(|(id, _)| id.clone()).collect()
    }

    /// Returns the numbers of the other nodes on which a user is.
    fn others(&self, user: &str) -> impl Iterator<Item = u32> {
        let here = self.here.get(user).map(|user| &user.nodes);
        let nodes = here.or_else(|| self.elsewhere.get(user));
        nodes.into_iter().flat_map(Few::iter).copied().filter(|node| *node != OWN)
    }

    /// Makes the record of a user one of this node, and returns the user's id.
    fn come_here(&mut self, user: &str) -> UserId {
        if let Some((id, _)) = self.here.get_key_value(user) {
            return id.clone();
        }
        let (id, nodes) = match self.elsewhere.remove_entry(user) {
            Some(entry) => entry,
            None => (UserId::from(user), Few::None),
        };
        self.here.insert(id.clone(), User { sessions: Few::None, nodes });
        id
    }

    /// Forgets a user that is nowhere, and what is of this node of one that is elsewhere.
    fn tidy(&mut self, user: &str) {
        let is_of_here = |user: &User<S>| {
            !user.sessions.is_empty() || user.nodes.iter().any(|node| *node == OWN)
        };
        if self.here.get(user).is_none_or(is_of_here) {
            return;
        }
        if let Some((id, User { nodes, .. })) = self.here.remove_entry(user)
            && !nodes.is_empty()
        {
            self.elsewhere.insert(id, nodes);
        }
    }
}

/// Some of the users that are announced.
#[derive(Debug)]
pub(crate) struct Slice {
    /// In order.
    pub(crate) users: Vec<UserId>,
    /// Up to which user these are all, if there may be more.
    pub(crate) until: Option<UserId>,
}

/// Returns how long an id is as JSON, with what is between two.
pub(crate) fn json_length(user: &str) -> usize {
    let of = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    user.bytes().map(of).sum::<usize>() + 3
}

/// The number of this node. It is less than all others.
pub(crate) const OWN: u32 = 0;

/// At how many users is looked for a slice.
const LOOKS: usize = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_session_and_the_last_are_told_from_others() {
        let mut users = Users::new();
        assert_eq!(users.associate("u", 1), Step::Edge("u".into()));
        assert_eq!(users.associate("u", 1), Step::Nothing);
        assert_eq!(users.associate("u", 2), Step::Further);
        assert_eq!(users.disassociate("u", &3), Step::Nothing);
        assert_eq!(users.disassociate("u", &1), Step::Further);
        assert_eq!(users.disassociate("u", &2), Step::Edge("u".into()));
        assert_eq!(users.disassociate("u", &2), Step::Nothing);
        assert!(users.here.is_empty() && users.by_session.is_empty());
    }

    #[test]
    fn a_session_has_several_users() {
        let mut users = Users::new();
        users.associate("u", 1);
        users.associate("v", 1);
        users.disassociate("u", &1);
        assert_eq!(users.of_session(&1), ["v".into()]);
    }

    #[test]
    fn what_is_announced_is_remembered_until_it_is_taken_back() {
        let mut users = Users::new();
        let id = UserId::from("u");
        users.associate("u", 1);
        users.announce(&id, true);
        users.disassociate("u", &1);
        assert_eq!(users.announced(None, 10).users, std::slice::from_ref(&id));
        assert!(users.present().is_empty());
        users.announce(&id, false);
        assert!(users.here.is_empty());
    }

    #[test]
    fn who_is_announced_is_looked_up_in_pieces() {
        let mut users = Users::new();
        for number in 0..10 {
            let id = UserId::from(format!("u{number}"));
            users.associate(&id, number);
            users.announce(&id, number % 2 == 0);
        }
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let slice = users.announced(after.as_deref(), 10);
            assert!(slice.users.len() <= 2, "{slice:?}");
            found.extend(slice.users);
            after = slice.until;
            if after.is_none() {
                break;
            }
        }
        let even = [0, 2, 4, 6, 8].map(|number| UserId::from(format!("u{number}")));
        assert_eq!(found, even);
    }

    #[test]
    fn an_id_is_there_once() {
        let mut users = Users::new();
        users.associate("u", 1);
        let own = users.here.keys().next().unwrap().clone();
        let known = users.add_node(&UserId::from("u"), 7).unwrap();
        assert!(Arc::ptr_eq(&own, &known));
        assert!(users.add_node(&known, 7).is_none());
    }

    #[test]
    fn whoever_comes_and_goes_is_found_where_it_is() {
        let mut users = Users::new();
        let id = UserId::from("u");
        users.add_node(&id, 7);
        users.associate("u", 1);
        assert_eq!((users.counts("u"), users.present()), ((1, 1), vec![id.clone()]));
        users.add_node(&id, 8);
        users.disassociate("u", &1);
        assert_eq!((users.nodes("u"), users.present()), (vec![7, 8], vec![id.clone()]));
        assert!(users.here.is_empty() && users.announced(None, 10).users.is_empty());
        users.remove_node("u", 7);
        users.remove_node("u", 8);
        assert!(users.elsewhere.is_empty());
    }

    /// Those on other nodes are not looked at, and one that is longer than a slice is one of its own.
    #[test]
    fn a_slice_is_as_long_as_there_is_room() {
        let mut users = Users::new();
        for number in 0..20_000 {
            users.add_node(&UserId::from(format!("a{number}")), 7);
        }
        for user in ["b", "long", "c"] {
            users.associate(user, 1);
            users.announce(&user.into(), true);
        }
        let slice = |after, bytes| {
            let slice = users.announced(after, bytes);
            (slice.users.concat(), slice.until.map(|until| until.to_string()))
        };
        assert_eq!(slice(None, 8), ("bc".to_owned(), Some("c".to_owned())));
        assert_eq!(slice(Some("c"), 1), ("long".to_owned(), None));
        assert_eq!(slice(None, 1), ("b".to_owned(), Some("b".to_owned())));
        assert_eq!(slice(None, 15), ("bclong".to_owned(), None));
    }

    #[test]
    fn how_long_an_id_is_as_json_is_known_before() {
        let all: String = (0..300).filter_map(char::from_u32).collect();
        for id in ["", "u", "\"\\\n", &all] {
            let json = serde_json::to_string(id).unwrap();
            assert_eq!(json_length(id), json.len() + 1, "{id}");
        }
    }
}
