//! Work that goes on when whoever asked for it has gone.
//!
//! A peer that closes its connection drops the future of its request at whatever point that waits
//! for the application. What was begun by then, such as a session that is registered but not yet
//! answered, must not be left half-done.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use bayeux_api::implement::Hook;
use tokio::runtime::Handle;

/// Runs `work` to its end, even if the returned future is dropped. Work that does not have to wait
/// is done at once; the rest is a task of its own, where there is a runtime.
///
/// None when the work panicked, which is caught at each of the application's hooks already.
pub(crate) fn finish<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Option<T>> + Send {
    // Outside, so that the future of a request that is held for long has no place for it.
    let mut work = Box::pin(Hook("a request", "").caught(work));
    async {
        let first = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
        match first {
            Poll::Ready(done) => done,
            Poll::Pending => match Handle::try_current() {
                Ok(runtime) => runtime.spawn(work).await.ok().flatten(),
                Err(_) => work.await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn dropped_work_is_finished() {
        let (go, wait) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let work = finish(async move {
            let _ = wait.await;
            done.send(()).unwrap();
        });
        tokio::time::timeout(Duration::from_millis(1), work).await.unwrap_err();
        go.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_no_result() {
        assert_eq!(finish(async { assert_eq!(1, 2) }).await, None);
        let later = finish(async {
            tokio::task::yield_now().await;
            assert_eq!(1, 2);
        });
        assert_eq!(later.await, None);
    }
}
