//! A network that loses and delays what a seed says, between a client and a server of one program.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_client::api::{
    ConnectionType,
    client::{FailureKind, InProcess, TransportFailure},
};

/// A client's way to a server in the same program, on which requests and answers are late or lost.
#[derive(Clone, Debug)]
pub struct Lossy {
    server: Arc<dyn InProcess>,
    random: Arc<Mutex<u64>>,
}

/// What becomes of a request and its answer.
enum Fate {
    Arrives,
    LosesRequest,
    LosesAnswer,
    /// Nobody hears anything any more.
    Silence,
}

impl Lossy {
    /// Makes a way to `server` whose losses and delays follow from `seed`.
    pub fn to(server: impl InProcess + 'static, seed: u64) -> Self {
        Self { server: Arc::new(server), random: Arc::new(Mutex::new(seed)) }
    }

    /// Draws a number below `most` (an LCG of Knuth's, of which the upper bits are good).
    fn draw(&self, most: u64) -> u64 {
        let mut state = self.random.lock().unwrap();
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % most
    }

    async fn delay(&self) {
        let delay = Duration::from_millis(1 + self.draw(50));
        tokio::time::sleep(delay).await;
    }
}

#[async_trait]
impl InProcess for Lossy {
    async fn send(&self, messages: &str) -> Result<String, TransportFailure> {
        let fate = match self.draw(20) {
            0 | 1 => Fate::LosesRequest,
            2 | 3 => Fate::LosesAnswer,
            4 => Fate::Silence,
            _ => Fate::Arrives,
        };
        self.delay().await;
        let lost =
            |what| TransportFailure::new(ConnectionType::InProcess, FailureKind::Closed, what);
        match fate {
            Fate::LosesRequest => return Err(lost("the request is lost")),
            Fate::Silence => std::future::pending().await,
            Fate::Arrives | Fate::LosesAnswer => {}
        }
        let answer = self.server.send(messages).await;
        self.delay().await;
        match fate {
            Fate::LosesAnswer => Err(lost("the answer is lost")),
            Fate::Arrives | Fate::LosesRequest | Fate::Silence => answer,
        }
    }
}
