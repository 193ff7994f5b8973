//! The transports against small servers that do just what a test says.

mod connections;
mod hooks;
mod post;
mod proxied;
mod redirects;
mod secure;
mod sockets;
mod upgrades;

use std::{future::Future, time::Duration};

use bayeux_api::client::TransportFailure;
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

use crate::transport::{Network, settings::NetworkConfig};

/// Waits for `future`, but not for ever.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

fn network() -> Network {
    Network::new(NetworkConfig::default()).unwrap()
}

async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cometd", listener.local_addr().unwrap());
    (listener, Url::parse(&url).unwrap())
}

/// Starts a server that gives each request of each connection the next of `answers`, as raw bytes, and
/// closes the connection after the last. It returns the requests.
async fn server(answers: Vec<String>) -> (Url, JoinHandle<Vec<Got>>) {
    let (listener, url) = listen().await;
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            while let Some(request) = read_request(&mut stream).await {
                requests.push(request);
                let answer = answers.next().expect("a request too many");
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answers.len() == 0 {
                    return requests;
                }
            }
        }
    });
    (url, task)
}

/// Posts once to a server that answers with these bytes and then closes.
async fn posted(answer: impl Into<String>) -> Result<Bytes, TransportFailure> {
    let (url, server) = server(vec![answer.into()]).await;
    let result = within(network().post(&url, b"[]".to_vec())).await;
    within(server).await.unwrap();
    result
}

#[derive(Debug)]
struct Got {
    head: String,
    body: String,
}

impl Got {
    /// Returns the values of a header, with a comma between them.
    fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let values: Vec<_> = lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect();
        (!values.is_empty()).then(|| values.join(","))
    }
}

/// Reads one HTTP/1.1 request, if one comes.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Got> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut got = Got { head, body: String::new() };
    let length = got.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    got.body = String::from_utf8(body).unwrap();
    Some(got)
}

/// Returns a response with a body.
fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

fn ok() -> String {
    response("200 OK", "Content-Type: application/json\r\n", "[{}]")
}

/// Answers one request of `stream` with `[{}]`.
async fn answer_one<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Got {
    let request = read_request(stream).await.unwrap();
    stream.write_all(ok().as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    request
}

/// Waits until the other end closes.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}
