//! Pings of a WebSocket: a server that is gone without a word is noticed.

use std::{
    future::Future as _,
    pin::Pin,
    sync::LazyLock,
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

/// Those that are to be asked within so many nanoseconds are asked at the beginning of them, if that is little beside the
/// interval.
const TOGETHER: u128 = 100_000_000;
const SHORTEST_TOGETHER: Duration = Duration::from_secs(1);

/// From where the times are counted.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

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

    /// When the server is to be asked: together with others, so that all of them wake the program once.
    fn ask_at(&self) -> Instant {
        let at = self.heard + self.interval;
        if self.interval < SHORTEST_TOGETHER {
            return at;
        }
        let late = match at.checked_duration_since(*EPOCH) {
            Some(since) => since.as_nanos() % TOGETHER,
            None => (TOGETHER - (*EPOCH - at).as_nanos() % TOGETHER) % TOGETHER,
        };
        at - Duration::from_nanos(u64::try_from(late).unwrap_or_default())
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// To be polled when all is read that has arrived.
    pub(super) fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        loop {
            let at = match self.asked {
                Some(asked) => asked + self.timeout,
                None => self.ask_at(),
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

    /// Returns after how many tenths of a second the next thing is due, and what.
    async fn next(ping: &mut Ping) -> (u128, Due) {
        let start = Instant::now();
        let due = poll_fn(|context| ping.poll_due(context)).await;
        (start.elapsed().as_millis().div_ceil(100), due)
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_noticed_after_the_interval_and_the_timeout() {
        let mut ping = Ping::new(10 * SECOND, 5 * SECOND);
        assert_eq!(next(&mut ping).await, (100, Due::Ping));
        assert_eq!(next(&mut ping).await, (50, Due::Silence));
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_due_at_about_one_time_ask_together() {
        let mut pings = Vec::new();
        for _ in 0..10 {
            pings.push(Ping::new(2 * SECOND, SECOND));
            tokio::time::advance(Duration::from_micros(30_300)).await;
        }
        let mut times = Vec::new();
        for mut ping in pings {
            assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Ping);
            times.push(Instant::now());
        }
        times.dedup();
        assert!(times.len() <= 4, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_soon_is_due_to_the_millisecond() {
        let mut ping = Ping::new(Duration::from_millis(30), SECOND);
        let start = Instant::now();
        assert_eq!(poll_fn(|context| ping.poll_due(context)).await, Due::Ping);
        assert_eq!(start.elapsed().as_millis(), 30);
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
        let mut ping = Ping::new(10 * SECOND, 5 * SECOND);
        tokio::time::advance(8 * SECOND).await;
        for _ in 0..4 {
            ping.heard();
            assert_eq!(next(&mut ping).await, (100, Due::Ping));
            tokio::time::advance(4 * SECOND).await;
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
