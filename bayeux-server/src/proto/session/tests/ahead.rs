//! What is acknowledged and goes ahead of replies comes once and in order, wherever connections are cut.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// What a queue holds: what the client has not got, what came with the last reply, and what went ahead after it.
const MOST: usize = 48;

#[derive(Clone, Copy, Debug)]
enum Event {
    Deliver,
    /// Somebody comes to write, and the peer takes all, the beginning, or nothing.
    Write(Wrote),
    /// A connection looks at what there is, and waits.
    Look(usize),
    /// The application has done with a connect.
    Hold(usize),
    /// The client reads a part of what has come.
    Read,
    /// Something of the client's comes over its connection.
    Speak,
    /// The client's next connect comes.
    Arrive,
    /// The client loses its connection, and comes over another, or by a request.
    Cut {
        is_request: bool,
    },
    /// The server gets to know that a connection is gone.
    Notice(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    All,
    Part,
    Nothing,
}

#[derive(Debug)]
enum Part {
    Message(u32),
    Number(u64),
    Reply(Option<u64>),
}

/// A connection or a request, as the server knows it.
#[derive(Debug, Default)]
struct Way {
    is_request: bool,
    is_gone: bool,
    is_over: bool,
    /// What the client's connect on its way says: a batch, and what became of what was sent after it.
    connect: Option<(u64, Since)>,
    accepted: Option<Accepted>,
    held: Option<Cycle>,
    /// What has come to the client, and what the connection has still to write.
    parts: VecDeque<Part>,
    left: VecDeque<Part>,
}

/// The client's end of the extension.
#[derive(Debug, Default)]
struct Client {
    batch: u64,
    is_on_its_way: bool,
    kept: Vec<u32>,
    got: Vec<u32>,
}

struct World {
    session: Session<u8>,
    now: Instant,
    delivered: u32,
    has_writer: bool,
    client: Client,
    /// The last is the client's.
    ways: Vec<Way>,
}

fn number(message: &Frozen) -> u32 {
    let message: Vec<Value> = serde_json::from_slice(message.array()).unwrap();
    u32::try_from(message[0]["data"].as_u64().unwrap()).unwrap()
}

fn parts(due: Due) -> impl Iterator<Item = Part> {
    let messages = due.messages.into_iter().map(|message| Part::Message(number(&message)));
    messages.chain(due.batch.map(Part::Number))
}

fn carrier(way: usize) -> u8 {
    u8::try_from(way).unwrap()
}

impl World {
    fn new(is_request: bool) -> Self {
        let (mut session, now) = session();
        session.set_queue_bounds(QueueBounds::new(MOST, 10_000, Overflow::DropOldest));
        session.enable_acknowledgements(true);
        let first = connect(&mut session, now);
        session.replied(first.cycle, now);
        let client = Client::default();
        let mut world =
            Self { session, now, delivered: 0, has_writer: false, client, ways: Vec::new() };
        world.come(is_request);
        world
    }

    fn means(&self, way: usize) -> Means {
        if self.ways[way].is_request { Means::Reply } else { Means::Lend }
    }

    /// The client comes by a new way, with a connect.
    fn come(&mut self, is_request: bool) {
        self.client.kept.clear();
        self.client.is_on_its_way = false;
        self.ways.push(Way { is_request, ..Way::default() });
        self.connect();
    }

    /// The client sends a connect.
    fn connect(&mut self) {
        let way = self.ways.len() - 1;
        if self.ways[way].is_over {
            return self.come(true);
        }
        let since = if self.client.is_on_its_way { Since::OnItsWay } else { Since::MayBeLost };
        self.client.is_on_its_way = !self.ways[way].is_request;
        self.ways[way].connect = Some((self.client.batch, since));
    }

    fn arrive(&mut self) {
        self.speak();
        let way = self.ways.len() - 1;
        let Some((batch, since)) = self.ways[way].connect.take() else { return };
        let accepted = connect(&mut self.session, self.now);
        self.session.acknowledge(batch, since);
        self.ways[way].accepted = Some(accepted);
    }

    fn speak(&mut self) {
        let way = self.ways.len() - 1;
        if !self.ways[way].is_request {
            self.session.bind(&carrier(way), Means::Lend, Turn::Again);
            self.session.wake_up(&carrier(way));
        }
    }

    fn play(&mut self, event: Event) {
        let last = self.ways.len() - 1;
        match event {
            Event::Deliver if self.delivered - self.client.got.len() as u32 >= 5 => {}
            Event::Deliver => {
                self.delivered += 1;
                let message = message(self.delivered);
                let (delivered, tell) = self.session.deliver(message, None, None, self.now);
                assert_eq!(delivered, Delivered::Queued { dropped: 0 });
                self.has_writer |= tell == Tell::Write;
            }
            Event::Write(wrote) => self.write(wrote),
            Event::Look(back) => self.look(last.saturating_sub(back)),
            Event::Hold(back) => self.hold(last.saturating_sub(back)),
            Event::Read => self.read(),
            Event::Speak => self.speak(),
            Event::Arrive => self.arrive(),
            Event::Cut { is_request } => {
                if last < 200 {
                    self.ways[last].is_gone = true;
                    self.come(is_request);
                }
            }
            Event::Notice(back) => {
                let way = last.saturating_sub(back);
                if self.ways[way].is_gone {
                    self.session.leave(&carrier(way));
                    self.ways[way].is_over = true;
                }
            }
        }
    }

    fn write(&mut self, wrote: Wrote) {
        if !std::mem::take(&mut self.has_writer) {
            return;
        }
        let mut messages = Vec::new();
        let (way, batch) = match self.session.lend(true, &mut messages, self.now) {
            Lent::No | Lent::Wake(_) => return,
            Lent::Socket(carrier, batch) => (usize::from(*carrier), batch),
        };
        assert!(!messages.is_empty());
        let mut came = parts(Due { messages: messages.clone(), batch }).collect::<VecDeque<_>>();
        let way = &mut self.ways[way];
        match wrote {
            Wrote::All => {
                self.session.written(self.now);
                way.parts.extend(came);
                return;
            }
            Wrote::Part => {
                way.parts.extend(came.pop_front());
                way.left = came;
            }
            Wrote::Nothing => drop(self.session.put_back(messages)),
        }
        self.session.call_back();
    }

    fn hold(&mut self, way: usize) {
        let means = self.means(way);
        let Some(accepted) = self.ways[way].accepted.take() else { return };
        // Every other request brings more than a connect, and is answered at once.
        if means == Means::Reply && way.is_multiple_of(2) {
            self.session.release(accepted.cycle);
            return self.answer(way, accepted.cycle);
        }
        match self.session.hold(accepted, &carrier(way), means, self.now).0 {
            Hold::For(_) => self.ways[way].held = Some(accepted.cycle),
            Hold::Not => self.answer(way, accepted.cycle),
            Hold::Overtaken => self.ways[way].is_over = means == Means::Reply,
        }
    }

    fn answer(&mut self, way: usize, cycle: Cycle) {
        let (batch, messages) = self.session.drain_with_connect(cycle);
        self.session.replied(cycle, self.now);
        let reply = parts(Due { messages, batch: None }).chain([Part::Reply(batch)]);
        let own = &mut self.ways[way];
        own.parts.extend(own.left.drain(..).chain(reply));
        own.is_over |= own.is_request;
        if own.is_request {
            self.session.leave(&carrier(way));
        }
    }

    /// Has a connection do all it does when it is awake.
    fn look(&mut self, way: usize) {
        let (by, means, own) = (carrier(way), self.means(way), &mut self.ways[way]);
        if own.is_over && !own.is_request {
            return;
        }
        if !own.is_request {
            self.session.wake_up(&by);
            own.parts.extend(own.left.drain(..));
            own.parts.extend(self.session.push(&by, self.now).into_iter().flat_map(parts));
        }
        if let Some(cycle) = own.held {
            match self.session.held(cycle, means, self.now) {
                Held::Wait(_) => {}
                Held::Overtaken => own.held = None,
                Held::TimedOut | Held::Resume => {
                    own.held = None;
                    self.answer(way, cycle);
                }
            }
        }
        if means == Means::Lend {
            self.session.wait(&by);
        }
    }

    fn read(&mut self) {
        let Some(way) = self.ways.last_mut() else { return };
        let Some(part) = way.parts.pop_front() else { return };
        let client = &mut self.client;
        match part {
            Part::Message(number) => client.kept.push(number),
            Part::Number(batch) => {
                client.batch = batch;
                client.got.append(&mut client.kept);
            }
            Part::Reply(batch) => {
                client.batch = batch.unwrap_or(client.batch);
                client.got.append(&mut client.kept);
                self.connect();
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..100 {
            self.arrive();
            (0..self.ways.len()).for_each(|way| self.hold(way));
            self.write(Wrote::All);
            (0..self.ways.len()).for_each(|way| self.look(way));
            while self.ways.last().is_some_and(|way| !way.parts.is_empty()) {
                self.read();
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let back = || prop_oneof![4 => Just(0_usize), 1 => 1..4_usize];
    let wrote =
        prop_oneof![3 => Just(Wrote::All), 1 => Just(Wrote::Part), 1 => Just(Wrote::Nothing)];
    prop_oneof![
        6 => Just(Event::Deliver),
        6 => wrote.prop_map(Event::Write),
        6 => back().prop_map(Event::Look),
        4 => back().prop_map(Event::Hold),
        9 => Just(Event::Read),
        1 => Just(Event::Speak),
        4 => Just(Event::Arrive),
        1 => proptest::bool::weighted(0.2).prop_map(|is_request| Event::Cut { is_request }),
        1 => (0..4_usize).prop_map(Event::Notice),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn what_goes_ahead_comes_once_and_in_order_wherever_connections_are_cut(
        is_request in proptest::bool::weighted(0.2),
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let mut world = World::new(is_request);
        for event in events {
            world.play(event);
            prop_assert!(world.client.got.iter().copied().eq(1..=world.client.got.len() as u32));
        }
        world.settle();
        prop_assert_eq!(world.client.got, (1..=world.delivered).collect::<Vec<_>>());
        prop_assert!(world.session.depth().messages <= MOST);
        // Whatever was noticed late.
        let last_is_request = world.ways.last().is_some_and(|way| way.is_request);
        prop_assert!(last_is_request || world.session.ahead == Ahead::Goes);
    }
}
