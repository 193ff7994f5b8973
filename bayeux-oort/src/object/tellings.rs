//! What the listeners of an object are still to be told: in order for each node, and never more than so much.

use std::collections::{BTreeMap, VecDeque};

use bayeux_api::implement::{Audience, Hearers};

use crate::{
    Comet,
    object::{Info, Malformed},
    proto::{kind::Kind, object::Event},
};

/// What waits. When it is too much, what follows of a node is summed up: when there is much of all nodes, or when
/// there are some parts of the one that have little in common, of which each may be large. What is summed up is for the
/// same listeners: one that was added in the midst of it would be told of what was there.
pub(crate) struct Tellings<K: Kind> {
    waiting: VecDeque<(Telling<K>, Hearers)>,
    /// Each node's part after the last that was noted of it, by its id.
    last: BTreeMap<String, Info<K::Object>>,
    /// How many parts of each node wait that have little in common, by its id.
    anew: BTreeMap<String, usize>,
    most: usize,
}

/// One thing to be told.
pub(crate) enum Telling<K: Kind> {
    Event(Event<K>),
    Sum(Sum<K>),
    Malformed(Comet, Malformed),
}

/// Several changes of a part: before them and after them.
pub(crate) struct Sum<K: Kind> {
    pub(crate) old: Info<K::Object>,
    /// None when the node has left.
    pub(crate) new: Option<Info<K::Object>>,
    /// Whether there was anything among them but changes of less than the whole.
    pub(crate) has_whole: bool,
}

impl<K: Kind> Tellings<K> {
    /// Notes an event for those who listen, and returns whether it was summed up with others. Parts that are of no more
    /// use are left in `unused`: to drop one may take long.
    pub(crate) fn note(
        &mut self,
        event: Event<K>,
        audience: &Audience,
        unused: &mut Vec<Info<K::Object>>,
    ) -> bool {
        let (comet, after) = (event.comet().clone(), event.after());
        let before = match &after {
            Some(after) => self.last.insert(comet.id().to_owned(), after.clone()),
            None => self.last.remove(comet.id()),
        };
        let anew = self.anew.get(comet.id()).copied().unwrap_or_default();
        let is_too_much = self.waiting.len() >= self.most || anew >= MOST_ANEW;
        if !is_too_much {
            self.push(Telling::Event(event), audience.hearers());
            return false;
        }
        let is_of = |(telling, _): &&mut (Telling<K>, Hearers)| telling.comet() == Some(&comet);
        let is_sum = match (self.waiting.iter_mut().rev().find(is_of), before) {
            (Some((Telling::Sum(sum), hearers)), _)
                if audience.hears_alike(*hearers, audience.hearers()) =>
            {
                *hearers = audience.hearers();
                sum.add(Telling::Event(event), unused);
                return true;
            }
            (_, Some(old)) => {
                let has_whole = event.is_whole();
                unused.extend(event.into_unused());
                self.push(Telling::Sum(Sum { old, new: after, has_whole }), audience.hearers());
                true
            }
            (_, None) => {
                self.push(Telling::Event(event), audience.hearers());
                false
            }
        };
        self.join(&comet, audience, unused) || is_sum
    }

    /// Forgets what is needed for sums only, when nobody listens.
    pub(crate) fn idle(&mut self, unused: &mut Vec<Info<K::Object>>) {
        unused.extend(std::mem::take(&mut self.last).into_values());
    }

    /// Notes what cannot be read, unless too much waits.
    pub(crate) fn malformed(&mut self, comet: &Comet, malformed: Malformed, hearers: Hearers) {
        if self.waiting.len() < self.most {
            self.push(Telling::Malformed(comet.clone(), malformed), hearers);
        }
    }

    /// Takes what is told next, and who is told.
    pub(crate) fn next(&mut self) -> Option<(Telling<K>, Hearers)> {
        let next = self.waiting.pop_front()?;
        self.discount(&next.0);
        Some(next)
    }

    fn push(&mut self, telling: Telling<K>, hearers: Hearers) {
        if let Some(comet) = telling.comet().filter(|_| telling.is_anew()) {
            *self.anew.entry(comet.id().to_owned()).or_default() += 1;
        }
        self.waiting.push_back((telling, hearers));
    }

    fn discount(&mut self, telling: &Telling<K>) {
        if let Some(comet) = telling.comet().filter(|_| telling.is_anew())
            && let Some(anew) = self.anew.get_mut(comet.id())
        {
            *anew -= 1;
            if *anew == 0 {
                self.anew.remove(comet.id());
            }
        }
    }

    /// Adds something that waits of a node to the sum before it, of the last for which both are for the same listeners.
    /// Of more than there are listeners, some are. Returns whether that was done.
    fn join(
        &mut self,
        comet: &Comet,
        audience: &Audience,
        unused: &mut Vec<Info<K::Object>>,
    ) -> bool {
        let mut next: Option<(usize, Hearers)> = None;
        for (index, (telling, hearers)) in self.waiting.iter().enumerate().rev() {
            if telling.comet() != Some(comet) {
                continue;
            }
            let next = next.replace((index, *hearers));
            if let (Telling::Sum(_), Some((next, of_next))) = (telling, next)
                && audience.hears_alike(*hearers, of_next)
            {
                self.join_at(index, next, unused);
                return true;
            }
        }
        false
    }

    fn join_at(&mut self, index: usize, next: usize, unused: &mut Vec<Info<K::Object>>) {
        let Some((next, of_next)) = self.waiting.remove(next) else { return };
        self.discount(&next);
        if let Some((Telling::Sum(sum), hearers)) = self.waiting.get_mut(index) {
            *hearers = of_next;
            sum.add(next, unused);
        }
    }
}

impl<K: Kind> Sum<K> {
    /// Adds what follows of the same part.
    fn add(&mut self, next: Telling<K>, unused: &mut Vec<Info<K::Object>>) {
        let is_anew = next.is_anew();
        let (new, has_whole) = match &next {
            Telling::Event(event) => (event.after(), event.is_whole()),
            Telling::Sum(sum) => (sum.new.clone(), sum.has_whole),
            Telling::Malformed(..) => return,
        };
        self.has_whole |= has_whole;
        let between = std::mem::replace(&mut self.new, new);
        unused.extend(between.filter(|_| is_anew));
        unused.extend(next.into_unused());
    }
}

impl<K: Kind> Telling<K> {
    /// None for what is in no order with the changes of the node.
    fn comet(&self) -> Option<&Comet> {
        match self {
            Self::Event(event) => Some(event.comet()),
            Self::Sum(sum) => Some(sum.old.comet()),
            Self::Malformed(..) => None,
        }
    }

    fn is_anew(&self) -> bool {
        match self {
            Self::Event(event) => event.is_anew(),
            Self::Sum(_) => true,
            Self::Malformed(..) => false,
        }
    }

    /// Returns the parts of it that may be of no more use.
    pub(crate) fn into_unused(self) -> Vec<Info<K::Object>> {
        match self {
            Self::Event(event) => event.into_unused(),
            Self::Sum(Sum { old, new, .. }) => new.into_iter().chain([old]).collect(),
            Self::Malformed(..) => Vec::new(),
        }
    }
}

impl<K: Kind> Event<K> {
    fn comet(&self) -> &Comet {
        match self {
            Self::Updated { new: info, .. } | Self::Changed { info, .. } | Self::Removed(info) => {
                info.comet()
            }
        }
    }

    fn is_whole(&self) -> bool {
        !matches!(self, Self::Changed { .. })
    }

    /// Returns whether the part has little in common with what it was.
    fn is_anew(&self) -> bool {
        match self {
            Self::Changed { effect, .. } => K::is_anew(effect),
            Self::Updated { .. } | Self::Removed(_) => true,
        }
    }

    fn after(&self) -> Option<Info<K::Object>> {
        match self {
            Self::Updated { new: info, .. } | Self::Changed { info, .. } => Some(info.clone()),
            Self::Removed(_) => None,
        }
    }

    /// Returns the parts of it that may be of no more use. A part of which an entry was changed has the most in
    /// common with what is there now, so that it takes no time to drop it.
    pub(crate) fn into_unused(self) -> Vec<Info<K::Object>> {
        match self {
            Self::Updated { old, new } => old.into_iter().chain([new]).collect(),
            Self::Removed(info) => vec![info],
            Self::Changed { info, effect } if K::is_anew(&effect) => vec![info],
            Self::Changed { .. } => Vec::new(),
        }
    }
}

/// How much may wait, beside one sum or two for each node.
const MOST: usize = 4096;

/// How many parts of one node may wait that have little in common.
const MOST_ANEW: usize = 64;

impl<K: Kind> Default for Tellings<K> {
    fn default() -> Self {
        let (waiting, last, anew) = <_>::default();
        Self { waiting, last, anew, most: MOST }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::proto::map::{Change, Entries, Map};

    type Kept = Map<u64, u64>;

    /// One who listens.
    fn one() -> Audience {
        [1].into_iter().collect()
    }

    fn info(comet: &Comet, version: u64) -> Info<Entries<u64, u64>> {
        let object = Arc::new((0..version).map(|number| (number, number)).collect());
        Info::new(comet, &"m".into(), &object, version, false)
    }

    fn put(comet: &Comet, version: u64) -> Event<Kept> {
        let mut object = Arc::new(Entries::default());
        let effect = <Kept as Kind>::apply(&mut object, Change::Put(version - 1, version - 1));
        Event::Changed { info: info(comet, version), effect }
    }

    #[test]
    fn what_is_too_much_is_summed_up_for_each_node() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 3, ..Tellings::default() }, vec![]);
        let [a, b] = ["a", "b"].map(|id| Comet::new(id, "http://same"));
        for version in 1..=3 {
            assert!(!tellings.note(put(&a, version), &one(), &mut unused));
        }
        assert!(!tellings.note(put(&b, 1), &one(), &mut unused));
        for version in 4..=100 {
            assert!(tellings.note(put(&a, version), &one(), &mut unused));
            assert!(tellings.note(put(&b, version), &one(), &mut unused));
        }
        assert_eq!(tellings.waiting.len(), 6);
        for _ in 0..4 {
            let next = tellings.next();
            assert!(matches!(next, Some((Telling::Event(Event::Changed { .. }), _))));
        }
        for first in [3, 1] {
            let Some((Telling::Sum(sum), _)) = tellings.next() else { panic!("it is no sum") };
            assert_eq!((sum.old.version(), sum.has_whole), (first, false));
            assert_eq!(sum.new.map(|new| new.version()), Some(100));
        }
        assert!(!tellings.note(put(&a, 101), &one(), &mut unused));
    }

    #[test]
    fn whole_parts_of_a_node_are_summed_up_much_earlier() {
        let (mut tellings, mut unused) = (Tellings::<Kept>::default(), vec![]);
        let [a, b] = ["a", "b"].map(|id| Comet::new(id, "http://same"));
        let updated = |comet: &Comet, version: u64| Event::Updated {
            old: version.checked_sub(1).map(|before| info(comet, before)),
            new: info(comet, version),
        };
        for version in 0..1000 {
            let is_summed_up = tellings.note(updated(&a, version), &one(), &mut unused);
            assert_eq!(is_summed_up, version >= MOST_ANEW as u64);
        }
        assert!(tellings.note(put(&a, 1000), &one(), &mut unused));
        assert!(!tellings.note(updated(&b, 0), &one(), &mut unused));
        assert_eq!(tellings.waiting.len(), MOST_ANEW + 1 + 1);
        for _ in 0..MOST_ANEW {
            assert!(matches!(tellings.next(), Some((Telling::Event(_), _))));
        }
        let Some((Telling::Sum(sum), _)) = tellings.next() else { panic!("it is no sum") };
        let new = sum.new.map(|new| new.version());
        assert_eq!(
            (sum.old.version(), new, sum.has_whole),
            (MOST_ANEW as u64 - 1, Some(1000), true)
        );
        assert!(!tellings.note(updated(&a, 1001), &one(), &mut unused));
    }

    #[test]
    fn what_an_entry_changed_is_not_worth_to_be_dropped_elsewhere() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 1, ..Tellings::default() }, vec![]);
        let a = Comet::new("a", "http://a");
        for version in 1..=100 {
            tellings.note(put(&a, version), &one(), &mut unused);
        }
        assert!(unused.is_empty());
        tellings.note(Event::Removed(info(&a, 100)), &one(), &mut unused);
        assert!(!unused.is_empty());
    }

    #[test]
    fn a_node_that_left_has_no_part_after_the_sum() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 1, ..Tellings::default() }, vec![]);
        let a = Comet::new("a", "http://a");
        tellings.note(put(&a, 1), &one(), &mut unused);
        tellings.note(put(&a, 2), &one(), &mut unused);
        tellings.note(Event::Removed(info(&a, 2)), &one(), &mut unused);
        tellings.next();
        let Some((Telling::Sum(sum), _)) = tellings.next() else { panic!("it is no sum") };
        assert!(sum.new.is_none() && sum.has_whole);
    }

    #[test]
    fn what_is_summed_up_begins_anew_for_a_listener_that_is_added() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 1, ..Tellings::default() }, vec![]);
        let a = Comet::new("a", "http://a");
        let both: Audience = [1, 2].into_iter().collect();
        for version in 1..=10 {
            let audience = if version > 5 { &both } else { &one() };
            tellings.note(put(&a, version), audience, &mut unused);
        }
        tellings.next();
        for (old, new, hearers) in [(1, 5, one().hearers()), (5, 10, both.hearers())] {
            let Some((Telling::Sum(sum), who)) = tellings.next() else { panic!("it is no sum") };
            let versions = (sum.old.version(), sum.new.map(|new| new.version()));
            assert_eq!((versions, who), ((old, Some(new)), hearers));
        }
        assert!(tellings.next().is_none() && tellings.anew.is_empty());
    }

    #[test]
    fn however_many_listeners_come_and_go_no_more_waits_than_there_are() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 1, ..Tellings::default() }, vec![]);
        let a = Comet::new("a", "http://a");
        let mut version = 0;
        for number in 0..1000 {
            // Each of them for some of the others' time; the first stays. The node leaves now and then.
            let audience = [0].into_iter().chain(number..number + 4).collect();
            let event = match number % 7 {
                6 => Event::Removed(info(&a, std::mem::take(&mut version))),
                0 => Event::Updated { old: None, new: info(&a, 0) },
                _ => {
                    version += 1;
                    put(&a, version)
                }
            };
            tellings.note(event, &audience, &mut unused);
            assert!(tellings.waiting.len() <= 12, "{}", tellings.waiting.len());
        }
        // From what it was to what it is, without a gap.
        let mut last = None;
        while let Some((telling, _)) = tellings.next() {
            let (old, new) = match telling {
                Telling::Event(event) => match &event {
                    Event::Updated { old, .. } => (old.clone(), event.after()),
                    Event::Changed { .. } | Event::Removed(_) => (last.clone(), event.after()),
                },
                Telling::Sum(sum) => (Some(sum.old), sum.new),
                Telling::Malformed(..) => panic!("nothing is malformed"),
            };
            assert_eq!(old.map(|old| old.version()), last.map(|last: Info<_>| last.version()));
            last = new;
        }
        assert_eq!(last.map(|last| last.version()), (version > 0).then_some(version));
        assert!(tellings.anew.is_empty());
    }
}
