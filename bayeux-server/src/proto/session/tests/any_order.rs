//! Any inputs in any order: messages, connects whose hooks wait, requests that are held and connections
//! that carry, in one session.
//!
//! The carriers are played as the transports play them, each step of them being an input of its own.
//! After every input whoever has something to do has to know of it.

use proptest::prelude::*;

use super::*;
use crate::proto::{after, carriage::Lent};

/// The first ones are requests, the next are woken to push, the others lend their sockets.
const REQUESTS: u8 = 3;
const CARRIERS: u8 = 7;

#[derive(Clone, Debug)]
enum Input {
    /// A connect arrives, and the application thinks about it.
    Connect {
        by: u8,
        timeout: Option<i64>,
        interval: Option<i64>,
    },
    /// The application is done with it.
    Hold(u8),
    /// A held request whose browser has no place left.
    LetGo(u8),
    /// A message arrives over a connection.
    Speak(u8),
    /// A carrier that is awake looks at what there is.
    Look(u8),
    /// A connection has nothing else to do.
    Rest(u8),
    Break(u8),
    /// Somebody writes to the socket that is lent, and so much of it goes through.
    Write(Wrote),
    Replied(u64),
    /// A request begins, or ends, for which the application takes its time.
    Work(bool),
    Deliver {
        lazy: bool,
    },
    Respond {
        fails: bool,
    },
    /// Whether messages may go ahead.
    EnableAcknowledgements(bool),
    Acknowledge(u64, Since),
    SetDelivery(bool),
    SetMaxInterval(Option<u64>),
    StartBatch,
    EndBatch,
    /// The server is about to end.
    Dismiss,
    End(Removal),
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
enum Wrote {
    All,
    Part,
    Nothing,
}

/// One carrier, as its transport knows it.
#[derive(Clone, Debug, Default)]
struct Carrier {
    /// Accepted, and at the application.
    accepted: Option<Accepted>,
    held: Option<Cycle>,
    /// Whether it has spoken for the session.
    is_bound: bool,
    /// It looks before it waits.
    is_awake: bool,
    is_woken: bool,
    /// What it said when it last looked: when it wakes by itself.
    until: Option<Instant>,
}

#[derive(Debug)]
struct World {
    session: Session<u8>,
    now: Instant,
    carriers: Vec<Carrier>,
    /// Somebody is on the way to write to the socket that is lent.
    has_writer: bool,
}

fn means(carrier: u8) -> Means {
    match carrier {
        0..REQUESTS => Means::Reply,
        3 | 4 => Means::Push,
        _ => Means::Lend,
    }
}

impl World {
    fn new() -> Self {
        let (mut session, now) = new_session();
        assert!(session.handshaken(now));
        // The first connect is never held.
        let first = connect(&mut session, now);
        session.replied(first.cycle, now);
        let carriers = vec![Carrier::default(); usize::from(CARRIERS)];
        Self { session, now, carriers, has_writer: false }
    }

    fn of(&mut self, carrier: u8) -> &mut Carrier {
        &mut self.carriers[usize::from(carrier)]
    }

    fn tell(&mut self, tell: &Tell<u8>) {
        match tell {
            Tell::Nobody => {}
            Tell::Wake(carrier) => self.of(*carrier).is_woken = true,
            Tell::Write => self.has_writer = true,
        }
    }

    fn take(&mut self, input: &Input) {
        let now = self.now;
        match *input {
            Input::Connect { by, timeout, interval } => self.connect(by, timeout, interval),
            Input::Hold(by) => self.hold(by),
            Input::LetGo(by) if by < REQUESTS => {
                if let Some(cycle) = self.of(by).held.take() {
                    self.session.let_go(cycle, &by, now);
                    self.answer(cycle);
                }
            }
            Input::Speak(by) if by >= REQUESTS => self.speak(by),
            Input::Look(by) => self.look(by),
            Input::Rest(by) if by >= REQUESTS && self.of(by).is_awake => {
                let rests = self.session.wait(&by);
                self.of(by).is_awake = !rests;
            }
            Input::LetGo(_) | Input::Speak(_) | Input::Rest(_) => {}
            Input::Break(by) => {
                let gone = std::mem::take(self.of(by));
                for cycle in gone.held.into_iter().chain(gone.accepted.map(|own| own.cycle)) {
                    self.session.replied(cycle, now);
                }
                self.session.leave(&by);
            }
            Input::Write(wrote) => self.write(wrote),
            Input::Replied(cycle) => self.session.replied(Cycle(cycle), now),
            Input::Work(true) => self.session.begin_work(now),
            Input::Work(false) => {
                self.session.end_work(now);
                if self.session.is_dismissed() {
                    self.wake_everybody();
                }
            }
            Input::Deliver { lazy: is_lazy } => {
                let message = if is_lazy { lazy() } else { message(0) };
                let overflow = Some(Overflow::DropOldest);
                let (_, tell) = self.session.deliver(message, None, overflow, now);
                self.tell(&tell);
            }
            Input::Respond { fails } => {
                let messages = self.session.drain_with_response();
                if fails {
                    let (_, tell) = self.session.put_back(messages);
                    self.tell(&tell);
                }
            }
            Input::EnableAcknowledgements(ahead) => self.session.enable_acknowledgements(ahead),
            Input::Acknowledge(batch, since) => self.session.acknowledge(batch, since),
            Input::SetDelivery(any) => {
                let delivery = if any { Delivery::Any } else { Delivery::ConnectOnly };
                let tell = self.session.set_delivery(delivery);
                self.tell(&tell);
            }
            Input::SetMaxInterval(seconds) => {
                self.session.set_max_interval(seconds.map(Duration::from_secs));
            }
            Input::StartBatch => self.session.start_batch(),
            Input::EndBatch => {
                let (_, tell) = self.session.end_batch();
                self.tell(&tell);
            }
            Input::Dismiss => {
                self.session.dismiss(SECOND);
                self.wake_everybody();
            }
            Input::End(removal) => self.end(removal),
            Input::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                if self.session.is_over(self.now) {
                    self.end(Removal::Expired);
                }
            }
        }
    }

    fn connect(&mut self, by: u8, timeout: Option<i64>, interval: Option<i64>) {
        let own = self.of(by);
        // A request is one connect; a connection waits for the work of one message before the next.
        if own.accepted.is_some() || by < REQUESTS && own.held.is_some() {
            return;
        }
        if by >= REQUESTS {
            self.speak(by);
        }
        let mut advice = Advice::default();
        (advice.timeout, advice.interval) = (timeout, interval);
        if let Some((accepted, tell)) = self.session.connect(Some(&advice), self.now) {
            self.tell(&tell);
            self.of(by).accepted = Some(accepted);
        }
    }

    fn speak(&mut self, by: u8) {
        if !self.session.is_handshook() {
            return;
        }
        self.session.bind(&by, means(by), Turn::Again);
        self.session.wake_up(&by);
        let own = self.of(by);
        (own.is_bound, own.is_awake) = (true, true);
    }

    fn hold(&mut self, by: u8) {
        let Some(accepted) = self.of(by).accepted.take() else { return };
        if by >= REQUESTS {
            self.speak(by);
            self.of(by).held = None;
        }
        let (held, tell) = self.session.hold(accepted, &by, means(by), self.now);
        self.tell(&tell);
        match held {
            Hold::For(timeout) => {
                let until = after(self.now, timeout);
                let own = self.of(by);
                (own.held, own.until) = (Some(accepted.cycle), Some(until));
                if by < REQUESTS {
                    // It asks once before it waits.
                    own.is_woken = true;
                    self.look(by);
                }
            }
            Hold::Not => self.answer(accepted.cycle),
            Hold::Overtaken if by < REQUESTS => {
                self.session.leave(&by);
            }
            Hold::Overtaken => {}
        }
    }

    fn answer(&mut self, cycle: Cycle) {
        self.session.drain_with_connect(cycle);
        self.session.replied(cycle, self.now);
    }

    /// Does what a carrier does when it was woken, or its time has come.
    fn look(&mut self, by: u8) {
        let now = self.now;
        let own = self.of(by);
        let is_time = own.until.is_some_and(|until| until <= now);
        let is_there = own.is_bound || own.held.is_some();
        if !is_there || !(own.is_woken || own.is_awake || is_time) {
            return;
        }
        (own.is_woken, own.until) = (false, None);
        let held = own.held;
        if by >= REQUESTS {
            self.session.wake_up(&by);
            self.of(by).is_awake = true;
            self.session.push(&by, now);
            let until = self.session.push_deadline(&by);
            self.of(by).until = until;
        }
        self.look_at_held(by, held);
        if by >= REQUESTS && !self.session.is_handshook() {
            self.session.leave(&by);
            let own = self.of(by);
            (own.is_bound, own.is_awake) = (false, false);
        }
    }

    fn look_at_held(&mut self, by: u8, held: Option<Cycle>) {
        let now = self.now;
        let Some(cycle) = held else { return };
        match self.session.held(cycle, means(by), now) {
            Held::Wait(until) => {
                let own = self.of(by);
                own.until = Some(own.until.map_or(until, |own| own.min(until)));
                return;
            }
            Held::Overtaken => {}
            Held::TimedOut | Held::Resume => self.answer(cycle),
        }
        self.of(by).held = None;
        if by < REQUESTS {
            self.session.leave(&by);
        }
    }

    fn write(&mut self, wrote: Wrote) {
        if !std::mem::take(&mut self.has_writer) {
            return;
        }
        let mut messages = Vec::new();
        match self.session.lend(true, &mut messages, self.now) {
            Lent::No => return,
            Lent::Wake(&carrier) => {
                self.of(carrier).is_woken = true;
                return;
            }
            Lent::Socket(..) => assert!(!messages.is_empty()),
        }
        match wrote {
            Wrote::All => return self.session.written(self.now),
            Wrote::Part => {}
            Wrote::Nothing => drop(self.session.put_back(messages)),
        }
        let carrier = *self.session.call_back().unwrap();
        self.of(carrier).is_woken = true;
    }

    fn end(&mut self, removal: Removal) {
        self.session.end(removal, None, self.now);
        self.wake_everybody();
    }

    fn wake_everybody(&mut self) {
        for carrier in self.session.everybody() {
            self.of(carrier).is_woken = true;
        }
    }

    /// Has everybody do what they know of, until nobody knows of anything more at this instant.
    fn settle(&mut self) {
        let is_busy = |own: &Carrier| own.is_woken || own.is_awake;
        while self.has_writer || self.carriers.iter().any(is_busy) {
            self.write(Wrote::All);
            for by in 0..CARRIERS {
                self.look(by);
                self.take(&Input::Rest(by));
                // Of those who have nothing to do with the session.
                self.of(by).is_woken = false;
            }
        }
        (0..CARRIERS).for_each(|by| self.look(by));
        (0..CARRIERS).for_each(|by| self.take(&Input::Rest(by)));
    }

    /// Checks that nothing was left to be done by somebody who does not know of it.
    fn check_settled(&self) -> Result<(), TestCaseError> {
        let Self { session, now, carriers, .. } = self;
        let is_due = session.is_due(*now);
        let lazy = session.lazy_until.filter(|_| session.batch == 0 && session.queue.is_waiting());
        for (by, own) in (0..CARRIERS).zip(carriers) {
            let pushes = own.is_bound && session.is_pushed() && session.is_carried_by(&by);
            prop_assert!(own.held.is_none_or(|held| held == session.cycle), "{by} is overtaken");
            prop_assert!(session.is_handshook() || own.held.is_none() && !own.is_bound, "{by}");
            prop_assert!(!session.is_leaving() || own.held.is_none(), "{by} is to be answered");
            prop_assert!(!is_due || !pushes && own.held.is_none(), "{by} does not know");
            let knows = lazy.is_none_or(|lazy| own.until.is_some_and(|until| until <= lazy));
            prop_assert!(knows || !pushes && own.held.is_none(), "{by} comes too late");
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), TestCaseError> {
        let deadline = self.session.deadline();
        prop_assert_eq!(deadline.is_some(), self.session.is_handshook());
        let reach = rules().max_advised + rules().max_processing + 100 * SECOND;
        prop_assert!(deadline.is_none_or(|deadline| deadline <= self.now + reach));
        let depth = self.session.depth();
        prop_assert!(depth.messages <= rules().max_queue);
        prop_assert!(depth.bytes <= rules().max_queue_bytes);
        Ok(())
    }
}

fn input() -> impl Strategy<Value = Input> {
    let carrier = || 0..CARRIERS;
    let advice = || proptest::option::weighted(0.1, 0..30_000_i64);
    prop_oneof![
        9 => (carrier(), advice(), advice())
            .prop_map(|(by, timeout, interval)| Input::Connect { by, timeout, interval }),
        12 => carrier().prop_map(Input::Hold),
        1 => (0..REQUESTS).prop_map(Input::LetGo),
        4 => (REQUESTS..CARRIERS).prop_map(Input::Speak),
        9 => carrier().prop_map(Input::Look),
        6 => (REQUESTS..CARRIERS).prop_map(Input::Rest),
        2 => carrier().prop_map(Input::Break),
        4 => prop_oneof![Just(Wrote::All), Just(Wrote::Part), Just(Wrote::Nothing)]
            .prop_map(Input::Write),
        1 => (0..9_u64).prop_map(Input::Replied),
        1 => any::<bool>().prop_map(Input::Work),
        9 => any::<bool>().prop_map(|lazy| Input::Deliver { lazy }),
        2 => any::<bool>().prop_map(|fails| Input::Respond { fails }),
        2 => any::<bool>().prop_map(Input::EnableAcknowledgements),
        3 => (0..9_u64, prop_oneof![Just(Since::OnItsWay), Just(Since::MayBeLost)])
            .prop_map(|(batch, since)| Input::Acknowledge(batch, since)),
        4 => any::<bool>().prop_map(Input::SetDelivery),
        1 => proptest::option::of(10..90_u64).prop_map(Input::SetMaxInterval),
        1 => Just(Input::StartBatch),
        2 => Just(Input::EndBatch),
        1 => Just(Input::Dismiss),
        1 => prop_oneof![Just(Removal::Removed), Just(Removal::Overflowed)].prop_map(Input::End),
        4 => prop_oneof![3 => 0..3_000_u64, 1 => 0..40_000_u64].prop_map(Input::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn every_live_session_has_a_deadline_and_whoever_carries_it_knows_what_is_due(
        inputs in proptest::collection::vec(input(), 0..40),
    ) {
        let mut world = World::new();
        for input in &inputs {
            world.take(input);
            world.check_bounds()?;
        }
        world.settle();
        world.check_settled()?;
    }
}
