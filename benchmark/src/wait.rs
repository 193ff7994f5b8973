//! Waiting, asleep or awake, and not for ever.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use crate::{Result, link::PATIENCE, say};

/// Keeps this thread from sleeping in the kernel, so that the server does not have to wake it.
pub(crate) async fn stay_awake() -> Infallible {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Waits for a moment: to the millisecond asleep, or awake and more exactly.
pub(crate) async fn moment(moment: Instant, sleeps: bool) {
    if sleeps {
        return tokio::time::sleep_until(moment.into()).await;
    }
    while Instant::now() < moment {
        tokio::task::yield_now().await;
    }
}

/// Shows how far something is, and fails when it does not move.
pub(crate) async fn watch(
    what: &str,
    total: impl Into<Option<u64>>,
    done: impl Fn() -> u64,
) -> Result<Infallible> {
    let mut progress = say::Progress::new(what, total);
    let (mut last, mut moved) = (done(), Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = done();
        progress.at(now);
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() > PATIENCE {
            return Err(format!(
                "nothing came for {} s, after {now} {what}: lost, or the server is stuck",
                PATIENCE.as_secs()
            )
            .into());
        }
    }
}
