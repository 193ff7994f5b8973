//! The application's code may panic. That one call fails then, which the log tells, and nothing else: no
//! lock of ours is held while it runs, and what has to be done after it is done.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt as _;

/// What is called of the application's code, and the session or channel that it is about; for the log.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a>(pub &'static str, pub &'a str);

impl<'a> Hook<'a> {
    /// Calls what does not wait; none when it panics.
    pub fn ask<T>(self, call: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(call)).map_err(|panic| self.log(&*panic)).ok()
    }

    /// Calls what may wait; none when it panics, be it at once or after a wait.
    pub fn wait<T, F>(self, call: impl FnOnce() -> F) -> impl Future<Output = Option<T>>
    where
        F: Future<Output = T>,
    {
        let work = self.ask(call).map(|work| self.caught(work));
        async move { work?.await }
    }

    /// Waits for `work`; none when it panics. In one piece with it, as large as it is.
    pub fn caught<T>(self, work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
        let work = AssertUnwindSafe(work).catch_unwind();
        work.map(move |done| done.map_err(|panic| self.log(&*panic)).ok())
    }

    /// Waits for `work`, whose panic is an error with what it says. In one piece with it, as large as it is.
    pub fn tried<T>(
        self,
        work: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, String>> {
        let work = AssertUnwindSafe(work).catch_unwind();
        work.map(move |done| {
            done.map_err(|panic| {
                self.log(&*panic);
                text(&*panic).to_owned()
            })
        })
    }

    #[cold]
    fn log(self, panic: &(dyn Any + Send)) {
        let Self(hook, of) = self;
        tracing::error!(hook, of, panic = text(panic), "a hook panicked");
    }
}

/// Returns what a panic says.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("not a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: Hook<'_> = Hook("Trait::hook", "/a");

    #[test]
    fn what_panics_has_no_result() {
        assert_eq!(HOOK.ask(|| 1), Some(1));
        assert_eq!(HOOK.ask(|| assert_eq!(1, 2)), None);
    }

    #[test]
    fn what_is_tried_and_panics_says_why() {
        let panics = async { assert_eq!(1, 2, "one is not two") };
        let said = HOOK.tried(panics).now_or_never().unwrap().unwrap_err();
        assert!(said.contains("one is not two"), "{said}");
        assert_eq!(HOOK.tried(std::future::ready(3)).now_or_never(), Some(Ok(3)));
    }

    #[test]
    fn a_call_that_panics_before_it_returns_its_future_has_no_result() {
        let call = || {
            assert_eq!(1, 2);
            std::future::ready(3)
        };
        assert_eq!(HOOK.wait(call).now_or_never(), Some(None));
        assert_eq!(HOOK.wait(|| std::future::ready(3)).now_or_never(), Some(Some(3)));
    }
}
