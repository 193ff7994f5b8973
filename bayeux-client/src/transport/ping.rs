//! Pings of a WebSocket: a server that is gone without a word is noticed.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// When to ask the server whether it is there, and when it has not answered.
#[derive(Debug)]
pub(super) struct Ping {
    interval: Duration,
    timeout: Duration,
    /// When something last arrived.
    heard: Instant,
    /// When the server was asked, since when nothing has arrived.
    asked: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

/// The longest time that is waited for anything.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What the time has come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask.
    Ping,
    /// Nothing has arrived in time.
    Silence,
}

impl Ping {
    pub(super) fn new(interval: Duration, timeout: Duration) -> Self {
        // As good as never, and no sum of it is out of range.
        let (interval, timeout) = (interval.min(LONGEST), timeout.min(LONGEST));
        let heard = Instant::now();
        let timer = Box::pin(tokio::time::sleep(interval));
        Self { interval, timeout, heard, asked: None, timer }
    }

    /// Something has arrived, be it a pong or not.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// To be polled when all is read that has arrived.
    pub(super) fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        loop {
            let at = match self.asked {
                Some(asked) => asked + self.timeout,
                None => self.heard + self.interval,
            };
            if at > Instant::now() {
                if self.timer.deadline() != at {
                    self.timer.as_mut().reset(at);
                }
                if self.timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            let is_silent = self.asked.replace(Instant::now()).is_some();
            return Poll::Ready(if is_silent { Due::Silence } else { Due::Ping });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn silence_is_noticed_after_the_interval_and_the_timeout() {
        let (mut ping, start) = (Ping::new(10 * SECOND, 5 * SECOND), Instant::now());
        assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Ping);
        assert_eq!(start.elapsed().as_secs(), 10);
        assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Silence);
        assert_eq!(start.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_time_is_as_good_as_never() {
        let mut ping = Ping::new(Duration::MAX, Duration::MAX);
        let asked = tokio::time::timeout(3600 * SECOND, poll_fn(|context| ping.poll_due(context)));
        assert!(asked.await.is_err());
        ping.asked = Some(Instant::now());
        let silent = tokio::time::timeout(3600 * SECOND, poll_fn(|context| ping.poll_due(context)));
        assert!(silent.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_heard_is_asked_again_later() {
        let (mut ping, start) = (Ping::new(10 * SECOND, 5 * SECOND), Instant::now());
        tokio::time::advance(8 * SECOND).await;
        ping.heard();
        for round in 1..4 {
            assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Ping);
            assert_eq!(start.elapsed().as_secs(), 8 + 14 * round - 4);
            tokio::time::advance(4 * SECOND).await;
            ping.heard();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_was_read_does_not_count() {
        let mut ping = Ping::new(10 * SECOND, 5 * SECOND);
        assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Ping);
        tokio::time::advance(3600 * SECOND).await;
        // The pong was there all the time.
        ping.heard();
        assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Ping);
    }
}
