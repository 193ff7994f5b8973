//! One node's part of an object, as another node has it: kept up with the owner's versions.
//!
//! ```text
//!              whole, newer                          item, one newer
//!   unknown ───────────────▶ known, at a version ◀──────────────────▶
//!      │ item                     │ item, more than one newer; somebody says that there is a newer one
//!      └───────────┐  ┌───────────┘
//!                  ▼  ▼
//!              behind: items that came early wait, and the whole is pulled, again and again,
//!              until the version is reached that was heard of
//! ```
//!
//! Whatever is lost of updates, pulls and answers, a part that knows that it is behind ends at the owner's
//! version.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::proto::{
    kind::{COSTLY, Kind},
    retry::Retry,
};

/// A node's part of an object, at another node.
pub(crate) struct Part<K: Kind> {
    /// None as long as it is unknown.
    version: Option<u64>,
    /// What could be read of it, if anything.
    object: Option<Arc<K::Object>>,
    /// The highest version that was heard of.
    heard_of: u64,
    /// Items that came early, by version.
    early: BTreeMap<u64, Early<K>>,
    early_bytes: usize,
    pull: Option<Retry>,
    /// At which version the owner wants to be told that it is reached.
    asked: Option<u64>,
}

struct Early<K: Kind> {
    change: Option<K::Change>,
    bytes: usize,
}

/// What became of a part, or what is to be done for it.
pub(crate) enum Step<K: Kind> {
    /// It was replaced.
    Replaced { old: Option<(u64, Arc<K::Object>)>, new: Arc<K::Object>, version: u64 },
    /// It was changed.
    Changed { effect: K::Effect, object: Arc<K::Object>, version: u64 },
    /// Its owner is to be told that this version is reached.
    Reached(u64),
    /// An update was not newer than what is here.
    Stale,
    /// An item waits for others.
    Early,
    /// More items came early than can be kept, or one came that is too much work: they were forgotten.
    Overflow,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { items: 4096, bytes: 4 * 1024 * 1024 }
    }
}

impl<K: Kind> Part<K> {
    /// Returns its version and what could be read of it.
    pub(crate) fn known(&self) -> Option<(u64, &Arc<K::Object>)> {
        self.version.zip(self.object.as_ref())
    }

    /// The whole part arrived; none when it cannot be read, which counts as an update that changes nothing.
    pub(crate) fn whole(
        &mut self,
        version: u64,
        object: Option<Arc<K::Object>>,
        now: Instant,
        steps: &mut Vec<Step<K>>,
    ) {
        if self.version.is_some_and(|own| own >= version) {
            steps.push(Step::Stale);
        } else {
            let before = self.version.replace(version);
            if let Some(new) = object {
                let old = before.zip(self.object.replace(new.clone()));
                steps.push(Step::Replaced { old, new, version });
            }
            // What is still missing is asked for anew.
            self.pull = None;
        }
        self.go_on(version, now, steps);
    }

    /// A change arrived; none when it cannot be read, which counts as one that changes nothing.
    pub(crate) fn item(
        &mut self,
        version: u64,
        change: Option<K::Change>,
        bytes: usize,
        bounds: Bounds,
        now: Instant,
        steps: &mut Vec<Step<K>>,
    ) {
        match self.version {
            Some(own) if version <= own => steps.push(Step::Stale),
            Some(own) if version == own + 1 => {
                if self.apply(version, change, steps) {
                    self.moves(now);
                }
            }
            _ => self.wait(version, change, bytes, bounds, steps),
        }
        self.go_on(version, now, steps);
    }

    /// The owner wants to know when `version` is reached.
    pub(crate) fn ask(&mut self, version: u64, now: Instant, steps: &mut Vec<Step<K>>) {
        self.asked = Some(version);
        self.go_on(version, now, steps);
    }

    /// The owner has the object: if nothing of its part is known, it is on its way, or has to be pulled. A node
    /// of CometD's that has been cut off in one direction alone does not know that it has left here, and sends
    /// nothing by itself when it comes again.
    pub(crate) fn expect(&mut self, now: Instant) {
        if self.version.is_none() {
            self.pull.get_or_insert_with(|| Retry::after(PATIENCE, now));
        }
    }

    /// Returns whether a pull is due.
    pub(crate) fn pull(&mut self, now: Instant, random: u64) -> bool {
        self.pull.as_mut().is_some_and(|pull| pull.is_due(now, random))
    }

    /// Returns when a pull is due, if none comes in between.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.pull.as_ref().map(Retry::at)
    }

    /// What is missing comes by itself, one after the other.
    fn moves(&mut self, now: Instant) {
        if self.early.is_empty() && self.pull.is_some() {
            self.pull = Some(Retry::after(PATIENCE, now));
        }
    }

    fn wait(
        &mut self,
        version: u64,
        change: Option<K::Change>,
        bytes: usize,
        bounds: Bounds,
        steps: &mut Vec<Step<K>>,
    ) {
        if self.early.contains_key(&version) {
            return steps.push(Step::Stale);
        }
        self.early_bytes += bytes;
        self.early.insert(version, Early { change, bytes });
        if self.early.len() <= bounds.items && self.early_bytes <= bounds.bytes {
            return steps.push(Step::Early);
        }
        self.early.clear();
        self.early_bytes = 0;
        steps.push(Step::Overflow);
    }

    /// Returns whether the change was made. One that would take too long is not, and the whole is pulled instead:
    /// only what comes in its order can be prepared.
    fn apply(&mut self, version: u64, change: Option<K::Change>, steps: &mut Vec<Step<K>>) -> bool {
        if let Some((change, object)) = change.zip(self.object.as_mut()) {
            if K::cost(object, &change) >= COSTLY {
                steps.push(Step::Overflow);
                return false;
            }
            let effect = K::apply(object, change);
            steps.push(Step::Changed { effect, object: object.clone(), version });
        }
        self.version = Some(version);
        true
    }

    /// Goes on with what came early, and sees whether anything is missing.
    fn go_on(&mut self, heard_of: u64, now: Instant, steps: &mut Vec<Step<K>>) {
        self.heard_of = self.heard_of.max(heard_of);
        if let Some(own) = self.version {
            self.forget_older(own);
        }
        while let Some(next) = self.version.map(|own| own + 1)
            && let Some(early) = self.early.remove(&next)
        {
            self.early_bytes -= early.bytes;
            if !self.apply(next, early.change, steps) {
                break;
            }
        }
        let Some(own) = self.version.filter(|own| *own >= self.heard_of) else {
            let patience = if self.early.is_empty() { PATIENCE } else { GRACE };
            self.pull.get_or_insert_with(|| Retry::after(patience, now));
            return;
        };
        self.pull = None;
        if self.asked.is_some_and(|asked| asked <= own) {
            self.asked = None;
            steps.push(Step::Reached(own));
        }
    }

    fn forget_older(&mut self, own: u64) {
        if self.early.first_key_value().is_none_or(|(version, _)| *version > own) {
            return;
        }
        let newer = self.early.split_off(&(own + 1));
        let older = mem::replace(&mut self.early, newer);
        self.early_bytes -= older.values().map(|early| early.bytes).sum::<usize>();
    }
}

/// How long what is missing may still be on its way when something after it is here.
const GRACE: Duration = Duration::from_millis(50);

/// How long it may be on its way when nothing after it is here: only its owner said that there is more, or has
/// just joined.
const PATIENCE: Duration = Duration::from_secs(2);

impl<K: Kind> Default for Part<K> {
    fn default() -> Self {
        Self {
            version: None,
            object: None,
            heard_of: 0,
            early: BTreeMap::new(),
            early_bytes: 0,
            pull: None,
            asked: None,
        }
    }
}

impl<K: Kind> fmt::Debug for Part<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("version", &self.version)
            .field("heard_of", &self.heard_of)
            .field("early", &self.early.len())
            .field("pull", &self.pull)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests {
    use super::*;
    use crate::proto::map::{Change, Entries, Map};

    type Kept = Part<Map<String, i64>>;

    fn entries(of: &[(&str, i64)]) -> Option<Arc<Entries<String, i64>>> {
        Some(Arc::new(of.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()))
    }

    fn put(part: &mut Kept, version: u64, key: &str, now: Instant) -> Vec<Step<Map<String, i64>>> {
        let mut steps = Vec::new();
        let change = Change::Put(key.to_owned(), version.cast_signed());
        part.item(version, Some(change), 10, Bounds { items: 3, bytes: 100 }, now, &mut steps);
        steps
    }

    fn whole(part: &mut Kept, version: u64, of: &[(&str, i64)], now: Instant) {
        part.whole(version, entries(of), now, &mut Vec::new());
    }

    fn keys(part: &Kept) -> Vec<&str> {
        part.known()
            .map(|(_, object)| object.iter().map(|(key, _)| key.as_str()).collect())
            .unwrap()
    }

    #[test]
    fn a_change_that_would_take_too_long_is_not_made_and_the_whole_is_pulled() {
        use crate::proto::list::{Change, Elements, List};

        let (mut part, now) = (Part::<List<u32>>::default(), Instant::now());
        let list = Arc::new((0..1000).collect::<Elements<u32>>());
        part.whole(5, Some(list.clone()), now, &mut Vec::new());
        let mut item = |version, change| {
            let mut steps = Vec::new();
            part.item(version, Some(change), 10, Bounds::default(), now, &mut steps);
            (steps, part.version, part.deadline())
        };
        let remove = Change::remove((0..1000).collect());
        let (steps, ..) = item(7, remove.clone());
        assert!(matches!(steps[..], [Step::Early]));
        let (steps, version, pull) = item(6, Change::Add(Vec::new()));
        assert!(matches!(steps[..], [Step::Changed { .. }, Step::Overflow]));
        assert_eq!((version, pull.is_some()), (Some(6), true));
        part.whole(7, Some(list.clone()), now, &mut Vec::new());
        let mut prepared = remove;
        List::prepare(&list, &mut prepared);
        let mut steps = Vec::new();
        part.item(8, Some(prepared), 10, Bounds::default(), now, &mut steps);
        assert!(matches!(steps[..], [Step::Changed { .. }]));
        assert_eq!((part.version, part.deadline()), (Some(8), None));
    }

    #[test]
    fn an_item_that_comes_early_waits_for_those_before_it() {
        let (mut part, now) = (Kept::default(), Instant::now());
        whole(&mut part, 5, &[], now);
        assert!(matches!(put(&mut part, 7, "b", now)[..], [Step::Early]));
        assert!(part.deadline().is_some());
        assert!(matches!(
            put(&mut part, 6, "a", now)[..],
            [Step::Changed { .. }, Step::Changed { .. }]
        ));
        assert_eq!((keys(&part), part.deadline()), (vec!["a", "b"], None));
        assert!(matches!(put(&mut part, 6, "c", now)[..], [Step::Stale]));
    }

    #[test]
    fn a_pull_is_sent_again_until_it_is_answered() {
        let (mut part, mut now) = (Kept::default(), Instant::now());
        put(&mut part, 7, "b", now);
        assert!(!part.pull(now, 0));
        for _ in 0..20 {
            let at = part.deadline().unwrap();
            assert!(at <= now + Duration::from_secs(40));
            now = at;
            assert!(part.pull(now, 0));
            assert!(!part.pull(now, 0));
        }
        whole(&mut part, 6, &[("a", 1)], now);
        assert_eq!((keys(&part), part.deadline()), (vec!["a", "b"], None));
    }

    #[test]
    fn what_comes_early_is_bounded_and_pulled_then() {
        let (mut part, now) = (Kept::default(), Instant::now());
        whole(&mut part, 1, &[], now);
        for version in 3..6 {
            assert!(matches!(put(&mut part, version, "b", now)[..], [Step::Early]));
        }
        assert!(matches!(put(&mut part, 6, "b", now)[..], [Step::Overflow]));
        assert_eq!((part.early.len(), part.early_bytes), (0, 0));
        // The answer is older than what was forgotten: it is asked for again.
        whole(&mut part, 4, &[("b", 4)], now);
        assert!(part.deadline().is_some());
        whole(&mut part, 6, &[("b", 6)], now);
        assert_eq!(part.deadline(), None);
    }

    #[test]
    fn what_cannot_be_read_is_a_version_all_the_same() {
        let (mut part, now) = (Kept::default(), Instant::now());
        part.whole(1, None, now, &mut Vec::new());
        assert!(part.known().is_none());
        whole(&mut part, 2, &[("a", 1)], now);
        part.item(3, None, 1, Bounds::default(), now, &mut Vec::new());
        assert!(matches!(put(&mut part, 4, "b", now)[..], [Step::Changed { .. }]));
        assert_eq!(keys(&part), ["a", "b"]);
    }

    #[test]
    fn what_comes_one_after_the_other_is_not_pulled() {
        let (mut part, mut now) = (Kept::default(), Instant::now());
        whole(&mut part, 1, &[], now);
        part.ask(100, now, &mut Vec::new());
        for version in 2..100 {
            now += PATIENCE / 2;
            assert!(!part.pull(now, 0));
            put(&mut part, version, "a", now);
        }
        now += PATIENCE;
        assert!(part.pull(now, 0));
    }

    #[test]
    fn the_owner_is_told_what_it_asked_for() {
        let (mut part, now) = (Kept::default(), Instant::now());
        whole(&mut part, 1, &[], now);
        let mut steps = Vec::new();
        part.ask(1, now, &mut steps);
        assert!(matches!(steps[..], [Step::Reached(1)]));
        steps.clear();
        part.ask(2, now, &mut steps);
        assert!(steps.is_empty());
        assert_eq!(part.deadline(), Some(now + PATIENCE));
        assert!(matches!(
            put(&mut part, 2, "a", now)[..],
            [Step::Changed { .. }, Step::Reached(2)]
        ));
        assert_eq!(part.deadline(), None);
    }
}
