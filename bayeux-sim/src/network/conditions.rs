//! What the network is like where nothing has failed.

use std::time::Duration;

/// How fast, and how reliable, the network of a run is.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// How long a packet needs: each direction of each pair has a time of its own between these.
    pub latency: (Duration, Duration),
    /// What may be added to that for each packet.
    pub jitter: Duration,
    /// How many of a thousand packets are lost. In a stream they come again, after
    /// [`retransmission`](Self::retransmission).
    pub loss: u64,
    /// How many of a thousand packets that are sent by themselves come twice.
    pub duplicates: u64,
    /// After what time a lost packet of a stream comes again.
    pub retransmission: Duration,
    /// How long a system waits for the other end to confirm what was sent before it gives a stream up.
    pub stall: Duration,
    /// How long a system waits for the answer to a dial.
    pub dial: Duration,
    /// How late a node may be woken for its deadline.
    pub lateness: Duration,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: (Duration::from_millis(1), Duration::from_millis(40)),
            jitter: Duration::from_millis(10),
            loss: 10,
            duplicates: 10,
            retransmission: Duration::from_millis(300),
            stall: Duration::from_secs(20),
            dial: Duration::from_secs(10),
            lateness: Duration::from_millis(50),
        }
    }
}
