//! A client of long-polling with one connection and one cookie of its own: a browser with one page.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Result, target::Target};

#[derive(Debug)]
pub(crate) struct Polling {
    stream: TcpStream,
    host: String,
    path: String,
    cookie: Option<String>,
}

impl Polling {
    /// Opens the connection of this number.
    pub(crate) async fn open(target: &Target, number: usize) -> Result<Self> {
        let stream = target.open(number).await?;
        Ok(Self { stream, host: target.host.clone(), path: target.path.clone(), cookie: None })
    }

    /// Posts messages, and returns the body of the response.
    pub(crate) async fn post(&mut self, messages: &str) -> Result<Vec<u8>> {
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n"));
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json;charset=UTF-8\r\n\
             Content-Length: {}\r\n{}\r\n{messages}",
            self.path,
            self.host,
            messages.len(),
            cookie.unwrap_or_default()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.response().await
    }

    async fn response(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more(&mut bytes).await?;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 200 ") {
            return Err(format!("the server answered {status}").into());
        }
        if let Some(cookie) = header(&head, "set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let length: usize = length.ok_or("a response has no Content-Length")?;
        let mut body = bytes.split_off(end);
        while body.len() < length {
            self.read_more(&mut body).await?;
        }
        Ok(body)
    }

    async fn read_more(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        match self.stream.read_buf(bytes).await? {
            0 => Err("the server closed a connection".into()),
            _ => Ok(()),
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
