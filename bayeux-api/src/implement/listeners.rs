//! A list of listeners or extensions that may change while it is being called.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::Registration;

/// Copied when it changes, so that whoever calls its members has one that does not. Nothing is
/// allocated until the first is added.
#[derive(Debug)]
pub struct Listeners<T: ?Sized>(OnceLock<Arc<List<T>>>);

#[derive(Debug)]
struct List<T: ?Sized>(RwLock<Arc<[Arc<T>]>>);

impl<T: ?Sized + Send + Sync + 'static> Listeners<T> {
    /// Adds a member at the end.
    pub fn add(&self, listener: Arc<T>) -> Registration {
        let list = self.0.get_or_init(|| Arc::new(List(RwLock::new(Arc::new([])))));
        // Neither is kept alive by the registration: a list that was cleared has let its members go.
        let (weak_list, weak) = (Arc::downgrade(list), Arc::downgrade(&listener));
        let added = [listener];
        list.change(|members| members.iter().chain(&added).cloned().collect());
        Registration::new(move || {
            if let (Some(list), Some(listener)) = (weak_list.upgrade(), weak.upgrade()) {
                list.remove(&listener);
            }
        })
    }

    /// Returns the members of now, in the order in which they were added.
    pub fn snapshot(&self) -> Arc<[Arc<T>]> {
        match self.0.get() {
            Some(list) => list.0.read().unwrap_or_else(PoisonError::into_inner).clone(),
            None => Arc::new([]),
        }
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
    fn a_dropped_registration_removes_and_a_kept_one_stays() {
        let listeners = Listeners::<str>::default();
        assert!(listeners.is_empty());
        listeners.add("kept".into()).keep();
        let registration = listeners.add("dropped".into());
        let before = listeners.snapshot();
        drop(registration);
        assert_eq!(before.len(), 2);
        assert_eq!(&*listeners.snapshot()[0], "kept");
        assert_eq!(listeners.snapshot().len(), 1);
    }
}
