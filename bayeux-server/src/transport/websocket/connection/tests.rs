//! How large a connection is that waits: there are many.

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::transport::websocket::link::Link;

#[tokio::test]
async fn one_that_waits_is_small() {
    let server = Server::builder().build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let socket = Socket::over_tcp(stream, Vec::new(), server.config());
    let mut connection = Box::new(Connection::new(server, socket, Arc::default()));
    let serving = size_of_val(&connection.serve());
    let running = size_of_val(&connection.run());
    let sizes = [
        ("what serves it", serving, 328),
        ("its task", running, 384),
        ("Connection", size_of::<Connection>(), 192),
        ("Socket", size_of::<Socket>(), 80),
        ("HeldConnect", size_of::<HeldConnect>(), 128),
        ("Carrier", size_of::<Carrier<Link>>(), 112),
        ("Session", size_of::<Session>(), 432),
    ];
    let large: Vec<_> = sizes.into_iter().filter(|(_, size, most)| size > most).collect();
    assert!(large.is_empty(), "larger than expected: {large:?} of {sizes:?}");
}
