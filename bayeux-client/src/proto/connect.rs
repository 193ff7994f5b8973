//! `/meta/connect`: the heart-beat, of which there is always one and never two.

use std::time::{Duration, Instant};

use bayeux_api::{Message, Reconnect, client::RequestError, meta};

use super::{
    Kind, LONGEST, Machine, Output, Phase, Progress, Step, What, receive::knows_no_session,
    request::Request,
};

impl<T> Machine<T> {
    pub(super) fn send_connect(&mut self, now: Instant) {
        let Phase::Live { progress, .. } = self.phase else { return };
        if let Some(better) = self.promoted.take() {
            self.outputs.push(Output::Leave(self.negotiation.current()));
            self.negotiation.set_current(better);
        }
        self.phase = Phase::Live { progress, step: Step::Sent };
        let mut message = Message::new(meta::CONNECT);
        message.connection_type = Some(self.negotiation.current().as_str().to_owned());
        let held = if progress == Progress::Connected {
            self.advice.timeout().unwrap_or(UNKNOWN_TIMEOUT)
        } else {
            message.advice_mut().timeout = Some(0);
            Duration::ZERO
        };
        self.ack.acknowledge(&mut message, self.negotiation.current());
        self.pace.sent(now);
        let request = Request::new(self.next_id(), message, What::Connect);
        self.send(vec![request], Kind::Connect, held, now);
    }

    /// The connect was answered.
    pub(super) fn connect_replied(&mut self, reply: Message, now: Instant) {
        let Phase::Live { .. } = self.phase else {
            let is_last = matches!(self.phase, Phase::Terminating(_));
            let got = self.ack.got(&reply);
            self.outputs.extend(got.into_iter().map(Output::Notify));
            self.outputs.push(Output::Notify(reply));
            if is_last {
                self.finish();
            }
            return;
        };
        if !reply.is_successful() {
            return self.connect_refused(reply, now);
        }
        self.negotiation.works(self.negotiation.current());
        let advised = reply.advice.as_ref().and_then(|advice| advice.reconnect);
        // A session that the server ends at once has not succeeded.
        if advised != Some(Reconnect::Handshake) {
            self.failures = super::Failures::default();
        }
        if let Some(advice) = reply.advice.clone() {
            self.advice = advice;
        }
        let got = self.ack.got(&reply);
        self.outputs.extend(got.into_iter().map(Output::Notify));
        let step = self.connect_at(now + self.interval());
        self.enter(Phase::Live { progress: Progress::Connected, step });
        let error = RequestError::Refused(Box::new(reply.clone()));
        self.outputs.push(Output::Notify(reply));
        match advised {
            Some(Reconnect::None) => self.terminate(&error, now),
            Some(Reconnect::Handshake) => self.advised_handshake(now),
            Some(Reconnect::Retry) | None => {
                self.subscribe_to_lost(now);
                self.tick(now);
            }
        }
    }

    fn connect_refused(&mut self, reply: Message, now: Instant) {
        // The last reply of a server that is about to end brings a batch, which nobody will send again.
        if reply.ext_field("ack").is_some() {
            let got = self.ack.got(&reply);
            self.outputs.extend(got.into_iter().map(Output::Notify));
        }
        self.ack.refused();
        let advised = reply.advice.as_ref().and_then(|advice| advice.reconnect);
        let needs_none = Some(Reconnect::Handshake).filter(|_| knows_no_session(&reply));
        let action = advised.or(needs_none).or(self.advice.reconnect).unwrap_or(Reconnect::Retry);
        if let Some(advice) = reply.advice.clone() {
            self.advice = advice;
        }
        let error = RequestError::Refused(Box::new(reply.clone()));
        self.outputs.push(Output::Notify(reply));
        match action {
            Reconnect::None => self.terminate(&error, now),
            Reconnect::Handshake => self.advised_handshake(now),
            Reconnect::Retry => match self.next_delay(Kind::Connect, now) {
                Some(delay) => self.retry_connect(self.interval() + delay, now),
                None => self.terminate(&error, now),
            },
        }
    }

    pub(super) fn retry_connect(&mut self, delay: Duration, now: Instant) {
        let step = self.connect_at(now + delay.min(LONGEST));
        self.enter(Phase::Live { progress: Progress::Unconnected, step });
        self.tick(now);
    }

    /// The next connect comes at this time, unless they follow each other without pause.
    pub(super) fn connect_at(&self, at: Instant) -> Step {
        Step::Waiting(self.pace.not_before(at))
    }

    /// The server asks for a new session. At once, as it says, also after an outage; but one that asks
    /// again and again, without a connect that succeeds in between, is not asked without pause.
    fn advised_handshake(&mut self, now: Instant) {
        let has_advised = std::mem::replace(&mut self.failures.has_advised, true);
        let Some(delay) = self.next_delay(Kind::Handshake, now) else {
            return self.terminate(&RequestError::NotHandshaken, now);
        };
        if let Some(hosts) = self.advice.hosts.take() {
            let before = self.servers.current().clone();
            self.servers.advise(&hosts);
            if *self.servers.current() != before {
                self.outputs.push(Output::Leave(self.negotiation.current()));
            }
        }
        self.advice.reconnect = None;
        let delay = if has_advised { delay } else { Duration::ZERO };
        self.handshake_after(self.interval() + delay, now);
    }

    /// When a better transport is to be tried again.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        let is_connected = matches!(self.phase, Phase::Live { progress: Progress::Connected, .. });
        if !is_connected || self.is_probing || self.promoted.is_some() {
            return None;
        }
        self.negotiation.better().map(|(_, at)| at)
    }

    /// A better transport was tried, and works or not.
    pub(crate) fn probed(
        &mut self,
        transport: bayeux_api::ConnectionType,
        works: bool,
        now: Instant,
    ) {
        self.is_probing = false;
        if works && matches!(self.phase, Phase::Live { .. }) {
            self.negotiation.forgive(transport);
            self.promoted = Some(transport);
        } else {
            self.negotiation.refuse(transport, now);
        }
    }
}

/// How long a connect may be held by a server that has not said.
const UNKNOWN_TIMEOUT: Duration = Duration::from_secs(60);
