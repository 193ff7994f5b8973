//! A list of listeners or extensions that may change while it is being called.

use std::{
    future::Future,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::FutureExt as _;

use crate::{
    Registration,
    implement::{Audience, Hearers, Hook, Told},
};

/// Copied when it changes, so that whoever calls its members has one that does not. Nothing is
/// allocated until the first is added.
#[derive(Debug)]
pub struct Listeners<T: ?Sized>(OnceLock<Arc<List<T>>>);

#[derive(Debug)]
struct List<T: ?Sized>(RwLock<Arc<[Arc<T>]>>);

impl<T: ?Sized + Send + Sync + 'static> Listeners<T> {
    /// Adds a member at the end.
    pub fn add(&self, listener: Arc<T>) -> Registration {
        let (list, listener) = self.push(|| listener);
        removes(list, &listener, || {})
    }

    /// Adds a member that is made while no other is added.
    fn push(&self, make: impl FnOnce() -> Arc<T>) -> (&Arc<List<T>>, Arc<T>) {
        let list = self.0.get_or_init(|| Arc::new(List(RwLock::new(Arc::new([])))));
        let mut made = None;
        list.change(|members| {
            let made = made.insert(make());
            members.iter().chain([&*made]).cloned().collect()
        });
        (list, made.expect("a change is made at once"))
    }

    /// Returns the members of now, in the order in which they were added.
    pub fn members(&self) -> Members<T> {
        let read =
            |list: &Arc<List<T>>| list.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        Members(self.0.get().map(read))
    }

    /// Returns whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0
            .get()
            .is_none_or(|list| list.0.read().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    /// Removes the members for which `keeps` is false.
    pub fn retain(&self, keeps: impl Fn(&T) -> bool) {
        if let Some(list) = self.0.get() {
            list.change(|members| members.iter().filter(|one| keeps(one)).cloned().collect());
        }
    }

    /// Removes all members.
    pub fn clear(&self) {
        if let Some(list) = self.0.get() {
            list.change(|_| Arc::new([]));
        }
    }
}

impl<T: ?Sized + Send + Sync + 'static> Listeners<Told<T>> {
    /// Adds a listener at the end, which is let go of when it is removed though it still waits.
    pub fn add_told(&self, listener: Arc<T>) -> Registration {
        let (list, told) = self.push(|| {
            // The numbers are in the order of the members.
            let number = ADDED.fetch_add(1, Ordering::Relaxed) + 1;
            Arc::new(Told::new(number, listener))
        });
        let removed = told.removed();
        removes(list, &told, move || removed.cancel())
    }

    /// Returns who listens now. Where what happens is noted for them under a lock, under that lock: whoever is added
    /// then and looks finds it happened.
    pub fn audience(&self) -> Audience {
        self.members()
            .0
            .iter()
            .flat_map(|members| members.iter())
            .map(|told| told.number())
            .collect()
    }
}

/// How many listeners that are told were ever added to any list.
static ADDED: AtomicU64 = AtomicU64::new(0);

/// Returns what removes a member, and does something then. Neither the list nor the member is kept alive by it: a list
/// that was cleared has let its members go.
fn removes<T: ?Sized + Send + Sync + 'static>(
    list: &Arc<List<T>>,
    member: &Arc<T>,
    then: impl FnOnce() + Send + Sync + 'static,
) -> Registration {
    let (list, member) = (Arc::downgrade(list), Arc::downgrade(member));
    Registration::new(move || {
        if let (Some(list), Some(member)) = (list.upgrade(), member.upgrade()) {
            list.remove(&member);
        }
        then();
    })
}

/// The members that a list had when it was asked.
#[derive(Debug)]
pub struct Members<T: ?Sized>(Option<Arc<[Arc<T>]>>);

impl<T: ?Sized> Members<T> {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.len())
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes through the members in the order in which they were added.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Member<'_, T>> {
        self.0.iter().flat_map(|members| members.iter()).map(|member| Member(&**member))
    }
}

impl<T: ?Sized> Members<Told<T>> {
    /// Goes through those who hear of something.
    pub fn who_hear(&self, hearers: Hearers) -> impl Iterator<Item = Member<'_, Told<T>>> {
        self.iter().filter(move |member| hearers.has(member.0.number()))
    }
}

impl<T: ?Sized> Default for Members<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// A member, which can only be called so that its panic is caught, and logged as that of a [`Hook`].
#[derive(Debug)]
pub struct Member<'a, T: ?Sized>(&'a T);

impl<'a, T: ?Sized> Member<'a, T> {
    /// Makes one of something that is in no list.
    pub fn of(member: &'a T) -> Self {
        Self(member)
    }

    /// Tells it something, of which it may make what it likes.
    pub fn tell(self, hook: Hook<'_>, call: impl FnOnce(&'a T)) {
        let _ = self.ask(hook, call);
    }

    /// Asks it something that it answers at once; none when it panics.
    pub fn ask<R>(self, hook: Hook<'_>, call: impl FnOnce(&'a T) -> R) -> Option<R> {
        hook.ask(|| call(self.0))
    }

    /// Calls what may wait; none when it panics.
    pub fn wait<R, F>(
        self,
        hook: Hook<'_>,
        call: impl FnOnce(&'a T) -> F,
    ) -> impl Future<Output = Option<R>>
    where
        F: Future<Output = R>,
    {
        hook.wait(move || call(self.0))
    }
}

impl<'a, T: ?Sized> Member<'a, Told<T>> {
    /// Has a listener hear something, until it is removed.
    pub fn hear<F: Future + 'a>(
        self,
        hook: Hook<'_>,
        hears: impl FnOnce(&'a T) -> F,
    ) -> impl Future<Output = ()> {
        self.wait(hook, |told| told.hear(hears)).map(drop)
    }
}

impl<T: ?Sized> List<T> {
    fn change(&self, change: impl FnOnce(&[Arc<T>]) -> Arc<[Arc<T>]>) {
        let mut members = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&members);
        let before = std::mem::replace(&mut *members, changed);
        drop(members);
        // Not under the lock: what is dropped may own registrations of this very list.
        drop(before);
    }

    /// Removes one registration of `listener`; the same one may have been added twice.
    fn remove(&self, listener: &Arc<T>) {
        self.change(|members| {
            let index = members.iter().position(|member| Arc::ptr_eq(member, listener));
            let others = members.iter().enumerate().filter(|(i, _)| Some(*i) != index);
            others.map(|(_, member)| member.clone()).collect()
        });
    }
}

impl<T: ?Sized> Default for Listeners<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: Hook<'_> = Hook("name", "list");

    #[test]
    fn a_registration_keeps_no_listener_alive() {
        let listeners = Listeners::<str>::default();
        let listener: Arc<str> = "listener".into();
        let registration = listeners.add(listener.clone());
        listeners.clear();
        assert_eq!(Arc::strong_count(&listener), 1);
        drop(registration);
    }

    #[test]
    fn what_happened_before_a_listener_was_added_is_not_for_it() {
        let listeners = Listeners::<Told<str>>::default();
        let first = listeners.add_told("first".into());
        let hearers = listeners.audience().hearers();
        listeners.add_told("second".into()).keep();
        assert_eq!(listeners.members().who_hear(hearers).count(), 1);
        let of_both = listeners.audience().hearers();
        assert_eq!(listeners.members().who_hear(of_both).count(), 2);
        drop(first);
        assert_eq!(listeners.members().who_hear(hearers).count(), 0);
        assert_eq!(listeners.members().who_hear(of_both).count(), 1);
    }

    #[test]
    fn a_dropped_registration_removes_and_a_kept_one_stays() {
        let listeners = Listeners::<str>::default();
        assert!(listeners.is_empty());
        listeners.add("kept".into()).keep();
        let registration = listeners.add("dropped".into());
        let before = listeners.members();
        drop(registration);
        assert_eq!(before.len(), 2);
        let names = listeners.members();
        let names: Vec<_> = names.iter().filter_map(|one| one.ask(HOOK, str::to_owned)).collect();
        assert_eq!(names, ["kept"]);
    }
}
