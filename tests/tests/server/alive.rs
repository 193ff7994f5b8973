//! Pings over a WebSocket: they are answered whole, in their place, and whoever asks has the time to take it.

use std::time::Duration;

use bayeux_server::{Server, api::Message};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tests::{AGES, TestServer, Transport, every_transport, patient, raw::Raw, within};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    net::UnixStream,
    time::sleep,
};

use crate::{
    regression::takes_over,
    side_by_side::{carry, frame},
};

const TEXT: u8 = 0x81;
const PONG: u8 = 0x8a;

/// Reads a frame: its first byte, and its payload.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> (u8, String) {
    let frame = async {
        let (first, mut length) = (stream.read_u8().await?, stream.read_u8().await?.into());
        if length == 126 {
            length = stream.read_u16().await?.into();
        }
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        Ok::<_, std::io::Error>((first, String::from_utf8(payload).unwrap()))
    };
    within("a frame", frame).await.expect("the connection is open")
}

/// By this a test waits until the runtime has looked what arrived: it goes on then before all others.
struct Bell((UnixStream, UnixStream));

impl Bell {
    async fn ring(&mut self) {
        let Self((near, far)) = self;
        let (heard, rung) = tokio::join!(far.read_u8(), near.write_u8(0));
        assert!(heard.is_ok() && rung.is_ok());
    }
}

/// A message that is written in part, directly by who delivers it. The rest is left to the connection, which
/// has a ping to read at that moment and is told of both.
struct Half {
    server: TestServer,
    raw: Raw,
    /// How many messages there are, this one included.
    count: usize,
    ping: String,
}

impl Half {
    /// Fills a socket with messages of a size; none when it ends up full behind a whole one.
    async fn of_size(size: usize) -> Option<Self> {
        let server = TestServer::start(|config| {
            config.ws.write_timeout = AGES;
            every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
        })
        .await;
        let client = server.handshaken(Transport::WebSocket).await;
        let mut raw = carry(Raw::narrow(server.address).await, client.id()).await;
        let session = server.session(&client);
        let sent = || server.server.statistics().messages_sent;
        let mut bell = Bell(UnixStream::pair().unwrap());
        for count in 1.. {
            for _ in 0..3 {
                // The connection has nothing more to do.
                bell.ring().await;
            }
            let (before, ping) = (sent(), format!("ping {count}"));
            assert!(raw.write(frame(9, &ping)).await);
            // It is told that there is something to read, but runs after this.
            bell.ring().await;
            let message = Message::with_data("/a", json!("x".repeat(size)));
            assert!(session.deliver(message).await);
            if sent() == before {
                // What was not written at all is in the queue again.
                let is_half = session.queue_depth().messages == 0;
                return is_half.then_some(Self { server, raw, count, ping });
            }
        }
        None
    }

    async fn written() -> Self {
        for kib in 30..60 {
            if let Some(half) = Self::of_size(kib * 1024).await {
                return half;
            }
        }
        panic!("a socket is always full behind a whole message");
    }
}

#[tokio::test]
async fn a_ping_that_meets_half_a_message_is_answered_behind_it() {
    for takes in [0, 1024 * 1024] {
        let Half { server: _server, mut raw, count, ping } = Half::written().await;
        // There is place again before the connection comes to the ping.
        let mut taken = vec![0; takes];
        let mut length = 0;
        while let Some(place) = taken.get_mut(length..).filter(|place| !place.is_empty())
            && let Ok(more) = raw.0.try_read(place)
        {
            length += more;
        }
        let mut stream = (&taken[..length]).chain(&mut raw.0);
        let mut messages = 0;
        loop {
            match read_frame(&mut stream).await {
                (TEXT, text) => {
                    serde_json::from_str::<Value>(&text).expect("a message is whole");
                    messages += 1;
                }
                (PONG, payload) if payload == ping => break,
                (first, _) => assert_eq!(first, PONG),
            }
        }
        assert_eq!(messages, count);
    }
}

/// Opens a WebSocket over a pipe that takes so many bytes.
async fn pipe(server: &Server, room: usize) -> DuplexStream {
    let (mut near, far) = tokio::io::duplex(room);
    let service = TowerToHyperService::new(server.service());
    tokio::spawn(async move {
        let builder = Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(far), service).await;
    });
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    near.write_all(request).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        response.push(within("the response", near.read_u8()).await.unwrap());
    }
    near
}

/// Connects over such a WebSocket; returns the id of its session too.
async fn connected(server: &Server, room: usize) -> (DuplexStream, String) {
    let mut pipe = pipe(server, room).await;
    let handshake = json!([{ "channel": "/meta/handshake" }]).to_string();
    pipe.write_all(&frame(1, &handshake)).await.unwrap();
    assert!(read_frame(&mut pipe).await.1.contains("\"successful\":true"));
    let id = server.sessions()[0].id().to_owned();
    pipe.write_all(&frame(1, &takes_over(&id))).await.unwrap();
    assert!(read_frame(&mut pipe).await.1.contains("\"successful\":true"));
    (pipe, id)
}

fn patient_server() -> Server {
    let mut config = bayeux_server::Config::default();
    patient(&mut config);
    // The clock is stopped; and it is less than a connection may be silent.
    config.ws.write_timeout = Duration::from_secs(30);
    Server::builder().config(config).build()
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_cannot_be_written_has_the_time_that_all_else_has() {
    const ROOM: usize = 4096;
    let server = patient_server();
    let (mut pipe, id) = connected(&server, ROOM).await;
    // What takes all the place there is: a head of four bytes, and this.
    let empty = Message::with_data("/a", json!("")).freeze();
    let filler = json!("x".repeat(ROOM - 4 - empty.array().len()));
    assert!(server.session(&id).unwrap().deliver(Message::with_data("/a", filler)).await);
    let patience = server.config().ws.write_timeout;
    sleep(2 * patience).await;
    pipe.write_all(&frame(9, "are you there")).await.unwrap();
    sleep(patience / 2).await;
    let (first, message) = read_frame(&mut pipe).await;
    assert_eq!((first, message.len()), (TEXT, ROOM - 4));
    assert_eq!(read_frame(&mut pipe).await, (PONG, "are you there".to_owned()));
}
