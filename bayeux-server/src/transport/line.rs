//! A connection of HTTP/1.1, as a session sees it whose response is written to it: the session lives while its
//! peer takes bytes.
//!
//! The connection is hyper's, and what that has of a response is not seen any more by who made it. So the two
//! have this in common: the service says whose response is written, and the stream below hyper that some was
//! taken. What the peer's own system has taken for it, nobody can see.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bayeux_api::implement::lock;

use crate::{clock, proto::after, session::Session};

/// Whose large response is written over the connection, if anybody's.
#[derive(Debug, Default)]
pub(crate) struct Line {
    is_used: AtomicBool,
    writing: Mutex<Option<Writing>>,
}

/// A large response that is written.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    session: Weak<Session>,
    /// A peer that takes a byte now and then has no more time than this.
    until: Instant,
}

impl Writing {
    /// Makes the writing of what is answered to `session`, which may take so long.
    pub(crate) fn new(session: &Arc<Session>, time: Duration) -> Self {
        Self { session: Arc::downgrade(session), until: after(clock::now(), time) }
    }

    /// The peer has taken some.
    pub(crate) fn taken(&self) {
        if let Some(session) = self.session.upgrade().filter(|_| clock::now() < self.until) {
            session.touch();
        }
    }
}

impl Line {
    /// This is written next.
    pub(crate) fn begin(&self, writing: Writing) {
        *lock(&self.writing) = Some(writing);
        self.is_used.store(true, Relaxed);
    }

    /// The next request is here: all was taken.
    pub(crate) fn end(&self) {
        if self.is_used.swap(false, Relaxed) {
            *lock(&self.writing) = None;
        }
    }

    /// The peer, which had not taken all there was, has taken some.
    pub(crate) fn taken(&self) {
        if self.is_used.load(Relaxed) {
            let writing = lock(&self.writing).clone();
            writing.iter().for_each(Writing::taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::{server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use bayeux_api::Message;

    use super::*;
    use crate::{
        Server,
        transport::{Peer, patience::Patience},
    };

    const SECOND: Duration = Duration::from_secs(1);

    /// What waits for the client, in bytes, about.
    const WAITING: usize = 900_000;

    /// A client over a pipe that takes little, and its server.
    struct Scene {
        server: Server,
        pipe: DuplexStream,
        cookie: String,
        id: String,
    }

    impl Scene {
        /// A client that has connected, and for which much waits.
        async fn new() -> Self {
            let server = Server::builder().seed(1).build();
            let (near, pipe) = duplex(4096);
            let line = Arc::<Line>::default();
            let near = Patience::new(near, 30 * SECOND, line.clone());
            let address = "127.0.0.1:1".parse().unwrap();
            let service = server.service_for(Peer::new(address, address), line);
            let service = service_fn(move |request| service.respond(request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(near), service));
            let mut scene = Self { server, pipe, cookie: String::new(), id: String::new() };
            let greeting = scene.ask(&json!({ "channel": "/meta/handshake" })).await;
            scene.id = greeting["clientId"].as_str().unwrap().to_owned();
            scene.connect().await;
            let session = scene.server.session(&scene.id).unwrap();
            for _ in 0..9 {
                let data = json!("x".repeat(WAITING / 9));
                assert!(session.deliver(Message::with_data("/a", data)).await);
            }
            scene
        }

        async fn post(&mut self, message: &Value) {
            let body = json!([message]).to_string();
            let head = format!(
                "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{}\r\n",
                body.len(),
                self.cookie
            );
            self.pipe.write_all((head + &body).as_bytes()).await.unwrap();
        }

        /// Reads the head of a response, and returns the length of its body.
        async fn head(&mut self) -> usize {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                head.push(char::from(self.pipe.read_u8().await.unwrap()));
            }
            let field = |name| head.split(name).nth(1).and_then(|rest| rest.split("\r\n").next());
            if let Some(cookie) = field("set-cookie: ").and_then(|cookie| cookie.split(';').next())
            {
                self.cookie = format!("cookie: {cookie}\r\n");
            }
            field("content-length: ").unwrap().parse().unwrap()
        }

        async fn ask(&mut self, message: &Value) -> Value {
            self.post(message).await;
            let mut body = vec![0; self.head().await];
            self.pipe.read_exact(&mut body).await.unwrap();
            let messages: Value = serde_json::from_slice(&body).unwrap();
            messages[0].clone()
        }

        fn connecting(&self) -> Value {
            let advice = json!({ "timeout": 0 });
            json!({ "channel": "/meta/connect", "clientId": self.id, "advice": advice })
        }

        async fn connect(&mut self) -> Value {
            let connect = self.connecting();
            self.ask(&connect).await
        }

        /// Begins with a connect that is answered with what waits; returns the length of that.
        async fn take_much(&mut self) -> usize {
            let connect = self.connecting();
            self.post(&connect).await;
            self.head().await
        }

        /// Takes `count` bytes, so many after each pause; false when the connection ends.
        async fn take(&mut self, mut count: usize, at_once: usize, pause: Duration) -> bool {
            let mut part = vec![0; at_once];
            while count > 0 {
                tokio::time::sleep(pause).await;
                let length = count.min(at_once);
                if self.pipe.read_exact(&mut part[..length]).await.is_err() {
                    return false;
                }
                count -= length;
            }
            true
        }

        fn lives(&self) -> bool {
            self.server.session(&self.id).is_some()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_lives_while_its_peer_takes_a_response_however_slowly() {
        let mut scene = Scene::new().await;
        let length = scene.take_much().await;
        assert!(length > WAITING);
        // Four minutes, of which the last half is hyper's.
        assert!(scene.take(length, 4096, SECOND).await);
        assert_eq!(scene.connect().await["successful"], true);
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_peer_takes_no_more_ends_wherever_that_is() {
        for left in [WAITING - 100_000, 20_000, 1] {
            let mut scene = Scene::new().await;
            let length = scene.take_much().await;
            assert!(scene.take(length - left, 4096, SECOND / 10).await);
            assert!(scene.lives());
            tokio::time::sleep(100 * SECOND).await;
            assert!(!scene.lives(), "{left} bytes were left");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_peer_takes_a_byte_now_and_then_ends_in_time() {
        for left in [WAITING - 100_000, 20_000] {
            let mut scene = Scene::new().await;
            let length = scene.take_much().await;
            assert!(scene.take(length - left, 4096, SECOND / 10).await);
            let trickle = scene.take(left, 1, 9 * SECOND);
            assert!(tokio::time::timeout(700 * SECOND, trickle).await != Ok(true));
            assert!(!scene.lives(), "{left} bytes were left");
        }
    }
}
