//! A WebSocket whose peer sends frames of any shape, from the upgrade on, through all of the server.

use std::{panic::AssertUnwindSafe, time::Duration};

use bayeux_server::{Config, Server};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tests::{eventually, panics, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    runtime::{Builder, Runtime},
};

use crate::check;

const UPGRADE: &str = "GET /cometd HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const TEXT: u8 = 1;

/// Mostly text, then continuations, binary, what controls, and what does not exist.
const OPCODES: [u8; 16] = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 2, 8, 9, 10, 3, 11];

/// What frames hold; `ID` stands for the session's.
const PAYLOADS: &[&str] = &[
    r#"[{"channel":"/meta/handshake"}]"#,
    r#"[{"channel":"/meta/connect","clientId":"ID","connectionType":"websocket"}]"#,
    r#"{"channel":"/meta/connect","clientId":"ID","advice":{"timeout":0},"ext":{"ack":-1}}"#,
    r#"[{"channel":"/meta/subscribe","clientId":"ID","subscription":["/a","/b/**"]}]"#,
    r#"[{"channel":"/meta/unsubscribe","clientId":"ID","subscription":"/a"}]"#,
    r#"[{"channel":"/a","clientId":"ID","data":"é"},{"channel":"/b/c","clientId":"ID","data":{}}]"#,
    r#"[{"channel":"/service/a","clientId":"ID","data":null},{"channel":"/meta/handshake"}]"#,
    r#"[{"channel":"/meta/disconnect","clientId":"ID"}]"#,
    r#"[{"channel":"/a","clientId":"nobody","data":1},{"clientId":"ID"},{}]"#,
    "[",
    "[]",
    "",
    "\u{3}\u{e8}bye",
];

/// One server for all inputs, so that what one leaves behind shows.
struct Bench {
    runtime: Runtime,
    server: Server,
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::default();
        config.websocket.max_interval = Duration::from_millis(20);
        config.websocket.max_message_size = 4096;
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, server: Server::builder().config(config).build() }
    }

    /// Opens a WebSocket, writes what `wire` makes for its session, and hangs up.
    fn play(&self, wire: impl FnOnce(&str) -> Vec<u8>) {
        panics::watch();
        self.runtime.block_on(within("the connection to end", async {
            let (near, far) = duplex(16 * 1024);
            let service = TowerToHyperService::new(self.server.service());
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(far), service).with_upgrades();
            let (_, ()) = tokio::join!(connection, visit(near, wire));
        }));
        assert_eq!(panics::count(), 0, "the server panicked");
    }
}

/// Nothing is left of all of them, and the server still serves.
impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.play(|id| frame(0x80 | TEXT, PAYLOADS[1].replace("ID", id).as_bytes()));
        let is_clean = || {
            let left = self.server.statistics();
            (left.sessions, left.websockets, left.held_connects) == (0, 0, 0)
        };
        self.runtime.block_on(eventually("sessions and connections to be gone", is_clean));
    }
}

async fn visit(mut stream: DuplexStream, wire: impl FnOnce(&str) -> Vec<u8>) {
    stream.write_all(UPGRADE.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream.write_all(&frame(0x80 | TEXT, PAYLOADS[0].as_bytes())).await.unwrap();
    let reply = read_until(&mut stream, "}]").await;
    let id = reply.split("\"clientId\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let wire = wire(id.expect("the handshake succeeds"));
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        // The server may have closed before all is written.
        let _ = writer.write_all(&wire).await;
        let _ = writer.shutdown().await;
    };
    let mut rest = Vec::new();
    let (_, read) = tokio::join!(write, reader.read_to_end(&mut rest));
    read.unwrap();
}

async fn read_until(stream: &mut DuplexStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A frame of a client, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The frame that three bytes choose.
fn chosen(choice: &[u8], id: &str) -> Vec<u8> {
    let at = |index: usize| choice.get(index).copied().unwrap_or_default();
    let (kind, payload, cut) = (at(0), at(1), usize::from(at(2)));
    let text = PAYLOADS[usize::from(payload) % PAYLOADS.len()].replace("ID", id);
    // Most are whole, some broken off, perhaps within a character.
    let length = if cut < 192 { text.len() } else { cut % (text.len() + 1) };
    let last = if kind & 0x10 == 0 { 0x80 } else { 0 };
    let reserved = if kind & 0xe0 == 0xe0 { 0x40 } else { 0 };
    let mut frame =
        frame(last | reserved | OPCODES[usize::from(kind & 0x0f)], &text.as_bytes()[..length]);
    match cut {
        // Not masked, longer than it says, longer than anything may be.
        0 => frame[1] &= 0x7f,
        1 => frame[1] = frame[1].wrapping_sub(1) | 0x80,
        2 => frame[1] = 0xff,
        _ => {}
    }
    frame
}

#[test]
fn any_bytes_end_the_connection_and_nothing_else() {
    let bench = AssertUnwindSafe(Bench::new());
    check(|bytes| bench.play(|_| bytes.to_vec()));
}

#[test]
fn any_frames_leave_nothing() {
    let bench = AssertUnwindSafe(Bench::new());
    check(|bytes| bench.play(|id| bytes.chunks(3).flat_map(|choice| chosen(choice, id)).collect()));
}
