//! What the client is subscribed to: the first subscriber of a channel asks the server, the last one
//! that goes tells it, and those between wait with the first or have it at once.

use std::collections::{BTreeMap, BTreeSet};

/// The subscribers of each channel; `T` is whoever waits for the server's reply.
#[derive(Debug)]
pub(crate) struct Subscriptions<T>(BTreeMap<String, Subscription<T>>);

#[derive(Debug)]
struct Subscription<T> {
    members: BTreeSet<u64>,
    /// Who waits for the server's reply.
    waiting: Vec<T>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Nothing has been sent yet.
    New,
    /// The request of this id has no reply yet.
    Asked(u64),
    /// The server has it.
    Held,
    /// It is to be made again: the session that had it or was to have it is over, or nobody knows whether
    /// the server has it.
    Lost,
    /// It is made again, and the request of this id has no reply yet.
    AskedAgain(u64),
}

/// What a new subscriber has to do.
#[derive(Debug)]
pub(crate) enum Joined<T> {
    /// Ask the server, and then call [`Subscriptions::asked`].
    Ask(T),
    /// Wait with the first.
    Wait,
    /// Nothing: the channel is subscribed to.
    Held(T),
}

impl<T> Subscriptions<T> {
    pub(crate) fn join(&mut self, channel: &str, member: u64, waiter: T) -> Joined<T> {
        let entry = self.0.entry(channel.to_owned()).or_insert_with(Subscription::new);
        entry.members.insert(member);
        match entry.step {
            Step::New | Step::Lost => Joined::Ask(waiter),
            Step::Asked(_) | Step::AskedAgain(_) => {
                entry.waiting.push(waiter);
                Joined::Wait
            }
            Step::Held => Joined::Held(waiter),
        }
    }

    /// Notes the request that asks for `channel`, and who waits for its reply.
    pub(crate) fn asked(&mut self, channel: &str, request: u64, waiter: Option<T>) {
        if let Some(entry) = self.0.get_mut(channel) {
            entry.waiting.extend(waiter);
            entry.step = match entry.step {
                Step::New | Step::Asked(_) => Step::Asked(request),
                Step::Held | Step::Lost | Step::AskedAgain(_) => Step::AskedAgain(request),
            };
        }
    }

    /// The server agreed to `request`. Returns who waits for that.
    pub(crate) fn granted(&mut self, channel: &str, request: u64) -> Vec<T> {
        match self.0.get_mut(channel) {
            Some(entry) if entry.is_asked_by(request) => {
                entry.step = Step::Held;
                std::mem::take(&mut entry.waiting)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Takes who waits for `request`, which may still be answered.
    pub(crate) fn take_waiting(&mut self, channel: &str, request: u64) -> Vec<T> {
        match self.0.get_mut(channel) {
            Some(entry) if entry.is_asked_by(request) => std::mem::take(&mut entry.waiting),
            Some(_) | None => Vec::new(),
        }
    }

    /// `request` failed, so nobody is subscribed. Returns who waits for it, if it is the last.
    pub(crate) fn refused(&mut self, channel: &str, request: u64) -> Option<Vec<T>> {
        self.0.get(channel).filter(|entry| entry.is_asked_by(request))?;
        self.remove(channel)
    }

    /// Returns whether `request` is to make a subscription again.
    pub(crate) fn is_renewal(&self, channel: &str, request: u64) -> bool {
        let step = self.0.get(channel).map(|entry| &entry.step);
        matches!(step, Some(Step::AskedAgain(asked)) if *asked == request)
    }

    /// What `request` got counts for nothing: the subscription is to be made once more, and who waits does so
    /// still.
    pub(crate) fn lost(&mut self, channel: &str, request: u64) {
        if let Some(entry) = self.0.get_mut(channel).filter(|entry| entry.is_asked_by(request)) {
            entry.step = Step::Lost;
        }
    }

    /// If `request` fails, it is not made once more.
    pub(crate) fn is_last(&mut self, channel: &str, request: u64) {
        if let Some(entry) = self.0.get_mut(channel).filter(|entry| entry.is_asked_by(request)) {
            entry.step = Step::Asked(request);
        }
    }

    /// Returns the channels to be asked for once more.
    pub(crate) fn all_lost(&self) -> Vec<String> {
        let lost = self.0.iter().filter(|(_, entry)| matches!(entry.step, Step::Lost));
        lost.map(|(channel, _)| channel.clone()).collect()
    }

    /// A subscriber goes. Returns whether it was the last, and who still waited.
    pub(crate) fn leave(&mut self, channel: &str, member: u64) -> Option<Vec<T>> {
        let entry = self.0.get_mut(channel)?;
        if !entry.members.remove(&member) || !entry.members.is_empty() {
            return None;
        }
        self.remove(channel)
    }

    /// Returns whether this subscriber is one of the channel's.
    pub(crate) fn has(&self, channel: &str, member: u64) -> bool {
        self.0.get(channel).is_some_and(|entry| entry.members.contains(&member))
    }

    /// All subscribers of a channel go. Returns who still waited.
    pub(crate) fn remove(&mut self, channel: &str) -> Option<Vec<T>> {
        self.0.remove(channel).map(|entry| entry.waiting)
    }

    /// Returns the channels that the server had, or was to have in a session that is over.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = self.0.iter().filter(|(_, entry)| matches!(entry.step, Step::Held | Step::Lost));
        held.map(|(channel, _)| channel.clone()).collect()
    }

    /// Returns all channels.
    pub(crate) fn channels(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl<T> Subscription<T> {
    fn new() -> Self {
        Self { members: BTreeSet::new(), waiting: Vec::new(), step: Step::New }
    }

    fn is_asked_by(&self, request: u64) -> bool {
        matches!(self.step, Step::Asked(asked) | Step::AskedAgain(asked) if asked == request)
    }
}

impl<T> Default for Subscriptions<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_before_the_reply_waits_with_the_first() {
        let mut subscriptions = Subscriptions::default();
        assert!(matches!(subscriptions.join("/a", 1, 'x'), Joined::Ask('x')));
        subscriptions.asked("/a", 7, Some('x'));
        assert!(matches!(subscriptions.join("/a", 2, 'y'), Joined::Wait));
        assert_eq!(subscriptions.granted("/a", 7), ['x', 'y']);
        assert!(matches!(subscriptions.join("/a", 3, 'z'), Joined::Held('z')));
        assert!(subscriptions.leave("/a", 1).is_none());
        assert!(subscriptions.leave("/a", 2).is_none());
        assert!(subscriptions.leave("/a", 3).is_some());
    }

    #[test]
    fn a_late_reply_says_nothing_of_a_newer_request() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.join("/a", 1, 'x');
        subscriptions.asked("/a", 7, Some('x'));
        assert_eq!(subscriptions.leave("/a", 1), Some(vec!['x']));
        subscriptions.join("/a", 2, 'y');
        subscriptions.asked("/a", 8, Some('y'));
        assert!(subscriptions.granted("/a", 7).is_empty());
        assert!(subscriptions.refused("/a", 7).is_none());
        assert_eq!(subscriptions.refused("/a", 8), Some(vec!['y']));
        assert!(subscriptions.channels().is_empty());
    }
}
