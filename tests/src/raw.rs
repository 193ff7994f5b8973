//! A connection of bare bytes, for what no decent client would send.

use std::{future::pending, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::within;

/// A TCP connection to the server.
#[derive(Debug)]
pub struct Raw(pub TcpStream);

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpSocket::new_v4().unwrap(), address).await
    }

    /// Connects, with place for little that is not read yet.
    pub async fn narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket, address).await
    }

    async fn over(socket: TcpSocket, address: SocketAddr) -> Self {
        let stream = socket.connect(address).await.unwrap();
        // What is written in parts is not to wait for each other.
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Writes bytes; false when the server has closed the connection.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Writes a POST of `body` to `/`, with `head` for its further headers, each ended by CR LF.
    pub async fn post(&mut self, head: &str, body: impl AsRef<[u8]>) -> bool {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{head}\r\n");
        self.write(head).await && self.write(body).await
    }

    /// Reads until what was read contains `end`, and returns it.
    ///
    /// # Panics
    ///
    /// When the server closes the connection before.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        within(&format!("{end:?} to arrive"), async {
            loop {
                let text = String::from_utf8_lossy(&read);
                if text.contains(end) {
                    return text.into_owned();
                }
                let mut part = [0; 4096];
                match self.0.read(&mut part).await {
                    Ok(0) | Err(_) => panic!("closed before {end:?}, after {text:?}"),
                    Ok(count) => read.extend_from_slice(&part[..count]),
                }
            }
        })
        .await
    }

    /// Reads until `end` arrives, and keeps nothing of it.
    pub async fn skip_until(&mut self, end: &str) {
        within(&format!("{end:?} to arrive"), async {
            let (mut tail, mut part) = (Vec::new(), vec![0; 64 * 1024]);
            while !tail.windows(end.len()).any(|window| window == end.as_bytes()) {
                tail.drain(..tail.len().saturating_sub(end.len()));
                match self.0.read(&mut part).await {
                    Ok(0) | Err(_) => panic!("closed before {end:?}"),
                    Ok(count) => tail.extend_from_slice(&part[..count]),
                }
            }
        })
        .await;
    }

    /// Reads that many bytes; none when the server closes the connection before.
    pub async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        let read = within("bytes", self.0.read_exact(&mut bytes)).await;
        read.is_ok().then_some(bytes)
    }

    /// Writes `parts`, each after a pause, until the server closes the connection; returns everything
    /// that it sends.
    pub async fn pour<P: AsRef<[u8]>>(
        self,
        parts: impl IntoIterator<Item = P>,
        pause: Duration,
    ) -> String {
        let (mut reader, mut writer) = self.0.into_split();
        let write = async {
            for part in parts {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                if writer.write_all(part.as_ref()).await.is_err() {
                    break;
                }
            }
            pending::<()>().await;
        };
        let mut read = Vec::new();
        tokio::select! {
            () = write => {}
            _ = within("the server to close the connection", reader.read_to_end(&mut read)) => {}
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads until the server closes the connection, and returns everything.
    pub async fn read_to_end(&mut self) -> String {
        let mut read = Vec::new();
        // A reset is an end too.
        let _ = within("the server to close the connection", self.0.read_to_end(&mut read)).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}
