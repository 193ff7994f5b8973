//! A whole server and its clients under a clock that only the test moves: the same seed is the same run, to
//! the letter, however much the network between them loses, delays and doubles.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, Messages, State,
    api::client::{FailureKind, InProcess, TransportFailure},
};
use bayeux_server::{
    Config, Server,
    api::{
        ConnectionType, Flow,
        server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
    },
};
use serde_json::json;
use tokio::{runtime::Builder, time::Instant};

const CLIENTS: u64 = 3;
const MESSAGES: u64 = 5;

/// Longer than anything in a run takes, of a time that costs nothing.
const LONG: Duration = Duration::from_secs(3600);

/// Numbers that are the same for the same seed.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What happens in a run, with its time.
#[derive(Clone, Debug)]
struct Trace {
    start: Instant,
    text: Arc<Mutex<String>>,
}

impl Trace {
    fn note(&self, what: &str) {
        let now = self.start.elapsed().as_millis();
        writeln!(self.text.lock().unwrap(), "{now} {what}").unwrap();
    }
}

/// The network between one client and the server.
#[derive(Clone, Debug)]
struct Lossy {
    name: u64,
    server: Arc<bayeux_server::InProcess>,
    random: Arc<Mutex<Random>>,
    is_bad: Arc<AtomicBool>,
    trace: Trace,
}

impl Lossy {
    fn one_in(&self, count: u64) -> bool {
        self.is_bad.load(Relaxed) && self.random.lock().unwrap().below(count) == 0
    }

    async fn delay(&self) {
        if self.is_bad.load(Relaxed) {
            let millis = self.random.lock().unwrap().below(50);
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }

    fn lost(&self, what: &str) -> TransportFailure {
        self.trace.note(&format!("client {} lost {what}", self.name));
        TransportFailure::new(ConnectionType::InProcess, FailureKind::Closed, what)
    }
}

#[async_trait]
impl InProcess for Lossy {
    async fn send(&self, messages: &str) -> Result<String, TransportFailure> {
        self.trace.note(&format!("client {} sends {messages}", self.name));
        self.delay().await;
        if self.one_in(5) {
            return Err(self.lost("a request"));
        }
        if self.one_in(10) {
            let (again, messages) = (self.clone(), messages.to_owned());
            tokio::spawn(async move {
                again.delay().await;
                let answer = again.server.send(&messages).await;
                again.trace.note(&format!("client {} sent again: {answer:?}", again.name));
            });
        }
        let answer = self.server.send(messages).await;
        self.trace.note(&format!("client {} is answered {answer:?}", self.name));
        self.delay().await;
        if self.one_in(5) {
            return Err(self.lost("an answer"));
        }
        answer.map_err(TransportFailure::from)
    }
}

/// Writes down what is published, in its order.
#[derive(Clone, Debug, Default)]
struct Published(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl ServerChannelListener for Published {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let data = message.data.as_ref().unwrap().text().into_owned();
        self.0.lock().unwrap().push(data);
        Flow::Continue
    }
}

fn server(seed: u64) -> Server {
    let mut config = Config::default();
    config.acknowledgements = true;
    // No session ends, so that nothing may be missed.
    config.long_polling.max_interval = LONG;
    Server::builder().config(config).seed(seed).build()
}

async fn subscribed(network: Lossy, seed: u64) -> (BayeuxClient, Messages) {
    let mut config = bayeux_client::Config::default();
    config.acknowledgements = true;
    let builder = BayeuxClient::builder().config(config).in_process(network).seed(seed);
    let client = builder.build().unwrap();
    client.handshake().await.unwrap();
    assert!(client.wait_for(LONG, &[State::Connected]).await);
    let stream = client.channel("/room").unwrap().subscribe().await.unwrap();
    (client, stream)
}

/// Plays one run, and returns what happened.
async fn play(seed: u64) -> String {
    let trace = Trace { start: Instant::now(), text: Arc::default() };
    let server = server(seed);
    let published = Published::default();
    let room = server.create_channel_if_absent("/room").unwrap().channel();
    room.add_listener(Arc::new(published.clone())).keep();
    let is_bad = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for name in 0..CLIENTS {
        let network = Lossy {
            name,
            server: Arc::new(server.in_process()),
            random: Arc::new(Mutex::new(Random(seed ^ (name << 32)))),
            is_bad: is_bad.clone(),
            trace: trace.clone(),
        };
        clients.push(subscribed(network, seed + name).await);
    }
    is_bad.store(true, Relaxed);
    for number in 0..MESSAGES {
        for (name, (client, _)) in clients.iter().enumerate() {
            let reply = client.channel("/room").unwrap().publish(json!([name, number]));
            let trace = trace.clone();
            tokio::spawn(async move { trace.note(&format!("{name} {number}: {:?}", reply.await)) });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    is_bad.store(false, Relaxed);
    // Whatever is published has been by now; each client gets all of it, once and in order.
    tokio::time::sleep(Duration::from_secs(60)).await;
    trace.note(&format!("{:?}", server.sessions()));
    let expected = published.0.lock().unwrap().clone();
    assert!(!expected.is_empty(), "seed {seed}: nothing was published");
    for (name, (client, stream)) in clients.iter_mut().enumerate() {
        let mut received = Vec::new();
        while let Some(message) = stream.try_next() {
            received.push(message.data.unwrap().text().into_owned());
        }
        assert_eq!(received, expected, "seed {seed}: client {name}");
        client.disconnect().await.unwrap();
    }
    assert_eq!(server.sessions().len(), 0, "seed {seed}");
    trace.note(&format!("{:?}", server.statistics()));
    trace.text.lock().unwrap().clone()
}

fn run(seed: u64) -> String {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play(seed))
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut all = String::new();
    for seed in 0..100 {
        let (once, again) = (run(seed), run(seed));
        let differs = once.lines().zip(again.lines()).find(|(one, other)| one != other);
        assert!(once == again, "seed {seed} differs: {differs:#?}");
        all += &once;
    }
    for event in ["lost a request", "lost an answer", "sent again: Ok", "Overtaken"] {
        assert!(all.contains(event), "in no run: {event}");
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(run(1), run(2));
}
