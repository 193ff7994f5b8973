//! Pings: a peer that is gone without a word is noticed, though nothing is to be sent to it.

use std::time::{Duration, Instant};

use crate::{
    clock,
    config::WebSocketConfig,
    proto::after,
    transport::websocket::{connection::Connection, frame},
};

/// When to ask the peer whether it is there, and when it has not answered. Any byte is an answer.
#[derive(Debug)]
pub(super) struct Pinging {
    interval: Duration,
    timeout: Duration,
    /// When the peer was last heard of.
    heard: Instant,
    /// When it was asked, since when nothing was heard.
    asked: Option<Instant>,
}

impl Pinging {
    /// Makes one if connections are pinged. Boxed, since most are not.
    pub(super) fn new(config: &WebSocketConfig, now: Instant) -> Option<Box<Self>> {
        let (interval, timeout) = (config.ping_interval?, config.ping_timeout);
        Some(Box::new(Self { interval, timeout, heard: now, asked: None }))
    }

    /// Makes one that takes a connection for lost after so much silence. A client that asks after two thirds of
    /// it is not asked.
    pub(super) fn within(silence: Duration, now: Instant) -> Box<Self> {
        let quarter = silence / 4;
        Box::new(Self { interval: quarter * 3, timeout: quarter, heard: now, asked: None })
    }

    fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    /// Whether the peer is to be asked now, which is done only once until it is heard.
    fn asks(&mut self, now: Instant) -> bool {
        let is_due = self.asked.is_none() && after(self.heard, self.interval) <= now;
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }

    /// When the peer is to be asked, or has not answered in time.
    fn next(&self) -> Instant {
        match self.asked {
            Some(asked) => after(asked, self.timeout),
            None => after(self.heard, self.interval),
        }
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.asked.is_some() && self.next() <= now
    }
}

impl Connection {
    /// Notes that the peer was heard of, or that it took what it had no place for before.
    pub(super) fn heard(&mut self) {
        if let Some(pinging) = &mut self.pinging {
            pinging.heard(clock::now());
        }
    }

    /// Pings the peer if it was silent for long, and tells when to look again. Nobody knows whether a peer
    /// is silent of which no more is read.
    pub(super) fn ping(&mut self, now: Instant) -> Option<Instant> {
        let is_read = self.busy.inbox.has_room();
        let pinging = self.pinging.as_mut().filter(|_| is_read)?;
        let (asks, next) = (pinging.asks(now), pinging.next());
        if asks {
            self.begin_taking();
            self.busy.outbox.append(frame::append_ping);
        }
        Some(next)
    }

    /// Whether the peer has not answered in time; to be asked when all is read that has arrived.
    pub(super) fn is_silent(&self) -> bool {
        let pinging = self.pinging.as_ref().filter(|_| self.busy.inbox.has_room());
        pinging.is_some_and(|pinging| pinging.is_silent(clock::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pinging(now: Instant) -> Box<Pinging> {
        let mut config = WebSocketConfig::default();
        assert!(Pinging::new(&config, now).is_none());
        (config.ping_interval, config.ping_timeout) = (Some(10 * SECOND), 5 * SECOND);
        Pinging::new(&config, now).unwrap()
    }

    #[test]
    fn silence_is_noticed_after_the_interval_and_the_timeout() {
        let start = clock::now();
        let mut pinging = pinging(start);
        assert_eq!(pinging.next(), start + 10 * SECOND);
        assert!(!pinging.asks(start + 9 * SECOND) && pinging.asks(start + 10 * SECOND));
        assert_eq!(pinging.next(), start + 15 * SECOND);
        // It is asked once.
        assert!(!pinging.asks(start + 14 * SECOND) && !pinging.is_silent(start + 14 * SECOND));
        assert!(pinging.is_silent(start + 15 * SECOND));
    }

    #[test]
    fn a_client_that_asks_after_two_thirds_of_the_silence_is_not_asked() {
        let mut now = clock::now();
        let mut pinging = Pinging::within(12 * SECOND, now);
        for _ in 0..3 {
            now += 8 * SECOND;
            assert!(!pinging.asks(now));
            pinging.heard(now);
        }
        assert!(pinging.asks(now + 9 * SECOND) && !pinging.is_silent(now + 11 * SECOND));
        assert!(pinging.is_silent(now + 12 * SECOND));
    }

    #[test]
    fn who_is_heard_is_asked_again_later() {
        let mut now = clock::now();
        let mut pinging = pinging(now);
        for _ in 0..3 {
            now += 10 * SECOND;
            assert!(pinging.asks(now));
            now += 4 * SECOND;
            pinging.heard(now);
            assert_eq!(pinging.next(), now + 10 * SECOND);
            assert!(!pinging.is_silent(now + 9 * SECOND));
        }
    }
}
