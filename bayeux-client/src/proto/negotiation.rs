//! Which transport to use: the client's order, what the server can, and what has been refused.

use std::time::{Duration, Instant};

use bayeux_api::{BayeuxError, ConnectionType};

/// The client's transports, best first, and what is known of each.
#[derive(Debug)]
pub(crate) struct Negotiation {
    candidates: Vec<Candidate>,
    /// What the server said it can, in its last handshake reply; empty before.
    server: Vec<String>,
    current: ConnectionType,
    /// After how long a refused transport is tried again.
    again_after: Duration,
}

#[derive(Debug)]
struct Candidate {
    transport: ConnectionType,
    /// Until when it is not used, since it does not work here.
    refused_until: Option<Instant>,
    /// Whether it has worked since.
    has_worked: bool,
}

impl Negotiation {
    /// # Panics
    ///
    /// When `transports` is empty, which the builder refuses.
    pub(crate) fn new(transports: &[ConnectionType], again_after: Duration) -> Self {
        let candidates = transports
            .iter()
            .map(|&transport| Candidate { transport, refused_until: None, has_worked: false })
            .collect();
        Self { candidates, server: Vec::new(), current: transports[0], again_after }
    }

    pub(crate) fn current(&self) -> ConnectionType {
        self.current
    }

    /// Returns the names of what may be used now, for a handshake.
    pub(crate) fn acceptable(&self, now: Instant) -> Vec<String> {
        let usable = self.candidates.iter().filter(|candidate| candidate.is_usable(now));
        usable.map(|candidate| candidate.transport.as_str().to_owned()).collect()
    }

    /// Chooses the best that may be used, without the server's word; none when there is none.
    pub(crate) fn choose(&mut self, now: Instant) -> Option<ConnectionType> {
        self.current = self.best(now)?;
        Some(self.current)
    }

    pub(crate) fn best(&self, now: Instant) -> Option<ConnectionType> {
        self.candidates.iter().find(|one| one.is_usable(now)).map(|one| one.transport)
    }

    pub(crate) fn is_usable(&self, transport: ConnectionType, now: Instant) -> bool {
        self.candidates.iter().any(|one| one.transport == transport && one.is_usable(now))
    }

    /// Uses every transport again.
    pub(crate) fn forgive_all(&mut self) {
        self.candidates.iter_mut().for_each(|candidate| candidate.refused_until = None);
    }

    /// Chooses the best that both ends can, after a handshake reply.
    pub(crate) fn agree(
        &mut self,
        server: Vec<String>,
        now: Instant,
    ) -> Result<ConnectionType, BayeuxError> {
        self.server = server;
        let best = self
            .candidates
            .iter()
            .find(|candidate| candidate.is_usable(now) && self.server_can(candidate.transport));
        let Some(best) = best else {
            return Err(BayeuxError::NoTransport {
                client: self.acceptable(now).join(","),
                server: self.server.join(","),
            });
        };
        self.current = best.transport;
        Ok(best.transport)
    }

    /// The in-process transport is not in a server's list, since it is not one of the network.
    fn server_can(&self, transport: ConnectionType) -> bool {
        transport == ConnectionType::InProcess
            || self.server.iter().any(|name| name == transport.as_str())
    }

    pub(crate) fn has_worked(&self, transport: ConnectionType) -> bool {
        self.candidates.iter().any(|one| one.transport == transport && one.has_worked)
    }

    pub(crate) fn works(&mut self, transport: ConnectionType) {
        if let Some(candidate) = self.candidate(transport) {
            candidate.has_worked = true;
            candidate.refused_until = None;
        }
    }

    /// Does without `transport` for a while.
    pub(crate) fn refuse(&mut self, transport: ConnectionType, now: Instant) {
        let until = now + self.again_after;
        if let Some(candidate) = self.candidate(transport) {
            candidate.has_worked = false;
            candidate.refused_until = Some(until);
        }
    }

    /// Uses `transport` again.
    pub(crate) fn forgive(&mut self, transport: ConnectionType) {
        if let Some(candidate) = self.candidate(transport) {
            candidate.refused_until = None;
        }
    }

    pub(crate) fn set_current(&mut self, transport: ConnectionType) {
        self.current = transport;
    }

    /// Returns the transport that is better than the current one, and when it is to be tried again.
    pub(crate) fn better(&self) -> Option<(ConnectionType, Instant)> {
        let better = self.candidates.iter().take_while(|one| one.transport != self.current);
        let mut refused = better.filter(|one| self.server_can(one.transport));
        refused.find_map(|one| Some((one.transport, one.refused_until?)))
    }

    fn candidate(&mut self, transport: ConnectionType) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|candidate| candidate.transport == transport)
    }
}

impl Candidate {
    fn is_usable(&self, now: Instant) -> bool {
        self.refused_until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use ConnectionType::{LongPolling, WebSocket};

    use super::*;

    fn names(transports: &[ConnectionType]) -> Vec<String> {
        transports.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_clients_order_decides() {
        let now = Instant::now();
        let mut negotiation = Negotiation::new(&[WebSocket, LongPolling], Duration::MAX / 4);
        assert_eq!(negotiation.agree(names(&[LongPolling, WebSocket]), now), Ok(WebSocket));
        assert_eq!(negotiation.agree(names(&[LongPolling]), now), Ok(LongPolling));
        let error = negotiation.agree(vec!["carrier-pigeon".to_owned()], now).unwrap_err();
        assert_eq!(
            error.to_string(),
            "405:c[websocket,long-polling],s[carrier-pigeon]:no_transport"
        );
    }

    #[test]
    fn what_was_refused_is_tried_again_after_a_while() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let mut negotiation = Negotiation::new(&[WebSocket, LongPolling], minute);
        negotiation.agree(names(&[WebSocket, LongPolling]), now).unwrap();
        negotiation.refuse(WebSocket, now);
        assert_eq!(negotiation.choose(now), Some(LongPolling));
        assert_eq!(negotiation.better(), Some((WebSocket, now + minute)));
        assert_eq!(negotiation.choose(now + minute), Some(WebSocket));
    }
}
