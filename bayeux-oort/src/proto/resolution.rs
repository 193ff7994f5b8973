//! When a name is resolved again, and what the answers make of the seeds.
//!
//! A name server that fails says nothing of the nodes: what it said before stays. An answer without any node
//! may be the truth, or that of a server which is just starting: it is believed when it was given three times.

use std::{collections::BTreeSet, time::Duration};

/// What was made of the answers so far.
#[derive(Debug)]
pub(crate) struct Resolution {
    interval: Duration,
    failures: u32,
    empty_answers: u32,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These are the nodes; perhaps for so long.
    Nodes(BTreeSet<String>, Option<Duration>),
    /// Nobody knows.
    Failed,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// The nodes from now on, if they are known better than before.
    pub(crate) nodes: Option<BTreeSet<String>>,
    /// When to ask again.
    pub(crate) pause: Duration,
}

impl Resolution {
    /// Asks again after `interval` at the latest.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, failures: 0, empty_answers: 0 }
    }

    /// Takes an answer. `chance` is a random number from 0 to 1.
    pub(crate) fn handle(&mut self, answer: Answer, chance: f64) -> Next {
        match answer {
            Answer::Failed => {
                self.failures = self.failures.saturating_add(1);
                Next { nodes: None, pause: self.backoff(self.failures, chance) }
            }
            Answer::Nodes(nodes, _) if nodes.is_empty() => {
                self.failures = 0;
                self.empty_answers = self.empty_answers.saturating_add(1);
                let nodes = (self.empty_answers >= BELIEVED).then_some(nodes);
                Next { nodes, pause: self.backoff(self.empty_answers, chance) }
            }
            Answer::Nodes(nodes, lifetime) => {
                (self.failures, self.empty_answers) = (0, 0);
                let shortest = SHORTEST.min(self.interval);
                let lifetime = lifetime.unwrap_or(self.interval);
                let lifetime = lifetime.clamp(shortest, self.interval);
                // Never before its end: a cache on the way would give the same once more.
                Next { nodes: Some(nodes), pause: lifetime.mul_f64(1.0 + 0.2 * chance) }
            }
        }
    }

    /// Returns how long to wait after so many vain attempts: twice as long each time, and by no two nodes
    /// the same.
    fn backoff(&self, attempts: u32, chance: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        doubled.min(self.interval).mul_f64(0.5 + 0.5 * chance)
    }
}

/// A shorter time to live is that of a server that wants to be asked for each connection.
const SHORTEST: Duration = Duration::from_secs(5);

/// The first pause after a failure.
const FIRST: Duration = Duration::from_secs(1);

/// How often nobody has to be there.
const BELIEVED: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn nodes(urls: &[&str]) -> BTreeSet<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    fn found(urls: &[&str], seconds: u64) -> Answer {
        Answer::Nodes(nodes(urls), Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_name_is_asked_for_again_when_its_time_is_over() {
        let mut machine = Resolution::new(INTERVAL);
        for (answer, chance, pause) in [
            (found(&["http://a/"], 10), 0.0, 10),
            (found(&["http://a/"], 10), 1.0, 12),
            (found(&["http://a/"], 0), 0.0, 5),
            (found(&["http://a/"], 3_600), 0.0, 30),
            (Answer::Nodes(nodes(&["http://a/"]), None), 0.0, 30),
        ] {
            let next = machine.handle(answer.clone(), chance);
            assert_eq!(next.pause, Duration::from_secs(pause), "{answer:?}");
            assert_eq!(next.nodes, Some(nodes(&["http://a/"])));
        }
        let brief =
            Resolution::new(Duration::from_millis(10)).handle(found(&["http://a/"], 0), 0.0);
        assert_eq!(brief.pause, Duration::from_millis(10));
    }

    #[test]
    fn a_failure_changes_nothing_and_is_asked_about_again_ever_later() {
        let mut machine = Resolution::new(INTERVAL);
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let next = machine.handle(Answer::Failed, 1.0);
            assert_eq!(next, Next { nodes: None, pause: Duration::from_secs(pause) });
        }
        let half = machine.handle(Answer::Failed, 0.0);
        assert_eq!(half.pause, INTERVAL / 2);
        machine.handle(found(&["http://a/"], 30), 0.0);
        assert_eq!(machine.handle(Answer::Failed, 1.0).pause, FIRST);
        for _ in 0..100 {
            assert!(machine.handle(Answer::Failed, 1.0).pause <= INTERVAL);
        }
    }

    #[test]
    fn that_nobody_is_there_is_believed_at_the_third_time() {
        let mut machine = Resolution::new(INTERVAL);
        machine.handle(found(&["http://a/"], 30), 0.0);
        assert_eq!(machine.handle(found(&[], 30), 0.0).nodes, None);
        assert_eq!(machine.handle(Answer::Failed, 0.0).nodes, None);
        assert_eq!(machine.handle(found(&[], 30), 0.0).nodes, None);
        assert_eq!(machine.handle(found(&[], 30), 0.0).nodes, Some(nodes(&[])));
        assert_eq!(
            machine.handle(found(&["http://b/"], 30), 0.0).nodes,
            Some(nodes(&["http://b/"]))
        );
        assert_eq!(machine.handle(found(&[], 30), 0.0).nodes, None);
    }
}
