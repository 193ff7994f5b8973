//! The application's code may panic. What it was asked about fails then, and nothing else: no lock of
//! ours is held while it runs, and what has to be done after it is done.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt as _;

/// Returns what `work` does; none when it panicked.
pub fn caught<T>(work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    AssertUnwindSafe(work).catch_unwind().map(Result::ok)
}

/// Asks something that does not wait; none when it panicked.
pub fn ask<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// Calls what is only told of something, where nobody could be told of its panic but the log, to which
/// the panic's own message goes.
pub fn tell(call: impl FnOnce()) {
    let _ = ask(call);
}
