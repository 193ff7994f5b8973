//! What is heard on the network of other nodes: which packets say a URL, and for how long it counts.
//!
//! ```text
//!   packet ─▶ own? too long? no URL? too many? ─▶ dropped, and counted
//!               └─ a URL ─▶ heard ──(nothing for `kept`)──▶ forgotten
//! ```
//!
//! Whoever is on the network can say anything: one sender has a share of what is remembered, all together have
//! a bound, and in a flood nothing is read until the second is over.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// The URLs that are heard.
#[derive(Debug)]
pub(crate) struct Advertisements {
    own: String,
    longest: usize,
    kept: Duration,
    heard: BTreeMap<String, Heard>,
    second: Option<Second>,
}

#[derive(Debug)]
struct Heard {
    from: IpAddr,
    until: Instant,
}

/// How many packets came in the second that ends then.
#[derive(Debug)]
struct Second {
    end: Instant,
    packets: u32,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A URL that was not known.
    New,
    /// One that was, and is for longer now.
    Again,
    /// This node's own.
    Own,
    /// No URL of a node.
    NoUrl,
    /// Longer than a packet may be.
    TooLong,
    /// There is no room for it.
    Crowded,
    /// One too many in a second: nothing is to be read before the instant.
    Flood(Instant),
}

impl Advertisements {
    /// Remembers what others say than `own`, in packets of at most `longest` bytes, and each for `kept`.
    pub(crate) fn new(own: String, longest: usize, kept: Duration) -> Self {
        Self { own, longest, kept, heard: BTreeMap::new(), second: None }
    }

    /// Takes a packet.
    pub(crate) fn hear(
        &mut self,
        packet: &[u8],
        from: IpAddr,
        is_url: impl FnOnce(&str) -> bool,
        now: Instant,
    ) -> Verdict {
        if let Some(end) = self.flood(now) {
            return Verdict::Flood(end);
        }
        if packet.len() > self.longest {
            return Verdict::TooLong;
        }
        let Ok(url) = std::str::from_utf8(packet) else { return Verdict::NoUrl };
        if url == self.own {
            return Verdict::Own;
        }
        let until = now + self.kept;
        if let Some(heard) = self.heard.get_mut(url) {
            heard.until = until;
            return Verdict::Again;
        }
        if !is_url(url) {
            return Verdict::NoUrl;
        }
        let of_sender = self.heard.values().filter(|heard| heard.from == from).count();
        if self.heard.len() >= MOST || of_sender >= MOST_OF_ONE_SENDER {
            return Verdict::Crowded;
        }
        self.heard.insert(url.to_owned(), Heard { from, until });
        Verdict::New
    }

    /// Counts a packet, and returns the end of the second if there are too many in it.
    fn flood(&mut self, now: Instant) -> Option<Instant> {
        let begun = Second { end: now + SECOND, packets: 0 };
        let second = match &mut self.second {
            Some(second) if now < second.end => second,
            other => other.insert(begun),
        };
        second.packets = second.packets.saturating_add(1);
        if second.packets <= MOST_IN_A_SECOND {
            return None;
        }
        // What is not read may have been of those that are known: silence says nothing now.
        let (end, until) = (second.end, second.end + self.kept);
        self.heard.values_mut().for_each(|heard| heard.until = until);
        Some(end)
    }

    /// Forgets who has not been heard; returns whether there was one.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let before = self.heard.len();
        self.heard.retain(|_, heard| now < heard.until);
        self.heard.len() < before
    }

    /// Returns when the next one is to be forgotten.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.heard.values().map(|heard| heard.until).min()
    }

    /// Returns the URLs.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.heard.keys().map(String::as_str)
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Four times what a thousand nodes send.
const MOST_IN_A_SECOND: u32 = 2_000;

/// No network has that many nodes on which everybody hears everybody.
const MOST: usize = 1_024;

/// On one machine there may be many nodes, but not all.
const MOST_OF_ONE_SENDER: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_secs(8);
    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    struct Scene {
        machine: Advertisements,
        now: Instant,
    }

    impl Scene {
        #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
        fn new() -> Self {
            Self {
                machine: Advertisements::new("http://own/".to_owned(), 40, KEPT),
                now: Instant::now(),
            }
        }

        fn hear(&mut self, packet: &[u8]) -> Verdict {
            self.hear_from(packet, FROM)
        }

        fn hear_from(&mut self, packet: &[u8], from: IpAddr) -> Verdict {
            self.machine.hear(packet, from, |url| url.starts_with("http://"), self.now)
        }

        fn urls(&self) -> Vec<&str> {
            self.machine.urls().collect()
        }
    }

    #[test]
    fn a_url_counts_as_long_as_it_is_heard() {
        let mut scene = Scene::new();
        assert_eq!(scene.hear(b"http://a/"), Verdict::New);
        scene.now += KEPT / 2;
        assert_eq!(scene.hear(b"http://a/"), Verdict::Again);
        assert_eq!(scene.machine.deadline(), Some(scene.now + KEPT));
        scene.now += KEPT - Duration::from_millis(1);
        assert!(!scene.machine.expire(scene.now));
        scene.now += Duration::from_millis(1);
        assert!(scene.machine.expire(scene.now));
        assert!(scene.urls().is_empty());
        assert_eq!(scene.machine.deadline(), None);
    }

    #[test]
    fn what_is_no_url_of_another_node_is_dropped() {
        let mut scene = Scene::new();
        assert_eq!(scene.hear(b"http://own/"), Verdict::Own);
        assert_eq!(scene.hear(b""), Verdict::NoUrl);
        assert_eq!(scene.hear(b"gopher://a/"), Verdict::NoUrl);
        assert_eq!(scene.hear(b"http://\xff/"), Verdict::NoUrl);
        assert_eq!(scene.hear(&[b'a'; 41]), Verdict::TooLong);
        assert!(scene.urls().is_empty());
    }

    #[test]
    fn no_sender_takes_the_room_of_others() {
        let mut scene = Scene::new();
        for number in 0..MOST_OF_ONE_SENDER {
            assert_eq!(scene.hear(format!("http://a/{number}").as_bytes()), Verdict::New);
        }
        assert_eq!(scene.hear(b"http://more/"), Verdict::Crowded);
        let other = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(scene.hear_from(b"http://more/", other), Verdict::New);
    }

    #[test]
    fn all_together_have_a_bound() {
        let mut scene = Scene::new();
        for number in 0..MOST + 1 {
            let [.., high, low] = number.to_be_bytes();
            let verdict =
                scene.hear_from(format!("http://a/{number}").as_bytes(), [10, 0, high, low].into());
            let is_room = number < MOST;
            assert_eq!(verdict, if is_room { Verdict::New } else { Verdict::Crowded }, "{number}");
        }
    }

    #[test]
    fn a_flood_is_not_read_and_makes_nobody_forgotten() {
        let mut scene = Scene::new();
        scene.hear(b"http://a/");
        let end = scene.now + SECOND;
        for _ in 1..MOST_IN_A_SECOND {
            assert_eq!(scene.hear(b"nonsense"), Verdict::NoUrl);
        }
        assert_eq!(scene.hear(b"http://b/"), Verdict::Flood(end));
        scene.now = end;
        assert_eq!(scene.hear(b"http://b/"), Verdict::New);
        assert_eq!(scene.machine.deadline(), Some(end + KEPT));
        assert_eq!(scene.urls(), ["http://a/", "http://b/"]);
    }
}
