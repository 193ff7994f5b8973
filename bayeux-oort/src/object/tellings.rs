//! What the listeners of an object are still to be told: in order for each node, and never more than so much.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    Comet,
    object::{Info, Malformed},
    proto::{kind::Kind, object::Event},
};

/// What waits. When it is too much, what follows of a node is summed up: when there is much of all nodes, or when
/// there are some parts of the one that have little in common, of which each may be large.
pub(crate) struct Tellings<K: Kind> {
    waiting: VecDeque<Telling<K>>,
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
    /// Notes an event, and returns whether it was summed up with others. Parts that are of no more use are left in
    /// `unused`: to drop one may take long.
    pub(crate) fn note(&mut self, event: Event<K>, unused: &mut Vec<Info<K::Object>>) -> bool {
        let (comet, after) = (event.comet().clone(), event.after());
        let before = match &after {
            Some(after) => self.last.insert(comet.id().to_owned(), after.clone()),
            None => self.last.remove(comet.id()),
        };
        let is_of = |telling: &&mut Telling<K>| telling.comet() == Some(&comet);
        let anew = self.anew.get(comet.id()).copied().unwrap_or_default();
        let is_too_much = self.waiting.len() >= self.most || anew >= MOST_ANEW;
        let last = self.waiting.iter_mut().rev().take_while(|_| is_too_much).find(is_of);
        match (last, before.filter(|_| is_too_much)) {
            (Some(Telling::Sum(sum)), _) => {
                sum.has_whole |= event.is_whole();
                let between = std::mem::replace(&mut sum.new, after);
                unused.extend(between.filter(|_| event.is_anew()));
            }
            (_, Some(old)) => {
                let has_whole = event.is_whole();
                self.push(Telling::Sum(Sum { old, new: after, has_whole }));
            }
            (_, None) => {
                self.push(Telling::Event(event));
                return false;
            }
        }
        unused.extend(event.into_unused());
        true
    }

    /// Forgets what is needed for sums only, when nobody listens.
    pub(crate) fn idle(&mut self, unused: &mut Vec<Info<K::Object>>) {
        unused.extend(std::mem::take(&mut self.last).into_values());
    }

    /// Notes what cannot be read, unless too much waits.
    pub(crate) fn malformed(&mut self, comet: &Comet, malformed: Malformed) {
        if self.waiting.len() < self.most {
            self.waiting.push_back(Telling::Malformed(comet.clone(), malformed));
        }
    }

    pub(crate) fn next(&mut self) -> Option<Telling<K>> {
        let next = self.waiting.pop_front()?;
        if let Some(comet) = next.comet().filter(|_| next.is_anew())
            && let Some(anew) = self.anew.get_mut(comet.id())
        {
            *anew -= 1;
            if *anew == 0 {
                self.anew.remove(comet.id());
            }
        }
        Some(next)
    }

    fn push(&mut self, telling: Telling<K>) {
        if let Some(comet) = telling.comet().filter(|_| telling.is_anew()) {
            *self.anew.entry(comet.id().to_owned()).or_default() += 1;
        }
        self.waiting.push_back(telling);
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
            assert!(!tellings.note(put(&a, version), &mut unused));
        }
        assert!(!tellings.note(put(&b, 1), &mut unused));
        for version in 4..=100 {
            assert!(tellings.note(put(&a, version), &mut unused));
            assert!(tellings.note(put(&b, version), &mut unused));
        }
        assert_eq!(tellings.waiting.len(), 6);
        for _ in 0..4 {
            assert!(matches!(tellings.next(), Some(Telling::Event(Event::Changed { .. }))));
        }
        for first in [3, 1] {
            let Some(Telling::Sum(sum)) = tellings.next() else { panic!("it is no sum") };
            assert_eq!((sum.old.version(), sum.has_whole), (first, false));
            assert_eq!(sum.new.map(|new| new.version()), Some(100));
        }
        assert!(!tellings.note(put(&a, 101), &mut unused));
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
            let is_summed_up = tellings.note(updated(&a, version), &mut unused);
            assert_eq!(is_summed_up, version >= MOST_ANEW as u64);
        }
        assert!(tellings.note(put(&a, 1000), &mut unused));
        assert!(!tellings.note(updated(&b, 0), &mut unused));
        assert_eq!(tellings.waiting.len(), MOST_ANEW + 1 + 1);
        for _ in 0..MOST_ANEW {
            assert!(matches!(tellings.next(), Some(Telling::Event(_))));
        }
        let Some(Telling::Sum(sum)) = tellings.next() else { panic!("it is no sum") };
        let new = sum.new.map(|new| new.version());
        assert_eq!(
            (sum.old.version(), new, sum.has_whole),
            (MOST_ANEW as u64 - 1, Some(1000), true)
        );
        assert!(!tellings.note(updated(&a, 1001), &mut unused));
    }

    #[test]
    fn what_an_entry_changed_is_not_worth_to_be_dropped_elsewhere() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 1, ..Tellings::default() }, vec![]);
        let a = Comet::new("a", "http://a");
        for version in 1..=100 {
            tellings.note(put(&a, version), &mut unused);
        }
        assert!(unused.is_empty());
        tellings.note(Event::Removed(info(&a, 100)), &mut unused);
        assert!(!unused.is_empty());
    }

    #[test]
    fn a_node_that_left_has_no_part_after_the_sum() {
        let (mut tellings, mut unused) =
            (Tellings::<Kept> { most: 1, ..Tellings::default() }, vec![]);
        let a = Comet::new("a", "http://a");
        tellings.note(put(&a, 1), &mut unused);
        tellings.note(put(&a, 2), &mut unused);
        tellings.note(Event::Removed(info(&a, 2)), &mut unused);
        tellings.next();
        let Some(Telling::Sum(sum)) = tellings.next() else { panic!("it is no sum") };
        assert!(sum.new.is_none() && sum.has_whole);
    }
}
