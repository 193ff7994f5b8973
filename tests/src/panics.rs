//! Counting what panics where nobody sees it: tasks swallow it.

use std::{cell::Cell, panic, sync::Once};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Starts to count.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            COUNT.set(COUNT.get() + 1);
            before(panic);
        }));
    });
}

/// Returns how often this thread has panicked, which is the whole runtime of a test that has no other
/// threads.
pub fn count() -> usize {
    COUNT.get()
}
