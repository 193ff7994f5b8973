//! Clients that are played again: with one seed, the same happens at the same time, losses and all.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bayeux_client::{BayeuxClient, Config, State};
use bayeux_server::Server;
use serde_json::json;
use tests::lossy::Lossy;
use tokio::{task::JoinSet, time::Instant};

const CLIENTS: u64 = 5;
const PUBLISHES: u64 = 20;

/// What happened, and when.
#[derive(Clone)]
struct Trace {
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Trace {
    fn add(&self, client: u64, what: &str) {
        let at = self.start.elapsed().as_millis();
        self.lines.lock().unwrap().push(format!("{at} {client} {what}"));
    }
}

/// Plays clients that publish to each other over a network with losses, for two minutes of their time.
fn play(seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let server = Server::new();
        let trace = Trace { start: Instant::now(), lines: Arc::default() };
        let mut playing = JoinSet::new();
        for number in 0..CLIENTS {
            let mut config = Config::default();
            config.acknowledgements = true;
            config.max_network_delay = Some(Duration::from_secs(2));
            let way = Lossy::to(server.in_process(), seed * 1000 + number);
            let builder = BayeuxClient::builder().in_process(way).seed(seed * 1000 + number);
            let client = builder.config(config).build().unwrap();
            playing.spawn(live(client, number, trace.clone()));
        }
        tokio::time::sleep(Duration::from_secs(120)).await;
        drop(playing);
        trace.lines.lock().unwrap().clone()
    })
}

async fn live(client: BayeuxClient, number: u64, trace: Trace) {
    let (mut states, own) = (client.states(), trace.clone());
    let watching = async move {
        while let Some(state) = states.changed().await {
            own.add(number, &state.to_string());
        }
    };
    let acting = async {
        let _ = client.handshake().await;
        client.wait_for(Duration::from_secs(60), &[State::Connected]).await;
        let channel = client.channel("/a").unwrap();
        let mut messages = loop {
            if let Ok(messages) = channel.subscribe().await {
                break messages;
            }
        };
        let publishing = async {
            for count in 0..PUBLISHES {
                tokio::time::sleep(Duration::from_millis(100 + 37 * number)).await;
                let published = channel.publish(json!([number, count])).await;
                trace.add(number, &format!("published {count} {}", published.is_ok()));
            }
        };
        let reading = async {
            while let Some(message) = messages.next().await {
                trace.add(number, &format!("got {}", message.data.unwrap()));
            }
        };
        tokio::join!(publishing, reading);
    };
    tokio::join!(watching, acting);
}

#[test]
fn with_the_same_seed_the_same_happens() {
    for seed in 1..=5 {
        let (first, second) = (play(seed), play(seed));
        let differs = first.iter().zip(&second).position(|(one, other)| one != other);
        let around = differs.map(|at| (&first[at..first.len().min(at + 3)], &second[at]));
        assert!(first == second, "seed {seed} differs at {differs:?}: {around:?}");
        assert!(first.iter().any(|line| line.contains("Unconnected")), "seed {seed} lost nothing");
        let got = first.iter().filter(|line| line.contains("got")).count() as u64;
        assert!(got > CLIENTS * PUBLISHES, "only {got} messages came with seed {seed}");
    }
    assert_ne!(play(1), play(2));
}
