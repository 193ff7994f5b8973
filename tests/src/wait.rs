//! Waiting: for events, and never for ever.

use std::{future::Future, time::Duration};

/// How long a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Waits for `future`.
///
/// # Panics
///
/// When it takes longer than the [deadline](DEADLINE); `what` is what was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}

/// Waits until `condition` holds, for what nothing tells of.
///
/// # Panics
///
/// When it takes longer than the [deadline](DEADLINE); `what` is what was waited for.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
