//! Open WebSockets: messages, pings, and every way to end.

use bayeux_api::client::FailureKind;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{CloseFrame, Role},
    },
};

use super::*;
use crate::transport::Socket;

type Peer = WebSocketStream<TcpStream>;

/// Opens a WebSocket and returns both ends.
async fn pair(config: NetworkConfig) -> (Socket, Peer) {
    let (listener, url) = listen().await;
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        accept_async(stream).await.unwrap()
    };
    let network = Network::new(config).unwrap();
    let (socket, peer) =
        within(async { tokio::join!(network.open_websocket(&url), accepting) }).await;
    (socket.unwrap(), peer)
}

async fn receive(socket: &mut Socket) -> Result<Utf8Bytes, TransportFailure> {
    let received = within(std::future::poll_fn(|cx| socket.poll_receive(1, cx))).await;
    received.map(|mut texts| texts.remove(0))
}

#[tokio::test]
async fn messages_go_both_ways() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    assert!(socket.is_idle());
    socket.send("[1]".to_owned());
    socket.send("[é]".to_owned());
    assert!(!socket.is_idle());
    let echo = async {
        for _ in 0..2 {
            let message = peer.next().await.unwrap().unwrap();
            peer.send(message).await.unwrap();
        }
    };
    let back = async { (receive(&mut socket).await, receive(&mut socket).await) };
    let ((), (first, second)) = within(async { tokio::join!(echo, back) }).await;
    assert_eq!(first.unwrap(), "[1]");
    assert_eq!(second.unwrap(), "[é]");
    assert!(socket.is_idle());
}

#[tokio::test]
async fn both_ends_write_much_at_once() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    let text = "x".repeat(200_000);
    let count = 200;
    // The peer writes everything before it reads anything.
    let expected = text.clone();
    let server = tokio::spawn(async move {
        for _ in 0..count {
            peer.send(Message::text(expected.clone())).await.unwrap();
        }
        for _ in 0..count {
            assert_eq!(peer.next().await.unwrap().unwrap(), Message::text(expected.clone()));
        }
    });
    for _ in 0..count {
        socket.send(text.clone());
    }
    for _ in 0..count {
        assert_eq!(receive(&mut socket).await.unwrap(), text);
    }
    let flushed = std::future::poll_fn(|cx| {
        assert!(socket.poll_receive(1, cx).is_pending() || socket.is_idle());
        if socket.is_idle() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    within(flushed).await;
    within(server).await.unwrap();
}

#[tokio::test]
async fn what_has_arrived_is_read_together_and_the_end_comes_behind_it() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    for number in 0..20 {
        peer.feed(Message::text(format!("[{number}]"))).await.unwrap();
    }
    peer.feed(Message::Close(None)).await.unwrap();
    within(peer.flush()).await.unwrap();
    let (mut texts, mut counts) = (Vec::new(), Vec::new());
    let failure = loop {
        match within(std::future::poll_fn(|cx| socket.poll_receive(16, cx))).await {
            Ok(some) => {
                counts.push(some.len());
                texts.extend(some);
            }
            Err(failure) => break failure,
        }
    };
    assert_eq!(texts, (0..20).map(|number| format!("[{number}]")).collect::<Vec<_>>());
    assert!(counts.iter().all(|count| *count <= 16) && counts.len() < 20, "{counts:?}");
    assert_eq!(failure.kind, FailureKind::Closed);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    let server = async {
        peer.send(Message::Ping("hello".into())).await.unwrap();
        let pong = peer.next().await.unwrap().unwrap();
        peer.send(Message::text("[]")).await.unwrap();
        pong
    };
    let (pong, text) = within(async { tokio::join!(server, receive(&mut socket)) }).await;
    assert_eq!(pong, Message::Pong("hello".into()));
    assert_eq!(text.unwrap(), "[]");
}

#[tokio::test]
async fn the_servers_code_and_reason_are_told() {
    for code in [1000, 1001, 1002, 1003, 1008, 1009, 1011, 1012, 3000, 4999] {
        let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
        let farewell = async {
            peer.send(Message::text("[]")).await.unwrap();
            let frame = CloseFrame { code: code.into(), reason: "so long".into() };
            peer.close(Some(frame)).await.unwrap();
            peer.next().await
        };
        let last = async { (receive(&mut socket).await, receive(&mut socket).await) };
        let (answer, (text, failure)) = within(async { tokio::join!(farewell, last) }).await;
        assert_eq!(text.unwrap(), "[]");
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Closed);
        assert_eq!(failure.websocket_code, Some(code));
        assert_eq!(failure.reason, format!("closed by the server: {code} so long"));
        assert!(matches!(answer, Some(Ok(Message::Close(Some(_))))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_close_without_a_code_is_1005() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    peer.close(None).await.unwrap();
    let failure = receive(&mut socket).await.unwrap_err();
    assert_eq!(failure.websocket_code, Some(1005));
    assert_eq!(failure.reason, "closed by the server: 1005");
}

#[tokio::test]
async fn a_connection_cut_without_a_word_is_1006() {
    let (mut socket, peer) = pair(NetworkConfig::default()).await;
    drop(peer);
    let failure = receive(&mut socket).await.unwrap_err();
    assert_eq!((failure.kind, failure.websocket_code), (FailureKind::Closed, Some(1006)));
    assert_eq!(failure.reason, "the connection ended without a closing handshake");
}

#[tokio::test]
async fn what_the_server_said_comes_before_a_failed_write() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    let frame = CloseFrame { code: 1013.into(), reason: "full".into() };
    peer.send(Message::text("[]")).await.unwrap();
    peer.close(Some(frame)).await.unwrap();
    drop(peer);
    for _ in 0..100 {
        socket.send("x".repeat(100_000));
    }
    assert_eq!(receive(&mut socket).await.unwrap(), "[]");
    assert_eq!(receive(&mut socket).await.unwrap_err().websocket_code, Some(1013));
}

#[tokio::test]
async fn a_binary_message_is_invalid() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    peer.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap_err().kind, FailureKind::Invalid);
}

#[tokio::test]
async fn text_that_is_not_utf8_is_invalid() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    peer.get_mut().write_all(&[0x81, 2, 0xc3, 0x28]).await.unwrap();
    let failure = receive(&mut socket).await.unwrap_err();
    assert_eq!((failure.kind, failure.websocket_code), (FailureKind::Invalid, Some(1007)));
}

#[tokio::test]
async fn a_breach_of_the_protocol_is_invalid() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    peer.get_mut().write_all(&[0xc1, 1, b'x']).await.unwrap();
    let failure = receive(&mut socket).await.unwrap_err();
    assert_eq!((failure.kind, failure.websocket_code), (FailureKind::Invalid, Some(1002)));
}

#[tokio::test]
async fn the_size_of_a_message_is_limited() {
    let config = NetworkConfig { max_message_size: 100, ..NetworkConfig::default() };
    let (mut socket, mut peer) = pair(config.clone()).await;
    peer.send(Message::text("x".repeat(100))).await.unwrap();
    peer.send(Message::text("x".repeat(101))).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap().len(), 100);
    let failure = receive(&mut socket).await.unwrap_err();
    assert_eq!((failure.kind, failure.websocket_code), (FailureKind::TooLarge, Some(1009)));
    assert_eq!(failure.reason, "the server sent a message larger than 100 bytes");

    // In two frames that are each small enough.
    let (mut socket, mut peer) = pair(config).await;
    let frames = [&[0x01, 60][..], &[b'x'; 60], &[0x80, 60], &[b'x'; 60]].concat();
    peer.get_mut().write_all(&frames).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap_err().kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn closing_writes_what_is_queued_then_the_reason() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    socket.send("[1]".to_owned());
    let reason = "ü".repeat(40);
    let server = async {
        let first = peer.next().await.unwrap().unwrap();
        let second = peer.next().await.unwrap().unwrap();
        assert!(peer.next().await.is_none());
        (first, second)
    };
    let ((first, second), ()) =
        within(async { tokio::join!(server, socket.close(1000, &reason)) }).await;
    assert_eq!(first, Message::text("[1]"));
    let Message::Close(Some(frame)) = second else { panic!("{second:?}") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1000, &*"ü".repeat(30)));
}

#[tokio::test]
async fn closing_does_not_wait_for_a_deaf_server() {
    let (mut socket, mut peer) = pair(NetworkConfig::default()).await;
    for _ in 0..100 {
        socket.send("x".repeat(1_000_000));
    }
    let start = std::time::Instant::now();
    within(socket.close(1000, "bye")).await;
    assert!(start.elapsed() < Duration::from_secs(5));
    while let Some(Ok(_)) = within(peer.next()).await {}
}

#[tokio::test]
async fn a_flood_of_pings_does_not_grow_the_client() {
    // The peer sends pings and reads nothing: after the kernel's buffers are full, the answers have to
    // be left out, while messages still arrive.
    let (mut socket, peer) = pair(NetworkConfig::default()).await;
    let mut stream = peer.into_inner();
    let server = tokio::spawn(async move {
        let ping = [&[0x89, 125][..], &[0; 125]].concat().repeat(512);
        for _ in 0..512 {
            stream.write_all(&ping).await.unwrap();
        }
        stream.write_all(&[0x81, 2, b'[', b']']).await.unwrap();
        let mut peer = Peer::from_raw_socket(stream, Role::Server, None).await;
        assert!(matches!(peer.next().await, Some(Ok(Message::Pong(_)))));
        peer
    });
    assert_eq!(receive(&mut socket).await.unwrap(), "[]");
    within(server).await.unwrap();
}
