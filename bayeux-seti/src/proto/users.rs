//! The users: on which sessions of this node each is, and on which other nodes.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use crate::proto::few::Few;

/// The id of a user, which is there once however many places know it.
pub(crate) type UserId = Arc<str>;

/// The users that are known. A user's record has one entry for each session and each node; of each session there
/// is a record of its users. That is all the memory that an association takes.
#[derive(Debug)]
pub(crate) struct Users<S> {
    all: BTreeMap<UserId, User<S>>,
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
        Self { all: BTreeMap::new(), by_session: BTreeMap::new() }
    }

    /// Adds a session of a user.
    pub(crate) fn associate(&mut self, user: &str, session: S) -> Step {
        let id = match self.all.get_key_value(user) {
            Some((id, _)) => id.clone(),
            None => UserId::from(user),
        };
        let record = self.all.entry(id.clone()).or_default();
        let is_first = record.sessions.is_empty();
        if !record.sessions.insert(session.clone()) {
            return Step::Nothing;
        }
        self.by_session.entry(session).or_default().insert(id.clone());
        if is_first { Step::Edge(id) } else { Step::Further }
    }

    /// Removes a session of a user. A record that is announced stays until that is taken back.
    pub(crate) fn disassociate(&mut self, user: &str, session: &S) -> Step {
        let Some((id, _)) = self.all.get_key_value(user) else { return Step::Nothing };
        let id = id.clone();
        let Some(record) = self.all.get_mut(user) else { return Step::Nothing };
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

    /// Returns the sessions of a user on this node.
    pub(crate) fn sessions(&self, user: &str) -> Vec<S> {
        let user = self.all.get(user);
        user.map(|user| user.sessions.iter().cloned().collect()).unwrap_or_default()
    }

    /// Returns how many sessions a user has here, and on how many other nodes it is.
    pub(crate) fn counts(&self, user: &str) -> (usize, usize) {
        let user = self.all.get(user);
        user.map_or((0, 0), |user| (user.sessions.len(), user.others().count()))
    }

    /// Returns the numbers of the other nodes on which a user is.
    pub(crate) fn nodes(&self, user: &str) -> Vec<u32> {
        let user = self.all.get(user);
        user.map(|user| user.others().collect()).unwrap_or_default()
    }

    /// Notes what the other nodes are told of a user now.
    pub(crate) fn announce(&mut self, user: &UserId, is_here: bool) {
        let record = self.all.entry(user.clone()).or_default();
        match is_here {
            true => record.nodes.insert(OWN),
            false => record.nodes.remove(&OWN),
        };
        self.tidy(user);
    }

    /// Notes that a user is on another node. Returns the user's id if that is new.
    pub(crate) fn add_node(&mut self, user: &UserId, node: u32) -> Option<UserId> {
        let id = self.all.get_key_value(user).map_or(user, |(id, _)| id).clone();
        let is_new = self.all.entry(id.clone()).or_default().nodes.insert(node);
        is_new.then_some(id)
    }

    /// Notes that a user is no longer on another node.
    pub(crate) fn remove_node(&mut self, user: &str, node: u32) {
        if let Some(record) = self.all.get_mut(user) {
            record.nodes.remove(&node);
        }
        self.tidy(user);
    }

    /// Looks at so many users after one, and returns those that are announced, and the last that was looked at;
    /// none when there is none.
    pub(crate) fn announced(&self, after: Option<&str>, count: usize) -> Option<Slice> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut slice = self.all.range::<str, _>((start, Bound::Unbounded)).take(count).peekable();
        slice.peek()?;
        let (mut users, mut last) = (Vec::new(), None);
        for (id, user) in slice {
            last = Some(id);
            if user.nodes.iter().any(|node| *node == OWN) {
                users.push(id.clone());
            }
        }
        Some(Slice { users, last: last?.clone() })
    }

    /// Returns all users that are somewhere.
    pub(crate) fn present(&self) -> Vec<UserId> {
        self.ids(|user| !user.sessions.is_empty() || user.others().next().is_some())
    }

    /// Returns all users that are here.
    pub(crate) fn associated(&self) -> Vec<UserId> {
        self.ids(|user| !user.sessions.is_empty())
    }

    fn ids(&self, is_wanted: impl Fn(&User<S>) -> bool) -> Vec<UserId> {
        let wanted = self.all.iter().filter(|(_, user)| is_wanted(user));
        wanted.map(|(id, _)| id.clone()).collect()
    }

    /// Forgets a user that is nowhere.
    fn tidy(&mut self, user: &str) {
        let is_nowhere = |user: &User<S>| user.sessions.is_empty() && user.nodes.is_empty();
        if self.all.get(user).is_some_and(is_nowhere) {
            self.all.remove(user);
        }
    }
}

impl<S> User<S> {
    fn others(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().copied().filter(|node| *node != OWN)
    }
}

/// Some of the users that are announced.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) users: Vec<UserId>,
    pub(crate) last: UserId,
}

impl<S> Default for User<S> {
    fn default() -> Self {
        Self { sessions: Few::None, nodes: Few::None }
    }
}

/// The number of this node. It is less than all others.
pub(crate) const OWN: u32 = 0;

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
        assert!(users.all.is_empty() && users.by_session.is_empty());
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
        assert_eq!(users.announced(None, 10).unwrap().users, std::slice::from_ref(&id));
        assert!(users.present().is_empty());
        users.announce(&id, false);
        assert!(users.all.is_empty());
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
        while let Some(slice) = users.announced(after.as_deref(), 3) {
            found.extend(slice.users);
            after = Some(slice.last);
        }
        let even = [0, 2, 4, 6, 8].map(|number| UserId::from(format!("u{number}")));
        assert_eq!(found, even);
    }

    #[test]
    fn an_id_is_there_once() {
        let mut users = Users::new();
        users.associate("u", 1);
        let own = users.all.keys().next().unwrap().clone();
        let known = users.add_node(&UserId::from("u"), 7).unwrap();
        assert!(Arc::ptr_eq(&own, &known));
        assert!(users.add_node(&known, 7).is_none());
    }
}
